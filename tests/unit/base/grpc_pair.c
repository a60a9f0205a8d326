/* Both ends of a connection, in memory. */
#include "grpc_pair.h"

#include "support/support.h"

static void handle_echo(struct grpc_call *call, void *context)
{
    struct grpc_pair *p = call->host->context;
    struct strbuf out = STRBUF_INIT;
    (void)context;
    p->handled++;
    strbuf_add_str(&out, grpc_call_message(call));
    grpc_call_reply(call, &out);
}

static void handle_fail(struct grpc_call *call, void *context)
{
    struct str message = grpc_call_message(call);
    char sentence[2000] = "";
    (void)context;
    memcpy(sentence, message.ptr + 1, message.len - 1);
    grpc_call_fail(call, (enum grpc_status)message.ptr[0], sentence, -1);
}

static void handle_busy(struct grpc_call *call, void *context)
{
    (void)context;
    grpc_call_fail(call, GRPC_UNAVAILABLE, "busy", 1500);
}

const struct grpc_method grpc_pair_methods[] = {
    {"/test.Echo/Echo", handle_echo, NULL, "Answers its message"},
    {"/test.Echo/Fail", handle_fail, NULL, "Fails as it is told"},
    {"/test.Echo/Busy", handle_busy, NULL, "Is busy"},
};
const size_t grpc_pair_method_count = sizeof(grpc_pair_methods) / sizeof(grpc_pair_methods[0]);

static int64_t now_ms(const struct grpc_pair *p)
{
    return clock_monotonic_ms(p->options.clock);
}

static void on_begun(void *context, struct grpc_call *call)
{
    (void)context, (void)call;
}

static void on_complete(void *context, struct grpc_call *call)
{
    struct grpc_pair *p = context;
    call->holders++;
    if (p->hold) {
        assert_true(p->held_count < GRPC_PAIR_HELD_MAX);
        p->held[p->held_count++] = call;
    } else {
        grpc_call_run(call);
    }
}

static void on_ended(void *context, struct grpc_call *call)
{
    grpc_session_answer(call, now_ms(context));
}

static bool charge(void *context, size_t bytes)
{
    struct grpc_pair *p = context;
    if (p->charged + bytes > p->charge_max) {
        return false;
    }
    p->charged += bytes;
    return true;
}

static void discharge(void *context, size_t bytes)
{
    struct grpc_pair *p = context;
    assert_true(p->charged >= bytes);
    p->charged -= bytes;
}

#define USUAL(member, value) o->member = o->member != 0 ? o->member : (value)

void grpc_pair_init(struct grpc_pair *p, struct grpc_server_options options)
{
    *p = (struct grpc_pair){.options = options, .charge_max = SIZE_MAX / 2};
    struct grpc_server_options *o = &p->options;
    fake_clock_init(&p->clock, 1700000000000);
    o->clock = &p->clock.clock;
    o->methods = grpc_pair_methods;
    o->method_count = grpc_pair_method_count;
    USUAL(streams_max, 8);
    USUAL(message_max, 64 * 1024);
    USUAL(header_bytes_max, 1024);
    USUAL(handshake_ms, 10000);
    USUAL(idle_ms, 300000);
    USUAL(message_ms, 60000);
    USUAL(resets_max, 10);
    p->host = (struct grpc_call_host){p, o, on_begun, on_complete, on_ended, charge, discharge};
    assert_int_equal(grpc_session_new(&p->host, p, "127.0.0.1:5", now_ms(p), &p->session), 0);
    grpc_client_init(&p->client);
}

void grpc_pair_release(struct grpc_pair *p)
{
    grpc_session_free(p->session);
    p->session = NULL;
    while (p->held_count > 0) {
        grpc_pair_resume(p, p->held_count - 1);
    }
    grpc_client_release(&p->client);
    assert_int_equal(p->charged, 0);
}

void grpc_pair_feed(struct grpc_pair *p, struct str bytes)
{
    while (bytes.len > 0 && p->status == 0) {
        size_t piece = p->piece != 0 && p->piece < bytes.len ? p->piece : bytes.len;
        p->status = grpc_session_receive(p->session, str_make(bytes.ptr, piece), now_ms(p));
        bytes = str_skip(bytes, piece);
    }
}

void grpc_pair_pump(struct grpc_pair *p)
{
    bool moved = true;
    while (moved) {
        struct strbuf there = STRBUF_INIT, back = STRBUF_INIT;
        grpc_client_output(&p->client, &there);
        grpc_pair_feed(p, strbuf_str(&there));
        (void)grpc_session_send(p->session, SIZE_MAX, &back); /* tests look at what came */
        if (back.size > 0) {
            grpc_client_input(&p->client, strbuf_str(&back));
        }
        moved = (there.size > 0 && p->status == 0) || back.size > 0;
        strbuf_release(&there);
        strbuf_release(&back);
    }
}

size_t grpc_pair_call(struct grpc_pair *p, const char *path, struct str message)
{
    struct strbuf body = STRBUF_INIT;
    grpc_client_frame(&body, false, message);
    size_t index = grpc_client_call(
        &p->client, &(struct grpc_client_request){.path = path, .body = strbuf_str(&body)});
    strbuf_release(&body);
    return index;
}

void grpc_pair_resume(struct grpc_pair *p, size_t index)
{
    struct grpc_call *call = p->held[index];
    p->held[index] = p->held[--p->held_count];
    grpc_call_run(call);
}
