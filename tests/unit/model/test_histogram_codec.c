/* The stored form of native histograms: round trips, golden bytes, and what is refused. */
#include <string.h>

#include "base/bytes.h"
#include "model/histogram.h"
#include "model/sample.h"
#include "support/fault_loop.h"
#include "support/support.h"

enum { SPANS = 4, BUCKETS = 12, ROUNDS = 2000 };

static double random_number(uint64_t *random, bool integer)
{
    uint64_t bits = test_random(random);
    return integer ? (double)(bits >> (11 + bits % 50)) : double_from_bits(bits);
}

static void random_side(uint64_t *random, bool integer, struct histogram_span *spans,
    double *counts, struct histogram_buckets *side)
{
    *side = (struct histogram_buckets){spans, test_random(random) % (SPANS + 1), counts, 0};
    for (size_t i = 0; i < side->span_count; i++) {
        uint64_t bits = test_random(random);
        spans[i] = (struct histogram_span){
            (int32_t)(bits % 2000) - (i == 0 ? 1000 : 0), (uint32_t)(bits >> 32) % 4};
        for (uint32_t k = 0; k < spans[i].length; k++) {
            counts[side->count++] = random_number(random, integer);
        }
    }
}

static void test_what_goes_in_comes_out(void **state)
{
    uint64_t random = test_seed();
    for (int round = 0; round < ROUNDS; round++) {
        struct histogram_span spans[2][SPANS];
        double counts[2][BUCKETS], bounds[3];
        uint64_t dice = test_random(&random);
        bool integer = dice & 1, custom = (dice & 6) == 0;
        struct histogram h = {
            .schema = custom ? HISTOGRAM_SCHEMA_CUSTOM : (int32_t)(dice >> 8) % 13 - 4,
            .reset_hint = (enum histogram_reset_hint)(dice >> 4 & 3),
            .integer = dice >> 6 & 1,
            .count = random_number(&random, integer),
            .sum = dice >> 7 & 1 ? value_stale_marker() : random_number(&random, false),
        };
        h.schema = !custom && h.schema < -4 ? h.schema + 13 : h.schema;
        random_side(&random, integer, spans[0], counts[0], &h.positive);
        if (custom) {
            for (size_t i = 0; i < 3; i++) {
                bounds[i] = random_number(&random, false);
            }
            h.custom_values = bounds;
            h.custom_count = 3;
        } else {
            random_side(&random, integer, spans[1], counts[1], &h.negative);
            h.zero_threshold = random_number(&random, false);
            h.zero_count = random_number(&random, integer);
        }
        struct arena arena;
        struct strbuf bytes = STRBUF_INIT;
        struct histogram *back = NULL;
        arena_init(&arena, 1 << 20);
        histogram_encode(&h, &bytes);
        assert_int_equal(histogram_decode(strbuf_str(&bytes), &arena, &back), 0);
        if (!histogram_eq(&h, back)) {
            fail_msg("round %d differs", round);
        }
        for (size_t cut = 0; cut < bytes.size; cut++) { /* no prefix is one */
            assert_int_equal(
                histogram_decode(str_make(bytes.data, cut), &arena, &back), ERR_CORRUPT);
        }
        strbuf_add_char(&bytes, '\0');
        assert_int_equal(histogram_decode(strbuf_str(&bytes), &arena, &back), ERR_CORRUPT);
        strbuf_release(&bytes);
        arena_release(&arena);
    }
}

/* Written by hand from the comment at the top of the codec: schema 1, sum 5, count 4, zero bucket
 * 2^-7 with 1, buckets 3, 4, 5 of 1, 2, 0. */
static void test_golden_bytes(void **state)
{
    static const uint8_t golden[] = {
        1, 1 | 2 | 64 | 2 << 4,     /* version; integers, zero bucket, came as integers, reset no */
        2,                          /* schema 1 */
        0, 0, 0, 0, 0, 0, 0x14, 64, /* sum 5.0 */
        8,                          /* count 4 */
        0, 0, 0, 0, 0, 0, 0x80, 63, /* 2^-7 */
        2,                          /* zero count 1 */
        1, 6, 3,                    /* one span, offset 3, length 3 */
        2, 2, 3,                    /* +1 +1 -2 */
    };
    static const struct histogram_span span = {3, 3};
    static const double counts[] = {1, 2, 0};
    struct histogram h = {.schema = 1,
        .reset_hint = HISTOGRAM_RESET_NO,
        .integer = true,
        .zero_threshold = 0.0078125,
        .zero_count = 1,
        .count = 4,
        .sum = 5,
        .positive = {&span, 1, counts, 3}};
    struct arena arena;
    struct strbuf bytes = STRBUF_INIT;
    struct histogram *back = NULL;
    arena_init(&arena, 1 << 20);
    histogram_encode(&h, &bytes);
    assert_int_equal(bytes.size, sizeof(golden));
    assert_memory_equal(bytes.data, golden, sizeof(golden));
    assert_int_equal(
        histogram_decode(str_make((const char *)golden, sizeof(golden)), &arena, &back), 0);
    assert_true(histogram_eq(&h, back));
    strbuf_release(&bytes);
    arena_release(&arena);
}

static void test_broken_bytes_are_refused(void **state)
{
    static const struct {
        const char *name;
        uint8_t bytes[40];
        size_t size;
    } rows[] = {
        {"empty", {0}, 0},
        {"version", {2, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}, 13},
        {"schema 9", {1, 1, 18, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}, 13},
        {"more spans than bytes", {1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x7f}, 13},
        {"more buckets than bytes", {1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0x7f}, 15},
        {"a span of more than 16384",
            {1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0x81, 0x80, 0x01, 0}, 18},
        {"an offset beyond 32 bits",
            {1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0x80, 0x80, 0x80, 0x80, 0x20, 0}, 19},
        {"custom with a negative side", {1, 1 | 4, 105, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 1, 2},
            17},
        {"more bounds than bytes", {1, 1 | 8, 105, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2, 0}, 15},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct arena arena;
        struct histogram *h = NULL;
        arena_init(&arena, 1 << 20);
        int status =
            histogram_decode(str_make((const char *)rows[i].bytes, rows[i].size), &arena, &h);
        if (status != ERR_CORRUPT || h != NULL) {
            fail_msg("%s: %d", rows[i].name, status);
        }
        arena_release(&arena);
    }
}

/* Whole numbers are kept as such up to 2^53; beyond, and for fractions, the bits themselves. */
static void test_numbers_at_the_border(void **state)
{
    static const double numbers[] = {0, -0.0, 1, -1, 0.5, 9007199254740991, 9007199254740992,
        9007199254740994, -9007199254740992, 1e300, 5e-324};
    static const struct histogram_span span = {0, 2};
    for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
        for (size_t k = 0; k < sizeof(numbers) / sizeof(numbers[0]); k++) {
            const double counts[] = {numbers[i], numbers[k]};
            struct histogram h = {.count = numbers[k],
                .sum = numbers[i],
                .zero_count = numbers[i],
                .positive = {&span, 1, counts, 2}};
            struct arena arena;
            struct strbuf bytes = STRBUF_INIT;
            struct histogram *back = NULL;
            arena_init(&arena, 1 << 20);
            histogram_encode(&h, &bytes);
            assert_int_equal(histogram_decode(strbuf_str(&bytes), &arena, &back), 0);
            if (!histogram_eq(&h, back)) {
                fail_msg("%.17g and %.17g do not come back", numbers[i], numbers[k]);
            }
            strbuf_release(&bytes);
            arena_release(&arena);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_goes_in_comes_out),
        cmocka_unit_test(test_golden_bytes),
        cmocka_unit_test(test_broken_bytes_are_refused),
        cmocka_unit_test(test_numbers_at_the_border),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
