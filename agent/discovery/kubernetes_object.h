/* Objects of the Kubernetes API: which kinds are looked at, where they are listed, and what of one is worth
 * keeping. An object of the API is a few kilobytes of JSON, most of it about other things. */
#ifndef SONDE_DISCOVERY_KUBERNETES_OBJECT_H
#define SONDE_DISCOVERY_KUBERNETES_OBJECT_H

#include <jansson.h>
#include <stdbool.h>

#include "base/arena.h"
#include "base/str.h"
#include "model/labels.h"

/* JSON of one object as it comes; larger ones end their list or watch. etcd takes 1.5 MiB by default. */
#define KUBERNETES_OBJECT_BYTES_MAX ((size_t)4 << 20)

enum kubernetes_resource {
    KUBERNETES_PODS,
    KUBERNETES_SERVICES,
    KUBERNETES_ENDPOINTS_LISTS,
    KUBERNETES_SLICES,
    KUBERNETES_NODES,
    KUBERNETES_INGRESSES,
    KUBERNETES_NAMESPACES,
    KUBERNETES_REPLICA_SETS,
    KUBERNETES_JOBS,
    KUBERNETES_RESOURCE_COUNT
};

struct kubernetes_kind {
    const char *plural;   /* in paths */
    const char *api;      /* path of its group and version */
    const char *selector; /* the role that selectors name it by; NULL: none */
    bool is_global;       /* in no namespace */
};

extern const struct kubernetes_kind kubernetes_kinds[KUBERNETES_RESOURCE_COUNT];

/* Takes away what no target needs. `joined`: the object only adds labels to others' targets. */
void kubernetes_object_prune(enum kubernetes_resource resource, bool joined, json_t *object);

/* ---- Reading: all accept NULL ---- */

/* The text under a key; "" when there is none. */
struct str kubernetes_text(const json_t *object, const char *key);
struct str kubernetes_text_of(const json_t *value);
const json_t *kubernetes_metadata(const json_t *object);
/* The entry of metadata.ownerReferences that controls it, or NULL. */
const json_t *kubernetes_controller(const json_t *object);
/* "namespace/name", or "name" of what is in none; "" when the arena is exhausted. */
struct str kubernetes_key(struct arena *arena, struct str namespace, struct str name);

/* ---- Labels ---- */

/* PREFIX<name>, each of `map`'s, and PRESENT<name>="true". A failure sticks to the builder. */
void kubernetes_set_map(struct labels_builder *b, struct arena *arena, const char *prefix,
    const char *present, const json_t *map);
/* __meta_kubernetes_ROLE_label_…, …_labelpresent_…, …_annotation_… and …_annotationpresent_…. */
void kubernetes_set_metadata(
    struct labels_builder *b, struct arena *arena, const char *role, const json_t *object);
/* The same, and __meta_kubernetes_ROLE_name. */
void kubernetes_set_object(
    struct labels_builder *b, struct arena *arena, const char *role, const json_t *object);

#endif
