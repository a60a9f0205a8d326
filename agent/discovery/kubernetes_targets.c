/* Targets of roles node, service and ingress, and what all roles share. */
#include "discovery/kubernetes_targets.h"

#include <string.h>

#include "base/err.h"
#include "base/strbuf.h"

#define META "__meta_kubernetes_"

/* ---- Other objects ---- */

json_t *kubernetes_find(struct kubernetes_making *m, enum kubernetes_resource resource,
    const json_t *beside, struct str name)
{
    struct str namespace = kubernetes_text(kubernetes_metadata(beside), "namespace");
    return name.len > 0 ? m->find(m->context, resource, kubernetes_key(&m->arena, namespace, name))
                        : NULL;
}

static void drop(void *object)
{
    json_decref(object);
}

/* A reference that lives as long as the arena does: labels borrow from what is found. */
static const json_t *keep(struct kubernetes_making *m, json_t *object)
{
    if (object != NULL && arena_on_release(&m->arena, drop, object) != 0) {
        json_decref(object);
        return NULL;
    }
    return object;
}

void kubernetes_attach_namespace(
    struct kubernetes_making *m, struct labels_builder *b, const json_t *object)
{
    if (m->attach->namespace) {
        struct str name = kubernetes_text(kubernetes_metadata(object), "namespace");
        kubernetes_set_metadata(b, &m->arena, "namespace",
            keep(m, kubernetes_find(m, KUBERNETES_NAMESPACES, NULL, name)));
    }
}

bool kubernetes_attach_node(struct kubernetes_making *m, struct labels_builder *b, struct str name)
{
    const json_t *node = keep(m, kubernetes_find(m, KUBERNETES_NODES, NULL, name));
    if (node != NULL) {
        kubernetes_set_object(b, &m->arena, "node", node);
    }
    return node != NULL;
}

/* ---- Nodes: one target, the kubelet ---- */

static struct str node_address(const json_t *addresses)
{
    static const char *const order[] = {
        "InternalIP", "InternalDNS", "ExternalIP", "ExternalDNS", "LegacyHostIP", "Hostname"};
    for (size_t k = 0; k < sizeof(order) / sizeof(order[0]); k++) {
        for (size_t i = 0; i < json_array_size(addresses); i++) {
            const json_t *address = json_array_get(addresses, i);
            if (str_eq_c(kubernetes_text(address, "type"), order[k])) {
                return kubernetes_text(address, "address");
            }
        }
    }
    return STR("");
}

/* PREFIX + text, in lower case if wanted, is set to the value. */
static void set_named(struct kubernetes_making *m, struct labels_builder *b, const char *prefix,
    struct str name, struct str value, bool lower)
{
    char *text = arena_alloc(&m->arena, name.len + 1 + value.len);
    for (size_t i = 0; text != NULL && i < name.len + value.len; i++) {
        char c = i < name.len ? name.ptr[i] : value.ptr[i - name.len];
        text[i] = lower && c >= 'A' && c <= 'Z' ? (char)(c | 0x20) : c;
    }
    if (text == NULL || !meta_label(b, &m->arena, prefix, str_make(text, name.len),
                            str_make(text + name.len, value.len))) {
        b->error = ERR_NOMEM;
    }
}

static void make_node(struct kubernetes_making *m, struct labels_builder *b, const json_t *node)
{
    const json_t *status = json_object_get(node, "status");
    const json_t *addresses = json_object_get(status, "addresses");
    const json_t *conditions = json_object_get(status, "conditions");
    const json_t *kubelet =
        json_object_get(json_object_get(status, "daemonEndpoints"), "kubeletEndpoint");
    struct str address = node_address(addresses);
    if (address.len == 0) {
        return;
    }
    labels_builder_set(b, STR(META "node_provider_id"),
        kubernetes_text(json_object_get(node, "spec"), "providerID"));
    for (size_t i = 0; i < json_array_size(conditions); i++) {
        const json_t *c = json_array_get(conditions, i);
        set_named(m, b, META "node_condition_", kubernetes_text(c, "type"),
            kubernetes_text(c, "status"), true);
    }
    for (size_t i = json_array_size(addresses); i-- > 0;) { /* so that the first of a type stays */
        const json_t *a = json_array_get(addresses, i);
        set_named(m, b, META "node_address_", kubernetes_text(a, "type"),
            kubernetes_text(a, "address"), false);
    }
    kubernetes_set_object(b, &m->arena, "node", node);
    labels_builder_set(b, STR("instance"), kubernetes_text(kubernetes_metadata(node), "name"));
    labels_builder_set(b, STR("__address__"),
        meta_address(&m->arena, address, kubernetes_number(kubelet, "Port")));
    target_list_add(m->list, b);
}

/* ---- Services: a target for each port, at the name that the cluster's name server knows ---- */

/* The addresses of a load balancer, with commas. */
static struct str balancer_addresses(struct kubernetes_making *m, const json_t *service)
{
    const json_t *ingress = json_object_get(
        json_object_get(json_object_get(service, "status"), "loadBalancer"), "ingress");
    struct strbuf text = STRBUF_INIT;
    for (size_t i = 0; i < json_array_size(ingress); i++) {
        struct str ip = kubernetes_text(json_array_get(ingress, i), "ip");
        if (ip.len > 0) {
            strbuf_add_c(&text, text.size > 0 ? "," : "");
            strbuf_add_str(&text, ip);
        }
    }
    struct str found = strbuf_str(&text);
    char *copy = found.len > 0 ? arena_dup(&m->arena, found.ptr, found.len) : NULL;
    found.ptr = copy;
    strbuf_release(&text);
    return copy != NULL ? found
                        : kubernetes_text(json_object_get(service, "spec"), "loadBalancerIP");
}

static struct str service_host(struct kubernetes_making *m, const json_t *service)
{
    struct str name = kubernetes_text(kubernetes_metadata(service), "name");
    struct str namespace = kubernetes_text(kubernetes_metadata(service), "namespace");
    size_t size = name.len + namespace.len + sizeof("..svc") - 1;
    char *text = arena_alloc(&m->arena, size);
    if (text == NULL) {
        return STR("");
    }
    memcpy(text, name.ptr, name.len);
    text[name.len] = '.';
    memcpy(text + name.len + 1, namespace.ptr, namespace.len);
    memcpy(text + name.len + 1 + namespace.len, ".svc", 4);
    return str_make(text, size);
}

static void make_service(
    struct kubernetes_making *m, struct labels_builder *group, const json_t *service)
{
    const json_t *spec = json_object_get(service, "spec"), *ports = json_object_get(spec, "ports");
    struct str type = kubernetes_text(spec, "type");
    labels_builder_set(
        group, STR(META "namespace"), kubernetes_text(kubernetes_metadata(service), "namespace"));
    labels_builder_set(group, STR(META "service_type"), type);
    kubernetes_set_object(group, &m->arena, "service", service);
    kubernetes_attach_namespace(m, group, service);
    if (str_eq_c(type, "ExternalName")) {
        labels_builder_set(
            group, STR(META "service_external_name"), kubernetes_text(spec, "externalName"));
    } else {
        labels_builder_set(
            group, STR(META "service_cluster_ip"), kubernetes_text(spec, "clusterIP"));
    }
    if (str_eq_c(type, "LoadBalancer")) {
        labels_builder_set(
            group, STR(META "service_loadbalancer_ip"), balancer_addresses(m, service));
    }
    for (size_t i = 0; i < json_array_size(ports); i++) {
        const json_t *port = json_array_get(ports, i);
        uint64_t number = kubernetes_number(port, "port");
        labels_builder_set(group, STR(META "service_port_number"), meta_number(&m->arena, number));
        labels_builder_set(group, STR(META "service_port_name"), kubernetes_text(port, "name"));
        labels_builder_set(
            group, STR(META "service_port_protocol"), kubernetes_text(port, "protocol"));
        labels_builder_set(
            group, STR("__address__"), meta_address(&m->arena, service_host(m, service), number));
        target_list_add(m->list, group);
    }
}

/* ---- Ingresses: a target for each path of each host ---- */

/* A host of `tls` covers a rule's when it is the same, or has a star for its first part. */
static bool covers(struct str pattern, struct str host)
{
    if (str_eq(pattern, host)) {
        return true;
    }
    const char *dot = host.len > 0 ? memchr(host.ptr, '.', host.len) : NULL;
    return str_starts_with(pattern, STR("*.")) && dot != NULL &&
           str_eq(str_skip(pattern, 1), str_skip(host, (size_t)(dot - host.ptr)));
}

static bool is_encrypted(const json_t *tls, struct str host)
{
    for (size_t i = 0; i < json_array_size(tls); i++) {
        const json_t *hosts = json_object_get(json_array_get(tls, i), "hosts");
        for (size_t k = 0; k < json_array_size(hosts); k++) {
            if (covers(kubernetes_text_of(json_array_get(hosts, k)), host)) {
                return true;
            }
        }
    }
    return false;
}

static void make_ingress(
    struct kubernetes_making *m, struct labels_builder *b, const json_t *ingress)
{
    const json_t *spec = json_object_get(ingress, "spec"), *rules = json_object_get(spec, "rules");
    labels_builder_set(
        b, STR(META "namespace"), kubernetes_text(kubernetes_metadata(ingress), "namespace"));
    labels_builder_set(
        b, STR(META "ingress_class_name"), kubernetes_text(spec, "ingressClassName"));
    kubernetes_set_object(b, &m->arena, "ingress", ingress);
    kubernetes_attach_namespace(m, b, ingress);
    for (size_t i = 0; i < json_array_size(rules); i++) {
        const json_t *rule = json_array_get(rules, i), *http = json_object_get(rule, "http");
        const json_t *paths = json_object_get(http, "paths");
        struct str host = kubernetes_text(rule, "host");
        bool encrypted = is_encrypted(json_object_get(spec, "tls"), host);
        labels_builder_set(b, STR("__address__"), host);
        labels_builder_set(b, STR(META "ingress_host"), host);
        labels_builder_set(b, STR(META "ingress_scheme"), encrypted ? STR("https") : STR("http"));
        size_t count = json_is_object(http) ? json_array_size(paths) : 1;
        for (size_t k = 0; k < count; k++) {
            struct str path = kubernetes_text(json_array_get(paths, k), "path");
            labels_builder_set(b, STR(META "ingress_path"), path.len > 0 ? path : STR("/"));
            target_list_add(m->list, b);
        }
    }
}

/* ---- All roles ---- */

static int make_simple(struct kubernetes_making *m, const json_t *object,
    void (*make)(struct kubernetes_making *m, struct labels_builder *b, const json_t *object))
{
    struct labels_builder b;
    labels_builder_init(&b);
    make(m, &b, object);
    labels_builder_release(&b);
    return 0;
}

int kubernetes_targets_make(
    struct kubernetes_making *m, enum kubernetes_role role, const json_t *object)
{
    int status = 0;
    arena_init(&m->arena, 0);
    switch (role) {
    case KUBERNETES_POD:
        status = kubernetes_make_pod(m, object);
        break;
    case KUBERNETES_ENDPOINTS:
        status = kubernetes_make_endpoints(m, object);
        break;
    case KUBERNETES_ENDPOINTSLICE:
        status = kubernetes_make_slice(m, object);
        break;
    case KUBERNETES_SERVICE:
        status = make_simple(m, object, make_service);
        break;
    case KUBERNETES_NODE:
        status = make_simple(m, object, make_node);
        break;
    case KUBERNETES_INGRESS:
        status = make_simple(m, object, make_ingress);
        break;
    }
    arena_release(&m->arena);
    return status != 0 ? status : m->list->error;
}
