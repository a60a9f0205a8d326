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
#include "api/api_traceql.h"
#include "api/api_traces.h"
#include "trace/trace_names.h"
#include "trace/trace_reader.h"
#include "trace/trace_search.h"
#include "trace/zipkin_answer.h"

enum { LIMIT_DEFAULT = 10, IDS_MAX = 1000 };
#define LOOKBACK_MS_DEFAULT (UINT64_C(24) * 3600 * 1000)

/* ---- Names ---- */

static void answer_names(struct api_request *r, bool of_service)
{
    struct str service = http_exchange_param(r->exchange, "serviceName");
    struct arena *arena = http_exchange_arena(r->exchange);
    struct span_view *view = NULL;
    struct trace_names names = {0};
    struct api_plain a;
    struct err e = ERR_INIT;
    api_plain_begin(&a);
    int status = api_open_spans(r, &view, &e);
    if (status == 0) {
        status = of_service ? trace_operations(view, service, arena, &names, &e)
                            : trace_services(view, arena, &names, &e);
    }
    span_view_close(view);
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
    answer_names(r, false);
}

void api_zipkin_spans(struct api_request *r)
{
    answer_names(r, true);
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
    int status = api_trace_open(r, http_exchange_path_value(r->exchange), &t, &e);
    api_plain_begin(&a);
    if (status == 0) {
        zipkin_write_trace(&t.trace, &a.json);
    }
    api_trace_close(&t);
    api_plain_send(r, &a, status, &e);
}

/* ---- Search ---- */

struct question {
    struct trace_query query;
    struct trace_tag tags[TRACE_TAGS_MAX];
    size_t limit;
};

static int read_number(struct api_request *r, const char *name, uint64_t *number, struct err *e)
{
    struct str text = http_exchange_param(r->exchange, name);
    if (text.len > 0 && (str_to_u64(text, number) != 0 || *number > INT64_MAX / 1000000)) {
        return err_set(e, ERR_INVALID, -1, "%s: expected a number", name);
    }
    return 0;
}

static int add_tag(struct question *q, struct str key, struct str value, struct err *e)
{
    if (q->query.tag_count == TRACE_TAGS_MAX) {
        return err_set(e, ERR_INVALID, -1, "more than %d tags", TRACE_TAGS_MAX);
    }
    q->tags[q->query.tag_count++] = (struct trace_tag){key, value};
    return 0;
}

/* http.method=GET and error and cache.miss */
static int read_annotations(struct api_request *r, struct question *q, struct err *e)
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
            status = add_tag(q, key, STR("true"), e);
        } else {
            status = add_tag(
                q, key, has_value ? (value.ptr != NULL ? value : STR("")) : (struct str){0}, e);
        }
    }
    return status;
}

static int read_question(struct api_request *r, struct question *q, struct err *e)
{
    struct str name = http_exchange_param(r->exchange, "spanName");
    struct str remote = http_exchange_param(r->exchange, "remoteServiceName");
    uint64_t end_ms = (uint64_t)clock_now_ms(r->clock), lookback_ms = LOOKBACK_MS_DEFAULT;
    uint64_t min_us = 0, max_us = 0;
    *q = (struct question){.limit = LIMIT_DEFAULT,
        .query = {.service = http_exchange_param(r->exchange, "serviceName"),
            .operation = str_eq_c(name, "all") ? STR("") : name}};
    q->query.tags = q->tags;
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
    if (status == 0 && remote.len > 0) {
        status = add_tag(q, STR("peer.service"), remote, e);
    }
    return status == 0 ? read_annotations(r, q, e) : status;
}

static int write_trace(
    struct trace_reader *reader, struct trace_id id, struct json_writer *json, struct err *e)
{
    struct arena arena;
    struct span_trace trace;
    arena_init(&arena, TRACE_BUDGET_BYTES_MAX);
    int status = trace_reader_read(reader, id, &arena, &trace, e);
    if (status == 0 && trace.count > 0) {
        zipkin_write_trace(&trace, json);
    }
    arena_release(&arena);
    return status;
}

static int write_found(struct api_request *r, struct span_view *view, struct trace_reader *reader,
    struct json_writer *json, struct err *e)
{
    struct question q;
    struct trace_budget budget;
    struct trace_hits hits = {0};
    api_trace_budget(r, &budget);
    int status = read_question(r, &q, e);
    q.query.budget = &budget;
    status = status == 0
                 ? trace_search(view, &q.query, q.limit, http_exchange_arena(r->exchange), &hits, e)
                 : status;
    for (size_t i = 0; status == 0 && i < hits.count; i++) {
        status = write_trace(reader, hits.items[i].id, json, e);
    }
    return status;
}

/* traceIds=a,b */
static int write_many(
    struct api_request *r, struct trace_reader *reader, struct json_writer *json, struct err *e)
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
        status = write_trace(reader, id, json, e);
    }
    return status;
}

static void answer_traces(struct api_request *r, bool by_id)
{
    struct span_view *view = NULL;
    struct trace_reader reader;
    struct api_plain a;
    struct err e = ERR_INIT;
    api_plain_begin(&a);
    int status = api_open_spans(r, &view, &e);
    trace_reader_init(&reader, view);
    if (status == 0) {
        json_begin_array(&a.json);
        status = by_id ? write_many(r, &reader, &a.json, &e)
                       : write_found(r, view, &reader, &a.json, &e);
        json_end(&a.json);
    }
    trace_reader_release(&reader);
    span_view_close(view);
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
