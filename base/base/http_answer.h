/* An answer of HTTP/1.x, as its bytes come (RFC 9112): the head, how the body is framed, and the chunks of one
 * that has no length ahead. Pure functions over untrusted bytes.
 *
 *   HTTP/1.1 200 OK CRLF            status line; the reason may be absent
 *   Name: value CRLF …              lines may end with a bare LF; folded lines are passed over
 *   CRLF                            end of the head
 *   body                            none, of a length, in chunks, or up to the end of the connection
 *
 *   chunk: hex length [;extension] CRLF bytes CRLF; the last one has length 0, then trailers, then CRLF
 */
#ifndef SONDE_BASE_HTTP_ANSWER_H
#define SONDE_BASE_HTTP_ANSWER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/str.h"
#include "base/strbuf.h"

/* Longer heads are refused. */
#define HTTP_ANSWER_HEAD_MAX ((size_t)64 << 10)

enum http_framing { HTTP_BODY_LENGTH, HTTP_BODY_CHUNKED, HTTP_BODY_TO_END };

struct http_answer_head {
    unsigned status;
    enum http_framing framing;
    uint64_t length; /* HTTP_BODY_LENGTH: of the body; an answer without one has 0 */
    bool keeps;      /* the connection may be used again */
    bool gzip;       /* Content-Encoding: gzip */
    bool encoded;    /* by something else than gzip */
    struct str text; /* status line and header lines; borrowed from the bytes */
};

/* The head that `bytes` begin with: 1 and where the body begins; 0 when it is not whole yet; ERR_CORRUPT,
 * ERR_UNSUPPORTED (another version, another transfer coding), ERR_LIMIT. Interim answers (1xx) are heads
 * without a body: the caller goes on behind them. */
int http_answer_read_head(struct str bytes, struct http_answer_head *head_out, size_t *body_at_out);
/* The value of the first header of that name in the text of a head; ptr NULL when absent. */
struct str http_answer_header(struct str text, const char *name);

struct http_chunks {
    enum {
        CHUNK_LENGTH,
        CHUNK_EXTENSION,
        CHUNK_BYTES,
        CHUNK_BYTES_END,
        CHUNK_TRAILER_START,
        CHUNK_TRAILER,
    } state;
    unsigned digits;
    uint64_t left; /* bytes of the chunk */
};

/* Begins zeroed. Takes bytes off `rest`, the next ones of the body into `piece_out`, where they lie: 1 at the end
 * of the body; 0 with a piece, or with an empty one when there must be more; ERR_CORRUPT. */
int http_chunks_next(struct http_chunks *chunks, struct str *rest, struct str *piece_out);
/* All that `rest` has, added to `out`: 1 at the end of the body, 0 when
 * there must be more, ERR_CORRUPT, or the error of `out`. */
int http_chunks_take(struct http_chunks *chunks, struct str *rest, struct strbuf *out);

/* The time of an HTTP date in any of the three forms of RFC 9110, section 5.6.7, in seconds since 1970. 0 or
 * ERR_INVALID. */
int http_date_read(struct str text, int64_t *seconds_out);

#endif
