/* The API's life, and the way of a request from the HTTP server to its handler. */
#include "api/api.h"

#include <assert.h>

#include "api/api_private.h"
#include "base/mem.h"

/* What a row of the HTTP server's table points to. */
struct api_route_context {
    struct api *api;
    size_t index;
};

/* Writes and queries take memory as they like; everything else is small, and wanted most when memory is
 * short. */
static bool is_admitted(const struct api *api, const struct api_route *row)
{
    bool takes_memory = row->lane == HTTP_LANE_INGEST || row->timing == API_TIMING_QUERY;
    return !takes_memory || api->program.admit == NULL || api->program.admit(api->program.context);
}

static void turn_away(struct api_request *r, const struct api_route *row)
{
    static const char *const sentence = "The server is near its memory limit; try again soon.";
    if (row->lane == HTTP_LANE_INGEST) {
        http_exchange_set_header(r->exchange, "Retry-After", "1");
        api_reply_text(r, 503, sentence);
    } else {
        api_fail(r, API_ERROR_UNAVAILABLE, "%s", sentence);
    }
}

static void dispatch(struct http_exchange *x, void *context)
{
    const struct api_route_context *route = context;
    struct api *api = route->api;
    struct api_request r = {
        .api = api,
        .exchange = x,
        .clock = api->clock,
        .route = route->index,
        .begun_ns = clock_monotonic_ns(api->clock),
    };
    const struct api_route *row = &api_routes[route->index];
    int stage = atomic_load_explicit(&api->stage, memory_order_acquire);
    if (stage == API_SERVING && !is_admitted(api, row)) {
        turn_away(&r, row);
    } else if (stage == API_SERVING || row->before_ready) {
        row->handler(&r);
    } else {
        http_exchange_set_header(x, "Retry-After", "1");
        api_reply_text(&r, 503,
            stage == API_STARTING ? "The server is starting; try again soon."
                                  : "The server is being stopped; try again later.");
    }
    assert(r.answered);
}

static size_t count_routes(void)
{
    size_t count = 0;
    while (api_routes[count].path != NULL) {
        count++;
    }
    assert(count <= API_ROUTES_MAX);
    return count;
}

static int build_routes(struct api *api)
{
    api->route_count = count_routes();
    api->http_routes = mem_calloc(api->route_count, sizeof(*api->http_routes));
    api->route_contexts = mem_calloc(api->route_count, sizeof(*api->route_contexts));
    if (api->http_routes == NULL || api->route_contexts == NULL) {
        return ERR_NOMEM;
    }
    for (size_t i = 0; i < api->route_count; i++) {
        const struct api_route *row = &api_routes[i];
        api->route_contexts[i] = (struct api_route_context){api, i};
        api->http_routes[i] = (struct http_route){.method = row->method,
            .path = row->path,
            .handler = dispatch,
            .context = &api->route_contexts[i],
            .lane = row->lane,
            .help = row->help};
        api_metrics_add_route(i, row->path, row->timing);
    }
    api_metrics_register();
    api_grpc_init(api);
    return 0;
}

int api_new(const struct api_options *options, struct api **api_out)
{
    struct api *api = mem_calloc(1, sizeof(*api));
    if (api == NULL) {
        return ERR_NOMEM;
    }
    api->program = options->program;
    api->clock = options->clock != NULL ? options->clock : clock_real();
    api->started_ms = clock_now_ms(api->clock);
    atomic_store(&api->reloaded_ms, api->started_ms);
    atomic_store(&api->reload_succeeded, true);
    lock_init(&api->lock, LOCK_RANK_LEAF);
    api->streams_max = options->streams_max != 0 ? options->streams_max : 1;
    active_queries_init(&api->active);
    top_queries_init(&api->top);
    api->otlp = options->otlp;
    size_t series_max = options->otlp_delta_series_max;
    int status =
        otlp_delta_new(series_max != 0 ? series_max : OTLP_DELTA_SERIES_DEFAULT, &api->otlp_delta);
    if (status == 0 && options->cache_bytes > 0) {
        status = result_cache_new(options->cache_bytes, &api->cache);
    }
    if (status == 0) {
        status = build_routes(api);
    }
    if (status != 0) {
        api_free(api);
        return status;
    }
    *api_out = api;
    return 0;
}

void api_free(struct api *api)
{
    if (api == NULL) {
        return;
    }
    api_write_release_buffers(api);
    active_queries_release(&api->active);
    top_queries_release(&api->top);
    otlp_delta_free(api->otlp_delta);
    result_cache_free(api->cache);
    lock_release(&api->lock);
    mem_free(api->route_contexts);
    mem_free(api->http_routes);
    mem_free(api);
}

void api_serve(struct api *api, const struct api_backend *backend)
{
    assert(atomic_load(&api->stage) == API_STARTING);
    api->backend = *backend;
    atomic_store_explicit(&api->stage, API_SERVING, memory_order_release);
}

void api_stop(struct api *api)
{
    atomic_store(&api->stage, API_STOPPING);
    atomic_store(&api->canceled, true);
}

void api_set_query_limits(struct api *api, const struct api_query_limits *limits)
{
    atomic_store(&api->lookback_ms, limits->lookback_ms);
    atomic_store(&api->timeout_ms, limits->timeout_ms);
    atomic_store(&api->samples_max, limits->samples_max);
    atomic_store(&api->slow_ms, limits->slow_ms);
}

void api_note_reload(struct api *api, bool success)
{
    atomic_store(&api->reload_succeeded, success);
    if (!success) {
        atomic_store(&api->reload_failed_ms, clock_now_ms(api->clock));
    } else {
        atomic_store(&api->reloaded_ms, clock_now_ms(api->clock));
    }
}

const struct http_route *api_http_routes(const struct api *api, size_t *count_out)
{
    *count_out = api->route_count;
    return api->http_routes;
}
