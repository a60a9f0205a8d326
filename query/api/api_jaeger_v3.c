/* Jaeger's query API, version 3: OTLP in JSON, as Jaeger's page and newer data sources ask for it.
 *
 *   /api/v3/services          {"services":["…"]}
 *   /api/v3/operations        {"operations":[{"name":"…","spanKind":"server"}]}
 *   /api/v3/traces/ID         {"result":{"resourceSpans":[…]}}
 *   /api/v3/traces            the same, of all traces that are found
 *   /api/v3/trace-summaries   {"summaries":[…]}
 *   an error                  {"error":{"httpCode":404,"message":"No traces found"}}
 *
 * Parameters of a search have names like query.serviceName, or query.service_name. Its times are RFC 3339 and must be
 * there; Grafana does not encode the plus of their offset, so that it arrives as a space.
 */
#include "api/api_private.h"
#include "api/api_trace_search.h"
#include "api/api_traceql.h"
#include "api/api_traces.h"
#include "base/rfc3339.h"
#include "trace/trace_duration.h"
#include "trace/trace_names.h"
#include "trace/trace_tree.h"

enum { LIMIT_DEFAULT = 100 };

/* ---- Errors ---- */

static void fail(struct api_request *r, int status, struct err *e)
{
    struct strbuf body = STRBUF_INIT;
    struct json_writer json;
    unsigned code = status == ERR_INVALID                                                 ? 400
                    : status == ERR_NOT_FOUND                                             ? 404
                    : status == ERR_LIMIT                                                 ? 422
                    : status == ERR_CORRUPT || status == ERR_IO || status == ERR_INTERNAL ? 500
                                                                                          : 503;
    json_init(&json, &body);
    json_begin_object(&json);
    json_key(&json, "error");
    json_begin_object(&json);
    json_key(&json, "httpCode");
    json_integer(&json, code);
    json_key(&json, "message");
    json_cstring(&json, e->message[0] != '\0' ? e->message : err_text(status));
    json_end(&json);
    json_end(&json);
    api_reply(r, code, "application/json", &body);
}

static void send(struct api_request *r, struct api_plain *a, int status, struct err *e)
{
    status = status == 0 ? strbuf_error(&a->body) : status;
    if (status != 0) {
        strbuf_release(&a->body);
        fail(r, status, e);
        return;
    }
    api_reply(r, 200, "application/json", &a->body);
}

/* ---- Names ---- */

void api_jaeger_v3_services(struct api_request *r)
{
    struct span_view *view = NULL;
    struct trace_names names = {0};
    struct api_plain a;
    struct err e = ERR_INIT;
    int status = api_open_spans(r, &view, &e);
    status =
        status == 0 ? trace_services(view, http_exchange_arena(r->exchange), &names, &e) : status;
    span_view_close(view);
    api_trace_warn_names(r, names.cut);
    api_plain_begin(&a);
    json_begin_object(&a.json);
    json_key(&a.json, "services");
    json_begin_array(&a.json);
    for (size_t i = 0; i < names.count; i++) {
        json_string(&a.json, names.items[i].name);
    }
    json_end(&a.json);
    json_end(&a.json);
    send(r, &a, status, &e);
}

/* The first of the names that the request has. */
static struct str parameter(struct api_request *r, const char *name, const char *other)
{
    struct str value = http_exchange_param(r->exchange, name);
    return value.len > 0 ? value : http_exchange_param(r->exchange, other);
}

void api_jaeger_v3_operations(struct api_request *r)
{
    struct str kind = parameter(r, "spanKind", "span_kind");
    struct str service = http_exchange_param(r->exchange, "service");
    struct span_view *view = NULL;
    struct trace_names names = {0};
    struct api_plain a;
    struct err e = ERR_INIT;
    int status = api_open_spans(r, &view, &e);
    if (status == 0) {
        status = trace_operations(view, service, http_exchange_arena(r->exchange), &names, &e);
    }
    span_view_close(view);
    api_trace_warn_names(r, names.cut);
    api_plain_begin(&a);
    json_begin_object(&a.json);
    json_key(&a.json, "operations");
    json_begin_array(&a.json);
    for (size_t i = 0; i < names.count; i++) {
        enum span_kind of = names.items[i].kind;
        if (kind.len == 0 || str_eq_c(kind, span_kind_name(of))) {
            json_begin_object(&a.json);
            json_key(&a.json, "name");
            json_string(&a.json, names.items[i].name);
            json_key(&a.json, "spanKind");
            json_cstring(&a.json, of == SPAN_KIND_UNSPECIFIED ? "" : span_kind_name(of));
            json_end(&a.json);
        }
    }
    json_end(&a.json);
    json_end(&a.json);
    send(r, &a, status, &e);
}

/* ---- Search: the question ---- */

/* Absent: left as it is. */
static int read_time(
    struct api_request *r, const char *name, const char *other, uint64_t *ns, struct err *e)
{
    struct str text = parameter(r, name, other);
    char copy[RFC3339_TEXT_MAX + 1];
    int64_t ms;
    if (text.len == 0) {
        return 0;
    }
    if (text.len > RFC3339_TEXT_MAX) {
        return err_set(e, ERR_INVALID, -1, "%s: expected a time like 2026-11-22T10:00:00Z", name);
    }
    for (size_t i = 0; i < text.len; i++) {
        copy[i] = text.ptr[i];
        if (copy[i] == ' ') {
            copy[i] = '+';
        }
    }
    if (rfc3339_parse(str_make(copy, text.len), &ms) != 0 || ms < 0 ||
        (uint64_t)ms > UINT64_MAX / 1000000) {
        return err_set(e, ERR_INVALID, -1, "%s: expected a time like 2026-11-22T10:00:00Z", name);
    }
    *ns = (uint64_t)ms * 1000000;
    return 0;
}

static int require_time(
    struct api_request *r, const char *name, const char *other, uint64_t *ns, struct err *e)
{
    return parameter(r, name, other).len > 0
               ? read_time(r, name, other, ns, e)
               : err_set(
                     e, ERR_INVALID, -1, "%s is required: a time like 2026-11-22T10:00:00Z", name);
}

static int read_duration(
    struct api_request *r, const char *name, const char *other, uint64_t *ns, struct err *e)
{
    struct str text = parameter(r, name, other);
    if (text.len > 0 && trace_duration_parse(text, ns) != 0) {
        return err_set(e, ERR_INVALID, -1, "%s: expected a duration like 1.2s or 100ms", name);
    }
    return 0;
}

static int read_limit(struct api_request *r, size_t *limit, struct err *e)
{
    struct str text = parameter(r, "query.searchDepth", "query.search_depth");
    uint64_t number = LIMIT_DEFAULT;
    text = text.len > 0 ? text : http_exchange_param(r->exchange, "query.num_traces");
    if (text.len > 0 && (str_to_u64(text, &number) != 0 || number == 0)) {
        return err_set(e, ERR_INVALID, -1, "query.searchDepth: expected a number above 0");
    }
    *limit = number < TRACE_SEARCH_LIMIT_MAX ? (size_t)number : TRACE_SEARCH_LIMIT_MAX;
    return 0;
}

static int read_question(struct api_request *r, struct api_trace_question *q, struct err *e)
{
    struct trace_query *query = &q->query;
    *q = (struct api_trace_question){
        .query = {.service = parameter(r, "query.serviceName", "query.service_name"),
            .operation = parameter(r, "query.operationName", "query.operation_name")}};
    int status = require_time(r, "query.startTimeMin", "query.start_time_min", &query->start_ns, e);
    status = status == 0
                 ? require_time(r, "query.startTimeMax", "query.start_time_max", &query->end_ns, e)
                 : status;
    query->end_ns += 999999; /* what is finer than milliseconds was cut */
    status = status == 0 ? read_duration(r, "query.durationMin", "query.duration_min",
                               &query->duration_min_ns, e)
                         : status;
    status = status == 0 ? read_duration(r, "query.durationMax", "query.duration_max",
                               &query->duration_max_ns, e)
                         : status;
    status = status == 0 ? read_limit(r, &q->limit, e) : status;
    return status == 0 ? api_trace_read_tags(r, "query.attributes", q, e) : status;
}

/* ---- One trace ---- */

static void begin_result(struct otlp_json_encoder *encoder, struct json_writer *json)
{
    json_begin_object(json);
    json_key(json, "result");
    otlp_json_encoder_init(encoder, json);
}

static void end_result(struct otlp_json_encoder *encoder)
{
    otlp_json_encoder_finish(encoder);
    json_end(encoder->json);
}

/* startTime and endTime say where the trace may be found. It is found without them, and answered whole; what is no time
 * is refused. */
static int check_hints(struct api_request *r, struct err *e)
{
    uint64_t unused;
    int status = read_time(r, "startTime", "start_time", &unused, e);
    return status == 0 ? read_time(r, "endTime", "end_time", &unused, e) : status;
}

void api_jaeger_v3_trace(struct api_request *r)
{
    struct api_trace t;
    struct api_plain a;
    struct err e = ERR_INIT;
    int status = check_hints(r, &e);
    api_plain_begin(&a);
    if (status == 0) {
        status = api_trace_open(r, &t, &e);
        if (status == 0) {
            struct otlp_json_encoder encoder;
            begin_result(&encoder, &a.json);
            api_add_trace(&encoder, &t.trace);
            end_result(&encoder);
        }
        api_trace_close(&t);
    }
    send(r, &a, status, &e);
}

/* ---- Search: the answer ---- */

static int find(struct api_request *r, api_trace_taker take, void *context, struct err *e)
{
    struct api_trace_question q;
    struct api_trace_walk walk;
    struct trace_hits hits = {0};
    int status = api_trace_walk_open(r, &walk, e);
    status = status == 0 ? read_question(r, &q, e) : status;
    q.query.budget = &walk.budget;
    if (status == 0) {
        status =
            trace_search(walk.view, &q.query, q.limit, http_exchange_arena(r->exchange), &hits, e);
    }
    status = status == 0 ? api_trace_walk_hits(&walk, &hits, take, context, e) : status;
    api_trace_walk_close(r, &walk);
    return status == 0 && hits.count == 0 ? err_set(e, ERR_NOT_FOUND, -1, "No traces found")
                                          : status;
}

static int take_spans(const struct span_trace *trace, struct arena *arena, void *encoder)
{
    (void)arena;
    api_add_trace(encoder, trace);
    return 0;
}

void api_jaeger_v3_search(struct api_request *r)
{
    struct otlp_json_encoder encoder;
    struct api_plain a;
    struct err e = ERR_INIT;
    api_plain_begin(&a);
    begin_result(&encoder, &a.json);
    int status = find(r, take_spans, &encoder, &e);
    end_result(&encoder);
    send(r, &a, status, &e);
}

static void write_u64(struct json_writer *json, const char *key, uint64_t value)
{
    struct strbuf text = STRBUF_INIT;
    strbuf_add_u64(&text, value);
    json_key(json, key);
    json_string(json, strbuf_str(&text));
    strbuf_release(&text);
}

static void write_counts(struct json_writer *json, int64_t spans, int64_t errors)
{
    json_key(json, "spanCount");
    json_integer(json, spans);
    json_key(json, "errorSpanCount");
    json_integer(json, errors);
}

struct service {
    struct str name;
    int64_t spans, errors;
};

/* In order of appearance. */
static int write_services(
    struct json_writer *json, const struct trace_tree *tree, struct arena *arena)
{
    struct service *all = arena_alloc(arena, tree->count * sizeof(*all));
    size_t count = 0;
    if (all == NULL) {
        return arena_error(arena);
    }
    for (uint32_t i = 0; i < tree->count; i++) {
        struct str name = span_resource_service(tree->spans[i].resource);
        size_t at = 0;
        while (at < count && !str_eq(all[at].name, name)) {
            at++;
        }
        if (at == count) {
            all[count++] = (struct service){.name = name};
        }
        all[at].spans++;
        all[at].errors += tree->spans[i].span.status == SPAN_STATUS_ERROR;
    }
    json_key(json, "services");
    json_begin_array(json);
    for (size_t i = 0; i < count; i++) {
        json_begin_object(json);
        json_key(json, "name");
        json_string(json, all[i].name);
        write_counts(json, all[i].spans, all[i].errors);
        json_end(json);
    }
    json_end(json);
    return 0;
}

static int take_summary(const struct span_trace *trace, struct arena *arena, void *context)
{
    struct json_writer *json = context;
    struct trace_tree tree;
    struct strbuf id = STRBUF_INIT;
    int64_t errors = 0;
    int status = trace_tree_build(trace, arena, &tree);
    if (status != 0) {
        return status;
    }
    for (uint32_t i = 0; i < tree.count; i++) {
        errors += tree.spans[i].span.status == SPAN_STATUS_ERROR;
    }
    const struct otlp_span *root = &tree.spans[tree.root != TRACE_TREE_NONE ? tree.root : 0];
    trace_id_write(root->span.trace_id, &id);
    json_begin_object(json);
    json_key(json, "traceId");
    json_string(json, strbuf_str(&id));
    json_key(json, "rootServiceName");
    json_string(
        json, tree.root != TRACE_TREE_NONE ? span_resource_service(root->resource) : STR(""));
    json_key(json, "rootOperationName");
    json_string(json, tree.root != TRACE_TREE_NONE ? root->span.name : STR(""));
    write_u64(json, "minStartTimeUnixNano", tree.start_ns);
    write_u64(json, "maxEndTimeUnixNano", tree.end_ns);
    write_counts(json, tree.count, errors);
    status = write_services(json, &tree, arena);
    json_end(json);
    strbuf_release(&id);
    return status;
}

void api_jaeger_v3_summaries(struct api_request *r)
{
    struct api_plain a;
    struct err e = ERR_INIT;
    api_plain_begin(&a);
    json_begin_object(&a.json);
    json_key(&a.json, "summaries");
    json_begin_array(&a.json);
    int status = find(r, take_summary, &a.json, &e);
    json_end(&a.json);
    json_end(&a.json);
    send(r, &a, status, &e);
}
