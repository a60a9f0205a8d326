/* A connection of the gRPC server without a socket: what is called and what is answered, as gRPC's
 * specification ("gRPC over HTTP2", "Status codes and their use") has it, and what each limit does.
 */
#include "grpc_pair.h"
#include "support/support.h"

#include <nghttp2/nghttp2.h>
#include <stdio.h>

#include "base/gzip.h"
#include "base/mem.h"

static char large[100000];

static const struct grpc_client_answer *answer(const struct grpc_pair *p, size_t index)
{
    return &p->client.answers[index];
}

static const char *text_of(const struct strbuf *b)
{
    static char text[4096];
    snprintf(text, sizeof(text), "%.*s", (int)b->size, b->data != NULL ? b->data : "");
    return text;
}

static void check_answer(const struct grpc_pair *p, size_t index, int status, const char *sentence)
{
    const struct grpc_client_answer *a = answer(p, index);
    if (a->status != status || !str_eq_c(strbuf_str(&a->sentence), sentence)) {
        fail_msg("call %zu: expected %d \"%s\", got %d \"%s\"", index, status, sentence, a->status,
            text_of(&a->sentence));
    }
    assert_true(a->closed);
    assert_int_equal(a->reset_code, 0);
    assert_int_equal(a->http_status, 200);
}

/* ---- Calls ---- */

#define ONE_MESSAGE "a call of this method has one message"

static void test_calls(void **state)
{
    static const struct {
        struct grpc_client_request request;
        unsigned http_status;
        int status;
        const char *sentence;
    } cases[] = {
        {{.path = "/test.Echo/Nothing", .body = {"\0\0\0\0\0", 5}}, 200, GRPC_UNIMPLEMENTED,
            "there is no method /test.Echo/Nothing"},
        {{.path = "/test.Echo/Echo", .body = {"\0\0\0\0\0", 5}}, 200, GRPC_OK, ""},
        {{.path = "/test.Echo/Echo", .body = {"\0\0\0\0\1x", 6}}, 200, GRPC_OK, ""},
        {{.path = "/test.Echo/Echo", .body = {"", 0}}, 200, GRPC_UNIMPLEMENTED, ONE_MESSAGE},
        {{.path = "/test.Echo/Echo", .body = {"\0\0\0\0\1xy", 7}}, 200, GRPC_UNIMPLEMENTED,
            ONE_MESSAGE},
        {{.path = "/test.Echo/Echo", .body = {"\0\0\0\0\2x", 6}}, 200, GRPC_INTERNAL,
            "the message is cut short"},
        {{.path = "/test.Echo/Echo", .body = {"\0\0\0", 3}}, 200, GRPC_INTERNAL,
            "the message is cut short"},
        {{.path = "/test.Echo/Echo", .body = {"\2\0\0\0\1x", 6}}, 200, GRPC_INTERNAL,
            "a message begins with neither 0 nor 1"},
        {{.path = "/test.Echo/Echo", .body = {"\1\0\0\0\1x", 6}}, 200, GRPC_INTERNAL,
            "the message is compressed, and grpc-encoding does not say how"},
        {{.path = "/test.Echo/Echo", .encoding = "snappy", .body = {"\1\0\0\0\1x", 6}}, 200,
            GRPC_UNIMPLEMENTED, "grpc-encoding: gzip and identity are accepted"},
        {{.path = "/test.Echo/Echo", .encoding = "snappy", .body = {"\0\0\0\0\1x", 6}}, 200,
            GRPC_OK, ""},
        {{.path = "/test.Echo/Echo", .encoding = "gzip", .body = {"\1\0\0\0\1x", 6}}, 200,
            GRPC_INTERNAL, "the message is not gzip"},
        {{.path = "/test.Echo/Echo", .body = {"\0\0\1\0\1x", 6}}, 200, GRPC_RESOURCE_EXHAUSTED,
            "the message is larger than 65536 bytes"},
        {{.path = "/test.Echo/Echo", .timeout = "soon", .body = {"\0\0\0\0\0", 5}}, 200,
            GRPC_INTERNAL, "grpc-timeout is not a time"},
        {{.path = "/test.Echo/Echo", .timeout = "0m", .body = {"\0\0\0\0\0", 5}}, 200,
            GRPC_DEADLINE_EXCEEDED, "the deadline has passed"},
        {{.path = "/test.Echo/Echo", .method = "GET", .body = {"\0\0\0\0\0", 5}}, 405, -1, ""},
        {{.path = "/test.Echo/Echo", .content_type = "application/json", .body = {"{}", 2}}, 415,
            -1, ""},
        {{.path = "/test.Echo/Echo", .content_type = "", .body = {"\0\0\0\0\0", 5}}, 415, -1, ""},
        {{.path = "/test.Echo/Fail", .body = {"\0\0\0\0\x8\3no: 5 %", 13}}, 200,
            GRPC_INVALID_ARGUMENT, "no: 5 %25"},
    };
    for (size_t piece = 0; piece < 3; piece++) {
        for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
            struct grpc_pair p;
            grpc_pair_init(&p, (struct grpc_server_options){0});
            p.piece = piece; /* as it comes; byte by byte; two by two */
            size_t index = grpc_client_call(&p.client, &cases[i].request);
            grpc_pair_pump(&p);
            const struct grpc_client_answer *a = answer(&p, index);
            if (a->http_status != cases[i].http_status || a->status != cases[i].status ||
                !str_eq_c(strbuf_str(&a->sentence), cases[i].sentence) || !a->closed) {
                fail_msg("case %zu: expected %u %d \"%s\", got %u %d \"%s\"%s", i,
                    cases[i].http_status, cases[i].status, cases[i].sentence, a->http_status,
                    a->status, text_of(&a->sentence), a->closed ? "" : ", open");
            }
            assert_int_equal(p.status, 0);
            grpc_pair_release(&p);
        }
    }
}

static void test_echo(void **state)
{
    static const size_t sizes[] = {0, 1, 16383, 16384, 65535, 65536};
    struct grpc_pair p;
    grpc_pair_init(&p, (struct grpc_server_options){0});
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        struct str message = str_make(large, sizes[i]);
        size_t index = grpc_pair_call(&p, "/test.Echo/Echo", message);
        grpc_pair_pump(&p);
        check_answer(&p, index, GRPC_OK, "");
        struct str got = grpc_client_message(answer(&p, index));
        assert_true(str_eq(got, message));
        assert_string_equal(text_of(&answer(&p, index)->content_type), "application/grpc");
    }
    grpc_pair_release(&p);
}

static void test_gzip(void **state)
{
    static const struct {
        size_t plain;
        int status;
        const char *sentence;
    } cases[] = {
        {1000, GRPC_OK, ""},
        {65536, GRPC_OK, ""},
        {65537, GRPC_RESOURCE_EXHAUSTED, "the message is larger than 65536 bytes"},
        {100000, GRPC_RESOURCE_EXHAUSTED, "the message is larger than 65536 bytes"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct grpc_pair p;
        struct strbuf packed = STRBUF_INIT, body = STRBUF_INIT;
        grpc_pair_init(&p, (struct grpc_server_options){0});
        assert_int_equal(gzip_encode(str_make(large, cases[i].plain), 6, &packed), 0);
        grpc_client_frame(&body, true, strbuf_str(&packed));
        size_t index = grpc_client_call(&p.client,
            &(struct grpc_client_request){
                .path = "/test.Echo/Echo", .encoding = "gzip", .body = strbuf_str(&body)});
        grpc_pair_pump(&p);
        check_answer(&p, index, cases[i].status, cases[i].sentence);
        if (cases[i].status == GRPC_OK) {
            assert_int_equal(grpc_client_message(answer(&p, index)).len, cases[i].plain);
        }
        grpc_pair_release(&p);
        strbuf_release(&packed);
        strbuf_release(&body);
    }
}

/* RetryInfo{1.5 s} among the details: its bytes are tested in test_grpc_server_protocol.c. */
static void test_busy(void **state)
{
    struct grpc_pair p;
    grpc_pair_init(&p, (struct grpc_server_options){0});
    size_t busy = grpc_pair_call(&p, "/test.Echo/Busy", STR(""));
    size_t failed = grpc_pair_call(&p, "/test.Echo/Fail", STR("\x03no"));
    grpc_pair_pump(&p);
    check_answer(&p, busy, GRPC_UNAVAILABLE, "busy");
    check_answer(&p, failed, GRPC_INVALID_ARGUMENT, "no");
    assert_true(answer(&p, busy)->details.size > 0);
    assert_int_equal(answer(&p, failed)->details.size, 0);
    grpc_pair_release(&p);
}

/* ---- Limits ---- */

static void test_metadata_limit(void **state)
{
    for (int longer = 0; longer < 2; longer++) {
        struct grpc_pair p;
        char value[1024];
        grpc_pair_init(&p, (struct grpc_server_options){0});
        memset(value, 'v', sizeof(value));
        value[longer ? sizeof(value) - 1 : 500] = '\0';
        struct grpc_client_request request = {
            .path = "/test.Echo/Echo", .key = "x-large", .value = value, .body = {"\0\0\0\0\0", 5}};
        size_t index = grpc_client_call(&p.client, &request);
        grpc_pair_pump(&p);
        check_answer(&p, index, longer ? GRPC_RESOURCE_EXHAUSTED : GRPC_OK,
            longer ? "the metadata is larger than 1024 bytes" : "");
        grpc_pair_release(&p);
    }
}

/* A client that does not heed the setting: it has sent all of its calls before it could know of it. */
static void test_streams_limit(void **state)
{
    struct grpc_pair p;
    size_t refused = 0;
    grpc_pair_init(&p, (struct grpc_server_options){.streams_max = 3});
    p.hold = true;
    for (int i = 0; i < 5; i++) {
        grpc_pair_call(&p, "/test.Echo/Echo", STR("x"));
    }
    grpc_pair_pump(&p);
    assert_int_equal(p.held_count, 3);
    assert_int_equal(grpc_session_calls(p.session), 3);
    while (p.held_count > 0) {
        grpc_pair_resume(&p, 0);
    }
    grpc_pair_pump(&p);
    for (size_t i = 0; i < 5; i++) {
        refused += answer(&p, i)->reset_code == NGHTTP2_REFUSED_STREAM;
    }
    assert_int_equal(refused, 2);
    grpc_pair_release(&p);
}

/* Handlers whose clients are gone hold their places. */
static void test_abandoned_calls_count(void **state)
{
    struct grpc_pair p;
    grpc_pair_init(&p, (struct grpc_server_options){.streams_max = 3});
    p.hold = true;
    for (int i = 0; i < 6; i++) {
        size_t index = grpc_pair_call(&p, "/test.Echo/Echo", STR("x"));
        grpc_pair_pump(&p);
        if (!answer(&p, index)->closed) {
            grpc_client_reset(&p.client, index);
            grpc_pair_pump(&p);
        }
    }
    assert_int_equal(p.held_count, 3);
    for (size_t i = 0; i < 3; i++) {
        assert_true(grpc_call_is_abandoned(p.held[i]));
    }
    while (p.held_count > 0) {
        grpc_pair_resume(&p, 0);
    }
    assert_int_equal(grpc_session_calls(p.session), 0);
    p.hold = false;
    size_t after = grpc_pair_call(&p, "/test.Echo/Echo", STR("x"));
    grpc_pair_pump(&p);
    check_answer(&p, after, GRPC_OK, "");
    grpc_pair_release(&p);
}

static void reset_one(struct grpc_pair *p)
{
    size_t index = grpc_client_call(
        &p->client, &(struct grpc_client_request){.path = "/test.Echo/Echo", .open = true});
    grpc_pair_pump(p);
    grpc_client_reset(&p->client, index);
    grpc_pair_pump(p);
}

static void test_rapid_reset(void **state)
{
    struct grpc_pair p;
    grpc_pair_init(&p, (struct grpc_server_options){.resets_max = 10});
    for (int i = 0; i < 10; i++) {
        reset_one(&p);
    }
    assert_int_equal(p.status, 0);
    /* Half of the period gives half of them back. */
    fake_clock_advance_ms(&p.clock, GRPC_RESETS_PERIOD_MS / 2);
    for (int i = 0; i < 5; i++) {
        reset_one(&p);
    }
    assert_int_equal(p.status, 0);
    assert_false(p.client.gone_away);
    reset_one(&p);
    assert_int_equal(p.status, ERR_LIMIT);
    assert_true(p.client.gone_away);
    assert_int_equal(p.client.goaway_code, NGHTTP2_ENHANCE_YOUR_CALM);
    grpc_pair_release(&p);
}

static void test_memory_of_all_calls(void **state)
{
    struct grpc_pair p;
    grpc_pair_init(&p, (struct grpc_server_options){0});
    p.charge_max = 1000;
    p.hold = true;
    size_t first = grpc_pair_call(&p, "/test.Echo/Echo", str_make(large, 800));
    size_t second = grpc_pair_call(&p, "/test.Echo/Echo", str_make(large, 800));
    grpc_pair_pump(&p);
    check_answer(&p, second, GRPC_RESOURCE_EXHAUSTED,
        "all calls together have too many bytes; send again later");
    assert_true(answer(&p, second)->details.size > 0);
    grpc_pair_resume(&p, 0);
    grpc_pair_pump(&p);
    check_answer(&p, first, GRPC_OK, "");
    assert_int_equal(p.charged, 0);
    grpc_pair_release(&p);
}

/* ---- Time ---- */

static void test_handshake_timeout(void **state)
{
    struct grpc_pair p;
    grpc_pair_init(&p, (struct grpc_server_options){0});
    grpc_pair_feed(&p, STR("PRI * HTTP/2.0\r\n\r\n"));
    fake_clock_advance_ms(&p.clock, 9999);
    assert_int_equal(grpc_session_check(p.session, clock_monotonic_ms(&p.clock.clock)), 0);
    fake_clock_advance_ms(&p.clock, 1);
    assert_int_equal(
        grpc_session_check(p.session, clock_monotonic_ms(&p.clock.clock)), ERR_TIMEOUT);
    grpc_pair_release(&p);
}

static void check_after(struct grpc_pair *p, int64_t ms)
{
    fake_clock_advance_ms(&p->clock, ms);
    assert_int_equal(grpc_session_check(p->session, clock_monotonic_ms(&p->clock.clock)), 0);
    grpc_pair_pump(p);
}

static void test_message_timeout(void **state)
{
    struct grpc_pair p;
    grpc_pair_init(&p, (struct grpc_server_options){0});
    struct grpc_client_request request = {
        .path = "/test.Echo/Echo", .body = {"\0\0\0\0\2x", 6}, .open = true};
    size_t index = grpc_client_call(&p.client, &request);
    grpc_pair_pump(&p);
    check_after(&p, 59999);
    assert_false(answer(&p, index)->closed);
    check_after(&p, 1);
    check_answer(&p, index, GRPC_DEADLINE_EXCEEDED, "the message did not arrive in 60000 ms");
    grpc_pair_release(&p);
}

static void test_idle_timeout(void **state)
{
    struct grpc_pair p;
    grpc_pair_init(&p, (struct grpc_server_options){0});
    grpc_pair_call(&p, "/test.Echo/Echo", STR("x"));
    grpc_pair_pump(&p);
    check_after(&p, 299999);
    assert_false(p.client.gone_away);
    check_after(&p, 1);
    assert_true(p.client.gone_away);
    assert_int_equal(p.client.goaway_code, NGHTTP2_NO_ERROR);
    assert_true(grpc_session_is_over(p.session));
    grpc_pair_release(&p);
}

/* ---- The end ---- */

static void test_shut_down(void **state)
{
    struct grpc_pair p;
    grpc_pair_init(&p, (struct grpc_server_options){0});
    p.hold = true;
    size_t held = grpc_pair_call(&p, "/test.Echo/Echo", STR("x"));
    size_t half = grpc_client_call(
        &p.client, &(struct grpc_client_request){
                       .path = "/test.Echo/Echo", .body = {"\0\0\0\0\2x", 6}, .open = true});
    grpc_pair_pump(&p);
    grpc_session_shut_down(p.session);
    grpc_pair_pump(&p);
    assert_true(p.client.gone_away);
    assert_int_equal(answer(&p, half)->reset_code, NGHTTP2_REFUSED_STREAM);
    assert_false(grpc_session_is_over(p.session));
    grpc_pair_resume(&p, 0);
    grpc_pair_pump(&p);
    check_answer(&p, held, GRPC_OK, "");
    assert_true(grpc_session_is_over(p.session));
    grpc_pair_release(&p);
}

/* The connection goes while handlers have their calls. */
static void test_lost_connection(void **state)
{
    struct grpc_pair p;
    grpc_pair_init(&p, (struct grpc_server_options){0});
    p.hold = true;
    grpc_pair_call(&p, "/test.Echo/Echo", str_make(large, 5000));
    grpc_pair_call(&p, "/test.Echo/Echo", str_make(large, 5000));
    grpc_client_call(
        &p.client, &(struct grpc_client_request){
                       .path = "/test.Echo/Echo", .body = {"\0\0\0\0\2x", 6}, .open = true});
    grpc_pair_pump(&p);
    assert_int_equal(p.held_count, 2);
    grpc_session_free(p.session);
    p.session = NULL;
    assert_true(grpc_call_is_abandoned(p.held[0]));
    assert_int_equal(p.charged, 10000);
    grpc_pair_release(&p); /* resumes them, and looks at what is charged */
    assert_int_equal(p.handled, 2);
}

/* ---- Hostile bytes ---- */

#define MAGIC "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
#define SETTINGS "\0\0\0\4\0\0\0\0\0"

static void test_other_protocols(void **state)
{
    static const struct {
        struct str bytes;
        int status;
    } cases[] = {
        {STR("GET / HTTP/1.1\r\n\r\n"), ERR_UNSUPPORTED},
        {STR("POST /v1/traces HTTP/1.1\r\n\r\n"), ERR_UNSUPPORTED},
        {STR("\x16\x03\x01\x02"), ERR_UNSUPPORTED},
        {STR("PRI * HTTP/2.0\r\n\r\nXX"), ERR_UNSUPPORTED},
        {STR("PRI"), 0},
        {STR(MAGIC SETTINGS), 0},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct grpc_pair p;
        grpc_pair_init(&p, (struct grpc_server_options){0});
        grpc_pair_feed(&p, cases[i].bytes);
        if (p.status != cases[i].status) {
            fail_msg("case %zu: expected %d, got %d", i, cases[i].status, p.status);
        }
        grpc_pair_release(&p);
    }
}

/* Each ends the connection, at the latest after so many frames, without having kept much. */
static void test_floods(void **state)
{
    static const struct {
        const char *what;
        struct str frame;
        size_t frames;
        bool reads; /* the client takes our answers */
    } cases[] = {
        {"PING",
            STR("\0\0\x8\6\0\0\0\0\0"
                "12345678"),
            300, false},
        {"SETTINGS", STR(SETTINGS), 300, false},
        {"SETTINGS of 33 entries",
            STR("\0\0\xc6\4\0\0\0\0\0"
                "\0\4\0\0\1\0\0\4\0\0\1\0\0\4\0\0\1\0\0\4\0\0\1\0\0\4\0\0\1\0\0\4\0\0\1\0"
                "\0\4\0\0\1\0\0\4\0\0\1\0\0\4\0\0\1\0\0\4\0\0\1\0\0\4\0\0\1\0\0\4\0\0\1\0"
                "\0\4\0\0\1\0\0\4\0\0\1\0\0\4\0\0\1\0\0\4\0\0\1\0\0\4\0\0\1\0\0\4\0\0\1\0"
                "\0\4\0\0\1\0\0\4\0\0\1\0\0\4\0\0\1\0\0\4\0\0\1\0\0\4\0\0\1\0\0\4\0\0\1\0"
                "\0\4\0\0\1\0\0\4\0\0\1\0\0\4\0\0\1\0\0\4\0\0\1\0\0\4\0\0\1\0\0\4\0\0\1\0"
                "\0\4\0\0\1\0\0\4\0\0\1\0\0\4\0\0\1\0"),
            1, true},
        {"DATA of stream 0", STR("\0\0\1\0\0\0\0\0\0x"), 1, true},
        {"DATA of a stream that is not there", STR("\0\0\1\0\0\0\0\0\1x"), 1, true},
        {"HEADERS of an even stream", STR("\0\0\1\1\4\0\0\0\2\x82"), 1, true},
        {"CONTINUATION without HEADERS", STR("\0\0\1\x9\4\0\0\0\1\x82"), 1, true},
        {"a frame larger than allowed", STR("\0\x40\1\0\0\0\0\0\1"), 1, true},
        {"PUSH_PROMISE", STR("\0\0\5\5\4\0\0\0\1\0\0\0\2\x82"), 1, true},
        {"a window that overflows", STR("\0\0\4\x8\0\0\0\0\0\x7f\xff\xff\xff"), 1, true},
        {"HPACK that is none", STR("\0\0\2\1\4\0\0\0\1\xff\xff"), 1, true},
        {"HEADERS, then PING",
            STR("\0\0\1\1\0\0\0\0\1\x82\0\0\x8\6\0\0\0\0\0"
                "12345678"),
            1, true},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct grpc_pair p;
        struct strbuf out = STRBUF_INIT;
        grpc_pair_init(&p, (struct grpc_server_options){0});
        grpc_pair_feed(&p, STR(MAGIC SETTINGS));
        for (size_t n = 0; n < cases[i].frames && p.status == 0; n++) {
            grpc_pair_feed(&p, cases[i].frame);
            if (cases[i].reads) {
                (void)grpc_session_send(p.session, SIZE_MAX, &out);
            }
        }
        if (p.status == 0 && !grpc_session_is_over(p.session)) {
            fail_msg("%s: the connection goes on", cases[i].what);
        }
        assert_int_equal(p.handled, 0);
        assert_true(out.size < 1000);
        strbuf_release(&out);
        grpc_pair_release(&p);
    }
}

/* HEADERS without END_HEADERS, and CONTINUATION after CONTINUATION. */
static void test_continuations(void **state)
{
    struct grpc_pair p;
    grpc_pair_init(&p, (struct grpc_server_options){0});
    grpc_pair_feed(&p, STR(MAGIC SETTINGS "\0\0\1\1\0\0\0\0\1\x82"));
    for (int i = 0; i < 20 && p.status == 0; i++) {
        grpc_pair_feed(&p, STR("\0\0\1\x9\0\0\0\0\1\x84"));
    }
    assert_true(p.status != 0 || grpc_session_is_over(p.session));
    grpc_pair_release(&p);
}

/* What the server must reset is an attack of the same kind: a client that breaks the rules of its own
 * streams, each time after the handler has begun. */
static void test_provoked_resets(void **state)
{
    struct grpc_pair p;
    grpc_pair_init(&p, (struct grpc_server_options){.resets_max = 10});
    for (int i = 0; i < 20 && !p.client.gone_away; i++) {
        size_t index = grpc_client_call(
            &p.client, &(struct grpc_client_request){.path = "/test.Echo/Echo", .open = true});
        grpc_pair_pump(&p);
        int32_t id = answer(&p, index)->stream_id;
        /* WINDOW_UPDATE by 0: an error of the stream (RFC 9113, section 6.9). */
        const char frame[] = {0, 0, 4, 8, 0, 0, 0, (char)(id >> 8), (char)id, 0, 0, 0, 0};
        grpc_pair_feed(&p, str_make(frame, sizeof(frame)));
        grpc_pair_pump(&p);
    }
    assert_true(p.client.gone_away);
    grpc_pair_release(&p);
}

/* ---- Memory ---- */

static void test_short_of_memory(void **state)
{
    bool whole = false;
    for (uint64_t nth = 1; !whole; nth++) {
        struct grpc_pair p;
        assert_true(nth < 1000);
        grpc_pair_init(&p, (struct grpc_server_options){0});
        grpc_pair_call(&p, "/test.Echo/Echo", str_make(large, 3000));
        grpc_pair_call(&p, "/test.Echo/Busy", STR("x"));
        struct strbuf there = STRBUF_INIT, back = STRBUF_INIT;
        grpc_client_output(&p.client, &there);
        mem_fail_nth(nth);
        grpc_pair_feed(&p, strbuf_str(&there));
        int status = grpc_session_send(p.session, SIZE_MAX, &back);
        whole = mem_fail_pending();
        mem_fail_nth(0);
        assert_true(p.status == 0 || p.status == ERR_NOMEM || p.status == ERR_CORRUPT);
        assert_true(status == 0 || status == ERR_NOMEM || status == ERR_CORRUPT);
        strbuf_release(&there);
        strbuf_release(&back);
        grpc_pair_release(&p);
    }
}

static int set_up(void **state)
{
    uint64_t random = test_seed();
    for (size_t i = 0; i < sizeof(large); i++) {
        large[i] = (char)('a' + test_random(&random) % 4);
    }
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_calls),
        cmocka_unit_test(test_echo),
        cmocka_unit_test(test_gzip),
        cmocka_unit_test(test_busy),
        cmocka_unit_test(test_metadata_limit),
        cmocka_unit_test(test_streams_limit),
        cmocka_unit_test(test_abandoned_calls_count),
        cmocka_unit_test(test_rapid_reset),
        cmocka_unit_test(test_memory_of_all_calls),
        cmocka_unit_test(test_handshake_timeout),
        cmocka_unit_test(test_message_timeout),
        cmocka_unit_test(test_idle_timeout),
        cmocka_unit_test(test_shut_down),
        cmocka_unit_test(test_lost_connection),
        cmocka_unit_test(test_other_protocols),
        cmocka_unit_test(test_floods),
        cmocka_unit_test(test_continuations),
        cmocka_unit_test(test_provoked_resets),
        cmocka_unit_test(test_short_of_memory),
    };
    return cmocka_run_group_tests(tests, set_up, NULL);
}
