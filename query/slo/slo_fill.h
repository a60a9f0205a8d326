/* Ledgers filled from the store: one query for the part and one for the total of each indicator. */
#ifndef SONDE_QUERY_SLO_FILL_H
#define SONDE_QUERY_SLO_FILL_H

#include "query/engine.h"
#include "slo_definition.h"

/* Steps of one query; longer stretches are asked for in pieces. */
#define SLO_FILL_STEPS_MAX 10000

/* An engine that knows `anchored`, and what it reads. */
struct slo_store {
    struct engine *engine;
    struct querier_source *reads;
    const atomic_bool *canceled; /* may be NULL */
};

/* Sets the steps of the indicator's ledger that end in [from_ms, to_ms], which is extended to there. Steps
 * without samples stay unknown. Errors of the engine; ERR_LIMIT, ERR_NOMEM. */
int slo_fill(const struct slo_store *store, const struct slo_indicator *indicator,
    struct slo_ledger *ledger, int64_t from_ms, int64_t to_ms, struct err *e);

#endif
