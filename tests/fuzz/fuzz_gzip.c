/* Any bytes as a gzip or zlib body: within the limit, or an error and nothing appended. Read in pieces it is the
 * same bytes and the same error; the first byte says how large the pieces are. */
#include <assert.h>

#include "base/err.h"
#include "base/gzip.h"

enum { LIMIT = 1 << 20 };

/* As gzip_decode does it, a piece at a time. */
static int decode_pieces(struct str compressed, size_t piece_size, struct strbuf *out)
{
    struct gzip_reader *reader = NULL;
    int status = gzip_reader_new(&reader);
    assert(status == 0);
    while (status >= 0 && compressed.len > 0) {
        struct str piece = compressed;
        piece.len = piece_size < piece.len ? piece_size : piece.len;
        compressed = str_skip(compressed, piece.len);
        do {
            size_t written;
            char *room = strbuf_reserve(out, piece_size);
            assert(room != NULL);
            status = gzip_reader_take(reader, &piece, room, piece_size, &written);
            strbuf_commit(out, written);
            status = out->size > LIMIT ? ERR_LIMIT : status;
        } while (status == 1);
    }
    status = status == 0 && !gzip_reader_is_whole(reader) ? ERR_CORRUPT : status;
    gzip_reader_free(reader);
    return status;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct strbuf out = STRBUF_INIT, pieces = STRBUF_INIT;
    struct str body = str_make((const char *)data, size);
    int status = gzip_decode(body, LIMIT, &out);
    assert(out.size <= LIMIT);
    assert(status == 0 || out.size == 0);
    assert(status == 0 || status == ERR_CORRUPT || status == ERR_LIMIT);
    int again = decode_pieces(body, size > 0 ? 1 + data[size - 1] : 1, &pieces);
    if (again != status && !(status == ERR_LIMIT && again == ERR_CORRUPT)) {
        assert(size == 0); /* nothing at all is no body, in one piece or in none */
    }
    assert(status != 0 || str_eq(strbuf_str(&out), strbuf_str(&pieces)));
    strbuf_release(&out);
    strbuf_release(&pieces);
    return 0;
}
