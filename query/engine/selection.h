/* Which series selectors stand for. All selectors of a query are looked up in the index before
 * evaluation begins, so that what the query will cost is known before any of it is spent. */
#ifndef SONDE_QUERY_ENGINE_SELECTION_H
#define SONDE_QUERY_ENGINE_SELECTION_H

#include "prepare.h"
#include "query.h"

/* Finds the series of all selectors of a prepared tree and estimates the cost: samples to read, and
 * points (series times steps) to compute. ERR_LIMIT, with the figures, when that is more than one query
 * may cost. */
int select_ahead(struct query *q, const struct expr *expr);

/* The series of a selector that may have samples in `extent`: what select_ahead found, else looked up
 * now. The set lives as long as the query; the store's warnings become the query's. */
int select_series(struct query *q, const struct matcher *const *matchers, size_t matcher_count,
    struct time_extent extent, const struct grid *grid, int64_t range_ms,
    struct series_set **set_out);

#endif
