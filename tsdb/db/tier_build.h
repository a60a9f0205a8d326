/* One day of raw samples to the part of a tier. */
#ifndef SONDE_DB_TIER_BUILD_H
#define SONDE_DB_TIER_BUILD_H

#include "db/db.h"

/* Tables of one part. */
#define TIER_TABLES_MAX ((size_t)1 << 28)
/* Different retentions that rules ask for. */
#define TIER_RETENTIONS_MAX 64

/* What the options say of a series in a tier: false when it is not in it. */
bool tier_choose(const struct tsdb_options *options, uint16_t tier, const struct labels *series,
    int64_t *retention_out, bool *sketches_out);
/* The retentions that series may have: *count_out different ones. */
int tier_retentions(const struct tsdb_options *options, uint16_t tier,
    int64_t retentions_out[TIER_RETENTIONS_MAX], size_t *count_out);

/* Writes the buckets of all series of that day whose retention is `retention_ms` to a part and opens it,
 * listed nowhere yet; *part_out is NULL when there are none. The same samples give the same part but for
 * its sequence. The maintenance lock is held. ERR_CORRUPT (a run that cannot be read; it is left out next
 * time), ERR_IO, ERR_NO_SPACE, ERR_NOMEM. */
int tier_build(struct tsdb *db, uint16_t tier, int64_t day, int64_t retention_ms,
    struct store_part **part_out, struct err *e);

#endif
