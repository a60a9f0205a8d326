/* Health, readiness, reload, stop, own metrics: what a supervisor and an operator call. */
#include "api/api_private.h"

#include "base/metrics.h"

/* A disk that failed is believed to be failing for so long, unless a write has worked since. */
#define WRITE_FAILURE_NS ((int64_t)10 * 1000000000)

/* The process runs and answers. */
void api_healthy(struct api_request *r)
{
    api_reply_text(r, 200, "Sonde is healthy.");
}

static bool reads_work(struct api *api, struct err *e)
{
    int64_t now_ms = clock_now_ms(api->clock);
    struct querier *querier = NULL;
    if (querier_open(api->backend.reads, now_ms, now_ms, &querier, e) != 0) {
        return false;
    }
    querier_close(querier);
    return true;
}

static bool writes_work(struct api *api, struct err *e)
{
    int64_t failed_ns = atomic_load(&api->write_failed_ns);
    if (failed_ns != 0 && clock_monotonic_ns(api->clock) - failed_ns < WRITE_FAILURE_NS) {
        err_set(e, ERR_IO, -1, "the last write did not reach the disk");
        return false;
    }
    struct appender *appender = NULL;
    if (appender_open(api->backend.writes, &appender, e) != 0) {
        return false;
    }
    appender_rollback(appender);
    return true;
}

/* Reads and writes work. */
void api_ready(struct api_request *r)
{
    struct api *api = r->api;
    struct err e = ERR_INIT;
    int stage = atomic_load_explicit(&api->stage, memory_order_acquire);
    if (stage == API_SERVING && reads_work(api, &e) && writes_work(api, &e)) {
        api_reply_text(r, 200, "Sonde is ready.");
        return;
    }
    http_exchange_set_header(r->exchange, "Retry-After", "1");
    api_reply_text(r, 503,
        stage == API_STARTING   ? "The server is starting."
        : stage == API_STOPPING ? "The server is being stopped."
        : e.message[0] != '\0'  ? e.message
                                : "The store does not answer.");
}

void api_reload(struct api_request *r)
{
    const struct api_program *program = &r->api->program;
    struct err e = ERR_INIT;
    if (program->reload == NULL) {
        api_reply_text(r, 403, "There is no configuration file to read again.");
    } else if (program->reload(program->context, &e) != 0) {
        api_reply_text(r, 500, e.message);
    } else {
        api_reply_empty(r, 200);
    }
}

void api_quit(struct api_request *r)
{
    const struct api_program *program = &r->api->program;
    if (program->quit == NULL) {
        api_reply_text(r, 403, "Lifecycle API is not enabled; --web.enable-lifecycle does it.");
        return;
    }
    program->quit(program->context);
    api_reply_text(r, 200, "Requesting termination... Goodbye!");
}

void api_metrics_page(struct api_request *r)
{
    struct strbuf text = STRBUF_INIT;
    metrics_write(&text);
    api_reply(r, 200, "text/plain; version=0.0.4; charset=utf-8", &text);
}

/* Whether the pattern of a row, with at most one ":name" in it, stands for a path. */
static bool row_is_for(struct str pattern, struct str path)
{
    while (pattern.len > 0 && path.len > 0) {
        struct str wanted = str_split(&pattern, '/'), there = str_split(&path, '/');
        bool named = str_starts_with(wanted, STR(":")) && there.len > 0;
        if (!named && !str_eq(wanted, there)) {
            return false;
        }
    }
    return pattern.len == 0 && path.len == 0;
}

/* The row of the table for this path, whatever the method. */
static const struct api_route *row_of(struct str path)
{
    for (const struct api_route *row = api_routes; row->path != NULL; row++) {
        if (row_is_for(str_of(row->path), path)) {
            return row;
        }
    }
    return NULL;
}

/* Below /api everything is JSON, also what is not there. */
void api_nothing_here(struct api_request *r)
{
    struct str path = http_exchange_path(r->exchange);
    const struct api_route *row = row_of(path);
    if (row == NULL) {
        api_fail(r, API_ERROR_NOT_FOUND,
            "there is nothing at this path; docs/http-api.md lists what is");
        return;
    }
    struct strbuf methods = STRBUF_INIT;
    api_write_methods(row->method, &methods);
    if (strbuf_error(&methods) == 0) {
        http_exchange_set_header(r->exchange, "Allow", methods.data);
    }
    api_fail(r, API_ERROR_BAD_METHOD, "this path takes %s", row->method);
    strbuf_release(&methods);
}
