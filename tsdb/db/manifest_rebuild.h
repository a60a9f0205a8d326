/* The list of parts from the parts themselves, for a manifest that is damaged or gone.
 *
 * Each part says which sealed parts it was made of (their precedences, first to last, within its day).
 * A part whose range lies in that of a later one of the same day was merged into it: it is left out, so
 * that nothing counts twice and nothing that a merge has dropped comes back. What was sealed but not
 * listed when the power went is listed; the log has the same samples.
 *
 * The floors are lost: all of the log is replayed, which changes nothing (see replay.c).
 */
#ifndef SONDE_DB_MANIFEST_REBUILD_H
#define SONDE_DB_MANIFEST_REBUILD_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "base/vfs.h"
#include "db/manifest.h"

/* A part file, and what it says of itself. */
struct part_claim {
    struct manifest_part part;
    bool readable; /* its own word; otherwise only day and sequence are known, by its name */
};

/* Sorts by day and precedence, and drops what was merged into others; the new count. */
size_t part_claims_settle(struct part_claim *claims, size_t count);

/* Looks at every part below <data>/raw, t5m and t1h. *m_out lists what counts, and also what cannot be opened: it
 * is for the store to set aside. ERR_IO, ERR_NOMEM, ERR_LIMIT. */
int manifest_rebuild(struct vfs *fs, const char *data, struct manifest *m_out, struct err *e);

#endif
