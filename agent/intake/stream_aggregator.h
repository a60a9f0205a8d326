/* Stream aggregation: many series become few before anything is queued.
 *
 * A rule names series (match), an interval, and outputs. Its samples go into groups by the labels that
 * are kept (by, or all but without); at the end of each interval, aligned to it, every group that had
 * samples gives one sample for each output, and the samples themselves go no further. What no rule
 * matches passes as it is; so do native histograms and exemplars. Configuration and names of the
 * results are those of vmagent's stream aggregation:
 *
 *   metric:interval[_by_label…|_without_label…]_output
 *
 *   sum_samples count_samples min max avg last   of the samples of the interval
 *   count_series                                 different series among them
 *   quantiles(phi, …)                            label quantile; from a sketch, see model/sketch.h
 *   increase                                     of counters over the interval, resets minded
 *   total                                        the same, summed up since the first interval
 *   rate_sum, rate_avg                           increase a second, over the series
 *   (none, with dedup_interval)                  the last sample of each series in the interval
 *
 * A counter's first sample says nothing of its increase: it counts from the second on. Series that
 * ended (stale markers) and those not seen for two intervals are forgotten. All state is in memory:
 * a restart begins anew. One thread.
 */
#ifndef SONDE_INTAKE_STREAM_AGGREGATOR_H
#define SONDE_INTAKE_STREAM_AGGREGATOR_H

#include <stdbool.h>
#include <stdint.h>

#include "base/clock.h"
#include "intake/intake.h"
#include "intake/stream_rule.h"

#define STREAM_RULES_MAX 100
/* Series of all rules together; those beyond pass as they are, counted. */
#define STREAM_SERIES_MAX ((size_t)1 << 20)

struct stream_statistics {
    uint64_t taken_samples;  /* went into aggregates, and no further */
    uint64_t passed_samples; /* matched, but there was no room for their series */
    size_t series, groups;
};

struct stream_aggregator;

/* `results` and `rest` get what comes out, and what no rule matches; they may be the same. ERR_INVALID
 * names the rule (from 1) and what is wrong with it. */
int stream_aggregator_new(const struct stream_rule *rules, size_t count, struct clock *clock,
    struct intake *results, struct intake *rest, struct stream_aggregator **aggregator_out,
    struct err *e);
/* What is collected gives its results now. Accepts NULL. */
void stream_aggregator_free(struct stream_aggregator *a);
/* Where samples go in. */
struct intake *stream_aggregator_intake(struct stream_aggregator *a);
/* Ends the intervals that are over; milliseconds until the next one is. */
int64_t stream_aggregator_step(struct stream_aggregator *a);
void stream_aggregator_statistics(
    const struct stream_aggregator *a, struct stream_statistics *statistics_out);

#endif
