/* Samples that a limit cost, counted by metric and stored as series of their own:
 *
 *     __overflow__{metric="http_requests_total"}   a counter since the start of the server
 *
 * A name of its own keeps the counts out of sums over the metric they are about. Writers only add to
 * numbers; housekeeping writes what has changed every OVERFLOW_INTERVAL_MS, and so does closing.
 */
#ifndef SONDE_HEAD_OVERFLOW_H
#define SONDE_HEAD_OVERFLOW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/lock.h"
#include "base/str.h"
#include "tsdb/limits.h"

/* Metrics counted apart; all others share OVERFLOW_OTHERS. */
enum { OVERFLOW_METRICS_MAX = 1000, OVERFLOW_SLOTS = 2048 };
#define OVERFLOW_OTHERS "__others__"
#define OVERFLOW_INTERVAL_MS ((int64_t)15 * 1000)

struct overflow_metric {
    uint64_t lost;    /* samples */
    uint64_t written; /* of them, those the stored series tells of */
    size_t name_size;
    char name[];
};

struct overflow {
    struct lock lock; /* rank LEAF */
    uint64_t seed;
    struct overflow_metric **slots; /* open addressing */
    size_t count;
    int64_t written_ms;   /* when all counts were last as stored */
    int64_t written_mono; /* the same, monotonic */
};

/* 0 or ERR_NOMEM. */
int overflow_init(struct overflow *o, int64_t now_ms, int64_t monotonic_ms);
void overflow_release(struct overflow *o);
/* Short of memory the samples count among the others, or are counted nowhere but in the metrics. */
void overflow_add(struct overflow *o, struct str metric, uint64_t samples);
/* The metric that is counted under `slot`: false when there is none, or nothing new of it. */
struct overflow_entry {
    const struct overflow_metric *metric; /* lives as long as the table */
    uint64_t lost;
    uint64_t written;
};
bool overflow_get(struct overflow *o, size_t slot, struct overflow_entry *entry_out);
void overflow_note_written(struct overflow *o, size_t slot, uint64_t lost);

#endif
