/* Rule files: YAML -> groups. Fields are rows of tables; what a row cannot say (names, expressions,
 * which fields go together) is checked rule by rule, so that one bad rule does not hide the next. */
#include "rules/rule_file.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/config.h"
#include "base/mem.h"
#include "base/vfs.h"
#include "base/yaml.h"
#include "rules/rule_texts.h"

struct rule_file {
    atomic_uint references;
    struct arena arena;
    struct rule_group_definition *groups;
    size_t group_count;
};

/* ---- The tables ---- */

struct rule_fields {
    const char *record, *alert, *expr;
    int64_t for_ms, keep_firing_for_ms;
    struct config_map labels, annotations;
};

#define RULE(member) offsetof(struct rule_fields, member)
static const struct config_field rule_table[] = {
    {"record", CONFIG_STRING, RULE(record), .help = "The metric that is written."},
    {"alert", CONFIG_STRING, RULE(alert), .help = "The name of the alert."},
    {"expr", CONFIG_STRING, RULE(expr), .help = "What is evaluated."},
    {"for", CONFIG_DURATION, RULE(for_ms), .help = "How long it must be true before it fires."},
    {"keep_firing_for", CONFIG_DURATION, RULE(keep_firing_for_ms),
        .help = "How long it goes on firing when it is not true any more."},
    {"labels", CONFIG_STRING_MAP, RULE(labels), .help = "Put on what is written."},
    {"annotations", CONFIG_STRING_MAP, RULE(annotations), .help = "What is told beside."},
    {0},
};

struct group_fields {
    const char *name;
    int64_t interval_ms, limit;
    int64_t query_offset_ms;
    struct config_map labels;
    const struct yaml_node *rules;
};

/* Rules are read one by one. */
static int keep_node(struct config_reader *reader, const struct yaml_node *node, void *member)
{
    if (node->kind != YAML_SEQUENCE && !yaml_is_null(node)) {
        return config_fail(reader, node, "rules: expected a list");
    }
    *(const struct yaml_node **)member = node->kind == YAML_SEQUENCE ? node : NULL;
    return 0;
}

#define GROUP(member) offsetof(struct group_fields, member)
static const struct config_field group_table[] = {
    {"name", CONFIG_STRING, GROUP(name), .help = "Unique in its file."},
    {"interval", CONFIG_DURATION, GROUP(interval_ms), .help = "Between two evaluations."},
    {"limit", CONFIG_INTEGER, GROUP(limit), .max = INT64_MAX,
        .help = "Series or alerts of each rule; 0 = any."},
    {"query_offset", CONFIG_DURATION, GROUP(query_offset_ms),
        .help = "How far in the past the evaluation looks."},
    {"labels", CONFIG_STRING_MAP, GROUP(labels), .help = "Of each rule that has not its own."},
    {"rules", CONFIG_CUSTOM, GROUP(rules), .read = keep_node},
    {0},
};

struct file_fields {
    const struct yaml_node *groups;
};

static int keep_groups(struct config_reader *reader, const struct yaml_node *node, void *member)
{
    if (node->kind != YAML_SEQUENCE && !yaml_is_null(node)) {
        return config_fail(reader, node, "groups: expected a list");
    }
    *(const struct yaml_node **)member = node->kind == YAML_SEQUENCE ? node : NULL;
    return 0;
}

static const struct config_field file_table[] = {
    {"groups", CONFIG_CUSTOM, offsetof(struct file_fields, groups), .read = keep_groups},
    {0},
};

/* ---- Problems ---- */

struct parser {
    struct config_reader reader;
    struct rule_file *file;
    struct promql_features features;
    struct strbuf *problems; /* NULL: the first one ends it */
    struct err *first;
    struct err problem; /* the reader's */
    int status;
};

/* Notes the problem that the reader has told. True when reading goes on. */
static bool go_on(struct parser *p, int status)
{
    if (status == 0) {
        return true;
    }
    if (p->status == 0) {
        p->status = status;
        if (p->first != NULL) {
            *p->first = p->problem;
        }
    }
    if (p->problems == NULL || status != ERR_INVALID) {
        return false;
    }
    strbuf_addf(p->problems, "%s\n", p->problem.message);
    p->problem = (struct err)ERR_INIT;
    return true;
}

static int no_memory(struct parser *p)
{
    int status = arena_error(&p->file->arena);
    return err_set(&p->problem, status, -1, "%s: %s", p->reader.file, err_text(status));
}

static const struct yaml_node *at(const struct yaml_node *mapping, const char *key)
{
    const struct yaml_node *value = yaml_get(mapping, key);
    return value != NULL ? value : mapping;
}

/* ---- Labels ---- */

static int compare_labels(const void *a, const void *b)
{
    return str_cmp(((const struct label *)a)->name, ((const struct label *)b)->name);
}

/* The pairs of `base` with those of `map` over them, by name. */
static int merge_labels(struct parser *p, const struct yaml_node *node, const char *what,
    const struct label *base, size_t base_count, const struct config_map *map,
    const struct label **labels_out, size_t *count_out)
{
    if (base_count + map->count > LABELS_COUNT_MAX) {
        return config_fail(&p->reader, node, "at most %d %ss", LABELS_COUNT_MAX, what);
    }
    struct label *labels =
        arena_calloc(&p->file->arena, base_count + map->count + 1, sizeof(*labels));
    if (labels == NULL) {
        return no_memory(p);
    }
    size_t count = 0;
    for (size_t i = 0; i < map->count; i++) {
        labels[count++] = (struct label){str_of(map->items[i].key), str_of(map->items[i].value)};
        struct label l = labels[count - 1];
        if (l.name.len == 0 || !str_is_utf8(l.name) || str_eq_c(l.name, LABEL_METRIC_NAME)) {
            return config_fail(
                &p->reader, node, "invalid %s name: \"%.*s\"", what, STR_ARG(l.name));
        }
        if (!str_is_utf8(l.value)) {
            return config_fail(
                &p->reader, node, "%s \"%.*s\": the value is not UTF-8", what, STR_ARG(l.name));
        }
    }
    for (size_t i = 0; i < base_count; i++) {
        size_t k = 0;
        while (k < map->count && !str_eq(labels[k].name, base[i].name)) {
            k++;
        }
        if (k == map->count) {
            labels[count++] = base[i];
        }
    }
    if (count > 0) {
        qsort(labels, count, sizeof(*labels), compare_labels);
    }
    *labels_out = labels;
    *count_out = count;
    return 0;
}

/* ---- Rules ---- */

static int check_expression(
    struct parser *p, const struct yaml_node *node, struct str text, struct str *canonical_out)
{
    struct arena scratch;
    struct expr *expr = NULL;
    struct err e = ERR_INIT;
    struct strbuf canonical = STRBUF_INIT;
    arena_init(&scratch, 0);
    int status = promql_parse(text, p->features, &scratch, &expr, &e);
    if (status == 0) {
        promql_write(expr, &canonical);
        char *copy = strbuf_error(&canonical) == 0
                         ? arena_strndup(&p->file->arena, canonical.data, canonical.size)
                         : NULL;
        *canonical_out = str_make(copy, canonical.size);
        status = copy == NULL ? no_memory(p) : 0;
    } else if (status == ERR_NOMEM) {
        status = err_set(&p->problem, status, -1, "%s", err_text(status));
    } else {
        status = config_fail(&p->reader, node, "could not parse expression: %s", e.message);
    }
    strbuf_release(&canonical);
    arena_release(&scratch);
    return status;
}

static int check_record(
    struct parser *p, const struct yaml_node *node, const struct rule_fields *fields)
{
    struct config_reader *r = &p->reader;
    if (fields->annotations.count > 0) {
        return config_fail(
            r, at(node, "annotations"), "invalid field 'annotations' in recording rule");
    }
    if (fields->for_ms != 0) {
        return config_fail(r, at(node, "for"), "invalid field 'for' in recording rule");
    }
    if (fields->keep_firing_for_ms != 0) {
        return config_fail(
            r, at(node, "keep_firing_for"), "invalid field 'keep_firing_for' in recording rule");
    }
    if (!str_is_utf8(str_of(fields->record))) {
        return config_fail(
            r, at(node, "record"), "invalid recording rule name: %s", fields->record);
    }
    if (strpbrk(fields->record, "{}") != NULL) {
        return config_fail(r, at(node, "record"),
            "braces present in the recording rule name; should it be in expr?: %s", fields->record);
    }
    return 0;
}

/* The texts under `key` of a rule, its group's labels included. */
static int check_texts(struct parser *p, const struct yaml_node *node, const char *key,
    struct str alert, const struct label *texts, size_t count)
{
    const struct yaml_node *mapping = yaml_get(node, key);
    for (size_t i = 0; i < count; i++) {
        struct err e = ERR_INIT;
        int status = rule_text_check(alert, texts[i].value, &e);
        if (status == ERR_NOMEM) {
            return err_set(&p->problem, status, -1, "%s", err_text(status));
        }
        if (status != 0) {
            const struct yaml_node *text =
                mapping != NULL ? yaml_get(mapping, texts[i].name.ptr) : NULL;
            return config_fail(&p->reader, text != NULL ? text : node,
                "%s \"%.*s\": could not parse template: %s", key, STR_ARG(texts[i].name),
                e.message);
        }
    }
    return 0;
}

static bool is_set(const char *text)
{
    return text != NULL && text[0] != '\0';
}

static int read_rule(struct parser *p, const struct yaml_node *node,
    const struct rule_group_definition *group, struct rule_definition *rule)
{
    struct config_reader *r = &p->reader;
    struct rule_fields fields = {0};
    int status = config_read(r->arena, r->file, node, rule_table, &fields, r->err);
    if (status != 0) {
        return status;
    }
    bool alerting = is_set(fields.alert);
    if (alerting && is_set(fields.record)) {
        return config_fail(r, at(node, "alert"), "only one of 'record' and 'alert' must be set");
    }
    if (!alerting && !is_set(fields.record)) {
        return config_fail(r, node, "one of 'record' or 'alert' must be set");
    }
    rule->alerting = alerting;
    rule->name = str_of(alerting ? fields.alert : fields.record);
    rule->line = node->line;
    rule->for_ms = fields.for_ms;
    rule->keep_firing_for_ms = fields.keep_firing_for_ms;
    if (!is_set(fields.expr)) {
        return config_fail(r, node, "field 'expr' must be set in rule");
    }
    status = check_expression(p, at(node, "expr"), str_of(fields.expr), &rule->expr);
    if (status == 0 && !alerting) {
        status = check_record(p, node, &fields);
    }
    if (status == 0) {
        status = merge_labels(p, at(node, "labels"), "label", group->labels, group->label_count,
            &fields.labels, &rule->labels, &rule->label_count);
    }
    if (status == 0) {
        status = merge_labels(p, at(node, "annotations"), "annotation", NULL, 0,
            &fields.annotations, &rule->annotations, &rule->annotation_count);
    }
    if (status == 0 && alerting) {
        status = check_texts(p, node, "labels", rule->name, rule->labels, rule->label_count);
    }
    if (status == 0 && alerting) {
        status = check_texts(
            p, node, "annotations", rule->name, rule->annotations, rule->annotation_count);
    }
    return status;
}

static int read_rules(
    struct parser *p, const struct group_fields *fields, struct rule_group_definition *group)
{
    size_t count = fields->rules != NULL ? fields->rules->count : 0;
    struct rule_definition *rules = arena_calloc(&p->file->arena, count + 1, sizeof(*rules));
    if (rules == NULL) {
        return no_memory(p);
    }
    group->rules = rules;
    for (size_t i = 0; i < count; i++) {
        struct rule_definition *rule = &rules[group->rule_count];
        int status = read_rule(p, fields->rules->entries[i].value, group, rule);
        if (status == ERR_INVALID) {
            struct strbuf where = STRBUF_INIT;
            strbuf_addf(&where, "%s (group \"%.*s\", rule %zu", p->problem.message,
                STR_ARG(group->name), i + 1);
            if (rule->name.len > 0) {
                strbuf_addf(&where, ", \"%.*s\"", STR_ARG(rule->name));
            }
            strbuf_add_char(&where, ')');
            if (strbuf_error(&where) == 0) {
                err_set(&p->problem, ERR_INVALID, -1, "%s", where.data);
            }
            strbuf_release(&where);
        }
        if (!go_on(p, status)) {
            return status;
        }
        group->rule_count += status == 0;
    }
    return 0;
}

/* ---- Groups ---- */

static int read_group(struct parser *p, const struct yaml_node *node)
{
    struct config_reader *r = &p->reader;
    struct group_fields fields = {0};
    int status = config_read(r->arena, r->file, node, group_table, &fields, r->err);
    if (status != 0) {
        return status;
    }
    if (!is_set(fields.name)) {
        return config_fail(r, node, "Groupname must not be empty");
    }
    struct rule_group_definition *group = &p->file->groups[p->file->group_count];
    for (size_t i = 0; i < p->file->group_count; i++) {
        if (str_eq_c(p->file->groups[i].name, fields.name)) {
            return config_fail(
                r, at(node, "name"), "groupname: \"%s\" is repeated in the same file", fields.name);
        }
    }
    *group = (struct rule_group_definition){.name = str_of(fields.name),
        .file = str_of(r->file),
        .interval_ms = fields.interval_ms,
        .limit = (size_t)fields.limit,
        .has_query_offset = yaml_get(node, "query_offset") != NULL,
        .query_offset_ms = fields.query_offset_ms};
    status = merge_labels(p, at(node, "labels"), "label", NULL, 0, &fields.labels, &group->labels,
        &group->label_count);
    if (status == 0) {
        status = read_rules(p, &fields, group);
    }
    p->file->group_count += status == 0;
    return status;
}

static int read_groups(struct parser *p, const struct yaml_node *const *nodes, size_t count)
{
    p->file->groups = arena_calloc(&p->file->arena, count + 1, sizeof(*p->file->groups));
    if (p->file->groups == NULL) {
        return no_memory(p);
    }
    for (size_t i = 0; i < count; i++) {
        int status = read_group(p, nodes[i]);
        if (!go_on(p, status)) {
            return status;
        }
    }
    return 0;
}

static int read_file(struct parser *p, const struct yaml_node *root)
{
    struct file_fields fields = {0};
    struct config_reader *r = &p->reader;
    int status = config_read(r->arena, r->file, root, file_table, &fields, r->err);
    if (status != 0) {
        return status;
    }
    size_t count = fields.groups != NULL ? fields.groups->count : 0;
    if (count > RULE_FILE_GROUPS_MAX) {
        return config_fail(r, fields.groups, "a file has at most %d groups", RULE_FILE_GROUPS_MAX);
    }
    const struct yaml_node **nodes = arena_calloc(&p->file->arena, count + 1, sizeof(*nodes));
    if (nodes == NULL) {
        return no_memory(p);
    }
    for (size_t i = 0; i < count; i++) {
        nodes[i] = fields.groups->entries[i].value;
    }
    return read_groups(p, nodes, count);
}

/* ---- The file ---- */

static int parse(const char *name, struct str text, bool one_group, struct parser *p)
{
    struct rule_file *file = mem_calloc(1, sizeof(*file));
    if (file == NULL) {
        return err_set(p->first, ERR_NOMEM, -1, "%s", err_text(ERR_NOMEM));
    }
    atomic_init(&file->references, 1);
    arena_init(&file->arena, 0);
    p->file = file;
    p->problem = (struct err)ERR_INIT;
    struct yaml_node *root = NULL;
    char *kept = arena_strndup(&file->arena, name, strlen(name));
    p->reader = (struct config_reader){&file->arena, kept, &p->problem};
    int status = kept == NULL ? no_memory(p) : 0;
    if (status == 0 && text.len > RULE_FILE_BYTES_MAX) {
        status = err_set(&p->problem, ERR_LIMIT, -1, "%s: a rule file has at most %zu bytes", name,
            RULE_FILE_BYTES_MAX);
    }
    if (status == 0) {
        status = yaml_parse(&file->arena, kept, text, &root, &p->problem);
    }
    if (status == 0 && one_group && root == NULL) {
        status = config_fail(&p->reader, NULL, "a rule group is expected");
    } else if (status == 0) {
        const struct yaml_node *only = root;
        status = one_group ? read_groups(p, &only, 1) : read_file(p, root);
    }
    if (p->status == 0) {
        (void)go_on(p, status); /* notes it */
    }
    return p->status;
}

static int finish(struct parser *p, int status, struct rule_file **file_out)
{
    if (status != 0) {
        rule_file_unref(p->file);
        return status;
    }
    *file_out = p->file;
    return 0;
}

int rule_file_parse(const char *name, struct str text, struct promql_features features,
    struct strbuf *problems, struct rule_file **file_out, struct err *e)
{
    struct parser p = {.features = features, .problems = problems, .first = e};
    return finish(&p, parse(name, text, false, &p), file_out);
}

int rule_file_read(const char *path, struct promql_features features, struct strbuf *problems,
    struct rule_file **file_out, struct err *e)
{
    char *text = NULL;
    size_t size;
    int status = vfs_read_file(vfs_posix(), path, RULE_FILE_BYTES_MAX, &text, &size);
    if (status != 0) {
        return err_set(e, status, -1, "%s: %s", path, err_text(status));
    }
    status = rule_file_parse(path, str_make(text, size), features, problems, file_out, e);
    mem_free(text);
    return status;
}

int rule_file_parse_group(const char *name, struct str text, struct promql_features features,
    struct rule_file **file_out, struct err *e)
{
    struct parser p = {.features = features, .first = e};
    return finish(&p, parse(name, text, true, &p), file_out);
}

struct rule_file *rule_file_ref(struct rule_file *file)
{
    atomic_fetch_add_explicit(&file->references, 1, memory_order_relaxed);
    return file;
}

void rule_file_unref(struct rule_file *file)
{
    if (file != NULL &&
        atomic_fetch_sub_explicit(&file->references, 1, memory_order_acq_rel) == 1) {
        arena_release(&file->arena);
        mem_free(file);
    }
}

const struct rule_group_definition *rule_file_groups(
    const struct rule_file *file, size_t *count_out)
{
    *count_out = file->group_count;
    return file->groups;
}
