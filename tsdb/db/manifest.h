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
 *     4  parts, then for each: 8 sequence, 8 precedence, 2 level, 2 tier, 8 day,
 *        8 split
 *     4  marks, then for each, by tier and day: 2 tier, 8 day, 8 mark; absent, with what follows, in
 *        a store without tiers
 *     8  retention of each part of a tier, in the order of the parts
 *     4  checksum32 of everything before
 *
 * A *mark* says up to which precedence the raw parts of a day are in a tier. It is what allows raw
 * samples to be deleted (INV-7), and outlives them. A mark of the tier `raw`, whatever its number, says
 * that a rule of retention has taken samples of some series out of the day: tiers have their buckets.
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

#define MANIFEST_MARKS_MAX ((uint32_t)1 << 20)

/* What a part holds. The numbers go to disk. */
enum store_tier { STORE_RAW, STORE_5M, STORE_1H, STORE_TIERS };

/* Longest path of a file of the store. */
#define DB_PATH_MAX 4096

struct manifest_part {
    uint64_t sequence;   /* names the file; never used again */
    uint64_t precedence; /* of equal samples, those of the higher one count */
    /* That of the oldest sealed part it was made of; from the part's own file, not from here. */
    uint64_t precedence_first;
    uint16_t level;
    uint16_t tier; /* enum store_tier */
    int64_t day;   /* since 1970, UTC; of a tier the first that it may have */
    int64_t
        retention_ms; /* of a part of a tier: MANIFEST_RETENTION_DEFAULT, or by a rule; 0 = for ever */
    uint64_t split; /* hash of the list of identity labels it was written with */
};

/* The retention of a tier as it is configured, whenever one looks. */
#define MANIFEST_RETENTION_DEFAULT (-1)
/* <data>/<name>: no name of a part is longer. */
#define MANIFEST_NAME_MAX 64

/* The mark of a day whose raw parts were deleted: it is never built again, since only a part of its
 * samples could come. Late ones that come all the same answer as long as they are there. */
#define MANIFEST_MARK_CLOSED UINT64_MAX

struct manifest_mark {
    uint16_t tier;
    int64_t day;
    uint64_t mark;
};

struct manifest {
    uint64_t next_sequence;
    uint64_t floors[HEAD_SLICES]; /* rows of the slice with LSN <= floor are in parts */
    struct manifest_part *parts;  /* by precedence */
    uint32_t count, cap;
    struct manifest_mark *marks; /* by tier, then day */
    uint32_t mark_count, mark_cap;
};

void manifest_init(struct manifest *m);
void manifest_release(struct manifest *m);
/* A deep copy. 0 or ERR_NOMEM. */
int manifest_copy(const struct manifest *m, struct manifest *copy_out);
/* Keeps the order. 0, ERR_NOMEM, ERR_LIMIT. */
int manifest_add(struct manifest *m, const struct manifest_part *part);
void manifest_remove(struct manifest *m, uint64_t sequence);

/* The mark of a day, 0 when it has none. */
uint64_t manifest_mark(const struct manifest *m, uint16_t tier, int64_t day);
/* 0, ERR_NOMEM, ERR_LIMIT. */
int manifest_set_mark(struct manifest *m, const struct manifest_mark *mark);

/* Milliseconds of a bucket of a tier; 0 for raw. */
int64_t store_tier_resolution(uint16_t tier);
/* Days that share a directory share this number: a day, a month or a year. */
int64_t store_tier_period(uint16_t tier, int64_t day);
/* "raw", "t5m", "t1h". */
const char *store_tier_name(uint16_t tier);
/* "raw/19700", "t5m/2023-12", "t1h/2023": where the parts of a day lie. */
void manifest_part_directory(const struct manifest_part *part, char name_out[MANIFEST_NAME_MAX]);
/* The first day of the directory <tier>/<name>. ERR_INVALID for a name that none has. */
int store_tier_parse(uint16_t tier, struct str name, int64_t *day_out);
/* The same with "/p-00000007". */
void manifest_part_name(const struct manifest_part *part, char name_out[MANIFEST_NAME_MAX]);

void manifest_encode(const struct manifest *m, struct strbuf *out);
int manifest_decode(struct str bytes, struct manifest *m_out, struct err *e);
/* ERR_NOT_FOUND when there is none yet. */
int manifest_load(struct vfs *fs, const char *path, struct manifest *m_out, struct err *e);
/* Durable when it returns 0. After an error the file holds the old or the new content. */
int manifest_store(struct vfs *fs, const char *path, const struct manifest *m, struct err *e);

#endif
