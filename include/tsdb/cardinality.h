/* What the series in memory, or those of a day, are made of: which metrics, labels and pairs have the most.
 * The former from counts that the index keeps, so that it costs one pass over label values, never one over
 * series; the latter from the dictionaries of the day's parts. */
#ifndef SONDE_TSDB_CARDINALITY_H
#define SONDE_TSDB_CARDINALITY_H

#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/str.h"
#include "tsdb/limits.h"
#include "tsdb/tsdb.h"

struct cardinality_item {
    struct str name, value; /* `value` is empty where a name or a metric is counted */
    uint64_t count;
};

/* Highest first, equal ones by name and value. */
struct cardinality_list {
    struct cardinality_item *items;
    size_t count;
};

struct cardinality {
    uint64_t series, label_pairs;
    uint64_t new_series; /* of a day: those without samples on the day before */
    struct cardinality_list series_by_metric; /* the metric is the name */
    struct cardinality_list values_by_label;
    struct cardinality_list bytes_by_label; /* of values, each as often as it has series */
    struct cardinality_list series_by_pair;
    /* New series by job, most in this hour first; names are copies. */
    struct job_churn *jobs;
    size_t job_count;
};

/* At most `top` of each, all in `arena`. ERR_UNSUPPORTED: labels occur on targets and shapes (the identity
 * labels were changed), so that counts by value would not be those of series; ERR_NOMEM, ERR_LIMIT. */
int tsdb_cardinality(
    struct tsdb *db, size_t top, struct arena *arena, struct cardinality *cardinality_out);
/* The same of the series that have raw samples on the day (UTC) of `t_ms`; no list of jobs. Also
 * ERR_RANGE: a day at the end of time. */
int tsdb_cardinality_of_day(struct tsdb *db, int64_t t_ms, size_t top, struct arena *arena,
    struct cardinality *cardinality_out);

#endif
