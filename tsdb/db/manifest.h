/* The manifest: which parts make up the store, and up to where each slice of the log is in them.
 *
 * One small file, <data>/MANIFEST, replaced as a whole (temporary name, sync, rename, sync of the
 * directory): a change is there entirely or not at all, and there is nothing to repair. A part that is
 * not listed does not exist (INV-2); what a floor covers need not be replayed (INV-7).
 *
 * Format, little-endian:
 *
 *     8  magic "SONDEMAN"
 *     4  format version, 1
 *     8  next sequence
 *     4  slices, then for each: 8 floor LSN
 *     4  parts, then for each: 8 sequence, 8 precedence, 4 level, 8 day,
 *        8 split
 *     4  checksum32 of everything before
 *
 * Sequences, precedences (ascending within a day when sorted) and floors are bounded by the next
 * sequence and by nothing else; a sequence comes once.
 */
#ifndef SONDE_DB_MANIFEST_H
#define SONDE_DB_MANIFEST_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/strbuf.h"
#include "base/vfs.h"
#include "head/freeze.h"

#define MANIFEST_BYTES_MAX ((size_t)64 << 20)
#define MANIFEST_PARTS_MAX ((uint32_t)1 << 20)

/* Longest path of a file of the store. */
#define DB_PATH_MAX 4096

struct manifest_part {
    uint64_t sequence;   /* names the file; never used again */
    uint64_t precedence; /* of equal samples, those of the higher one count */
    /* That of the oldest sealed part it was made of; from the part's own file, not from here. */
    uint64_t precedence_first;
    uint32_t level;
    int64_t day;    /* since 1970, UTC */
    uint64_t split; /* hash of the list of identity labels it was written with */
};

struct manifest {
    uint64_t next_sequence;
    uint64_t floors[HEAD_SLICES]; /* rows of the slice with LSN <= floor are in parts */
    struct manifest_part *parts;  /* by precedence */
    uint32_t count, cap;
};

void manifest_init(struct manifest *m);
void manifest_release(struct manifest *m);
/* A deep copy. 0 or ERR_NOMEM. */
int manifest_copy(const struct manifest *m, struct manifest *copy_out);
/* Keeps the order. 0, ERR_NOMEM, ERR_LIMIT. */
int manifest_add(struct manifest *m, const struct manifest_part *part);
void manifest_remove(struct manifest *m, uint64_t sequence);

void manifest_encode(const struct manifest *m, struct strbuf *out);
int manifest_decode(struct str bytes, struct manifest *m_out, struct err *e);
/* ERR_NOT_FOUND when there is none yet. */
int manifest_load(struct vfs *fs, const char *path, struct manifest *m_out, struct err *e);
/* Durable when it returns 0. After an error the file holds the old or the new content. */
int manifest_store(struct vfs *fs, const char *path, const struct manifest *m, struct err *e);

#endif
