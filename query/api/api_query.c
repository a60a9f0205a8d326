/* /api/v1/query, /api/v1/query_range, /api/v1/format_query. */
#include <assert.h>

#include "api/api_params.h"
#include "api/api_private.h"
#include "api/result_json.h"

/* Points of one series in one answer, as Prometheus has it. */
enum { RANGE_POINTS_MAX = 11000 };

/* What both kinds of queries may be asked with. */
struct query_params {
    struct str query;
    size_t limit;
    bool with_statistics;
    struct engine_query_options options;
};

static bool read_params(struct api_request *r, struct query_params *p)
{
    const struct api *api = r->api;
    int64_t timeout_ms, lookback_ms;
    if (!param_limit(r, "limit", &p->limit) || !param_duration(r, "timeout", 0, &timeout_ms) ||
        !param_duration(r, "lookback_delta", 0, &lookback_ms)) {
        return false;
    }
    int64_t own_timeout_ms = atomic_load(&api->timeout_ms);
    bool shorter = timeout_ms > 0 && (own_timeout_ms == 0 || timeout_ms < own_timeout_ms);
    p->query = http_exchange_param(r->exchange, "query");
    p->with_statistics = http_exchange_param(r->exchange, "stats").len > 0;
    p->options = (struct engine_query_options){
        .lookback_ms = lookback_ms > 0 ? lookback_ms : atomic_load(&api->lookback_ms),
        .timeout_ms = shorter ? timeout_ms : own_timeout_ms,
        .samples_max = atomic_load(&api->samples_max),
        .canceled = &api->canceled,
    };
    return true;
}

static void fail_query(struct api_request *r, const struct err *e)
{
    if (api_error_of(e->code) == API_ERROR_BAD_DATA) {
        api_fail(r, API_ERROR_BAD_DATA, "invalid parameter \"query\": %s", e->message);
    } else {
        api_fail_with(r, e);
    }
}

static void answer_result(
    struct api_request *r, const struct query_params *p, struct engine_result *result)
{
    struct api_answer a;
    struct api_notes notes = {.warnings = result->warnings,
        .warning_count = result->warning_count,
        .infos = result->infos,
        .info_count = result->info_count};
    struct result_json_options options = {.series_max = p->limit,
        .with_statistics = p->with_statistics,
        .execution_ns = clock_monotonic_ns(r->clock) - r->begun_ns};
    api_answer_begin(&a);
    notes.truncated = result_json_write(&a.json, result, &options);
    api_answer_send(r, &a, &notes);
}

void api_query_instant(struct api_request *r)
{
    const struct api_backend *backend = &r->api->backend;
    struct query_params p;
    int64_t time_ms;
    if (!read_params(r, &p) || !param_time(r, "time", clock_now_ms(r->clock), &time_ms)) {
        return;
    }
    struct engine_result result;
    struct err e = ERR_INIT;
    if (engine_instant(
            backend->engine, backend->reads, p.query, time_ms, &p.options, &result, &e) != 0) {
        fail_query(r, &e);
        return;
    }
    answer_result(r, &p, &result);
    engine_result_release(&result);
}

/* The steps of a range query. */
static bool read_range(
    struct api_request *r, int64_t *start_ms_out, int64_t *end_ms_out, int64_t *step_ms_out)
{
    struct err e = ERR_INIT;
    if (!param_required_time(r, "start", start_ms_out) ||
        !param_required_time(r, "end", end_ms_out)) {
        return false;
    }
    if (*end_ms_out < *start_ms_out) {
        api_fail(r, API_ERROR_BAD_DATA,
            "invalid parameter \"end\": end timestamp must not be before start time");
        return false;
    }
    struct str step = http_exchange_param(r->exchange, "step");
    if (api_parse_duration(step.len > 0 ? step : STR(""), step_ms_out, &e) != 0) {
        api_fail(r, API_ERROR_BAD_DATA, "invalid parameter \"step\": %s", e.message);
        return false;
    }
    if (*step_ms_out <= 0) {
        api_fail(r, API_ERROR_BAD_DATA,
            "invalid parameter \"step\": zero or negative query resolution step widths are not "
            "accepted. Try a positive integer");
        return false;
    }
    if ((*end_ms_out - *start_ms_out) / *step_ms_out > RANGE_POINTS_MAX) {
        api_fail(r, API_ERROR_BAD_DATA,
            "exceeded maximum resolution of 11,000 points per timeseries. Try decreasing the query "
            "resolution (?step=XX)");
        return false;
    }
    return true;
}

void api_query_range(struct api_request *r)
{
    const struct api_backend *backend = &r->api->backend;
    struct query_params p;
    int64_t start_ms, end_ms, step_ms;
    if (!read_range(r, &start_ms, &end_ms, &step_ms) || !read_params(r, &p)) {
        return;
    }
    struct engine_result result;
    struct err e = ERR_INIT;
    if (engine_range(backend->engine, backend->reads, p.query, start_ms, end_ms, step_ms,
            &p.options, &result, &e) != 0) {
        fail_query(r, &e);
        return;
    }
    answer_result(r, &p, &result);
    engine_result_release(&result);
}

void api_format_query(struct api_request *r)
{
    struct str query = http_exchange_param(r->exchange, "query");
    struct expr *expr;
    struct err e = ERR_INIT;
    if (promql_parse(
            query, r->api->backend.features, http_exchange_arena(r->exchange), &expr, &e) != 0) {
        fail_query(r, &e);
        return;
    }
    struct strbuf text = STRBUF_INIT;
    promql_write_pretty(expr, &text);
    if (strbuf_error(&text) != 0) {
        api_fail(r, API_ERROR_INTERNAL, "%s", err_text(strbuf_error(&text)));
    } else {
        struct api_answer a;
        api_answer_begin(&a);
        json_string(&a.json, strbuf_str(&text));
        api_answer_send(r, &a, NULL);
    }
    strbuf_release(&text);
}
