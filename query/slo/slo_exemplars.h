/* Traces that show what an alert is about: exemplars of the series an indicator counts. */
#ifndef SONDE_QUERY_SLO_EXEMPLARS_H
#define SONDE_QUERY_SLO_EXEMPLARS_H

#include "query/alert.h"
#include "slo_fill.h"

/* Up to ALERT_EXEMPLARS_MAX of (start_ms, end_ms], newest first, of the bad events' series where the indicator
 * names them, else of all events'. Texts are in `arena`. What cannot be read is left out. */
size_t slo_find_exemplars(const struct slo_store *store, const struct slo_definition *definition,
    int64_t start_ms, int64_t end_ms, struct arena *arena, struct alert_exemplar *exemplars_out);

#endif
