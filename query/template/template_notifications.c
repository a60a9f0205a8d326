/* The functions that Alertmanager gives to notifications, and the methods of times. */
#include <math.h>

#include "base/fpconv.h"
#include "base/json.h"
#include "base/zone.h"
#include "go_print.h"
#include "go_time.h"
#include "template_literal.h"
#include "template_run.h"

/* Nesting of what toJson writes. */
#define JSON_VALUE_DEPTH_MAX 64

/* ---- Text ---- */

/* Of a word each first letter in upper case, the rest in lower; apostrophes and underscores are inside. */
static int call_title(TEMPLATE_CALL)
{
    (void)count, (void)e;
    struct strbuf out = STRBUF_INIT;
    struct str text = arguments[0].string;
    bool inside = false;
    size_t bytes = 0;
    for (; text.len > 0; text = str_skip(text, bytes)) {
        uint32_t code = template_character(text, &bytes);
        uint32_t upper = template_to_upper(code), lower = template_to_lower(code);
        bool cased = upper != lower, digit = code >= '0' && code <= '9';
        bool joins =
            code == '_' || digit || code >= 0x80 || (inside && (code == '\'' || code == '.'));
        template_write_character(inside ? lower : upper, &out);
        inside = cased || (inside && joins);
    }
    return template_keep_buffer(run, &out, value_out);
}

static int call_trim_space(TEMPLATE_CALL)
{
    (void)count, (void)e;
    struct str text = arguments[0].string;
    while (text.len > 0 && strchr(" \t\n\v\f\r", text.ptr[0]) != NULL && text.ptr[0] != '\0') {
        text = str_skip(text, 1);
    }
    while (text.len > 0 && text.ptr[text.len - 1] != '\0' &&
           strchr(" \t\n\v\f\r", text.ptr[text.len - 1]) != NULL) {
        text.len--;
    }
    return template_keep(run, text, value_out);
}

/* join SEPARATOR LIST */
static int call_join(TEMPLATE_CALL)
{
    (void)count;
    if (arguments[1].kind != TEMPLATE_LIST) {
        return err_set(e, ERR_INVALID, -1, "wrong type for value; expected []string; got %s",
            template_type_name(&arguments[1]));
    }
    struct strbuf out;
    strbuf_init(&out, run->limits.memory_bytes);
    for (size_t i = 0; i < arguments[1].list->count; i++) {
        strbuf_add_str(&out, i > 0 ? arguments[0].string : STR(""));
        go_print_value(run, &arguments[1].list->items[i], &out);
    }
    return template_keep_buffer(run, &out, value_out);
}

static int hexadecimal(char c)
{
    return c >= '0' && c <= '9'                     ? c - '0'
           : (c | 0x20) >= 'a' && (c | 0x20) <= 'f' ? (c | 0x20) - 'a' + 10
                                                    : -1;
}

/* url.QueryUnescape. */
static int call_url_unescape(TEMPLATE_CALL)
{
    (void)count;
    struct strbuf out = STRBUF_INIT;
    struct str text = arguments[0].string;
    for (size_t i = 0; i < text.len; i++) {
        char c = text.ptr[i];
        if (c != '%') {
            strbuf_add_char(&out, c == '+' ? ' ' : c);
            continue;
        }
        int high = i + 1 < text.len ? hexadecimal(text.ptr[i + 1]) : -1;
        int low = i + 2 < text.len ? hexadecimal(text.ptr[i + 2]) : -1;
        if (high < 0 || low < 0) {
            strbuf_release(&out);
            size_t shown = text.len - i < 3 ? text.len - i : 3;
            return err_set(
                e, ERR_INVALID, -1, "invalid URL escape \"%.*s\"", (int)shown, text.ptr + i);
        }
        strbuf_add_char(&out, (char)(high << 4 | low));
        i += 2;
    }
    return template_keep_buffer(run, &out, value_out);
}

static int call_route_labels(TEMPLATE_CALL)
{
    (void)count;
    struct str value = STR("");
    int status = run->hooks.route_label != NULL
                     ? run->hooks.route_label(run->hooks.context, arguments[0].string, &value, e)
                     : 0;
    *value_out = template_string(value);
    return status;
}

static int call_base64_encode(TEMPLATE_CALL)
{
    (void)count, (void)e;
    struct strbuf out = STRBUF_INIT;
    strbuf_add_base64(&out, arguments[0].string);
    /* The alphabet of URLs. */
    for (size_t i = 0; i < out.size; i++) {
        out.data[i] = (char)(out.data[i] == '+' ? '-' : out.data[i] == '/' ? '_' : out.data[i]);
    }
    return template_keep_buffer(run, &out, value_out);
}

static int call_base64_decode(TEMPLATE_CALL)
{
    (void)count;
    struct strbuf out = STRBUF_INIT;
    struct str text = arguments[0].string;
    if (text.len % 4 != 0 || str_find(text, '+') >= 0 || str_find(text, '/') >= 0 ||
        strbuf_add_unbase64(&out, text) == ERR_INVALID) {
        strbuf_release(&out);
        return err_set(e, ERR_INVALID, -1, "illegal base64 data");
    }
    return template_keep_buffer(run, &out, value_out);
}

/* ---- Lists and maps ---- */

static int list_of(struct template_run *run, const struct template_value *first, size_t first_count,
    const struct template_value *more, size_t more_count, const char *type,
    struct template_value *value_out, struct err *e)
{
    struct template_list *list;
    struct template_value *items = template_list_new(run, first_count + more_count, &list);
    if (items == NULL) {
        return template_memory_error(run, e);
    }
    for (size_t i = 0; i < first_count + more_count; i++) {
        items[i] = i < first_count ? first[i] : more[i - first_count];
    }
    list->type = type;
    *value_out = template_list_of(list);
    return 0;
}

static int call_string_slice(TEMPLATE_CALL)
{
    return list_of(run, arguments, count, NULL, 0, "[]string", value_out, e);
}

static int call_list(TEMPLATE_CALL)
{
    return list_of(run, arguments, count, NULL, 0, NULL, value_out, e);
}

static int call_append(TEMPLATE_CALL)
{
    if (arguments[0].kind != TEMPLATE_LIST && arguments[0].kind != TEMPLATE_NIL) {
        return err_set(e, ERR_INVALID, -1, "wrong type for value; expected []interface {}; got %s",
            template_type_name(&arguments[0]));
    }
    bool nil = arguments[0].kind == TEMPLATE_NIL;
    return list_of(run, nil ? NULL : arguments[0].list->items, nil ? 0 : arguments[0].list->count,
        arguments + 1, count - 1, nil ? NULL : arguments[0].list->type, value_out, e);
}

/* dict KEY VALUE KEY VALUE …; the last of equal keys holds. */
static int call_dict(TEMPLATE_CALL)
{
    if (count % 2 != 0) {
        return err_set(e, ERR_INVALID, -1, "dict expects even number of arguments");
    }
    struct template_fields *fields = arena_calloc(&run->arena, 1, sizeof(*fields));
    struct template_field *items = arena_calloc(&run->arena, count / 2, sizeof(*items));
    struct template_value *values = arena_dup(&run->arena, arguments, count * sizeof(*values));
    if (fields == NULL || items == NULL || values == NULL) {
        return template_memory_error(run, e);
    }
    size_t kept = 0;
    for (size_t i = 0; i < count; i += 2) {
        if (values[i].kind != TEMPLATE_STRING) {
            return err_set(e, ERR_INVALID, -1, "dict keys must be strings, got %s",
                template_type_name(&values[i]));
        }
        size_t at = 0;
        while (at < kept && str_cmp(items[at].name, values[i].string) < 0) {
            at++;
        }
        bool same = at < kept && str_eq(items[at].name, values[i].string);
        if (!same) {
            memmove(&items[at + 1], &items[at], (kept - at) * sizeof(*items));
            kept++;
        }
        items[at] = (struct template_field){values[i].string, &values[i + 1]};
    }
    *fields = (struct template_fields){.items = items, .count = kept};
    *value_out = template_map(fields);
    return 0;
}

/* ---- JSON ---- */

/* A text as Go's encoder has it: < > & and the two line separators escaped as well. */
static void write_json_text(struct str text, struct strbuf *out)
{
    struct strbuf plain = STRBUF_INIT;
    struct json_writer w;
    json_init(&w, &plain);
    json_string(&w, text);
    for (size_t i = 0; i < plain.size; i++) {
        char c = plain.data[i];
        if (c == '<' || c == '>' || c == '&') {
            strbuf_addf(out, "\\u%04x", (unsigned)c);
        } else {
            strbuf_add_char(out, c);
        }
    }
    strbuf_release(&plain);
}

static int write_json(struct template_run *run, const struct template_value *v, size_t depth,
    struct strbuf *out, struct err *e);

/* Fields of Alertmanager's structs are tagged with their names beginning small; pairs are not tagged. */
static int write_json_fields(struct template_run *run, const struct template_value *v, size_t depth,
    struct strbuf *out, struct err *e)
{
    const char *type = v->fields->type;
    bool small = v->kind == TEMPLATE_STRUCT && (type == NULL || strcmp(type, "template.Pair") != 0);
    strbuf_add_char(out, '{');
    for (size_t i = 0; i < v->fields->count; i++) {
        struct str name = v->fields->items[i].name;
        struct strbuf key = STRBUF_INIT;
        strbuf_add_str(&key, name);
        if (small && key.size > 0) {
            key.data[0] = (char)template_to_lower((unsigned char)key.data[0]);
        }
        strbuf_add_c(out, i > 0 ? "," : "");
        write_json_text(strbuf_str(&key), out);
        strbuf_release(&key);
        strbuf_add_char(out, ':');
        int status = write_json(run, v->fields->items[i].value, depth + 1, out, e);
        if (status != 0) {
            return status;
        }
    }
    strbuf_add_char(out, '}');
    return 0;
}

static int write_json(struct template_run *run, const struct template_value *v, size_t depth,
    struct strbuf *out, struct err *e)
{
    int status = 0;
    if (depth == JSON_VALUE_DEPTH_MAX) {
        return err_set(e, ERR_LIMIT, -1, "json: nested more than %d deep", JSON_VALUE_DEPTH_MAX);
    }
    switch (v->kind) {
    case TEMPLATE_NIL:
        strbuf_add_c(out, "null");
        break;
    case TEMPLATE_BOOL:
        strbuf_add_c(out, v->boolean ? "true" : "false");
        break;
    case TEMPLATE_INT:
        strbuf_add_i64(out, v->integer);
        break;
    case TEMPLATE_DURATION:
        strbuf_add_i64(out, v->duration_ns);
        break;
    case TEMPLATE_FLOAT:
        if (!isfinite(v->number)) {
            return err_set(e, ERR_INVALID, -1, "json: unsupported value: %s",
                isnan(v->number) ? "NaN"
                : v->number > 0  ? "+Inf"
                                 : "-Inf");
        }
        strbuf_add_double(out, v->number);
        break;
    case TEMPLATE_STRING:
        write_json_text(v->string, out);
        break;
    case TEMPLATE_TIME: {
        struct strbuf text = STRBUF_INIT;
        go_write_time(&v->time, GO_TIME_RFC3339, &text);
        write_json_text(strbuf_str(&text), out);
        strbuf_release(&text);
        break;
    }
    case TEMPLATE_LIST:
        strbuf_add_char(out, '[');
        for (size_t i = 0; i < v->list->count && status == 0; i++) {
            strbuf_add_c(out, i > 0 ? "," : "");
            status = write_json(run, &v->list->items[i], depth + 1, out, e);
        }
        strbuf_add_char(out, ']');
        break;
    case TEMPLATE_MAP:
    case TEMPLATE_STRUCT:
        status = write_json_fields(run, v, depth, out, e);
        break;
    }
    return status;
}

static int call_to_json(TEMPLATE_CALL)
{
    (void)count;
    struct strbuf out;
    strbuf_init(&out, run->limits.memory_bytes);
    int status = write_json(run, &arguments[0], 0, &out, e);
    if (status != 0) {
        strbuf_release(&out);
        return status;
    }
    return template_keep_buffer(run, &out, value_out);
}

/* ---- Times ---- */

static int check_time(const struct template_value *v, struct err *e)
{
    return v->kind == TEMPLATE_TIME
               ? 0
               : err_set(e, ERR_INVALID, -1, "wrong type for value; expected time.Time; got %s",
                     template_type_name(v));
}

static int format_time(struct template_run *run, const struct template_time *t, struct str layout,
    struct template_value *value_out)
{
    struct strbuf out = STRBUF_INIT;
    go_write_time(t, layout, &out);
    return template_keep_buffer(run, &out, value_out);
}

/* date LAYOUT TIME */
static int call_date(TEMPLATE_CALL)
{
    (void)count;
    int status = check_time(&arguments[1], e);
    return status != 0 ? status
                       : format_time(run, &arguments[1].time, arguments[0].string, value_out);
}

static void free_zone(void *zone)
{
    zone_free(zone);
}

/* tz NAME TIME */
static int call_tz(TEMPLATE_CALL)
{
    (void)count;
    struct zone *zone = NULL;
    int status = check_time(&arguments[1], e);
    if (status == 0) {
        status = zone_open(run->hooks.fs, arguments[0].string, &zone, e);
    }
    if (status == 0 && arena_on_release(&run->arena, free_zone, zone) != 0) {
        zone_free(zone);
        status = template_memory_error(run, e);
    }
    if (status == 0) {
        *value_out = arguments[1];
        value_out->time.zone = zone;
    }
    return status;
}

static int call_now(TEMPLATE_CALL)
{
    (void)arguments, (void)count, (void)e;
    *value_out = template_time_ms(
        run->hooks.time_ms != 0 ? run->hooks.time_ms : clock_now_ms(run->hooks.clock));
    return 0;
}

/* a - b, cut to what a duration holds. */
static int64_t difference(const struct template_time *a, const struct template_time *b)
{
    int64_t seconds, nanoseconds;
    if (__builtin_sub_overflow(a->seconds, b->seconds, &seconds) ||
        __builtin_mul_overflow(seconds, INT64_C(1000000000), &nanoseconds) ||
        __builtin_add_overflow(
            nanoseconds, (int64_t)a->nanoseconds - b->nanoseconds, &nanoseconds)) {
        return a->seconds < b->seconds ? INT64_MIN : INT64_MAX;
    }
    return nanoseconds;
}

static struct template_value duration_value(int64_t nanoseconds)
{
    return (struct template_value){.kind = TEMPLATE_DURATION, .duration_ns = nanoseconds};
}

static int call_since(TEMPLATE_CALL)
{
    int status = check_time(&arguments[0], e);
    struct template_value now;
    if (status == 0) {
        status = call_now(run, NULL, count, &now, e);
        *value_out = duration_value(difference(&now.time, &arguments[0].time));
    }
    return status;
}

/* mustToDate LAYOUT TEXT */
static int call_must_to_date(TEMPLATE_CALL)
{
    (void)run, (void)count;
    struct template_time time;
    int status = go_parse_time(arguments[0].string, arguments[1].string, &time, e);
    if (status == 0) {
        *value_out = template_time(time);
    }
    return status;
}

/* As mustToDate; the zero time for what cannot be read. */
static int call_to_date(TEMPLATE_CALL)
{
    struct err ignored = ERR_INIT;
    (void)e;
    if (call_must_to_date(run, arguments, count, value_out, &ignored) != 0) {
        *value_out = template_time(TEMPLATE_TIME_ZERO);
    }
    return 0;
}

#define METHOD                                                                                     \
    struct template_run *run, const struct template_value *self,                                   \
        const struct template_value *arguments, size_t count, struct template_value *value_out,    \
        struct err *e

static int time_format(METHOD)
{
    (void)count;
    if (arguments[0].kind != TEMPLATE_STRING) {
        return err_set(e, ERR_INVALID, -1, "wrong type for value; expected string; got %s",
            template_type_name(&arguments[0]));
    }
    return format_time(run, &self->time, arguments[0].string, value_out);
}

static int time_string(METHOD)
{
    (void)arguments, (void)count, (void)e;
    return format_time(run, &self->time, GO_TIME_STRING, value_out);
}

static int time_unix(METHOD)
{
    (void)run, (void)arguments, (void)count, (void)e;
    *value_out = template_int(self->time.seconds);
    return 0;
}

static int time_unix_milli(METHOD)
{
    (void)run, (void)arguments, (void)count, (void)e;
    int64_t milliseconds;
    if (__builtin_mul_overflow(self->time.seconds, INT64_C(1000), &milliseconds)) {
        milliseconds = self->time.seconds < 0 ? INT64_MIN : INT64_MAX - 999;
    }
    *value_out = template_int(milliseconds + self->time.nanoseconds / 1000000);
    return 0;
}

static int time_utc(METHOD)
{
    (void)run, (void)arguments, (void)count, (void)e;
    *value_out = *self;
    value_out->time.zone = NULL;
    return 0;
}

static int time_is_zero(METHOD)
{
    (void)run, (void)arguments, (void)count, (void)e;
    *value_out = template_bool(
        self->time.seconds == TEMPLATE_TIME_ZERO.seconds && self->time.nanoseconds == 0);
    return 0;
}

static int time_sub(METHOD)
{
    (void)run, (void)count;
    int status = check_time(&arguments[0], e);
    if (status == 0) {
        *value_out = duration_value(difference(&self->time, &arguments[0].time));
    }
    return status;
}

static int time_before(METHOD)
{
    int status = time_sub(run, self, arguments, count, value_out, e);
    *value_out = template_bool(status == 0 && value_out->duration_ns < 0);
    return status;
}

static int time_after(METHOD)
{
    int status = time_sub(run, self, arguments, count, value_out, e);
    *value_out = template_bool(status == 0 && value_out->duration_ns > 0);
    return status;
}

const struct template_method *template_time_methods(void)
{
    static const struct template_method methods[] = {
        {"Format", 1, 1, time_format},
        {"String", 0, 0, time_string},
        {"Unix", 0, 0, time_unix},
        {"UnixMilli", 0, 0, time_unix_milli},
        {"UTC", 0, 0, time_utc},
        {"IsZero", 0, 0, time_is_zero},
        {"Sub", 1, 1, time_sub},
        {"Before", 1, 1, time_before},
        {"After", 1, 1, time_after},
        {NULL, 0, 0, NULL},
    };
    return methods;
}

const struct function template_notification_functions[] = {
    {"toUpper", 1, 1, "s", template_call_upper},
    {"toLower", 1, 1, "s", template_call_lower},
    {"title", 1, 1, "s", call_title},
    {"trimSpace", 1, 1, "s", call_trim_space},
    {"join", 2, 2, "sv", call_join},
    {"match", 2, 2, "s", template_call_match},
    {"safeHtml", 1, 1, "s", template_call_safe},
    {"safeUrl", 1, 1, "s", template_call_safe},
    {"urlUnescape", 1, 1, "s", call_url_unescape},
    {"reReplaceAll", 3, 3, "s", template_call_replace},
    {"stringSlice", 0, ARGUMENTS_ANY, "s", call_string_slice},
    {"routeLabels", 1, 1, "s", call_route_labels},
    {"date", 2, 2, "sv", call_date},
    {"tz", 2, 2, "sv", call_tz},
    {"now", 0, 0, "v", call_now},
    {"since", 1, 1, "v", call_since},
    {"humanizeDuration", 1, 1, "v", template_call_humanize_duration},
    {"toDate", 2, 2, "s", call_to_date},
    {"mustToDate", 2, 2, "s", call_must_to_date},
    {"toJson", 1, 1, "v", call_to_json},
    {"base64encode", 1, 1, "s", call_base64_encode},
    {"base64decode", 1, 1, "s", call_base64_decode},
    {"list", 0, ARGUMENTS_ANY, "v", call_list},
    {"append", 1, ARGUMENTS_ANY, "v", call_append},
    {"dict", 0, ARGUMENTS_ANY, "v", call_dict},
    {NULL, 0, 0, "", NULL},
};
