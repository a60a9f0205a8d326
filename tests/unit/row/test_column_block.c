/* Column blocks: what goes in comes out to the bit, whatever it is; what is told without decoding is
 * true; bytes that are not a block are refused. */
#include "support/support.h"

#include <stdio.h>
#include <string.h>

#include "base/bytes.h"
#include "base/err.h"
#include "base/mem.h"
#include "row/column_block.h"
#include "row/column_format.h"
#include "row_shapes.h"

#define ROWS COLUMN_BLOCK_ROWS_MAX

static const uint32_t counts[] = {1, 2, 3, 7, 8, 12, 16, 31, 32, 63, 64, 65, 120, 127, 128, 129,
    130, 240, 256, 257, 480, 960, 1024, 4095, 4096};

/* How rows are left out. */
enum absence { ABSENT_NONE, ABSENT_FEW, ABSENT_HALF, ABSENT_RUN, ABSENT_ALL, ABSENCE_COUNT };

static void make_presence(
    enum absence absence, uint64_t *state, double *values, uint64_t *presence, uint32_t count)
{
    memset(presence, 0xff, PRESENCE_WORDS(count) * 8);
    uint32_t from = (uint32_t)(test_random(state) % count);
    uint32_t to = from + (uint32_t)(test_random(state) % (count - from));
    for (uint32_t i = 0; i < count; i++) {
        uint64_t random = test_random(state);
        bool absent = absence == ABSENT_ALL || (absence == ABSENT_FEW && random % 50 == 0) ||
                      (absence == ABSENT_HALF && random % 2 == 0) ||
                      (absence == ABSENT_RUN && i >= from && i <= to);
        if (absent) {
            presence[i / 64] &= ~((uint64_t)1 << (i % 64));
            values[i] = double_from_bits(random); // must not matter
        } else if (absence != ABSENT_NONE && random % 30 == 1) {
            values[i] = double_from_bits(STALE_MARKER_BITS);
        }
    }
}

static bool present(const uint64_t *presence, uint32_t i)
{
    return (presence[i / 64] >> (i % 64) & 1) != 0;
}

static void check_summary(
    const struct strbuf *bytes, const double *values, const uint64_t *presence, uint32_t count)
{
    struct column_summary summary;
    assert_int_equal(column_block_summary(bytes->data, bytes->size, count, &summary), 0);
    uint32_t samples = 0;
    double first = 0;
    for (uint32_t i = 0; i < count; i++) {
        if (!present(presence, i) || double_bits(values[i]) == STALE_MARKER_BITS) {
            continue;
        }
        first = samples++ == 0 ? values[i] : first;
        if ((summary.known & COLUMN_KNOWS_AGGREGATES) != 0) {
            assert_int_equal(double_bits(values[i]), double_bits(summary.min));
        }
    }
    assert_int_equal(summary.count, samples);
    if ((summary.known & COLUMN_KNOWS_FIRST) != 0) {
        assert_int_equal(double_bits(summary.first), double_bits(first));
    }
}

static void check_round_trip(const char *name, const double *values, const uint64_t *presence,
    uint32_t count, struct column_hint *hint)
{
    struct strbuf bytes = STRBUF_INIT;
    assert_int_equal(column_block_encode(values, presence, count, hint, &bytes), 0);
    assert_true(bytes.size <= COLUMN_BLOCK_SIZE_MAX(count));
    // An exact copy, so that the address sanitizer sees a read past the end.
    uint8_t *exact = mem_dup(bytes.data, bytes.size);
    double *decoded = mem_alloc(count * sizeof(double));
    uint64_t *found = mem_alloc(PRESENCE_WORDS(count) * 8);
    int status = column_block_decode(exact, bytes.size, count, decoded, found);
    if (status != 0) {
        fail_msg("%s, %u rows: %s", name, count, err_name(status));
    }
    for (uint32_t i = 0; i < count; i++) {
        uint64_t expected =
            present(presence, i) ? double_bits(values[i]) : (uint64_t)STALE_MARKER_BITS;
        if (present(found, i) != present(presence, i) || double_bits(decoded[i]) != expected) {
            fail_msg("%s, row %u of %u: expected %d %016llx, got %d %016llx", name, i, count,
                present(presence, i), (unsigned long long)expected, present(found, i),
                (unsigned long long)double_bits(decoded[i]));
        }
    }
    if (count % 64 != 0) {
        assert_int_equal(found[count / 64] >> (count % 64), 0);
    }
    check_summary(&bytes, values, presence, count);
    // All codecs but the constant one know where they end.
    if ((exact[0] & HEAD_CODEC_MASK) != CODEC_CONSTANT) {
        assert_int_equal(
            column_block_decode(exact, bytes.size - 1, count, decoded, NULL), ERR_CORRUPT);
    }
    mem_free(exact);
    mem_free(decoded);
    mem_free(found);
    strbuf_release(&bytes);
}

static void test_round_trip(void **state)
{
    (void)state;
    uint64_t random = test_seed();
    static double values[ROWS];
    static uint64_t presence[PRESENCE_WORDS(ROWS)];
    for (int shape = 0; shape < SHAPE_COUNT; shape++) {
        struct column_hint hint = {0};
        for (size_t c = 0; c < sizeof(counts) / sizeof(counts[0]); c++) {
            for (int absence = 0; absence < ABSENCE_COUNT; absence++) {
                row_shape_fill((enum row_shape)shape, &random, values, counts[c]);
                make_presence((enum absence)absence, &random, values, presence, counts[c]);
                check_round_trip(
                    row_shape_name((enum row_shape)shape), values, presence, counts[c], &hint);
            }
        }
    }
}

/* A hint of any content changes bytes at most, never values. */
static void test_wild_hints(void **state)
{
    (void)state;
    uint64_t random = test_seed() + 1;
    static double values[ROWS];
    static uint64_t presence[PRESENCE_WORDS(ROWS)];
    for (int i = 0; i < 2000; i++) {
        struct column_hint hint;
        uint64_t bits = test_random(&random);
        memcpy(&hint, &bits, sizeof(hint));
        enum row_shape shape = (enum row_shape)(test_random(&random) % SHAPE_COUNT);
        uint32_t count = 1 + (uint32_t)(test_random(&random) % 300);
        row_shape_fill(shape, &random, values, count);
        make_presence(ABSENT_FEW, &random, values, presence, count);
        check_round_trip(row_shape_name(shape), values, presence, count, &hint);
    }
}

static size_t encoded_size(const double *values, uint32_t count)
{
    struct strbuf bytes = STRBUF_INIT;
    assert_int_equal(column_block_encode(values, NULL, count, NULL, &bytes), 0);
    size_t size = bytes.size;
    strbuf_release(&bytes);
    return size;
}

/* Sizes that follow from the format by counting. */
static void test_sizes(void **state)
{
    (void)state;
    double values[128];
    for (int i = 0; i < 128; i++) {
        values[i] = 0;
    }
    assert_int_equal(encoded_size(values, 128), 1); // head
    for (int i = 0; i < 128; i++) {
        values[i] = 63;
    }
    assert_int_equal(encoded_size(values, 128), 2); // head, svarint
    for (int i = 0; i < 128; i++) {
        values[i] = 0.25;
    }
    assert_int_equal(encoded_size(values, 128), 3); // head, mapping, svarint 25; high bytes tie
    for (int i = 0; i < 128; i++) {
        values[i] = 1000 + 15 * i;
    }
    assert_int_equal(encoded_size(values, 128), 1 + 2 + 1); // head, svarint 1000, svarint 15
    for (int i = 0; i < 12; i++) {
        values[i] = 50 + i * 7 % 4;
    }
    assert_int_equal(encoded_size(values, 12), 1 + 1 + 1 + 3); // head, 50, width 2, 12 * 2 bits
    values[5] = double_from_bits(STALE_MARKER_BITS);
    // 11 rows at 2 bits are still 3 bytes; one interval: count, token.
    assert_int_equal(encoded_size(values, 12), 1 + 2 + 1 + 1 + 3);
}

/* Two columns that go together, or not at all, in many ways; the second is the reference. */
static void test_against(void **state)
{
    (void)state;
    uint64_t random = test_seed() + 4;
    static double values[ROWS];
    static double reference[ROWS];
    static double decoded[ROWS];
    static uint64_t presence[PRESENCE_WORDS(ROWS)];
    static uint64_t found[PRESENCE_WORDS(ROWS)];
    unsigned differences = 0;
    for (int round = 0; round < 4000; round++) {
        uint32_t count = 1 + (uint32_t)(test_random(&random) % 300);
        enum row_shape shape = (enum row_shape)(test_random(&random) % SHAPE_COUNT);
        row_shape_fill(shape, &random, reference, count);
        double offset = (double)(test_random(&random) % 1000);
        double factor = (double)(test_random(&random) % 4);
        double noise = (double)(test_random(&random) % 3);
        for (uint32_t i = 0; i < count; i++) {
            values[i] = factor * reference[i] + offset +
                        noise * (double)(int64_t)(test_random(&random) % 10);
        }
        make_presence(
            (enum absence)(test_random(&random) % ABSENCE_COUNT), &random, values, presence, count);
        if (round % 3 == 0) {
            reference[count / 2] = double_from_bits(STALE_MARKER_BITS);
            reference[0] = double_from_bits(STALE_MARKER_BITS);
        }
        struct strbuf bytes = STRBUF_INIT;
        assert_int_equal(
            column_block_encode_against(values, presence, count, reference, NULL, &bytes), 0);
        int status =
            column_block_decode_against(bytes.data, bytes.size, count, reference, decoded, found);
        assert_int_equal(status, 0);
        assert_memory_equal(found, presence, PRESENCE_WORDS(count - count % 64) * 8);
        for (uint32_t i = 0; i < count; i++) {
            if (present(presence, i) && double_bits(values[i]) != double_bits(decoded[i])) {
                fail_msg("round %d, row %u of %u: expected %g, got %g", round, i, count, values[i],
                    decoded[i]);
            }
        }
        if (column_block_needs_reference(bytes.data, bytes.size)) {
            differences++;
            assert_int_equal(
                column_block_decode(bytes.data, bytes.size, count, decoded, NULL), ERR_CORRUPT);
        }
        strbuf_release(&bytes);
    }
    assert_true(differences > 400);
}

/* Buckets of a histogram: each holds the one below it and a little more. */
static void test_against_saves(void **state)
{
    (void)state;
    uint64_t random = test_seed() + 5;
    double below[240];
    double bucket[240];
    double lower = 5000;
    double between = 70;
    for (int i = 0; i < 240; i++) {
        lower += (double)(test_random(&random) % 400);
        between += (double)(test_random(&random) % 8 == 0);
        below[i] = lower;
        bucket[i] = lower + between;
    }
    struct strbuf alone = STRBUF_INIT;
    struct strbuf against = STRBUF_INIT;
    assert_int_equal(column_block_encode(bucket, NULL, 240, NULL, &alone), 0);
    assert_int_equal(column_block_encode_against(bucket, NULL, 240, below, NULL, &against), 0);
    // Alone: 240 steps of some 9 bits. Against: some 30 changes by one at 7 bits.
    assert_true(alone.size > 240);
    assert_true(against.size < 40);
    for (int i = 0; i < 240; i++) {
        bucket[i] = below[i] + 12;
    }
    strbuf_reset(&against);
    assert_int_equal(column_block_encode_against(bucket, NULL, 240, below, NULL, &against), 0);
    assert_int_equal(against.size, 3); // codec, codec of the differences, svarint 12
    strbuf_release(&alone);
    strbuf_release(&against);
}

/* A multiple of another column takes a few bytes, however much both vary. */
static void test_multiples(void **state)
{
    (void)state;
    static const struct {
        const char *what;
        double factor, offset; /* value = reference * factor + offset */
        double divide;         /* or reference / divide */
        bool found;
    } cases[] = {
        {"bytes of pages", 4096, 17, 0, true},
        {"pages of bytes", 0, 0, 4096, true}, /* a decimal of twelve places */
        {"falling", -3, 1e6, 0, true},
        {"seconds of milliseconds", 0, 0, 1000, true},
        {"seconds as a product", 0.001, 0, 0, true},
        {"two thirds", 0, 0, 1.5, false},
    };
    uint64_t random = test_seed() + 6;
    double reference[240], values[240], decoded[240];
    for (size_t c = 0; c < sizeof(cases) / sizeof(cases[0]); c++) {
        double at = 1000;
        for (int i = 0; i < 240; i++) {
            at += (double)(test_random(&random) % 5000);
            reference[i] = at;
            values[i] = cases[c].divide != 0 ? at / cases[c].divide
                                             : at * cases[c].factor + cases[c].offset;
        }
        struct strbuf bytes = STRBUF_INIT;
        assert_int_equal(
            column_block_encode_against(values, NULL, 240, reference, NULL, &bytes), 0);
        bool found = (bytes.data[0] & HEAD_CODEC_MASK) == CODEC_AFFINE;
        if (found != cases[c].found || (found && bytes.size > 16)) {
            fail_msg("%s: affine %d in %zu bytes, expected %d in at most 16", cases[c].what, found,
                bytes.size, cases[c].found);
        }
        assert_int_equal(
            column_block_decode_against(bytes.data, bytes.size, 240, reference, decoded, NULL), 0);
        assert_memory_equal(values, decoded, sizeof(values));
        strbuf_release(&bytes);
    }
}

/* Doubles without decimals in a narrow band: one front, and 57 bits or fewer behind it. */
static void test_fronts(void **state)
{
    (void)state;
    uint64_t random = test_seed() + 7;
    double values[1024], decoded[1024];
    for (int i = 0; i < 1024; i++) {
        double sign = test_random(&random) % 2 == 0 ? 1 : -1;
        values[i] = sign * (1 + (double)(test_random(&random) >> 12) / 0x1p52);
    }
    struct strbuf bytes = STRBUF_INIT;
    assert_int_equal(column_block_encode(values, NULL, 1024, NULL, &bytes), 0);
    // A sign and 52 bits each; raw would be 8192 bytes and ordered bits no less.
    assert_int_equal(bytes.data[0] & HEAD_CODEC_MASK, CODEC_FRONTS);
    assert_true(bytes.size <= 1024 * 53 / 8 + 16);
    assert_int_equal(column_block_decode(bytes.data, bytes.size, 1024, decoded, NULL), 0);
    assert_memory_equal(values, decoded, sizeof(values));
    strbuf_release(&bytes);
}

/* The difference of two large integers may be no integer of a double, though both are. */
static void test_wide_difference(void **state)
{
    (void)state;
    double values[6];
    uint64_t presence = 0x3f;
    for (int i = 0; i < 6; i++) {
        values[i] = i % 3 == 0 ? -4607182418810503.0 : 4615908143067562.0;
    }
    check_round_trip("wide difference", values, &presence, 6, NULL);
}

static void test_limits(void **state)
{
    (void)state;
    double values[64];
    uint64_t random = test_seed() + 2;
    row_shape_fill(SHAPE_RANDOM_BITS, &random, values, 64);
    struct strbuf bytes;
    strbuf_init(&bytes, 100);
    assert_int_equal(column_block_encode(values, NULL, 64, NULL, &bytes), ERR_LIMIT);
    assert_int_equal(bytes.size, 0);
    strbuf_release(&bytes);
}

static void test_corrupt(void **state)
{
    (void)state;
    static const struct {
        const char *what;
        uint32_t count;
        uint8_t size;
        uint8_t bytes[12];
    } cases[] = {
        {"nothing at all", 4, 0, {0}},
        {"reserved bit of the head", 4, 1, {HEAD_RESERVED}},
        {"unknown codec", 4, 1, {CODEC_COUNT}},
        {"last codec number", 4, 1, {31}},
        {"zero with a byte too many", 4, 3, {CODEC_CONSTANT, 2, 0}},
        {"reserved exponent", 4, 3, {CODEC_CONSTANT | HEAD_MAPPING, 13, 2}},
        {"method of plain integers", 4, 3, {CODEC_CONSTANT | HEAD_MAPPING, 0x10, 2}},
        {"halves of an odd exponent", 4, 3, {CODEC_CONSTANT | HEAD_MAPPING, 0x33, 2}},
        {"ulps without a mapping", 4, 4, {CODEC_ULP, 0, 2, 2}},
        {"ulps of bits", 4, 5, {CODEC_ULP | HEAD_MAPPING, MAPPING_BITS, 0, 2, 2}},
        {"ulps with another method", 4, 5, {CODEC_ULP | HEAD_MAPPING, 0x23, 0, 2, 2}},
        {"ulps with a codec that is none", 4, 5, {CODEC_ULP | HEAD_MAPPING, 3, 0x0b, 2, 2}},
        {"ulps without the second half", 4, 4, {CODEC_ULP | HEAD_MAPPING, 3, 0, 2}},
        {"difference without a reference", 4, 3, {CODEC_DIFFERENCE, 0, 2}},
        {"dictionary out of order", 4, 6, {CODEC_DICTIONARY, CODEC_LINEAR, 1, 2, 1, 0}},
        {"dictionary place past its end", 4, 6, {CODEC_DICTIONARY, CODEC_LINEAR, 1, 2, 2, 4}},
        {"dictionary in a dictionary", 4, 6, {CODEC_DICTIONARY, CODEC_DICTIONARY, 1, 2, 2, 0}},
        {"scale 1", 4, 4, {CODEC_CONSTANT | HEAD_MAPPING, MAPPING_SCALE, 0, 2}},
        {"remainder without scale", 4, 4, {CODEC_CONSTANT | HEAD_MAPPING, MAPPING_REMAINDER, 1, 2}},
        {"remainder not below scale", 4, 5,
            {CODEC_CONSTANT | HEAD_MAPPING, MAPPING_SCALE | MAPPING_REMAINDER, 1, 2, 2}},
        {"bits of nine bytes", 4, 11,
            {CODEC_CONSTANT | HEAD_MAPPING, MAPPING_BITS, 1, 2, 3, 4, 5, 6, 7, 8, 9}},
        {"raw cut short", 2, 9, {CODEC_RAW}},
        {"raw with a mapping", 1, 10, {CODEC_RAW | HEAD_MAPPING, 1}},
        {"delta delta of one row", 1, 3, {CODEC_DELTA_DELTA, 0, 0}},
        {"sparse without a change", 4, 4, {CODEC_SPARSE, 0, 0, 2}},
        {"sparse with more changes than rows", 4, 4, {CODEC_SPARSE, 0, 4, 2}},
        {"sparse past the last row", 4, 7, {CODEC_SPARSE, 0, 1, 2, 2, 3, 0}},
        {"width 58", 4, 3, {CODEC_FRAME, 0, 58}},
        {"reserved bit of a miniblock", 4, 3, {CODEC_FRAME, 0, 0x80}},
        {"exception past the last row", 3, 6, {CODEC_FRAME, 0, 0x40, 1 << 6, 3, 1}},
        {"exception count that fits the short form", 3, 6, {CODEC_FRAME, 0, 0x40, 0, 1, 0}},
        {"exceptions in disorder", 4, 6, {CODEC_FRAME, 0, 0x40, 2 << 6, 1, 3}},
        {"more exceptions than rows", 4, 6, {CODEC_FRAME, 0, 0x40, 0, 5, 0}},
        {"no stream, yet a codec", 4, 5, {CODEC_FRAME | HEAD_ROWS, 1, 4, 2, 0}},
        {"interval past the last row", 4, 3, {HEAD_ROWS, 1, 4 << 3}},
        {"interval longer than the rows", 4, 4, {HEAD_ROWS, 1, 4, 3}},
        {"literal to repeat, but none before", 4, 3, {HEAD_ROWS, 1, 3}},
        {"bitmap with a bit past the end", 4, 4, {HEAD_ROWS, 0, 0x11, 0}},
        {"bitmap of nothing", 4, 3, {HEAD_ROWS, 0, 0}},
        {"varint that never ends", 4, 12,
            {CODEC_FRAME, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255}},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        double values[8];
        uint64_t presence[1];
        uint8_t *exact = mem_dup(cases[i].bytes, cases[i].size);
        int status = column_block_decode(exact, cases[i].size, cases[i].count, values, presence);
        if (status != ERR_CORRUPT) {
            fail_msg("%s: expected CORRUPT, got %d", cases[i].what, status);
        }
        mem_free(exact);
    }
}

static void test_corrupt_against(void **state)
{
    (void)state;
    static const struct {
        const char *what;
        uint8_t size;
        uint8_t bytes[6];
    } cases[] = {
        {"no codec", 1, {CODEC_DIFFERENCE}},
        {"codec above four bits", 3, {CODEC_DIFFERENCE, 0x10, 2}},
        {"difference of differences", 3, {CODEC_DIFFERENCE, CODEC_DIFFERENCE, 2}},
        {"difference of bits", 4, {CODEC_DIFFERENCE | HEAD_MAPPING, MAPPING_BITS, 0, 2}},
        {"a byte too many", 4, {CODEC_DIFFERENCE, 0, 2, 2}},
        {"no factor", 2, {CODEC_AFFINE, 0}},
        {"factor 0", 5, {CODEC_AFFINE, 0, 0, 1, 2}},
        {"denominator 0", 5, {CODEC_AFFINE, 0, 2, 0, 2}},
        {"denominator that does not divide", 5, {CODEC_AFFINE, 0, 2, 2, 2}},
        {"reference as bits", 5, {CODEC_AFFINE, MAPPING_BITS, 2, 1, 2}},
        {"reference of a reserved exponent", 5, {CODEC_AFFINE, 13, 2, 1, 2}},
        {"multiple of bits", 6, {CODEC_AFFINE | HEAD_MAPPING, MAPPING_BITS, 0, 2, 1, 2}},
        {"multiple and a byte", 6, {CODEC_AFFINE, 0, 2, 1, 2, 0}},
    };
    static const double reference[4] = {1, 2, 3, 4};
    double values[4];
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        int status =
            column_block_decode_against(cases[i].bytes, cases[i].size, 4, reference, values, NULL);
        if (status != ERR_CORRUPT) {
            fail_msg("%s: expected CORRUPT, got %d", cases[i].what, status);
        }
    }
}

/* Any byte of a block changed to any value decodes to something or is refused; the sanitizers judge
 * that nothing outside is touched. */
static void test_flipped_bytes(void **state)
{
    (void)state;
    uint64_t random = test_seed() + 3;
    double values[200];
    double decoded[200];
    uint64_t presence[PRESENCE_WORDS(200)];
    for (int shape = 0; shape < SHAPE_COUNT; shape++) {
        row_shape_fill((enum row_shape)shape, &random, values, 200);
        make_presence(ABSENT_FEW, &random, values, presence, 200);
        struct strbuf bytes = STRBUF_INIT;
        assert_int_equal(column_block_encode(values, presence, 200, NULL, &bytes), 0);
        for (size_t at = 0; at < bytes.size; at++) {
            uint8_t *copy = mem_dup(bytes.data, bytes.size);
            for (unsigned bit = 0; bit < 8; bit++) {
                copy[at] = (uint8_t)(bytes.data[at] ^ 1 << bit);
                int status = column_block_decode(copy, bytes.size, 200, decoded, presence);
                assert_true(status == 0 || status == ERR_CORRUPT);
            }
            mem_free(copy);
        }
        strbuf_release(&bytes);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round_trip),
        cmocka_unit_test(test_wild_hints),
        cmocka_unit_test(test_sizes),
        cmocka_unit_test(test_multiples),
        cmocka_unit_test(test_fronts),
        cmocka_unit_test(test_against),
        cmocka_unit_test(test_against_saves),
        cmocka_unit_test(test_wide_difference),
        cmocka_unit_test(test_limits),
        cmocka_unit_test(test_corrupt),
        cmocka_unit_test(test_corrupt_against),
        cmocka_unit_test(test_flipped_bytes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
