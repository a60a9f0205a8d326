/* What the actions of relabel rules do. Those of vmagent are as its documents say. */
#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "base/hash.h"
#include "relabel_rule.h"

/* ---- Actions ---- */

/* `text` with its groups filled in, in the arena. 1 when the pattern matched, else 0. */
static int expand(const struct rule *rule, struct str value, struct str text, struct arena *arena,
    struct str *out)
{
    struct strbuf expanded;
    strbuf_init(&expanded, LABELS_BYTES_MAX);
    int status = regex_expand(rule->regex, value, text, &expanded);
    if (status > 0 && strbuf_error(&expanded) != 0) {
        status = strbuf_error(&expanded);
    }
    if (status > 0) {
        struct str result = strbuf_str(&expanded);
        char *copy = arena_strndup(arena, result.ptr, result.len);
        *out = str_make(copy, result.len);
        status = copy == NULL ? arena_error(arena) : 1;
    }
    strbuf_release(&expanded);
    return status;
}

static int apply_replace(
    const struct rule *rule, struct str value, struct labels_builder *b, struct arena *arena)
{
    struct str target, result;
    int status = expand(rule, value, rule->target, arena, &target);
    if (status <= 0 || target.len == 0) {
        return status < 0 ? status : 1; /* no match, or no label to set: nothing happens */
    }
    status = expand(rule, value, rule->replacement, arena, &result);
    if (status > 0) {
        labels_builder_set(b, target, result); /* an empty value deletes */
    }
    return status;
}

static int apply_keep(
    const struct rule *rule, struct str value, struct labels_builder *b, struct arena *arena)
{
    (void)b, (void)arena;
    return regex_matches(rule->regex, value);
}

static int apply_drop(
    const struct rule *rule, struct str value, struct labels_builder *b, struct arena *arena)
{
    (void)b, (void)arena;
    return !regex_matches(rule->regex, value);
}

static int apply_keepequal(
    const struct rule *rule, struct str value, struct labels_builder *b, struct arena *arena)
{
    (void)arena;
    return str_eq(labels_builder_get(b, rule->target), value);
}

static int apply_dropequal(
    const struct rule *rule, struct str value, struct labels_builder *b, struct arena *arena)
{
    (void)arena;
    return !str_eq(labels_builder_get(b, rule->target), value);
}

/* The last eight bytes of the MD5 sum, big-endian, modulo: what Prometheus computes, so that its
 * shards and ours agree. */
static int apply_hashmod(
    const struct rule *rule, struct str value, struct labels_builder *b, struct arena *arena)
{
    uint8_t sum[HASH_MD5_SIZE];
    char text[24];
    hash_md5(value.ptr, value.len, sum);
    uint64_t tail = 0;
    for (size_t i = HASH_MD5_SIZE - 8; i < HASH_MD5_SIZE; i++) {
        tail = tail << 8 | sum[i];
    }
    int length = snprintf(text, sizeof(text), "%llu", (unsigned long long)(tail % rule->modulus));
    char *copy = arena_strndup(arena, text, (size_t)length);
    if (copy == NULL) {
        return arena_error(arena);
    }
    labels_builder_set(b, rule->target, str_make(copy, (size_t)length));
    return 1;
}

static int apply_labelmap(
    const struct rule *rule, struct str value, struct labels_builder *b, struct arena *arena)
{
    (void)value;
    size_t count = b->count; /* labels that the rule makes are not looked at */
    struct label *before = arena_dup(arena, b->pairs, count * sizeof(*before));
    if (before == NULL) {
        return arena_error(arena);
    }
    for (size_t i = 0; i < count; i++) {
        struct str name;
        int status = expand(rule, before[i].name, rule->replacement, arena, &name);
        if (status < 0) {
            return status;
        }
        if (status > 0 && name.len > 0) {
            labels_builder_set(b, name, before[i].value);
        }
    }
    return 1;
}

/* Removes the labels whose names match, or do not. */
static int remove_labels(const struct rule *rule, struct labels_builder *b, bool matching)
{
    for (size_t i = b->count; i-- > 0;) {
        if (regex_matches(rule->regex, b->pairs[i].name) == matching) {
            labels_builder_delete(b, b->pairs[i].name);
        }
    }
    return 1;
}

static int apply_labeldrop(
    const struct rule *rule, struct str value, struct labels_builder *b, struct arena *arena)
{
    (void)value, (void)arena;
    return remove_labels(rule, b, true);
}

static int apply_labelkeep(
    const struct rule *rule, struct str value, struct labels_builder *b, struct arena *arena)
{
    (void)value, (void)arena;
    return remove_labels(rule, b, false);
}

/* ASCII letters only; Prometheus changes those of other alphabets as well. */
static int set_case(const struct rule *rule, struct str value, int (*convert)(int),
    struct labels_builder *b, struct arena *arena)
{
    char *copy = arena_strndup(arena, value.ptr, value.len);
    if (copy == NULL) {
        return arena_error(arena);
    }
    for (size_t i = 0; i < value.len; i++) {
        unsigned char c = (unsigned char)copy[i];
        copy[i] = (char)(c < 0x80 ? convert(c) : c);
    }
    labels_builder_set(b, rule->target, str_make(copy, value.len));
    return 1;
}

static int apply_lowercase(
    const struct rule *rule, struct str value, struct labels_builder *b, struct arena *arena)
{
    return set_case(rule, value, tolower, b, arena);
}

static int apply_uppercase(
    const struct rule *rule, struct str value, struct labels_builder *b, struct arena *arena)
{
    return set_case(rule, value, toupper, b, arena);
}

/* ---- vmagent's ---- */

/* 1 when all sources have one value. */
static int sources_equal(const struct rule *rule, const struct labels_builder *b)
{
    for (size_t i = 1; i < rule->source_count; i++) {
        if (!str_eq(
                labels_builder_get(b, rule->sources[i]), labels_builder_get(b, rule->sources[0]))) {
            return 0;
        }
    }
    return 1;
}

static int apply_keep_if_equal(
    const struct rule *rule, struct str value, struct labels_builder *b, struct arena *arena)
{
    (void)value, (void)arena;
    return sources_equal(rule, b);
}

static int apply_drop_if_equal(
    const struct rule *rule, struct str value, struct labels_builder *b, struct arena *arena)
{
    (void)value, (void)arena;
    return !sources_equal(rule, b);
}

/* 1 when the target's value holds that of each source. */
static int target_contains(const struct rule *rule, const struct labels_builder *b)
{
    struct str whole = labels_builder_get(b, rule->target);
    for (size_t i = 0; i < rule->source_count; i++) {
        struct str part = labels_builder_get(b, rule->sources[i]);
        if (part.len > whole.len ||
            (part.len > 0 && memmem(whole.ptr, whole.len, part.ptr, part.len) == NULL)) {
            return 0;
        }
    }
    return 1;
}

static int apply_keep_if_contains(
    const struct rule *rule, struct str value, struct labels_builder *b, struct arena *arena)
{
    (void)value, (void)arena;
    return target_contains(rule, b);
}

static int apply_drop_if_contains(
    const struct rule *rule, struct str value, struct labels_builder *b, struct arena *arena)
{
    (void)value, (void)arena;
    return !target_contains(rule, b);
}

static int apply_keep_metrics(
    const struct rule *rule, struct str value, struct labels_builder *b, struct arena *arena)
{
    (void)value, (void)arena;
    return regex_matches(rule->regex, labels_builder_get(b, STR(LABEL_METRIC_NAME)));
}

static int apply_drop_metrics(
    const struct rule *rule, struct str value, struct labels_builder *b, struct arena *arena)
{
    (void)value, (void)arena;
    return !regex_matches(rule->regex, labels_builder_get(b, STR(LABEL_METRIC_NAME)));
}

/* Each match of the pattern in a text replaced; 1 when there was one, else 0. */
static int replace_parts(
    const struct rule *rule, struct str text, struct arena *arena, struct str *out)
{
    struct strbuf replaced;
    if (!regex_found(rule->regex, text)) {
        return 0;
    }
    strbuf_init(&replaced, LABELS_BYTES_MAX);
    int status = regex_replace_all(rule->regex, text, rule->replacement, &replaced);
    status = status == 0 ? strbuf_error(&replaced) : status;
    if (status == 0) {
        struct str result = strbuf_str(&replaced);
        char *copy = arena_strndup(arena, result.ptr, result.len);
        *out = str_make(copy, result.len);
        status = copy == NULL ? arena_error(arena) : 1;
    }
    strbuf_release(&replaced);
    return status;
}

static int apply_replace_all(
    const struct rule *rule, struct str value, struct labels_builder *b, struct arena *arena)
{
    struct str result;
    int status = replace_parts(rule, value, arena, &result);
    if (status > 0) {
        labels_builder_set(b, rule->target, result);
    }
    return status < 0 ? status : 1;
}

/* Labels get other names, and lose the old ones. */
static int apply_labelmap_all(
    const struct rule *rule, struct str value, struct labels_builder *b, struct arena *arena)
{
    (void)value;
    size_t count = b->count;
    struct label *before = arena_dup(arena, b->pairs, count * sizeof(*before));
    if (before == NULL) {
        return arena_error(arena);
    }
    for (size_t i = 0; i < count; i++) {
        struct str name;
        int status = replace_parts(rule, before[i].name, arena, &name);
        if (status < 0) {
            return status;
        }
        if (status > 0 && !str_eq(name, before[i].name)) {
            labels_builder_delete(b, before[i].name);
        }
        if (status > 0 && name.len > 0) {
            labels_builder_set(b, name, before[i].value);
        }
    }
    return 1;
}

/* Parts of a name with dots become labels, when the name is of the template. */
static int apply_graphite(
    const struct rule *rule, struct str value, struct labels_builder *b, struct arena *arena)
{
    (void)value;
    struct str name = labels_builder_get(b, STR(LABEL_METRIC_NAME));
    for (size_t i = 0; i < rule->label_count; i++) {
        struct str result;
        int status = expand(rule, name, rule->labels[i].value, arena, &result);
        if (status <= 0) {
            return status < 0 ? status : 1;
        }
        labels_builder_set(b, rule->labels[i].name, result);
    }
    return 1;
}

static const struct action actions[] = {
    {"replace", apply_replace, USES_SOURCE | USES_REGEX | USES_TARGET | USES_REPLACEMENT},
    {"keep", apply_keep, USES_SOURCE | USES_REGEX | KEEPS},
    {"drop", apply_drop, USES_SOURCE | USES_REGEX},
    {"keepequal", apply_keepequal, USES_SOURCE | USES_TARGET},
    {"dropequal", apply_dropequal, USES_SOURCE | USES_TARGET},
    {"hashmod", apply_hashmod, USES_SOURCE | USES_TARGET | USES_MODULUS},
    {"labelmap", apply_labelmap, USES_REGEX | USES_REPLACEMENT},
    {"labeldrop", apply_labeldrop, USES_REGEX},
    {"labelkeep", apply_labelkeep, USES_REGEX},
    {"lowercase", apply_lowercase, USES_SOURCE | USES_TARGET},
    {"uppercase", apply_uppercase, USES_SOURCE | USES_TARGET},
    {"keep_if_equal", apply_keep_if_equal, USES_SOURCE},
    {"drop_if_equal", apply_drop_if_equal, USES_SOURCE},
    {"keep_if_contains", apply_keep_if_contains, USES_SOURCE | USES_TARGET},
    {"drop_if_contains", apply_drop_if_contains, USES_SOURCE | USES_TARGET},
    {"keep_metrics", apply_keep_metrics, USES_REGEX | KEEPS},
    {"drop_metrics", apply_drop_metrics, USES_REGEX},
    {"replace_all", apply_replace_all,
        USES_SOURCE | USES_REGEX | USES_TARGET | USES_REPLACEMENT | USES_PARTS},
    {"labelmap_all", apply_labelmap_all, USES_REGEX | USES_REPLACEMENT | USES_PARTS},
    {"graphite", apply_graphite, USES_MATCH},
};

enum { ACTION_COUNT = sizeof(actions) / sizeof(actions[0]) };

const struct action *relabel_action_find(const char *name)
{
    for (size_t i = 0; i < ACTION_COUNT; i++) {
        if (strcasecmp(actions[i].name, name) == 0) {
            return &actions[i];
        }
    }
    return NULL;
}

void relabel_action_write_names(struct strbuf *out)
{
    for (size_t i = 0; i < ACTION_COUNT; i++) {
        strbuf_addf(out, "%s%s", i > 0 ? ", " : "", actions[i].name);
    }
}
