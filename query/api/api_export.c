/* GET and POST /api/v1/export: all samples of the series that match, as lines of JSON that /api/v1/import
 * takes back (wire/json_lines.h).
 *
 * `max_rows_per_line` cuts long series into several lines. Stale markers are there, as null. Native
 * histograms cannot be said in this form; how many samples were left out for that reason is in the header
 * X-Sonde-Histograms-Left-Out.
 */
#include <inttypes.h>
#include <stdio.h>

#include "api/api_params.h"
#include "api/api_private.h"
#include "api/series_union.h"
#include "wire/json_lines.h"

/* Memory of one series' samples. */
#define SERIES_BYTES_MAX ((size_t)2 << 30)

struct export
{
    struct strbuf out;
    size_t rows_max; /* of one line; 0 = all in one */
    uint64_t histograms;
};

/* Floats and histograms may take turns in one series: the floats are moved together. */
static size_t keep_floats(struct export *x, struct series_union_samples *s)
{
    size_t kept = 0;
    for (size_t i = 0; i < s->count; i++) {
        if (s->histograms != NULL && s->histograms[i] != NULL) {
            x->histograms++;
        } else {
            s->times[kept] = s->times[i];
            s->values[kept++] = s->values[i];
        }
    }
    return kept;
}

static int export_series(struct export *x, struct series *series, struct err *e)
{
    const struct labels *labels = series_labels(series);
    struct series_union_samples samples;
    struct arena arena;
    arena_init(&arena, SERIES_BYTES_MAX);
    int status = series_union_read(series, SERIES_UNION_SAMPLES_MAX, &arena, &samples, e);
    size_t count = status == 0 ? keep_floats(x, &samples) : 0;
    for (size_t from = 0; from < count;) {
        size_t rows = x->rows_max != 0 && count - from > x->rows_max ? x->rows_max : count - from;
        json_line_encode(labels_pairs(labels), labels_count(labels), samples.times + from,
            samples.values + from, rows, &x->out);
        from += rows;
    }
    arena_release(&arena);
    return status != 0 ? status : strbuf_error(&x->out);
}

static void answer(struct api_request *r, struct export *x, int status, const struct err *e)
{
    if (status != 0) {
        strbuf_release(&x->out);
        api_fail(r, api_error_of(status), "%s",
            e->code != 0 ? e->message
            : status == ERR_LIMIT
                ? "the export is larger than 1 GiB; ask for fewer series or less time"
                : err_text(status));
        return;
    }
    if (x->histograms > 0) {
        char text[24];
        snprintf(text, sizeof(text), "%" PRIu64, x->histograms);
        http_exchange_set_header(r->exchange, "X-Sonde-Histograms-Left-Out", text);
    }
    strbuf_add_c(&x->out, "");
    api_reply(r, 200, JSON_LINES_CONTENT_TYPE, &x->out);
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
        !param_limit(r, "max_rows_per_line", &x.rows_max) ||
        !param_selectors(r, &options.selectors, &options.selector_count)) {
        return;
    }
    if (series_union_open(r->api->backend.reads, &options, &s, &e) != 0) {
        api_fail_with(r, &e);
        return;
    }
    int status = 0;
    strbuf_init(&x.out, STRBUF_LIMIT_DEFAULT);
    for (size_t i = 0; status == 0 && i < s.count; i++) {
        status = export_series(&x, s.series[i], &e);
        if (status == 0 && atomic_load(&r->api->canceled)) {
            status = err_set(&e, ERR_CANCELED, -1, "the server is being stopped");
        }
    }
    series_union_close(&s);
    answer(r, &x, status, &e);
}
