/* HTTP/2 of one connection of the gRPC server: bytes in, calls out; answers in, bytes out. No socket and no
 * clock of its own, so that tests and fuzzers drive it byte by byte. Private to the gRPC server. */
#ifndef SONDE_BASE_GRPC_SERVER_SESSION_H
#define SONDE_BASE_GRPC_SERVER_SESSION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/str.h"
#include "base/strbuf.h"
#include "grpc_server_call.h"

/* What a client may send before it is told that there is more room: of one call, of all of them. */
#define GRPC_STREAM_WINDOW (1 << 20)
#define GRPC_CONNECTION_WINDOW (4 << 20)

struct grpc_session;

/* `host` and `context` are borrowed; `remote` is copied into each call. ERR_NOMEM. */
int grpc_session_new(const struct grpc_call_host *host, void *context, const char *remote,
    int64_t now_ms, struct grpc_session **session_out);
/* Calls that their handlers hold go on without it. Accepts NULL. */
void grpc_session_free(struct grpc_session *s);
void *grpc_session_context(const struct grpc_session *s);

/* Takes bytes of the client. 0; ERR_UNSUPPORTED: it speaks something else than HTTP/2, nothing may be sent;
 * ERR_CORRUPT, ERR_LIMIT (a flood), ERR_NOMEM: send what is there to send and close. */
int grpc_session_receive(struct grpc_session *s, struct str bytes, int64_t now_ms);
/* Appends bytes for the client until `out` has `enough` or there are none. 0, ERR_NOMEM, ERR_CORRUPT. */
int grpc_session_send(struct grpc_session *s, size_t enough, struct strbuf *out);
/* Submits the answer that is in the call, which its handler holds no more; it may be gone after this. */
void grpc_session_answer(struct grpc_call *call, int64_t now_ms);
/* Submits the answer that is in a call which nobody has begun to handle; it may be gone after this. */
void grpc_session_refuse(struct grpc_call *call);
/* One holder less. */
void grpc_session_let_go(struct grpc_call *call);
/* Is there nothing to read and to send any more? */
bool grpc_session_is_over(const struct grpc_session *s);
size_t grpc_session_calls(const struct grpc_session *s);

/* What time does: refuses calls whose message does not come, ends connections that are idle. ERR_TIMEOUT:
 * close at once. */
int grpc_session_check(struct grpc_session *s, int64_t now_ms);
/* Tells the client to go elsewhere, and resets calls whose message is not complete: they may be sent again. */
void grpc_session_shut_down(struct grpc_session *s);

#endif
