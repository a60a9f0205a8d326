/* Zipkin's query API, version 2, as Grafana's data source and Zipkin's page call it.
 *
 *   /api/v2/services, /spans, /remoteServices           ["…"]
 *   /api/v2/trace/ID                                    [span, …]; 404 when there is none
 *   /api/v2/traces, /traceMany                          [[span, …], …]
 *   /api/v2/dependencies                                [{"parent":"a","child":"b","callCount":1,"errorCount":0}]
 *   /api/v2/autocompleteKeys, /autocompleteValues       []: none are set up
 *
 * Durations are microseconds, endTs and lookback milliseconds. Spans come in at POST /api/v2/spans, elsewhere.
 */
#include "api/api_calls.h"
#include "api/api_private.h"
#include "api/api_trace_search.h"
#include "api/api_traceql.h"
#include "api/api_traces.h"
#include "trace/trace_names.h"
#include "trace/trace_remote.h"
#include "trace/zipkin_answer.h"

enum { LIMIT_DEFAULT = 10, IDS_MAX = 1000 };
#define LOOKBACK_MS_DEFAULT (UINT64_C(24) * 3600 * 1000)

/* ---- Names ---- */

enum names_wanted { SERVICES, SPANS, REMOTE_SERVICES };

static int read_names(struct api_request *r, struct span_view *view, enum names_wanted wanted,
    struct trace_names *names, struct err *e)
{
    struct str service = http_exchange_param(r->exchange, "serviceName");
    struct arena *arena = http_exchange_arena(r->exchange);
    struct trace_budget budget;
    switch (wanted) {
    case SERVICES:
        return trace_services(view, arena, names, e);
    case SPANS:
        return trace_operations(view, service, arena, names, e);
    default:
        api_trace_budget(r, &budget);
        return trace_remote_names(view, service, &budget, arena, names, e);
    }
}

static void answer_names(struct api_request *r, enum names_wanted wanted)
{
    struct span_view *view = NULL;
    struct trace_names names = {0};
    struct api_plain a;
    struct err e = ERR_INIT;
    api_plain_begin(&a);
    int status = api_open_spans(r, &view, &e);
    status = status == 0 ? read_names(r, view, wanted, &names, &e) : status;
    span_view_close(view);
    api_trace_warn_names(r, names.cut);
    json_begin_array(&a.json);
    for (size_t i = 0; status == 0 && i < names.count; i++) {
        if (i == 0 || !str_eq(names.items[i].name, names.items[i - 1].name)) {
            json_string(&a.json, names.items[i].name);
        }
    }
    json_end(&a.json);
    api_plain_send(r, &a, status, &e);
}

void api_zipkin_services(struct api_request *r)
{
    answer_names(r, SERVICES);
}

void api_zipkin_spans(struct api_request *r)
{
    answer_names(r, SPANS);
}

void api_zipkin_remote_services(struct api_request *r)
{
    answer_names(r, REMOTE_SERVICES);
}

void api_zipkin_nothing(struct api_request *r)
{
    struct strbuf body = STRBUF_INIT;
    strbuf_add_c(&body, "[]");
    api_reply(r, 200, "application/json", &body);
}

/* ---- One trace ---- */

void api_zipkin_trace(struct api_request *r)
{
    struct api_trace t;
    struct api_plain a;
    struct err e = ERR_INIT;
    int status = api_trace_open(r, &t, &e);
    api_plain_begin(&a);
    if (status == 0) {
        zipkin_write_trace(&t.trace, &a.json);
    }
    api_trace_close(&t);
    api_plain_send(r, &a, status, &e);
}

/* ---- Search ---- */

static int read_number(struct api_request *r, const char *name, uint64_t *number, struct err *e)
{
    struct str text = http_exchange_param(r->exchange, name);
    if (text.len > 0 && (str_to_u64(text, number) != 0 || *number > INT64_MAX / 1000000)) {
        return err_set(e, ERR_INVALID, -1, "%s: expected a number", name);
    }
    return 0;
}

/* http.method=GET and error and cache.miss */
static int read_annotations(struct api_request *r, struct api_trace_question *q, struct err *e)
{
    static const char and[] = " and ";
    struct str rest = http_exchange_param(r->exchange, "annotationQuery");
    int status = 0;
    while (status == 0 && rest.len > 0) {
        const char *next = memmem(rest.ptr, rest.len, and, sizeof(and) - 1);
        size_t length = next != NULL ? (size_t)(next - rest.ptr) : rest.len;
        struct str value = str_trim(str_make(rest.ptr, length)), whole = value;
        rest = str_skip(rest, length + (next != NULL ? sizeof(and) - 1 : 0));
        struct str key = str_split(&value, '=');
        bool has_value = key.len < whole.len;
        if (whole.len == 0) {
            continue;
        }
        if (!has_value && str_eq_c(key, "error")) {
            status = api_trace_add_tag(q, key, STR("true"), e);
        } else {
            status = api_trace_add_tag(
                q, key, has_value ? (value.ptr != NULL ? value : STR("")) : (struct str){0}, e);
        }
    }
    return status;
}

static int read_question(struct api_request *r, struct api_trace_question *q, struct err *e)
{
    struct str name = http_exchange_param(r->exchange, "spanName");
    uint64_t end_ms = (uint64_t)clock_now_ms(r->clock), lookback_ms = LOOKBACK_MS_DEFAULT;
    uint64_t min_us = 0, max_us = 0;
    *q = (struct api_trace_question){.limit = LIMIT_DEFAULT,
        .query = {.service = http_exchange_param(r->exchange, "serviceName"),
            .operation = str_eq_c(name, "all") ? STR("") : name,
            .remote = http_exchange_param(r->exchange, "remoteServiceName")}};
    int status = read_number(r, "endTs", &end_ms, e);
    status = status == 0 ? read_number(r, "lookback", &lookback_ms, e) : status;
    status = status == 0 ? read_number(r, "minDuration", &min_us, e) : status;
    status = status == 0 ? read_number(r, "maxDuration", &max_us, e) : status;
    status =
        status == 0 ? api_trace_count(r, "limit", TRACE_SEARCH_LIMIT_MAX, &q->limit, e) : status;
    q->query.end_ns = end_ms * 1000000 + 999999;
    q->query.start_ns = end_ms > lookback_ms ? (end_ms - lookback_ms) * 1000000 : 0;
    q->query.duration_min_ns = min_us * 1000;
    q->query.duration_max_ns = max_us > 0 ? max_us * 1000 + 999 : 0;
    return status == 0 ? read_annotations(r, q, e) : status;
}

static int write_trace(const struct span_trace *trace, struct arena *arena, void *json)
{
    (void)arena;
    zipkin_write_trace(trace, json);
    return 0;
}

static int write_found(
    struct api_request *r, struct api_trace_walk *walk, struct json_writer *json, struct err *e)
{
    struct api_trace_question q;
    struct trace_hits hits = {0};
    int status = read_question(r, &q, e);
    q.query.budget = &walk->budget;
    if (status == 0) {
        status =
            trace_search(walk->view, &q.query, q.limit, http_exchange_arena(r->exchange), &hits, e);
    }
    return status == 0 ? api_trace_walk_hits(walk, &hits, write_trace, json, e) : status;
}

/* traceIds=a,b */
static int write_many(
    struct api_request *r, struct api_trace_walk *walk, struct json_writer *json, struct err *e)
{
    struct str ids = http_exchange_param(r->exchange, "traceIds");
    int status = 0;
    for (size_t i = 0; status == 0 && ids.len > 0; i++) {
        struct trace_id id;
        if (i == IDS_MAX || trace_id_parse(str_split(&ids, ','), &id) != 0) {
            return err_set(e, ERR_INVALID, -1,
                "traceIds: expected 1 to 32 hex digits, at most %d times, with commas between",
                IDS_MAX);
        }
        status = api_trace_walk_one(walk, id, write_trace, json, e);
    }
    return status;
}

static void answer_traces(struct api_request *r, bool by_id)
{
    struct api_trace_walk walk;
    struct api_plain a;
    struct err e = ERR_INIT;
    api_plain_begin(&a);
    int status = api_trace_walk_open(r, &walk, &e);
    if (status == 0) {
        json_begin_array(&a.json);
        status = by_id ? write_many(r, &walk, &a.json, &e) : write_found(r, &walk, &a.json, &e);
        json_end(&a.json);
    }
    api_trace_walk_close(r, &walk);
    api_plain_send(r, &a, status, &e);
}

void api_zipkin_search(struct api_request *r)
{
    answer_traces(r, false);
}

void api_zipkin_many(struct api_request *r)
{
    answer_traces(r, true);
}

/* ---- Dependencies ---- */

void api_zipkin_dependencies(struct api_request *r)
{
    struct trace_calls calls;
    struct api_plain a;
    struct err e = ERR_INIT;
    api_plain_begin(&a);
    int status = api_read_calls(r, &calls, &e);
    json_begin_array(&a.json);
    for (size_t i = 0; status == 0 && i < calls.count; i++) {
        json_begin_object(&a.json);
        json_key(&a.json, "parent");
        json_string(&a.json, calls.items[i].parent);
        json_key(&a.json, "child");
        json_string(&a.json, calls.items[i].child);
        json_key(&a.json, "callCount");
        json_integer(&a.json, (int64_t)calls.items[i].count);
        json_key(&a.json, "errorCount");
        json_integer(&a.json, (int64_t)calls.items[i].errors);
        json_end(&a.json);
    }
    json_end(&a.json);
    api_plain_send(r, &a, status, &e);
}
