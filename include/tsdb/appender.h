/* The one door for writing: remote write, OTLP, rules, import, tests.
 *
 *   appender_series   labels -> handle (or a key seen before -> handle, without labels)
 *   appender_append   handle, time, value
 *   appender_commit   all of it is in the WAL, synced as the policy says, and visible to new queriers
 *   appender_rollback none of it is
 *
 * An appender is a transaction of one thread; many may be open at once. Handles stay good while the
 * store is open. A commit is all or nothing: after an error nothing of it is visible or durable.
 * Samples that are refused one by one (too old, too far in the future) do not spoil the others: the
 * call returns the named error, the transaction goes on, and the caller decides.
 */
#ifndef SONDE_TSDB_APPENDER_H
#define SONDE_TSDB_APPENDER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/hash.h"
#include "base/str.h"
#include "model/histogram.h"
#include "model/labels.h"
#include "model/sample.h"

/* Opaque. Internally: a column of a target's table. Never stored, never shown. */
struct series_ref {
    uint32_t target;
    uint32_t column;
};

/* What the answer waits for. */
enum commit_durability {
    COMMIT_AS_CONFIGURED, /* the store's policy: sync, 1s, none */
    COMMIT_SYNCED,        /* on the platter before commit returns, whatever the policy */
};

/* How many were taken and why others were not; kept by the appender for the transaction. */
struct append_counts {
    uint64_t samples; /* taken, repeats included */
    uint64_t histograms;
    uint64_t exemplars;
    uint64_t repeated; /* same series, time and value as stored: no change (promise 11) */
    uint64_t too_old;
    uint64_t too_far_ahead;
    uint64_t limited; /* of series that a limit refused (appender_count_lost), or beyond one */
};

struct appender;

struct appender_ops {
    int (*lookup)(struct appender *a, struct hash128 key, struct series_ref *ref_out);
    int (*series)(struct appender *a, const struct label *labels, size_t count,
        const struct hash128 *key, struct series_ref *ref_out, struct err *e);
    int (*append)(struct appender *a, struct series_ref ref, int64_t t_ms, double value);
    int (*append_histogram)(
        struct appender *a, struct series_ref ref, int64_t t_ms, const struct histogram *histogram);
    int (*append_exemplar)(struct appender *a, struct series_ref ref, const struct label *labels,
        size_t count, double value, int64_t t_ms);
    int (*set_metadata)(struct appender *a, struct str metric, enum metric_type type,
        struct str help, struct str unit);
    /* NULL: nothing is counted. */
    void (*count_lost)(struct appender *a, struct str metric, uint64_t samples);
    int (*commit)(struct appender *a, enum commit_durability durability,
        struct append_counts *counts_out, struct err *e);
    void (*rollback)(struct appender *a);
};

struct appender {
    const struct appender_ops *ops;
};

/* The handle for a key that `appender_series` was given before: 1 when known, 0 when not. The key
 * is any 128-bit hash that stands for one label set, made with a secret seed (tsdb_key_seed). */
static inline int appender_lookup(
    struct appender *a, struct hash128 key, struct series_ref *ref_out)
{
    return a->ops->lookup(a, key, ref_out);
}

/* The handle of a label set; the series is made when it is new. Pairs must be sorted by name,
 * unique, with non-empty values (ERR_INVALID otherwise). `key` may be NULL. ERR_LIMIT names the
 * limit that was crossed; the caller then drops the samples and says how many with
 * appender_count_lost. */
static inline int appender_series(struct appender *a, const struct label *labels, size_t count,
    const struct hash128 *key, struct series_ref *ref_out, struct err *e)
{
    return a->ops->series(a, labels, count, key, ref_out, e);
}

/* 0; ERR_RANGE: older than retention or too far in the future (counted); ERR_NOMEM, ERR_LIMIT.
 * Any order and any age within retention is accepted. The same series and time again: the same
 * value changes nothing, another value replaces the stored one (the later commit wins). */
static inline int appender_append(
    struct appender *a, struct series_ref ref, int64_t t_ms, double value)
{
    return a->ops->append(a, ref, t_ms, value);
}

static inline int appender_append_histogram(
    struct appender *a, struct series_ref ref, int64_t t_ms, const struct histogram *histogram)
{
    return a->ops->append_histogram(a, ref, t_ms, histogram);
}

/* Prometheus' rules: for each series in order of time, of one time in order of value and labels; the
 * newest once more changes nothing. 0; ERR_RANGE: older than the newest, or than what is accepted of
 * samples; ERR_INVALID: labels that repeat a name, or of more than 128 characters together; ERR_LIMIT:
 * too many of the series in a minute; ERR_UNSUPPORTED; ERR_NOMEM. Labels in any order. */
static inline int appender_append_exemplar(struct appender *a, struct series_ref ref,
    const struct label *labels, size_t count, double value, int64_t t_ms)
{
    return a->ops->append_exemplar(a, ref, labels, count, value, t_ms);
}

static inline int appender_set_metadata(
    struct appender *a, struct str metric, enum metric_type type, struct str help, struct str unit)
{
    return a->ops->set_metadata(a, metric, type, help, unit);
}

/* Samples of a series that appender_series refused with ERR_LIMIT: counted as limited, and once the
 * transaction is committed in the store's series `__overflow__{metric="…"}` (tsdb/limits.h). */
static inline void appender_count_lost(struct appender *a, struct str metric, uint64_t samples)
{
    if (a->ops->count_lost != NULL && samples > 0) {
        a->ops->count_lost(a, metric, samples);
    }
}

/* Ends the transaction. 0; ERR_IO, ERR_NO_SPACE, ERR_CLOSED: nothing was written. `counts_out` may
 * be NULL. The appender is gone either way. */
static inline int appender_commit(struct appender *a, enum commit_durability durability,
    struct append_counts *counts_out, struct err *e)
{
    return a->ops->commit(a, durability, counts_out, e);
}

static inline void appender_rollback(struct appender *a)
{
    if (a != NULL) {
        a->ops->rollback(a);
    }
}

/* ---- Sink: what an appender is opened on (the store, or a test's twin) ---- */

struct appender_source {
    int (*open)(struct appender_source *source, struct appender **appender_out, struct err *e);
    /* Seed for the keys given to lookup and series. */
    uint64_t key_seed;
};

static inline int appender_open(
    struct appender_source *source, struct appender **appender_out, struct err *e)
{
    return source->open(source, appender_out, e);
}

#endif
