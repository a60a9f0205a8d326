/* Prometheus' relabelling: the table of actions, checking of rules, and applying them.
 * The reference is "relabel_config" in Prometheus' configuration documents, and for corner cases
 * its model/relabel; vmagent's actions that need no other regular expressions are taken, too.
 */
#include "model/relabel.h"

#include <ctype.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "base/bytes.h"
#include "base/hash.h"
#include "base/mem.h"
#include "base/regex.h"

#define SEPARATOR_DEFAULT ";"
#define REGEX_DEFAULT "(.*)"
#define REPLACEMENT_DEFAULT "$1"

struct rule;

/* What a rule does: 1 keep, 0 drop, negative error. `value` is the joined source. */
typedef int (*relabel_action)(
    const struct rule *rule, struct str value, struct labels_builder *b, struct arena *arena);

/* Settings that an action uses; any other must be left alone. */
enum uses {
    USES_TARGET = 1 << 0, /* and needs */
    USES_REGEX = 1 << 1,
    USES_REPLACEMENT = 1 << 2,
    USES_MODULUS = 1 << 3, /* and needs */
    USES_SOURCE = 1 << 4,  /* source_labels and separator */
};

struct action {
    const char *name;
    relabel_action apply;
    unsigned uses;
};

struct rule {
    const struct action *action;
    struct str *sources;
    size_t source_count;
    struct str separator, target, replacement;
    struct regex *regex;
    uint64_t modulus;
};

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
        .help = "Pattern for the whole of the joined values, or of label names"},
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
    {.key = "action",
        .kind = CONFIG_STRING,
        .offset = offsetof(struct relabel_rule, action),
        .default_text = "replace",
        .help =
            "replace, keep, drop, keepequal, dropequal, hashmod, labelmap, labeldrop, labelkeep, "
            "lowercase, uppercase; as in vmagent: keep_if_equal, drop_if_equal, keep_if_contains, "
            "drop_if_contains, keep_metrics, drop_metrics"},
    {.key = NULL},
};

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

static const struct action actions[] = {
    {"replace", apply_replace, USES_SOURCE | USES_REGEX | USES_TARGET | USES_REPLACEMENT},
    {"keep", apply_keep, USES_SOURCE | USES_REGEX},
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
    {"keep_metrics", apply_keep_metrics, USES_REGEX},
    {"drop_metrics", apply_drop_metrics, USES_REGEX},
};

/* ---- Checking and compiling ---- */

static const struct action *find_action(const char *name)
{
    for (size_t i = 0; i < sizeof(actions) / sizeof(actions[0]); i++) {
        if (strcasecmp(actions[i].name, name) == 0) {
            return &actions[i];
        }
    }
    return NULL;
}

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

static int compile_rule(struct arena *arena, const struct relabel_rule *rule, size_t number,
    struct rule *out, struct err *e)
{
    out->action = find_action(rule->action);
    if (out->action == NULL) {
        return err_set(e, ERR_INVALID, -1,
            "relabel rule %zu: action \"%s\"; accepted: replace, keep, drop, keepequal, dropequal, "
            "hashmod, labelmap, labeldrop, labelkeep, lowercase, uppercase, keep_if_equal, "
            "drop_if_equal, keep_if_contains, drop_if_contains, keep_metrics, drop_metrics",
            number, rule->action);
    }
    int status = check_rule(out->action, rule, number, e);
    if (status != 0) {
        return status;
    }
    struct err why = ERR_INIT;
    status = regex_new(str_of(rule->regex), &out->regex, &why);
    if (status != 0) {
        return err_set(
            e, status, -1, "relabel rule %zu: regex \"%s\": %s", number, rule->regex, why.message);
    }
    out->modulus = (uint64_t)rule->modulus;
    bool copied = copy_text(arena, rule->separator, &out->separator) &&
                  copy_text(arena, rule->target_label, &out->target) &&
                  copy_text(arena, rule->replacement, &out->replacement) &&
                  copy_sources(arena, &rule->source_labels, out);
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

int relabel_apply_one(
    const struct relabel *r, size_t index, struct labels_builder *b, struct arena *arena)
{
    const struct rule *rule = &r->rules[index];
    struct str value;
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
