/* Timestamps of rows: regular, jittered, drifting, with gaps, random; and bytes that are none. */
#include "support/support.h"

#include <math.h>
#include <string.h>

#include "base/bytes.h"
#include "base/err.h"
#include "base/mem.h"
#include "row/row_times.h"

#define START 1700000000000

static size_t check_round_trip(const char *name, const int64_t *times, uint32_t count)
{
    struct strbuf bytes = STRBUF_INIT;
    assert_int_equal(row_times_encode(times, count, &bytes), 0);
    assert_true(bytes.size <= ROW_TIMES_SIZE_MAX(count));
    uint8_t *exact = mem_dup(bytes.data, bytes.size);
    int64_t *decoded = mem_alloc(count * sizeof(int64_t));
    assert_int_equal(row_times_decode(exact, bytes.size, count, decoded), 0);
    for (uint32_t i = 0; i < count; i++) {
        if (decoded[i] != times[i]) {
            fail_msg("%s, row %u of %u: expected %lld, got %lld", name, i, count,
                (long long)times[i], (long long)decoded[i]);
        }
    }
    assert_int_equal(row_times_decode(exact, bytes.size - 1, count, decoded), ERR_CORRUPT);
    size_t size = bytes.size;
    mem_free(exact);
    mem_free(decoded);
    strbuf_release(&bytes);
    return size;
}

/* Roughly normal with standard deviation 1: the sum of twelve uniforms. */
static double normal(uint64_t *state)
{
    double sum = -6;
    for (int i = 0; i < 12; i++) {
        sum += (double)(test_random(state) >> 11) * 0x1p-53;
    }
    return sum;
}

static void test_regular(void **state)
{
    (void)state;
    static int64_t times[ROW_TIMES_MAX];
    for (uint32_t count = 1; count <= 4096; count = count * 3 / 2 + 1) {
        for (uint32_t i = 0; i < count; i++) {
            times[i] = START + 15000 * (int64_t)i;
        }
        size_t size = check_round_trip("regular", times, count);
        assert_true(size <= 1 + 6 + 3); // codec, first, step
    }
}

/* A grid with jitter costs about log2(4.13 sigma) bits a row; packing may take one bit more. */
static void test_jitter(void **state)
{
    (void)state;
    static const double sigmas[] = {1, 5, 50};
    uint64_t random = test_seed();
    static int64_t times[960];
    for (size_t s = 0; s < 3; s++) {
        for (int gaps = 0; gaps < 2; gaps++) {
            int64_t slot = 0;
            for (uint32_t i = 0; i < 960; i++) {
                slot += gaps != 0 && i % 300 == 299 ? 5 : 1;
                times[i] = START + 15000 * slot + (int64_t)lrint(sigmas[s] * normal(&random));
            }
            size_t size = check_round_trip("jitter", times, 960);
            double bits = 8.0 * (double)size / 960;
            double ideal = log2(4.13 * sigmas[s]);
            if (bits > ideal + 1.3) {
                fail_msg("sigma %g: %g bits a row, ideal %g", sigmas[s], bits, ideal);
            }
        }
    }
}

/* A scraper that sleeps: no grid of whole milliseconds, or no grid at all. */
static void test_drift(void **state)
{
    (void)state;
    uint64_t random = test_seed() + 1;
    static int64_t times[960];
    for (uint32_t i = 0; i < 960; i++) {
        times[i] = START + (int64_t)(4945.37 * i) + (int64_t)(test_random(&random) % 4);
    }
    assert_true(check_round_trip("drift", times, 960) <= 960 * 3 / 8 + 40);
    times[0] = START;
    for (uint32_t i = 1; i < 960; i++) {
        times[i] = times[i - 1] + 4900 + (int64_t)(test_random(&random) % 64);
    }
    assert_true(check_round_trip("walk", times, 960) <= 960 * 6 / 8 + 40);
}

static void test_random_times(void **state)
{
    (void)state;
    uint64_t random = test_seed() + 2;
    static int64_t times[ROW_TIMES_MAX];
    for (int i = 0; i < 500; i++) {
        uint32_t count = 1 + (uint32_t)(test_random(&random) % (i < 20 ? ROW_TIMES_MAX : 200));
        unsigned spread = (unsigned)(test_random(&random) % 40);
        times[0] = (int64_t)(test_random(&random) >> 2) - ((int64_t)1 << 61);
        for (uint32_t k = 1; k < count; k++) {
            times[k] = times[k - 1] + 1 + (int64_t)(test_random(&random) >> (63 - spread));
        }
        (void)check_round_trip("random", times, count);
    }
    int64_t extremes[2] = {-((int64_t)1 << 53), 0};
    (void)check_round_trip("widest span", extremes, 2);
}

static void test_invalid(void **state)
{
    (void)state;
    static const int64_t cases[][3] = {
        {5, 5, 6}, {7, 6, 9}, {0, 1, ((int64_t)1 << 53) + 1}, {INT64_MIN, 0, 1}, {0, 1, INT64_MAX}};
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct strbuf bytes = STRBUF_INIT;
        assert_int_equal(row_times_encode(cases[i], 3, &bytes), ERR_INVALID);
        assert_int_equal(bytes.size, 0);
        strbuf_release(&bytes);
    }
}

static void test_corrupt(void **state)
{
    (void)state;
    static const struct {
        const char *what;
        uint32_t count;
        uint8_t size;
        uint8_t bytes[16];
    } cases[] = {
        {"nothing", 2, 0, {0}},
        {"unknown codec", 2, 2, {30, 0}},
        {"times that stand still", 2, 2, {0, 2}},
        {"times that go back", 2, 3, {6, 2, 1}},
        {"grid without step", 2, 5, {31, 0, 0, 0, 0}},
        {"more skips than rows", 2, 6, {31, 0, 1, 2, 0, 1}},
        {"a skip of nothing", 2, 6, {31, 0, 1, 1, 0, 0}},
        {"a skip past the last row", 2, 7, {31, 0, 1, 1, 1, 1, 0}},
        {"grid of one spot", 2, 5, {31, 0, 1, 0, 0}},
        {"overflow", 2, 16, {31, 0, 255, 255, 255, 255, 255, 255, 255, 255, 255, 1, 1, 0, 2, 0}},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        int64_t times[4];
        uint8_t *exact = mem_dup(cases[i].bytes, cases[i].size);
        int status = row_times_decode(exact, cases[i].size, cases[i].count, times);
        if (status != ERR_CORRUPT) {
            fail_msg("%s: expected CORRUPT, got %d", cases[i].what, status);
        }
        mem_free(exact);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_regular),
        cmocka_unit_test(test_jitter),
        cmocka_unit_test(test_drift),
        cmocka_unit_test(test_random_times),
        cmocka_unit_test(test_invalid),
        cmocka_unit_test(test_corrupt),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
