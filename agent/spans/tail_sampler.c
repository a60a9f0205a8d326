/* The window, the decisions, and what is kept on its way to the queue. */
#include "spans/tail_sampler.h"

#include <stdlib.h>

#include "base/bytes.h"
#include "base/mem.h"
#include "spans/decision_cache.h"
#include "spans/trace_window.h"
#include "wire/span_mark.h"

enum {
    STEP_MS = 500,
    KEPT_MAX = 1 << 20,
    /* Of what waits, decided in one step while memory is short: 1/4. */
    MEMORY_SHARE = 4,
    TRACE_STATE_KEY = 3 << 3 | 2, /* field 3 of Span, bytes */
};

/* Bytes of kept spans that are handed on at once. */
#define KEPT_BYTES_MAX ((size_t)1 << 20)

/* A span on its way to the queue. */
struct kept {
    struct window_span *span;
    unsigned outcome; /* 1 + the policy that kept it; 0: none was asked */
    struct trace_id trace_id;
};

struct tail_sampler {
    struct tail_sampler_options options;
    struct sampling_policies *policies;
    struct trace_window *window;
    struct decision_cache *decisions;
    struct kept *kept;
    size_t kept_count, kept_cap, kept_bytes;
    struct window_span **copies; /* of the batch at hand */
    size_t copy_cap;
    struct strbuf record, raw;
    struct tail_sampler_statistics statistics;
};

const char *tail_sampler_reason_name(enum tail_sampler_reason reason)
{
    static const char *const names[TAIL_REASON_COUNT] = {
        "time", "large", "window_full", "memory", "end"};
    return names[reason];
}

int tail_sampler_new(
    const struct tail_sampler_options *options, struct tail_sampler **sampler_out, struct err *e)
{
    struct tail_sampler *s = mem_calloc(1, sizeof(*s));
    if (s == NULL) {
        return err_set(e, ERR_NOMEM, -1, "out of memory for sampling");
    }
    s->options = *options;
    strbuf_init(&s->record, OTLP_TRACES_MAX);
    strbuf_init(&s->raw, SPAN_BYTES_MAX * 2);
    int status = sampling_policies_new(options->config, options->clock, &s->policies, e);
    if (status == 0 &&
        (trace_window_new(&s->window) != 0 ||
            decision_cache_new((size_t)options->config->decisions_max, &s->decisions) != 0)) {
        status = err_set(e, ERR_NOMEM, -1, "out of memory for sampling");
    }
    if (status != 0) {
        tail_sampler_free(s);
        return status;
    }
    *sampler_out = s;
    return 0;
}

void tail_sampler_free(struct tail_sampler *s)
{
    if (s == NULL) {
        return;
    }
    for (size_t i = 0; i < s->kept_count; i++) {
        trace_window_release(s->window, s->kept[i].span);
    }
    trace_window_free(s->window);
    sampling_policies_free(s->policies);
    decision_cache_free(s->decisions);
    mem_free(s->kept);
    mem_free(s->copies);
    strbuf_release(&s->record);
    strbuf_release(&s->raw);
    mem_free(s);
}

struct sampling_policies *tail_sampler_policies(struct tail_sampler *s)
{
    return s->policies;
}

/* ---- What is kept, on its way ---- */

static int compare_kept(const void *a, const void *b)
{
    const struct window_group *x = ((const struct kept *)a)->span->group;
    const struct window_group *y = ((const struct kept *)b)->span->group;
    return x->hash < y->hash ? -1 : x->hash > y->hash;
}

/* The span's bytes; behind them its trace state once more where it must say how it was chosen: of a field
 * that comes twice the last counts. */
static struct str write_raw(struct tail_sampler *s, const struct kept *k)
{
    struct str raw = window_span_raw(k->span);
    struct str threshold =
        k->outcome > 0 ? sampling_policy_threshold(s->policies, k->outcome - 1) : STR("");
    struct strbuf state = STRBUF_INIT;
    struct arena arena;
    struct span span = {.trace_state = STR("")};
    if (threshold.len == 0) {
        return raw;
    }
    arena_init(&arena, 0);
    if (!k->span->has_state || otlp_span_decode(raw, &arena, &span) == 0) {
        sampling_write_state(span.trace_state, threshold, &state);
    }
    strbuf_reset(&s->raw);
    strbuf_add_str(&s->raw, raw);
    strbuf_add_char(&s->raw, TRACE_STATE_KEY);
    strbuf_add_sized(&s->raw, strbuf_str(&state));
    bool good = strbuf_error(&s->raw) == 0 && strbuf_error(&state) == 0 && state.size > 0;
    strbuf_release(&state);
    arena_release(&arena);
    return good ? strbuf_str(&s->raw) : raw;
}

static void add_to_record(struct tail_sampler *s, struct otlp_traces_encoder *encoder,
    const struct kept *k, uint64_t group)
{
    const struct window_group *g = k->span->group;
    const struct span_resource resource = {.schema_url = g->resource_schema};
    const struct span_scope scope = {.schema_url = g->scope_schema};
    const struct otlp_span span = {
        .resource = &resource,
        .scope = &scope,
        .raw = write_raw(s, k),
        .resource_raw = g->resource_raw,
        .scope_raw = g->scope_raw,
        .resource_number = group,
        .scope_number = group,
    };
    otlp_traces_encoder_add(encoder, &span);
}

/* One record of kept spans from `from` on; returns the first that is not in it. */
static size_t write_record(struct tail_sampler *s, size_t from)
{
    struct otlp_traces_encoder encoder;
    uint64_t group = 1;
    size_t i = from, bytes = 0;
    strbuf_reset(&s->record);
    otlp_traces_encoder_init(&encoder, &s->record);
    while (i < s->kept_count && (i == from || bytes < SPAN_RECORD_BYTES_MAX / 2)) {
        group += i > from && compare_kept(&s->kept[i - 1], &s->kept[i]) != 0;
        add_to_record(s, &encoder, &s->kept[i], group);
        bytes += s->kept[i].span->size;
        i++;
    }
    otlp_traces_encoder_finish(&encoder);
    span_mark_write(&s->record, s->options.marks);
    return i;
}

static void hand_on(struct tail_sampler *s)
{
    if (s->kept_count > 1) {
        qsort(s->kept, s->kept_count, sizeof(*s->kept), compare_kept);
    }
    for (size_t from = 0; from < s->kept_count;) {
        size_t end = write_record(s, from), count = end - from;
        int status = strbuf_error(&s->record);
        status = status == 0
                     ? span_shipper_add(s->options.shipper, strbuf_str(&s->record), (uint32_t)count)
                     : status;
        s->statistics.kept_spans += status == 0 ? count : 0;
        s->statistics.lost_spans += status != 0 ? count : 0;
        from = end;
    }
    for (size_t i = 0; i < s->kept_count; i++) {
        const struct kept *k = &s->kept[i];
        if (s->options.metrics != NULL) {
            span_metrics_exemplar(s->options.metrics, k->span->place, k->trace_id, k->span->span_id,
                k->span->seconds);
        }
        trace_window_release(s->window, k->span);
    }
    s->kept_count = s->kept_bytes = 0;
}

/* Without memory for the list it is handed on by itself. */
static void keep_span(
    struct tail_sampler *s, struct window_span *span, struct trace_id trace_id, unsigned outcome)
{
    if (mem_array_grow(
            (void **)&s->kept, &s->kept_cap, s->kept_count + 1, sizeof(*s->kept), KEPT_MAX) != 0) {
        if (s->kept_cap == 0) {
            s->statistics.lost_spans++;
            trace_window_release(s->window, span);
            return;
        }
        hand_on(s);
    }
    s->kept_bytes += span->size;
    s->kept[s->kept_count++] = (struct kept){span, outcome, trace_id};
}

/* ---- Decisions ---- */

static void decide(
    struct tail_sampler *s, struct window_trace *trace, enum tail_sampler_reason reason)
{
    const struct sampling_facts facts = {
        .marks = trace->marks,
        .randomness = trace->randomness,
        .duration_ns = trace->end_ns > trace->start_ns ? trace->end_ns - trace->start_ns : 0,
        .spans = trace->spans,
    };
    bool kept = false;
    int policy = sampling_policies_decide(s->policies, &facts, &kept);
    unsigned outcome = kept ? (unsigned)policy + 1 : DECISION_DROPPED;
    struct trace_id id = trace->id;
    s->statistics.traces[policy >= 0 ? policy : SAMPLING_POLICIES_MAX]++;
    s->statistics.reasons[reason]++;
    s->statistics.dropped_spans += kept ? 0 : trace->spans;
    decision_cache_put(s->decisions, id, outcome);
    struct window_span *span = trace_window_take(s->window, trace);
    while (span != NULL) {
        struct window_span *next = span->next;
        if (kept) {
            keep_span(s, span, id, outcome);
        } else {
            trace_window_release(s->window, span);
        }
        span = next;
    }
    if (s->kept_bytes >= KEPT_BYTES_MAX) {
        hand_on(s);
    }
}

/* The oldest are decided early until the window has room. */
static void make_room(struct tail_sampler *s)
{
    size_t most = (size_t)s->options.config->window_bytes_max;
    struct window_trace *oldest;
    while (
        trace_window_bytes(s->window) > most && (oldest = trace_window_oldest(s->window)) != NULL) {
        decide(s, oldest, TAIL_WINDOW_FULL);
    }
    if (trace_window_bytes(s->window) > most) {
        hand_on(s); /* what is kept holds the rest */
    }
}

/* ---- Taking ---- */

/* A span whose trace was decided. */
static void follow(struct tail_sampler *s, struct window_span *span, const struct span_item *item,
    unsigned outcome)
{
    if (outcome == DECISION_DROPPED) {
        s->statistics.late_dropped_spans++;
        s->statistics.dropped_spans++;
        trace_window_release(s->window, span);
    } else {
        s->statistics.late_kept_spans++;
        keep_span(s, span, item->trace_id, outcome);
    }
}

/* A span joins its trace; false: no memory for a new one. */
static bool join(struct tail_sampler *s, struct window_span *span, const struct span_item *item)
{
    const struct sampling_config *c = s->options.config;
    int64_t now = clock_monotonic_ms(s->options.clock);
    struct window_trace *trace = trace_window_find(s->window, item->trace_id);
    unsigned outcome;
    if (trace == NULL && decision_cache_get(s->decisions, item->trace_id, &outcome)) {
        follow(s, span, item, outcome);
        return true;
    }
    if (trace == NULL) {
        trace = trace_window_make(s->window, item->trace_id, now + c->wait_ms);
        if (trace == NULL) {
            return false;
        }
        trace->randomness = item->randomness;
    }
    trace_window_join(s->window, trace, span);
    trace->marks |= item->marks;
    trace->start_ns = item->start_ns < trace->start_ns ? item->start_ns : trace->start_ns;
    trace->end_ns = item->end_ns > trace->end_ns ? item->end_ns : trace->end_ns;
    if (item->is_root) {
        trace_window_hasten(s->window, trace, now + c->wait_after_root_ms);
    }
    if (trace->bytes > (size_t)c->trace_bytes_max) {
        decide(s, trace, TAIL_LARGE);
    }
    return true;
}

/* Copies of all spans of the batch, or none. */
static int copy_batch(struct tail_sampler *s, const struct span_batch *batch)
{
    int status = mem_array_grow(
        (void **)&s->copies, &s->copy_cap, batch->count, sizeof(*s->copies), SPAN_BATCH_ITEMS_MAX);
    size_t count = 0;
    while (status == 0 && count < batch->count) {
        s->copies[count] = trace_window_copy(s->window, batch, &batch->items[count]);
        status = s->copies[count] == NULL ? ERR_NOMEM : 0;
        count += status == 0;
    }
    trace_window_end_batch(s->window);
    for (size_t i = 0; status != 0 && i < count; i++) {
        trace_window_release(s->window, s->copies[i]);
    }
    return status;
}

int tail_sampler_take(struct tail_sampler *s, const struct span_batch *batch)
{
    int status = copy_batch(s, batch);
    if (status != 0) {
        return status;
    }
    for (size_t i = 0; i < batch->count; i++) {
        if (!join(s, s->copies[i], &batch->items[i])) {
            /* A trace that cannot wait is not judged, but kept. */
            keep_span(s, s->copies[i], batch->items[i].trace_id, 0);
        }
    }
    make_room(s);
    return 0;
}

/* ---- Time ---- */

static void relieve_memory(struct tail_sampler *s)
{
    if (s->options.intake->pressure(s->options.intake) < INTAKE_HIGH) {
        return;
    }
    size_t count = trace_window_traces(s->window) / MEMORY_SHARE + 1;
    struct window_trace *oldest;
    while (count-- > 0 && (oldest = trace_window_oldest(s->window)) != NULL) {
        decide(s, oldest, TAIL_MEMORY);
    }
}

int64_t tail_sampler_step(struct tail_sampler *s)
{
    int64_t now = clock_monotonic_ms(s->options.clock);
    struct window_trace *oldest;
    sampling_policies_step(s->policies);
    while ((oldest = trace_window_oldest(s->window)) != NULL && oldest->deadline_ms <= now) {
        decide(s, oldest, TAIL_TIME);
    }
    relieve_memory(s);
    hand_on(s);
    oldest = trace_window_oldest(s->window);
    int64_t left = oldest != NULL ? oldest->deadline_ms - now : STEP_MS;
    return left < STEP_MS ? left : STEP_MS;
}

void tail_sampler_flush(struct tail_sampler *s)
{
    struct window_trace *oldest;
    while ((oldest = trace_window_oldest(s->window)) != NULL) {
        decide(s, oldest, TAIL_END);
    }
    hand_on(s);
}

void tail_sampler_statistics(
    const struct tail_sampler *s, struct tail_sampler_statistics *statistics_out)
{
    *statistics_out = s->statistics;
    statistics_out->waiting_traces = trace_window_traces(s->window);
    statistics_out->waiting_spans = trace_window_spans(s->window) + s->kept_count;
    statistics_out->window_bytes = trace_window_bytes(s->window);
    statistics_out->decisions = decision_cache_count(s->decisions);
}
