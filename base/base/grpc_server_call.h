/* One call of the gRPC server, from its first header to its answer. Private to the gRPC server.
 *
 * Life of a call, by who holds it (`holders` counts them, on the server's thread):
 *
 *   its stream    from the first header until HTTP/2 closes the stream: session, stream_id and the message's
 *                 bytes belong to the server's thread
 *   a check       of its password, in a pool
 *   its handler   from the complete message until the answer: message and answer belong to the handler; the
 *                 server's thread sets `abandoned` when the stream goes first
 *
 * The last holder frees it. A session that ends lets go of its calls and leaves them `session` NULL.
 */
#ifndef SONDE_BASE_GRPC_SERVER_CALL_H
#define SONDE_BASE_GRPC_SERVER_CALL_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/grpc_server.h"
#include "grpc_server_protocol.h"

struct grpc_session;
struct grpc_call;
struct http_rules;

/* Whom calls belong to. Called on the server's thread, but for `ended`. */
struct grpc_call_host {
    void *context;
    const struct grpc_server_options *options; /* with every default filled in */
    /* Headers are complete and sound: it may be held for a check. */
    void (*begun)(void *context, struct grpc_call *call);
    /* The message is complete: the handler's turn. */
    void (*complete)(void *context, struct grpc_call *call);
    /* The answer is in the call; from whatever thread gave it. */
    void (*ended)(void *context, struct grpc_call *call);
    /* Room for bytes of messages; false: there is none. */
    bool (*charge)(void *context, size_t bytes);
    void (*discharge)(void *context, size_t bytes);
};

enum grpc_call_state {
    GRPC_CALL_READING,
    GRPC_CALL_COMPLETE, /* the message is there; maybe with a handler */
    GRPC_CALL_ANSWERED, /* submitted; the rest of the request is of no interest */
};

enum grpc_call_encoding { GRPC_ENCODING_IDENTITY, GRPC_ENCODING_GZIP, GRPC_ENCODING_OTHER };

struct grpc_call {
    const struct grpc_call_host *host;
    struct grpc_call *next, *previous; /* of its session's */
    struct grpc_call *next_ended;      /* for the host */
    struct grpc_session *session;
    int32_t stream_id; /* 0: the stream is closed */
    unsigned holders;
    atomic_bool abandoned;
    enum grpc_call_state state;

    /* ---- The host's own: the check of its password ---- */
    struct http_rules *rules;
    bool checking, is_welcome;

    /* ---- The request ---- */
    const struct grpc_method *method;
    struct strbuf metadata; /* key, zero, value, zero, … */
    size_t header_bytes;
    char remote[96];
    enum grpc_call_encoding encoding;
    int64_t begun_ms, deadline_ms, answered_ms;
    bool request_ended;
    uint8_t prefix[GRPC_PREFIX_BYTES];
    size_t prefix_size;
    bool compressed;
    size_t announced;
    size_t charged;
    struct strbuf wire, plain; /* the message as it came; without gzip */

    /* ---- The answer ---- */
    unsigned http_status; /* 200, or one that ends the call without a word of gRPC */
    enum grpc_status status;
    struct strbuf reply, sentence;
    int64_t retry_after_ms; /* -1: none */
    size_t sent;            /* of the prefix and the reply */
};

/* Held by its stream. NULL: memory is short. */
struct grpc_call *grpc_call_new(const struct grpc_call_host *host, int64_t now_ms);
void grpc_call_unref(struct grpc_call *call);
/* Keeps a header; false when they are too many or memory is short. */
bool grpc_call_add_header(struct grpc_call *call, struct str key, struct str value);
/* All headers are there: finds method, encoding, deadline. 0, or an error when the call has been given its
 * answer: it was refused. */
int grpc_call_open(struct grpc_call *call);
/* Bytes of the message. As grpc_call_open. */
int grpc_call_add(struct grpc_call *call, struct str bytes);
/* The request has ended. As grpc_call_open. */
int grpc_call_close(struct grpc_call *call);
/* Decompresses and calls the handler, on its thread. */
void grpc_call_run(struct grpc_call *call);
/* Sets the answer, without telling anybody. */
void grpc_call_set_failure(
    struct grpc_call *call, enum grpc_status status, const char *sentence, int64_t retry_after_ms);

#endif
