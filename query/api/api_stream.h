/* An answer that may be too large to be held. The handler writes it into a buffer and offers the buffer from
 * time to time. What stays small goes out as one reply, so that a failure is told as one; what has grown goes out
 * in pieces, with the handler waiting for the client, and a failure then breaks it off where the client can
 * tell.
 *
 * Only so many answers go in pieces at a time (api_options.streams_max): each holds a thread for as long
 * as its client takes.
 */
#ifndef SONDE_QUERY_API_STREAM_H
#define SONDE_QUERY_API_STREAM_H

#include <stdbool.h>

#include "api/api_request.h"
#include "base/err.h"
#include "base/strbuf.h"

struct api_stream {
    struct api_request *request;
    const char *content_type;
    struct strbuf out; /* the handler appends */
    bool begun;
    unsigned offers;
};

/* The request is answered by api_stream_close and by nothing else. */
void api_stream_open(struct api_stream *s, struct api_request *r, const char *content_type);
/* Sends what is in `out` when there is enough of it. 0; else `e` says why the answer has to end: ERR_CLOSED
 * (nobody reads any more), ERR_CANCELED (the server stops), ERR_BUSY (too many answers in pieces), or the
 * error of `out`. */
int api_stream_offer(struct api_stream *s, struct err *e);
/* Sends the rest. With a status, fails with `e` when nothing has been sent yet, else breaks the answer off. */
void api_stream_close(struct api_stream *s, int status, struct err *e);

#endif
