/* The one door for reading: querier -> series_set -> series -> column_iter.
 *
 * Head, parts and the merged view implement the same; the engine cannot tell them apart. A querier
 * sees one fixed set of head and parts until it is closed (promise 6). A column iterator hands out
 * runs: arrays of timestamps and values, not one sample a call, and may describe a run by its
 * aggregates so that the engine need not decode it.
 *
 * Threads: a source may be used from any thread; one querier, and all it hands out, from one thread
 * at a time. Iterators of different series of one querier may run in parallel threads.
 */
#ifndef SONDE_TSDB_QUERIER_H
#define SONDE_TSDB_QUERIER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/str.h"
#include "model/histogram.h"
#include "model/labels.h"
#include "model/matcher.h"

/* ---- What is asked ---- */

struct select_request {
    /* Samples with min_t <= t <= max_t, milliseconds, both ends included. */
    int64_t min_t, max_t;
    const struct matcher *const *matchers; /* all must hold; borrowed until the set is freed */
    size_t matcher_count;
    /* Hints, never promises: what the engine will do with the samples. */
    int64_t step_ms;  /* 0 = instant */
    int64_t range_ms; /* window of a range selector, 0 = none */
    bool labels_only; /* samples will not be read (series and label lookups) */
    /* A downsampled tier may answer in place of raw samples when its resolution divides this,
     * milliseconds; the coarsest such tier does, with its whole buckets inside [min_t, max_t], and raw
     * samples around them. 0 = raw samples only. Where raw data are gone a tier answers whatever is said
     * here, and `resolution_ms` of its runs shows it. */
    int64_t resolution_max_ms;
    /* What of buckets is used, enum bucket_need or-ed: a series whose tier only has an estimate of it is
     * answered from samples where they are; sketches are read only when they are needed. */
    unsigned bucket_needs;
    /* The newest sample before each step is wanted, an instant selector: where raw data are gone a tier
     * begins one bucket before min_t, since its buckets stand for that long. */
    bool instant;
    /* Of each series the newest sample is wanted and no other: a source may leave out older ones. */
    bool newest_only;
    size_t series_max; /* more matching series are ERR_LIMIT; 0 = no limit */
    /* With labels_only: so many series are enough, whichever they are, and a source may stop there. It
     * may hand out more. 0 = all are wanted. */
    size_t series_enough;
};

/* ---- A run of samples of one column ---- */

/* Aggregates of the samples of a run that are neither absent nor stale, in time order. */
struct run_summary {
    uint64_t count;
    double sum; /* Kahan-compensated, in time order */
    double min, max;
    double first, last;
    int64_t first_t, last_t;
    double increase;    /* of the run alone, corrected for counter resets inside it */
    bool increase_only; /* sum, min and max are not known */
};

enum bucket_need { BUCKET_NEEDS_SUM = 1, BUCKET_NEEDS_INCREASE = 2, BUCKET_NEEDS_SKETCH = 4 };

/* Aggregates of a bucket that are no more than a guess, since its tier does not keep them; or-ed. */
enum run_estimate {
    RUN_SUM_ESTIMATED = 1,      /* a counter's: between count * first and count * last */
    RUN_INCREASE_ESTIMATED = 2, /* a gauge's: from its first and last sample alone */
};

struct column_run {
    size_t count;         /* > 0 */
    const int64_t *times; /* strictly increasing, also from run to run */
    /* One of the two: floats (stale markers included as such), or histograms (a stale one has the
     * stale marker as its sum). Borrowed until the next call on the iterator. */
    const double *values;
    const struct histogram *const *histograms;
    /* 0: raw samples. Otherwise the run comes from a downsampled tier: times[i] and values[i] are the
     * last sample of bucket i, so that a reader who knows no tiers still sees true samples, and
     * buckets[i] has the aggregates of all its samples. A bucket holds the samples with
     * k·r < t <= (k+1)·r, r the resolution: PromQL's windows are open on the left too. `sketches` is
     * NULL, or has the distribution of each bucket's values as an exponential histogram (NULL where
     * there is none). Runs of histograms have no buckets: they are true samples, of each bucket the
     * first, the last, and those around counter resets, so that increases are exact. */
    int64_t resolution_ms;
    const struct run_summary *buckets;
    const uint8_t *estimates; /* enum run_estimate for each bucket */
    const struct histogram *const *sketches;
};

struct column_iter;

struct column_iter_ops {
    /* 1 and the next run, 0 at the end, or a negative error (ERR_CORRUPT names the part in `e`). */
    int (*next)(struct column_iter *it, struct column_run *run_out, struct err *e);
    /* The next run's extent and, when it is known without decoding and wholly inside the asked
     * range, its summary: 1 = there is a run, with *summary_out NULL when only next() can tell.
     * 0 at the end. */
    int (*peek)(struct column_iter *it, int64_t *min_t_out, int64_t *max_t_out,
        const struct run_summary **summary_out, struct err *e);
    /* Drops the run that peek described. */
    void (*skip)(struct column_iter *it);
    /* Jumps forward so that the next run holds the first sample >= t. */
    int (*seek)(struct column_iter *it, int64_t t, struct err *e);
    void (*close)(struct column_iter *it);
};

struct column_iter {
    const struct column_iter_ops *ops;
};

/* ---- Series ---- */

struct series;

struct series_ops {
    /* The identity; borrowed, lives as long as the set. */
    const struct labels *(*labels)(struct series *s);
    /* A new iterator over the request's range; memory from `arena`, closed by the caller. Several
     * may be open at once. */
    int (*open)(
        struct series *s, struct arena *arena, struct column_iter **iter_out, struct err *e);
};

struct series {
    const struct series_ops *ops;
};

/* All series that match, found from the index; nothing is decoded yet. In label order when
 * `sorted`. */
struct series_set {
    struct series **series; /* `count` pointers */
    size_t count;
    bool sorted;
    /* Sentences about data that is missing from the answer (quarantined runs). */
    const char *const *warnings;
    size_t warning_count;
    void (*free)(struct series_set *set);
};

/* ---- Querier ---- */

struct querier;

/* A list of strings in an arena, sorted bytewise, without duplicates. */
struct string_list {
    struct str *items;
    size_t count;
    bool truncated; /* the limit cut it */
};

/* ---- Exemplars ---- */

struct exemplar {
    const struct labels *labels;
    double value;
    int64_t t_ms;
};

/* The exemplars of one series in [min_t, max_t], in time order; all in the caller's arena. */
struct exemplar_series {
    const struct labels *labels;
    const struct exemplar *items;
    size_t count;
};

struct exemplar_list {
    const struct exemplar_series *series; /* in label order */
    size_t count;
    /* Sentences about exemplars that are missing from the answer (damaged files). */
    const char *const *warnings;
    size_t warning_count;
};

/* What a querier has read since it was opened, from blocks that have to be decoded. */
struct querier_statistics {
    uint64_t blocks, samples, bytes; /* decoded */
    uint64_t summaries;              /* runs that were described instead */
};

struct querier_ops {
    int (*select)(struct querier *q, const struct select_request *request, struct arena *arena,
        struct series_set **set_out, struct err *e);
    /* Names of the labels of matching series with samples possible in [min_t, max_t]. limit 0 =
     * none. Matchers may be none: all series. */
    int (*label_names)(struct querier *q, const struct select_request *request, size_t limit,
        struct arena *arena, struct string_list *names_out, struct err *e);
    /* Values of one label, likewise. */
    int (*label_values)(struct querier *q, struct str name, const struct select_request *request,
        size_t limit, struct arena *arena, struct string_list *values_out, struct err *e);
    /* Exemplars of the series that match. NULL where a source keeps none. */
    int (*exemplars)(struct querier *q, const struct select_request *request, struct arena *arena,
        struct exemplar_list *list_out, struct err *e);
    /* Of iterators that were closed. NULL where a source counts nothing. */
    void (*statistics)(struct querier *q, struct querier_statistics *statistics_out);
    void (*close)(struct querier *q);
};

struct querier {
    const struct querier_ops *ops;
};

/* ---- Source: what a querier is opened on (the store, or a test's twin) ---- */

struct querier_source {
    /* Opens a querier on what may hold samples in [min_t, max_t]. */
    int (*open)(struct querier_source *source, int64_t min_t, int64_t max_t,
        struct querier **querier_out, struct err *e);
};

static inline int querier_open(struct querier_source *source, int64_t min_t, int64_t max_t,
    struct querier **querier_out, struct err *e)
{
    return source->open(source, min_t, max_t, querier_out, e);
}

static inline void querier_close(struct querier *q)
{
    if (q != NULL) {
        q->ops->close(q);
    }
}

static inline void querier_statistics(struct querier *q, struct querier_statistics *out)
{
    *out = (struct querier_statistics){0};
    if (q->ops->statistics != NULL) {
        q->ops->statistics(q, out);
    }
}

static inline int querier_select(struct querier *q, const struct select_request *request,
    struct arena *arena, struct series_set **set_out, struct err *e)
{
    return q->ops->select(q, request, arena, set_out, e);
}

static inline int querier_exemplars(struct querier *q, const struct select_request *request,
    struct arena *arena, struct exemplar_list *list_out, struct err *e)
{
    *list_out = (struct exemplar_list){0};
    return q->ops->exemplars != NULL ? q->ops->exemplars(q, request, arena, list_out, e) : 0;
}

static inline void series_set_free(struct series_set *set)
{
    if (set != NULL) {
        set->free(set);
    }
}

static inline const struct labels *series_labels(struct series *s)
{
    return s->ops->labels(s);
}

static inline int series_open(
    struct series *s, struct arena *arena, struct column_iter **iter_out, struct err *e)
{
    return s->ops->open(s, arena, iter_out, e);
}

static inline int column_iter_next(
    struct column_iter *it, struct column_run *run_out, struct err *e)
{
    return it->ops->next(it, run_out, e);
}

static inline int column_iter_peek(struct column_iter *it, int64_t *min_t_out, int64_t *max_t_out,
    const struct run_summary **summary_out, struct err *e)
{
    return it->ops->peek(it, min_t_out, max_t_out, summary_out, e);
}

static inline void column_iter_skip(struct column_iter *it)
{
    (it->ops->skip)(it); /* in parentheses: test frameworks like to define a macro skip() */
}

static inline int column_iter_seek(struct column_iter *it, int64_t t, struct err *e)
{
    return it->ops->seek(it, t, e);
}

static inline void column_iter_close(struct column_iter *it)
{
    if (it != NULL) {
        it->ops->close(it);
    }
}

#endif
