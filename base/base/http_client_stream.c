/* Bodies as they come. */
#include "http_client_stream.h"

#include <stdint.h>
#include <string.h>

#include "base/err.h"
#include "base/http_client.h"
#include "base/mem.h"

/* Of what is held, decompressed with one call. */
enum { PIECE_BYTES = 256 << 10 };

void http_stream_begin(struct http_stream *s, const struct http_answer_head *head, bool undo_gzip,
    size_t max, int (*take)(void *context, struct str piece), void *context)
{
    *s = (struct http_stream){.take = take,
        .context = context,
        .framing = head->framing,
        .length = head->length,
        .gzip = undo_gzip && head->gzip,
        .max = max != 0 ? max : SIZE_MAX};
    strbuf_init(&s->held, s->max);
}

void http_stream_release(struct http_stream *s)
{
    gzip_reader_free(s->reader);
    mem_free(s->room);
    s->reader = NULL;
    s->room = NULL;
    strbuf_release(&s->held);
}

static int give(struct http_stream *s, struct str piece)
{
    if (piece.len == 0) {
        return 0;
    }
    if (piece.len > s->max - s->given) {
        return ERR_LIMIT;
    }
    s->given += piece.len;
    int status = s->take(s->context, piece);
    s->refused = status != 0;
    return status;
}

/* A piece without its frame. */
static int add_piece(struct http_stream *s, struct str piece)
{
    s->wire += piece.len;
    if (!s->gzip) {
        return give(s, piece);
    }
    strbuf_add_str(&s->held, piece);
    return strbuf_error(&s->held);
}

static int add_chunks(struct http_stream *s, struct str bytes)
{
    struct str piece;
    int status, added = 0;
    do {
        status = http_chunks_next(&s->chunks, &bytes, &piece);
        added = status >= 0 ? add_piece(s, piece) : status;
    } while (status == 0 && added == 0 && piece.len > 0);
    s->ended = status == 1;
    s->nothing_behind = bytes.len == 0;
    return added;
}

int http_stream_add(struct http_stream *s, struct str bytes)
{
    if (s->ended) {
        return 0;
    }
    switch (s->framing) {
    case HTTP_BODY_CHUNKED:
        return add_chunks(s, bytes);
    case HTTP_BODY_LENGTH: {
        uint64_t left = s->length - s->wire;
        s->ended = bytes.len >= left;
        s->nothing_behind = bytes.len == left;
        bytes.len = s->ended ? (size_t)left : bytes.len;
        return add_piece(s, bytes);
    }
    case HTTP_BODY_TO_END:
        break;
    }
    return add_piece(s, bytes);
}

/* All of a body that says it is small. ERR_UNSUPPORTED: it is not. */
static int give_at_once(struct http_stream *s)
{
    struct strbuf plain;
    if (s->held.size > HTTP_STREAM_HELD_MAX ||
        !gzip_says_at_most(strbuf_str(&s->held), HTTP_CLIENT_PIECE_MAX)) {
        return ERR_UNSUPPORTED;
    }
    strbuf_init(&plain, HTTP_CLIENT_PIECE_MAX);
    int status = gzip_decode(strbuf_str(&s->held), HTTP_CLIENT_PIECE_MAX, &plain);
    status = status == 0           ? give(s, strbuf_str(&plain))
             : status == ERR_LIMIT ? ERR_UNSUPPORTED
                                   : status;
    strbuf_release(&plain);
    return status;
}

/* A piece of a large one. 1: there may be more of it. */
static int give_piece(struct http_stream *s)
{
    struct str rest = str_skip(strbuf_str(&s->held), s->used);
    size_t written = 0;
    int more = gzip_reader_take(s->reader, &rest, s->room, PIECE_BYTES, &written);
    s->used = s->held.size - rest.len;
    int status = more < 0 ? more : give(s, str_make(s->room, written));
    if (s->used == s->held.size) {
        strbuf_reset(&s->held);
        s->used = 0;
    }
    return status != 0 ? status : more;
}

int http_stream_go_on(struct http_stream *s)
{
    if (!s->gzip) {
        return 0;
    }
    if (s->reader == NULL) {
        if (!s->ended && s->held.size <= HTTP_STREAM_HELD_MAX) {
            return 0;
        }
        int status = s->ended ? give_at_once(s) : ERR_UNSUPPORTED;
        if (status != ERR_UNSUPPORTED || s->refused) {
            return status;
        }
        status = gzip_reader_new(&s->reader);
        s->room = status == 0 ? mem_alloc(PIECE_BYTES) : NULL;
        if (s->room == NULL) {
            return ERR_NOMEM;
        }
    }
    int status = give_piece(s);
    /* The end of the input is the end of the last member. */
    return status == 0 && s->ended && !gzip_reader_is_whole(s->reader) ? ERR_CORRUPT : status;
}
