/* A connection of the gRPC server that is sent arbitrary bytes, in pieces of arbitrary size: the first byte
 * chooses the size, the second whether handlers answer at once or when the connection is gone. Nothing is
 * leaked or kept beyond the limits; bytes of messages are all given back. */
#include <assert.h>

#include "grpc_server_session.h"
#include "support/fake_clock.h"

enum { HELD_MAX = 8, MESSAGE_MAX = 4096 };

struct world {
    struct grpc_call *held[HELD_MAX];
    size_t held_count, charged;
    bool hold;
};

static void handle(struct grpc_call *call, void *context)
{
    struct strbuf out = STRBUF_INIT;
    (void)context;
    strbuf_add_str(&out, grpc_call_message(call));
    grpc_call_reply(call, &out);
}

static void on_begun(void *context, struct grpc_call *call)
{
    (void)context;
    assert(grpc_call_metadata(call, ":path").ptr != NULL);
}

static void on_complete(void *context, struct grpc_call *call)
{
    struct world *w = context;
    call->holders++;
    if (w->hold) {
        assert(w->held_count < HELD_MAX);
        w->held[w->held_count++] = call;
    } else {
        grpc_call_run(call);
    }
}

static void on_ended(void *context, struct grpc_call *call)
{
    (void)context;
    grpc_session_answer(call, 1000);
}

static bool charge(void *context, size_t bytes)
{
    struct world *w = context;
    w->charged += bytes;
    assert(w->charged <= HELD_MAX * MESSAGE_MAX);
    return true;
}

static void discharge(void *context, size_t bytes)
{
    struct world *w = context;
    assert(w->charged >= bytes);
    w->charged -= bytes;
}

static void carry(struct grpc_session *session, struct str bytes, size_t piece)
{
    int status = 0;
    while (bytes.len > 0 && status == 0) {
        struct strbuf out = STRBUF_INIT;
        size_t size = piece < bytes.len ? piece : bytes.len;
        status = grpc_session_receive(session, str_make(bytes.ptr, size), 1000);
        if (status == 0) {
            (void)grpc_session_send(session, SIZE_MAX, &out); /* to nobody */
        }
        strbuf_release(&out);
        bytes = str_skip(bytes, size);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct grpc_method method = {"/a.B/C", handle, NULL, ""};
    static struct fake_clock clock;
    struct grpc_session *session;
    struct world w = {.hold = size > 1 && data[1] % 2 == 1};
    if (size < 2) {
        return 0;
    }
    fake_clock_init(&clock, 1700000000000);
    const struct grpc_server_options options = {.methods = &method,
        .method_count = 1,
        .streams_max = HELD_MAX,
        .message_max = MESSAGE_MAX,
        .messages_max = MESSAGE_MAX * HELD_MAX,
        .header_bytes_max = 1024,
        .handshake_ms = 1000,
        .idle_ms = 1000,
        .message_ms = 1000,
        .resets_max = 10,
        .clock = &clock.clock};
    const struct grpc_call_host host = {
        &w, &options, on_begun, on_complete, on_ended, charge, discharge};
    int status = grpc_session_new(&host, NULL, "fuzzer", 1000, &session);
    assert(status == 0);
    carry(session, str_make((const char *)data + 2, size - 2), data[0] + (size_t)1);
    (void)grpc_session_check(session, 5000);
    grpc_session_shut_down(session);
    grpc_session_free(session);
    while (w.held_count > 0) {
        grpc_call_run(w.held[--w.held_count]);
    }
    assert(w.charged == 0);
    return 0;
}
