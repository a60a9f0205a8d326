/* The functions that Prometheus gives to the texts of rules. */
#include <math.h>
#include <stdlib.h>

#include "base/fpconv.h"
#include "go_print.h"
#include "go_time.h"
#include "model/duration.h"
#include "template_eval.h"
#include "template_literal.h"
#include "template_run.h"

/* Samples that one query may hand to a template. */
#define SAMPLES_MAX 100000

/* ---- Queries ---- */

/* {Labels map[string]string, Value float64} */
static int sample_value(struct template_run *run, const struct template_sample *sample,
    struct template_value *value_out, struct err *e)
{
    struct template_fields *fields = arena_calloc(&run->arena, 1, sizeof(*fields));
    struct template_field *items = arena_calloc(&run->arena, 2, sizeof(*items));
    struct template_value *values = arena_calloc(&run->arena, 2, sizeof(*values));
    if (fields == NULL || items == NULL || values == NULL) {
        return template_memory_error(run, e);
    }
    values[0] = template_pairs(&run->arena, sample->labels, sample->label_count, false);
    values[1] = template_float(sample->value);
    if (values[0].kind == TEMPLATE_NIL) {
        return template_memory_error(run, e);
    }
    items[0] = (struct template_field){STR("Labels"), &values[0]};
    items[1] = (struct template_field){STR("Value"), &values[1]};
    *fields = (struct template_fields){.type = "*template.sample", .items = items, .count = 2};
    *value_out = template_struct(fields);
    return 0;
}

static int call_query(TEMPLATE_CALL)
{
    (void)count;
    struct template_sample *samples = NULL;
    size_t sample_count = 0;
    if (run->hooks.query == NULL) {
        return err_set(e, ERR_UNSUPPORTED, -1, "queries are not possible here");
    }
    int status = run->hooks.query(
        run->hooks.context, arguments[0].string, &run->arena, &samples, &sample_count, e);
    if (status == 0 && sample_count > SAMPLES_MAX) {
        status = err_set(e, ERR_LIMIT, -1, "the query gave more than %d series", SAMPLES_MAX);
    }
    if (status != 0) {
        return status;
    }
    struct template_list *list;
    struct template_value *items = template_list_new(run, sample_count, &list);
    if (items == NULL) {
        return template_memory_error(run, e);
    }
    for (size_t i = 0; i < sample_count && status == 0; i++) {
        status = sample_value(run, &samples[i], &items[i], e);
    }
    list->type = "template.queryResult";
    *value_out = template_list_of(list);
    return status;
}

static int check_list(const struct template_value *v, struct err *e)
{
    return v->kind == TEMPLATE_LIST
               ? 0
               : err_set(e, ERR_INVALID, -1,
                     "wrong type for value; expected template.queryResult; got %s",
                     template_type_name(v));
}

static const struct template_value *sample_field(
    const struct template_value *sample, struct str name, struct err *e)
{
    const struct template_value *field = template_field(sample, name);
    if (field == NULL) {
        (void)err_set(e, ERR_INVALID, -1, "wrong type for value; expected *template.sample; got %s",
            template_type_name(sample));
    }
    return field;
}

static int call_first(TEMPLATE_CALL)
{
    (void)run, (void)count;
    int status = check_list(&arguments[0], e);
    if (status == 0 && arguments[0].list->count == 0) {
        status = err_set(e, ERR_INVALID, -1, "first() called on vector with no elements");
    }
    if (status == 0) {
        *value_out = arguments[0].list->items[0];
    }
    return status;
}

static struct template_value label_of(const struct template_value *labels, struct str name)
{
    const struct template_value *found = template_field(labels, name);
    return found != NULL ? *found : template_string(STR(""));
}

static int call_label(TEMPLATE_CALL)
{
    (void)run, (void)count;
    const struct template_value *labels = sample_field(&arguments[1], STR("Labels"), e);
    if (labels == NULL) {
        return ERR_INVALID;
    }
    *value_out = label_of(labels, arguments[0].string);
    return 0;
}

static int call_value(TEMPLATE_CALL)
{
    (void)run, (void)count;
    const struct template_value *value = sample_field(&arguments[0], STR("Value"), e);
    if (value == NULL) {
        return ERR_INVALID;
    }
    *value_out = *value;
    return 0;
}

static int call_strvalue(TEMPLATE_CALL)
{
    (void)run, (void)count;
    const struct template_value *labels = sample_field(&arguments[0], STR("Labels"), e);
    if (labels == NULL) {
        return ERR_INVALID;
    }
    *value_out = label_of(labels, STR("__value__"));
    return 0;
}

struct sort_key {
    struct str text;
    size_t index;
};

static int compare_keys(const void *a, const void *b)
{
    const struct sort_key *x = a, *y = b;
    int order = str_cmp(x->text, y->text);
    return order != 0 ? order : (x->index > y->index) - (x->index < y->index);
}

static int call_sort_by_label(TEMPLATE_CALL)
{
    (void)count;
    int status = check_list(&arguments[1], e);
    if (status != 0) {
        return status;
    }
    const struct template_list *from = arguments[1].list;
    struct template_list *list;
    struct template_value *items = template_list_new(run, from->count, &list);
    struct sort_key *keys = arena_calloc(&run->arena, from->count, sizeof(*keys));
    if (items == NULL || keys == NULL) {
        return template_memory_error(run, e);
    }
    for (size_t i = 0; i < from->count; i++) {
        const struct template_value *labels = sample_field(&from->items[i], STR("Labels"), e);
        if (labels == NULL) {
            return ERR_INVALID;
        }
        keys[i] = (struct sort_key){label_of(labels, arguments[0].string).string, i};
    }
    if (from->count > 1) {
        qsort(keys, from->count, sizeof(*keys), compare_keys);
    }
    for (size_t i = 0; i < from->count; i++) {
        items[i] = from->items[keys[i].index];
    }
    list->type = from->type;
    *value_out = template_list_of(list);
    return 0;
}

/* ---- Numbers ---- */

/* `steps` prefixes of `base`, as "k", "M": below `least` none. */
static void write_scaled(
    double v, const char *prefixes, double base, const char *suffix, struct strbuf *out)
{
    size_t steps = 0, most = strlen(prefixes);
    while (isfinite(v) && fabs(v) >= base && steps < most) {
        v /= base;
        steps++;
    }
    go_write_float(v, 'g', 4, out);
    if (steps > 0) {
        strbuf_add_char(out, prefixes[steps - 1]);
        strbuf_add_c(out, suffix);
    }
}

static int call_humanize(TEMPLATE_CALL)
{
    (void)count;
    double v = 0;
    int status = template_float_of(&arguments[0], &v, e);
    if (status != 0) {
        return status;
    }
    struct strbuf out = STRBUF_INIT;
    if (v == 0 || !isfinite(v) || fabs(v) >= 1) {
        write_scaled(v, "kMGTPEZY", 1000, "", &out);
    } else {
        static const char prefixes[] = "munpfazy";
        size_t steps = 0;
        while (fabs(v) < 1 && steps < sizeof(prefixes) - 1) {
            v *= 1000;
            steps++;
        }
        go_write_float(v, 'g', 4, &out);
        strbuf_add_char(&out, prefixes[steps - 1]);
    }
    return template_keep_buffer(run, &out, value_out);
}

static int call_humanize_1024(TEMPLATE_CALL)
{
    (void)count;
    double v = 0;
    int status = template_float_of(&arguments[0], &v, e);
    if (status != 0) {
        return status;
    }
    struct strbuf out = STRBUF_INIT;
    write_scaled(v, "kMGTPEZY", 1024, "i", &out);
    return template_keep_buffer(run, &out, value_out);
}

static int call_humanize_percentage(TEMPLATE_CALL)
{
    (void)count;
    double v = 0;
    int status = template_float_of(&arguments[0], &v, e);
    if (status != 0) {
        return status;
    }
    struct strbuf out = STRBUF_INIT;
    go_write_float(v * 100, 'g', 4, &out);
    strbuf_add_char(&out, '%');
    return template_keep_buffer(run, &out, value_out);
}

/* Seconds as whole nanoseconds. */
static int nanoseconds_of(double seconds, const char *what, int64_t *nanoseconds_out, struct err *e)
{
    double nanoseconds = seconds * 1e9;
    if (!isfinite(seconds)) {
        return err_set(e, ERR_RANGE, -1, "value is NaN or Inf");
    }
    if (!(fabs(nanoseconds) < 0x1p63)) {
        char text[FP_TEXT_MAX];
        (void)fp_format_short(seconds, text);
        return err_set(e, ERR_RANGE, -1,
            "%s cannot be represented as a nanoseconds %s since it overflows int64", text, what);
    }
    *nanoseconds_out = (int64_t)nanoseconds;
    return 0;
}

/* Prometheus' times are whole milliseconds. */
static int time_of(
    const struct template_value *v, struct template_value *time_out, double *number, struct err *e)
{
    int64_t nanoseconds = 0;
    int status = template_float_of(v, number, e);
    if (status == 0) {
        status = nanoseconds_of(*number, "timestamp", &nanoseconds, e);
    }
    if (status == 0) {
        *time_out = template_time_ms(nanoseconds / 1000000);
    }
    return status;
}

static int call_humanize_timestamp(TEMPLATE_CALL)
{
    (void)count;
    struct template_value time;
    double number = 0;
    struct strbuf out = STRBUF_INIT;
    int status = time_of(&arguments[0], &time, &number, e);
    if (status != 0 && status == ERR_RANGE && !isfinite(number)) {
        go_write_float(number, 'g', 4, &out);
        return template_keep_buffer(run, &out, value_out);
    }
    if (status != 0) {
        return status;
    }
    go_print_value(run, &time, &out);
    return template_keep_buffer(run, &out, value_out);
}

static int call_to_time(TEMPLATE_CALL)
{
    (void)run, (void)count;
    double number = 0;
    return time_of(&arguments[0], value_out, &number, e);
}

static int call_to_duration(TEMPLATE_CALL)
{
    (void)run, (void)count;
    double number = 0;
    int64_t nanoseconds = 0;
    int status = template_float_of(&arguments[0], &number, e);
    if (status == 0) {
        status = nanoseconds_of(number, "duration", &nanoseconds, e);
    }
    *value_out = (struct template_value){.kind = TEMPLATE_DURATION, .duration_ns = nanoseconds};
    return status;
}

static int call_parse_duration(TEMPLATE_CALL)
{
    (void)run, (void)count;
    int64_t milliseconds = 0;
    int status = duration_parse(arguments[0].string, &milliseconds, NULL);
    if (status != 0) {
        struct strbuf quoted = STRBUF_INIT;
        template_write_quoted(arguments[0].string, &quoted);
        (void)err_set(e, status, -1, "not a valid duration string: %s",
            quoted.data != NULL ? quoted.data : "");
        strbuf_release(&quoted);
    }
    *value_out = template_float((double)milliseconds / 1000);
    return status;
}

static int call_now(TEMPLATE_CALL)
{
    (void)arguments, (void)count, (void)e;
    int64_t ms = run->hooks.time_ms != 0 ? run->hooks.time_ms : clock_now_ms(run->hooks.clock);
    *value_out = template_float((double)ms / 1000);
    return 0;
}

/* ---- Text ---- */

/* strings.Title: what follows a separator is in upper case; the rest stays. */
static int call_title(TEMPLATE_CALL)
{
    (void)count, (void)e;
    struct strbuf out = STRBUF_INIT;
    struct str text = arguments[0].string;
    bool begins = true;
    size_t bytes = 0;
    for (; text.len > 0; text = str_skip(text, bytes)) {
        uint32_t code = template_character(text, &bytes);
        template_write_character(begins ? template_to_upper(code) : code, &out);
        bool word = (code >= '0' && code <= '9') ||
                    ((code | 0x20) >= 'a' && (code | 0x20) <= 'z') || code == '_' ||
                    (code >= 0x80 && code != 0xa0 && code != 0x85);
        begins = !word;
    }
    return template_keep_buffer(run, &out, value_out);
}

/* Go's net.SplitHostPort. */
static bool split_host(struct str text, struct str *host_out, struct str *port_out)
{
    size_t colon = text.len;
    while (colon > 0 && text.ptr[colon - 1] != ':') {
        colon--;
    }
    if (colon == 0) {
        return false;
    }
    struct str host = str_make(text.ptr, colon - 1);
    *port_out = str_skip(text, colon);
    bool bracketed = host.len >= 2 && host.ptr[0] == '[' && host.ptr[host.len - 1] == ']';
    if (bracketed) {
        host = str_make(host.ptr + 1, host.len - 2);
    } else if (str_find(host, ':') >= 0) {
        return false;
    }
    if (str_find(host, '[') >= 0 || str_find(host, ']') >= 0 || str_find(*port_out, ']') >= 0) {
        return false;
    }
    *host_out = host;
    return true;
}

static int call_strip_port(TEMPLATE_CALL)
{
    (void)count, (void)e;
    struct str host, port;
    bool split = split_host(arguments[0].string, &host, &port);
    return template_keep(run, split ? host : arguments[0].string, value_out);
}

static bool is_address(struct str host)
{
    size_t dots = 0;
    bool digits = host.len > 0;
    for (size_t i = 0; i < host.len; i++) {
        dots += host.ptr[i] == '.';
        digits &= host.ptr[i] == '.' || (host.ptr[i] >= '0' && host.ptr[i] <= '9');
    }
    return (digits && dots == 3) || str_find(host, ':') >= 0;
}

static int call_strip_domain(TEMPLATE_CALL)
{
    (void)count, (void)e;
    struct str host = arguments[0].string, port = STR("");
    if (!split_host(arguments[0].string, &host, &port)) {
        port = STR("");
    }
    if (is_address(host)) {
        return template_keep(run, arguments[0].string, value_out);
    }
    ptrdiff_t dot = str_find(host, '.');
    struct strbuf out = STRBUF_INIT;
    strbuf_add(&out, host.ptr, dot < 0 ? host.len : (size_t)dot);
    if (port.len > 0) {
        strbuf_add_char(&out, ':');
        strbuf_add_str(&out, port);
    }
    return template_keep_buffer(run, &out, value_out);
}

static int link_to(
    struct template_run *run, struct str expr, char tab, struct template_value *value_out)
{
    struct strbuf out = STRBUF_INIT;
    strbuf_add_c(&out, "/graph?g0.expr=");
    template_write_query(expr, &out);
    strbuf_add_c(&out, "&g0.tab=");
    strbuf_add_char(&out, tab);
    return template_keep_buffer(run, &out, value_out);
}

static int call_graph_link(TEMPLATE_CALL)
{
    (void)count, (void)e;
    return link_to(run, arguments[0].string, '0', value_out);
}

static int call_table_link(TEMPLATE_CALL)
{
    (void)count, (void)e;
    return link_to(run, arguments[0].string, '1', value_out);
}

static int call_query_escape(TEMPLATE_CALL)
{
    (void)count, (void)e;
    struct strbuf out = STRBUF_INIT;
    template_write_query(arguments[0].string, &out);
    return template_keep_buffer(run, &out, value_out);
}

static int call_external_url(TEMPLATE_CALL)
{
    (void)arguments, (void)count, (void)e;
    *value_out = template_string(run->hooks.external_url);
    return 0;
}

static int call_path_prefix(TEMPLATE_CALL)
{
    (void)arguments, (void)count, (void)e;
    *value_out = template_string(run->hooks.path_prefix);
    return 0;
}

/* ---- Templates ---- */

static int compare_names(const void *a, const void *b)
{
    const struct template_field *x = a, *y = b;
    return str_cmp(x->name, y->name);
}

/* arg0, arg1 … as a map. */
static int call_args(TEMPLATE_CALL)
{
    struct template_fields *fields = arena_calloc(&run->arena, 1, sizeof(*fields));
    struct template_field *items = arena_calloc(&run->arena, count, sizeof(*items));
    struct template_value *values = arena_dup(&run->arena, arguments, count * sizeof(*values));
    if (fields == NULL || items == NULL || values == NULL) {
        return template_memory_error(run, e);
    }
    for (size_t i = 0; i < count; i++) {
        struct strbuf name = STRBUF_INIT;
        struct template_value kept;
        strbuf_addf(&name, "arg%zu", i);
        int status = template_keep_buffer(run, &name, &kept);
        if (status != 0) {
            return status;
        }
        items[i] = (struct template_field){kept.string, &values[i]};
    }
    if (count > 1) {
        qsort(items, count, sizeof(*items), compare_names);
    }
    *fields = (struct template_fields){.items = items, .count = count};
    *value_out = template_map(fields);
    return 0;
}

/* tmpl NAME DATA: a definition's text as a value. */
static int call_tmpl(TEMPLATE_CALL)
{
    (void)count, (void)e;
    struct strbuf text;
    strbuf_init(&text, run->limits.output_bytes_max + 1);
    struct strbuf *outer = run->out;
    size_t outer_max = run->out_max;
    run->out = &text;
    run->out_max = run->limits.output_bytes_max;
    int status = template_run_definition(run, arguments[0].string, &arguments[1]);
    run->out = outer;
    run->out_max = outer_max;
    if (status != 0) {
        strbuf_release(&text);
        return status;
    }
    status = template_keep_buffer(run, &text, value_out);
    value_out->safe = true;
    return status;
}

const struct function template_rule_functions[] = {
    {"query", 1, 1, "s", call_query},
    {"first", 1, 1, "v", call_first},
    {"label", 2, 2, "sv", call_label},
    {"value", 1, 1, "v", call_value},
    {"strvalue", 1, 1, "v", call_strvalue},
    {"sortByLabel", 2, 2, "sv", call_sort_by_label},
    {"humanize", 1, 1, "v", call_humanize},
    {"humanize1024", 1, 1, "v", call_humanize_1024},
    {"humanizeDuration", 1, 1, "v", template_call_humanize_duration},
    {"humanizePercentage", 1, 1, "v", call_humanize_percentage},
    {"humanizeTimestamp", 1, 1, "v", call_humanize_timestamp},
    {"toTime", 1, 1, "v", call_to_time},
    {"toDuration", 1, 1, "v", call_to_duration},
    {"parseDuration", 1, 1, "s", call_parse_duration},
    {"now", 0, 0, "v", call_now},
    {"title", 1, 1, "s", call_title},
    {"toUpper", 1, 1, "s", template_call_upper},
    {"toLower", 1, 1, "s", template_call_lower},
    {"stripPort", 1, 1, "s", call_strip_port},
    {"stripDomain", 1, 1, "s", call_strip_domain},
    {"match", 2, 2, "s", template_call_match},
    {"reReplaceAll", 3, 3, "s", template_call_replace},
    {"graphLink", 1, 1, "s", call_graph_link},
    {"tableLink", 1, 1, "s", call_table_link},
    {"urlQueryEscape", 1, 1, "s", call_query_escape},
    {"args", 0, ARGUMENTS_ANY, "v", call_args},
    {"tmpl", 2, 2, "sv", call_tmpl},
    {"safeHtml", 1, 1, "s", template_call_safe},
    {"externalURL", 0, 0, "v", call_external_url},
    {"pathPrefix", 0, 0, "v", call_path_prefix},
    {NULL, 0, 0, "", NULL},
};
