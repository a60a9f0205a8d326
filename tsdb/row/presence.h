/* Rows that are not in the value stream: absent ones, stale markers, and the odd value that would
 * spoil the codec of its neighbours (a NaN between integers), each as an interval of rows.
 *
 * The rows section of a block, present when HEAD_ROWS is set:
 *
 *   uvarint n   number of intervals, or 0 for the bitmap form
 *   n intervals, in row order, disjoint:
 *     uvarint   gap * 8 + more * 4 + kind, where gap counts the rows since the interval before
 *     uvarint   length - 2, only with more = 1; the length is 1 otherwise
 *     le64      the bits of the value, only for kind 2
 *               kinds: 0 absent, 1 stale marker, 2 literal, 3 the literal before again
 *   bitmap form:
 *     bitmap of ceil(rows / 8) bytes: bit set = not in the stream
 *     bitmap of ceil(ones / 8) bytes over the set bits: 1 = stale marker, 0 = absent
 *
 * Row i is bit i % 8 of byte i / 8; bits past the end are zero. The encoder takes the shorter form.
 */
#ifndef SONDE_ROW_PRESENCE_H
#define SONDE_ROW_PRESENCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"

enum row_kind {
    ROW_ABSENT = 0,
    ROW_STALE = 1,
    ROW_LITERAL = 2,
    ROW_STREAM = 4 /* its value is in the stream; never stored */
};

/* How many rows of each kind a section names. */
struct presence_counts {
    uint32_t stream, absent, stale, literal;
};

/* Bytes of the section for these kinds (`kinds[i]` is an enum row_kind); at least one row is not
 * ROW_STREAM. `values` gives the bits of literals. */
size_t presence_size(const uint8_t *kinds, const double *values, uint32_t count);
uint8_t *presence_put(const uint8_t *kinds, const double *values, uint32_t count, uint8_t *out);

/* Walks over a section; a violation fails the cursor. */
void presence_skip(struct decbuf *d, uint32_t count, struct presence_counts *counts_out);

/* Given a section that presence_skip has accepted and the values of its stream rows: puts every row
 * in its place. `presence_out` may be NULL. */
void presence_expand(struct str section, uint32_t count, const double *stream, double *values_out,
    uint64_t *presence_out);

/* Given a section that presence_skip has accepted: of one number per row, those of stream rows. */
void presence_gather(struct str section, uint32_t count, const int64_t *rows, int64_t *stream_out);

/* The newest row that is present before some row. */
struct presence_newest {
    uint32_t row;
    bool in_stream;
    uint32_t place; /* in the stream, if it is there */
    double value;   /* otherwise */
};

/* Given a section that presence_skip has accepted: the newest present row before `end`, false when there is
 * none. */
bool presence_find_newest(
    struct str section, uint32_t count, uint32_t end, struct presence_newest *newest_out);

/* Likewise: the first row of the stream; there is one. */
uint32_t presence_first_of_stream(struct str section, uint32_t count);

/* Every row is present. */
void presence_fill(uint64_t *presence_out, uint32_t count);

#endif
