/* What stands behind the door for spans: checks a message, then what span_intake.h lists, in that order.
 * One thread, the loop's.
 */
#ifndef SONDE_SPANS_SPAN_PIPELINE_H
#define SONDE_SPANS_SPAN_PIPELINE_H

#include "base/clock.h"
#include "intake/intake.h"
#include "ship/span_shipper.h"
#include "spans/span_halves.h"
#include "spans/span_intake.h"
#include "spans/span_metrics.h"
#include "spans/spans_config.h"
#include "spans/tail_sampler.h"

struct span_pipeline_options {
    const struct spans_config *config; /* borrowed */
    const char *instance;              /* label of what is counted; borrowed */
    struct clock *clock;
    struct intake
        *intake; /* where what is counted goes, and whose pressure admission goes by; borrowed */
    struct span_shipper *shipper; /* NULL: no destination wants spans; borrowed */
};

/* Why a request was refused as a whole. */
enum span_request_fault {
    SPAN_REQUEST_BUSY,
    SPAN_REQUEST_MALFORMED,
    SPAN_REQUEST_TOO_LARGE,
    SPAN_REQUEST_NO_SPACE, /* or no memory */
    SPAN_REQUEST_FAULT_COUNT,
};

/* Why a span of a request that was taken was refused. */
enum span_fault {
    SPAN_FAULT_TRACE_ID,
    SPAN_FAULT_SPAN_ID,
    SPAN_FAULT_LONG_TEXT,
    SPAN_FAULT_TOO_LARGE, /* SPAN_BYTES_MAX */
    SPAN_FAULT_COUNT,
};

const char *span_request_fault_name(enum span_request_fault fault);
const char *span_fault_name(enum span_fault fault);

struct span_protocol_statistics {
    uint64_t requests; /* all that came */
    uint64_t requests_refused[SPAN_REQUEST_FAULT_COUNT];
    uint64_t spans; /* taken */
    uint64_t spans_refused[SPAN_FAULT_COUNT];
};

struct span_pipeline_statistics {
    struct span_protocol_statistics protocols[SPAN_PROTOCOL_COUNT];
    /* taken = added to the queue + undelivered; with sampling, taken = kept + dropped + lost + waiting */
    uint64_t undelivered_spans; /* no destination wants spans */
    struct span_metrics_statistics metrics;
    struct span_halves_statistics halves;
    struct tail_sampler_statistics sampling;
};

struct span_pipeline;

/* ERR_INVALID with a sentence: settings that cannot be. */
int span_pipeline_new(const struct span_pipeline_options *options,
    struct span_pipeline **pipeline_out, struct err *e);
/* Accepts NULL. */
void span_pipeline_free(struct span_pipeline *p);
/* It takes the place of one that has these figures, which is not asked any more: counters of spans go on. Those of
 * policies begin anew with the policies. */
void span_pipeline_continue(struct span_pipeline *p, const struct span_pipeline_statistics *before);
/* The door; lives as long as the pipeline. */
struct span_intake *span_pipeline_intake(struct span_pipeline *p);
/* Does what is due. Returns milliseconds until the next call is due. */
int64_t span_pipeline_step(struct span_pipeline *p);
/* Hands on all there is: before the agent ends. */
void span_pipeline_flush(struct span_pipeline *p);
/* The policies of sampling: 0 when nothing is sampled. */
size_t span_pipeline_policies(const struct span_pipeline *p);
const char *span_pipeline_policy_name(const struct span_pipeline *p, size_t index);
void span_pipeline_statistics(
    const struct span_pipeline *p, struct span_pipeline_statistics *statistics_out);

#endif
