/* Members of mappings, as the readers of files ask for them. */
#include "slo_file.h"

const struct yaml_node *slo_yaml_mapping(const struct yaml_node *node, const char *key)
{
    const struct yaml_node *value = node != NULL ? yaml_get(node, key) : NULL;
    return value != NULL && value->kind == YAML_MAPPING ? value : NULL;
}

struct str slo_yaml_text(const struct yaml_node *node, const char *key)
{
    const struct yaml_node *value = node != NULL ? yaml_get(node, key) : NULL;
    return value != NULL && value->kind == YAML_SCALAR && !yaml_is_null(value) ? value->text
                                                                               : STR("");
}

int slo_yaml_map(struct slo_reading *r, const struct yaml_node *node, struct config_map *map_out)
{
    *map_out = (struct config_map){0};
    if (node == NULL || yaml_is_null(node)) {
        return 0;
    }
    if (node->kind != YAML_MAPPING) {
        return config_fail(&r->reader, node, "expected a mapping");
    }
    map_out->items = arena_calloc(r->reader.arena, node->count, sizeof(*map_out->items));
    if (map_out->items == NULL) {
        return err_set(r->reader.err, ERR_NOMEM, -1, "%s", err_text(ERR_NOMEM));
    }
    for (size_t i = 0; i < node->count; i++) {
        const struct yaml_node *value = node->entries[i].value;
        if (value->kind == YAML_SEQUENCE && value->count > 0) {
            value = value->entries[0].value;
        }
        if (value->kind != YAML_SCALAR) {
            return config_fail(&r->reader, value, "expected a text");
        }
        map_out->items[map_out->count++] =
            (struct config_pair){node->entries[i].key->text.ptr, value->text.ptr};
    }
    return 0;
}
