/* A gRPC client for tests, on nghttp2's client side: whatever a proper library would never send can be sent.
 * It makes and takes bytes; a test carries them to a session in memory or over a socket. */
#ifndef SONDE_TESTS_GRPC_CLIENT_H
#define SONDE_TESTS_GRPC_CLIENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/str.h"
#include "base/strbuf.h"

enum { GRPC_CLIENT_CALLS_MAX = 512 };

/* A call to make; NULL members are left out, but for the first two, which have usual values. */
struct grpc_client_request {
    const char *path;
    const char *method;       /* NULL: POST */
    const char *content_type; /* NULL: application/grpc+proto; "": none */
    const char *encoding, *timeout, *authorization;
    const char *key, *value; /* one header more */
    struct str body;         /* as it goes into DATA frames; copied */
    bool open;               /* more of the body is to come */
};

struct grpc_client_answer {
    int32_t stream_id;
    unsigned http_status; /* 0: none has come */
    int status;           /* grpc-status; -1: none has come */
    struct strbuf sentence, details, content_type, accept_encoding;
    struct strbuf body;
    bool closed;
    uint32_t reset_code; /* of the close: 0 = in order */
    struct strbuf to_send;
    size_t sent;
    bool open;
};

struct nghttp2_session;

struct grpc_client {
    struct nghttp2_session *http2;
    struct grpc_client_answer answers[GRPC_CLIENT_CALLS_MAX];
    size_t count;
    bool gone_away;
    uint32_t goaway_code;
    int32_t goaway_last;
};

void grpc_client_init(struct grpc_client *c);
void grpc_client_release(struct grpc_client *c);
/* The index of its answer. */
size_t grpc_client_call(struct grpc_client *c, const struct grpc_client_request *request);
/* More of an open call's body; with `end` the last. */
void grpc_client_send_more(struct grpc_client *c, size_t index, struct str bytes, bool end);
void grpc_client_reset(struct grpc_client *c, size_t index);
/* Appends what is to be sent; takes what has come. */
void grpc_client_output(struct grpc_client *c, struct strbuf *out);
void grpc_client_input(struct grpc_client *c, struct str bytes);
/* Sends and receives over a blocking socket until every call is closed or the peer has hung up. */
void grpc_client_exchange(struct grpc_client *c, int fd);

/* Appends a message with its prefix. */
void grpc_client_frame(struct strbuf *out, bool compressed, struct str message);
/* The message in an answer's body, which must be whole. */
struct str grpc_client_message(const struct grpc_client_answer *answer);

#endif
