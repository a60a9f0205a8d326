/* gzip and zlib bodies, both ways. The wrapper of libdeflate (whole buffers) with zlib behind it
 * where the size is not known ahead. Decompression stops at its limit: a bomb is ERR_LIMIT.
 */
#ifndef SONDE_BASE_GZIP_H
#define SONDE_BASE_GZIP_H

#include <stdbool.h>
#include <stddef.h>

#include "base/str.h"
#include "base/strbuf.h"

/* Appends to `out`, whose limit bounds the result. 0, ERR_CORRUPT, ERR_LIMIT, ERR_NOMEM. */
int gzip_decode(struct str compressed, size_t limit, struct strbuf *out);
/* Level 1..9. */
int gzip_encode(struct str plain, int level, struct strbuf *out);

/* Whether a whole gzip body says that it has at most `limit` bytes: then gzip_decode does it at once. What it
 * says may be wrong. */
bool gzip_says_at_most(struct str compressed, size_t limit);

/* Decompression of gzip or zlib that comes piece by piece. One thread at a time. */
struct gzip_reader;

/* 0 or ERR_NOMEM. */
int gzip_reader_new(struct gzip_reader **reader_out);
/* Takes bytes off `compressed` and writes up to `size` plain bytes to `room`: 1 when there may be more to
 * write, 0 when all of the input is taken; ERR_CORRUPT, ERR_NOMEM. */
int gzip_reader_take(struct gzip_reader *reader, struct str *compressed, char *room, size_t size,
    size_t *written_out);
/* What was taken is whole members: the body may end here. */
bool gzip_reader_is_whole(const struct gzip_reader *reader);
/* Accepts NULL. */
void gzip_reader_free(struct gzip_reader *reader);

/* Compression of what comes piece by piece, as one gzip member: readers that stop after the first member,
 * curl among them, get all of it. One thread at a time. */
struct gzip_stream;

/* 0 or ERR_NOMEM. Level 1..9. */
int gzip_stream_new(int level, struct gzip_stream **stream_out);
/* Takes a piece and appends to `out` what is ready, which may be nothing; with `last` all of it and the
 * trailer, after which only freeing is left. 0 or the error of `out`. */
int gzip_stream_add(struct gzip_stream *stream, struct str plain, bool last, struct strbuf *out);
/* Accepts NULL. */
void gzip_stream_free(struct gzip_stream *stream);

#endif
