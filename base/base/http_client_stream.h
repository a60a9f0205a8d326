/* A body that is given on as it comes: its frame is taken off, gzip is undone, pieces are bounded, and so is the whole.
 *
 * What is compressed is held back until all of it is here, or HTTP_STREAM_HELD_MAX bytes: a small body, which most
 * are, is then decompressed at once, which is three times as fast. Of a larger one each call gives a piece, and
 * the loop turns before the next. Private to http_client_plain.c.
 */
#ifndef SONDE_BASE_HTTP_CLIENT_STREAM_H
#define SONDE_BASE_HTTP_CLIENT_STREAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/gzip.h"
#include "base/str.h"
#include "base/strbuf.h"
#include "http_answer.h"

#define HTTP_STREAM_HELD_MAX ((size_t)256 << 10)

struct http_stream {
    int (*take)(void *context, struct str piece);
    void *context;
    enum http_framing framing;
    uint64_t length; /* as in the head */
    uint64_t wire;   /* bytes of the body that have come */
    struct http_chunks chunks;
    bool ended; /* all of it is here; set by its owner where the end of the connection is the end */
    bool nothing_behind; /* and no byte more */
    size_t max, given;   /* bytes for the taker */
    bool gzip;
    struct strbuf held; /* compressed bytes; those before `used` are done with */
    size_t used;
    struct gzip_reader *reader; /* NULL: not begun */
    char *room;                 /* for a piece */
    bool refused;               /* by `take` */
};

/* Decompresses when the head says gzip and `undo_gzip`. `max` 0: no limit. */
void http_stream_begin(struct http_stream *s, const struct http_answer_head *head, bool undo_gzip,
    size_t max, int (*take)(void *context, struct str piece), void *context);
/* Accepts what is all zero. */
void http_stream_release(struct http_stream *s);
/* More bytes behind the head, or none; borrowed. What is not compressed is given on. 0, ERR_CORRUPT, ERR_LIMIT, ERR_NOMEM,
 * or what the taker says. */
int http_stream_add(struct http_stream *s, struct str bytes);
/* Gives a piece of what is held: 1 when there is more to give before more may be added, 0; errors as above. */
int http_stream_go_on(struct http_stream *s);

#endif
