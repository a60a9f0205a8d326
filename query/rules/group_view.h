/* What the rules of a group read: one snapshot of the store, and over it what the rules before them have
 * given in the same evaluation.
 *
 * A source like any other. All queriers opened on it share the snapshot; it is read from one thread.
 * Names and values of labels, and exemplars, are the snapshot's alone.
 */
#ifndef SONDE_QUERY_GROUP_VIEW_H
#define SONDE_QUERY_GROUP_VIEW_H

#include "rules/group_writes.h"
#include "tsdb/querier.h"

struct group_view {
    struct querier_source source; /* what queries are given */
    struct querier *snapshot;
    const struct group_writes *writes;
};

/* `writes` may grow while the view is open, but not while a querier on it is. */
int group_view_open(struct group_view *view, struct querier_source *store,
    const struct group_writes *writes, struct err *e);
void group_view_close(struct group_view *view);

#endif
