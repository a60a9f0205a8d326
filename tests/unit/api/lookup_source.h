/* Adds to any source of queriers what a store in memory leaves out: series without samples in the asked
 * range are not selected, and names and values of labels are listed. By walking everything. */
#ifndef SONDE_TESTS_LOOKUP_SOURCE_H
#define SONDE_TESTS_LOOKUP_SOURCE_H

#include "tsdb/querier.h"

struct lookup_source {
    struct querier_source source; /* hand out &lookup.source */
    struct querier_source *inner;
    const char *warning; /* said by every selection; NULL: none */
    /* What there is of exemplars; times must be in the asked range to be found. */
    const struct exemplar_list *exemplars;
};

void lookup_source_init(struct lookup_source *lookup, struct querier_source *inner);

#endif
