/* Series count every call, before any sampling; spans only those of traces that were kept, of the newest
 * TRACE_CALLS_TRACES_MAX. So spans speak only when there is no series. */
#include "api/api_calls.h"

#include <math.h>

#include "api/api_private.h"
#include "api/api_traceql.h"
#include "model/labels.h"
#include "query/engine.h"

#define LOOKBACK_MS_DEFAULT (UINT64_C(24) * 3600 * 1000)

static int read_ms(struct api_request *r, const char *name, uint64_t *ms, struct err *e)
{
    struct str text = http_exchange_param(r->exchange, name);
    if (text.len > 0 && (str_to_u64(text, ms) != 0 || *ms > INT64_MAX / 1000000)) {
        return err_set(e, ERR_INVALID, -1, "%s: expected milliseconds", name);
    }
    return 0;
}

static int ask(struct api_request *r, const char *metric, uint64_t end_ms, uint64_t lookback_ms,
    struct engine_result *result, struct err *e)
{
    const struct api_backend *backend = &r->api->backend;
    const struct engine_query_options options = {
        .timeout_ms = atomic_load(&r->api->timeout_ms), .canceled = &r->api->canceled};
    struct strbuf query = STRBUF_INIT;
    strbuf_addf(&query, "sum by (client, server) (increase(%s[%llums])) > 0", metric,
        (unsigned long long)lookback_ms);
    int status = strbuf_error(&query);
    status = status == 0 ? engine_instant(backend->engine, backend->reads, strbuf_str(&query),
                               (int64_t)end_ms, &options, result, e)
                         : status;
    strbuf_release(&query);
    return status;
}

static struct str label(const struct engine_series *s, const char *name)
{
    return labels_get(s->labels, str_of(name));
}

static uint64_t whole(const struct engine_series *s)
{
    return s->float_count == 1 && s->floats[0] > 0 ? (uint64_t)llround(s->floats[0]) : 0;
}

static int keep(struct arena *arena, struct str text, struct str *out)
{
    const char *copy = arena_strndup(arena, text.len > 0 ? text.ptr : "", text.len);
    *out = str_make(copy, text.len);
    return copy == NULL ? arena_error(arena) : 0;
}

/* Calls that failed are of a pair that was called. */
static void add_failed(const struct engine_result *failed, struct trace_call *calls, size_t count)
{
    for (size_t i = 0; i < failed->series_count; i++) {
        for (size_t k = 0; k < count; k++) {
            if (str_eq(label(&failed->series[i], "client"), calls[k].parent) &&
                str_eq(label(&failed->series[i], "server"), calls[k].child)) {
                calls[k].errors = whole(&failed->series[i]);
            }
        }
    }
}

static int from_series(struct api_request *r, uint64_t end_ms, uint64_t lookback_ms,
    struct trace_calls *calls_out, struct err *e)
{
    struct arena *arena = http_exchange_arena(r->exchange);
    struct engine_result all = {0}, failed = {0};
    size_t count = 0;
    int status = ask(r, "traces_service_graph_request_total", end_ms, lookback_ms, &all, e);
    if (status == 0 && all.series_count > 0) {
        status =
            ask(r, "traces_service_graph_request_failed_total", end_ms, lookback_ms, &failed, e);
    }
    struct trace_call *calls = arena_calloc(arena, all.series_count + 1, sizeof(*calls));
    status = status == 0 && calls == NULL ? arena_error(arena) : status;
    for (size_t i = 0; status == 0 && i < all.series_count && count < TRACE_CALLS_MAX; i++) {
        struct trace_call *call = &calls[count++];
        call->count = whole(&all.series[i]);
        status = keep(arena, label(&all.series[i], "client"), &call->parent);
        status = status == 0 ? keep(arena, label(&all.series[i], "server"), &call->child) : status;
    }
    if (status == 0) {
        add_failed(&failed, calls, count);
        *calls_out = (struct trace_calls){calls, count, count < all.series_count};
    }
    engine_result_release(&all);
    engine_result_release(&failed);
    return status;
}

static int from_spans(struct api_request *r, uint64_t end_ms, uint64_t lookback_ms,
    struct trace_calls *calls_out, struct err *e)
{
    struct span_view *view = NULL;
    struct trace_budget budget;
    uint64_t start_ms = end_ms > lookback_ms ? end_ms - lookback_ms : 0;
    api_trace_budget(r, &budget);
    int status = api_open_spans(r, &view, e);
    if (status == 0) {
        status = trace_calls(view, start_ms * 1000000, end_ms * 1000000, &budget,
            http_exchange_arena(r->exchange), calls_out, e);
    }
    span_view_close(view);
    return status;
}

int api_read_calls(struct api_request *r, struct trace_calls *calls_out, struct err *e)
{
    uint64_t end_ms = (uint64_t)clock_now_ms(r->clock), lookback_ms = LOOKBACK_MS_DEFAULT;
    *calls_out = (struct trace_calls){0};
    int status = read_ms(r, "endTs", &end_ms, e);
    status = status == 0 ? read_ms(r, "lookback", &lookback_ms, e) : status;
    if (status != 0 || lookback_ms == 0) {
        return status;
    }
    status = from_series(r, end_ms, lookback_ms, calls_out, e);
    if (status == 0 && calls_out->count == 0) {
        status = from_spans(r, end_ms, lookback_ms, calls_out, e);
    }
    if (status == 0 && calls_out->cut) {
        api_trace_warn(r, "calls are left out: at most %d pairs, of the newest %d traces",
            TRACE_CALLS_MAX, TRACE_CALLS_TRACES_MAX);
    }
    return status;
}
