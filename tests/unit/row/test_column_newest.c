/* The newest row of a block is the one that decoding the whole block shows: for every shape of column,
 * every codec, blocks of every size, wherever the end is and whatever is missing before it. */
#include "support/support.h"

#include <stdio.h>
#include <string.h>

#include "base/bytes.h"
#include "base/err.h"
#include "base/mem.h"
#include "row/column_block.h"
#include "row/column_format.h"
#include "row/column_newest.h"
#include "row_shapes.h"

#define ROWS COLUMN_BLOCK_ROWS_MAX

static const uint32_t counts[] = {
    1, 2, 3, 8, 9, 31, 64, 65, 120, 127, 128, 129, 130, 240, 256, 257, 361, 960, 1024, 4095, 4096};

/* What is missing: nothing, single rows, every other one, a stretch, the tail, all. */
enum gaps { GAPS_NONE, GAPS_FEW, GAPS_HALF, GAPS_STRETCH, GAPS_TAIL, GAPS_ALL, GAPS_COUNT };

static void leave_out(
    enum gaps gaps, uint64_t *random, double *values, uint64_t *presence, uint32_t count)
{
    memset(presence, 0xff, PRESENCE_WORDS(count) * 8);
    uint32_t from = (uint32_t)(test_random(random) % count);
    uint32_t to = gaps == GAPS_TAIL ? count : from + (uint32_t)(test_random(random) % 100);
    for (uint32_t i = 0; i < count; i++) {
        uint64_t dice = test_random(random);
        bool absent = gaps == GAPS_ALL || (gaps == GAPS_FEW && dice % 50 == 0) ||
                      (gaps == GAPS_HALF && dice % 2 == 0) ||
                      (gaps >= GAPS_STRETCH && i >= from && i < to);
        if (absent) {
            presence[i / 64] &= ~((uint64_t)1 << (i % 64));
        } else if (gaps != GAPS_NONE && dice % 30 == 1) {
            values[i] = double_from_bits(STALE_MARKER_BITS);
        }
    }
}

static bool present(const uint64_t *presence, uint32_t i)
{
    return (presence[i / 64] >> (i % 64) & 1) != 0;
}

/* The column that is leaned on, as decoded. */
struct array_reference {
    struct column_reference face; /* first */
    const double *values;
    uint32_t count;
    uint8_t *block; /* overwritten at the first question: nothing of it may be looked at later */
    size_t size;
};

static int array_value(struct column_reference *self, uint32_t row, double *value_out)
{
    struct array_reference *r = (struct array_reference *)self;
    assert_true(row < r->count);
    memset(r->block, 0xff, r->size);
    *value_out = r->values[row];
    return 1;
}

struct tally {
    unsigned codecs[CODEC_COUNT];
    unsigned known, unknown;
};

/* What decoding says of the newest row before `end`, and what column_block_newest says. */
static void expect_newest(const char *name, const struct strbuf *bytes, uint32_t count,
    uint32_t end, const double *reference, struct tally *tally)
{
    static double decoded[ROWS];
    static uint64_t found[PRESENCE_WORDS(ROWS)];
    // An exact copy, so that the address sanitizer sees a read past the end.
    uint8_t *exact = mem_dup(bytes->data, bytes->size);
    struct array_reference r = {.face = {array_value},
        .values = reference,
        .count = count,
        .block = exact,
        .size = bytes->size};
    uint32_t wanted = end, row = 0;
    double value = 0;
    assert_int_equal(
        column_block_decode_against(exact, bytes->size, count, reference, decoded, found), 0);
    while (wanted > 0 && !present(found, wanted - 1)) {
        wanted--;
    }
    int status = column_block_newest(
        exact, bytes->size, count, end, reference != NULL ? &r.face : NULL, &row, &value);
    mem_free(exact);
    if (status != 0 && status != 1) {
        fail_msg("%s, row %u of %u: %s", name, end, count, err_name(status));
    }
    // Only what leans may not know, and only where the other column has no decimal.
    assert_true(status == (wanted > 0) || reference != NULL);
    if (status == 1 && (wanted == 0 || row != wanted - 1 ||
                           double_bits(value) != double_bits(decoded[wanted - 1]))) {
        fail_msg("%s, before row %u of %u, codec %u: expected row %d %016llx, got %u %016llx", name,
            end, count, (unsigned)bytes->data[0] & HEAD_CODEC_MASK, (int)wanted - 1,
            (unsigned long long)double_bits(wanted > 0 ? decoded[wanted - 1] : 0), row,
            (unsigned long long)double_bits(value));
    }
    tally->codecs[bytes->data[0] & HEAD_CODEC_MASK]++;
    tally->known += status == 1;
    tally->unknown += status == 0 && wanted > 0;
}

/* Ends that meet the borders of miniblocks, and some more. */
static void expect_all(const char *name, const struct strbuf *bytes, uint32_t count,
    const double *reference, uint64_t *random, struct tally *tally)
{
    static const uint32_t ends[] = {1, 2, 3, 127, 128, 129, 130, 131, 256, 257, 258};
    for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]) && ends[i] < count; i++) {
        expect_newest(name, bytes, count, ends[i], reference, tally);
    }
    for (int i = 0; i < 3; i++) {
        uint32_t end = 1 + (uint32_t)(test_random(random) % count);
        expect_newest(name, bytes, count, end, reference, tally);
    }
    expect_newest(name, bytes, count, count, reference, tally);
}

static void test_alone(void **state)
{
    (void)state;
    uint64_t random = test_seed();
    static double values[ROWS];
    static uint64_t presence[PRESENCE_WORDS(ROWS)];
    struct tally tally = {.known = 0};
    for (int shape = 0; shape < SHAPE_COUNT; shape++) {
        for (size_t c = 0; c < sizeof(counts) / sizeof(counts[0]); c++) {
            for (int gaps = 0; gaps < GAPS_COUNT; gaps++) {
                struct strbuf bytes = STRBUF_INIT;
                row_shape_fill((enum row_shape)shape, &random, values, counts[c]);
                leave_out((enum gaps)gaps, &random, values, presence, counts[c]);
                assert_int_equal(column_block_encode(values, presence, counts[c], NULL, &bytes), 0);
                expect_all(row_shape_name((enum row_shape)shape), &bytes, counts[c], NULL, &random,
                    &tally);
                strbuf_release(&bytes);
            }
        }
    }
    for (unsigned codec = 0; codec < CODEC_COUNT; codec++) {
        bool alone = codec != CODEC_DIFFERENCE && codec != CODEC_AFFINE;
        if (alone && tally.codecs[codec] == 0) {
            fail_msg("no block of codec %u among %u", codec, tally.known);
        }
    }
}

/* Beside another column: a difference from it, a multiple of it, or neither. */
static void test_leaning(void **state)
{
    (void)state;
    uint64_t random = test_seed() + 1;
    static double values[ROWS], reference[ROWS];
    static uint64_t presence[PRESENCE_WORDS(ROWS)];
    struct tally tally = {.known = 0};
    for (int round = 0; round < 3000; round++) {
        uint32_t count = 1 + (uint32_t)(test_random(&random) % 600);
        row_shape_fill(
            (enum row_shape)(test_random(&random) % SHAPE_COUNT), &random, reference, count);
        double offset = (double)(test_random(&random) % 1000);
        double factor = (double)(test_random(&random) % 4);
        double noise = round % 2 == 0 ? 0 : (double)(test_random(&random) % 3);
        for (uint32_t i = 0; i < count; i++) {
            values[i] = factor * reference[i] + offset +
                        noise * (double)(int64_t)(test_random(&random) % 10);
        }
        leave_out((enum gaps)(round % GAPS_COUNT), &random, values, presence, count);
        if (round % 5 == 0) {
            reference[count / 2] = double_from_bits(STALE_MARKER_BITS);
            reference[count - 1] = double_from_bits(STALE_MARKER_BITS);
        }
        struct strbuf bytes = STRBUF_INIT;
        assert_int_equal(
            column_block_encode_against(values, presence, count, reference, NULL, &bytes), 0);
        if (column_block_needs_reference(bytes.data, bytes.size)) {
            uint32_t row;
            double value;
            expect_all("leaning", &bytes, count, reference, &random, &tally);
            int status =
                column_block_newest(bytes.data, bytes.size, count, count, NULL, &row, &value);
            assert_true(status == ERR_CORRUPT || status == 1); // a literal needs no reference
        }
        strbuf_release(&bytes);
    }
    assert_true(tally.codecs[CODEC_DIFFERENCE] > 500 && tally.codecs[CODEC_AFFINE] > 500);
    assert_true(tally.unknown > 0 && tally.known > 20 * tally.unknown);
}

/* Only what lies in the way is checked; that much is, and nothing else is touched. */
static void test_flipped_bytes(void **state)
{
    (void)state;
    uint64_t random = test_seed() + 2;
    double values[200];
    uint64_t presence[PRESENCE_WORDS(200)];
    unsigned refused = 0;
    for (int shape = 0; shape < SHAPE_COUNT; shape++) {
        row_shape_fill((enum row_shape)shape, &random, values, 200);
        leave_out(GAPS_FEW, &random, values, presence, 200);
        struct strbuf bytes = STRBUF_INIT;
        assert_int_equal(column_block_encode(values, presence, 200, NULL, &bytes), 0);
        for (size_t at = 0; at < bytes.size; at++) {
            uint8_t *copy = mem_dup(bytes.data, bytes.size);
            for (unsigned bit = 0; bit < 8; bit++) {
                uint32_t row = 0;
                double value;
                copy[at] = (uint8_t)(bytes.data[at] ^ 1 << bit);
                int status = column_block_newest(copy, bytes.size, 200, 200, NULL, &row, &value);
                assert_true(status == 0 || status == 1 || status == ERR_CORRUPT);
                assert_true(row < 200);
                refused += status == ERR_CORRUPT;
            }
            mem_free(copy);
        }
        strbuf_release(&bytes);
    }
    assert_true(refused > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_alone),
        cmocka_unit_test(test_leaning),
        cmocka_unit_test(test_flipped_bytes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
