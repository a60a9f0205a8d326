/* /api/v1/query, /api/v1/query_range, /api/v1/format_query, /api/v1/parse_query. */
#include <assert.h>

#include "api/api_params.h"
#include "api/api_private.h"
#include "api/expr_json.h"
#include "api/result_json.h"

/* Points of one series in one answer, as Prometheus has it. */
enum { RANGE_POINTS_MAX = 11000 };

/* What both kinds of queries may be asked with. */
struct query_params {
    struct str query;
    size_t limit;
    bool with_statistics, with_reads;
    bool no_time; /* the client gives it none */
    struct engine_query_options options;
};

static bool read_params(struct api_request *r, struct query_params *p)
{
    const struct api *api = r->api;
    int64_t own_timeout_ms = atomic_load(&api->timeout_ms), timeout_ms, lookback_ms;
    if (!param_limit(r, "limit", &p->limit) ||
        !param_duration(r, "timeout", INT64_MAX, &timeout_ms) ||
        !param_duration(r, "lookback_delta", 0, &lookback_ms)) {
        return false;
    }
    bool shorter = timeout_ms < (own_timeout_ms > 0 ? own_timeout_ms : INT64_MAX);
    p->no_time = timeout_ms <= 0;
    p->query = http_exchange_param(r->exchange, "query");
    struct str statistics = http_exchange_param(r->exchange, "stats");
    p->with_statistics = statistics.len > 0;
    p->with_reads = str_eq_c(statistics, "all");
    p->options = (struct engine_query_options){
        .lookback_ms = lookback_ms > 0 ? lookback_ms : atomic_load(&api->lookback_ms),
        .timeout_ms = shorter ? timeout_ms : own_timeout_ms,
        .samples_max = atomic_load(&api->samples_max),
        .canceled = &api->canceled,
        .explain = str_eq_c(http_exchange_param(r->exchange, "explain"), "true"),
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

/* Text is several times what it is made of, so it is charged too. */
static void answer_result(
    struct api_request *r, const struct query_params *p, struct engine_result *result)
{
    struct api_answer a;
    struct api_notes notes = {.warnings = result->warnings,
        .warning_count = result->warning_count,
        .infos = result->infos,
        .info_count = result->info_count};
    size_t charged = 0;
    struct result_json_options options = {.series_max = p->limit,
        .with_statistics = p->with_statistics,
        .with_reads = p->with_reads,
        .execution_ns = clock_monotonic_ns(r->clock) - r->begun_ns,
        .memory = engine_memory(r->api->backend.engine),
        .charged = &charged};
    api_answer_begin(&a);
    notes.truncated = result_json_write(&a.json, result, &options);
    api_answer_send(r, &a, &notes);
    memory_budget_discharge(options.memory, charged);
}

/* ---- Running ---- */

/* Times of a query; an instant one has no step. */
struct query_times {
    int64_t start_ms, end_ms, step_ms;
};

static bool is_abandoned(void *exchange)
{
    return http_exchange_is_abandoned(exchange);
}

/* Keeps what the query was and took, and tells of slow ones. */
static void note_query(struct api_request *r, const struct query_params *p,
    const struct active_query *active, const struct engine_result *result, int status)
{
    struct api *api = r->api;
    const struct engine_statistics *s = &result->statistics;
    struct api_slow_query slow = {.text = p->query,
        .client = str_make(active->client, active->client_size),
        .start_ms = active->start_ms,
        .end_ms = active->end_ms,
        .step_ms = active->step_ms,
        .took_ns = clock_monotonic_ns(r->clock) - r->begun_ns,
        .samples = status == 0 ? s->samples : atomic_load(&active->watch.samples),
        .series = s->series,
        .memory_bytes = status == 0 ? s->memory_bytes : atomic_load(&active->watch.memory_bytes),
        .status = status};
    top_queries_add(&api->top, p->query,
        &(struct top_query_record){.ended_ms = clock_now_ms(r->clock),
            .range_s = (slow.end_ms - slow.start_ms) / 1000,
            .took_ns = slow.took_ns,
            .memory_bytes = slow.memory_bytes});
    int64_t slow_ms = atomic_load(&api->slow_ms);
    if (slow_ms > 0 && slow.took_ns >= slow_ms * 1000000 && api->program.slow_query != NULL) {
        api->program.slow_query(api->program.context, &slow);
    }
}

/* Through the cache, unless the client wants it evaluated, or wants to know what that took. */
static int evaluate_range(struct api_request *r, const struct query_params *p,
    const struct query_times *t, struct engine_result *result_out, struct err *e)
{
    const struct api *api = r->api;
    const struct api_backend *backend = &api->backend;
    struct str no_cache = http_exchange_param(r->exchange, "nocache");
    if (api->cache == NULL || p->with_statistics || p->options.explain || str_eq_c(no_cache, "1")) {
        return engine_range(backend->engine, backend->reads, p->query, t->start_ms, t->end_ms,
            t->step_ms, &p->options, result_out, e);
    }
    const struct result_cache_query query = {.engine = backend->engine,
        .features = backend->features,
        .reads = backend->reads,
        .db = backend->db,
        .text = p->query,
        .start_ms = t->start_ms,
        .end_ms = t->end_ms,
        .step_ms = t->step_ms,
        .options = &p->options};
    return result_cache_range(api->cache, &query, result_out, e);
}

/* A timeout of nothing is over before the query begins, which may have been wrong already. */
static void fail_without_time(struct api_request *r, const struct query_params *p)
{
    struct expr *unused;
    struct err e = ERR_INIT;
    if (promql_parse(p->query, r->api->backend.features, http_exchange_arena(r->exchange), &unused,
            &e) != 0) {
        fail_query(r, &e);
    } else {
        api_fail(r, API_ERROR_TIMEOUT, "query timed out in query queue");
    }
}

/* Evaluates and answers, in the list of running queries meanwhile. */
static void run_query(struct api_request *r, struct query_params *p, const struct query_times *t)
{
    const struct api_backend *backend = &r->api->backend;
    if (p->no_time) {
        fail_without_time(r, p);
        return;
    }
    struct active_query active = {.start_ms = t->start_ms,
        .end_ms = t->end_ms,
        .step_ms = t->step_ms,
        .watch = {.abandoned = is_abandoned, .context = r->exchange}};
    active_query_describe(&active, p->query, http_exchange_client(r->exchange),
        http_exchange_remote(r->exchange), r->begun_ns);
    p->options.watch = &active.watch;
    struct engine_result result = {0};
    struct err e = ERR_INIT;
    active_queries_begin(&r->api->active, &active);
    int status = t->step_ms > 0 ? evaluate_range(r, p, t, &result, &e)
                                : engine_instant(backend->engine, backend->reads, p->query,
                                      t->end_ms, &p->options, &result, &e);
    active_queries_end(&r->api->active, &active);
    note_query(r, p, &active, &result, status);
    if (status != 0) {
        fail_query(r, &e);
    } else {
        answer_result(r, p, &result);
    }
    engine_result_release(&result);
}

void api_query_instant(struct api_request *r)
{
    struct query_params p;
    struct query_times t = {0};
    if (param_time(r, "time", clock_now_ms(r->clock), &t.end_ms) && read_params(r, &p)) {
        t.start_ms = t.end_ms;
        run_query(r, &p, &t);
    }
}

/* The steps of a range query. */
static bool read_range(struct api_request *r, struct query_times *t)
{
    struct err e = ERR_INIT;
    if (!param_required_time(r, "start", &t->start_ms) ||
        !param_required_time(r, "end", &t->end_ms)) {
        return false;
    }
    if (t->end_ms < t->start_ms) {
        api_fail(r, API_ERROR_BAD_DATA,
            "invalid parameter \"end\": end timestamp must not be before start time");
        return false;
    }
    struct str step = http_exchange_param(r->exchange, "step");
    if (api_parse_duration(step.len > 0 ? step : STR(""), &t->step_ms, &e) != 0) {
        api_fail(r, API_ERROR_BAD_DATA, "invalid parameter \"step\": %s", e.message);
        return false;
    }
    if (t->step_ms <= 0) {
        api_fail(r, API_ERROR_BAD_DATA,
            "invalid parameter \"step\": zero or negative query resolution step widths are not "
            "accepted. Try a positive integer");
        return false;
    }
    if ((t->end_ms - t->start_ms) / t->step_ms > RANGE_POINTS_MAX) {
        api_fail(r, API_ERROR_BAD_DATA,
            "exceeded maximum resolution of 11,000 points per timeseries. Try decreasing the query "
            "resolution (?step=XX)");
        return false;
    }
    return true;
}

void api_query_range(struct api_request *r)
{
    struct query_params p;
    struct query_times t;
    if (read_range(r, &t) && read_params(r, &p)) {
        run_query(r, &p, &t);
    }
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

void api_parse_query(struct api_request *r)
{
    enum { ENVELOPE_LEVELS = 1 };
    struct str query = http_exchange_param(r->exchange, "query");
    struct expr *expr;
    struct err e = ERR_INIT;
    if (promql_parse(
            query, r->api->backend.features, http_exchange_arena(r->exchange), &expr, &e) != 0) {
        fail_query(r, &e);
        return;
    }
    if (!expr_json_fits(expr, ENVELOPE_LEVELS)) {
        api_fail(r, API_ERROR_EXECUTION, "the expression is nested too deep to be shown as a tree");
        return;
    }
    struct api_answer a;
    api_answer_begin(&a);
    expr_json_write(&a.json, expr);
    api_answer_send(r, &a, NULL);
}
