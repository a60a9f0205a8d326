/* The functions of text/template itself: comparison, escaping, printing, length, index and slice. */
#include "go_print.h"
#include "template_eval.h"
#include "template_literal.h"
#include "template_run.h"

/* ---- Comparison ---- */

/* Kinds that may be compared with each other are one class. */
enum class { CLASS_NONE, CLASS_BOOL, CLASS_INTEGER, CLASS_FLOAT, CLASS_STRING, CLASS_TIME };

static enum class class_of(const struct template_value *v) {
    switch (v->kind){
        case TEMPLATE_BOOL : return CLASS_BOOL;
        case TEMPLATE_INT : case TEMPLATE_DURATION : return CLASS_INTEGER;
        case TEMPLATE_FLOAT : return CLASS_FLOAT;
        case TEMPLATE_STRING : return CLASS_STRING;
        case TEMPLATE_TIME : return CLASS_TIME;
        default : return CLASS_NONE;
    }
}

static int64_t integer_of(const struct template_value *v)
{
    return v->kind == TEMPLATE_DURATION ? v->duration_ns : v->integer;
}

static int equal(
    const struct template_value *a, const struct template_value *b, bool *equal_out, struct err *e)
{
    bool nil = a->kind == TEMPLATE_NIL || b->kind == TEMPLATE_NIL;
    enum class class = class_of(a);
    if (nil) {
        *equal_out = a->kind == b->kind;
        return 0;
    }
    if (class != class_of(b)) {
        return err_set(e, ERR_INVALID, -1, "incompatible types for comparison");
    }
    switch (class) {
    case CLASS_BOOL:
        *equal_out = a->boolean == b->boolean;
        return 0;
    case CLASS_INTEGER:
        *equal_out = integer_of(a) == integer_of(b);
        return 0;
    case CLASS_FLOAT:
        *equal_out = a->number == b->number;
        return 0;
    case CLASS_STRING:
        *equal_out = str_eq(a->string, b->string);
        return 0;
    case CLASS_TIME:
        *equal_out =
            a->time.seconds == b->time.seconds && a->time.nanoseconds == b->time.nanoseconds;
        return 0;
    case CLASS_NONE:
        break;
    }
    return err_set(e, ERR_INVALID, -1, "non-comparable type %s", template_type_name(a));
}

static int less(
    const struct template_value *a, const struct template_value *b, bool *less_out, struct err *e)
{
    enum class class = class_of(a);
    if (class == CLASS_NONE || class == CLASS_TIME || class_of(b) == CLASS_NONE ||
        class_of(b) == CLASS_TIME) {
        return err_set(e, ERR_INVALID, -1, "invalid type for comparison");
    }
    if (class != class_of(b)) {
        return err_set(e, ERR_INVALID, -1, "incompatible types for comparison");
    }
    if (class == CLASS_BOOL) {
        return err_set(e, ERR_INVALID, -1, "invalid type for comparison");
    }
    *less_out = class == CLASS_INTEGER ? integer_of(a) < integer_of(b)
                : class == CLASS_FLOAT ? a->number < b->number
                                       : str_cmp(a->string, b->string) < 0;
    return 0;
}

static int call_eq(TEMPLATE_CALL)
{
    (void)run;
    bool found = false;
    if (count < 2) {
        return err_set(e, ERR_INVALID, -1, "missing argument for comparison");
    }
    for (size_t i = 1; i < count && !found; i++) {
        int status = equal(&arguments[0], &arguments[i], &found, e);
        if (status != 0) {
            return status;
        }
    }
    *value_out = template_bool(found);
    return 0;
}

static int call_ne(TEMPLATE_CALL)
{
    (void)run, (void)count;
    bool found = false;
    int status = equal(&arguments[0], &arguments[1], &found, e);
    *value_out = template_bool(!found);
    return status;
}

static int call_lt(TEMPLATE_CALL)
{
    (void)run, (void)count;
    bool found = false;
    int status = less(&arguments[0], &arguments[1], &found, e);
    *value_out = template_bool(found);
    return status;
}

static int call_le(TEMPLATE_CALL)
{
    (void)run, (void)count;
    bool is_less = false, is_equal = false;
    int status = less(&arguments[0], &arguments[1], &is_less, e);
    if (status == 0 && !is_less) {
        status = equal(&arguments[0], &arguments[1], &is_equal, e);
    }
    *value_out = template_bool(is_less || is_equal);
    return status;
}

/* As Go's: not less and not equal, so that NaN is greater than everything. */
static int call_gt(TEMPLATE_CALL)
{
    int status = call_le(run, arguments, count, value_out, e);
    value_out->boolean = !value_out->boolean;
    return status;
}

static int call_ge(TEMPLATE_CALL)
{
    int status = call_lt(run, arguments, count, value_out, e);
    value_out->boolean = !value_out->boolean;
    return status;
}

static int call_not(TEMPLATE_CALL)
{
    (void)run, (void)count, (void)e;
    *value_out = template_bool(!template_truth(&arguments[0]));
    return 0;
}

/* ---- Composites ---- */

static int call_len(TEMPLATE_CALL)
{
    (void)run, (void)count;
    switch (arguments[0].kind) {
    case TEMPLATE_STRING:
        *value_out = template_int((int64_t)arguments[0].string.len);
        return 0;
    case TEMPLATE_LIST:
        *value_out = template_int((int64_t)arguments[0].list->count);
        return 0;
    case TEMPLATE_MAP:
        *value_out = template_int((int64_t)arguments[0].fields->count);
        return 0;
    case TEMPLATE_NIL:
        return err_set(e, ERR_INVALID, -1, "len of nil pointer");
    default:
        return err_set(e, ERR_INVALID, -1, "len of type %s", template_type_name(&arguments[0]));
    }
}

/* An index within [0, limit]. */
static int index_of(const struct template_value *v, size_t limit, size_t *index_out, struct err *e)
{
    if (v->kind == TEMPLATE_NIL) {
        return err_set(e, ERR_INVALID, -1, "cannot index slice/array with nil");
    }
    if (v->kind != TEMPLATE_INT) {
        return err_set(
            e, ERR_INVALID, -1, "cannot index slice/array with type %s", template_type_name(v));
    }
    if (v->integer < 0 || (uint64_t)v->integer > limit) {
        return err_set(e, ERR_INVALID, -1, "index out of range: %lld", (long long)v->integer);
    }
    *index_out = (size_t)v->integer;
    return 0;
}

static int index_map(const struct template_value *map, const struct template_value *key,
    struct template_value *value_out, struct err *e)
{
    if (key->kind != TEMPLATE_STRING) {
        return key->kind == TEMPLATE_NIL
                   ? err_set(e, ERR_INVALID, -1, "value is nil; should be of type string")
                   : err_set(e, ERR_INVALID, -1, "value has type %s; should be string",
                         template_type_name(key));
    }
    const struct template_value *found = template_field(map, key->string);
    *value_out = found != NULL                ? *found
                 : map->fields->string_values ? template_string(STR(""))
                                              : template_nil();
    return 0;
}

static int index_one(const struct template_value *of, const struct template_value *by,
    struct template_value *value_out, struct err *e)
{
    size_t index = 0;
    int status = 0;
    switch (of->kind) {
    case TEMPLATE_MAP:
        return index_map(of, by, value_out, e);
    case TEMPLATE_LIST:
    case TEMPLATE_STRING: {
        size_t size = of->kind == TEMPLATE_LIST ? of->list->count : of->string.len;
        status = index_of(by, size, &index, e);
        if (status == 0 && index == size) {
            status = err_set(e, ERR_INVALID, -1, "index out of range: %zu", index);
        }
        if (status == 0) {
            *value_out = of->kind == TEMPLATE_LIST
                             ? of->list->items[index]
                             : template_int((unsigned char)of->string.ptr[index]);
        }
        return status;
    }
    case TEMPLATE_NIL:
        return err_set(e, ERR_INVALID, -1, "index of nil pointer");
    default:
        return err_set(e, ERR_INVALID, -1, "can't index item of type %s", template_type_name(of));
    }
}

static int call_index(TEMPLATE_CALL)
{
    (void)run;
    if (arguments[0].kind == TEMPLATE_NIL) {
        return err_set(e, ERR_INVALID, -1, "index of untyped nil");
    }
    struct template_value value = arguments[0];
    for (size_t i = 1; i < count; i++) {
        struct template_value next;
        int status = index_one(&value, &arguments[i], &next, e);
        if (status != 0) {
            return status;
        }
        value = next;
    }
    *value_out = value;
    return 0;
}

static int call_slice(TEMPLATE_CALL)
{
    const struct template_value *of = &arguments[0];
    bool is_string = of->kind == TEMPLATE_STRING;
    if (of->kind == TEMPLATE_NIL) {
        return err_set(e, ERR_INVALID, -1, "slice of untyped nil");
    }
    if (!is_string && of->kind != TEMPLATE_LIST) {
        return err_set(e, ERR_INVALID, -1, "can't slice item of type %s", template_type_name(of));
    }
    if (is_string && count == 4) {
        return err_set(e, ERR_INVALID, -1, "cannot 3-index slice a string");
    }
    size_t size = is_string ? of->string.len : of->list->count;
    size_t bounds[3] = {0, size, size};
    for (size_t i = 1; i < count; i++) {
        int status = index_of(&arguments[i], size, &bounds[i - 1], e);
        if (status != 0) {
            return status;
        }
    }
    if (bounds[0] > bounds[1] || bounds[1] > bounds[2]) {
        size_t first = bounds[0] > bounds[1] ? 0 : 1;
        return err_set(
            e, ERR_INVALID, -1, "invalid slice index: %zu > %zu", bounds[first], bounds[first + 1]);
    }
    *value_out = *of;
    if (is_string) {
        value_out->string = str_make(of->string.ptr + bounds[0], bounds[1] - bounds[0]);
        return 0;
    }
    struct template_list *list = arena_dup(&run->arena, of->list, sizeof(*list));
    if (list == NULL) {
        return template_memory_error(run, e);
    }
    list->items = of->list->items + bounds[0];
    list->count = bounds[1] - bounds[0];
    *value_out = template_list_of(list);
    return 0;
}

static int call_call(TEMPLATE_CALL)
{
    (void)run, (void)count, (void)value_out;
    return arguments[0].kind == TEMPLATE_NIL
               ? err_set(e, ERR_INVALID, -1, "call of nil")
               : err_set(e, ERR_INVALID, -1, "non-function of type %s",
                     template_type_name(&arguments[0]));
}

/* ---- Escaping ---- */

/* A single string as it is, anything else as print would write it. */
static void write_arguments(struct template_run *run, const struct template_value *arguments,
    size_t count, struct strbuf *out)
{
    if (count == 1 && arguments[0].kind == TEMPLATE_STRING) {
        strbuf_add_str(out, arguments[0].string);
    } else {
        go_print(run, arguments, count, false, out);
    }
}

void template_write_html(struct str text, struct strbuf *out)
{
    for (size_t i = 0; i < text.len; i++) {
        switch (text.ptr[i]) {
        case '\0':
            strbuf_add_c(out, "\xef\xbf\xbd");
            break;
        case '"':
            strbuf_add_c(out, "&#34;");
            break;
        case '\'':
            strbuf_add_c(out, "&#39;");
            break;
        case '&':
            strbuf_add_c(out, "&amp;");
            break;
        case '<':
            strbuf_add_c(out, "&lt;");
            break;
        case '>':
            strbuf_add_c(out, "&gt;");
            break;
        default:
            strbuf_add_char(out, text.ptr[i]);
        }
    }
}

static void write_js(struct str text, struct strbuf *out)
{
    for (size_t i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.ptr[i];
        if (c == '\\' || c == '\'' || c == '"') {
            strbuf_add_char(out, '\\');
            strbuf_add_char(out, (char)c);
        } else if (c < 0x20 || c == '<' || c == '>' || c == '&' || c == '=') {
            strbuf_addf(out, "\\u%04X", c);
        } else {
            strbuf_add_char(out, (char)c);
        }
    }
}

void template_write_query(struct str text, struct strbuf *out)
{
    for (size_t i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.ptr[i];
        bool plain = (c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z') ||
                     c == '-' || c == '_' || c == '.' || c == '~';
        if (plain) {
            strbuf_add_char(out, (char)c);
        } else if (c == ' ') {
            strbuf_add_char(out, '+');
        } else {
            strbuf_addf(out, "%%%02X", c);
        }
    }
}

static int escape(struct template_run *run, const struct template_value *arguments, size_t count,
    void (*write)(struct str text, struct strbuf *out), struct template_value *value_out)
{
    struct strbuf plain = STRBUF_INIT, escaped = STRBUF_INIT;
    write_arguments(run, arguments, count, &plain);
    write(strbuf_str(&plain), &escaped);
    strbuf_release(&plain);
    return template_keep_buffer(run, &escaped, value_out);
}

static int call_html(TEMPLATE_CALL)
{
    (void)e;
    return escape(run, arguments, count, template_write_html, value_out);
}

static int call_js(TEMPLATE_CALL)
{
    (void)e;
    return escape(run, arguments, count, write_js, value_out);
}

static int call_urlquery(TEMPLATE_CALL)
{
    (void)e;
    return escape(run, arguments, count, template_write_query, value_out);
}

/* ---- Printing ---- */

static int call_print(TEMPLATE_CALL)
{
    (void)e;
    struct strbuf text;
    strbuf_init(&text, run->limits.memory_bytes);
    go_print(run, arguments, count, false, &text);
    return template_keep_buffer(run, &text, value_out);
}

static int call_println(TEMPLATE_CALL)
{
    (void)e;
    struct strbuf text;
    strbuf_init(&text, run->limits.memory_bytes);
    go_print(run, arguments, count, true, &text);
    return template_keep_buffer(run, &text, value_out);
}

static int call_printf(TEMPLATE_CALL)
{
    (void)e;
    struct strbuf text;
    strbuf_init(&text, run->limits.memory_bytes);
    go_printf(run, arguments[0].string, arguments + 1, count - 1, &text);
    return template_keep_buffer(run, &text, value_out);
}

const struct function template_builtins[] = {
    {"and", 1, ARGUMENTS_ANY, "v", NULL},
    {"or", 1, ARGUMENTS_ANY, "v", NULL},
    {"not", 1, 1, "v", call_not},
    {"eq", 1, ARGUMENTS_ANY, "v", call_eq},
    {"ne", 2, 2, "v", call_ne},
    {"lt", 2, 2, "v", call_lt},
    {"le", 2, 2, "v", call_le},
    {"gt", 2, 2, "v", call_gt},
    {"ge", 2, 2, "v", call_ge},
    {"len", 1, 1, "v", call_len},
    {"index", 1, ARGUMENTS_ANY, "v", call_index},
    {"slice", 1, 4, "v", call_slice},
    {"call", 1, ARGUMENTS_ANY, "v", call_call},
    {"html", 0, ARGUMENTS_ANY, "v", call_html},
    {"js", 0, ARGUMENTS_ANY, "v", call_js},
    {"urlquery", 0, ARGUMENTS_ANY, "v", call_urlquery},
    {"print", 0, ARGUMENTS_ANY, "v", call_print},
    {"println", 0, ARGUMENTS_ANY, "v", call_println},
    {"printf", 1, ARGUMENTS_ANY, "sv", call_printf},
    {NULL, 0, 0, "", NULL},
};

static const struct function *find(const struct function *rows, struct str name)
{
    for (; rows->name != NULL; rows++) {
        if (str_eq_c(name, rows->name)) {
            return rows;
        }
    }
    return NULL;
}

const struct function *template_function_find(enum template_functions set, struct str name)
{
    const struct function *f = find(
        set == TEMPLATE_FUNCTIONS_RULES ? template_rule_functions : template_notification_functions,
        name);
    return f != NULL ? f : find(template_builtins, name);
}
