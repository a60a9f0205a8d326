/* What a block says of itself: meta.json, and its name, a ULID.
 *
 * meta.json, as far as it is read and written (other keys are skipped):
 *
 *   {"ulid": "01…", "minTime": ms, "maxTime": ms (behind the last sample), "version": 1,
 *    "stats": {"numSamples": n, "numSeries": n, "numChunks": n, "numTombstones": n},
 *    "compaction": {"level": n, "sources": [ULIDs], "parents": [{"ulid": …}], "deletable": bool,
 *      "hints": ["from-out-of-order"]},
 *    "thanos": {"labels": {…}, "downsample": {"resolution": 0}, "source": "…"}}
 *
 * The "thanos" object is written when there are external labels: Thanos and Mimir tell senders apart
 * by them. A ULID is 48 bits of milliseconds and 80 others, in base 32 (Crockford's alphabet), 26
 * letters, sortable by time.
 */
#ifndef SONDE_BLOCK_BLOCK_META_H
#define SONDE_BLOCK_BLOCK_META_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/hash.h"
#include "base/strbuf.h"
#include "base/vfs.h"
#include "model/labels.h"

enum { ULID_TEXT_SIZE = 27 }; /* with the zero at its end */

struct block_meta {
    char ulid[ULID_TEXT_SIZE];
    int64_t min_t, max_t; /* max_t is no longer in it */
    uint64_t samples, series, chunks, tombstones;
    /* Of blocks that are read: */
    int64_t resolution_ms;           /* not 0: Thanos downsampled it */
    bool deletable;                  /* nothing in it counts any more */
    bool out_of_order;               /* made of samples that came out of order */
    char (*parents)[ULID_TEXT_SIZE]; /* blocks that it replaces */
    size_t parent_count;
};

void block_meta_release(struct block_meta *meta);
bool block_meta_has_parent(const struct block_meta *meta, const char *ulid);

/* From the time and 80 of the 128 bits. */
void ulid_write(int64_t time_ms, struct hash128 random, char text_out[ULID_TEXT_SIZE]);

/* <directory>/meta.json; to be released. ERR_NOT_FOUND when there is none: the directory is no block. */
int block_meta_read(
    struct vfs *fs, const char *directory, struct block_meta *meta_out, struct err *e);
/* `external` may be NULL. */
void block_meta_encode(
    const struct block_meta *meta, const struct labels *external, struct strbuf *out);
int block_meta_decode(struct str text, struct block_meta *meta_out, struct err *e);

#endif
