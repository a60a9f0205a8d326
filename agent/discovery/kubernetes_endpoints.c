/* Targets of roles endpoints and endpointslice: one for each port of each address, with the labels of the
 * service, and of the pod and node behind the address; and one for each port of those pods that the service
 * does not name. */
#include "discovery/kubernetes_targets.h"

#include "base/err.h"
#include "base/hash.h"
#include "base/mem.h"

#define META "__meta_kubernetes_"
#define ENDPOINT META "endpoint_"
#define SLICE META "endpointslice_"

/* Pods behind one object, and ports of theirs that it names. */
enum { PODS_MAX = 10000, PORTS_MAX = 100000 };

struct joined_pod {
    uint64_t hash; /* of namespace and name */
    json_t *json;
};

struct named_port {
    size_t pod;
    uint64_t number;
};

struct joining {
    struct kubernetes_making *m;
    const struct labels *group;
    struct joined_pod *pods;
    size_t pod_count, pod_cap;
    struct named_port *ports;
    size_t port_count, port_cap;
    int error;
};

/* One port of one address. */
struct endpoint {
    const json_t *target; /* what is behind the address; NULL: unknown */
    struct str node;
    bool has_port;
    uint64_t port;
    struct str protocol; /* of the endpoint, where it wins over the container's; else "" */
};

enum { NO_POD = PODS_MAX };

/* ---- Pods ---- */

/* The place of a pod among those joined; NO_POD when there is no such pod. */
static size_t join_pod(struct joining *j, const json_t *target)
{
    struct str name = kubernetes_text(target, "name");
    struct str key = kubernetes_key(&j->m->arena, kubernetes_text(target, "namespace"), name);
    if (!str_eq_c(kubernetes_text(target, "kind"), "Pod") || key.len == 0 || j->error != 0) {
        return NO_POD;
    }
    uint64_t hash = hash64(key.ptr, key.len, 0);
    for (size_t i = 0; i < j->pod_count; i++) {
        if (j->pods[i].hash == hash) {
            return i;
        }
    }
    json_t *pod = j->m->find(j->m->context, KUBERNETES_PODS, key);
    if (pod == NULL) {
        return NO_POD;
    }
    j->error = mem_array_grow(
        (void **)&j->pods, &j->pod_cap, j->pod_count + 1, sizeof(*j->pods), PODS_MAX);
    if (j->error != 0) {
        json_decref(pod);
        return NO_POD;
    }
    j->pods[j->pod_count] = (struct joined_pod){hash, pod};
    return j->pod_count++;
}

static void name_port(struct joining *j, size_t pod, uint64_t number)
{
    if (j->error == 0) {
        j->error = mem_array_grow(
            (void **)&j->ports, &j->port_cap, j->port_count + 1, sizeof(*j->ports), PORTS_MAX);
    }
    if (j->error == 0) {
        j->ports[j->port_count++] = (struct named_port){pod, number};
    }
}

static bool is_named(const struct joining *j, size_t pod, uint64_t number)
{
    for (size_t i = 0; i < j->port_count; i++) {
        if (j->ports[i].pod == pod && j->ports[i].number == number) {
            return true;
        }
    }
    return false;
}

/* ---- Named ports ---- */

struct matching {
    struct joining *j;
    struct labels_builder *b;
    const struct endpoint *endpoint;
};

/* Labels of the container that has the endpoint's port; of the last one, should there be several. */
static void match_container(void *context, const json_t *container, bool is_init)
{
    struct matching *x = context;
    const json_t *ports = json_object_get(container, "ports");
    for (size_t i = 0; i < json_array_size(ports); i++) {
        const json_t *port = json_array_get(ports, i);
        if (kubernetes_number(port, "containerPort") == x->endpoint->port) {
            kubernetes_set_container(x->j->m, x->b, container, is_init, port);
            if (x->endpoint->protocol.len > 0) {
                labels_builder_set(
                    x->b, STR(META "pod_container_port_protocol"), x->endpoint->protocol);
            }
            return;
        }
    }
}

/* A target whose own labels are in the builder. */
static void add_endpoint(struct joining *j, struct labels_builder *b, const struct endpoint *e)
{
    if (j->m->attach->node) {
        (void)kubernetes_attach_node(j->m, b, e->node); /* without the node, without its labels */
    }
    size_t pod = join_pod(j, e->target);
    if (pod != NO_POD) {
        struct matching x = {j, b, e};
        kubernetes_set_pod(j->m, b, j->pods[pod].json);
        if (e->has_port) {
            kubernetes_each_container(j->pods[pod].json, match_container, &x);
            name_port(j, pod, e->port);
        }
    }
    target_list_add(j->m->list, b);
}

/* ---- Ports of pods that nobody named ---- */

struct rest {
    struct joining *j;
    size_t pod;
    struct str ip;
};

static void add_rest(void *context, const json_t *container, bool is_init)
{
    const struct rest *r = context;
    const json_t *ports = json_object_get(container, "ports");
    for (size_t i = 0; i < json_array_size(ports); i++) {
        const json_t *port = json_array_get(ports, i);
        uint64_t number = kubernetes_number(port, "containerPort");
        if (is_named(r->j, r->pod, number)) {
            continue;
        }
        struct labels_builder b;
        labels_builder_init_from(&b, r->j->group);
        labels_builder_set(&b, STR("__address__"), meta_address(&r->j->m->arena, r->ip, number));
        kubernetes_set_container(r->j->m, &b, container, is_init, port);
        kubernetes_set_pod(r->j->m, &b, r->j->pods[r->pod].json);
        target_list_add(r->j->m->list, &b);
        labels_builder_release(&b);
    }
}

static int finish(struct joining *j)
{
    for (size_t i = 0; i < j->pod_count; i++) {
        const json_t *pod = j->pods[i].json;
        struct rest r = {j, i, kubernetes_text(json_object_get(pod, "status"), "podIP")};
        if (r.ip.len > 0 && j->error == 0) {
            kubernetes_each_container(pod, add_rest, &r);
        }
    }
    for (size_t i = 0; i < j->pod_count; i++) {
        json_decref(j->pods[i].json);
    }
    mem_free(j->pods);
    mem_free(j->ports);
    labels_unref(j->group);
    return j->error;
}

/* ---- Endpoints ---- */

/* {"subsets": [{"addresses": […], "notReadyAddresses": […], "ports": […]}, …]} */
static void add_address(struct joining *j, const json_t *address, const json_t *port, bool ready)
{
    struct labels_builder b;
    const json_t *target = json_object_get(address, "targetRef");
    struct endpoint e = {.target = target,
        .node = kubernetes_text(address, "nodeName"),
        .has_port = true,
        .port = kubernetes_number(port, "port"),
        .protocol = kubernetes_text(port, "protocol")};
    labels_builder_init_from(&b, j->group);
    labels_builder_set(
        &b, STR("__address__"), meta_address(&j->m->arena, kubernetes_text(address, "ip"), e.port));
    labels_builder_set(&b, STR(ENDPOINT "port_name"), kubernetes_text(port, "name"));
    labels_builder_set(&b, STR(ENDPOINT "port_protocol"), e.protocol);
    labels_builder_set(&b, STR(ENDPOINT "ready"), ready ? STR("true") : STR("false"));
    labels_builder_set(&b, STR(ENDPOINT "address_target_kind"), kubernetes_text(target, "kind"));
    labels_builder_set(&b, STR(ENDPOINT "address_target_name"), kubernetes_text(target, "name"));
    labels_builder_set(&b, STR(ENDPOINT "node_name"), e.node);
    labels_builder_set(&b, STR(ENDPOINT "hostname"), kubernetes_text(address, "hostname"));
    if (e.node.len == 0 && str_eq_c(kubernetes_text(target, "kind"), "Node")) {
        e.node = kubernetes_text(target, "name");
    }
    add_endpoint(j, &b, &e);
    labels_builder_release(&b);
}

static void add_subset(struct joining *j, const json_t *subset)
{
    static const char *const lists[] = {"addresses", "notReadyAddresses"};
    const json_t *ports = json_object_get(subset, "ports");
    for (size_t p = 0; p < json_array_size(ports); p++) {
        for (size_t k = 0; k < 2; k++) {
            const json_t *addresses = json_object_get(subset, lists[k]);
            for (size_t i = 0; i < json_array_size(addresses); i++) {
                add_address(j, json_array_get(addresses, i), json_array_get(ports, p), k == 0);
            }
        }
    }
}

/* Labels of the service an object belongs to. */
static void set_service(struct labels_builder *group, struct arena *arena, const json_t *service)
{
    if (service != NULL) {
        kubernetes_set_object(group, arena, "service", service);
    }
}

int kubernetes_make_endpoints(struct kubernetes_making *m, const json_t *endpoints)
{
    struct joining j = {.m = m};
    struct labels_builder group;
    const json_t *metadata = kubernetes_metadata(endpoints);
    const json_t *subsets = json_object_get(endpoints, "subsets");
    json_t *service =
        kubernetes_find(m, KUBERNETES_SERVICES, endpoints, kubernetes_text(metadata, "name"));
    labels_builder_init(&group);
    labels_builder_set(&group, STR(META "namespace"), kubernetes_text(metadata, "namespace"));
    set_service(&group, &m->arena, service);
    kubernetes_set_object(&group, &m->arena, "endpoints", endpoints);
    kubernetes_attach_namespace(m, &group, endpoints);
    j.error = labels_builder_finish(&group, &j.group);
    for (size_t i = 0; j.error == 0 && i < json_array_size(subsets); i++) {
        add_subset(&j, json_array_get(subsets, i));
    }
    labels_builder_release(&group);
    json_decref(service);
    return finish(&j);
}

/* ---- Slices ---- */

static void set_truth(struct labels_builder *b, struct str name, const json_t *value)
{
    if (json_is_boolean(value)) {
        labels_builder_set(b, name, json_is_true(value) ? STR("true") : STR("false"));
    }
}

static void set_endpoint(struct joining *j, struct labels_builder *b, const json_t *endpoint)
{
    const json_t *conditions = json_object_get(endpoint, "conditions");
    const json_t *target = json_object_get(endpoint, "targetRef");
    set_truth(b, STR(SLICE "endpoint_conditions_ready"), json_object_get(conditions, "ready"));
    set_truth(b, STR(SLICE "endpoint_conditions_serving"), json_object_get(conditions, "serving"));
    set_truth(b, STR(SLICE "endpoint_conditions_terminating"),
        json_object_get(conditions, "terminating"));
    labels_builder_set(b, STR(SLICE "endpoint_hostname"), kubernetes_text(endpoint, "hostname"));
    labels_builder_set(b, STR(SLICE "endpoint_node_name"), kubernetes_text(endpoint, "nodeName"));
    labels_builder_set(b, STR(SLICE "endpoint_zone"), kubernetes_text(endpoint, "zone"));
    labels_builder_set(b, STR(SLICE "address_target_kind"), kubernetes_text(target, "kind"));
    labels_builder_set(b, STR(SLICE "address_target_name"), kubernetes_text(target, "name"));
    kubernetes_set_map(b, &j->m->arena, SLICE "endpoint_topology_",
        SLICE "endpoint_topology_present_", json_object_get(endpoint, "deprecatedTopology"));
}

static void add_slice_address(
    struct joining *j, const json_t *endpoint, struct str address, const json_t *port)
{
    struct labels_builder b;
    const json_t *target = json_object_get(endpoint, "targetRef");
    struct endpoint e = {.target = target,
        .node = str_eq_c(kubernetes_text(target, "kind"), "Node")
                    ? kubernetes_text(target, "name")
                    : kubernetes_text(endpoint, "nodeName"),
        .has_port = json_is_integer(json_object_get(port, "port")),
        .port = kubernetes_number(port, "port")};
    labels_builder_init_from(&b, j->group);
    labels_builder_set(
        &b, STR("__address__"), e.has_port ? meta_address(&j->m->arena, address, e.port) : address);
    labels_builder_set(&b, STR(SLICE "port_name"), kubernetes_text(port, "name"));
    labels_builder_set(&b, STR(SLICE "port_protocol"), kubernetes_text(port, "protocol"));
    labels_builder_set(&b, STR(SLICE "port_app_protocol"), kubernetes_text(port, "appProtocol"));
    if (e.has_port) {
        labels_builder_set(&b, STR(SLICE "port"), meta_number(&j->m->arena, e.port));
    }
    set_endpoint(j, &b, endpoint);
    add_endpoint(j, &b, &e);
    labels_builder_release(&b);
}

/* A service of two address families has a slice for each; only the first family's give targets, or all would
 * be there twice. */
static bool is_second_family(const json_t *service, const json_t *slice)
{
    const json_t *spec = json_object_get(service, "spec");
    struct str policy = kubernetes_text(spec, "ipFamilyPolicy");
    const json_t *families = json_object_get(spec, "ipFamilies");
    return (str_eq_c(policy, "PreferDualStack") || str_eq_c(policy, "RequireDualStack")) &&
           json_array_size(families) > 0 &&
           !str_eq(kubernetes_text_of(json_array_get(families, 0)),
               kubernetes_text(slice, "addressType"));
}

static void add_slice_endpoint(struct joining *j, const json_t *endpoint, const json_t *ports)
{
    const json_t *addresses = json_object_get(endpoint, "addresses");
    for (size_t p = 0; p < json_array_size(ports); p++) {
        for (size_t i = 0; i < json_array_size(addresses); i++) {
            add_slice_address(j, endpoint, kubernetes_text_of(json_array_get(addresses, i)),
                json_array_get(ports, p));
        }
    }
}

int kubernetes_make_slice(struct kubernetes_making *m, const json_t *slice)
{
    struct joining j = {.m = m};
    struct labels_builder group;
    const json_t *metadata = kubernetes_metadata(slice);
    const json_t *endpoints = json_object_get(slice, "endpoints");
    json_t *service = kubernetes_find(m, KUBERNETES_SERVICES, slice,
        kubernetes_text(json_object_get(metadata, "labels"), "kubernetes.io/service-name"));
    labels_builder_init(&group);
    labels_builder_set(&group, STR(META "namespace"), kubernetes_text(metadata, "namespace"));
    labels_builder_set(&group, STR(SLICE "address_type"), kubernetes_text(slice, "addressType"));
    kubernetes_set_object(&group, &m->arena, "endpointslice", slice);
    set_service(&group, &m->arena, service);
    kubernetes_attach_namespace(m, &group, slice);
    j.error = labels_builder_finish(&group, &j.group);
    bool wanted = !is_second_family(service, slice);
    for (size_t i = 0; wanted && j.error == 0 && i < json_array_size(endpoints); i++) {
        add_slice_endpoint(&j, json_array_get(endpoints, i), json_object_get(slice, "ports"));
    }
    labels_builder_release(&group);
    json_decref(service);
    return finish(&j);
}
