/* The wrapper of snappy; the one file that includes it. */
#include "wire/snappy_codec.h"

#include <snappy-c.h>

#include "base/err.h"

int snappy_decode(struct str compressed, size_t limit, struct strbuf *out)
{
    size_t size = 0;
    if (snappy_uncompressed_length(compressed.ptr, compressed.len, &size) != SNAPPY_OK) {
        return ERR_CORRUPT;
    }
    if (size > limit) {
        return ERR_LIMIT;
    }
    /* A block cannot expand beyond what copies of 64 bytes from 3-byte elements give, so a header
     * that promises more is a lie; refuse before allocating for it. */
    if (size / 64 > compressed.len) {
        return ERR_CORRUPT;
    }
    char *room = strbuf_reserve(out, size);
    if (room == NULL) {
        return strbuf_error(out);
    }
    if (snappy_uncompress(compressed.ptr, compressed.len, room, &size) != SNAPPY_OK) {
        return ERR_CORRUPT;
    }
    strbuf_commit(out, size);
    return 0;
}

int snappy_encode(struct str plain, struct strbuf *out)
{
    size_t size = snappy_max_compressed_length(plain.len);
    char *room = strbuf_reserve(out, size);
    if (room == NULL) {
        return strbuf_error(out);
    }
    if (snappy_compress(plain.ptr, plain.len, room, &size) != SNAPPY_OK) {
        return ERR_INTERNAL;
    }
    strbuf_commit(out, size);
    return 0;
}
