/* Buckets against a plain reckoning of all samples. */
#include <math.h>

#include "model/sample.h"
#include "support/support.h"
#include "tier/rollup.h"

enum { SAMPLES = 3000 };

#define MINUTE INT64_C(60000)

static void roll(struct rollup *r, int64_t resolution, const int64_t *times, const double *values,
    size_t count, size_t piece)
{
    rollup_init(r, resolution, true);
    for (size_t i = 0; i < count; i += piece) {
        size_t n = count - i < piece ? count - i : piece;
        assert_int_equal(rollup_add(r, times + i, values + i, n), 0);
    }
    assert_int_equal(rollup_finish(r), 0);
}

static void test_edges(void **state)
{
    static const struct {
        int64_t t_ms, end;
    } rows[] = {{0, 0}, {1, 300000}, {300000, 300000}, {300001, 600000}, {-1, 0},
        {-300000, -300000}, {-300001, -300000}, {1700000000000, 1700000100000}};
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        assert_int_equal(rollup_bucket_end(rows[i].t_ms, 5 * MINUTE), rows[i].end);
    }
}

/* One bucket by hand: 5, stale, 8, 3 (reset), 4. */
static void test_one_bucket(void **state)
{
    const int64_t times[] = {1, 1000, 2000, 3000, 300000};
    const double values[] = {5, value_stale_marker(), 8, 3, 4};
    struct rollup r;
    roll(&r, 5 * MINUTE, times, values, 5, 5);
    assert_int_equal(r.count, 1);
    assert_int_equal(r.ends[0], 300000);
    const struct run_summary *b = &r.buckets[0];
    assert_int_equal(b->count, 4);
    assert_true(b->sum == 20 && b->min == 3 && b->max == 8 && b->first == 5 && b->last == 4);
    assert_int_equal(b->first_t, 1);
    assert_int_equal(b->last_t, 300000);
    assert_true(b->increase == 3 + 3 + 1); // 5 to 8, from 0 to 3, 3 to 4
    assert_int_equal(r.falls, 1);
    assert_true(r.sketches[0]->count == 4);
    rollup_release(&r);
}

static void test_nothing(void **state)
{
    const int64_t times[] = {1, 2};
    const double stale[] = {value_stale_marker(), value_stale_marker()};
    struct rollup r;
    roll(&r, 5 * MINUTE, times, stale, 2, 1);
    assert_int_equal(r.count, 0);
    rollup_release(&r);
}

static void test_odd_values(void **state)
{
    const int64_t times[] = {1, 2, 3, 300001, 300002, 600001};
    const double values[] = {value_nan(), 2, INFINITY, value_nan(), value_nan(), -0.0};
    struct rollup r;
    roll(&r, 5 * MINUTE, times, values, 6, 6);
    assert_int_equal(r.count, 3);
    assert_true(isnan(r.buckets[0].sum) && r.buckets[0].min == 2 && isinf(r.buckets[0].max));
    assert_true(isnan(r.buckets[0].first) && isinf(r.buckets[0].last));
    assert_true(isnan(r.buckets[1].min) && isnan(r.buckets[1].sum) && r.buckets[1].count == 2);
    assert_true(signbit(r.buckets[2].last) && r.buckets[2].increase == 0);
    rollup_release(&r);
}

/* A counter that falls now and then, with gaps and stale markers, and rounding that shows. */
static size_t make_counter(int64_t *times, double *values)
{
    uint64_t random = test_seed();
    int64_t t = -40 * MINUTE;
    double value = 1000.1;
    for (size_t i = 0; i < SAMPLES; i++) {
        t += 1 + (int64_t)(test_random(&random) % 20000);
        t += test_random(&random) % 200 == 0 ? 17 * MINUTE : 0;
        value += 0.1 * (double)(test_random(&random) % 50);
        value = test_random(&random) % 80 == 0 ? 0.3 : value;
        times[i] = t;
        values[i] = test_random(&random) % 50 == 0 ? value_stale_marker() : value;
    }
    return SAMPLES;
}

/* Whatever the resolution and the pieces, buckets with the steps between them add up to all samples. */
static void test_adds_up(void **state)
{
    static const int64_t resolutions[] = {1, MINUTE, 5 * MINUTE, 60 * MINUTE};
    static const size_t pieces[] = {1, 7, 500, SAMPLES};
    static int64_t times[SAMPLES];
    static double values[SAMPLES];
    size_t count = make_counter(times, values);
    long double sum = 0, increase = 0;
    uint64_t samples = 0;
    double before = NAN;
    for (size_t i = 0; i < count; i++) {
        if (value_is_stale(values[i])) {
            continue;
        }
        sum += (long double)values[i];
        if (samples > 0) {
            increase += values[i] < before ? values[i] : (long double)values[i] - before;
        }
        before = values[i];
        samples++;
    }
    for (int k = 0; k < 16; k++) {
        struct rollup r;
        roll(&r, resolutions[k / 4], times, values, count, pieces[k % 4]);
        long double total = 0, steps = 0;
        uint64_t seen = 0;
        for (size_t i = 0; i < r.count; i++) {
            const struct run_summary *b = &r.buckets[i];
            assert_true(b->first_t > r.ends[i] - r.resolution_ms && b->last_t <= r.ends[i]);
            assert_true(b->first_t <= b->last_t && b->min <= b->max && b->count > 0);
            assert_true(r.sketches[i]->count == (double)b->count);
            total += (long double)b->sum;
            seen += b->count;
            if (i > 0) {
                double last = r.buckets[i - 1].last;
                steps += b->first < last ? b->first : (long double)b->first - last;
            }
            steps += (long double)b->increase;
        }
        assert_int_equal(seen, samples);
        if (!(fabsl(total - sum) < 1e-12L * sum && fabsl(steps - increase) < 1e-9L)) {
            fail_msg("resolution %lld: sum %.17Lg, increase %.17Lg; expected %.17Lg, %.17Lg",
                (long long)r.resolution_ms, total, steps, sum, increase);
        }
        rollup_release(&r);
    }
}

/* ---- Native histograms ---- */

static struct histogram counts(double count, const double *bucket, int hint)
{
    static const struct histogram_span span = {0, 2};
    return (struct histogram){.schema = 0,
        .reset_hint = (enum histogram_reset_hint)hint,
        .count = count,
        .sum = count,
        .positive = {&span, 1, bucket, 2}};
}

static void test_thinning(void **state)
{
    static const double one[] = {1, 0}, two[] = {1, 1}, three[] = {2, 1}, moved[] = {1, 3};
    struct histogram stale = {.sum = value_stale_marker()};
    const struct histogram list[] = {counts(1, one, 0), counts(2, two, 0), counts(3, three, 0),
        counts(4, moved, 0), counts(4, moved, 0), stale, counts(4, moved, 0), counts(4, moved, 1),
        counts(4, moved, 0)};
    const int64_t times[] = {1, 2, 3, 4, 5, 6, 7, 300001, 300002};
    /* The third stood before a bucket fell, the fourth after; the seventh is the last of its bucket. */
    static const bool expected[] = {true, false, true, true, false, false, true, true, true};
    const struct histogram *pointers[9];
    bool keep[9];
    for (size_t i = 0; i < 9; i++) {
        pointers[i] = &list[i];
    }
    rollup_thin_histograms(times, pointers, 9, 5 * MINUTE, keep);
    for (size_t i = 0; i < 9; i++) {
        if (keep[i] != expected[i]) {
            fail_msg("sample %zu: kept %d, expected %d", i, keep[i], expected[i]);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_edges),
        cmocka_unit_test(test_one_bucket),
        cmocka_unit_test(test_nothing),
        cmocka_unit_test(test_odd_values),
        cmocka_unit_test(test_adds_up),
        cmocka_unit_test(test_thinning),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
