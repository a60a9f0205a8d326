/* Is a series of one group of a part deleted, as far as a range goes? For who asks which series there
 * are: a group counts as deleted where one delete covers all of it that lies in the range.
 */
#ifndef SONDE_DB_GROUP_DELETES_H
#define SONDE_DB_GROUP_DELETES_H

#include "db/store_part.h"
#include "db/tombstone.h"

/* The earliest sample that a group may have: rows of a tier stand at the ends of their buckets. */
int64_t store_group_first(const struct store_part *p, const struct part_group *group);

struct group_deletes {
    const struct tombstone_list *list;
    const struct store_part *part;
    const struct part_group *group;
    int64_t min_t, max_t; /* the range */
};

/* Does a delete cover it, of whichever series? */
bool group_deletes_any(const struct group_deletes *d);
/* Of this one? */
bool group_deletes_hide(const struct group_deletes *d, uint32_t target, uint32_t shape);

#endif
