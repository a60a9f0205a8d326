/* Lines of JSON, both ways. */
#include <jansson.h>

#include <math.h>

#include "base/fpconv.h"
#include "base/json.h"
#include "json_lines_histogram.h"
#include "model/sample.h"
#include "wire/json_lines.h"
#include "wire/remote_write.h"

/* Numbers are read as doubles, which "-0" and integers beyond 64 bits are too; whole ones are exact up to
 * here, 285 000 years of milliseconds. */
#define WHOLE_NUMBERS_MAX 9007199254740992.0

/* The document that is read, and the first complaint about it. */
struct reader {
    struct arena *arena;
    struct err *err;
};

static int refuse(struct reader *r, const char *what)
{
    return err_set(r->err, ERR_INVALID, -1, "%s", what);
}

static int out_of_memory(struct reader *r)
{
    int status = arena_error(r->arena);
    return err_set(r->err, status, -1, "%s", err_text(status));
}

static int read_labels(
    struct reader *r, const json_t *metric, size_t label_room, struct json_line *line)
{
    if (!json_is_object(metric)) {
        return refuse(r, "\"metric\" must be an object of labels");
    }
    size_t cap = json_object_size(metric) + label_room;
    line->labels = arena_calloc(r->arena, cap, sizeof(*line->labels));
    if (line->labels == NULL) {
        return out_of_memory(r);
    }
    const char *name;
    json_t *value;
    json_object_foreach((json_t *)(uintptr_t)metric, name, value)
    {
        if (!json_is_string(value)) {
            return refuse(r, "the value of a label must be text");
        }
        size_t name_size = strlen(name), size = json_string_length(value);
        char *name_copy = arena_strndup(r->arena, name, name_size);
        char *copy = arena_strndup(r->arena, json_string_value(value), size);
        if (name_copy == NULL || copy == NULL) {
            return out_of_memory(r);
        }
        line->labels[line->label_count++] =
            (struct label){str_make(name_copy, name_size), str_make(copy, size)};
    }
    return 0;
}

bool json_lines_read_number(const json_t *value, double *value_out)
{
    if (json_is_number(value)) {
        *value_out = json_number_value(value);
        return true;
    }
    if (json_is_null(value)) {
        *value_out = value_stale_marker();
        return true;
    }
    struct str text = str_of(json_string_value(value));
    if (str_eq_c(text, "Infinity")) {
        text = STR("+Inf");
    } else if (str_eq_c(text, "-Infinity")) {
        text = STR("-Inf");
    }
    return text.ptr != NULL && str_to_double(text, value_out) == 0;
}

static int read_times(struct reader *r, const json_t *timestamps, struct json_line *line)
{
    int64_t *times = arena_calloc(r->arena, line->count, sizeof(*times));
    if (times == NULL) {
        return out_of_memory(r);
    }
    for (size_t i = 0; i < line->count; i++) {
        const json_t *time = json_array_get(timestamps, i);
        double number = json_number_value(time);
        if (!json_is_number(time) || !(fabs(number) <= WHOLE_NUMBERS_MAX) ||
            number != (double)(int64_t)number) {
            return refuse(r, "a timestamp must be a whole number of milliseconds");
        }
        times[i] = (int64_t)number;
    }
    line->times = times;
    return 0;
}

static int read_values(struct reader *r, const json_t *list, struct json_line *line)
{
    double *values = arena_calloc(r->arena, line->count, sizeof(*values));
    if (values == NULL) {
        return out_of_memory(r);
    }
    for (size_t i = 0; i < line->count; i++) {
        if (!json_lines_read_number(json_array_get(list, i), &values[i])) {
            return refuse(
                r, "a value must be a number, null, \"NaN\", \"Infinity\" or \"-Infinity\"");
        }
    }
    line->values = values;
    return 0;
}

static int read_histograms(struct reader *r, const json_t *list, struct json_line *line)
{
    const struct histogram **histograms = arena_calloc(r->arena, line->count, sizeof(*histograms));
    int status = histograms != NULL ? 0 : out_of_memory(r);
    for (size_t i = 0; status == 0 && i < line->count; i++) {
        status =
            json_lines_read_histogram(json_array_get(list, i), r->arena, &histograms[i], r->err);
    }
    line->histograms = histograms;
    return status;
}

static int read_samples(struct reader *r, const json_t *root, struct json_line *line)
{
    const json_t *histograms = json_object_get(root, "histograms");
    const json_t *values = histograms != NULL ? histograms : json_object_get(root, "values");
    const json_t *timestamps = json_object_get(root, "timestamps");
    if (!json_is_array(values) || !json_is_array(timestamps)) {
        return refuse(r, "\"values\" (or \"histograms\") and \"timestamps\" must be lists");
    }
    line->count = json_array_size(values);
    if (line->count != json_array_size(timestamps)) {
        return refuse(
            r, "\"values\" (or \"histograms\") and \"timestamps\" must be of the same length");
    }
    int status =
        histograms != NULL ? read_histograms(r, values, line) : read_values(r, values, line);
    return status == 0 ? read_times(r, timestamps, line) : status;
}

int json_line_decode(struct str text, size_t label_room, struct arena *arena,
    struct json_line *line_out, struct err *e)
{
    struct reader r = {arena, e};
    struct json_line line = {0};
    json_error_t problem;
    if (text.len > JSON_LINE_BYTES_MAX) {
        return err_set(e, ERR_LIMIT, -1, "the line is longer than %zu bytes", JSON_LINE_BYTES_MAX);
    }
    json_t *root =
        json_loadb(text.ptr != NULL ? text.ptr : "", text.len, JSON_DECODE_INT_AS_REAL, &problem);
    if (root == NULL) {
        return err_set(
            e, ERR_INVALID, problem.position, "column %d: %s", problem.column, problem.text);
    }
    int status = json_is_object(root)
                     ? read_labels(&r, json_object_get(root, "metric"), label_room, &line)
                     : refuse(&r, "a line must be an object");
    if (status == 0) {
        status = remote_write_check_labels(line.labels, &line.label_count, e);
    }
    if (status == 0) {
        status = read_samples(&r, root, &line);
    }
    json_decref(root);
    if (status == 0) {
        *line_out = line;
    }
    return status;
}

/* ---- Encoding ---- */

void json_lines_write_number(double value, struct strbuf *out)
{
    if (value_is_stale(value)) {
        strbuf_add_c(out, "null");
    } else if (value != value) {
        strbuf_add_c(out, "\"NaN\"");
    } else if (value - value != 0) {
        strbuf_add_c(out, value > 0 ? "\"Infinity\"" : "\"-Infinity\"");
    } else {
        strbuf_add_double(out, value);
    }
}

static void begin_line(const struct label *labels, size_t label_count, struct strbuf *out)
{
    struct json_writer json;
    json_init(&json, out);
    json_begin_object(&json);
    json_key(&json, "metric");
    json_begin_object(&json);
    for (size_t i = 0; i < label_count; i++) {
        json_key_str(&json, labels[i].name);
        json_string(&json, labels[i].value);
    }
    json_end(&json);
}

static void end_line(const int64_t *times, size_t count, struct strbuf *out)
{
    strbuf_add_c(out, ",\"timestamps\":[");
    for (size_t i = 0; i < count; i++) {
        strbuf_add_c(out, i > 0 ? "," : "");
        strbuf_add_i64(out, times[i]);
    }
    strbuf_add_c(out, "]}\n");
}

void json_line_encode(const struct label *labels, size_t label_count, const int64_t *times,
    const double *values, size_t count, struct strbuf *out)
{
    begin_line(labels, label_count, out);
    strbuf_add_c(out, ",\"values\":[");
    for (size_t i = 0; i < count; i++) {
        strbuf_add_c(out, i > 0 ? "," : "");
        json_lines_write_number(values[i], out);
    }
    strbuf_add_char(out, ']');
    end_line(times, count, out);
}

void json_line_encode_histograms(const struct label *labels, size_t label_count,
    const int64_t *times, const struct histogram *const *histograms, size_t count,
    struct strbuf *out)
{
    begin_line(labels, label_count, out);
    strbuf_add_c(out, ",\"histograms\":[");
    for (size_t i = 0; i < count; i++) {
        strbuf_add_c(out, i > 0 ? "," : "");
        json_lines_write_histogram(histograms[i], out);
    }
    strbuf_add_char(out, ']');
    end_line(times, count, out);
}
