/* The notation of series; see the header. Labels and strings are read by the query parser, which knows their
 * syntax. */
#include "promql/series_notation.h"

#include <math.h>
#include <stdlib.h>

#include "base/mem.h"
#include "model/duration.h"
#include "model/sample.h"
#include "query/promql.h"

#define NOTATION_VALUES_MAX ((size_t)1 << 24)

struct value_list {
    struct notation_value *items;
    size_t count, cap;
    struct arena *arena;
    struct err *e;
};

static int add_value(struct value_list *list, struct notation_value value)
{
    int status = mem_array_grow((void **)&list->items, &list->cap, list->count + 1,
        sizeof(*list->items), NOTATION_VALUES_MAX);
    if (status == 0) {
        list->items[list->count++] = value;
    }
    return status;
}

int notation_duration_parse(struct str text, int64_t *ms_out)
{
    bool negative = text.len > 0 && text.ptr[0] == '-';
    text = str_skip(text, negative);
    double seconds;
    int status = 0;
    if (str_to_double(text, &seconds) == 0) {
        *ms_out = (int64_t)llround(seconds * 1000);
    } else {
        status = duration_parse(text, ms_out, NULL);
    }
    *ms_out = negative ? -*ms_out : *ms_out;
    return status;
}

bool notation_string_parse(struct str text, struct arena *arena, struct str *string_out)
{
    struct expr *expr;
    struct err e = ERR_INIT;
    if (promql_parse(text, PROMQL_FEATURES_ALL, arena, &expr, &e) != 0 ||
        expr->kind != EXPR_STRING) {
        return false;
    }
    *string_out = expr->string;
    return true;
}

/* ---- Labels ---- */

static void release_labels(void *labels)
{
    labels_unref(labels);
}

/* Where the metric of a line ends: after the closing brace, or at the first space. */
static size_t metric_length(struct str line)
{
    char quote = 0;
    bool braces = false;
    for (size_t i = 0; i < line.len; i++) {
        char c = line.ptr[i];
        if (quote != 0) {
            if (c == '\\' && quote != '`') {
                i++;
            } else if (c == quote) {
                quote = 0;
            }
        } else if (c == '"' || c == '\'' || c == '`') {
            quote = c;
        } else if (c == '{' && !braces) {
            braces = true;
        } else if (c == '}') {
            return i + 1;
        } else if ((c == ' ' || c == '\t') && !braces) {
            return i;
        }
    }
    return line.len;
}

/* Reads a metric as a selector of equalities, with one matcher more so that {} is one too. */
static int parse_labels(
    struct str text, struct arena *arena, const struct labels **labels_out, struct err *e)
{
    struct strbuf selector = STRBUF_INIT;
    ptrdiff_t brace = str_find(text, '{');
    strbuf_add(&selector, text.ptr, brace < 0 ? text.len : (size_t)brace);
    strbuf_add_c(&selector, "{__notation__=\"1\",");
    if (brace >= 0) {
        strbuf_add_str(&selector, str_skip(text, (size_t)brace + 1));
    } else {
        strbuf_add_c(&selector, "}");
    }
    struct expr *expr;
    int status = promql_parse_selector(strbuf_str(&selector), arena, &expr, e);
    strbuf_release(&selector);
    if (status != 0) {
        return status;
    }
    struct labels_builder builder;
    labels_builder_init(&builder);
    for (size_t i = 0; i < expr->selector.matcher_count; i++) {
        const struct matcher *m = expr->selector.matchers[i];
        if (!str_eq_c(m->name, "__notation__")) {
            labels_builder_set(&builder, m->name, m->value);
        }
    }
    status = labels_builder_finish(&builder, labels_out);
    labels_builder_release(&builder);
    if (status == 0) {
        status = arena_on_release(arena, release_labels, (void *)(uintptr_t)*labels_out);
    }
    return status;
}

/* ---- Histograms ---- */

struct histogram_text {
    struct histogram h;
    double offsets[2];
    double *counts[2];
    size_t counts_len[2];
    double *custom;
};

static bool read_numbers(
    struct str text, struct arena *arena, double **numbers_out, size_t *count_out)
{
    double *numbers = arena_alloc(arena, (text.len + 1) * sizeof(*numbers));
    *count_out = 0;
    while (numbers != NULL && text.len > 0) {
        struct str word = str_split(&text, ' ');
        if (word.len > 0 && str_to_double(word, &numbers[(*count_out)++]) != 0) {
            return false;
        }
    }
    *numbers_out = numbers;
    return numbers != NULL;
}

static bool set_hint(struct histogram *h, struct str value)
{
    static const char *const names[] = {"unknown", "reset", "not_reset", "gauge"};
    for (int i = 0; i < 4; i++) {
        if (str_eq_c(value, names[i])) {
            h->reset_hint = (enum histogram_reset_hint)i;
            return true;
        }
    }
    return false;
}

static bool set_field(
    struct histogram_text *t, struct str name, struct str value, struct arena *arena)
{
    struct histogram *h = &t->h;
    if (value.len > 0 && value.ptr[0] == '[') {
        struct str list = str_make(value.ptr + 1, value.len - 2);
        if (str_eq_c(name, "custom_values")) {
            return read_numbers(list, arena, &t->custom, &h->custom_count);
        }
        int side = str_eq_c(name, "n_buckets");
        return (side == 1 || str_eq_c(name, "buckets")) &&
               read_numbers(list, arena, &t->counts[side], &t->counts_len[side]);
    }
    if (str_eq_c(name, "counter_reset_hint")) {
        return set_hint(h, value);
    }
    double number;
    if (str_to_double(value, &number) != 0) {
        return false;
    }
    const struct {
        const char *name;
        double *target;
    } fields[] = {{"count", &h->count}, {"sum", &h->sum}, {"z_bucket", &h->zero_count},
        {"z_bucket_w", &h->zero_threshold}, {"offset", &t->offsets[0]},
        {"n_offset", &t->offsets[1]}};
    for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
        if (str_eq_c(name, fields[i].name)) {
            *fields[i].target = number;
            return true;
        }
    }
    h->schema = (int32_t)number;
    return str_eq_c(name, "schema");
}

/* The text between {{ and }}. */
static const struct histogram *parse_histogram(struct str text, struct arena *arena)
{
    struct histogram_text t = {.h = {.schema = 0}};
    text = str_trim(text);
    while (text.len > 0) {
        struct str name = str_trim(str_split(&text, ':'));
        size_t end = 0;
        bool list = text.len > 0 && text.ptr[0] == '[';
        while (end < text.len && (list ? text.ptr[end] != ']' : text.ptr[end] != ' ')) {
            end++;
        }
        end += list;
        if (end > text.len || !set_field(&t, name, str_make(text.ptr, end), arena)) {
            return NULL;
        }
        text = str_trim(str_skip(text, end));
    }
    struct histogram *h = arena_dup(arena, &t.h, sizeof(t.h));
    for (int side = 0; h != NULL && side < 2; side++) {
        struct histogram_span span = {(int32_t)t.offsets[side], (uint32_t)t.counts_len[side]};
        struct histogram_buckets *buckets = side == 0 ? &h->positive : &h->negative;
        buckets->spans = arena_dup(arena, &span, sizeof(span));
        buckets->span_count = t.counts_len[side] > 0;
        buckets->counts = t.counts[side];
        buckets->count = t.counts_len[side];
    }
    if (h != NULL) {
        h->custom_values = t.custom;
    }
    return h;
}

/* The sum of two histograms of one layout (or the first's resolution lower), bucket by bucket: the
 * language asks for no more. */
static const struct histogram *add_histograms(
    const struct histogram *a, const struct histogram *b, double sign, struct arena *arena)
{
    struct histogram *sum = histogram_dup(a, arena);
    if (sum == NULL || b->schema < a->schema) {
        return NULL;
    }
    sum->count += sign * b->count;
    sum->sum += sign * b->sum;
    sum->zero_count += sign * b->zero_count;
    if (a->reset_hint != b->reset_hint && a->reset_hint != HISTOGRAM_GAUGE) {
        sum->reset_hint =
            b->reset_hint == HISTOGRAM_GAUGE ? HISTOGRAM_GAUGE : HISTOGRAM_RESET_UNKNOWN;
    }
    for (int side = 0; side < 2; side++) {
        const struct histogram_buckets *x = side == 0 ? &a->positive : &a->negative;
        const struct histogram_buckets *y = side == 0 ? &b->positive : &b->negative;
        int32_t x_first = x->span_count > 0 ? x->spans[0].offset : 0;
        int32_t y_first = y->span_count > 0 ? y->spans[0].offset : 0;
        int32_t levels = a->schema - b->schema;
        levels = -levels;
        int32_t first = x_first, last = x_first + (int32_t)x->count - 1;
        for (size_t i = 0; i < y->count; i++) {
            int32_t index = y_first + (int32_t)i;
            index = levels > 0 ? ((index - 1) >> levels) + 1 : index;
            first = x->count == 0 && i == 0 ? index : index < first ? index : first;
            last = x->count == 0 && i == 0 ? index : index > last ? index : last;
        }
        size_t count = x->count + y->count > 0 ? (size_t)(last - first + 1) : 0;
        double *counts = arena_calloc(arena, count + 1, sizeof(*counts));
        struct histogram_span span = {first, (uint32_t)count};
        for (size_t i = 0; counts != NULL && i < x->count; i++) {
            counts[x_first + (int32_t)i - first] += x->counts[i];
        }
        for (size_t i = 0; counts != NULL && i < y->count; i++) {
            int32_t index = y_first + (int32_t)i;
            index = levels > 0 ? ((index - 1) >> levels) + 1 : index;
            counts[index - first] += sign * y->counts[i];
        }
        struct histogram_buckets *out = side == 0 ? &sum->positive : &sum->negative;
        *out = (struct histogram_buckets){
            arena_dup(arena, &span, sizeof(span)), count > 0, counts, count};
    }
    return sum;
}

/* ---- Values ---- */

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* Takes "xN" off the front; false, and 0 times, when it is not there. */
static bool take_times(struct str *text, size_t *times_out)
{
    *times_out = 0;
    if (text->len < 2 || text->ptr[0] != 'x' || !is_digit(text->ptr[1])) {
        return false;
    }
    *text = str_skip(*text, 1);
    while (text->len > 0 && is_digit(text->ptr[0]) && *times_out <= NOTATION_VALUES_MAX) {
        *times_out = *times_out * 10 + (size_t)(text->ptr[0] - '0');
        *text = str_skip(*text, 1);
    }
    return true;
}

/* {{…}} at the front of `text`, NULL when malformed. */
static const struct histogram *take_histogram(struct str *text, struct arena *arena)
{
    size_t end = 2;
    while (end + 1 < text->len && !(text->ptr[end] == '}' && text->ptr[end + 1] == '}')) {
        end++;
    }
    if (end + 1 >= text->len) {
        return NULL;
    }
    const struct histogram *h = parse_histogram(str_make(text->ptr + 2, end - 2), arena);
    *text = str_skip(*text, end + 2);
    return h;
}

static int parse_histogram_item(struct value_list *list, struct str *text)
{
    const struct histogram *h = take_histogram(text, list->arena), *step = NULL;
    double sign = text->len > 0 && text->ptr[0] == '-' ? -1 : 1;
    if (h != NULL && text->len > 3 && (text->ptr[0] == '+' || text->ptr[0] == '-')) {
        *text = str_skip(*text, 1);
        step = take_histogram(text, list->arena);
    }
    size_t times;
    (void)take_times(text, &times);
    int status = h != NULL ? add_value(list, (struct notation_value){NOTATION_HISTOGRAM, 0, h})
                           : ERR_INVALID;
    for (size_t i = 0; status == 0 && i < times; i++) {
        h = step != NULL ? add_histograms(h, step, sign, list->arena) : h;
        status = h != NULL ? add_value(list, (struct notation_value){NOTATION_HISTOGRAM, 0, h})
                           : ERR_INVALID;
    }
    return status;
}

/* Characters of the number at the front, its sign included. */
static size_t number_length(struct str text)
{
    size_t n = text.len > 0 && (text.ptr[0] == '-' || text.ptr[0] == '+');
    for (; n < text.len; n++) {
        char c = text.ptr[n];
        bool exponent_sign = n > 0 && (text.ptr[n - 1] | 0x20) == 'e' && (c == '-' || c == '+');
        bool word = (c | 0x20) != 'x' && ((c | 0x20) >= 'a' && (c | 0x20) <= 'z');
        if (!((c >= '0' && c <= '9') || c == '.' || exponent_sign || word)) {
            break;
        }
    }
    return n;
}

static int parse_float_item(struct value_list *list, struct str word)
{
    if (str_eq_c(word, "stale")) {
        return add_value(list, (struct notation_value){NOTATION_FLOAT, value_stale_marker(), NULL});
    }
    size_t times;
    double value, step = 0;
    if (word.ptr[0] == '_') {
        word = str_skip(word, 1);
        times = take_times(&word, &times) ? times : 1;
        int status = word.len == 0 ? 0 : ERR_INVALID;
        for (size_t i = 0; status == 0 && i < times; i++) {
            status = add_value(list, (struct notation_value){NOTATION_OMITTED, 0, NULL});
        }
        return status;
    }
    size_t length = number_length(word);
    if (str_to_double(str_make(word.ptr, length), &value) != 0) {
        return ERR_INVALID;
    }
    word = str_skip(word, length);
    length = word.len > 0 && word.ptr[0] != 'x' ? number_length(word) : 0;
    if (length > 0 && str_to_double(str_make(word.ptr, length), &step) != 0) {
        return ERR_INVALID;
    }
    word = str_skip(word, length);
    (void)take_times(&word, &times);
    int status = word.len == 0 ? 0 : ERR_INVALID;
    for (size_t i = 0; status == 0 && i <= times; i++) {
        status = add_value(list, (struct notation_value){NOTATION_FLOAT, value, NULL});
        value = step != 0 ? value + step : value;
    }
    return status;
}

static int parse_values(struct value_list *list, struct str text)
{
    int status = 0;
    text = str_trim(text);
    while (status == 0 && text.len > 0) {
        if (str_starts_with(text, STR("{{"))) {
            status = parse_histogram_item(list, &text);
        } else {
            size_t end = 0;
            while (end < text.len && text.ptr[end] != ' ' && text.ptr[end] != '\t') {
                end++;
            }
            status = parse_float_item(list, str_make(text.ptr, end));
            text = str_skip(text, end);
        }
        text = str_trim(text);
    }
    return status;
}

int notation_series_parse(
    struct str line, struct arena *arena, struct notation_series *series_out, struct err *e)
{
    size_t length = metric_length(line);
    struct value_list list = {.arena = arena, .e = e};
    int status = parse_labels(str_make(line.ptr, length), arena, &series_out->labels, e);
    if (status == 0) {
        status = parse_values(&list, str_skip(line, length));
    }
    if (status == ERR_INVALID && (e->code == 0)) {
        (void)err_set(e, status, -1, "bad values in \"%.*s\"", STR_ARG(line));
    }
    series_out->values = arena_dup(arena, list.items, list.count * sizeof(*list.items));
    series_out->count = list.count;
    mem_free(list.items);
    return status;
}
