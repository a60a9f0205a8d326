/* The objects of one entry of kubernetes_sd_configs, by kind and name: what each target is made of, so that it
 * can be made again when one of its objects changes.
 *
 * An object is kept as JSON text without what no target needs. For those that targets are made of, it is
 * also known which other objects they looked for, found or not, by hash: a change of one of these makes
 * them due. Two names of one hash cost a target that is made once too often.
 */
#ifndef SONDE_DISCOVERY_KUBERNETES_STORE_H
#define SONDE_DISCOVERY_KUBERNETES_STORE_H

#include "discovery/kubernetes_object.h"

/* Of one entry; more fail their list or watch, and the targets stay as they were. */
#define KUBERNETES_OBJECTS_MAX 500000
#define KUBERNETES_BYTES_MAX ((size_t)128 << 20)

struct kubernetes_object {
    struct kubernetes_object *next; /* of the same bucket */
    uint64_t hash;
    enum kubernetes_resource resource;
    uint32_t source, generation; /* who named it, in which list */
    size_t due;                  /* its place in the queue, from 1; 0: not there */
    char *key, *json;            /* "" for an object that is not needed again */
    size_t json_size;
    uint64_t *references; /* hashes of what its targets looked for */
    size_t reference_count, reference_cap;
};

struct kubernetes_store {
    struct kubernetes_object **buckets;
    size_t bucket_count, count, bytes;
    struct kubernetes_object *
        *queue; /* objects whose targets are to be made; NULL: gone meanwhile */
    size_t queue_first, queue_count, queue_cap;
    uint64_t *touched; /* hashes of what has changed since the last look */
    size_t touched_count, touched_cap;
};

void kubernetes_store_release(struct kubernetes_store *s);

uint64_t kubernetes_store_hash(enum kubernetes_resource resource, struct str key);
struct kubernetes_object *kubernetes_store_find(
    const struct kubernetes_store *s, enum kubernetes_resource resource, struct str key);
/* The object is now this. ERR_LIMIT, ERR_NOMEM: nothing has changed. */
int kubernetes_store_put(struct kubernetes_store *s, enum kubernetes_resource resource,
    struct str key, struct str json, struct kubernetes_object **object_out);
void kubernetes_store_remove(struct kubernetes_store *s, struct kubernetes_object *object);
/* An object that `source` named, in another list than this; NULL when there is none. Begins at *bucket. */
struct kubernetes_object *kubernetes_store_outdated(
    const struct kubernetes_store *s, uint32_t source, uint32_t generation, size_t *bucket);

/* The targets of an object are due. */
int kubernetes_store_enqueue(struct kubernetes_store *s, struct kubernetes_object *object);
/* The next that is due; NULL when none is. */
struct kubernetes_object *kubernetes_store_dequeue(struct kubernetes_store *s);
/* An object that others may look for has changed, came or went. */
int kubernetes_store_touch(struct kubernetes_store *s, uint64_t hash);
/* Enqueues the objects of a kind that looked for what was touched, and forgets what was. */
int kubernetes_store_spread(struct kubernetes_store *s, enum kubernetes_resource resource);
/* The targets of `object` look for this one. */
int kubernetes_store_refer(struct kubernetes_object *object, uint64_t hash);

#endif
