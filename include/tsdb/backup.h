/* Backups: a store copied to another place, and back.
 *
 * A backup is a directory that is itself a store: it can be verified, exported, and opened. What it is
 * made from must be at rest: a snapshot (tsdb_snapshot), or a store that no server holds.
 *
 * An incremental backup names an earlier one: parts that are in it already become hard links to it, so
 * that each backup is whole, takes only what is new, and may be deleted in any order. A part is the same
 * when name, size and the end of the file agree; the end holds the checksums of its sections, and names
 * are never used twice in the life of a store. So that this stays true, a restored store goes on
 * naming its parts from a number that no other store will reach.
 *
 * One thread; the functions take no locks.
 */
#ifndef SONDE_TSDB_BACKUP_H
#define SONDE_TSDB_BACKUP_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/strbuf.h"
#include "base/vfs.h"

struct backup_options {
    struct vfs *fs;   /* NULL = vfs_posix() */
    const char *from; /* a store at rest */
    const char *to;   /* empty or not there; its parent must be */
    const char *base; /* an earlier backup on the disk of `to`, or NULL */
    bool link;        /* hard links to `from` where they can be made, instead of copies */
    bool force;       /* restore: although the backup is damaged */
};

struct backup_counts {
    uint64_t files, bytes;               /* in all */
    uint64_t linked_files, linked_bytes; /* of those: hard links */
    uint64_t problems;                   /* found by checksums */
};

/* `to` is complete and synced, or not there. Parts that are copied are read back and verified: findings
 * are lines in `report`; the backup is made even so, since it is what there is. ERR_EXISTS: `to` is not
 * empty; ERR_NOT_FOUND: `from` is no store, or `base` none. */
int tsdb_backup(const struct backup_options *options, struct strbuf *report,
    struct backup_counts *counts_out, struct err *e);

/* Verifies the backup `from`, and makes the store `to` of it. ERR_CORRUPT when the backup is damaged and
 * not `force`: nothing is written. `base` is not looked at. With `link` the store shares the files of
 * the backup, which neither ever changes; the log is always copied. */
int tsdb_restore(const struct backup_options *options, struct strbuf *report,
    struct backup_counts *counts_out, struct err *e);

/* Removes a snapshot or a backup. */
int tsdb_backup_remove(struct vfs *fs, const char *path, struct err *e);

#endif
