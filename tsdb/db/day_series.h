/* Which series have samples on a day (UTC), counted by target and by shape. */
#ifndef SONDE_DB_DAY_SERIES_H
#define SONDE_DB_DAY_SERIES_H

#include "db/store_querier.h"

struct day_series {
    uint32_t *by_id[2]; /* series of each target, of each shape; by enum index_side */
    uint32_t ids[2];    /* how many there are */
    uint64_t count;
    uint64_t new_count; /* of them those without samples on the day before */
};

/* Counts what the querier sees of raw samples, deletes left out. `day` counts from 1970-01-01. 0;
 * ERR_NOMEM, ERR_LIMIT. On success day_series_release. */
int day_series_count(struct db_querier *q, int64_t day, struct day_series *series_out);
void day_series_release(struct day_series *s);

#endif
