/* Groups -> YAML, and whether two groups are the same. Text is written as double-quoted scalars, whose
 * escapes JSON shares, so that nothing has to be known about what YAML would make of a plain word. */
#include "base/json.h"
#include "model/duration.h"
#include "rules/rule_file.h"

static bool labels_same(
    const struct label *a, size_t a_count, const struct label *b, size_t b_count)
{
    if (a_count != b_count) {
        return false;
    }
    for (size_t i = 0; i < a_count; i++) {
        if (!str_eq(a[i].name, b[i].name) || !str_eq(a[i].value, b[i].value)) {
            return false;
        }
    }
    return true;
}

static bool rule_same(const struct rule_definition *a, const struct rule_definition *b)
{
    return a->alerting == b->alerting && str_eq(a->name, b->name) && str_eq(a->expr, b->expr) &&
           a->for_ms == b->for_ms && a->keep_firing_for_ms == b->keep_firing_for_ms &&
           labels_same(a->labels, a->label_count, b->labels, b->label_count) &&
           labels_same(a->annotations, a->annotation_count, b->annotations, b->annotation_count);
}

bool rule_group_eq(const struct rule_group_definition *a, const struct rule_group_definition *b)
{
    if (!str_eq(a->name, b->name) || !str_eq(a->file, b->file) ||
        a->interval_ms != b->interval_ms || a->limit != b->limit ||
        a->has_query_offset != b->has_query_offset || a->query_offset_ms != b->query_offset_ms ||
        a->rule_count != b->rule_count) {
        return false;
    }
    for (size_t i = 0; i < a->rule_count; i++) {
        if (!rule_same(&a->rules[i], &b->rules[i])) {
            return false;
        }
    }
    return true;
}

/* ---- YAML ---- */

static void write_quoted(struct strbuf *out, struct str text)
{
    struct json_writer json;
    json_init(&json, out);
    json_string(&json, text);
}

static void begin_line(struct strbuf *out, size_t indent, const char *key)
{
    for (size_t i = 0; i < indent; i++) {
        strbuf_add_char(out, ' ');
    }
    strbuf_addf(out, "%s:", key);
}

static void write_text(struct strbuf *out, size_t indent, const char *key, struct str text)
{
    begin_line(out, indent, key);
    strbuf_add_char(out, ' ');
    write_quoted(out, text);
    strbuf_add_char(out, '\n');
}

static void write_duration(struct strbuf *out, size_t indent, const char *key, int64_t ms)
{
    begin_line(out, indent, key);
    strbuf_add_char(out, ' ');
    duration_write(ms, out);
    strbuf_add_char(out, '\n');
}

static void write_labels(
    struct strbuf *out, size_t indent, const char *key, const struct label *labels, size_t count)
{
    if (count == 0) {
        return;
    }
    begin_line(out, indent, key);
    strbuf_add_char(out, '\n');
    for (size_t i = 0; i < count; i++) {
        for (size_t k = 0; k < indent + 4; k++) {
            strbuf_add_char(out, ' ');
        }
        write_quoted(out, labels[i].name);
        strbuf_add_c(out, ": ");
        write_quoted(out, labels[i].value);
        strbuf_add_char(out, '\n');
    }
}

/* The labels that the rule has for itself: without those its group gives it. */
static void write_own_labels(const struct rule_group_definition *group,
    const struct rule_definition *rule, size_t indent, struct strbuf *out)
{
    bool begun = false;
    for (size_t i = 0; i < rule->label_count; i++) {
        const struct label *l = &rule->labels[i];
        bool inherited = false;
        for (size_t k = 0; k < group->label_count; k++) {
            inherited = inherited || (str_eq(group->labels[k].name, l->name) &&
                                         str_eq(group->labels[k].value, l->value));
        }
        if (inherited) {
            continue;
        }
        if (!begun) {
            begin_line(out, indent, "labels");
            strbuf_add_char(out, '\n');
            begun = true;
        }
        for (size_t k = 0; k < indent + 4; k++) {
            strbuf_add_char(out, ' ');
        }
        write_quoted(out, l->name);
        strbuf_add_c(out, ": ");
        write_quoted(out, l->value);
        strbuf_add_char(out, '\n');
    }
}

static void write_rule(const struct rule_group_definition *group,
    const struct rule_definition *rule, size_t indent, struct strbuf *out)
{
    write_text(out, indent, rule->alerting ? "- alert" : "- record", rule->name);
    indent += 2;
    write_text(out, indent, "expr", rule->expr);
    if (rule->for_ms != 0) {
        write_duration(out, indent, "for", rule->for_ms);
    }
    if (rule->keep_firing_for_ms != 0) {
        write_duration(out, indent, "keep_firing_for", rule->keep_firing_for_ms);
    }
    write_own_labels(group, rule, indent, out);
    write_labels(out, indent, "annotations", rule->annotations, rule->annotation_count);
}

/* All but the name. */
static void write_body(const struct rule_group_definition *group, size_t indent, struct strbuf *out)
{
    if (group->interval_ms != 0) {
        write_duration(out, indent, "interval", group->interval_ms);
    }
    if (group->limit != 0) {
        begin_line(out, indent, "limit");
        strbuf_addf(out, " %zu\n", group->limit);
    }
    if (group->has_query_offset) {
        write_duration(out, indent, "query_offset", group->query_offset_ms);
    }
    write_labels(out, indent, "labels", group->labels, group->label_count);
    begin_line(out, indent, "rules");
    strbuf_add_c(out, group->rule_count > 0 ? "\n" : " []\n");
    for (size_t i = 0; i < group->rule_count; i++) {
        write_rule(group, &group->rules[i], indent + 4, out);
    }
}

void rule_group_write(const struct rule_group_definition *group, size_t indent, struct strbuf *out)
{
    write_text(out, indent, "- name", group->name);
    write_body(group, indent + 2, out);
}

void rule_group_write_alone(const struct rule_group_definition *group, struct strbuf *out)
{
    write_text(out, 0, "name", group->name);
    write_body(group, 0, out);
}
