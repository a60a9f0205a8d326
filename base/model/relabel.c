/* Prometheus' relabelling: the settings of a rule, checking and compiling, and the walk over a list.
 * The reference is "relabel_config" in Prometheus' configuration documents, and for corner cases
 * its model/relabel; vmagent's actions and its `if` are taken, too.
 */
#include "model/relabel.h"

#include <stdatomic.h>
#include <string.h>

#include "base/hash.h"
#include "base/mem.h"
#include "relabel_rule.h"

#define SEPARATOR_DEFAULT ";"
#define REGEX_DEFAULT "(.*)"
#define REPLACEMENT_DEFAULT "$1"

struct relabel {
    _Atomic uint32_t references;
    struct arena arena;       /* strings */
    struct hash128 signature; /* of the rules as written */
    size_t count;
    struct rule rules[];
};

const struct config_field relabel_fields[] = {
    {.key = "source_labels",
        .kind = CONFIG_STRING_LIST,
        .offset = offsetof(struct relabel_rule, source_labels),
        .help = "Labels whose values are joined and matched"},
    {.key = "separator",
        .kind = CONFIG_STRING,
        .offset = offsetof(struct relabel_rule, separator),
        .default_text = SEPARATOR_DEFAULT,
        .help = "What stands between the values"},
    {.key = "regex",
        .kind = CONFIG_STRING,
        .offset = offsetof(struct relabel_rule, regex),
        .default_text = REGEX_DEFAULT,
        .joined_by = "|",
        .help = "Pattern for the whole of the joined values, or of label names; of a list one must "
                "match"},
    {.key = "modulus",
        .kind = CONFIG_INTEGER,
        .offset = offsetof(struct relabel_rule, modulus),
        .default_text = "0",
        .max = INT64_MAX,
        .help = "For hashmod: into how many the hashes fall"},
    {.key = "target_label",
        .kind = CONFIG_STRING,
        .offset = offsetof(struct relabel_rule, target_label),
        .default_text = "",
        .help = "Label that gets the result"},
    {.key = "replacement",
        .kind = CONFIG_STRING,
        .offset = offsetof(struct relabel_rule, replacement),
        .default_text = REPLACEMENT_DEFAULT,
        .help = "New value; $1, ${name} are groups of the pattern"},
    {.key = "if",
        .kind = CONFIG_STRING_LIST,
        .offset = offsetof(struct relabel_rule, when),
        .word_too = true,
        .help = "The rule is for what one of these selectors matches, as {job=\"a\"}; keep drops "
                "the rest"},
    {.key = "match",
        .kind = CONFIG_STRING,
        .offset = offsetof(struct relabel_rule, match),
        .default_text = "",
        .help = "For graphite: a metric name with * for each part that matters"},
    {.key = "labels",
        .kind = CONFIG_STRING_MAP,
        .offset = offsetof(struct relabel_rule, labels),
        .help = "For graphite: labels to set; $1 is the first * of match"},
    {.key = "action",
        .kind = CONFIG_STRING,
        .offset = offsetof(struct relabel_rule, action),
        .default_text = "replace",
        .help =
            "replace, keep, drop, keepequal, dropequal, hashmod, labelmap, labeldrop, labelkeep, "
            "lowercase, uppercase; as in vmagent: keep_if_equal, drop_if_equal, keep_if_contains, "
            "drop_if_contains, keep_metrics, drop_metrics, replace_all, labelmap_all, graphite"},
    {.key = NULL},
};

/* ---- Checking and compiling ---- */

/* What is set though the action has no use for it; NULL when nothing is. */
static const char *useless_setting(const struct action *action, const struct relabel_rule *rule)
{
    bool strict = strncmp(action->name, "label", 5) == 0 || strstr(action->name, "equal") != NULL;
    if (!(action->uses & USES_REPLACEMENT) && (strict || strstr(action->name, "case") != NULL) &&
        strcmp(rule->replacement, REPLACEMENT_DEFAULT) != 0) {
        return "replacement";
    }
    if (!strict) {
        return NULL; /* as Prometheus: the others ignore what they do not use */
    }
    if (!(action->uses & USES_REGEX) && strcmp(rule->regex, REGEX_DEFAULT) != 0) {
        return "regex";
    }
    if (!(action->uses & USES_MODULUS) && rule->modulus != 0) {
        return "modulus";
    }
    if (!(action->uses & USES_SOURCE) && !(action->uses & USES_REPLACEMENT) &&
        rule->source_labels.count > 0) {
        return "source_labels";
    }
    if (!(action->uses & USES_TARGET) && !(action->uses & USES_REPLACEMENT) &&
        rule->target_label[0] != '\0') {
        return "target_label";
    }
    bool joined = (action->uses & (USES_SOURCE | USES_REGEX)) == (USES_SOURCE | USES_REGEX);
    return !joined && !(action->uses & USES_REPLACEMENT) &&
                   strcmp(rule->separator, SEPARATOR_DEFAULT) != 0
               ? "separator"
               : NULL;
}

static int check_rule(
    const struct action *action, const struct relabel_rule *rule, size_t number, struct err *e)
{
    if ((action->uses & USES_TARGET) && rule->target_label[0] == '\0') {
        return err_set(e, ERR_INVALID, -1, "relabel rule %zu: action %s needs a target_label",
            number, action->name);
    }
    if ((action->uses & USES_MODULUS) && rule->modulus <= 0) {
        return err_set(e, ERR_INVALID, -1, "relabel rule %zu: action %s needs a modulus above zero",
            number, action->name);
    }
    bool has_match = rule->match != NULL && rule->match[0] != '\0';
    if ((action->uses & USES_MATCH) && (!has_match || rule->labels.count == 0)) {
        return err_set(e, ERR_INVALID, -1, "relabel rule %zu: action %s needs match and labels",
            number, action->name);
    }
    if (!(action->uses & USES_MATCH) && (has_match || rule->labels.count > 0)) {
        return err_set(e, ERR_INVALID, -1, "relabel rule %zu: action %s takes no match and labels",
            number, action->name);
    }
    const char *useless = useless_setting(action, rule);
    if (useless != NULL) {
        return err_set(e, ERR_INVALID, -1, "relabel rule %zu: action %s takes no %s", number,
            action->name, useless);
    }
    return 0;
}

/* False when there is no memory. */
static bool copy_text(struct arena *arena, const char *text, struct str *out)
{
    size_t length = strlen(text);
    const char *copy = arena_strndup(arena, text, length);
    *out = str_make(copy, length);
    return copy != NULL;
}

static bool copy_sources(struct arena *arena, const struct config_strings *from, struct rule *out)
{
    out->sources = arena_calloc(arena, from->count, sizeof(*out->sources));
    for (; out->sources != NULL && out->source_count < from->count; out->source_count++) {
        if (!copy_text(arena, from->items[out->source_count], &out->sources[out->source_count])) {
            return false;
        }
    }
    return out->sources != NULL || from->count == 0;
}

static bool copy_labels(struct arena *arena, const struct config_map *from, struct rule *out)
{
    out->labels = arena_calloc(arena, from->count, sizeof(*out->labels));
    for (; out->labels != NULL && out->label_count < from->count; out->label_count++) {
        const struct config_pair *pair = &from->items[out->label_count];
        struct rule_label *label = &out->labels[out->label_count];
        if (!copy_text(arena, pair->key, &label->name) ||
            !copy_text(arena, pair->value, &label->value)) {
            return false;
        }
    }
    return out->labels != NULL || from->count == 0;
}

/* The pattern of a template: each * is a part of a name, between dots; all else stands for itself. */
static void write_template(const char *match, struct strbuf *out)
{
    for (; *match != '\0'; match++) {
        if (*match == '*') {
            strbuf_add_c(out, "([^.]*)");
        } else {
            strbuf_add_c(out, strchr("\\.+?()|[]{}^$", *match) != NULL ? "\\" : "");
            strbuf_add_char(out, *match);
        }
    }
}

static int compile_regex(
    const struct relabel_rule *rule, size_t number, struct rule *out, struct err *e)
{
    struct err why = ERR_INIT;
    struct strbuf pattern;
    strbuf_init(&pattern, REGEX_PATTERN_MAX);
    if (out->action->uses & USES_MATCH) {
        write_template(rule->match, &pattern);
    } else {
        strbuf_add_c(&pattern, rule->regex);
    }
    int status = strbuf_error(&pattern);
    if (status == 0) {
        status = out->action->uses & USES_PARTS
                     ? regex_new_unanchored(strbuf_str(&pattern), &out->regex, &why)
                     : regex_new(strbuf_str(&pattern), &out->regex, &why);
    }
    strbuf_release(&pattern);
    return status == 0 ? 0
                       : err_set(e, status, -1, "relabel rule %zu: %s \"%s\": %s", number,
                             out->action->uses & USES_MATCH ? "match" : "regex",
                             out->action->uses & USES_MATCH ? rule->match : rule->regex,
                             why.code != 0 ? why.message : err_text(status));
}

static int compile_when(struct arena *arena, const struct relabel_rule *rule, size_t number,
    struct rule *out, struct err *e)
{
    struct err why = ERR_INIT;
    out->when = arena_calloc(arena, rule->when.count, sizeof(*out->when));
    if (out->when == NULL && rule->when.count > 0) {
        return err_set(e, arena_error(arena), -1, "out of memory for relabel rules");
    }
    for (size_t i = 0; i < rule->when.count; i++) {
        int status = series_selector_parse(str_of(rule->when.items[i]), &out->when[i], &why);
        if (status != 0) {
            return err_set(e, status, -1, "relabel rule %zu: if: %s", number, why.message);
        }
        out->when_count++;
    }
    return 0;
}

static int compile_rule(struct arena *arena, const struct relabel_rule *rule, size_t number,
    struct rule *out, struct err *e)
{
    out->action = relabel_action_find(rule->action);
    if (out->action == NULL) {
        struct strbuf names = STRBUF_INIT;
        relabel_action_write_names(&names);
        int status = err_set(e, ERR_INVALID, -1, "relabel rule %zu: action \"%s\"; accepted: %s",
            number, rule->action, names.data != NULL ? names.data : "");
        strbuf_release(&names);
        return status;
    }
    int status = check_rule(out->action, rule, number, e);
    status = status == 0 ? compile_regex(rule, number, out, e) : status;
    status = status == 0 ? compile_when(arena, rule, number, out, e) : status;
    if (status != 0) {
        return status;
    }
    out->modulus = (uint64_t)rule->modulus;
    bool copied = copy_text(arena, rule->separator, &out->separator) &&
                  copy_text(arena, rule->target_label, &out->target) &&
                  copy_text(arena, rule->replacement, &out->replacement) &&
                  copy_sources(arena, &rule->source_labels, out) &&
                  copy_labels(arena, &rule->labels, out);
    return copied ? 0 : err_set(e, arena_error(arena), -1, "out of memory for relabel rules");
}

static void sign_text(struct strbuf *b, const char *text)
{
    strbuf_add(b, text, strlen(text) + 1);
}

static int sign(const struct relabel_rule *rules, size_t count, struct hash128 *signature_out)
{
    struct strbuf text = STRBUF_INIT;
    for (size_t i = 0; i < count; i++) {
        const struct relabel_rule *rule = &rules[i];
        sign_text(&text, rule->action);
        sign_text(&text, rule->separator);
        sign_text(&text, rule->regex);
        sign_text(&text, rule->target_label);
        sign_text(&text, rule->replacement);
        strbuf_addf(&text, "%lld %zu ", (long long)rule->modulus, rule->source_labels.count);
        for (size_t k = 0; k < rule->source_labels.count; k++) {
            sign_text(&text, rule->source_labels.items[k]);
        }
        strbuf_addf(&text, "%zu %zu ", rule->when.count, rule->labels.count);
        for (size_t k = 0; k < rule->when.count; k++) {
            sign_text(&text, rule->when.items[k]);
        }
        sign_text(&text, rule->match != NULL ? rule->match : "");
        for (size_t k = 0; k < rule->labels.count; k++) {
            sign_text(&text, rule->labels.items[k].key);
            sign_text(&text, rule->labels.items[k].value);
        }
    }
    int status = strbuf_error(&text);
    *signature_out = hash128(text.data, text.size, 0);
    strbuf_release(&text);
    return status;
}

int relabel_new(
    const struct relabel_rule *rules, size_t count, struct relabel **relabel_out, struct err *e)
{
    if (count > RELABEL_RULES_MAX) {
        return err_set(e, ERR_LIMIT, -1, "%zu relabel rules in one list; at most %d", count,
            RELABEL_RULES_MAX);
    }
    struct relabel *r = mem_calloc(1, sizeof(*r) + count * sizeof(struct rule));
    if (r == NULL) {
        return err_set(e, ERR_NOMEM, -1, "out of memory for relabel rules");
    }
    arena_init(&r->arena, 0);
    atomic_init(&r->references, 1);
    int status = sign(rules, count, &r->signature);
    for (size_t i = 0; status == 0 && i < count; i++) {
        r->count = i + 1;
        status = compile_rule(&r->arena, &rules[i], i + 1, &r->rules[i], e);
    }
    if (status != 0) {
        relabel_unref(r);
        return status;
    }
    *relabel_out = r;
    return 0;
}

struct relabel *relabel_ref(struct relabel *r)
{
    if (r != NULL) {
        atomic_fetch_add_explicit(&r->references, 1, memory_order_relaxed);
    }
    return r;
}

void relabel_unref(struct relabel *r)
{
    if (r == NULL || atomic_fetch_sub_explicit(&r->references, 1, memory_order_acq_rel) != 1) {
        return;
    }
    for (size_t i = 0; i < r->count; i++) {
        regex_free(r->rules[i].regex);
        for (size_t k = 0; k < r->rules[i].when_count; k++) {
            series_selector_release(&r->rules[i].when[k]);
        }
    }
    arena_release(&r->arena);
    mem_free(r);
}

bool relabel_eq(const struct relabel *a, const struct relabel *b)
{
    size_t count = relabel_count(a);
    return count == relabel_count(b) && (count == 0 || hash128_eq(a->signature, b->signature));
}

size_t relabel_count(const struct relabel *r)
{
    return r != NULL ? r->count : 0;
}

/* ---- Applying ---- */

/* The values of the source labels with the separator between them; absent ones are empty. */
static int join_sources(const struct rule *rule, const struct labels_builder *b,
    struct arena *arena, struct str *value_out)
{
    *value_out = STR("");
    if (rule->source_count == 1) {
        *value_out = labels_builder_get(b, rule->sources[0]);
        return 0;
    }
    size_t length = 0;
    for (size_t i = 0; i < rule->source_count; i++) {
        length += labels_builder_get(b, rule->sources[i]).len + rule->separator.len;
    }
    if (length == 0) {
        return 0;
    }
    char *text = arena_alloc(arena, length);
    if (text == NULL) {
        return arena_error(arena);
    }
    size_t at = 0;
    for (size_t i = 0; i < rule->source_count; i++) {
        struct str part = labels_builder_get(b, rule->sources[i]);
        if (i > 0 && rule->separator.len > 0) {
            memcpy(text + at, rule->separator.ptr, rule->separator.len);
            at += rule->separator.len;
        }
        if (part.len > 0) {
            memcpy(text + at, part.ptr, part.len);
            at += part.len;
        }
    }
    *value_out = str_make(text, at);
    return 0;
}

/* Whether one of the rule's selectors matches; without any it is for everybody. */
static bool is_for(const struct rule *rule, const struct labels_builder *b)
{
    for (size_t i = 0; i < rule->when_count; i++) {
        if (series_selector_matches(&rule->when[i], b->pairs, b->count)) {
            return true;
        }
    }
    return rule->when_count == 0;
}

int relabel_apply_one(
    const struct relabel *r, size_t index, struct labels_builder *b, struct arena *arena)
{
    const struct rule *rule = &r->rules[index];
    struct str value;
    if (!is_for(rule, b)) {
        return rule->action->uses & KEEPS ? 0 : 1;
    }
    int status = join_sources(rule, b, arena, &value);
    if (status == 0) {
        status = rule->action->apply(rule, value, b, arena);
    }
    return status >= 0 && b->error != 0 ? b->error : status;
}

int relabel_apply(const struct relabel *r, struct labels_builder *b, struct arena *arena)
{
    int status = 1;
    for (size_t i = 0; status == 1 && i < relabel_count(r); i++) {
        status = relabel_apply_one(r, i, b, arena);
    }
    return status;
}
