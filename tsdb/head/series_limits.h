/* Limits of series, asked when one is to be made; see tsdb/limits.h for what they mean.
 *
 * The counts of series and values are the index's; kept here are the settings, the new series of each
 * job by hour, and how often each limit refused one.
 */
#ifndef SONDE_HEAD_SERIES_LIMITS_H
#define SONDE_HEAD_SERIES_LIMITS_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/lock.h"
#include "index/index.h"
#include "model/labels.h"
#include "tsdb/limits.h"

/* Jobs whose new series are counted apart; those of all others share one count. */
enum { LIMITS_JOBS_MAX = 4096, LIMITS_JOB_SLOTS = 2 * LIMITS_JOBS_MAX };

/* New series of one job. */
struct job_count {
    int64_t hour; /* since 1970, of `now` */
    uint64_t now, before;
    size_t name_size;
    char name[];
};

struct limits {
    /* Rank SERIES: taken while a series is made, so that no two pass a limit at once. Guards all but
     * the atomics. */
    struct lock lock;
    struct series_limits settings;
    uint32_t old_targets, old_shapes; /* ids below were stored before the head started */
    uint64_t seed;                    /* job names come from strangers */
    struct job_count **jobs;          /* open addressing, LIMITS_JOB_SLOTS */
    size_t job_count;
    int64_t
        told_ms[SERIES_LIMIT_COUNT]; /* when a refusal was last logged, monotonic + 1; 0 = never */
    atomic_bool memory_short;
    _Atomic uint64_t refused[SERIES_LIMIT_COUNT];
};

/* A series that is not there yet. */
struct new_series {
    const struct label *labels; /* all of them */
    size_t count;
    const struct label *target_labels;
    size_t target_label_count;
    bool target_known, shape_known; /* to the index, as: */
    uint32_t target, shape;
};

int limits_init(struct limits *l);
void limits_release(struct limits *l);

/* The rest with the lock held. */

/* 0, or ERR_LIMIT with a sentence, counted; *tell_out: a line of the log is due. */
int limits_check(struct limits *l, struct index *ix, const struct new_series *s, int64_t now_ms,
    int64_t monotonic_ms, bool *tell_out, struct err *e);
/* The series was made. ERR_NOMEM is not told: the job then counts among the others. */
void limits_count_new(struct limits *l, const struct new_series *s, int64_t now_ms);
/* Calls back for each job that had new series in this hour of the clock or the one before. */
int limits_each_job(struct limits *l, int64_t now_ms,
    int (*callback)(void *context, const struct job_churn *churn), void *context);

#endif
