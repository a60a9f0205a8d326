/* Tail sampling: whole traces wait a while, as far as this agent sees them, then policies keep or drop them.
 *
 * A trace is decided `wait` after its first span came, `wait_after_root` after its root, at once when it is
 * larger than max_trace_size, and early, oldest first, when the window is full or the agent's memory nearly so:
 * by the policies, with what came of it. Late spans follow the decision as long as it is remembered. What is
 * kept goes into the queue at the next step, grouped by resource and scope.
 *
 * Private to agent/spans; one thread.
 */
#ifndef SONDE_SPANS_TAIL_SAMPLER_H
#define SONDE_SPANS_TAIL_SAMPLER_H

#include "intake/intake.h"
#include "ship/span_shipper.h"
#include "spans/sampling_policy.h"
#include "spans/span_batch.h"

struct tail_sampler_options {
    const struct sampling_config *config; /* with at least one policy; borrowed */
    struct clock *clock;
    struct intake *intake; /* whose pressure is asked */
    struct span_shipper *shipper;
    struct span_metrics *metrics; /* told of spans that are kept; NULL: none */
    unsigned marks; /* SPAN_MARK_… of all that goes on: done with it before it is sampled */
};

/* Why a trace was decided. */
enum tail_sampler_reason {
    TAIL_TIME,
    TAIL_LARGE,
    TAIL_WINDOW_FULL,
    TAIL_MEMORY, /* of the agent */
    TAIL_END,
    TAIL_REASON_COUNT,
};

const char *tail_sampler_reason_name(enum tail_sampler_reason reason);

struct tail_sampler_statistics {
    uint64_t traces[SAMPLING_POLICIES_MAX + 1]; /* decided, by policy; the last: by none */
    uint64_t reasons[TAIL_REASON_COUNT];        /* the same, by reason */
    /* taken = kept + dropped + lost + waiting */
    uint64_t kept_spans, dropped_spans;
    uint64_t late_kept_spans, late_dropped_spans; /* of these: that came after the decision */
    uint64_t lost_spans;                          /* kept, but the queue did not take them */
    uint64_t waiting_traces, waiting_spans, window_bytes, decisions;
};

struct tail_sampler;

int tail_sampler_new(
    const struct tail_sampler_options *options, struct tail_sampler **sampler_out, struct err *e);
/* Accepts NULL. */
void tail_sampler_free(struct tail_sampler *s);
struct sampling_policies *tail_sampler_policies(struct tail_sampler *s);
/* All spans of the batch; what they show is in its items. 0, or ERR_NOMEM: none of them was taken. */
int tail_sampler_take(struct tail_sampler *s, const struct span_batch *batch);
/* Decides what is due and hands on what is kept. Returns milliseconds until the next call is due. */
int64_t tail_sampler_step(struct tail_sampler *s);
/* Decides over everything and hands it on: before the agent ends. */
void tail_sampler_flush(struct tail_sampler *s);
void tail_sampler_statistics(
    const struct tail_sampler *s, struct tail_sampler_statistics *statistics_out);

#endif
