/* One instance, one target. */
#include "discovery/consul_targets.h"

#include <jansson.h>
#include <string.h>

#include "base/err.h"
#include "base/strbuf.h"

#define CONSUL "__meta_consul_"

static struct str text_at(const json_t *object, const char *key)
{
    const json_t *value = json_object_get(object, key);
    return json_is_string(value) ? str_make(json_string_value(value), json_string_length(value))
                                 : STR("");
}

static void set_map(
    struct labels_builder *b, struct arena *arena, const char *prefix, const json_t *map)
{
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)(uintptr_t)map, key, value)
    {
        struct str text = str_make(json_string_value(value), json_string_length(value));
        if (!meta_label(b, arena, prefix, str_of(key), text)) {
            b->error = ERR_NOMEM;
        }
    }
}

/* The worst of its checks, as Consul adds them up; maintenance is worse than all. "" when it has a status that
 * is none. */
static struct str health(const json_t *checks)
{
    static const char *const order[] = {"passing", "warning", "critical", "maintenance"};
    enum { PASSING, WARNING, CRITICAL, MAINTENANCE } worst = PASSING;
    for (size_t i = 0; i < json_array_size(checks); i++) {
        const json_t *check = json_array_get(checks, i);
        struct str id = text_at(check, "CheckID"), status = text_at(check, "Status");
        if (str_eq_c(id, "_node_maintenance") ||
            str_starts_with(id, STR("_service_maintenance:"))) {
            worst = MAINTENANCE;
        } else if (str_eq_c(status, "critical")) {
            worst = worst > CRITICAL ? worst : CRITICAL;
        } else if (str_eq_c(status, "warning")) {
            worst = worst > WARNING ? worst : WARNING;
        } else if (!str_eq_c(status, "passing")) {
            return STR("");
        }
    }
    return str_of(order[worst]);
}

/* Separators around them, too, so that a rule need not care for the place of a tag. */
static struct str join_tags(struct arena *arena, const json_t *tags, const char *separator)
{
    struct strbuf text;
    strbuf_init(&text, LABELS_BYTES_MAX);
    strbuf_add_c(&text, separator);
    for (size_t i = 0; i < json_array_size(tags); i++) {
        const json_t *tag = json_array_get(tags, i);
        strbuf_add_c(&text, i > 0 ? separator : "");
        strbuf_add(&text, json_string_value(tag), json_string_length(tag));
    }
    strbuf_add_c(&text, separator);
    struct str joined = strbuf_str(&text);
    char *copy = strbuf_error(&text) == 0 ? arena_dup(arena, joined.ptr, joined.len) : NULL;
    strbuf_release(&text);
    return str_make(copy, copy != NULL ? joined.len : 0);
}

static void set_labels(const struct consul_discovery_config *config, struct labels_builder *b,
    struct arena *arena, const json_t *root)
{
    const json_t *node = json_object_get(root, "Node"), *service = json_object_get(root, "Service");
    struct str node_address = text_at(node, "Address"), address = text_at(service, "Address");
    json_int_t port = json_integer_value(json_object_get(service, "Port"));
    uint64_t number = port > 0 ? (uint64_t)port : 0;
    set_map(b, arena, CONSUL "metadata_", json_object_get(node, "Meta"));
    set_map(b, arena, CONSUL "service_metadata_", json_object_get(service, "Meta"));
    set_map(b, arena, CONSUL "tagged_address_", json_object_get(node, "TaggedAddresses"));
    labels_builder_set(b, STR(CONSUL "address"), node_address);
    labels_builder_set(b, STR(CONSUL "node"), text_at(node, "Node"));
    labels_builder_set(b, STR(CONSUL "namespace"), text_at(service, "Namespace"));
    labels_builder_set(b, STR(CONSUL "partition"), text_at(service, "Partition"));
    labels_builder_set(b, STR(CONSUL "tags"),
        join_tags(arena, json_object_get(service, "Tags"), config->tag_separator));
    labels_builder_set(b, STR(CONSUL "service_address"), address);
    labels_builder_set(b, STR(CONSUL "service_port"), meta_number(arena, number));
    labels_builder_set(b, STR(CONSUL "service_id"), text_at(service, "ID"));
    labels_builder_set(b, STR(CONSUL "health"), health(json_object_get(root, "Checks")));
    labels_builder_set(b, STR("__address__"),
        meta_address(arena, address.len > 0 ? address : node_address, number));
}

int consul_targets_add(const struct consul_discovery_config *config, const char *datacenter,
    const char *service, struct str element, struct target_list *list)
{
    json_t *root = json_loadb(element.ptr, element.len, 0, NULL);
    if (!json_is_object(root)) {
        json_decref(root);
        return ERR_INVALID;
    }
    struct arena arena;
    struct labels_builder b;
    arena_init(&arena, 0);
    labels_builder_init(&b);
    set_labels(config, &b, &arena, root);
    labels_builder_set(&b, STR(CONSUL "service"), str_of(service));
    labels_builder_set(&b, STR(CONSUL "dc"), str_of(datacenter));
    target_list_add(list, &b);
    labels_builder_release(&b);
    arena_release(&arena);
    json_decref(root);
    return list->error;
}
