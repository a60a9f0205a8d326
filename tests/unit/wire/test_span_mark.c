/* What agents say of a message they have worked on: bytes by hand from the protobuf encoding. */
#include "wire/span_mark.h"

#include "support/support.h"

/* 15002 << 3 | varint is 120016: 1010000 0101001 111 from its low end on. */
#define KEY "\xd0\xa9\x07"
/* 15001 << 3 | bytes is 120010: 1001010 0101001 111. */
#define HALVES "\xca\xa9\x07"

static void test_bytes(void **state)
{
    static const struct {
        struct str message;
        unsigned bits;
        bool halves;
    } rows[] = {
        {{"", 0}, 0, false},
        {{KEY "\x01", 4}, 1, false},
        {{KEY "\x03", 4}, 3, false},
        {{KEY "\x01" KEY "\x02", 8}, 3, false},         /* of two agents */
        {{"\x0a\x02\x12\x00" KEY "\x02", 8}, 2, false}, /* behind spans */
        {{HALVES "\x00" KEY "\x01", 8}, 1, true},
        {{"\x0a\x04" KEY "\x01", 6}, 0, false}, /* within a resource it means nothing */
        {{KEY, 3}, 0, false},                   /* cut */
        {{"\x0a\x7f", 2}, 0, false},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        unsigned bits = span_mark_read(rows[i].message);
        bool halves = span_mark_has_halves(rows[i].message);
        if (bits != rows[i].bits || halves != rows[i].halves) {
            fail_msg("row %zu: %u and %d, expected %u and %d", i, bits, halves, rows[i].bits,
                rows[i].halves);
        }
    }
}

static void test_round_trip(void **state)
{
    struct strbuf message = STRBUF_INIT;
    (void)state;
    span_mark_write(&message, 0);
    assert_int_equal(message.size, 0);
    span_mark_write(&message, SPAN_MARK_HALVES);
    assert_true(str_eq(strbuf_str(&message), str_make(KEY "\x02", 4)));
    span_mark_write(&message, SPAN_MARK_METRICS);
    assert_int_equal(span_mark_read(strbuf_str(&message)), SPAN_MARK_METRICS | SPAN_MARK_HALVES);
    strbuf_release(&message);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bytes),
        cmocka_unit_test(test_round_trip),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
