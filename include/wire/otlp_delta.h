/* Sums of delta points: what turns OTLP's delta temporality into counters.
 *
 * A series has a total that grows by each delta. Totals live in memory only: after a restart they begin
 * at zero again, which readers of counters take for what it is, a reset. Their number is bounded; a
 * series that has had no point for OTLP_DELTA_IDLE_MS makes room for a new one.
 *
 * A request adds in a batch. When its write fails the batch is undone, so that the sender can send the
 * same again.
 *
 * Any thread may have a batch; one batch is used from one thread.
 */
#ifndef SONDE_WIRE_OTLP_DELTA_H
#define SONDE_WIRE_OTLP_DELTA_H

#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/hash.h"
#include "model/histogram.h"
#include "wire/otlp_metrics.h"

#define OTLP_DELTA_IDLE_MS ((int64_t)3600 * 1000)
#define OTLP_DELTA_SERIES_DEFAULT ((size_t)100000)
/* Buckets of one side of a total; a wider histogram gets a coarser scale. */
#define OTLP_DELTA_BUCKETS_MAX ((size_t)320)

struct otlp_delta;

int otlp_delta_new(size_t series_max, struct otlp_delta **delta_out);
/* Accepts NULL. No batch may be open. */
void otlp_delta_free(struct otlp_delta *delta);
/* Series that have a total. */
size_t otlp_delta_count(struct otlp_delta *delta);

struct otlp_delta_undo;

struct otlp_delta_batch {
    struct otlp_delta *delta;
    int64_t now_ms;
    struct otlp_delta_undo *undo;
    size_t undo_count, undo_cap;
};

void otlp_delta_begin(struct otlp_delta *delta, int64_t now_ms, struct otlp_delta_batch *batch_out);
/* Keeps what was added, or undoes it. */
void otlp_delta_end(struct otlp_delta_batch *batch, bool keep);

/* The total of the series `key` with this delta. ERR_RANGE: the point is not newer than the one before
 * (it came again, or late); ERR_LIMIT: there are too many series; ERR_NOMEM. */
int otlp_delta_add(struct otlp_delta_batch *batch, struct hash128 key, int64_t t_ms, double delta,
    double *total_out);
/* The same with the exponential histogram of a point; the total, as a native histogram, is in `arena`.
 * ERR_INVALID, too: a scale or an index that a native histogram cannot have. */
int otlp_delta_add_exponential(struct otlp_delta_batch *batch, struct hash128 key,
    const struct otlp_point *point, struct arena *arena, const struct histogram **total_out);

#endif
