/* The program's own metrics: counters, gauges and histograms, read by /metrics.
 *
 * A metric is a static object beside the code that moves it; a registry lists them. Updates are
 * relaxed atomics, from any thread. Registration happens at start, before threads.
 */
#ifndef SONDE_BASE_METRICS_H
#define SONDE_BASE_METRICS_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#include "base/strbuf.h"

enum metric_kind { METRIC_COUNTER, METRIC_GAUGE, METRIC_HISTOGRAM };

#define METRIC_BUCKETS_MAX 24

struct metric {
    const char *name;   /* whole, unit and _total included */
    const char *labels; /* rendered inside the braces, e.g. `reason="age"`; NULL = none */
    const char *help;
    enum metric_kind kind;
    double scale; /* value shown = stored integer * scale; 0 means 1 (e.g. 1e-9 for nanoseconds) */
    const double *bounds; /* histogram: upper bounds in shown units, ascending, without +Inf */
    size_t bound_count;
    _Atomic int64_t value; /* counter and gauge; histogram: sum in stored units */
    _Atomic uint64_t buckets[METRIC_BUCKETS_MAX + 1]; /* not cumulative; last is +Inf */
};

void metric_add(struct metric *m, int64_t by);
void metric_set(struct metric *m, int64_t value);
int64_t metric_get(const struct metric *m);
/* Histogram: one observation in stored units. */
void metric_observe(struct metric *m, int64_t value);

/* Limit of metrics in the process. */
#define METRICS_MAX 512

/* Adds to the process' registry; the same name may come with several label sets, registered next to
 * each other. ERR_LIMIT when full, 0 when it was there already. */
int metrics_register(struct metric *m);
/* Calls `collect(context, out)` while /metrics is written, for values that are read on demand. It
 * appends whole exposition lines. */
int metrics_register_collector(void (*collect)(void *context, struct strbuf *out), void *context);
void metrics_unregister_collector(
    void (*collect)(void *context, struct strbuf *out), void *context);
/* Everything in Prometheus text format 0.0.4, plus process_* of this process. */
void metrics_write(struct strbuf *out);
/* process_* alone. */
void metrics_write_process(struct strbuf *out);

#endif
