/* The vector forms of the inner loops give the bits of the portable ones, for any input. */
#include "support/support.h"

#include <stdio.h>
#include <string.h>

#include "base/bytes.h"
#include "emulated_kernels.h"
#include "row/bitpack.h"
#include "row/kernels.h"
#include "row/row_limits.h"
#include "row_shapes.h"

#define N 300
#define ROUNDS 3000

/* Integers of every size, small ones as likely as large. */
static void random_integers(uint64_t *state, int64_t *values, size_t count)
{
    unsigned bits = (unsigned)(test_random(state) % 65);
    for (size_t i = 0; i < count; i++) {
        uint64_t random = test_random(state);
        unsigned own = random % 8 == 0 ? (unsigned)(random >> 8 & 63) : bits;
        uint64_t v = own == 0 ? 0 : test_random(state) >> (64 - own);
        values[i] = (int64_t)((random & 0x10000) != 0 ? v : 0 - v);
    }
}

/* The form that the tests run with now; NULL where this machine has it not. */
static const struct row_kernels *under_test;

static const struct row_kernels *vector_kernels(void)
{
    if (under_test == NULL) {
        print_message("not on this machine\n");
        skip();
    }
    return under_test;
}

static void check_same(const char *what, size_t count, const void *a, const void *b, size_t size)
{
    const uint64_t *x = a;
    const uint64_t *y = b;
    for (size_t i = 0; i < size / 8; i++) {
        if (x[i] != y[i]) {
            fail_msg("%s of %zu, entry %zu: portable %016llx, vector %016llx", what, count, i,
                (unsigned long long)x[i], (unsigned long long)y[i]);
        }
    }
    assert_memory_equal(a, b, size);
}

static void test_unpack(void **unused)
{
    (void)unused;
    const struct row_kernels *portable = row_kernels_portable();
    const struct row_kernels *vector = vector_kernels();
    uint64_t state = test_seed();
    uint64_t values[N];
    uint64_t a[N];
    uint64_t b[N];
    static uint8_t bytes[8 * N + BITPACK_SLACK + UNPACK_OVERREAD];
    for (unsigned width = 1; width <= BITPACK_WIDTH_MAX; width++) {
        for (size_t count = 0; count <= 140; count++) {
            random_integers(&state, (int64_t *)values, count);
            uint8_t *end = bitpack_put(values, count, width, bytes);
            assert_int_equal(end - bytes, bitpack_size(count, width));
            portable->unpack(bytes, count, width, a);
            vector->unpack(bytes, count, width, b);
            check_same("unpack", count, a, b, count * 8);
            if (width <= NARROW_BITS_MAX) {
                uint32_t narrow[2][N];
                portable->unpack_narrow(bytes, count, width, narrow[0]);
                vector->unpack_narrow(bytes, count, width, narrow[1]);
                assert_memory_equal(narrow[0], narrow[1], count * 4);
                for (size_t i = 0; i < count; i++) {
                    assert_int_equal(narrow[0][i], a[i]);
                }
            }
            for (size_t i = 0; i < count; i++) {
                assert_int_equal(a[i], values[i] & bit_mask(width));
            }
        }
    }
}

static void test_sums(void **unused)
{
    (void)unused;
    const struct row_kernels *portable = row_kernels_portable();
    const struct row_kernels *vector = vector_kernels();
    uint64_t state = test_seed() + 1;
    int64_t a[N];
    int64_t b[N];
    for (int round = 0; round < ROUNDS; round++) {
        size_t count = (size_t)(test_random(&state) % N);
        int64_t parameters[2];
        random_integers(&state, parameters, 2);
        random_integers(&state, a, count);
        memcpy(b, a, sizeof(a));
        portable->add(a, count, parameters[0]);
        vector->add(b, count, parameters[0]);
        check_same("add", count, a, b, count * 8);
        portable->accumulate(a, count, parameters[0], parameters[1]);
        vector->accumulate(b, count, parameters[0], parameters[1]);
        check_same("accumulate", count, a, b, count * 8);
        portable->accumulate_zigzag(a, count, parameters[0]);
        vector->accumulate_zigzag(b, count, parameters[0]);
        check_same("accumulate_zigzag", count, a, b, count * 8);
    }
}

/* Narrow sums equal wide sums of the same residuals, on both paths. */
static void test_narrow_sums(void **unused)
{
    (void)unused;
    const struct row_kernels *kernels[2] = {row_kernels_portable(), vector_kernels()};
    uint64_t state = test_seed() + 5;
    uint32_t narrow[N];
    int64_t wide[N];
    int64_t out[N];
    for (int round = 0; round < ROUNDS; round++) {
        size_t count = 1 + (size_t)(test_random(&state) % (N - 1));
        unsigned bits = 1 + (unsigned)(test_random(&state) % NARROW_SUM_BITS);
        int64_t parameters[2];
        random_integers(&state, parameters, 2);
        for (size_t i = 0; i < count; i++) {
            uint64_t random = test_random(&state);
            narrow[i] =
                (random & 7) == 0 ? (uint32_t)bit_mask(bits) : (uint32_t)(random >> (64 - bits));
        }
        for (int k = 0; k < 2; k++) {
            for (int what = 0; what < 3; what++) {
                for (size_t i = 0; i < count; i++) {
                    wide[i] = narrow[i];
                }
                int64_t last = 0;
                if (what == 0) {
                    kernels[0]->add(wide, count, parameters[0]);
                    kernels[k]->add_narrow(narrow, count, parameters[0], out);
                } else if (what == 1) {
                    kernels[0]->accumulate(wide, count, parameters[0], parameters[1]);
                    last = kernels[k]->accumulate_narrow(
                        narrow, count, parameters[0], parameters[1], out);
                } else {
                    kernels[0]->accumulate_zigzag(wide, count, parameters[0]);
                    last = kernels[k]->accumulate_zigzag_narrow(narrow, count, parameters[0], out);
                }
                check_same("narrow sum", count, wide, out, count * 8);
                assert_true(what == 0 || last == wide[count - 1]);
            }
        }
    }
}

static void test_residuals(void **unused)
{
    (void)unused;
    const struct row_kernels *portable = row_kernels_portable();
    const struct row_kernels *vector = vector_kernels();
    uint64_t state = test_seed() + 2;
    int64_t values[N];
    int64_t a[N];
    int64_t b[N];
    for (int round = 0; round < ROUNDS; round++) {
        size_t count = 1 + (size_t)(test_random(&state) % (N - 1));
        random_integers(&state, values, count);
        assert_int_equal(portable->minimum(values, count), vector->minimum(values, count));
        portable->subtract(values, count, values[count / 2], (uint64_t *)a);
        vector->subtract(values, count, values[count / 2], (uint64_t *)b);
        check_same("subtract", count, a, b, count * 8);
        assert_int_equal(portable->steps(values, count, a), vector->steps(values, count, b));
        check_same("steps", count, a, b, (count - 1) * 8);
        portable->zigzag(values, count, (uint64_t *)a);
        vector->zigzag(values, count, (uint64_t *)b);
        check_same("zigzag", count, a, b, count * 8);
        size_t few = count < KERNEL_WIDTHS ? count : KERNEL_WIDTHS;
        uint8_t widths[2][KERNEL_WIDTHS];
        // In any order, so that they are compared by how many exceed each width, below.
        assert_int_equal(portable->widths((const uint64_t *)values, few, widths[0]),
            vector->widths((const uint64_t *)values, few, widths[1]));
        uint8_t wider[3][KERNEL_WIDEST];
        unsigned widest = portable->count_wider(widths[0], few, wider[0]);
        assert_int_equal(portable->count_wider(widths[1], few, wider[1]), widest);
        assert_int_equal(vector->count_wider(widths[0], few, wider[2]), widest);
        assert_memory_equal(wider[0], wider[1], widest);
        assert_memory_equal(wider[0], wider[2], widest);
        assert_int_equal(
            portable->differing_bits(values, count), vector->differing_bits(values, count));
    }
}

static void test_to_doubles(void **unused)
{
    (void)unused;
    const struct row_kernels *portable = row_kernels_portable();
    const struct row_kernels *vector = vector_kernels();
    uint64_t state = test_seed() + 3;
    int64_t values[N];
    double a[N];
    double b[N];
    for (int round = 0; round < ROUNDS; round++) {
        size_t count = (size_t)(test_random(&state) % N);
        random_integers(&state, values, count);
        struct number_map map = {
            .exponent = (uint8_t)(test_random(&state) % (MAPPING_EXPONENT_MAX + 1)),
            .scale = test_random(&state) % 3 == 0 ? 1 + test_random(&state) % 5000 : 1,
        };
        map.remainder = map.scale > 1 ? test_random(&state) % map.scale : 0;
        map.method = map.exponent > 0 ? (uint8_t)(test_random(&state) % METHOD_COUNT) : 0;
        portable->to_doubles(&map, values, count, a);
        vector->to_doubles(&map, values, count, b);
        check_same("to_doubles", count, a, b, count * 8);
    }
}

static void test_to_integers(void **unused)
{
    (void)unused;
    const struct row_kernels *portable = row_kernels_portable();
    const struct row_kernels *vector = vector_kernels();
    uint64_t state = test_seed() + 4;
    double values[N];
    int64_t a[N];
    int64_t b[N];
    for (int round = 0; round < ROUNDS; round++) {
        size_t count = 1 + (size_t)(test_random(&state) % (N - 1));
        row_shape_fill((enum row_shape)(test_random(&state) % SHAPE_COUNT), &state, values, count);
        if (round % 2 == 0) {
            values[test_random(&state) % count] = double_from_bits(test_random(&state));
        }
        unsigned exponent = (unsigned)(test_random(&state) % (MAPPING_EXPONENT_MAX + 1));
        unsigned method = exponent > 0 ? (unsigned)(test_random(&state) % METHOD_COUNT) : 0;
        size_t exact = portable->to_integers(values, count, method, exponent, a);
        assert_int_equal(vector->to_integers(values, count, method, exponent, b), exact);
        check_same("to_integers", count, a, b, exact * 8);
        struct column_scan x = portable->scan(values, count);
        struct column_scan y = vector->scan(values, count);
        assert_int_equal(x.stale, y.stale);
        assert_int_equal(x.varies, y.varies);
    }
}

/* A stale marker or a difference in any one place is seen. */
static void test_scan(void **unused)
{
    (void)unused;
    const struct row_kernels *kernels[2] = {row_kernels_portable(), vector_kernels()};
    double values[40];
    for (size_t count = 1; count <= 40; count++) {
        for (size_t at = 0; at < count; at++) {
            for (size_t i = 0; i < count; i++) {
                values[i] = 7;
            }
            for (int k = 0; k < 2; k++) {
                values[at] = 8;
                struct column_scan seen = kernels[k]->scan(values, count);
                assert_int_equal(seen.varies, count > 1);
                assert_false(seen.stale);
                values[at] = double_from_bits(STALE_MARKER_BITS);
                assert_true(kernels[k]->scan(values, count).stale);
                values[at] = 7;
                assert_false(kernels[k]->scan(values, count).varies);
            }
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_unpack),
        cmocka_unit_test(test_sums),
        cmocka_unit_test(test_narrow_sums),
        cmocka_unit_test(test_residuals),
        cmocka_unit_test(test_to_doubles),
        cmocka_unit_test(test_to_integers),
        cmocka_unit_test(test_scan),
    };
    under_test = row_kernels_avx2();
    int failed = cmocka_run_group_tests_name("avx2", tests, NULL, NULL);
    under_test = row_kernels_emulated();
    failed += cmocka_run_group_tests_name("avx512, emulated", tests, NULL, NULL);
    under_test = row_kernels_avx512();
    return failed + cmocka_run_group_tests_name("avx512", tests, NULL, NULL);
}
