/* A small durable map: the state of a module that must outlive kill -9 — alert states, silences,
 * deliveries, exclusions. Keys and values are bytes; their meaning, and the version of it, belong to the
 * module.
 *
 * On disk it is a log of changes in one file, rewritten as the mere list of what is alive when it has
 * grown to twice that (journal.c has the format). In memory it is nothing but the count of live bytes:
 * the module that owns the state keeps it, is told all of it once when the journal is opened, and is
 * asked for all of it when the file is rewritten.
 *
 *   journal_open      every live pair is replayed to the caller
 *   journal_put       one change; not yet durable
 *   journal_delete
 *   journal_commit    all changes since the last commit are on the platter, all or none of them
 *
 * One thread at a time. One process: the file is locked.
 */
#ifndef SONDE_BASE_JOURNAL_H
#define SONDE_BASE_JOURNAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/str.h"
#include "base/vfs.h"

struct journal;

/* Of one key and one value, of one transaction, and of a whole file. */
#define JOURNAL_KEY_BYTES_MAX ((size_t)64 << 10)
#define JOURNAL_VALUE_BYTES_MAX ((size_t)4 << 20)
#define JOURNAL_COMMIT_BYTES_MAX ((size_t)64 << 20)
#define JOURNAL_FILE_BYTES_MAX ((uint64_t)4 << 30)

/* Writes one live pair into a new file. */
struct journal_rewrite;
void journal_rewrite_put(struct journal_rewrite *to, struct str key, struct str value);

struct journal_options {
    struct vfs *fs; /* NULL = vfs_posix() */
    /* One change, as the log has it and in its order: a later value of a key replaces an earlier one;
     * `deleted` comes with an empty value. Called only by journal_open. Anything but 0 refuses to
     * open. The slices live for the call. */
    int (*replay)(void *context, struct str key, struct str value, bool deleted);
    /* Hands every live pair to journal_rewrite_put, once, in any order. Called from journal_open and
     * journal_commit. */
    void (*list)(void *context, struct journal_rewrite *to);
    void *context;
};

/* What opening found. */
struct journal_report {
    uint64_t changes;       /* replayed */
    uint64_t torn_bytes;    /* after the last whole transaction: a crash's, cut off */
    uint64_t damaged_bytes; /* in front of a whole transaction: skipped, kept in `PATH.damaged` */
};

/* Opens or makes `path`. Damage is survived and told, never fatal. ERR_LOCKED: another process has it;
 * ERR_INVALID: not a journal, or a newer version of one; ERR_IO, ERR_NO_SPACE, ERR_PERMISSION,
 * ERR_NOMEM; what `replay` answered. The sentence names the file. */
int journal_open(const char *path, const struct journal_options *options,
    struct journal **journal_out, struct journal_report *report_out, struct err *e);
/* Forgets changes that were not committed. Accepts NULL. */
void journal_close(struct journal *j);

/* Adds to the transaction. Errors stick until journal_commit, which then fails and forgets all of it:
 * ERR_LIMIT, ERR_NOMEM. */
void journal_put(struct journal *j, struct str key, struct str value);
void journal_delete(struct journal *j, struct str key);
/* 0 when all changes since the last commit are durable; an empty transaction costs nothing. After an
 * error the module keeps what it has in memory: whether the disk has these changes is unknown until
 * the next commit, empty or not, which writes all that `list` hands over into a new file. What was
 * committed before is never lost by a failure. */
int journal_commit(struct journal *j, struct err *e);

struct journal_statistics {
    uint64_t file_bytes;
    uint64_t commits, failures, rewrites;
};
void journal_statistics(const struct journal *j, struct journal_statistics *statistics_out);

#endif
