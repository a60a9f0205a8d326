/* A column block: up to 4096 rows of one series, as bytes.
 *
 * Pure functions on arrays and buffers: no I/O, no state, no allocation beyond the output buffer,
 * callable from any thread. Encoding is lossless to the bit (promise 4): NaN payloads, negative
 * zero, infinities, denormals and stale markers come back as they were. The same values, presence
 * and hint give the same bytes on every machine (promise 10), with or without vector units. The
 * bytes name their codec and nothing else: the caller keeps the byte size and the row count (part
 * headers store them packed), and the checksum.
 *
 * Rows are of two kinds: present (a sample, stale markers included) and absent (the series had no
 * sample in that scrape). Absent and stale rows are kept out of the value stream as intervals, so
 * one of them costs three or four bytes and does not spoil the codec of its neighbours.
 *
 * Formats: column_block.c owns the block, the files it names own the sections inside.
 */
#ifndef SONDE_ROW_COLUMN_BLOCK_H
#define SONDE_ROW_COLUMN_BLOCK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/strbuf.h"
#include "row/row_limits.h"

/* No block of `count` rows is longer. */
#define COLUMN_BLOCK_SIZE_MAX(count) (32 + 8 * (size_t)(count) + (size_t)(count) / 4)

/* What the previous block of the same series chose. The encoder tries it first, which saves most of
 * the search; a wrong or zero hint costs time, never correctness. Zero it before the first block of
 * a series. Eight bytes, plain data: keep it with the series. */
struct column_hint {
    uint8_t codec;    /* id of the last block that was not constant */
    uint8_t exponent; /* its decimal exponent */
    uint8_t method;   /* and how its decimals are computed */
    uint8_t reserved[5];
};

/* Appends one block to `out`. `values` has `count` entries; those of absent rows are not looked at.
 * `presence` has PRESENCE_WORDS(count) words, bit set = sample present, bits past `count` are
 * ignored; NULL = every row is present. `hint` may be NULL; it is read and updated.
 * Returns 0, or the error of `out` (ERR_NOMEM, ERR_LIMIT), in which case `out` is as before apart
 * from its sticky error. Uses up to half a megabyte of stack at 4096 rows,
 * and touches as much of it as the rows need. */
int column_block_encode(const double *values, const uint64_t *presence, uint32_t count,
    struct column_hint *hint, struct strbuf *out);

/* The inverse: exactly `size` bytes made by column_block_encode for `count` rows. Fills `count`
 * values and PRESENCE_WORDS(count) words of presence (bits past `count` are zero; `presence_out`
 * may be NULL when the caller does not care). Absent rows get the stale marker as value, so that a
 * reader who forgets to look at presence sees no number. The bytes are untrusted (promise 9):
 * returns 0 or ERR_CORRUPT, never reads outside them, and on error the outputs hold garbage. */
int column_block_decode(
    const void *bytes, size_t size, uint32_t count, double *values_out, uint64_t *presence_out);

/* The same beside another column of the same rows, its `reference`: where the two go together
 * (buckets of a histogram, a gauge shown twice) only their difference is stored, if that is shorter.
 * `reference` has `count` values, those of absent rows being the stale marker, as decoding leaves
 * them. The block that comes out may be one that needs no reference. */
int column_block_encode_against(const double *values, const uint64_t *presence, uint32_t count,
    const double *reference, struct column_hint *hint, struct strbuf *out);

/* Whether a block can only be decoded against its reference; false for bytes that are no block. */
bool column_block_needs_reference(const void *bytes, size_t size);

/* As column_block_decode, for any block. `reference` must be the values the block was encoded
 * against: other values give other values, not an error. NULL is ERR_CORRUPT where it is needed. */
int column_block_decode_against(const void *bytes, size_t size, uint32_t count,
    const double *reference, double *values_out, uint64_t *presence_out);

/* What can be said of a block without decoding its values. */
enum column_known {
    COLUMN_KNOWS_COUNT = 1 << 0,     /* always */
    COLUMN_KNOWS_FIRST = 1 << 1,     /* the value of the first sample */
    COLUMN_KNOWS_AGGREGATES = 1 << 2 /* the remaining fields: constant blocks */
};

/* Stale markers are not samples here: `count` and the aggregates leave them out. With no sample at
 * all, only `count` is set. */
struct column_summary {
    uint32_t known; /* enum column_known, or-ed */
    uint32_t count;
    double first, last;
    double min, max;
    double sum;
    double increase; /* of a counter, resets corrected */
};

/* Looks at the first bytes of a block only: cheap enough to ask before every decode. Two blocks of
 * three are constant and need no decode at all. Blocks store no aggregates of their own: sum, min
 * and max of a varying block would cost 6-20 bytes against its 30-60, and the reader that wants to
 * skip whole blocks wants them for runs of blocks, in the part's header, not here. */
int column_block_summary(
    const void *bytes, size_t size, uint32_t count, struct column_summary *summary_out);

/* For dumpers and benchmarks: the codec of a block in words, such as "delta, decimal 2". Returns 0
 * or ERR_CORRUPT. */
int column_block_describe(const void *bytes, size_t size, uint32_t count, struct strbuf *out);

#endif
