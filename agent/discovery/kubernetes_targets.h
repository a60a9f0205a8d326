/* From objects of the Kubernetes API to targets, labelled as Prometheus labels them. The object that is a
 * role's own gives the targets; others that it names, or that name it, give labels. */
#ifndef SONDE_DISCOVERY_KUBERNETES_TARGETS_H
#define SONDE_DISCOVERY_KUBERNETES_TARGETS_H

#include "discovery/kubernetes_config.h"
#include "discovery/kubernetes_object.h"
#include "discovery/target_groups.h"

struct kubernetes_making {
    const struct kubernetes_attach *attach;
    /* Another object as it is known now: a new reference, or NULL. */
    json_t *(*find)(void *context, enum kubernetes_resource resource, struct str key);
    void *context;
    struct arena arena; /* of one object's targets */
    struct target_list *list;
};

/* Adds the targets of one object. 0, or the list's error. What the object lacks, the labels lack. */
int kubernetes_targets_make(
    struct kubernetes_making *m, enum kubernetes_role role, const json_t *object);

/* ---- The parts ---- */

int kubernetes_make_pod(struct kubernetes_making *m, const json_t *pod);
int kubernetes_make_endpoints(struct kubernetes_making *m, const json_t *endpoints);
int kubernetes_make_slice(struct kubernetes_making *m, const json_t *slice);

/* An object in the same namespace as `beside` (NULL: in none); as `find`. */
json_t *kubernetes_find(struct kubernetes_making *m, enum kubernetes_resource resource,
    const json_t *beside, struct str name);
/* Labels of the object's namespace, when they are wanted. */
void kubernetes_attach_namespace(
    struct kubernetes_making *m, struct labels_builder *b, const json_t *object);
/* Labels of a node by its name; false when there is no such node. */
bool kubernetes_attach_node(struct kubernetes_making *m, struct labels_builder *b, struct str name);
/* __meta_kubernetes_pod_…: what a pod's targets have in common. */
void kubernetes_set_pod(struct kubernetes_making *m, struct labels_builder *b, const json_t *pod);
/* Calls `visit` for each container of a pod, then for its init containers. */
void kubernetes_each_container(const json_t *pod,
    void (*visit)(void *context, const json_t *container, bool is_init), void *context);
/* __meta_kubernetes_pod_container_…: name, image, whether it is an init container; `port` (NULL: none):
 * its number, name and protocol. */
void kubernetes_set_container(struct kubernetes_making *m, struct labels_builder *b,
    const json_t *container, bool is_init, const json_t *port);
/* A number of JSON, 0 when it is none. */
uint64_t kubernetes_number(const json_t *object, const char *key);

#endif
