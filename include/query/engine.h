/* The query engine: evaluates a query text over a store and hands back values.
 *
 *   engine_new       once, with limits and features
 *   engine_instant   one evaluation at one time
 *   engine_range     one at each step of [start, end]
 *   engine_result_release
 *
 * Semantics are those of Prometheus 3.14. An engine may be used from any number of threads. A query runs in
 * the thread that asks; where much is to be read, threads of the engine help it, a fixed number for all
 * queries together. Results do not depend on how many did.
 *
 * Errors and what an API makes of them: ERR_INVALID the query or its parameters are wrong (400
 * bad_data) · ERR_LIMIT, ERR_INTERNAL it could not be evaluated: too many samples, series that match
 * twice (422 execution) · ERR_TIMEOUT (503 timeout) · ERR_CANCELED (503 canceled) · ERR_BUSY all
 * queries together have used up their memory (503 unavailable) · ERR_CORRUPT, ERR_IO, ERR_NOMEM and
 * others the store failed (500 internal). The sentence in `e` is what is shown.
 */
#ifndef SONDE_QUERY_ENGINE_H
#define SONDE_QUERY_ENGINE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/str.h"
#include "model/histogram.h"
#include "model/labels.h"
#include "query/promql.h"
#include "tsdb/querier.h"

#define ENGINE_LOOKBACK_MS_DEFAULT ((int64_t)5 * 60 * 1000)
#define ENGINE_TIMEOUT_MS_DEFAULT ((int64_t)2 * 60 * 1000)
#define ENGINE_SAMPLES_MAX_DEFAULT ((uint64_t)50000000)
#define ENGINE_MEMORY_BYTES_DEFAULT ((size_t)2 << 30)
#define ENGINE_COST_MAX_DEFAULT ((uint64_t)2000000000)
#define ENGINE_SUBQUERY_STEP_MS_DEFAULT ((int64_t)60 * 1000)
#define ENGINE_THREADS_MAX 16
#define ENGINE_SHARE_MIN_DEFAULT ((uint64_t)1 << 18)
/* Most steps of one evaluation, subqueries included. */
#define ENGINE_STEPS_MAX ((int64_t)1 << 24)
/* Warnings, and infos, in one answer; one more says how many were left out. */
#define ENGINE_ANNOTATIONS_MAX 10

struct engine;

/* Zero in a field means its default. */
struct engine_options {
    struct clock *clock; /* measures deadlines; NULL = clock_real() */
    struct promql_features features;
    int64_t lookback_ms;       /* how long a sample stands for the present */
    int64_t timeout_ms;        /* of one query */
    uint64_t samples_max;      /* in memory at once for one query */
    size_t memory_bytes;       /* of one query and its answer */
    size_t memory_total_bytes; /* of all queries and their answers together; 0 = no limit */
    uint64_t cost_max;         /* samples and points of one query, estimated before it begins */
    int64_t subquery_step_ms;  /* of a subquery that names none */
    unsigned threads;   /* that work for a query, its own included; 0 = as many as processors */
    uint64_t share_min; /* samples and points of a selector from which on threads share it */
    bool delayed_name_removal; /* promql-delayed-name-removal */
    bool type_and_unit_labels; /* type-and-unit-labels: rate() judges by __type__ */
};

/* Copies the options. 0 or ERR_NOMEM. */
int engine_new(const struct engine_options *options, struct engine **engine_out);
/* No query may be running, and no result be left. Accepts NULL. */
void engine_free(struct engine *engine);
/* What all queries and their results take now is charged here; so may be what is made of a result. */
struct memory_budget *engine_memory(struct engine *engine);

/* A running query seen from another thread, and two ways to end it. Zeroed before the query begins. */
struct engine_watch {
    _Atomic uint64_t samples;      /* looked at so far */
    _Atomic uint64_t memory_bytes; /* taken now */
    atomic_bool killed;            /* set by whoever wants the query to end */
    /* Asked about every ENGINE_ABANDONED_MS in the query's thread: nobody waits for the answer any
     * more. May be NULL. */
    bool (*abandoned)(void *context);
    void *context;
};
#define ENGINE_ABANDONED_MS 50

/* What one query may set for itself. Zero in a field means the engine's own. */
struct engine_query_options {
    int64_t lookback_ms;
    int64_t timeout_ms; /* the smaller of this and the engine's counts */
    uint64_t samples_max;
    const atomic_bool *canceled; /* looked at between series; may be NULL */
    struct engine_watch *watch;  /* may be NULL; lives as long as the query */
    bool explain;                /* the result tells where time went */
};

/* Samples of one series of a result. Floats and histograms are each in ascending time; a series that
 * changed its kind has some of both. */
struct engine_series {
    const struct labels *labels; /* a reference is held by the result */
    size_t float_count;
    const int64_t *float_times;
    const double *floats;
    size_t histogram_count;
    const int64_t *histogram_times;
    const struct histogram *const *histograms;
};

struct engine_statistics {
    uint64_t samples;      /* looked at, counting a sample once for each selector that read it */
    uint64_t samples_peak; /* in memory at once */
    uint64_t series;       /* selected */
    uint64_t memory_bytes; /* most that was seen taken at once */
    int64_t prepare_ns;    /* parsing and finding series */
    int64_t evaluate_ns;   /* in the query's own thread */
    int64_t helped_ns;     /* in threads that helped, all together */
    uint32_t threads;      /* that worked for it, its own included */
    struct querier_statistics reads; /* of the store, where it counts them */
};

/* A step of evaluation, with all below it. */
struct engine_explain {
    uint32_t depth; /* 0 = the whole expression */
    struct str text;
    int64_t plan_ns, evaluate_ns;
    int64_t helped_ns; /* spent by other threads meanwhile */
    uint64_t series;   /* handed out */
    uint64_t samples;  /* read for it */
};

/* All of it lives in `arena`, until engine_result_release. */
struct engine_result {
    struct arena arena;
    /* PROMQL_SCALAR  `time_ms`, `scalar`
     * PROMQL_STRING  `time_ms`, `string`
     * PROMQL_VECTOR  `series`, each with exactly one sample, whose time is the evaluation's; in the
     *                order of evaluation, which is meant (sort, topk)
     * PROMQL_MATRIX  `series` in label order; a range query always gives a matrix */
    enum promql_type type;
    int64_t time_ms;
    double scalar;
    struct str string;
    const struct engine_series *series;
    size_t series_count;
    /* "PromQL warning: … (1:6)", and what the store says is missing. */
    const char *const *warnings;
    size_t warning_count;
    const char *const *infos;
    size_t info_count;
    struct engine_statistics statistics;
    /* When asked for: each step before those it is made of. */
    const struct engine_explain *explain;
    size_t explain_count;
};

/* Evaluates `query` at `time_ms`, which is within 2^61 ms of 1970. `options` may be NULL. On success
 * `result_out` is the caller's to release; on failure it is empty. */
int engine_instant(struct engine *engine, struct querier_source *source, struct str query,
    int64_t time_ms, const struct engine_query_options *options, struct engine_result *result_out,
    struct err *e);

/* Evaluates at start_ms, start_ms + step_ms, … <= end_ms. ERR_INVALID for a step that is not
 * positive, an end before the start, or a query that gives ranges or strings. */
int engine_range(struct engine *engine, struct querier_source *source, struct str query,
    int64_t start_ms, int64_t end_ms, int64_t step_ms, const struct engine_query_options *options,
    struct engine_result *result_out, struct err *e);

/* Accepts an empty result. */
void engine_result_release(struct engine_result *result);

#endif
