/* The codec of mini-blocks: every form, every presence, to the bit. */
#include "head/mini_column.h"

#include <math.h>

#include "base/bytes.h"
#include "model/sample.h"
#include "support/support.h"

static size_t check(const double *values, uint32_t rows, uint32_t mask, uint8_t *hint)
{
    uint8_t bytes[MINI_COLUMN_SIZE_MAX];
    double back[MINI_COLUMN_ROWS_MAX];
    size_t size = mini_column_encode(values, rows, mask, hint, bytes);
    assert_true(size <= MINI_COLUMN_SIZE_MAX);
    assert_int_equal(mini_column_decode(bytes, size, rows, back), mask);
    for (uint32_t i = 0; i < rows; i++) {
        if ((mask >> i & 1) != 0 && double_bits(values[i]) != double_bits(back[i])) {
            fail_msg("row %u of %u: %a, expected %a", i, rows, back[i], values[i]);
        }
    }
    return size;
}

struct form_case {
    const char *name;
    double values[8];
    size_t size_max; /* of all eight */
};

static void test_forms(void **state)
{
    const struct form_case cases[] = {
        {"zero", {0}, 2},
        {"small constant", {7, 7, 7, 7, 7, 7, 7, 7}, 2},
        {"decimal constant", {0.25, 0.25, 0.25, 0.25, 0.25, 0.25, 0.25, 0.25}, 2},
        {"double constant",
            {1.0 / 3, 1.0 / 3, 1.0 / 3, 1.0 / 3, 1.0 / 3, 1.0 / 3, 1.0 / 3, 1.0 / 3}, 9},
        {"steady counter", {100, 110, 120, 130, 140, 150, 160, 170}, 5},
        {"counter", {100, 101, 107, 109, 109, 112, 113, 120}, 8},
        {"decimals", {1.5, 1.25, 1.75, 1.5, 1.25, 1.5, 1.5, 1.25}, 12},
        {"halves of the range", {-9007199254740991.0, 9007199254740991.0, 0, 1, 2, 3, 4, 5}, 80},
        {"negative zero", {0.0, -0.0, 0.0, -0.0, 1, 2, 3, 4}, 66},
        {"doubles", {0.1 + 0.2, 1.0 / 3, 1e300, -5e-324, 2.5, 1e-9, 3, 4}, 66},
        {"infinities", {INFINITY, -INFINITY, 1, 2, 3, 4, 5, 6}, 66},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        for (uint8_t hint = 0; hint < 12; hint++) {
            uint8_t used = hint;
            size_t size = check(cases[i].values, 8, 0xff, &used);
            if (hint == 0 && size > cases[i].size_max) {
                fail_msg(
                    "%s: %zu bytes, expected at most %zu", cases[i].name, size, cases[i].size_max);
            }
        }
    }
}

static double random_value(uint64_t *random, uint64_t kind)
{
    uint64_t r = test_random(random);
    switch (kind) {
    case 0:
        return (double)(r % 3);
    case 1:
        return (double)(int64_t)(r >> 11) * (r % 2 == 0 ? 1 : -1);
    case 2:
        return (double)(r % 100000) / 100;
    case 3:
        return r % 5 == 0 ? value_stale_marker() : (double)(r % 1000);
    default:
        return double_from_bits(r);
    }
}

static void test_random_values(void **state)
{
    uint64_t random = test_seed();
    uint8_t hint = 0;
    for (int round = 0; round < 200000; round++) {
        double values[MINI_COLUMN_ROWS_MAX];
        uint32_t rows = 1 + (uint32_t)(test_random(&random) % MINI_COLUMN_ROWS_MAX);
        uint32_t all = ((uint32_t)1 << rows) - 1;
        uint64_t kind = test_random(&random) % 6;
        for (uint32_t i = 0; i < rows; i++) {
            values[i] = random_value(&random, kind == 5 ? test_random(&random) % 5 : kind);
        }
        uint32_t mask = round % 3 == 0 ? (uint32_t)test_random(&random) & all : all;
        if (mask != 0) {
            check(values, rows, mask, &hint);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_forms),
        cmocka_unit_test(test_random_values),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
