/* Tempo's functions of metrics over HTTP.
 *
 *   /api/metrics/query_range   q, start, end, step, exemplars
 *       {"series":[{"labels":[{"key":"name","value":{"stringValue":"x"}}],
 *                   "samples":[{"timestampMs":"…","value":1.5}],"exemplars":[…]}],"metrics":{}}
 *   /api/metrics/query         q, start, end: one sample of all the time
 *       {"series":[{"labels":[…],"value":1.5}],"metrics":{}}
 *
 * Without times: the last hour. Without a step about 240 of them, in whole seconds.
 */
#include <math.h>

#include "api/api_params.h"
#include "api/api_private.h"
#include "api/api_traceql.h"
#include "base/log.h"
#include "trace/traceql_metrics.h"

#define SECOND_NS UINT64_C(1000000000)

enum { SINCE_S = 3600, STEPS_WANTED = 240, EXEMPLARS_DEFAULT = 100, EXEMPLARS_MAX = 1000 };

/* ---- The question ---- */

struct question {
    const struct traceql_query *query;
    struct traceql_steps steps;
    size_t exemplars; /* a series; 0: none */
};

static int read_step(struct api_request *r, uint64_t span_ns, uint64_t *step_ns, struct err *e)
{
    struct str text = http_exchange_param(r->exchange, "step");
    struct err unused = ERR_INIT;
    int64_t ms;
    if (text.len == 0) {
        uint64_t seconds = span_ns / SECOND_NS / STEPS_WANTED;
        *step_ns = (seconds > 0 ? seconds : 1) * SECOND_NS;
        return 0;
    }
    if (api_parse_duration(text, &ms, &unused) != 0 || ms <= 0) {
        return err_set(e, ERR_INVALID, -1, "step: expected a duration like 15s above 0");
    }
    *step_ns = (uint64_t)ms * 1000000;
    return 0;
}

static int read_steps(
    struct api_request *r, bool instant, struct traceql_steps *steps, struct err *e)
{
    uint64_t end_ns = (uint64_t)clock_now_ms(r->clock) * 1000000, step_ns = 0;
    int status = api_trace_time(r, "end", &end_ns, e);
    uint64_t start_ns = end_ns > SINCE_S * SECOND_NS ? end_ns - SINCE_S * SECOND_NS : 0;
    status = status == 0 ? api_trace_time(r, "start", &start_ns, e) : status;
    if (status == 0 && !instant) {
        status = read_step(r, end_ns > start_ns ? end_ns - start_ns : 0, &step_ns, e);
    }
    if (status != 0) {
        return status;
    }
    status = traceql_steps_align(start_ns, end_ns, step_ns, steps);
    if (status == ERR_LIMIT) {
        return err_set(
            e, ERR_INVALID, -1, "step: more than %d of them from start to end", TRACEQL_POINTS_MAX);
    }
    return status != 0 ? err_set(e, ERR_INVALID, -1, "start has to lie before end") : 0;
}

static int read_exemplars(struct api_request *r, size_t *count, struct err *e)
{
    struct str text = http_exchange_param(r->exchange, "exemplars");
    uint64_t number = EXEMPLARS_DEFAULT;
    if (text.len > 0 && str_to_u64(text, &number) != 0) {
        return err_set(e, ERR_INVALID, -1, "exemplars: expected a number");
    }
    *count = number < EXEMPLARS_MAX ? (size_t)number : EXEMPLARS_MAX;
    return 0;
}

static int read_question(struct api_request *r, bool instant, struct question *q, struct err *e)
{
    struct str text = http_exchange_param(r->exchange, "q");
    text = text.len > 0 ? text : http_exchange_param(r->exchange, "query");
    int status = traceql_parse(text, http_exchange_arena(r->exchange), &q->query, e);
    if (status == 0 && q->query->metrics == NULL) {
        return err_set(
            e, ERR_INVALID, -1, "expected a function of metrics at the end, like | rate()");
    }
    status = status == 0 ? read_steps(r, instant, &q->steps, e) : status;
    q->exemplars = 0;
    return status == 0 && !instant ? read_exemplars(r, &q->exemplars, e) : status;
}

/* ---- The answer ---- */

static void write_label(struct json_writer *json, struct str key, struct traceql_value value)
{
    json_begin_object(json);
    json_key(json, "key");
    json_string(json, key);
    json_key(json, "value");
    traceql_value_write_json(value, json);
    json_end(json);
}

/* Of compare(): what is counted, and the attribute with its value. */
static void write_meta(struct json_writer *json, const struct traceql_series *s)
{
    static const char *const metas[] = {[TRACEQL_META_BASELINE] = "baseline",
        [TRACEQL_META_SELECTION] = "selection",
        [TRACEQL_META_BASELINE_TOTAL] = "baseline_total",
        [TRACEQL_META_SELECTION_TOTAL] = "selection_total",
        [TRACEQL_META_TOO_MANY] = "__too_many_values__"};
    bool error = s->meta == TRACEQL_META_TOO_MANY;
    const struct traceql_value text = {.type = TRACEQL_STRING, .text = str_of(metas[s->meta])};
    write_label(json, error ? STR("__meta_error") : STR("__meta_type"), text);
    write_label(json, s->field->text, s->extra);
}

/* Fields without a value are left out; a series is never without a label. */
static void write_labels(
    struct json_writer *json, const struct traceql_metrics *m, const struct traceql_series *s)
{
    size_t written = 0;
    json_key(json, "labels");
    json_begin_array(json);
    if (s->meta != TRACEQL_META_NONE) {
        write_meta(json, s);
        json_end(json);
        return;
    }
    for (size_t i = 0; i < m->by_count; i++) {
        if (s->by[i].type != TRACEQL_NIL) {
            write_label(json, m->by[i]->text, s->by[i]);
            written++;
        }
    }
    if (s->extra.type != TRACEQL_NIL) {
        bool quantile = m->function == TRACEQL_QUANTILE_OVER_TIME;
        write_label(json, quantile ? STR("p") : STR("__bucket"), s->extra);
        written++;
    }
    if (written == 0) {
        const struct traceql_value text = {
            .type = TRACEQL_STRING, .text = m->by_count == 0 ? str_of(m->name) : STR("nil")};
        write_label(json, m->by_count == 0 ? STR("__name__") : m->by[0]->text, text);
    }
    json_end(json);
}

static void write_ms(struct json_writer *json, uint64_t time_ns)
{
    struct strbuf text = STRBUF_INIT;
    strbuf_add_u64(&text, time_ns / 1000000);
    json_key(json, "timestampMs");
    json_string(json, strbuf_str(&text));
    strbuf_release(&text);
}

static void write_exemplar(struct json_writer *json, const struct traceql_exemplar *x)
{
    struct strbuf id = STRBUF_INIT;
    trace_id_write(x->trace, &id);
    json_begin_object(json);
    json_key(json, "labels");
    json_begin_array(json);
    write_label(json, STR("trace:id"),
        (struct traceql_value){.type = TRACEQL_STRING, .text = strbuf_str(&id)});
    json_end(json);
    json_key(json, "value");
    json_double(json, x->value);
    write_ms(json, x->time_ns);
    json_end(json);
    strbuf_release(&id);
}

/* The same number of every stretch of steps. */
static void write_exemplars(
    struct json_writer *json, const struct question *q, const struct traceql_series *s)
{
    uint32_t count = q->steps.count, some = 0;
    for (uint32_t i = 0; s->exemplars != NULL && i < count; i++) {
        some += !trace_id_is_zero(s->exemplars[i].trace);
    }
    if (some == 0) {
        return;
    }
    size_t each = (some + q->exemplars - 1) / q->exemplars, seen = 0;
    json_key(json, "exemplars");
    json_begin_array(json);
    for (uint32_t i = 0; i < count; i++) {
        if (!trace_id_is_zero(s->exemplars[i].trace) && seen++ % each == 0) {
            write_exemplar(json, &s->exemplars[i]);
        }
    }
    json_end(json);
}

static void write_range(
    struct json_writer *json, const struct question *q, const struct traceql_series *s)
{
    json_begin_object(json);
    write_labels(json, q->query->metrics, s);
    json_key(json, "samples");
    json_begin_array(json);
    for (uint32_t i = 0; i < q->steps.count; i++) {
        if (isfinite(s->samples[i])) {
            json_begin_object(json);
            write_ms(json, traceql_steps_time(&q->steps, i));
            json_key(json, "value");
            json_double(json, s->samples[i]);
            json_end(json);
        }
    }
    json_end(json);
    write_exemplars(json, q, s);
    json_end(json);
}

static void write_instant(
    struct json_writer *json, const struct question *q, const struct traceql_series *s)
{
    bool error = s->meta == TRACEQL_META_TOO_MANY; /* whose value says nothing */
    if (isfinite(s->samples[0]) || error) {
        json_begin_object(json);
        write_labels(json, q->query->metrics, s);
        json_key(json, "value");
        json_double(json, error ? 0 : s->samples[0]);
        json_end(json);
    }
}

static int measure(struct api_request *r, struct span_view *view, const struct question *q,
    bool instant, struct json_writer *json, struct err *e)
{
    struct trace_budget budget;
    struct traceql_result result = {0};
    struct arena arena;
    api_trace_budget(r, &budget);
    arena_init(&arena, TRACEQL_METRICS_BYTES_MAX);
    int status =
        traceql_measure(view, q->query, &q->steps, q->exemplars > 0, &budget, &arena, &result, e);
    if (result.damaged_pages > 0) {
        LOG_WARN("traces: series leave damaged pages out",
            LOG_I("pages", (int64_t)result.damaged_pages));
    }
    if (status == 0) {
        json_begin_object(json);
        json_key(json, "series");
        json_begin_array(json);
        for (size_t i = 0; i < result.count; i++) {
            (instant ? write_instant : write_range)(json, q, &result.items[i]);
        }
        json_end(json);
        json_key(json, "metrics");
        json_begin_object(json);
        json_end(json);
        json_end(json);
    }
    arena_release(&arena);
    return status;
}

static void answer(struct api_request *r, bool instant)
{
    struct span_view *view = NULL;
    struct question q;
    struct api_plain a;
    struct err e = ERR_INIT;
    api_plain_begin(&a);
    int status = read_question(r, instant, &q, &e);
    status = status == 0 ? api_open_spans(r, &view, &e) : status;
    status = status == 0 ? measure(r, view, &q, instant, &a.json, &e) : status;
    span_view_close(view);
    api_plain_send(r, &a, status, &e);
}

void api_tempo_query_range(struct api_request *r)
{
    answer(r, false);
}

void api_tempo_query_instant(struct api_request *r)
{
    answer(r, true);
}
