/* Halves of calls: a round trip, golden bytes written from the description, and bytes that are none. */
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "support/support.h"
#include "wire/half_edge.h"
#include "wire/otlp_traces.h"

static void expect_half(const struct half_edge *a, const struct half_edge *b)
{
    assert_true(trace_id_eq(a->trace_id, b->trace_id));
    assert_int_equal(a->span_id, b->span_id);
    assert_int_equal(a->is_server, b->is_server);
    assert_int_equal(a->failed, b->failed);
    assert_int_equal(a->messaging, b->messaging);
    assert_int_equal(a->database, b->database);
    assert_true(str_eq(a->service, b->service));
    assert_true(str_eq(a->peer, b->peer));
    assert_int_equal(a->duration_ns, b->duration_ns);
    assert_true(a->weight == b->weight);
}

static void make_half(uint64_t i, char *names, struct half_edge *half)
{
    snprintf(names, 40, "service %llu", (unsigned long long)(i % 97));
    snprintf(names + 40, 40, "peer %llu", (unsigned long long)(i % 89));
    *half = (struct half_edge){
        .trace_id = {i * 7, i + 1},
        .span_id = i % 5 == 0 ? 0 : i << 40 | i,
        .is_server = i % 2 == 0,
        .failed = i % 3 == 0,
        .messaging = i % 7 == 0,
        .database = i % 11 == 0,
        .service = str_of(names),
        .peer = i % 4 == 0 ? STR("") : str_of(names + 40),
        .duration_ns = i * i * 1000003,
        .weight = i % 6 == 0 ? 1 : (double)i + 0.5,
    };
}

static void test_round_trip(void **state)
{
    enum { COUNT = 1000 };
    struct half_edge_encoder *encoder;
    struct half_edge_reader reader;
    struct half_edge half, read;
    struct strbuf message = STRBUF_INIT;
    struct arena arena;
    char names[80];
    arena_init(&arena, 0);
    assert_int_equal(half_edge_encoder_new(&encoder), 0);
    for (int round = 0; round < 2; round++) { /* two lists in one message */
        for (uint64_t i = 0; i < COUNT; i++) {
            make_half(i, names, &half);
            assert_int_equal(half_edge_encoder_add(encoder, &half), 0);
        }
        half_edge_encoder_truncate(encoder, COUNT / 2 + 1);
        half_edge_encoder_truncate(encoder, COUNT / 2);
        assert_int_equal(half_edge_encoder_count(encoder), COUNT / 2);
        half_edge_encoder_finish(encoder, &message);
        assert_int_equal(half_edge_encoder_count(encoder), 0);
    }
    assert_int_equal(strbuf_error(&message), 0);
    half_edge_reader_init(&reader, strbuf_str(&message), &arena);
    for (uint64_t i = 0; i < COUNT; i++) {
        make_half(i % (COUNT / 2), names, &half);
        assert_int_equal(half_edge_reader_next(&reader, &read), 1);
        expect_half(&read, &half);
    }
    assert_int_equal(half_edge_reader_next(&reader, &read), 0);
    /* Receivers of spans find a good message without spans. */
    struct otlp_traces *walker;
    struct otlp_span span;
    assert_int_equal(otlp_traces_new(&walker), 0);
    assert_int_equal(otlp_traces_begin(walker, strbuf_str(&message), NULL), 0);
    assert_int_equal(otlp_traces_next(walker, &span), 0);
    otlp_traces_free(walker);
    half_edge_encoder_free(encoder);
    strbuf_release(&message);
    arena_release(&arena);
}

/* Key 15001 << 3 | 2 = 120010 = ca a9 07. */
static const char golden[] = "\xca\xa9\x07\x2e"
                             "\x0a\x01"
                             "a"
                             "\x0a\x02"
                             "db"
                             "\x12\x25"
                             "\x00\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0a\x0b\x0c\x0d\x0e\x0f"
                             "\x10\x11\x12\x13\x14\x15\x16\x17"
                             "\x1a\x00\x02\xac\x02"
                             "\x00\x00\x00\x00\x00\x00\x00\x40"; /* 2.0 */

static void test_golden_bytes(void **state)
{
    const struct half_edge half = {
        .trace_id = {0x0001020304050607, 0x08090a0b0c0d0e0f},
        .span_id = 0x1011121314151617,
        .failed = true,
        .database = true,
        .service = STR("a"),
        .peer = STR("db"),
        .duration_ns = 300,
        .weight = 2,
    };
    const struct str bytes = str_make(golden, sizeof(golden) - 1);
    struct half_edge_encoder *encoder;
    struct half_edge_reader reader;
    struct half_edge read;
    struct strbuf message = STRBUF_INIT;
    struct arena arena;
    arena_init(&arena, 0);
    assert_int_equal(half_edge_encoder_new(&encoder), 0);
    assert_int_equal(half_edge_encoder_add(encoder, &half), 0);
    half_edge_encoder_finish(encoder, &message);
    assert_int_equal(message.size, bytes.len);
    assert_memory_equal(message.data, golden, message.size);
    half_edge_reader_init(&reader, bytes, &arena);
    assert_int_equal(half_edge_reader_next(&reader, &read), 1);
    expect_half(&read, &half);
    assert_int_equal(half_edge_reader_next(&reader, &read), 0);
    half_edge_encoder_free(encoder);
    strbuf_release(&message);
    arena_release(&arena);
}

/* Each byte of the golden message changed to each value: never more than one half, and no crash. */
static void test_damaged_bytes(void **state)
{
    char bytes[sizeof(golden) - 1];
    for (size_t at = 0; at < sizeof(bytes); at++) {
        for (int value = 0; value < 256; value++) {
            struct half_edge_reader reader;
            struct half_edge read;
            struct arena arena;
            int count = 0;
            memcpy(bytes, golden, sizeof(bytes));
            bytes[at] = (char)value;
            arena_init(&arena, 0);
            half_edge_reader_init(&reader, str_make(bytes, sizeof(bytes)), &arena);
            while (half_edge_reader_next(&reader, &read) == 1) {
                assert_true(++count <= 1);
                assert_true(read.service.len <= HALF_EDGES_TEXT_BYTES_MAX);
                assert_true(read.weight > 0);
            }
            arena_release(&arena);
        }
    }
    static const struct {
        size_t at;
        char value;
    } rows[] = {{33 + 4, '\x3a'} /* a flag that is none */, {34 + 4, 9} /* no such text */,
        {35 + 4, 9}, {sizeof(golden) - 2, '\xc0'} /* a negative weight */};
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct half_edge_reader reader;
        struct half_edge read;
        struct arena arena;
        memcpy(bytes, golden, sizeof(bytes));
        bytes[rows[i].at] = rows[i].value;
        arena_init(&arena, 0);
        half_edge_reader_init(&reader, str_make(bytes, sizeof(bytes)), &arena);
        int status = half_edge_reader_next(&reader, &read);
        if (status != ERR_CORRUPT) {
            fail_msg("row %zu: %d, expected %d", i, status, ERR_CORRUPT);
        }
        arena_release(&arena);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round_trip),
        cmocka_unit_test(test_golden_bytes),
        cmocka_unit_test(test_damaged_bytes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
