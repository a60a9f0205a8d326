/* Jaeger's query API, version 1, as Grafana's Jaeger data source and Jaeger's page call it.
 *
 *   {"data":[…],"total":0,"limit":0,"offset":0,"errors":null}
 *   {"data":null,…,"errors":[{"code":404,"msg":"trace not found"}]}
 *
 * Times are microseconds, durations are Go's ("100ms"). Tags are one JSON object, or k:v repeated.
 */
#include "api/api_calls.h"
#include "api/api_private.h"
#include "api/api_trace_search.h"
#include "api/api_traceql.h"
#include "api/api_traces.h"
#include "trace/jaeger_json.h"
#include "trace/trace_names.h"

#define LIMIT_DEFAULT 100
/* Traces that are asked for by id in one search. */
#define IDS_MAX 1000
/* How far back is looked when nothing is said, as Jaeger does. */
#define LOOKBACK_NS_DEFAULT (UINT64_C(2) * 24 * 3600 * 1000000000)
/* Microseconds beyond this are no nanoseconds in 64 bits. */
#define TIME_US_MAX (UINT64_MAX / 1000)

static const char JSON[] = "application/json";

/* ---- Envelopes ---- */

struct jaeger_answer {
    struct strbuf body;
    struct json_writer json;
};

static void begin(struct jaeger_answer *a)
{
    strbuf_init(&a->body, STRBUF_LIMIT_DEFAULT);
    json_init(&a->json, &a->body);
    json_begin_object(&a->json);
    json_key(&a->json, "data");
}

static void write_rest(struct json_writer *json, size_t total)
{
    json_key(json, "total");
    json_integer(json, (int64_t)total);
    json_key(json, "limit");
    json_integer(json, 0);
    json_key(json, "offset");
    json_integer(json, 0);
    json_key(json, "errors");
}

static void fail(struct api_request *r, const struct err *e)
{
    static const struct {
        int code;
        unsigned status;
    } statuses[] = {{ERR_INVALID, 400}, {ERR_NOT_FOUND, 404}, {ERR_LIMIT, 422}, {ERR_NOMEM, 503},
        {ERR_CLOSED, 503}, {ERR_BUSY, 503}, {ERR_TIMEOUT, 503}, {ERR_CANCELED, 503},
        {ERR_UNSUPPORTED, 501}};
    struct jaeger_answer a;
    unsigned status = 500;
    for (size_t i = 0; i < sizeof(statuses) / sizeof(statuses[0]); i++) {
        status = statuses[i].code == e->code ? statuses[i].status : status;
    }
    begin(&a);
    json_null(&a.json);
    write_rest(&a.json, 0);
    json_begin_array(&a.json);
    json_begin_object(&a.json);
    json_key(&a.json, "code");
    json_integer(&a.json, status);
    json_key(&a.json, "msg");
    json_cstring(&a.json, e->message[0] != '\0' ? e->message : err_text(e->code));
    json_end(&a.json);
    json_end(&a.json);
    json_end(&a.json);
    api_reply(r, status, JSON, &a.body);
}

/* `status` is what became of the data. */
static void finish(
    struct api_request *r, struct jaeger_answer *a, size_t total, int status, struct err *e)
{
    if (status == 0) {
        write_rest(&a->json, total);
        json_null(&a->json);
        json_end(&a->json);
        status = strbuf_error(&a->body);
    }
    if (status != 0) {
        strbuf_release(&a->body);
        e->code = status;
        fail(r, e);
        return;
    }
    api_reply(r, 200, JSON, &a->body);
}

/* ---- Names ---- */

static void write_names(
    struct json_writer *json, const struct trace_names *names, bool kinds, size_t *total_out)
{
    size_t total = 0;
    json_begin_array(json);
    for (size_t i = 0; i < names->count; i++) {
        const struct trace_name *n = &names->items[i];
        if (!kinds) {
            if (i > 0 && str_eq(n->name, n[-1].name)) {
                continue;
            }
            json_string(json, n->name);
        } else {
            json_begin_object(json);
            json_key(json, "name");
            json_string(json, n->name);
            json_key(json, "spanKind");
            json_cstring(json, n->kind == SPAN_KIND_UNSPECIFIED ? "" : span_kind_name(n->kind));
            json_end(json);
        }
        total++;
    }
    json_end(json);
    *total_out = total;
}

/* Those of one kind only, when one is asked for. */
static void keep_kind(struct trace_names *names, struct str kind, struct arena *arena)
{
    struct trace_name *kept = arena_alloc(arena, (names->count + 1) * sizeof(*kept));
    size_t count = 0;
    for (size_t i = 0; kept != NULL && i < names->count; i++) {
        if (str_eq_c(kind, span_kind_name(names->items[i].kind))) {
            kept[count++] = names->items[i];
        }
    }
    *names = (struct trace_names){kept, count, names->cut};
}

static void answer_names(struct api_request *r, const struct str *service, bool kinds)
{
    struct span_view *view = NULL;
    struct trace_names names = {0};
    struct jaeger_answer a;
    struct err e = ERR_INIT;
    struct arena *arena = http_exchange_arena(r->exchange);
    struct str kind = http_exchange_param(r->exchange, "spanKind");
    size_t total = 0;
    int status = api_open_spans(r, &view, &e);
    if (status == 0) {
        status = service == NULL ? trace_services(view, arena, &names, &e)
                                 : trace_operations(view, *service, arena, &names, &e);
    }
    span_view_close(view);
    api_trace_warn_names(r, names.cut);
    begin(&a);
    if (status == 0) {
        if (kinds && kind.len > 0) {
            keep_kind(&names, kind, arena);
        }
        write_names(&a.json, &names, kinds, &total);
    }
    finish(r, &a, total, status, &e);
}

void api_jaeger_services(struct api_request *r)
{
    answer_names(r, NULL, false);
}

void api_jaeger_operations(struct api_request *r)
{
    struct str service = http_exchange_param(r->exchange, "service");
    answer_names(r, &service, true);
}

/* /api/services/{service}/operations: a service may have slashes in its name, encoded or not. */
void api_jaeger_service_operations(struct api_request *r)
{
    struct str service = http_exchange_path_value(r->exchange), tail = STR("/operations");
    if (!str_ends_with(service, tail) || service.len == tail.len) {
        struct err e = ERR_INIT;
        err_set(&e, ERR_NOT_FOUND, -1, "expected /api/services/{service}/operations");
        fail(r, &e);
        return;
    }
    service.len -= tail.len;
    answer_names(r, &service, false);
}

/* ---- Search: the question ---- */

/* tags={"key":"value"}, tag=key:value repeated */
static int read_tags(struct api_request *r, struct api_trace_question *q, struct err *e)
{
    struct str pair;
    int status = api_trace_read_tags(r, "tags", q, e);
    for (size_t i = 0; status == 0 && http_exchange_param_at(r->exchange, "tag", i, &pair); i++) {
        struct str rest = pair;
        struct str key = str_split(&rest, ':');
        status = key.len == pair.len ? err_set(e, ERR_INVALID, -1, "tag: expected key:value")
                                     : api_trace_add_tag(q, key, rest, e);
    }
    return status;
}

static int read_time(struct api_request *r, const char *name, uint64_t *ns, struct err *e)
{
    struct str text = http_exchange_param(r->exchange, name);
    uint64_t us;
    if (text.len == 0) {
        return 0;
    }
    if (str_to_u64(text, &us) != 0 || us > TIME_US_MAX) {
        return err_set(e, ERR_INVALID, -1, "%s: expected microseconds since 1970", name);
    }
    *ns = us * 1000;
    return 0;
}

static int read_times(struct api_request *r, struct api_trace_question *q, struct err *e)
{
    uint64_t lookback = LOOKBACK_NS_DEFAULT;
    uint64_t now = (uint64_t)clock_now_ms(r->api->clock) * 1000000;
    int status = api_trace_duration(r, "lookback", &lookback, e);
    q->query.end_ns = now;
    status = status == 0 ? read_time(r, "end", &q->query.end_ns, e) : status;
    q->query.start_ns = q->query.end_ns > lookback ? q->query.end_ns - lookback : 0;
    status = status == 0 ? read_time(r, "start", &q->query.start_ns, e) : status;
    status =
        status == 0 ? api_trace_duration(r, "minDuration", &q->query.duration_min_ns, e) : status;
    status =
        status == 0 ? api_trace_duration(r, "maxDuration", &q->query.duration_max_ns, e) : status;
    if (status == 0 && q->query.duration_max_ns != 0 &&
        q->query.duration_max_ns < q->query.duration_min_ns) {
        return err_set(e, ERR_INVALID, -1, "maxDuration is less than minDuration");
    }
    return status;
}

static int read_question(struct api_request *r, struct api_trace_question *q, struct err *e)
{
    struct str limit = http_exchange_param(r->exchange, "limit");
    uint64_t count = LIMIT_DEFAULT;
    *q = (struct api_trace_question){
        .query = {.service = http_exchange_param(r->exchange, "service"),
            .operation = http_exchange_param(r->exchange, "operation")}};
    if (limit.len > 0 && (str_to_u64(limit, &count) != 0 || count == 0)) {
        return err_set(e, ERR_INVALID, -1, "limit: expected a number above 0");
    }
    q->limit = count < TRACE_SEARCH_LIMIT_MAX ? (size_t)count : TRACE_SEARCH_LIMIT_MAX;
    int status = read_times(r, q, e);
    return status == 0 ? read_tags(r, q, e) : status;
}

/* ---- Search: the answer ---- */

static int write_trace(const struct span_trace *trace, struct arena *arena, void *json)
{
    (void)arena;
    return jaeger_write_trace(trace, json);
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

/* traceID=…&traceID=… */
static int write_by_ids(
    struct api_request *r, struct api_trace_walk *walk, struct json_writer *json, struct err *e)
{
    struct str text;
    struct trace_id id;
    int status = 0;
    for (size_t i = 0; status == 0 && http_exchange_param_at(r->exchange, "traceID", i, &text);
         i++) {
        if (i == IDS_MAX || trace_id_parse(text, &id) != 0) {
            return err_set(e, ERR_INVALID, -1,
                "traceID: expected 1 to 32 hex digits, at most %d times", IDS_MAX);
        }
        status = api_trace_walk_one(walk, id, write_trace, json, e);
    }
    return status;
}

void api_jaeger_search(struct api_request *r)
{
    struct api_trace_walk walk;
    struct jaeger_answer a;
    struct err e = ERR_INIT;
    bool by_id = http_exchange_param(r->exchange, "traceID").len > 0;
    int status = api_trace_walk_open(r, &walk, &e);
    begin(&a);
    if (status == 0) {
        json_begin_array(&a.json);
        status = by_id ? write_by_ids(r, &walk, &a.json, &e) : write_found(r, &walk, &a.json, &e);
        json_end(&a.json);
    }
    api_trace_walk_close(r, &walk);
    finish(r, &a, 0, status, &e);
}

/* ---- One trace ---- */

/* They say where the trace may be found: microseconds, from Grafana milliseconds. It is found without them, and answered
 * whole; what is no time is refused. */
static int check_hints(struct api_request *r, struct err *e)
{
    uint64_t unused;
    int status = read_time(r, "start", &unused, e);
    return status == 0 ? read_time(r, "end", &unused, e) : status;
}

void api_jaeger_trace(struct api_request *r)
{
    struct api_trace t;
    struct jaeger_answer a;
    struct err e = ERR_INIT;
    int status = check_hints(r, &e);
    begin(&a);
    if (status == 0) {
        status = api_trace_open(r, &t, &e);
        if (status == 0) {
            json_begin_array(&a.json);
            status = jaeger_write_trace(&t.trace, &a.json);
            json_end(&a.json);
        }
        api_trace_close(&t);
    }
    finish(r, &a, 0, status, &e);
}

/* ---- Dependencies, archive ---- */

void api_jaeger_dependencies(struct api_request *r)
{
    struct trace_calls calls;
    struct jaeger_answer a;
    struct err e = ERR_INIT;
    int status = api_read_calls(r, &calls, &e);
    begin(&a);
    json_begin_array(&a.json);
    for (size_t i = 0; status == 0 && i < calls.count; i++) {
        json_begin_object(&a.json);
        json_key(&a.json, "parent");
        json_string(&a.json, calls.items[i].parent);
        json_key(&a.json, "child");
        json_string(&a.json, calls.items[i].child);
        json_key(&a.json, "callCount");
        json_integer(&a.json, (int64_t)calls.items[i].count);
        json_end(&a.json);
    }
    json_end(&a.json);
    finish(r, &a, calls.count, status, &e);
}

/* Traces are kept by age and size; none can be put aside. */
void api_jaeger_archive(struct api_request *r)
{
    struct err e = ERR_INIT;
    err_set(
        &e, ERR_UNSUPPORTED, -1, "there is no archive: traces are kept as long as retention says");
    fail(r, &e);
}
