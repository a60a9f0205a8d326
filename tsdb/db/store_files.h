/* The files a store is made of, one by one: what snapshot, backup and restore put elsewhere.
 *
 * The list is: every part of the manifest, blocks of exemplars, the segments of the log that are named, and the small
 * files that are only ever replaced as a whole (METADATA). None of them is written to any more, so a
 * hard link is as good as a copy. MANIFEST is no part of the list: whoever makes a store of the files
 * writes it last, since without it there is none (INV-2).
 *
 * LOCK, temporary names, snapshots and what no manifest lists do not belong to a store.
 */
#ifndef SONDE_DB_STORE_FILES_H
#define SONDE_DB_STORE_FILES_H

#include <stddef.h>
#include <stdint.h>

#include "db/db.h"

/* Called with the name below the data directory ("raw/19700/p-00000007"). Non-zero stops. */
typedef int (*store_file_callback)(void *context, const char *name, struct err *e);

/* Of `db` only path, fs and manifest are looked at; nothing may change them meanwhile. */
int store_files_each(const struct tsdb *db, const uint64_t *segments, size_t segment_count,
    store_file_callback callback, void *context, struct err *e);

/* Files that others keep beside the store in the same folder: journals (NAME.journal, base/journal.h), and what lies
 * in rules/. They are written to while somebody looks, so they are copied and never linked: the beginning of a
 * journal is a journal, and rule files are replaced as a whole. */
#define STORE_RULES_DIRECTORY "rules"
int store_neighbours_each(struct vfs *fs, const char *directory, store_file_callback callback,
    void *context, struct err *e);
/* A new file with the bytes that are in the other now, synced. */
int store_file_copy(struct vfs *fs, const char *from, const char *to);

/* Makes directory `path` and all that is missing above it. ERR_EXISTS with a sentence when there is
 * something in it. */
int store_directory_new(struct vfs *fs, const char *path, struct err *e);
/* <directory>/<name>, and the directories of `name` below `directory`. */
int store_file_place(struct vfs *fs, const char *directory, const char *name, char *path_out);
/* Syncs every directory below and including `path`, so that all names in it last. */
int store_directory_sync(struct vfs *fs, const char *path);
/* Removes `path` and all below it. 0 when it is not there. */
int store_directory_remove(struct vfs *fs, const char *path);

#endif
