/* GET and POST /api/v1/export: all samples of the series that match, as lines of JSON that /api/v1/import
 * takes back (wire/json_lines.h): series by series, read and sent a series at a time.
 *
 * `max_rows_per_line` cuts series into lines; so does LINE_ROWS_MAX, since a line is read whole. Stale
 * markers are there, as null. Native histograms are lines of their own, unless `histograms=0` leaves them
 * out for readers that know VictoriaMetrics' form only.
 */
#include "api/api_params.h"
#include "api/api_private.h"
#include "api/api_stream.h"
#include "api/series_union.h"
#include "wire/json_lines.h"

/* Memory of one series' samples. */
#define SERIES_BYTES_MAX ((size_t)2 << 30)

enum {
    /* Samples of one line, so that it stays well below JSON_LINE_BYTES_MAX. */
    LINE_ROWS_MAX = 500000,
    HISTOGRAM_ROWS_MAX = 500,
};

struct export
{
    struct api_stream answer;
    size_t rows_max; /* of one line, 0 = the most there may be */
    bool histograms;
};

static bool is_histogram(const struct series_union_samples *s, size_t i)
{
    return s->histograms != NULL && s->histograms[i] != NULL;
}

/* How many samples from `from` go into one line: of one kind, and not too many. */
static size_t line_fit(const struct export *x, const struct series_union_samples *s, size_t from)
{
    bool histogram = is_histogram(s, from);
    size_t most = histogram ? HISTOGRAM_ROWS_MAX : LINE_ROWS_MAX, count = 1;
    most = x->rows_max != 0 && x->rows_max < most ? x->rows_max : most;
    most = most < s->count - from ? most : s->count - from;
    while (count < most && is_histogram(s, from + count) == histogram) {
        count++;
    }
    return count;
}

static int export_samples(struct export *x, const struct labels *labels,
    const struct series_union_samples *s, struct err *e)
{
    struct strbuf *out = &x->answer.out;
    int status = 0;
    for (size_t from = 0, rows; status == 0 && from < s->count; from += rows) {
        rows = line_fit(x, s, from);
        if (!is_histogram(s, from)) {
            json_line_encode(labels_pairs(labels), labels_count(labels), s->times + from,
                s->values + from, rows, out);
        } else if (x->histograms) {
            json_line_encode_histograms(labels_pairs(labels), labels_count(labels), s->times + from,
                s->histograms + from, rows, out);
        }
        status = api_stream_offer(&x->answer, e);
    }
    return status;
}

static int export_series(struct export *x, struct series *series, struct err *e)
{
    struct series_union_samples samples;
    struct arena arena;
    arena_init(&arena, SERIES_BYTES_MAX);
    int status = series_union_read(series, SERIES_UNION_SAMPLES_MAX, &arena, &samples, e);
    if (status == 0) {
        status = export_samples(x, series_labels(series), &samples, e);
    }
    arena_release(&arena);
    return status;
}

/* Answers and returns false when it is neither 0 nor 1. */
static bool read_histograms(struct api_request *r, bool *out)
{
    struct str text = http_exchange_param(r->exchange, "histograms");
    *out = text.len == 0 || str_eq_c(text, "1");
    if (!*out && !str_eq_c(text, "0")) {
        api_fail(r, API_ERROR_BAD_DATA, "invalid parameter \"histograms\": expected 0 or 1");
        return false;
    }
    return true;
}

void api_export(struct api_request *r)
{
    struct export x = {0};
    struct series_union_options options = {0};
    struct series_union s;
    struct err e = ERR_INIT;
    struct str first;
    if (!http_exchange_param_at(r->exchange, "match[]", 0, &first)) {
        api_fail(r, API_ERROR_BAD_DATA, "no match[] parameter provided");
        return;
    }
    if (!param_time(r, "start", API_TIME_MIN, &options.min_t) ||
        !param_time(r, "end", API_TIME_MAX, &options.max_t) ||
        !param_limit(r, "max_rows_per_line", &x.rows_max) || !read_histograms(r, &x.histograms) ||
        !param_selectors(r, &options.selectors, &options.selector_count)) {
        return;
    }
    if (series_union_open(r->api->backend.reads, &options, &s, &e) != 0) {
        api_fail_with(r, &e);
        return;
    }
    int status = 0;
    api_stream_open(&x.answer, r, JSON_LINES_CONTENT_TYPE);
    for (size_t i = 0; status == 0 && i < s.count; i++) {
        status = export_series(&x, s.series[i], &e);
    }
    series_union_close(&s);
    api_stream_close(&x.answer, status, &e);
}
