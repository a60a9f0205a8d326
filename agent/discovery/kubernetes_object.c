/* Kinds of objects, what is kept of them, and the labels that all kinds have. */
#include "discovery/kubernetes_object.h"

#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "discovery/target_groups.h"

#define META "__meta_kubernetes_"

enum { PREFIX_MAX = 64 };

const struct kubernetes_kind kubernetes_kinds[KUBERNETES_RESOURCE_COUNT] = {
    [KUBERNETES_PODS] = {"pods", "/api/v1", "pod", false},
    [KUBERNETES_SERVICES] = {"services", "/api/v1", "service", false},
    [KUBERNETES_ENDPOINTS_LISTS] = {"endpoints", "/api/v1", "endpoints", false},
    [KUBERNETES_SLICES] = {"endpointslices", "/apis/discovery.k8s.io/v1", "endpointslice", false},
    [KUBERNETES_NODES] = {"nodes", "/api/v1", "node", true},
    [KUBERNETES_INGRESSES] = {"ingresses", "/apis/networking.k8s.io/v1", "ingress", false},
    [KUBERNETES_NAMESPACES] = {"namespaces", "/api/v1", NULL, true},
    [KUBERNETES_REPLICA_SETS] = {"replicasets", "/apis/apps/v1", NULL, false},
    [KUBERNETES_JOBS] = {"jobs", "/apis/batch/v1", NULL, false},
};

/* ---- What is kept ---- */

/* Members to keep, of an object or of each object in a list; `inside` NULL: the whole value. */
struct kept {
    const char *key;
    const struct kept *inside;
};

static const struct kept metadata_kept[] = {{"name", NULL}, {"namespace", NULL}, {"uid", NULL},
    {"labels", NULL}, {"annotations", NULL}, {"ownerReferences", NULL}, {NULL, NULL}};
static const struct kept object_kept[] = {{"metadata", metadata_kept}, {NULL, NULL}};

static const struct kept container_kept[] = {
    {"name", NULL}, {"image", NULL}, {"ports", NULL}, {NULL, NULL}};
static const struct kept container_status_kept[] = {
    {"name", NULL}, {"containerID", NULL}, {NULL, NULL}};
static const struct kept condition_kept[] = {{"type", NULL}, {"status", NULL}, {NULL, NULL}};
static const struct kept pod_spec_kept[] = {{"nodeName", NULL}, {"containers", container_kept},
    {"initContainers", container_kept}, {NULL, NULL}};
static const struct kept pod_status_kept[] = {{"phase", NULL}, {"podIP", NULL}, {"hostIP", NULL},
    {"conditions", condition_kept}, {"containerStatuses", container_status_kept},
    {"initContainerStatuses", container_status_kept}, {NULL, NULL}};
static const struct kept pod_kept[] = {{"metadata", metadata_kept}, {"spec", pod_spec_kept},
    {"status", pod_status_kept}, {NULL, NULL}};

static const struct kept service_spec_kept[] = {{"type", NULL}, {"clusterIP", NULL},
    {"externalName", NULL}, {"loadBalancerIP", NULL}, {"ports", NULL}, {"ipFamilyPolicy", NULL},
    {"ipFamilies", NULL}, {NULL, NULL}};
static const struct kept service_status_kept[] = {{"loadBalancer", NULL}, {NULL, NULL}};
static const struct kept service_kept[] = {{"metadata", metadata_kept}, {"spec", service_spec_kept},
    {"status", service_status_kept}, {NULL, NULL}};
static const struct kept joined_service_spec_kept[] = {
    {"ipFamilyPolicy", NULL}, {"ipFamilies", NULL}, {NULL, NULL}};
static const struct kept joined_service_kept[] = {
    {"metadata", metadata_kept}, {"spec", joined_service_spec_kept}, {NULL, NULL}};

static const struct kept endpoints_kept[] = {
    {"metadata", metadata_kept}, {"subsets", NULL}, {NULL, NULL}};
static const struct kept slice_kept[] = {{"metadata", metadata_kept}, {"addressType", NULL},
    {"ports", NULL}, {"endpoints", NULL}, {NULL, NULL}};

static const struct kept node_spec_kept[] = {{"providerID", NULL}, {NULL, NULL}};
static const struct kept node_status_kept[] = {
    {"conditions", condition_kept}, {"addresses", NULL}, {"daemonEndpoints", NULL}, {NULL, NULL}};
static const struct kept node_kept[] = {{"metadata", metadata_kept}, {"spec", node_spec_kept},
    {"status", node_status_kept}, {NULL, NULL}};

static const struct kept ingress_spec_kept[] = {
    {"ingressClassName", NULL}, {"rules", NULL}, {"tls", NULL}, {NULL, NULL}};
static const struct kept ingress_kept[] = {
    {"metadata", metadata_kept}, {"spec", ingress_spec_kept}, {NULL, NULL}};

static const struct {
    const struct kept *whole, *joined;
} kept_of[KUBERNETES_RESOURCE_COUNT] = {
    [KUBERNETES_PODS] = {pod_kept, pod_kept},
    [KUBERNETES_SERVICES] = {service_kept, joined_service_kept},
    [KUBERNETES_ENDPOINTS_LISTS] = {endpoints_kept, endpoints_kept},
    [KUBERNETES_SLICES] = {slice_kept, slice_kept},
    [KUBERNETES_NODES] = {node_kept, object_kept},
    [KUBERNETES_INGRESSES] = {ingress_kept, ingress_kept},
    [KUBERNETES_NAMESPACES] = {object_kept, object_kept},
    [KUBERNETES_REPLICA_SETS] = {object_kept, object_kept},
    [KUBERNETES_JOBS] = {object_kept, object_kept},
};

/* No deeper than the parser went. */
static void prune(const struct kept *kept, json_t *value)
{
    if (json_is_array(value)) {
        for (size_t i = 0; i < json_array_size(value); i++) {
            prune(kept, json_array_get(value, i));
        }
        return;
    }
    const char *key;
    json_t *member;
    void *next;
    json_object_foreach_safe(value, next, key, member)
    {
        const struct kept *k = kept;
        while (k->key != NULL && strcmp(k->key, key) != 0) {
            k++;
        }
        if (k->key == NULL) {
            json_object_del(value, key);
        } else if (k->inside != NULL) {
            prune(k->inside, member);
        }
    }
}

void kubernetes_object_prune(enum kubernetes_resource resource, bool joined, json_t *object)
{
    prune(joined ? kept_of[resource].joined : kept_of[resource].whole, object);
}

/* ---- Reading ---- */

struct str kubernetes_text_of(const json_t *value)
{
    return json_is_string(value) ? str_make(json_string_value(value), json_string_length(value))
                                 : STR("");
}

struct str kubernetes_text(const json_t *object, const char *key)
{
    return kubernetes_text_of(json_object_get(object, key));
}

const json_t *kubernetes_metadata(const json_t *object)
{
    return json_object_get(object, "metadata");
}

const json_t *kubernetes_controller(const json_t *object)
{
    const json_t *owners = json_object_get(kubernetes_metadata(object), "ownerReferences");
    for (size_t i = 0; i < json_array_size(owners); i++) {
        const json_t *owner = json_array_get(owners, i);
        if (json_is_true(json_object_get(owner, "controller"))) {
            return owner;
        }
    }
    return NULL;
}

struct str kubernetes_key(struct arena *arena, struct str namespace, struct str name)
{
    if (namespace.len == 0) {
        return name;
    }
    char *text = arena_alloc(arena, namespace.len + 1 + name.len);
    if (text == NULL) {
        return STR("");
    }
    memcpy(text, namespace.ptr, namespace.len);
    text[namespace.len] = '/';
    memcpy(text + namespace.len + 1, name.ptr, name.len);
    return str_make(text, namespace.len + 1 + name.len);
}

/* ---- Labels ---- */

void kubernetes_set_map(struct labels_builder *b, struct arena *arena, const char *prefix,
    const char *present, const json_t *map)
{
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)(uintptr_t)map, key, value)
    {
        struct str name = str_of(key);
        if (!meta_label(b, arena, prefix, name, kubernetes_text_of(value)) ||
            !meta_label(b, arena, present, name, STR("true"))) {
            b->error = ERR_NOMEM;
        }
    }
}

static void set_one_map(struct labels_builder *b, struct arena *arena, const char *role,
    const char *what, const json_t *map)
{
    char prefix[PREFIX_MAX], present[PREFIX_MAX];
    snprintf(prefix, sizeof(prefix), META "%s_%s_", role, what);
    snprintf(present, sizeof(present), META "%s_%spresent_", role, what);
    kubernetes_set_map(b, arena, prefix, present, map);
}

void kubernetes_set_metadata(
    struct labels_builder *b, struct arena *arena, const char *role, const json_t *object)
{
    const json_t *metadata = kubernetes_metadata(object);
    set_one_map(b, arena, role, "label", json_object_get(metadata, "labels"));
    set_one_map(b, arena, role, "annotation", json_object_get(metadata, "annotations"));
}

void kubernetes_set_object(
    struct labels_builder *b, struct arena *arena, const char *role, const json_t *object)
{
    char prefix[PREFIX_MAX];
    snprintf(prefix, sizeof(prefix), META "%s_", role);
    if (!meta_label(
            b, arena, prefix, STR("name"), kubernetes_text(kubernetes_metadata(object), "name"))) {
        b->error = ERR_NOMEM;
    }
    kubernetes_set_metadata(b, arena, role, object);
}
