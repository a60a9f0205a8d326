/* gzip (RFC 1952) and zlib (RFC 1950) bodies.
 *
 * libdeflate is two to three times as fast as zlib but wants the whole output buffer at once. A gzip
 * body says its size in its last four bytes (modulo 2^32): when that is credible (no more than
 * DEFLATE can expand the input to) and within the limit, one call does it. Everything else streams
 * through zlib into a growing buffer: zlib bodies, several gzip members after each other, sizes that
 * turn out wrong.
 */
#include "base/gzip.h"

#include <assert.h>
#include <libdeflate.h>
#include <zlib.h>

#include "base/bytes.h"
#include "base/err.h"
#include "base/mem.h"

/* The best DEFLATE can do is 258 bytes from 2 bits. */
#define DEFLATE_RATIO_MAX 1032
/* Header, an empty block and trailer. */
#define GZIP_BYTES_MIN 20

/* How much zlib is given to write at a time. */
enum { STREAM_STEP = 64 * 1024 };

static bool is_gzip(struct str s)
{
    return s.len >= 2 && (uint8_t)s.ptr[0] == 0x1f && (uint8_t)s.ptr[1] == 0x8b;
}

/* One member of the announced size; ERR_UNSUPPORTED when the slow way must decide. */
static int decode_at_once(struct str compressed, size_t limit, struct strbuf *out)
{
    if (!is_gzip(compressed) || compressed.len < GZIP_BYTES_MIN) {
        return ERR_UNSUPPORTED;
    }
    size_t announced = get_le32((const uint8_t *)compressed.ptr + compressed.len - 4);
    if (announced > limit || announced / DEFLATE_RATIO_MAX > compressed.len) {
        return ERR_UNSUPPORTED;
    }
    char *room = strbuf_reserve(out, announced);
    if (room == NULL) {
        return strbuf_error(out);
    }
    struct libdeflate_decompressor *d = libdeflate_alloc_decompressor();
    if (d == NULL) {
        return ERR_NOMEM;
    }
    size_t used = 0, written = 0;
    enum libdeflate_result result = libdeflate_gzip_decompress_ex(
        d, compressed.ptr, compressed.len, room, announced, &used, &written);
    libdeflate_free_decompressor(d);
    if (result != LIBDEFLATE_SUCCESS || used != compressed.len) {
        return ERR_UNSUPPORTED;
    }
    strbuf_commit(out, written);
    return 0;
}

/* Inflates into `out` until the input ends. */
static int inflate_all(z_stream *stream, size_t limit, struct strbuf *out)
{
    size_t total = 0;
    for (;;) {
        size_t step = limit - total < STREAM_STEP ? limit - total + 1 : STREAM_STEP;
        char *room = strbuf_reserve(out, step);
        if (room == NULL) {
            return strbuf_error(out);
        }
        stream->next_out = (unsigned char *)room;
        stream->avail_out = (uInt)step;
        int result = inflate(stream, Z_NO_FLUSH);
        size_t written = step - stream->avail_out;
        total += written;
        if (total > limit) {
            return ERR_LIMIT;
        }
        strbuf_commit(out, written);
        if (result == Z_STREAM_END) {
            if (stream->avail_in == 0) {
                return 0;
            }
            result = inflateReset(stream); /* the next member */
        }
        if (result != Z_OK) {
            return result == Z_MEM_ERROR ? ERR_NOMEM : ERR_CORRUPT;
        }
    }
}

static int decode_streaming(struct str compressed, size_t limit, struct strbuf *out)
{
    if (compressed.len > UINT32_MAX) {
        return ERR_LIMIT;
    }
    z_stream stream = {0};
    /* 15: the largest window; +32: gzip or zlib, whichever the header says. */
    if (inflateInit2(&stream, 15 + 32) != Z_OK) {
        return ERR_NOMEM;
    }
    stream.next_in = (unsigned char *)(uintptr_t)compressed.ptr; /* only read */
    stream.avail_in = (uInt)compressed.len;
    int status = inflate_all(&stream, limit, out);
    (void)inflateEnd(&stream);
    return status;
}

int gzip_decode(struct str compressed, size_t limit, struct strbuf *out)
{
    size_t before = out->size;
    int status = decode_at_once(compressed, limit, out);
    if (status == ERR_UNSUPPORTED) {
        status = decode_streaming(compressed, limit, out);
    }
    if (status != 0 && strbuf_error(out) == 0) {
        strbuf_truncate(out, before);
    }
    return status;
}

bool gzip_says_at_most(struct str compressed, size_t limit)
{
    return is_gzip(compressed) && compressed.len >= GZIP_BYTES_MIN &&
           get_le32((const uint8_t *)compressed.ptr + compressed.len - 4) <= limit;
}

int gzip_encode(struct str plain, int level, struct strbuf *out)
{
    assert(level >= 1 && level <= 9);
    struct libdeflate_compressor *c = libdeflate_alloc_compressor(level);
    if (c == NULL) {
        return ERR_NOMEM;
    }
    size_t bound = libdeflate_gzip_compress_bound(c, plain.len);
    char *room = strbuf_reserve(out, bound);
    size_t written = 0;
    if (room != NULL) {
        written = libdeflate_gzip_compress(c, plain.ptr, plain.len, room, bound);
        assert(written > 0);
        strbuf_commit(out, written);
    }
    libdeflate_free_compressor(c);
    return strbuf_error(out);
}

/* ---- Piece by piece ---- */

struct gzip_reader {
    z_stream z;
    bool in_member; /* from before its first byte on */
};

int gzip_reader_new(struct gzip_reader **reader_out)
{
    struct gzip_reader *reader = mem_calloc(1, sizeof(*reader));
    /* 15: the largest window; +32: gzip or zlib, whichever the header says. */
    if (reader == NULL || inflateInit2(&reader->z, 15 + 32) != Z_OK) {
        mem_free(reader);
        return ERR_NOMEM;
    }
    reader->in_member = true;
    *reader_out = reader;
    return 0;
}

int gzip_reader_take(struct gzip_reader *reader, struct str *compressed, char *room, size_t size,
    size_t *written_out)
{
    z_stream *z = &reader->z;
    int result = Z_OK;
    assert(compressed->len <= UINT32_MAX && size <= UINT32_MAX && size > 0);
    z->next_in = (unsigned char *)(uintptr_t)compressed->ptr; /* only read */
    z->avail_in = (uInt)compressed->len;
    z->next_out = (unsigned char *)room;
    z->avail_out = (uInt)size;
    while (result == Z_OK && z->avail_out > 0 && (z->avail_in > 0 || reader->in_member)) {
        reader->in_member = true;
        result = inflate(z, Z_NO_FLUSH);
        if (result == Z_STREAM_END) {
            reader->in_member = false;
            result = inflateReset(z); /* the next member */
        }
    }
    *compressed = str_skip(*compressed, compressed->len - z->avail_in);
    *written_out = size - z->avail_out;
    if (result == Z_OK ||
        result == Z_BUF_ERROR) { /* the latter only says that there is nothing to do */
        return z->avail_in > 0 || z->avail_out == 0;
    }
    return result == Z_MEM_ERROR ? ERR_NOMEM : ERR_CORRUPT;
}

bool gzip_reader_is_whole(const struct gzip_reader *reader)
{
    return !reader->in_member;
}

void gzip_reader_free(struct gzip_reader *reader)
{
    if (reader != NULL) {
        (void)inflateEnd(&reader->z); /* complains only of a stream that is none */
        mem_free(reader);
    }
}

struct gzip_stream {
    z_stream z;
};

int gzip_stream_new(int level, struct gzip_stream **stream_out)
{
    assert(level >= 1 && level <= 9);
    struct gzip_stream *stream = mem_calloc(1, sizeof(*stream));
    /* 15: the largest window; +16: with gzip's header and trailer. 8: zlib's usual memory. */
    if (stream == NULL ||
        deflateInit2(&stream->z, level, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY) != Z_OK) {
        mem_free(stream);
        return ERR_NOMEM;
    }
    *stream_out = stream;
    return 0;
}

int gzip_stream_add(struct gzip_stream *stream, struct str plain, bool last, struct strbuf *out)
{
    z_stream *z = &stream->z;
    int result = Z_OK;
    assert(plain.len <= UINT32_MAX);
    z->next_in = (unsigned char *)(uintptr_t)plain.ptr; /* only read */
    z->avail_in = (uInt)plain.len;
    do {
        char *room = strbuf_reserve(out, STREAM_STEP);
        if (room == NULL) {
            return strbuf_error(out);
        }
        z->next_out = (unsigned char *)room;
        z->avail_out = STREAM_STEP;
        result = deflate(z, last ? Z_FINISH : Z_NO_FLUSH);
        strbuf_commit(out, STREAM_STEP - z->avail_out);
        /* A full buffer: there may be more. Z_BUF_ERROR only says that nothing was left to do. */
    } while (z->avail_out == 0 && result != Z_STREAM_END);
    assert(z->avail_in == 0 && (!last || result == Z_STREAM_END));
    return 0;
}

void gzip_stream_free(struct gzip_stream *stream)
{
    if (stream != NULL) {
        (void)deflateEnd(&stream->z); /* complains of data that were not wanted any more */
        mem_free(stream);
    }
}
