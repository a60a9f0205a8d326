/* Target groups out of JSON and YAML. Both are walked as they come; one has no line numbers, the other
 * has, and sentences say what there is to say. */
#include "discovery/group_list.h"

#include <jansson.h>

#include "base/yaml.h"

/* One group while it is read; labels are borrowed from the text's tree. */
struct reading {
    const char *name;
    size_t group; /* counted from 1, for sentences */
    struct labels_builder labels;
    struct target_list *list;
    struct err *e;
};

static int bad(struct reading *r, const char *what)
{
    return err_set(r->e, ERR_INVALID, -1, "%s: group %zu: %s", r->name, r->group, what);
}

static int add_label(struct reading *r, struct str name, struct str value)
{
    if (!label_name_is_classic(name)) {
        return err_set(r->e, ERR_INVALID, -1, "%s: group %zu: \"%.*s\" is no label name", r->name,
            r->group, STR_ARG(name));
    }
    labels_builder_set(&r->labels, name, value);
    return 0;
}

static int add_target(struct reading *r, struct str address)
{
    labels_builder_set(&r->labels, STR("__address__"), address);
    target_list_add(r->list, &r->labels);
    return r->list->error == 0
               ? 0
               : err_set(r->e, r->list->error, -1, "%s: group %zu: target \"%.*s\": %s", r->name,
                     r->group, STR_ARG(address), err_text(r->list->error));
}

static void begin_group(struct reading *r, struct label meta)
{
    r->group++;
    labels_builder_reset(&r->labels);
    labels_builder_set(&r->labels, meta.name, meta.value);
}

/* ---- JSON ---- */

static struct str text_of(const json_t *value)
{
    return str_make(json_string_value(value), json_string_length(value));
}

static int read_json_labels(struct reading *r, json_t *labels)
{
    const char *name;
    json_t *value;
    int status = labels == NULL || json_is_null(labels) || json_is_object(labels)
                     ? 0
                     : bad(r, "labels must be an object of texts");
    json_object_foreach(labels, name, value)
    {
        status = status != 0              ? status
                 : !json_is_string(value) ? bad(r, "labels must be an object of texts")
                                          : add_label(r, str_of(name), text_of(value));
    }
    return status;
}

static int read_json_targets(struct reading *r, json_t *targets)
{
    if (targets != NULL && !json_is_null(targets) && !json_is_array(targets)) {
        return bad(r, "targets must be a list of texts");
    }
    int status = 0;
    for (size_t i = 0; status == 0 && i < json_array_size(targets); i++) {
        const json_t *target = json_array_get(targets, i);
        status = json_is_string(target) ? add_target(r, text_of(target))
                                        : bad(r, "targets must be a list of texts");
    }
    return status;
}

static int read_json_group(struct reading *r, json_t *group)
{
    const char *key;
    json_t *value;
    if (!json_is_object(group)) {
        return bad(r, "it must be an object with targets and labels");
    }
    json_object_foreach(group, key, value)
    {
        if (!str_eq_c(STR("targets"), key) && !str_eq_c(STR("labels"), key)) {
            return bad(r, "unknown key; accepted: targets, labels");
        }
    }
    int status = read_json_labels(r, json_object_get(group, "labels"));
    return status == 0 ? read_json_targets(r, json_object_get(group, "targets")) : status;
}

int group_list_parse_json(
    struct str text, const char *name, struct label meta, struct target_list *list, struct err *e)
{
    json_error_t problem;
    struct reading r = {.name = name, .list = list, .e = e};
    json_t *root =
        json_loadb(text.ptr != NULL ? text.ptr : "", text.len, JSON_REJECT_DUPLICATES, &problem);
    if (root == NULL) {
        return err_set(e, ERR_INVALID, problem.position, "%s:%d:%d: %s", name, problem.line,
            problem.column, problem.text);
    }
    labels_builder_init(&r.labels);
    int status = json_is_array(root)
                     ? 0
                     : err_set(e, ERR_INVALID, -1, "%s: not a list of target groups", name);
    for (size_t i = 0; status == 0 && i < json_array_size(root); i++) {
        begin_group(&r, meta);
        status = read_json_group(&r, json_array_get(root, i));
    }
    labels_builder_release(&r.labels);
    json_decref(root);
    return status;
}

/* ---- YAML ---- */

static int read_yaml_labels(struct reading *r, const struct yaml_node *labels)
{
    if (labels == NULL || yaml_is_null(labels)) {
        return 0;
    }
    int status = labels->kind == YAML_MAPPING ? 0 : bad(r, "labels must be a mapping of texts");
    for (size_t i = 0; status == 0 && i < labels->count; i++) {
        const struct yaml_entry *pair = &labels->entries[i];
        status = pair->key->kind == YAML_SCALAR && pair->value->kind == YAML_SCALAR
                     ? add_label(r, pair->key->text, pair->value->text)
                     : bad(r, "labels must be a mapping of texts");
    }
    return status;
}

static int read_yaml_targets(struct reading *r, const struct yaml_node *targets)
{
    if (targets == NULL || yaml_is_null(targets)) {
        return 0;
    }
    int status = targets->kind == YAML_SEQUENCE ? 0 : bad(r, "targets must be a list of texts");
    for (size_t i = 0; status == 0 && i < targets->count; i++) {
        const struct yaml_node *target = targets->entries[i].value;
        status = target->kind == YAML_SCALAR ? add_target(r, target->text)
                                             : bad(r, "targets must be a list of texts");
    }
    return status;
}

static int read_yaml_group(struct reading *r, const struct yaml_node *group)
{
    if (group->kind != YAML_MAPPING) {
        return bad(r, "it must be a mapping with targets and labels");
    }
    for (size_t i = 0; i < group->count; i++) {
        struct str key = group->entries[i].key->text;
        if (!str_eq_c(key, "targets") && !str_eq_c(key, "labels")) {
            return bad(r, "unknown key; accepted: targets, labels");
        }
    }
    int status = read_yaml_labels(r, yaml_get(group, "labels"));
    return status == 0 ? read_yaml_targets(r, yaml_get(group, "targets")) : status;
}

int group_list_parse_yaml(
    struct str text, const char *name, struct label meta, struct target_list *list, struct err *e)
{
    struct arena arena;
    struct yaml_node *root = NULL;
    struct reading r = {.name = name, .list = list, .e = e};
    arena_init(&arena, 0);
    labels_builder_init(&r.labels);
    int status = yaml_parse(&arena, name, text, &root, e);
    if (status == 0 && root != NULL && root->kind != YAML_SEQUENCE) {
        status = err_set(e, ERR_INVALID, -1, "%s: not a list of target groups", name);
    }
    for (size_t i = 0; status == 0 && root != NULL && i < root->count; i++) {
        begin_group(&r, meta);
        status = read_yaml_group(&r, root->entries[i].value);
    }
    labels_builder_release(&r.labels);
    arena_release(&arena);
    return status;
}
