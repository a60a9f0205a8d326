/* From a message to records of the queue, or to the window of sampling.
 *
 * A message in which every span is good is one record as it came. Where spans are left out, or the message is
 * too large, the good ones are put together anew, as slices, in records of bounded size; each record is
 * in the queue, or it is not, before the next begins.
 */
#include "spans/span_pipeline.h"

#include <stdio.h>

#include "base/mem.h"
#include "spans/span_batch.h"
#include "wire/span_mark.h"

/* IDLE_MS: where nothing has a time of its own. What changes that comes with a turn of the loop, and the step with it. */
enum { WHY_BYTES_MAX = 160, IDLE_MS = 60000 };

/* Label job of what is counted: one target at the server for each agent. */
#define METRICS_JOB "spans"

struct span_pipeline {
    struct span_intake door; /* first: what others see of it */
    struct span_pipeline_options options;
    struct otlp_traces *walker;
    struct span_metrics *metrics; /* NULL: not wanted */
    struct span_halves *halves;   /* NULL: not wanted */
    struct tail_sampler *sampler; /* NULL: everything is kept */
    struct span_batch batch;
    struct strbuf record;
    char why[WHY_BYTES_MAX];
    struct span_pipeline_statistics statistics; /* with what parts had counted that are gone */
};

const char *span_request_fault_name(enum span_request_fault fault)
{
    static const char *const names[SPAN_REQUEST_FAULT_COUNT] = {
        "busy", "malformed", "too_large", "no_space"};
    return names[fault];
}

const char *span_fault_name(enum span_fault fault)
{
    static const char *const names[SPAN_FAULT_COUNT] = {
        "trace_id", "span_id", "long_text", "too_large"};
    return names[fault];
}

/* ---- Admission ---- */

static int admit(struct span_intake *self, enum span_protocol protocol, int64_t *retry_after_ms_out)
{
    struct span_pipeline *p = (struct span_pipeline *)self;
    int status = intake_admit(p->options.intake, retry_after_ms_out);
    if (status != 0) {
        struct span_protocol_statistics *s = &p->statistics.protocols[protocol];
        s->requests++;
        s->requests_refused[SPAN_REQUEST_BUSY]++;
    }
    return status;
}

/* ---- One message ---- */

struct taking {
    struct span_pipeline *pipeline;
    struct str message;
    unsigned done;            /* SPAN_MARK_… of agents before this one */
    uint64_t taken;           /* in the queue */
    uint64_t resource_number; /* of the span at hand */
    uint32_t service;         /* its number in the metrics */
    uint32_t sampled_service; /* its number in the policies */
    uint64_t refused[SPAN_FAULT_COUNT];
};

static uint64_t count_refused(const struct taking *t)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < SPAN_FAULT_COUNT; i++) {
        sum += t->refused[i];
    }
    return sum;
}

/* What this agent does with spans. */
static unsigned own_marks(const struct span_pipeline *p)
{
    return (p->metrics != NULL ? SPAN_MARK_METRICS : 0) |
           (p->halves != NULL ? SPAN_MARK_HALVES : 0);
}

/* The record that the batch makes; the message itself where that is the same. */
static int write_record(struct taking *t, bool whole, struct str *record_out)
{
    struct span_pipeline *p = t->pipeline;
    unsigned marks = own_marks(p) | t->done;
    if (whole && marks == t->done) {
        *record_out = t->message;
        return 0;
    }
    strbuf_reset(&p->record);
    if (whole) {
        strbuf_add_str(&p->record, t->message);
        marks &= ~t->done;
    } else {
        span_batch_encode(&p->batch, &p->record);
    }
    span_mark_write(&p->record, marks);
    *record_out = strbuf_str(&p->record);
    return strbuf_error(&p->record);
}

/* What counts only when the spans are taken. */
static void count_batch(struct taking *t)
{
    struct span_pipeline *p = t->pipeline;
    if (p->halves != NULL) {
        span_halves_keep(p->halves);
    }
    bool counted = (t->done & SPAN_MARK_METRICS) != 0;
    for (size_t i = 0; p->metrics != NULL && !counted && i < p->batch.count; i++) {
        const struct span_item *item = &p->batch.items[i];
        span_metrics_count(p->metrics, item->place, item->seconds, item->weight);
        if (p->sampler == NULL) { /* else it tells of those it keeps */
            span_metrics_exemplar(
                p->metrics, item->place, item->trace_id, item->span_id, item->seconds);
        }
    }
}

/* Hands on what is in the batch and empties it. `whole`: it is all of the message. */
static int hand_on(struct taking *t, bool whole)
{
    struct span_pipeline *p = t->pipeline;
    size_t count = p->batch.count;
    int status = 0;
    if (p->sampler != NULL) {
        status = tail_sampler_take(p->sampler, &p->batch);
    } else if (p->options.shipper != NULL && count > 0) {
        struct str record;
        status = write_record(t, whole, &record);
        status =
            status == 0 ? span_shipper_add(p->options.shipper, record, (uint32_t)count) : status;
    } else {
        p->statistics.undelivered_spans += count;
    }
    if (status == 0) {
        t->taken += count;
        count_batch(t);
    } else if (p->halves != NULL) {
        span_halves_drop(p->halves);
    }
    span_batch_reset(&p->batch);
    return status;
}

/* What is known of the span's service is looked up once for each resource. */
static void enter_resource(struct taking *t, const struct otlp_span *span)
{
    struct span_pipeline *p = t->pipeline;
    if (t->resource_number == span->resource_number) {
        return;
    }
    t->resource_number = span->resource_number;
    if (p->metrics != NULL && (t->done & SPAN_MARK_METRICS) == 0) {
        t->service = span_metrics_service(p->metrics, span->resource);
    }
    if (p->sampler != NULL) {
        t->sampled_service = sampling_policies_service(
            tail_sampler_policies(p->sampler), span_resource_service(span->resource));
    }
}

/* The span joins the batch, with what it will count in and what it shows of its trace. */
static int add_to_batch(struct taking *t, const struct otlp_span *span)
{
    struct span_pipeline *p = t->pipeline;
    struct span_metrics_place place = {0, 0};
    enter_resource(t, span);
    if (p->metrics != NULL && (t->done & SPAN_MARK_METRICS) == 0) {
        place = span_metrics_find(p->metrics, t->service, span);
    }
    int status = span_batch_add(&p->batch, span, place);
    if (status != 0) {
        return status;
    }
    struct span_item *item = &p->batch.items[p->batch.count - 1];
    if (p->halves != NULL && (t->done & SPAN_MARK_HALVES) == 0) {
        span_halves_add(p->halves, span, item->weight);
    }
    if (p->sampler != NULL) {
        item->marks =
            sampling_policies_mark(tail_sampler_policies(p->sampler), t->sampled_service, span);
    }
    return 0;
}

static int add_span(struct taking *t, const struct otlp_span *span)
{
    struct span_pipeline *p = t->pipeline;
    if (span->raw.len + span->resource_raw.len + span->scope_raw.len > SPAN_BYTES_MAX) {
        t->refused[SPAN_FAULT_TOO_LARGE]++;
        return 0;
    }
    if (p->batch.count > 0 &&
        p->batch.bytes + span_batch_cost(&p->batch, span) > SPAN_RECORD_BYTES_MAX) {
        int status = hand_on(t, false);
        if (status != 0) {
            return status;
        }
    }
    return add_to_batch(t, span);
}

static int add_all(struct taking *t)
{
    struct otlp_traces *walker = t->pipeline->walker;
    struct otlp_span span;
    int more;
    while ((more = otlp_traces_next(walker, &span)) == 1) {
        int status = add_span(t, &span);
        if (status != 0) {
            return status;
        }
    }
    t->refused[SPAN_FAULT_TRACE_ID] = otlp_traces_faults(walker, OTLP_SPAN_TRACE_ID);
    t->refused[SPAN_FAULT_SPAN_ID] = otlp_traces_faults(walker, OTLP_SPAN_ID);
    t->refused[SPAN_FAULT_LONG_TEXT] = otlp_traces_faults(walker, OTLP_SPAN_TOO_LONG);
    bool whole = t->taken + count_refused(t) == 0 && t->message.len <= SPAN_RECORD_BYTES_MAX;
    return more == 0 ? hand_on(t, whole) : more;
}

/* An agent behind another one: halves of calls come in messages of their own, and go on as they came. */
static int hand_on_halves(struct taking *t)
{
    struct span_shipper *shipper = t->pipeline->options.shipper;
    bool alone = t->taken + count_refused(t) == 0 && span_mark_has_halves(t->message);
    return alone && shipper != NULL ? span_shipper_add(shipper, t->message, 0) : 0;
}

/* ---- What is said about it ---- */

static const char *refusal_text(enum span_fault fault)
{
    switch (fault) {
    case SPAN_FAULT_TRACE_ID:
        return otlp_span_fault_text(OTLP_SPAN_TRACE_ID);
    case SPAN_FAULT_SPAN_ID:
        return otlp_span_fault_text(OTLP_SPAN_ID);
    case SPAN_FAULT_LONG_TEXT:
        return otlp_span_fault_text(OTLP_SPAN_TOO_LONG);
    default:
        return "the span is larger than 4 MiB";
    }
}

/* Names the first reason that there is. */
static struct str explain(struct span_pipeline *p, const struct taking *t)
{
    for (size_t i = 0; i < SPAN_FAULT_COUNT; i++) {
        if (t->refused[i] > 0) {
            int length = snprintf(p->why, sizeof(p->why), "%llu spans refused: %s",
                (unsigned long long)count_refused(t), refusal_text((enum span_fault)i));
            return str_make(p->why, (size_t)length);
        }
    }
    return STR("");
}

/* Counts a refused request by its reason; the error a receiver answers by. */
static int refuse(struct span_protocol_statistics *s, int status, struct err *e)
{
    switch (status) {
    case ERR_CORRUPT:
        s->requests_refused[SPAN_REQUEST_MALFORMED]++;
        return status;
    case ERR_LIMIT:
        s->requests_refused[SPAN_REQUEST_TOO_LARGE]++;
        return status;
    default:
        s->requests_refused[SPAN_REQUEST_NO_SPACE]++;
        return err_set(e, status == ERR_NOMEM ? ERR_NOMEM : ERR_NO_SPACE, -1,
            "the queue does not take the spans: %s", err_text(status));
    }
}

static int take(struct span_intake *self, enum span_protocol protocol, struct str message,
    struct span_taken *taken_out, struct err *e)
{
    struct span_pipeline *p = (struct span_pipeline *)self;
    struct span_protocol_statistics *s = &p->statistics.protocols[protocol];
    struct taking taking = {.pipeline = p, .message = message};
    s->requests++;
    int status = otlp_traces_begin(p->walker, message, e);
    if (status != 0) {
        return refuse(s, status, e);
    }
    taking.done = span_mark_read(message);
    status = add_all(&taking);
    status = status == 0 ? hand_on_halves(&taking) : status;
    span_batch_reset(&p->batch);
    if (p->halves != NULL) {
        span_halves_drop(p->halves); /* of spans that were not handed on */
    }
    s->spans += taking.taken;
    if (status != 0) {
        return refuse(s, status == ERR_LIMIT ? ERR_NO_SPACE : status, e);
    }
    for (size_t i = 0; i < SPAN_FAULT_COUNT; i++) {
        s->spans_refused[i] += taking.refused[i];
    }
    *taken_out = (struct span_taken){taking.taken, count_refused(&taking), explain(p, &taking)};
    return 0;
}

/* ---- Start and stop ---- */

static int open_metrics(struct span_pipeline *p, struct err *e)
{
    const struct span_pipeline_options *o = &p->options;
    const struct span_metrics_options options = {
        .config = &o->config->metrics,
        .job = METRICS_JOB,
        .instance = o->instance,
        .clock = o->clock,
        .intake = o->intake,
    };
    return o->config->metrics.enabled ? span_metrics_new(&options, &p->metrics, e) : 0;
}

static int open_halves(struct span_pipeline *p, struct err *e)
{
    const struct span_pipeline_options *o = &p->options;
    bool wanted = o->config->service_graph.enabled && o->shipper != NULL;
    int status = wanted ? span_halves_new(o->shipper, o->clock, &p->halves) : 0;
    return status == 0 ? 0 : err_set(e, status, -1, "out of memory for the service graph");
}

/* Without a destination nothing waits, but the settings are still read. */
static int open_sampler(struct span_pipeline *p, struct err *e)
{
    const struct span_pipeline_options *o = &p->options;
    const struct tail_sampler_options options = {
        .config = &o->config->sampling,
        .clock = o->clock,
        .intake = o->intake,
        .shipper = o->shipper,
        .metrics = p->metrics,
        .marks = own_marks(p),
    };
    if (o->config->sampling.policies.count == 0) {
        return 0;
    }
    int status = tail_sampler_new(&options, &p->sampler, e);
    if (status == 0 && o->shipper == NULL) {
        tail_sampler_free(p->sampler);
        p->sampler = NULL;
    }
    return status;
}

int span_pipeline_new(
    const struct span_pipeline_options *options, struct span_pipeline **pipeline_out, struct err *e)
{
    struct span_pipeline *p = mem_calloc(1, sizeof(*p));
    if (p == NULL) {
        return err_set(e, ERR_NOMEM, -1, "out of memory for spans");
    }
    p->door = (struct span_intake){admit, take};
    p->options = *options;
    strbuf_init(&p->record, OTLP_TRACES_MAX);
    int status = otlp_traces_new(&p->walker);
    if (status != 0) {
        err_set(e, status, -1, "out of memory for spans");
    }
    status = status == 0 ? open_metrics(p, e) : status;
    status = status == 0 ? open_halves(p, e) : status;
    status = status == 0 ? open_sampler(p, e) : status;
    if (status != 0) {
        span_pipeline_free(p);
        return status;
    }
    *pipeline_out = p;
    return 0;
}

void span_pipeline_free(struct span_pipeline *p)
{
    if (p == NULL) {
        return;
    }
    otlp_traces_free(p->walker);
    tail_sampler_free(p->sampler);
    span_metrics_free(p->metrics);
    span_halves_free(p->halves);
    span_batch_release(&p->batch);
    strbuf_release(&p->record);
    mem_free(p);
}

struct span_intake *span_pipeline_intake(struct span_pipeline *p)
{
    return &p->door;
}

int64_t span_pipeline_step(struct span_pipeline *p)
{
    int64_t sampler = p->sampler != NULL ? tail_sampler_step(p->sampler) : IDLE_MS;
    int64_t metrics = p->metrics != NULL ? span_metrics_step(p->metrics) : IDLE_MS;
    int64_t halves = p->halves != NULL ? span_halves_step(p->halves) : IDLE_MS;
    int64_t wake = metrics < halves ? metrics : halves;
    return sampler < wake ? sampler : wake;
}

void span_pipeline_flush(struct span_pipeline *p)
{
    if (p->sampler != NULL) {
        tail_sampler_flush(p->sampler);
    }
    if (p->metrics != NULL) {
        span_metrics_flush(p->metrics);
    }
    if (p->halves != NULL) {
        span_halves_flush(p->halves);
    }
}

size_t span_pipeline_policies(const struct span_pipeline *p)
{
    return p->sampler != NULL ? sampling_policies_count(tail_sampler_policies(p->sampler)) : 0;
}

const char *span_pipeline_policy_name(const struct span_pipeline *p, size_t index)
{
    return sampling_policy_name(tail_sampler_policies(p->sampler), index);
}

/* ---- Figures ---- */

void span_pipeline_continue(struct span_pipeline *p, const struct span_pipeline_statistics *before)
{
    const struct tail_sampler_statistics *s = &before->sampling;
    p->statistics = *before;
    p->statistics.metrics.table.series = p->statistics.metrics.table.services = 0;
    p->statistics.sampling = (struct tail_sampler_statistics){
        .kept_spans = s->kept_spans,
        .dropped_spans = s->dropped_spans,
        .late_kept_spans = s->late_kept_spans,
        .late_dropped_spans = s->late_dropped_spans,
        .lost_spans = s->lost_spans,
    };
}

static void add_metrics(
    const struct span_metrics *m, struct span_metrics_statistics *statistics_out)
{
    struct span_metrics_statistics now;
    span_metrics_statistics(m, &now);
    statistics_out->table.series = now.table.series;
    statistics_out->table.services = now.table.services;
    statistics_out->table.overflowed_spans += now.table.overflowed_spans;
    statistics_out->table.templated_spans += now.table.templated_spans;
    statistics_out->lost_spans += now.lost_spans;
    statistics_out->expired_series += now.expired_series;
}

static void add_sampling(const struct tail_sampler *s, struct tail_sampler_statistics *out)
{
    struct tail_sampler_statistics before = *out;
    tail_sampler_statistics(s, out);
    out->kept_spans += before.kept_spans;
    out->dropped_spans += before.dropped_spans;
    out->late_kept_spans += before.late_kept_spans;
    out->late_dropped_spans += before.late_dropped_spans;
    out->lost_spans += before.lost_spans;
}

void span_pipeline_statistics(
    const struct span_pipeline *p, struct span_pipeline_statistics *statistics_out)
{
    *statistics_out = p->statistics;
    if (p->metrics != NULL) {
        add_metrics(p->metrics, &statistics_out->metrics);
    }
    if (p->halves != NULL) {
        struct span_halves_statistics now;
        span_halves_statistics(p->halves, &now);
        statistics_out->halves.halves += now.halves;
        statistics_out->halves.lost += now.lost;
    }
    if (p->sampler != NULL) {
        add_sampling(p->sampler, &statistics_out->sampling);
    }
}
