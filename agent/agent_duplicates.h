/* Targets of one job that are the same after its rules: the same labels at the same URL. They are scraped
 * once, as Prometheus does it; twice would be two samples for each series at almost the same time. */
#ifndef SONDE_AGENT_AGENT_DUPLICATES_H
#define SONDE_AGENT_AGENT_DUPLICATES_H

#include "base/arena.h"
#include "scrape/target.h"

/* Moves what comes a second time behind what stays, which keeps its order; the number of those that stay. The
 * caller releases the rest. 0 and ERR_NOMEM: nothing has changed then. */
int agent_duplicates_sort_out(
    struct target_options *items, size_t count, struct arena *arena, size_t *unique_out);

#endif
