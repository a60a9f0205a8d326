/* Answers of range queries, kept to be extended: a dashboard that asks for the last hour again after 15
 * seconds has only its last steps evaluated.
 *
 * An answer is found by its text, step, alignment (start modulo step) and lookback. Of what was kept the
 * steps count that lie before the first time the store has touched since; the steps after them are
 * evaluated, and the whole is kept instead. Kept are only answers without warnings, infos and histograms, of
 * expressions whose value at a step depends on nothing but samples up to that step; and of what was kept
 * nothing counts that reads further back than samples go, where buckets of tiers stand for them.
 *
 * Any thread. Memory has a limit; what was not asked for the longest goes first.
 */
#ifndef SONDE_QUERY_RESULT_CACHE_H
#define SONDE_QUERY_RESULT_CACHE_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/str.h"
#include "query/engine.h"
#include "tsdb/tsdb.h"

struct result_cache;

/* 0 or ERR_NOMEM. */
int result_cache_new(size_t bytes_max, struct result_cache **cache_out);
/* Accepts NULL. */
void result_cache_free(struct result_cache *cache);

/* What a range query needs. */
struct result_cache_query {
    struct engine *engine;
    struct promql_features features; /* the engine's */
    struct querier_source *reads;
    struct tsdb *db; /* the store that `reads` reads */
    struct str text;
    int64_t start_ms, end_ms, step_ms;
    const struct engine_query_options *options;
};

/* As engine_range, with the same answer; of series that are equal, topk may take another. */
int result_cache_range(struct result_cache *cache, const struct result_cache_query *query,
    struct engine_result *result_out, struct err *e);

struct result_cache_statistics {
    uint64_t hits;     /* no step was evaluated */
    uint64_t extended; /* some were */
    uint64_t misses;   /* all were */
    uint64_t bytes, entries;
};
void result_cache_statistics(
    struct result_cache *cache, struct result_cache_statistics *statistics_out);

#endif
