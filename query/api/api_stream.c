/* Answers in pieces. */
#include "api/api_stream.h"

#include <assert.h>

#include "api/api_private.h"

/* From here on an answer goes out in pieces, of at least this size. */
#define PIECE_BYTES ((size_t)256 << 10)
/* Every so many offers it is looked whether the client is still there: that is a call of the kernel. */
enum { OFFERS_BETWEEN_LOOKS = 64 };

void api_stream_open(struct api_stream *s, struct api_request *r, const char *content_type)
{
    *s = (struct api_stream){.request = r, .content_type = content_type};
    strbuf_init(&s->out, STRBUF_LIMIT_DEFAULT);
    strbuf_add_c(&s->out, "");
}

static int begin(struct api_stream *s, struct err *e)
{
    struct api *api = s->request->api;
    if (atomic_fetch_add(&api->streams, 1) >= api->streams_max) {
        atomic_fetch_sub(&api->streams, 1);
        return err_set(e, ERR_BUSY, -1,
            "as many large answers are being sent as may be at a time, %u; try again later",
            api->streams_max);
    }
    int status = api_begin_pieces(s->request, 200, s->content_type);
    if (status != 0) {
        atomic_fetch_sub(&api->streams, 1);
        return err_set(e, status, -1, "%s", err_text(status));
    }
    s->begun = true;
    return 0;
}

static int send_piece(struct api_stream *s, struct err *e)
{
    int status = strbuf_error(&s->out);
    if (status == 0) {
        status = http_exchange_write(s->request->exchange, strbuf_str(&s->out));
    }
    strbuf_reset(&s->out);
    return status != 0 ? err_set(e, status, -1, "%s", err_text(status)) : 0;
}

int api_stream_offer(struct api_stream *s, struct err *e)
{
    if (atomic_load(&s->request->api->canceled)) {
        return err_set(e, ERR_CANCELED, -1, "the server is being stopped");
    }
    if (strbuf_error(&s->out) != 0) {
        return err_set(e, strbuf_error(&s->out), -1, "%s", err_text(strbuf_error(&s->out)));
    }
    if (++s->offers % OFFERS_BETWEEN_LOOKS == 0 &&
        http_exchange_is_abandoned(s->request->exchange)) {
        return err_set(e, ERR_CLOSED, -1, "nobody waits for the answer any more");
    }
    if (s->out.size < PIECE_BYTES) {
        return 0;
    }
    int status = s->begun ? 0 : begin(s, e);
    return status == 0 ? send_piece(s, e) : status;
}

void api_stream_close(struct api_stream *s, int status, struct err *e)
{
    struct api_request *r = s->request;
    if (s->begun) {
        status = status == 0 ? send_piece(s, e) : status;
        api_end_pieces(r, status);
        atomic_fetch_sub(&r->api->streams, 1);
    } else if (status != 0) {
        if (e->code == 0) {
            err_set(e, status, -1, "%s", err_text(status));
        }
        api_fail_with(r, e);
    } else {
        api_reply(r, 200, s->content_type, &s->out);
    }
    strbuf_release(&s->out);
}
