/* What StatsD's lines add up to between two times of handing in.
 *
 *   counter              the sum since the series began, 1/rate for one
 *   gauge                the last value, or changed by one with a sign
 *   timer                a native histogram of seconds (StatsD sends milliseconds)
 *   histogram, distribution   a native histogram
 *   set                  how many different values since it was handed in last (a HyperLogLog of 1024
 *                        registers: 3 % standard error, less for small sets)
 *
 * Every series is handed in each time, so that it does not look dead between events; one that had no line
 * for STATSD_IDLE_MS ends with a stale marker. Names and tags become Prometheus' by replacing what is
 * not allowed with '_'; a tag without a value is "true". One thread; times are given.
 */
#ifndef SONDE_RECEIVE_STATSD_TABLE_H
#define SONDE_RECEIVE_STATSD_TABLE_H

#include <stddef.h>
#include <stdint.h>

#include "intake/intake.h"
#include "receive/statsd_line.h"

#define STATSD_IDLE_MS ((int64_t)300 * 1000)
/* A value of a histogram counts at most this often, however low its rate. */
#define STATSD_WEIGHT_MAX 1000

struct statsd_table;

int statsd_table_new(size_t series_max, struct statsd_table **table_out);
/* Accepts NULL. */
void statsd_table_free(struct statsd_table *t);
size_t statsd_table_count(const struct statsd_table *t);
/* One line; `intake` gives external labels, and says when there is no room for new series. 0; ERR_LIMIT, ERR_BUSY:
 * no room for a new series; ERR_INVALID: no labels can be made of it; ERR_NOMEM. */
int statsd_table_add(struct statsd_table *t, const struct intake *intake,
    const struct statsd_line *line, int64_t now_ms);
/* Hands in all series with the time `t_ms`, and forgets those that were idle. 0 or ERR_NOMEM: some were not
 * handed in. */
int statsd_table_flush(struct statsd_table *t, struct intake *intake, int64_t now_ms, int64_t t_ms);

#endif
