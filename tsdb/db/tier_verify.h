/* Are tiers what the samples say, where both are there? For tsdb_verify. */
#ifndef SONDE_DB_TIER_VERIFY_H
#define SONDE_DB_TIER_VERIFY_H

#include "db/db.h"

/* Differences of one day that are written out; further ones are counted. */
#define TIER_VERIFY_LINES_MAX 20

/* Opens the store for reading and rolls up every day that a tier claims to have all of. Lines are appended
 * to `report`. What cannot be read is for others to report. */
int tiers_verify(const struct tsdb_options *options, const struct manifest *m,
    struct strbuf *report, uint64_t *problem_count_out);

#endif
