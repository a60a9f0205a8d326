/* Native histograms in lines of JSON, both ways. Numbers of JSON are read as doubles throughout. */
#include "json_lines_histogram.h"

#include <math.h>
#include <string.h>

#include "base/str.h"
#include "model/sample.h"

/* In the order of enum histogram_reset_hint. */
static const char *const resets[] = {"unknown", "yes", "no", "gauge"};

/* The object that is read. A complaint makes what follows do nothing. */
struct reader {
    const json_t *object;
    struct arena *arena;
    struct err *err;
    int status;
};

/* ---- Reading ---- */

static void refuse(struct reader *r, const char *name, const char *what)
{
    if (r->status == 0) {
        r->status = err_set(r->err, ERR_INVALID, -1, "a histogram's \"%s\" must be %s", name, what);
    }
}

static void *take_memory(struct reader *r, size_t count, size_t size)
{
    void *memory = r->status == 0 ? arena_calloc(r->arena, count, size) : NULL;
    if (memory == NULL && r->status == 0) {
        r->status = arena_error(r->arena);
        err_set(r->err, r->status, -1, "%s", err_text(r->status));
    }
    return memory;
}

static double read_number(struct reader *r, const char *name, bool required)
{
    const json_t *value = json_object_get(r->object, name);
    double number = 0;
    if ((value != NULL || required) && !json_lines_read_number(value, &number)) {
        refuse(r, name, "a number");
    }
    return number;
}

/* A whole number that fits an int32. */
static bool read_int32(const json_t *value, int32_t *out)
{
    double number = json_number_value(value);
    if (!json_is_number(value) || !(number >= INT32_MIN && number <= INT32_MAX) ||
        number != trunc(number)) {
        return false;
    }
    *out = (int32_t)number;
    return true;
}

static enum histogram_reset_hint read_reset(struct reader *r)
{
    const json_t *value = json_object_get(r->object, "reset");
    if (value == NULL) {
        return HISTOGRAM_RESET_UNKNOWN;
    }
    for (size_t i = 0; json_is_string(value) && i < sizeof(resets) / sizeof(resets[0]); i++) {
        if (strcmp(json_string_value(value), resets[i]) == 0) {
            return (enum histogram_reset_hint)i;
        }
    }
    refuse(r, "reset", "\"unknown\", \"yes\", \"no\" or \"gauge\"");
    return HISTOGRAM_RESET_UNKNOWN;
}

/* A list, or nothing; NULL for both nothing and no list. */
static const json_t *get_list(struct reader *r, const char *name)
{
    const json_t *value = json_object_get(r->object, name);
    if (value != NULL && !json_is_array(value)) {
        refuse(r, name, "a list");
        return NULL;
    }
    return value;
}

static const double *read_numbers(
    struct reader *r, const char *name, const json_t *list, size_t from, double *numbers)
{
    size_t count = json_array_size(list);
    for (size_t i = from; r->status == 0 && i < count; i++) {
        if (!json_lines_read_number(json_array_get(list, i), &numbers[i - from])) {
            refuse(r, name, "of numbers");
        }
    }
    return numbers;
}

static size_t count_buckets(const json_t *side)
{
    size_t count = 0;
    for (size_t i = 0; i < json_array_size(side); i++) {
        size_t span = json_array_size(json_array_get(side, i));
        count += span > 0 ? span - 1 : 0;
    }
    return count;
}

static void read_side(struct reader *r, const char *name, struct histogram_buckets *out)
{
    const json_t *side = get_list(r, name);
    size_t span_count = json_array_size(side), count = count_buckets(side);
    if (span_count > HISTOGRAM_BUCKETS_MAX || count > HISTOGRAM_BUCKETS_MAX) {
        refuse(r, name, "of no more than 16384 buckets");
    }
    struct histogram_span *spans = take_memory(r, span_count, sizeof(*spans));
    double *counts = take_memory(r, count, sizeof(*counts));
    size_t at = 0;
    for (size_t i = 0; r->status == 0 && i < span_count; i++) {
        const json_t *span = json_array_get(side, i);
        if (!json_is_array(span) || !read_int32(json_array_get(span, 0), &spans[i].offset)) {
            refuse(r, name, "a list of spans [offset, count, …]");
            break;
        }
        spans[i].length = (uint32_t)json_array_size(span) - 1;
        (void)read_numbers(r, name, span, 1, counts + at); /* complaints stick in `r` */
        at += spans[i].length;
    }
    *out = (struct histogram_buckets){spans, span_count, counts, count};
}

static void read_custom(struct reader *r, struct histogram *h)
{
    const json_t *list = get_list(r, "custom_values");
    size_t count = json_array_size(list);
    if (count > HISTOGRAM_BUCKETS_MAX) {
        refuse(r, "custom_values", "no more than 16384");
    }
    double *numbers = take_memory(r, count, sizeof(*numbers));
    h->custom_values = read_numbers(r, "custom_values", list, 0, numbers);
    h->custom_count = count;
}

int json_lines_read_histogram(
    const json_t *value, struct arena *arena, const struct histogram **out, struct err *e)
{
    struct reader r = {value, arena, e, 0};
    if (!json_is_object(value)) {
        return err_set(e, ERR_INVALID, -1, "a histogram must be an object");
    }
    struct histogram *h = take_memory(&r, 1, sizeof(*h));
    if (h == NULL) {
        return r.status;
    }
    if (!read_int32(json_object_get(value, "schema"), &h->schema)) {
        refuse(&r, "schema", "a whole number");
    }
    const json_t *integer = json_object_get(value, "integer");
    if (integer != NULL && !json_is_boolean(integer)) {
        refuse(&r, "integer", "true or false");
    }
    h->integer = json_is_true(integer);
    h->reset_hint = read_reset(&r);
    h->count = read_number(&r, "count", true);
    h->sum = read_number(&r, "sum", true);
    h->zero_threshold = read_number(&r, "zero_threshold", false);
    h->zero_count = read_number(&r, "zero_count", false);
    read_side(&r, "positive", &h->positive);
    read_side(&r, "negative", &h->negative);
    read_custom(&r, h);
    if (r.status == 0) {
        r.status = histogram_validate(h, e);
    }
    if (r.status == 0) {
        *out = h;
    }
    return r.status;
}

/* ---- Writing ---- */

static void write_number(const char *name, double value, struct strbuf *out)
{
    strbuf_addf(out, ",\"%s\":", name);
    json_lines_write_number(value, out);
}

static void write_side(const char *name, const struct histogram_buckets *side, struct strbuf *out)
{
    const double *count = side->counts;
    if (side->span_count == 0) {
        return;
    }
    strbuf_addf(out, ",\"%s\":[", name);
    for (size_t i = 0; i < side->span_count; i++) {
        strbuf_addf(out, "%s[%d", i > 0 ? "," : "", (int)side->spans[i].offset);
        for (uint32_t j = 0; j < side->spans[i].length; j++) {
            strbuf_add_char(out, ',');
            json_lines_write_number(*count++, out);
        }
        strbuf_add_char(out, ']');
    }
    strbuf_add_char(out, ']');
}

void json_lines_write_histogram(const struct histogram *h, struct strbuf *out)
{
    strbuf_addf(out, "{\"schema\":%d", (int)h->schema);
    write_number("count", h->count, out);
    write_number("sum", h->sum, out);
    write_number("zero_threshold", h->zero_threshold, out);
    write_number("zero_count", h->zero_count, out);
    if (h->reset_hint != HISTOGRAM_RESET_UNKNOWN) {
        strbuf_addf(out, ",\"reset\":\"%s\"", resets[h->reset_hint]);
    }
    strbuf_add_c(out, h->integer ? ",\"integer\":true" : "");
    write_side("positive", &h->positive, out);
    write_side("negative", &h->negative, out);
    if (h->custom_count > 0) {
        strbuf_add_c(out, ",\"custom_values\":[");
        for (size_t i = 0; i < h->custom_count; i++) {
            strbuf_add_c(out, i > 0 ? "," : "");
            json_lines_write_number(h->custom_values[i], out);
        }
        strbuf_add_char(out, ']');
    }
    strbuf_add_char(out, '}');
}
