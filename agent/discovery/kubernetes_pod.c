/* Pods: labels of one, and the targets of role pod: one for each port of each container, or one for a
 * container without ports. */
#include "discovery/kubernetes_targets.h"

#define POD "__meta_kubernetes_pod_"
#define CONTAINER POD "container_"

/* In lower case, in the arena. */
static struct str lower(struct kubernetes_making *m, struct str text)
{
    char *copy = arena_alloc(&m->arena, text.len + 1);
    for (size_t i = 0; copy != NULL && i < text.len; i++) {
        copy[i] =
            text.ptr[i] >= 'A' && text.ptr[i] <= 'Z' ? (char)(text.ptr[i] | 0x20) : text.ptr[i];
    }
    return str_make(copy, copy != NULL ? text.len : 0);
}

/* "true", "false" or "unknown". */
static struct str readiness(struct kubernetes_making *m, const json_t *status)
{
    const json_t *conditions = json_object_get(status, "conditions");
    for (size_t i = 0; i < json_array_size(conditions); i++) {
        const json_t *condition = json_array_get(conditions, i);
        if (str_eq_c(kubernetes_text(condition, "type"), "Ready")) {
            return lower(m, kubernetes_text(condition, "status"));
        }
    }
    return STR("unknown");
}

/* The name of who controls the pod's controller, if that is of this kind. */
static void set_above(struct kubernetes_making *m, struct labels_builder *b, const json_t *pod,
    enum kubernetes_resource resource, const char *kind, struct str label)
{
    struct str name = kubernetes_text(kubernetes_controller(pod), "name");
    json_t *object = kubernetes_find(m, resource, pod, name);
    const json_t *owner = kubernetes_controller(object);
    if (str_eq_c(kubernetes_text(owner, "kind"), kind)) {
        struct str above = kubernetes_text(owner, "name");
        char *copy = arena_dup(&m->arena, above.ptr, above.len);
        labels_builder_set(b, label, str_make(copy, copy != NULL ? above.len : 0));
    }
    json_decref(object);
}

static void set_controller(struct kubernetes_making *m, struct labels_builder *b, const json_t *pod)
{
    const json_t *controller = kubernetes_controller(pod);
    struct str kind = kubernetes_text(controller, "kind");
    struct str name = kubernetes_text(controller, "name");
    labels_builder_set(b, STR(POD "controller_kind"), kind);
    labels_builder_set(b, STR(POD "controller_name"), name);
    if (str_eq_c(kind, "ReplicaSet") && m->attach->deployment) {
        set_above(m, b, pod, KUBERNETES_REPLICA_SETS, "Deployment", STR(POD "deployment_name"));
    }
    if (str_eq_c(kind, "Job") && m->attach->job) {
        labels_builder_set(b, STR(POD "job_name"), name);
    }
    if (str_eq_c(kind, "Job") && m->attach->cronjob) {
        set_above(m, b, pod, KUBERNETES_JOBS, "CronJob", STR(POD "cronjob_name"));
    }
}

void kubernetes_set_pod(struct kubernetes_making *m, struct labels_builder *b, const json_t *pod)
{
    const json_t *spec = json_object_get(pod, "spec"), *status = json_object_get(pod, "status");
    labels_builder_set(b, STR(POD "ip"), kubernetes_text(status, "podIP"));
    labels_builder_set(b, STR(POD "host_ip"), kubernetes_text(status, "hostIP"));
    labels_builder_set(b, STR(POD "phase"), kubernetes_text(status, "phase"));
    labels_builder_set(b, STR(POD "ready"), readiness(m, status));
    labels_builder_set(b, STR(POD "node_name"), kubernetes_text(spec, "nodeName"));
    labels_builder_set(b, STR(POD "uid"), kubernetes_text(kubernetes_metadata(pod), "uid"));
    kubernetes_set_object(b, &m->arena, "pod", pod);
    set_controller(m, b, pod);
}

void kubernetes_each_container(const json_t *pod,
    void (*visit)(void *context, const json_t *container, bool is_init), void *context)
{
    static const char *const lists[] = {"containers", "initContainers"};
    for (size_t k = 0; k < 2; k++) {
        const json_t *list = json_object_get(json_object_get(pod, "spec"), lists[k]);
        for (size_t i = 0; i < json_array_size(list); i++) {
            visit(context, json_array_get(list, i), k == 1);
        }
    }
}

uint64_t kubernetes_number(const json_t *object, const char *key)
{
    json_int_t number = json_integer_value(json_object_get(object, key));
    return number > 0 ? (uint64_t)number : 0;
}

void kubernetes_set_container(struct kubernetes_making *m, struct labels_builder *b,
    const json_t *container, bool is_init, const json_t *port)
{
    labels_builder_set(b, STR(CONTAINER "name"), kubernetes_text(container, "name"));
    labels_builder_set(b, STR(CONTAINER "image"), kubernetes_text(container, "image"));
    labels_builder_set(b, STR(CONTAINER "init"), is_init ? STR("true") : STR("false"));
    if (port != NULL) {
        labels_builder_set(b, STR(CONTAINER "port_name"), kubernetes_text(port, "name"));
        labels_builder_set(b, STR(CONTAINER "port_protocol"), kubernetes_text(port, "protocol"));
        labels_builder_set(b, STR(CONTAINER "port_number"),
            meta_number(&m->arena, kubernetes_number(port, "containerPort")));
    }
}

/* ---- The role ---- */

struct pod {
    struct kubernetes_making *m;
    const json_t *json;
    const struct labels *group;
    struct str ip;
};

static struct str container_id(const struct pod *p, const json_t *container, bool is_init)
{
    const json_t *statuses = json_object_get(json_object_get(p->json, "status"),
        is_init ? "initContainerStatuses" : "containerStatuses");
    struct str name = kubernetes_text(container, "name");
    for (size_t i = 0; i < json_array_size(statuses); i++) {
        const json_t *status = json_array_get(statuses, i);
        if (str_eq(kubernetes_text(status, "name"), name)) {
            return kubernetes_text(status, "containerID");
        }
    }
    return STR("");
}

static void add_target(
    const struct pod *p, const json_t *container, bool is_init, const json_t *port)
{
    struct labels_builder b;
    struct arena *arena = &p->m->arena;
    labels_builder_init_from(&b, p->group);
    labels_builder_set(&b, STR("__address__"),
        port != NULL ? meta_address(arena, p->ip, kubernetes_number(port, "containerPort"))
                     : p->ip);
    kubernetes_set_container(p->m, &b, container, is_init, port);
    labels_builder_set(&b, STR(CONTAINER "id"), container_id(p, container, is_init));
    target_list_add(p->m->list, &b);
    labels_builder_release(&b);
}

static void add_container(void *context, const json_t *container, bool is_init)
{
    const struct pod *p = context;
    const json_t *ports = json_object_get(container, "ports");
    for (size_t i = 0; i < json_array_size(ports); i++) {
        add_target(p, container, is_init, json_array_get(ports, i));
    }
    if (json_array_size(ports) == 0) {
        add_target(p, container, is_init, NULL);
    }
}

int kubernetes_make_pod(struct kubernetes_making *m, const json_t *pod)
{
    struct pod p = {
        .m = m, .json = pod, .ip = kubernetes_text(json_object_get(pod, "status"), "podIP")};
    struct labels_builder group;
    labels_builder_init(&group);
    labels_builder_set(&group, STR("__meta_kubernetes_namespace"),
        kubernetes_text(kubernetes_metadata(pod), "namespace"));
    kubernetes_set_pod(m, &group, pod);
    struct str node = kubernetes_text(json_object_get(pod, "spec"), "nodeName");
    /* A node that is not listed was left out by its selector, and so are its pods. */
    bool wanted = !m->attach->node || kubernetes_attach_node(m, &group, node);
    kubernetes_attach_namespace(m, &group, pod);
    int status = 0;
    if (wanted && p.ip.len > 0) { /* without an address it is not started yet, or evicted */
        status = labels_builder_finish(&group, &p.group);
    }
    if (p.group != NULL) {
        kubernetes_each_container(pod, add_container, &p);
        labels_unref(p.group);
    }
    labels_builder_release(&group);
    return status;
}
