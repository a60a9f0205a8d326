/* Limits of series: what keeps a bad deploy from filling the memory of the store.
 *
 * Counted are the series in memory: those that had a sample since the store was opened, or in the log
 * it replayed. Counts are exact. A limit is asked only when a new series would be made: series that
 * are there go on for ever, also when a limit is lowered below what is there. A refused series is
 * ERR_LIMIT with a sentence that names limit, label and metric; it is counted by limit, and its samples
 * in a series `__overflow__{metric="…"}` of the store's own, so that what is missing can be seen.
 *
 * What limits are about never goes up by a restart: a series whose target and shape were both stored
 * before is not new in the sense of `new_series_per_hour`.
 */
#ifndef SONDE_TSDB_LIMITS_H
#define SONDE_TSDB_LIMITS_H

#include <stdint.h>

#include "base/str.h"

/* Name (of setting, of metric label and in sentences). The order is that of the checks. */
#define SERIES_LIMIT_LIST(X)                                                                       \
    X(LABELS_PER_SERIES, labels_per_series)                                                        \
    X(LABEL_NAME_BYTES, label_name_bytes)                                                          \
    X(LABEL_VALUE_BYTES, label_value_bytes)                                                        \
    X(MEMORY, memory)                                                                              \
    X(SERIES, series)                                                                              \
    X(SERIES_PER_TARGET, series_per_target)                                                        \
    X(SERIES_PER_METRIC, series_per_metric)                                                        \
    X(VALUES_PER_LABEL, values_per_label)                                                          \
    X(NEW_SERIES_PER_HOUR, new_series_per_hour)

enum series_limit {
#define X(constant, name) SERIES_LIMIT_##constant,
    SERIES_LIMIT_LIST(X)
#undef X
        SERIES_LIMIT_COUNT,
};

/* 0 = no limit, in each. `memory` has no number here: it holds while tsdb_set_memory_short says so. */
struct series_limits {
    int64_t labels_per_series;
    int64_t label_name_bytes, label_value_bytes;
    int64_t series;              /* of all */
    int64_t series_per_target;   /* of one target; those without any identity label have none */
    int64_t series_per_metric;   /* of one metric name */
    int64_t values_per_label;    /* of one label name, among series in memory */
    int64_t new_series_per_hour; /* of one job, in an hour of the clock */
};

const char *series_limit_name(enum series_limit limit);

/* New series of one job, by hour of the clock. */
struct job_churn {
    struct str job;
    uint64_t this_hour, last_hour;
};

/* The name of the series that count what was refused, and the label that says of which metric. */
#define OVERFLOW_METRIC "__overflow__"
#define OVERFLOW_LABEL "metric"

#endif
