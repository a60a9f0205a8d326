/* A hash table of objects, a queue of those whose targets are due, and a list of what has changed. */
#include "discovery/kubernetes_store.h"

#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/hash.h"
#include "base/mem.h"

/* References of one object: the addresses of one endpoints list, and a few more. */
enum { BUCKETS_MIN = 64, REFERENCES_MAX = 8192 };

/* What an object takes besides its texts. */
#define OBJECT_BYTES (sizeof(struct kubernetes_object) + 2 * sizeof(void *))

uint64_t kubernetes_store_hash(enum kubernetes_resource resource, struct str key)
{
    return hash64(key.ptr, key.len, (uint64_t)resource);
}

static size_t bucket_of(const struct kubernetes_store *s, uint64_t hash)
{
    return hash & (s->bucket_count - 1);
}

struct kubernetes_object *kubernetes_store_find(
    const struct kubernetes_store *s, enum kubernetes_resource resource, struct str key)
{
    uint64_t hash = kubernetes_store_hash(resource, key);
    struct kubernetes_object *o = s->bucket_count > 0 ? s->buckets[bucket_of(s, hash)] : NULL;
    while (o != NULL && (o->hash != hash || o->resource != resource || !str_eq_c(key, o->key))) {
        o = o->next;
    }
    return o;
}

static int grow(struct kubernetes_store *s)
{
    if (s->count < s->bucket_count) {
        return 0;
    }
    size_t old_count = s->bucket_count;
    struct kubernetes_object **old = s->buckets;
    size_t count = old_count > 0 ? old_count * 2 : BUCKETS_MIN;
    struct kubernetes_object **buckets = mem_calloc(count, sizeof(struct kubernetes_object *));
    if (buckets == NULL) {
        return ERR_NOMEM;
    }
    s->buckets = buckets;
    s->bucket_count = count;
    for (size_t i = 0; i < old_count; i++) {
        while (old[i] != NULL) {
            struct kubernetes_object *o = old[i];
            old[i] = o->next;
            o->next = buckets[bucket_of(s, o->hash)];
            buckets[bucket_of(s, o->hash)] = o;
        }
    }
    mem_free(old);
    return 0;
}

static void object_free(struct kubernetes_object *o)
{
    mem_free(o->key);
    mem_free(o->json);
    mem_free(o->references);
    mem_free(o);
}

static int insert(struct kubernetes_store *s, enum kubernetes_resource resource, struct str key,
    struct kubernetes_object **object_out)
{
    int status = s->count < KUBERNETES_OBJECTS_MAX ? grow(s) : ERR_LIMIT;
    struct kubernetes_object *o = status == 0 ? mem_calloc(1, sizeof(*o)) : NULL;
    if (o == NULL) {
        return status != 0 ? status : ERR_NOMEM;
    }
    *o = (struct kubernetes_object){.hash = kubernetes_store_hash(resource, key),
        .resource = resource,
        .key = mem_strndup(key.ptr, key.len)};
    if (o->key == NULL) {
        object_free(o);
        return ERR_NOMEM;
    }
    struct kubernetes_object **bucket = &s->buckets[bucket_of(s, o->hash)];
    o->next = *bucket;
    *bucket = o;
    s->count++;
    s->bytes += OBJECT_BYTES + key.len;
    *object_out = o;
    return 0;
}

int kubernetes_store_put(struct kubernetes_store *s, enum kubernetes_resource resource,
    struct str key, struct str json, struct kubernetes_object **object_out)
{
    struct kubernetes_object *o = kubernetes_store_find(s, resource, key);
    size_t before = o != NULL ? o->json_size : 0;
    size_t more = o != NULL ? 0 : OBJECT_BYTES + key.len;
    if (s->bytes - before + more + json.len > KUBERNETES_BYTES_MAX) {
        return ERR_LIMIT;
    }
    char *text = mem_strndup(json.ptr, json.len);
    int status = text != NULL ? 0 : ERR_NOMEM;
    if (status == 0 && o == NULL) {
        status = insert(s, resource, key, &o);
    }
    if (status != 0) {
        mem_free(text);
        return status;
    }
    mem_free(o->json);
    o->json = text;
    o->json_size = json.len;
    s->bytes += json.len - before;
    *object_out = o;
    return 0;
}

void kubernetes_store_remove(struct kubernetes_store *s, struct kubernetes_object *object)
{
    struct kubernetes_object **at = &s->buckets[bucket_of(s, object->hash)];
    while (*at != object) {
        at = &(*at)->next;
    }
    *at = object->next;
    if (object->due > 0) {
        s->queue[object->due - 1] = NULL;
    }
    s->count--;
    s->bytes -= OBJECT_BYTES + strlen(object->key) + object->json_size;
    object_free(object);
}

struct kubernetes_object *kubernetes_store_outdated(
    const struct kubernetes_store *s, uint32_t source, uint32_t generation, size_t *bucket)
{
    for (; *bucket < s->bucket_count; (*bucket)++) {
        struct kubernetes_object *o = s->buckets[*bucket];
        while (o != NULL && (o->source != source || o->generation == generation)) {
            o = o->next;
        }
        if (o != NULL) {
            return o;
        }
    }
    return NULL;
}

void kubernetes_store_release(struct kubernetes_store *s)
{
    for (size_t i = 0; i < s->bucket_count; i++) {
        while (s->buckets[i] != NULL) {
            struct kubernetes_object *o = s->buckets[i];
            s->buckets[i] = o->next;
            object_free(o);
        }
    }
    mem_free(s->buckets);
    mem_free(s->queue);
    mem_free(s->touched);
    *s = (struct kubernetes_store){0};
}

/* ---- What is due ---- */

int kubernetes_store_enqueue(struct kubernetes_store *s, struct kubernetes_object *object)
{
    if (object->due > 0) {
        return 0;
    }
    int status = mem_array_grow((void **)&s->queue, &s->queue_cap, s->queue_count + 1,
        sizeof(struct kubernetes_object *), 2 * (size_t)KUBERNETES_OBJECTS_MAX);
    if (status == 0) {
        s->queue[s->queue_count++] = object;
        object->due = s->queue_count;
    }
    return status;
}

struct kubernetes_object *kubernetes_store_dequeue(struct kubernetes_store *s)
{
    struct kubernetes_object *object = NULL;
    while (object == NULL && s->queue_first < s->queue_count) {
        object = s->queue[s->queue_first++];
    }
    if (s->queue_first == s->queue_count) {
        s->queue_first = s->queue_count = 0;
    }
    if (object != NULL) {
        object->due = 0;
    }
    return object;
}

int kubernetes_store_touch(struct kubernetes_store *s, uint64_t hash)
{
    int status = mem_array_grow((void **)&s->touched, &s->touched_cap, s->touched_count + 1,
        sizeof(*s->touched), KUBERNETES_OBJECTS_MAX);
    if (status == 0) {
        s->touched[s->touched_count++] = hash;
    }
    return status;
}

static int by_number(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return x < y ? -1 : x > y;
}

static bool looks_for_touched(const struct kubernetes_store *s, const struct kubernetes_object *o)
{
    for (size_t i = 0; i < o->reference_count; i++) {
        if (bsearch(&o->references[i], s->touched, s->touched_count, sizeof(*s->touched),
                by_number) != NULL) {
            return true;
        }
    }
    return false;
}

int kubernetes_store_spread(struct kubernetes_store *s, enum kubernetes_resource resource)
{
    int status = 0;
    if (s->touched_count == 0) {
        return 0;
    }
    qsort(s->touched, s->touched_count, sizeof(*s->touched), by_number);
    for (size_t i = 0; status == 0 && i < s->bucket_count; i++) {
        for (struct kubernetes_object *o = s->buckets[i]; status == 0 && o != NULL; o = o->next) {
            if (o->resource == resource && looks_for_touched(s, o)) {
                status = kubernetes_store_enqueue(s, o);
            }
        }
    }
    s->touched_count = 0;
    return status;
}

int kubernetes_store_refer(struct kubernetes_object *object, uint64_t hash)
{
    for (size_t i = 0; i < object->reference_count; i++) {
        if (object->references[i] == hash) {
            return 0;
        }
    }
    int status = mem_array_grow((void **)&object->references, &object->reference_cap,
        object->reference_count + 1, sizeof(*object->references), REFERENCES_MAX);
    if (status == 0) {
        object->references[object->reference_count++] = hash;
    }
    return status;
}
