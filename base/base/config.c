/* Settings from tables. A table row says where a member is and how to read it; this file walks a
 * YAML tree beside the table and fills the struct, defaults first. The reference for people is
 * written from the same rows by config_reference.c.
 *
 * Defaults are text, as one would write them in the file, and go through the same readers: a default
 * outside its own limits is found by the first test that loads the table.
 */
#include "base/config.h"

#include <assert.h>
#include <math.h>

#include "nearest.h"
#include "units.h"

static int read_fields(struct config_reader *r, const struct yaml_node *mapping,
    const struct config_field *fields, void *target);
static int set_defaults(struct config_reader *r, const struct config_field *fields, void *target);

/* ---- Sentences ---- */

int config_fail(struct config_reader *reader, const struct yaml_node *node, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    err_vset(reader->err, ERR_INVALID, -1, format, arguments);
    va_end(arguments);
    if (node != NULL) {
        err_prefix(reader->err, "%s:%zu:%zu", reader->file, node->line, node->column);
    } else {
        err_prefix(reader->err, "%s", reader->file);
    }
    return ERR_INVALID;
}

static int fail_memory(struct config_reader *r)
{
    int code = arena_error(r->arena);
    return err_set(r->err, code, -1, "%s: %s", r->file, err_text(code));
}

/* What was found in place of what was wanted, quoted when it is a word. */
static int fail_kind(struct config_reader *r, const struct config_field *f,
    const struct yaml_node *node, const char *wanted)
{
    switch (node->kind) {
    case YAML_MAPPING:
        return config_fail(r, node, "%s: expected %s, found a mapping", f->key, wanted);
    case YAML_SEQUENCE:
        return config_fail(r, node, "%s: expected %s, found a list", f->key, wanted);
    default:
        return config_fail(
            r, node, "%s: expected %s, found \"%.*s\"", f->key, wanted, STR_ARG(node->text));
    }
}

static enum units_kind units_of(const struct config_field *f)
{
    return f->kind == CONFIG_DURATION ? UNITS_DURATION
           : f->kind == CONFIG_BYTES  ? UNITS_BYTES
                                      : UNITS_NUMBER;
}

static int fail_limits(
    struct config_reader *r, const struct config_field *f, const struct yaml_node *node)
{
    struct strbuf limits = STRBUF_INIT;
    units_write_limits(units_of(f), f->min, f->max, &limits);
    config_fail(r, node, "%s: %.*s is outside its limits, %.*s", f->key, STR_ARG(node->text),
        STR_ARG(strbuf_str(&limits)));
    strbuf_release(&limits);
    return ERR_INVALID;
}

/* Names every key that is accepted here, the nearest one first. */
static int fail_unknown(
    struct config_reader *r, const struct yaml_node *key, const struct config_field *fields)
{
    const struct config_field *nearest = fields;
    size_t best = SIZE_MAX;
    for (const struct config_field *f = fields; f->key != NULL; f++) {
        size_t distance = nearest_distance(key->text, str_of(f->key));
        if (distance < best && f->kind != CONFIG_REFUSED) {
            best = distance;
            nearest = f;
        }
    }
    struct strbuf accepted = STRBUF_INIT;
    strbuf_add_c(&accepted, nearest->key != NULL ? nearest->key : "nothing");
    for (const struct config_field *f = fields; f->key != NULL; f++) {
        if (f != nearest && f->kind != CONFIG_REFUSED) {
            strbuf_addf(&accepted, ", %s", f->key);
        }
    }
    config_fail(r, key, "unknown key \"%.*s\"; accepted here: %.*s", STR_ARG(key->text),
        STR_ARG(strbuf_str(&accepted)));
    strbuf_release(&accepted);
    return ERR_INVALID;
}

/* ---- Scalars ---- */

/* A list of words in place of a text. */
static int read_joined(struct config_reader *r, const struct config_field *f,
    const struct yaml_node *list, const char **member)
{
    struct strbuf text = STRBUF_INIT;
    for (size_t i = 0; i < list->count; i++) {
        const struct yaml_node *word = list->entries[i].value;
        if (word->kind != YAML_SCALAR || memchr(word->text.ptr, '\0', word->text.len) != NULL) {
            strbuf_release(&text);
            return fail_kind(r, f, word, "text");
        }
        strbuf_add_c(&text, i > 0 ? f->joined_by : "");
        strbuf_add_str(&text, word->text);
    }
    char *copy = strbuf_error(&text) == 0
                     ? arena_strndup(r->arena, text.size > 0 ? text.data : "", text.size)
                     : NULL;
    strbuf_release(&text);
    if (copy == NULL) {
        return fail_memory(r);
    }
    *member = copy;
    return 0;
}

static int read_string(struct config_reader *r, const struct config_field *f,
    const struct yaml_node *node, const char **member)
{
    if (node->kind == YAML_SEQUENCE && f->joined_by != NULL) {
        return read_joined(r, f, node, member);
    }
    if (node->kind != YAML_SCALAR) {
        return fail_kind(r, f, node, "text");
    }
    if (memchr(node->text.ptr, '\0', node->text.len) != NULL) {
        return config_fail(r, node, "%s: text may not hold a zero byte", f->key);
    }
    char *copy = arena_strndup(r->arena, node->text.ptr, node->text.len);
    if (copy == NULL) {
        return fail_memory(r);
    }
    *member = copy;
    return 0;
}

static bool is_word_of(struct str text, const char *const *words, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (text.len == strlen(words[i]) && strncasecmp(text.ptr, words[i], text.len) == 0) {
            return true;
        }
    }
    return false;
}

static int read_bool(struct config_reader *r, const struct config_field *f,
    const struct yaml_node *node, bool *member)
{
    static const char *const yes[] = {"true", "yes", "on"};
    static const char *const no[] = {"false", "no", "off"};
    bool scalar = node->kind == YAML_SCALAR;
    if (scalar && is_word_of(node->text, yes, 3)) {
        *member = true;
    } else if (scalar && is_word_of(node->text, no, 3)) {
        *member = false;
    } else {
        return fail_kind(r, f, node, "true or false");
    }
    return 0;
}

static int read_number(struct config_reader *r, const struct config_field *f,
    const struct yaml_node *node, int64_t *member)
{
    int64_t value = 0;
    int status =
        node->kind == YAML_SCALAR ? units_parse(units_of(f), node->text, &value) : ERR_INVALID;
    bool limited = f->min != 0 || f->max != 0;
    if (limited && (status == ERR_RANGE || (status == 0 && (value < f->min || value > f->max)))) {
        return fail_limits(r, f, node);
    }
    if (status != 0) {
        return fail_kind(r, f, node, units_wanted(units_of(f)));
    }
    *member = value;
    return 0;
}

static int read_double(struct config_reader *r, const struct config_field *f,
    const struct yaml_node *node, double *member)
{
    struct str text = node->kind == YAML_SCALAR ? node->text : STR("");
    if (str_to_double(text, member) == 0) {
        return 0;
    }
    if (str_eq_c(text, ".inf") || str_eq_c(text, "-.inf")) {
        *member = text.ptr[0] == '-' ? -INFINITY : INFINITY;
        return 0;
    }
    return fail_kind(r, f, node, "a number");
}

/* ---- Collections ---- */

static int read_string_list(struct config_reader *r, const struct config_field *f,
    const struct yaml_node *node, struct config_strings *member)
{
    const struct yaml_entry alone = {.value = (struct yaml_node *)node};
    bool is_word = node->kind == YAML_SCALAR && f->word_too;
    if (node->kind != YAML_SEQUENCE && !is_word) {
        return fail_kind(r, f, node, "a list of words");
    }
    const struct yaml_entry *entries = is_word ? &alone : node->entries;
    size_t count = is_word ? 1 : node->count;
    const char **items = arena_calloc(r->arena, count, sizeof(*items));
    if (items == NULL) {
        return fail_memory(r);
    }
    for (size_t i = 0; i < count; i++) {
        int status = read_string(r, f, entries[i].value, &items[i]);
        if (status != 0) {
            return status;
        }
    }
    *member = (struct config_strings){items, count};
    return 0;
}

static int read_string_map(struct config_reader *r, const struct config_field *f,
    const struct yaml_node *node, struct config_map *member)
{
    if (node->kind != YAML_MAPPING) {
        return fail_kind(r, f, node, "a mapping of words to words");
    }
    struct config_pair *items = arena_calloc(r->arena, node->count, sizeof(*items));
    if (items == NULL) {
        return fail_memory(r);
    }
    for (size_t i = 0; i < node->count; i++) {
        int status = read_string(r, f, node->entries[i].key, &items[i].key);
        if (status == 0) {
            status = read_string(r, f, node->entries[i].value, &items[i].value);
        }
        if (status != 0) {
            return status;
        }
    }
    *member = (struct config_map){items, node->count};
    return 0;
}

static int read_list(struct config_reader *r, const struct config_field *f,
    const struct yaml_node *node, struct config_list *member)
{
    assert(f->item_size > 0);
    if (node->kind != YAML_SEQUENCE) {
        return fail_kind(r, f, node, "a list");
    }
    char *items = arena_calloc(r->arena, node->count, f->item_size);
    if (items == NULL) {
        return fail_memory(r);
    }
    for (size_t i = 0; i < node->count; i++) {
        void *item = items + i * f->item_size;
        int status = set_defaults(r, f->fields, item);
        if (status == 0) {
            status = read_fields(r, node->entries[i].value, f->fields, item);
        }
        if (status != 0) {
            return status;
        }
    }
    *member = (struct config_list){items, node->count};
    return 0;
}

static int read_named_list(struct config_reader *r, const struct config_field *f,
    const struct yaml_node *node, struct config_list *member)
{
    assert(f->item_size >= sizeof(const char *));
    if (node->kind != YAML_MAPPING) {
        return fail_kind(r, f, node, "a mapping of names to groups of settings");
    }
    char *items = arena_calloc(r->arena, node->count, f->item_size);
    if (items == NULL) {
        return fail_memory(r);
    }
    for (size_t i = 0; i < node->count; i++) {
        void *item = items + i * f->item_size;
        int status = set_defaults(r, f->fields, item);
        if (status == 0) {
            status = read_string(r, f, node->entries[i].key, item);
        }
        if (status == 0) {
            status = read_fields(r, node->entries[i].value, f->fields, item);
        }
        if (status != 0) {
            return status;
        }
    }
    *member = (struct config_list){items, node->count};
    return 0;
}

static int read_member(struct config_reader *r, const struct config_field *f,
    const struct yaml_node *node, void *member)
{
    switch (f->kind) {
    case CONFIG_STRING:
        return read_string(r, f, node, member);
    case CONFIG_BOOL:
        return read_bool(r, f, node, member);
    case CONFIG_INTEGER:
    case CONFIG_DURATION:
    case CONFIG_BYTES:
        return read_number(r, f, node, member);
    case CONFIG_DOUBLE:
        return read_double(r, f, node, member);
    case CONFIG_STRING_LIST:
        return read_string_list(r, f, node, member);
    case CONFIG_STRING_MAP:
        return read_string_map(r, f, node, member);
    case CONFIG_OBJECT:
        return read_fields(r, node, f->fields, member);
    case CONFIG_LIST:
        return read_list(r, f, node, member);
    case CONFIG_NAMED_LIST:
        return read_named_list(r, f, node, member);
    case CONFIG_CUSTOM:
        return f->read(r, node, member);
    case CONFIG_IGNORED:
        return 0;
    case CONFIG_REFUSED:
        break; /* found before its value is looked at */
    }
    return ERR_INTERNAL;
}

/* ---- Structs ---- */

static void *member_of(const struct config_field *f, void *target)
{
    return (char *)target + f->offset;
}

/* Without a default text a member is zero. Members of the custom kind have a size only their reader
 * knows; they stay as the caller made them. */
static void set_zero(const struct config_field *f, void *member)
{
    static const size_t sizes[] = {
        [CONFIG_STRING] = sizeof(const char *),
        [CONFIG_BOOL] = sizeof(bool),
        [CONFIG_INTEGER] = sizeof(int64_t),
        [CONFIG_DOUBLE] = sizeof(double),
        [CONFIG_DURATION] = sizeof(int64_t),
        [CONFIG_BYTES] = sizeof(int64_t),
        [CONFIG_STRING_LIST] = sizeof(struct config_strings),
        [CONFIG_STRING_MAP] = sizeof(struct config_map),
        [CONFIG_OBJECT] = 0,
        [CONFIG_LIST] = sizeof(struct config_list),
        [CONFIG_NAMED_LIST] = sizeof(struct config_list),
        [CONFIG_CUSTOM] = 0,
        [CONFIG_IGNORED] = 0,
        [CONFIG_REFUSED] = 0,
    };
    memset(member, 0, sizes[f->kind]);
}

static int set_default(struct config_reader *r, const struct config_field *f, void *member)
{
    set_zero(f, member);
    if (f->kind == CONFIG_OBJECT) {
        return set_defaults(r, f->fields, member);
    }
    if (f->default_text == NULL) {
        return 0;
    }
    struct config_reader defaults = {r->arena, "default", r->err};
    struct yaml_node scalar = {.kind = YAML_SCALAR, .line = 1, .column = 1};
    struct yaml_node *node = &scalar;
    scalar.text = str_of(f->default_text);
    if (f->kind >= CONFIG_STRING_LIST) {
        int status = yaml_parse(r->arena, "default", str_of(f->default_text), &node, r->err);
        if (status != 0 || node == NULL) {
            return status;
        }
    }
    return read_member(&defaults, f, node, member);
}

static int set_defaults(struct config_reader *r, const struct config_field *fields, void *target)
{
    for (const struct config_field *f = fields; f->key != NULL; f++) {
        int status = set_default(r, f, member_of(f, target));
        if (status != 0) {
            return status;
        }
    }
    return 0;
}

static const struct config_field *find_field(const struct config_field *fields, struct str key)
{
    const struct config_field *f = fields;
    while (f->key != NULL && !str_eq_c(key, f->key)) {
        f++;
    }
    return f->key != NULL ? f : NULL;
}

/* A key without a value keeps the default, as if it were not there. */
static bool is_given(const struct yaml_node *mapping, const char *key)
{
    const struct yaml_node *value = yaml_get(mapping, key);
    return value != NULL && !yaml_is_null(value);
}

static int check_required(
    struct config_reader *r, const struct yaml_node *mapping, const struct config_field *fields)
{
    for (const struct config_field *f = fields; f->key != NULL; f++) {
        if (f->required && !is_given(mapping, f->key)) {
            return config_fail(r, mapping, "%s is required: %s", f->key, f->help);
        }
        /* An object that is not there may still have members that must be. */
        if (f->kind == CONFIG_OBJECT && !is_given(mapping, f->key)) {
            int status = check_required(r, NULL, f->fields);
            if (status != 0) {
                return status;
            }
        }
    }
    return 0;
}

/* `mapping` is NULL for an empty file. The recursion ends at YAML_DEPTH_MAX. */
static int read_fields(struct config_reader *r, const struct yaml_node *mapping,
    const struct config_field *fields, void *target)
{
    if (mapping != NULL && mapping->kind != YAML_MAPPING) {
        return config_fail(r, mapping, "expected a mapping of keys to values, found %s",
            mapping->kind == YAML_SEQUENCE ? "a list" : "a word");
    }
    for (size_t i = 0; mapping != NULL && i < mapping->count; i++) {
        const struct yaml_node *key = mapping->entries[i].key;
        const struct yaml_node *value = mapping->entries[i].value;
        const struct config_field *f = find_field(fields, key->text);
        if (f == NULL) {
            return fail_unknown(r, key, fields);
        }
        if (f->kind == CONFIG_REFUSED) {
            return config_fail(r, key, "%s: %s", f->key, f->help);
        }
        int status = yaml_is_null(value) ? 0 : read_member(r, f, value, member_of(f, target));
        if (status != 0) {
            return status;
        }
    }
    return check_required(r, mapping, fields);
}

int config_defaults(
    struct arena *arena, const struct config_field *fields, void *target, struct err *e)
{
    struct config_reader r = {arena, "default", e};
    return set_defaults(&r, fields, target);
}

int config_read(struct arena *arena, const char *file, const struct yaml_node *root,
    const struct config_field *fields, void *target, struct err *e)
{
    struct config_reader r = {arena, file, e};
    int status = set_defaults(&r, fields, target);
    return status != 0 ? status : read_fields(&r, root, fields, target);
}

int config_parse_bytes(struct str text, int64_t *bytes_out)
{
    return units_parse(UNITS_BYTES, text, bytes_out);
}

int config_parse_duration(struct str text, int64_t *milliseconds_out)
{
    return units_parse(UNITS_DURATION, text, milliseconds_out);
}
