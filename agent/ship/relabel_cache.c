/* A table from encoded labels to what rules make of them. */
#include "ship/relabel_cache.h"

#include "base/arena.h"
#include "base/hash.h"
#include "base/mem.h"
#include "wire/remote_write.h"

/* Together with RELABEL_CACHE_MAX what the cache may take. */
enum { ARENA_BYTES_MAX = 256 << 20, SLOTS_MIN = 1024 };

struct entry {
    struct str key;
    uint64_t hash;
    struct relabelled result;
};

struct relabel_cache {
    struct relabel *rules;
    struct entry **slots; /* open addressing, at most half full */
    size_t slot_count, count;
    struct arena arena;
    uint64_t seed;
};

int relabel_cache_new(struct relabel *rules, struct relabel_cache **cache_out)
{
    struct relabel_cache *c = mem_calloc(1, sizeof(*c));
    if (c == NULL) {
        return ERR_NOMEM;
    }
    c->slots = mem_calloc(SLOTS_MIN, sizeof(*c->slots));
    if (c->slots == NULL) {
        mem_free(c);
        return ERR_NOMEM;
    }
    c->slot_count = SLOTS_MIN;
    c->rules = relabel_ref(rules);
    c->seed = hash_seed_random();
    arena_init(&c->arena, ARENA_BYTES_MAX);
    *cache_out = c;
    return 0;
}

void relabel_cache_free(struct relabel_cache *c)
{
    if (c == NULL) {
        return;
    }
    relabel_unref(c->rules);
    arena_release(&c->arena);
    mem_free(c->slots);
    mem_free(c);
}

static void forget_all(struct relabel_cache *c)
{
    arena_release(&c->arena);
    for (size_t i = 0; i < c->slot_count; i++) {
        c->slots[i] = NULL;
    }
    c->count = 0;
}

static size_t slot_of(const struct relabel_cache *c, struct str key, uint64_t hash)
{
    size_t at = hash & (c->slot_count - 1);
    while (
        c->slots[at] != NULL && (c->slots[at]->hash != hash || !str_eq(c->slots[at]->key, key))) {
        at = (at + 1) & (c->slot_count - 1);
    }
    return at;
}

static int widen(struct relabel_cache *c)
{
    struct entry **before = c->slots;
    size_t count = c->slot_count;
    struct entry **slots = mem_calloc(count * 2, sizeof(*slots));
    if (slots == NULL) {
        return ERR_NOMEM;
    }
    c->slots = slots;
    c->slot_count = count * 2;
    for (size_t i = 0; i < count; i++) {
        if (before[i] != NULL) {
            c->slots[slot_of(c, before[i]->key, before[i]->hash)] = before[i];
        }
    }
    mem_free(before);
    return 0;
}

const struct relabelled *relabel_cache_find(struct relabel_cache *c, struct str labels_bytes)
{
    uint64_t hash = hash64(labels_bytes.ptr, labels_bytes.len, c->seed);
    const struct entry *e = c->slots[slot_of(c, labels_bytes, hash)];
    return e == NULL ? NULL : &e->result;
}

/* Copies labels with their texts into the arena. */
static int keep_labels(struct relabel_cache *c, const struct labels *l, struct relabelled *out)
{
    struct label *copies = arena_calloc(&c->arena, labels_count(l), sizeof(*copies));
    struct strbuf bytes = STRBUF_INIT;
    for (size_t i = 0; copies != NULL && i < labels_count(l); i++) {
        struct label pair = labels_at(l, i);
        char *name = arena_strndup(&c->arena, pair.name.ptr, pair.name.len);
        char *value = arena_strndup(&c->arena, pair.value.ptr, pair.value.len);
        if (name == NULL || value == NULL) {
            copies = NULL;
            break;
        }
        copies[i] = (struct label){str_make(name, pair.name.len), str_make(value, pair.value.len)};
    }
    remote_write_encode_labels(labels_pairs(l), labels_count(l), &bytes);
    char *kept = arena_strndup(&c->arena, bytes.data, bytes.size);
    int status = strbuf_error(&bytes);
    out->labels_bytes = str_make(kept, bytes.size);
    out->labels = copies;
    out->label_count = labels_count(l);
    strbuf_release(&bytes);
    return status != 0 ? status : copies == NULL || kept == NULL ? arena_error(&c->arena) : 0;
}

static int apply(
    struct relabel_cache *c, const struct label *labels, size_t count, struct relabelled *out)
{
    struct labels_builder b;
    struct arena scratch;
    const struct labels *l = NULL;
    arena_init(&scratch, LABELS_BYTES_MAX * 4);
    labels_builder_init(&b);
    for (size_t i = 0; i < count; i++) {
        labels_builder_set(&b, labels[i].name, labels[i].value);
    }
    int status = b.error;
    int kept = status == 0 ? relabel_apply(c->rules, &b, &scratch) : status;
    status = kept < 0 ? kept : 0;
    out->dropped = kept == 0 || labels_builder_get(&b, STR(LABEL_METRIC_NAME)).len == 0;
    if (status == 0 && !out->dropped) {
        status = labels_builder_finish(&b, &l);
        status = status == 0 ? keep_labels(c, l, out) : status;
    }
    labels_unref(l);
    labels_builder_release(&b);
    arena_release(&scratch);
    return status;
}

int relabel_cache_learn(struct relabel_cache *c, struct str labels_bytes,
    const struct label *labels, size_t count, const struct relabelled **out)
{
    if (c->count >= RELABEL_CACHE_MAX || c->arena.used > ARENA_BYTES_MAX / 2) {
        forget_all(c);
    }
    int status = 2 * (c->count + 1) > c->slot_count ? widen(c) : 0;
    struct entry *e = status == 0 ? arena_calloc(&c->arena, 1, sizeof(*e)) : NULL;
    char *key = e != NULL ? arena_strndup(&c->arena, labels_bytes.ptr, labels_bytes.len) : NULL;
    if (key == NULL) {
        return status != 0 ? status : arena_error(&c->arena);
    }
    e->key = str_make(key, labels_bytes.len);
    e->hash = hash64(key, labels_bytes.len, c->seed);
    status = apply(c, labels, count, &e->result);
    if (status != 0) {
        return status;
    }
    c->slots[slot_of(c, e->key, e->hash)] = e;
    c->count++;
    *out = &e->result;
    return 0;
}
