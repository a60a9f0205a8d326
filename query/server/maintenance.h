/* The thread that keeps the stores in order: one step of housekeeping a second, more as long as there is
 * work, at a lower priority than everything that answers somebody. */
#ifndef SONDE_QUERY_MAINTENANCE_H
#define SONDE_QUERY_MAINTENANCE_H

#include "server/memory_guard.h"
#include "tsdb/span_store.h"
#include "tsdb/tsdb.h"

struct maintenance;

/* Stores and guard (may be NULL) are borrowed until maintenance_stop; when the guard wants it, the store
 * gives memory back. 0, ERR_NOMEM, or ERR_LIMIT when there is no thread to
 * be had. */
int maintenance_start(struct tsdb *db, struct span_store *spans, struct memory_guard *guard,
    struct maintenance **maintenance_out);
/* After the step that is running. Accepts NULL. */
void maintenance_stop(struct maintenance *m);

#endif
