/* Containers into targets. */
#include "discovery/docker_targets.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#define CONTAINER "__meta_docker_container_"
#define NETWORK "__meta_docker_network_"
#define PORT "__meta_docker_port_"

/* Networks of one container; containers that share another's network, one after the other. */
enum { NETWORKS_MAX = 256, SHARED_MAX = 16 };

struct making {
    const struct docker_discovery_config *config;
    json_t *containers, *networks;
    struct arena arena; /* of one container */
    struct target_list *list;
};

static struct str text_at(const json_t *object, const char *key)
{
    const json_t *value = json_object_get(object, key);
    return str_make(json_string_value(value), json_string_length(value));
}

static const char *mode_of(const json_t *container)
{
    const char *mode =
        json_string_value(json_object_get(json_object_get(container, "HostConfig"), "NetworkMode"));
    return mode != NULL ? mode : "";
}

static void set_map(struct making *m, struct labels_builder *b, const char *prefix, json_t *map)
{
    const char *key;
    json_t *value;
    json_object_foreach(map, key, value)
    {
        struct str text = str_make(json_string_value(value), json_string_length(value));
        if (!meta_label(b, &m->arena, prefix, str_of(key), text)) {
            b->error = ERR_NOMEM;
        }
    }
}

static void set_container(struct making *m, struct labels_builder *b, const json_t *c)
{
    const json_t *name = json_array_get(json_object_get(c, "Names"), 0);
    labels_builder_set(b, STR(CONTAINER "id"), text_at(c, "Id"));
    labels_builder_set(
        b, STR(CONTAINER "name"), str_make(json_string_value(name), json_string_length(name)));
    labels_builder_set(b, STR(CONTAINER "network_mode"), str_of(mode_of(c)));
    set_map(m, b, CONTAINER "label_", json_object_get(c, "Labels"));
}

static struct str truth(const json_t *object, const char *key)
{
    return json_is_true(json_object_get(object, key)) ? STR("true") : STR("false");
}

/* What /networks says of the network a container is in. */
static void set_network(struct making *m, struct labels_builder *b, const json_t *endpoint)
{
    struct str id = text_at(endpoint, "NetworkID");
    labels_builder_set(b, STR(NETWORK "ip"), text_at(endpoint, "IPAddress"));
    for (size_t i = 0; i < json_array_size(m->networks); i++) {
        const json_t *network = json_array_get(m->networks, i);
        if (!str_eq(text_at(network, "Id"), id)) {
            continue;
        }
        labels_builder_set(b, STR(NETWORK "id"), id);
        labels_builder_set(b, STR(NETWORK "name"), text_at(network, "Name"));
        labels_builder_set(b, STR(NETWORK "scope"), text_at(network, "Scope"));
        labels_builder_set(b, STR(NETWORK "internal"), truth(network, "Internal"));
        labels_builder_set(b, STR(NETWORK "ingress"), truth(network, "Ingress"));
        set_map(m, b, NETWORK "label_", json_object_get(network, "Labels"));
        return;
    }
}

static void add_target(
    struct making *m, const json_t *container, const json_t *endpoint, const json_t *port)
{
    struct labels_builder b;
    struct str ip = text_at(endpoint, "IPAddress");
    labels_builder_init(&b);
    set_container(m, &b, container);
    set_network(m, &b, endpoint);
    if (port != NULL) {
        uint64_t private = (uint64_t)json_integer_value(json_object_get(port, "PrivatePort"));
        uint64_t public = (uint64_t)json_integer_value(json_object_get(port, "PublicPort"));
        labels_builder_set(&b, STR("__address__"), meta_address(&m->arena, ip, private));
        labels_builder_set(&b, STR(PORT "private"), meta_number(&m->arena, private));
        if (public > 0) {
            labels_builder_set(&b, STR(PORT "public"), meta_number(&m->arena, public));
            labels_builder_set(&b, STR(PORT "public_ip"), text_at(port, "IP"));
        }
    } else if (strcmp(mode_of(container), "host") == 0) {
        labels_builder_set(&b, STR("__address__"), str_of(m->config->host_networking_host));
    } else {
        labels_builder_set(
            &b, STR("__address__"), meta_address(&m->arena, ip, (uint64_t)m->config->port));
    }
    target_list_add(m->list, &b);
    labels_builder_release(&b);
}

static const json_t *container_by_id(const struct making *m, const char *id)
{
    for (size_t i = 0; i < json_array_size(m->containers); i++) {
        const json_t *container = json_array_get(m->containers, i);
        if (str_eq_c(text_at(container, "Id"), id)) {
            return container;
        }
    }
    return NULL;
}

/* The networks of a container; of the one whose networks it shares where it has none. */
static json_t *networks_of(const struct making *m, const json_t *container)
{
    static const char prefix[] = "container:";
    json_t *networks = NULL;
    for (int i = 0; container != NULL && i < SHARED_MAX; i++) {
        networks = json_object_get(json_object_get(container, "NetworkSettings"), "Networks");
        const char *mode = mode_of(container);
        if (json_object_size(networks) > 0 || strncmp(mode, prefix, sizeof(prefix) - 1) != 0) {
            break;
        }
        container = container_by_id(m, mode + sizeof(prefix) - 1);
    }
    return networks;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static void add_container(struct making *m, const json_t *container)
{
    const char *names[NETWORKS_MAX], *name;
    size_t count = 0;
    json_t *endpoint, *networks = networks_of(m, container);
    const json_t *ports = json_object_get(container, "Ports");
    json_object_foreach(networks, name, endpoint)
    {
        if (json_is_object(endpoint) && count < NETWORKS_MAX) {
            names[count++] = name;
        }
    }
    qsort(names, count, sizeof(names[0]), by_name);
    count = m->config->match_first_network && count > 1 ? 1 : count;
    for (size_t i = 0; i < count; i++) {
        bool added = false;
        endpoint = json_object_get(networks, names[i]);
        for (size_t k = 0; k < json_array_size(ports); k++) {
            const json_t *port = json_array_get(ports, k);
            if (str_eq_c(text_at(port, "Type"), "tcp")) {
                add_target(m, container, endpoint, port);
                added = true;
            }
        }
        if (!added) {
            add_target(m, container, endpoint, NULL);
        }
    }
}

static int parse(struct str text, const char *what, json_t **root_out, struct err *e)
{
    json_error_t problem;
    *root_out = json_loadb(text.ptr != NULL ? text.ptr : "", text.len, 0, &problem);
    return json_is_array(*root_out)
               ? 0
               : err_set(e, ERR_INVALID, -1, "%s: not a list in JSON%s%s", what,
                     *root_out == NULL ? ": " : "", *root_out == NULL ? problem.text : "");
}

int docker_targets_make(const struct docker_discovery_config *config, struct str containers,
    struct str networks, struct target_list *list, struct err *e)
{
    struct making m = {.config = config, .list = list};
    arena_init(&m.arena, 0);
    int status = parse(containers, "/containers/json", &m.containers, e);
    status = status == 0 ? parse(networks, "/networks", &m.networks, e) : status;
    for (size_t i = 0; status == 0 && i < json_array_size(m.containers); i++) {
        const json_t *container = json_array_get(m.containers, i);
        if (json_array_size(json_object_get(container, "Names")) > 0) {
            add_container(&m, container);
        }
        arena_release(&m.arena);
        status = list->error;
    }
    arena_release(&m.arena);
    json_decref(m.containers);
    json_decref(m.networks);
    return status;
}
