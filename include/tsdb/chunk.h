/* Chunks of Prometheus' TSDB: up to 120 samples of one series, of one kind, as a string of bits.
 *
 * The formats are documented where they are read and written: xor_chunk.c, histogram_chunk.c. What
 * frames a chunk in a file is in chunk_file.h.
 */
#ifndef SONDE_TSDB_CHUNK_H
#define SONDE_TSDB_CHUNK_H

#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/str.h"
#include "base/strbuf.h"
#include "model/histogram.h"

/* The byte in front of a chunk's data. */
enum chunk_encoding {
    CHUNK_XOR = 1,
    CHUNK_HISTOGRAM = 2,
    CHUNK_FLOAT_HISTOGRAM = 3,
};

/* Samples of a chunk that is written; readers take what 16 bits can count. */
#define CHUNK_SAMPLES_MAX 120
/* Bytes of one chunk that is read. A histogram bucket takes a bit at least, so that what is decoded
 * is bounded too. */
#define CHUNK_BYTES_MAX ((size_t)1 << 20)

/* What a chunk holds, in an arena. */
struct chunk_samples {
    size_t count;
    const int64_t *times;                      /* strictly ascending */
    const double *values;                      /* floats, or NULL */
    const struct histogram *const *histograms; /* or these */
};

/* ERR_UNSUPPORTED (an encoding we do not know), ERR_CORRUPT, ERR_LIMIT, ERR_NOMEM. */
int chunk_decode(
    unsigned encoding, struct str data, struct arena *arena, struct chunk_samples *samples_out);

/* ---- Encoding: 0 < count <= CHUNK_SAMPLES_MAX, times ascending; errors stick in `out` ---- */

void xor_chunk_encode(const int64_t *times, const double *values, size_t count, struct strbuf *out);
int xor_chunk_decode(struct str data, struct arena *arena, struct chunk_samples *samples_out);

/* What the chunk's header says of its first histogram: did counting begin anew before it? */
enum chunk_reset {
    CHUNK_RESET_UNKNOWN = 0x00,
    CHUNK_RESET_NO = 0x40,
    CHUNK_RESET_YES = 0x80,
    CHUNK_RESET_GAUGE = 0xc0,
};

/* How many of `count` histograms go into one chunk: those with the layout of the first and no reset
 * among them; at least 1. Stale ones fit anywhere, and end a chunk. */
size_t histogram_chunk_fit(const struct histogram *const *histograms, size_t count);
/* The header of a chunk that begins with `h`, after `before` (NULL at the begin of a series). */
enum chunk_reset histogram_chunk_reset(const struct histogram *before, const struct histogram *h);
/* CHUNK_HISTOGRAM when all of them are whole numbers that came as such, else CHUNK_FLOAT_HISTOGRAM. */
enum chunk_encoding histogram_chunk_encoding(
    const struct histogram *const *histograms, size_t count);
/* All must fit one chunk of that encoding. */
void histogram_chunk_encode(enum chunk_encoding encoding, enum chunk_reset reset,
    const int64_t *times, const struct histogram *const *histograms, size_t count,
    struct strbuf *out);
int histogram_chunk_decode(
    unsigned encoding, struct str data, struct arena *arena, struct chunk_samples *samples_out);

#endif
