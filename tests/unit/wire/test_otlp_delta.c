/* Totals of deltas: adding, undoing, the bound on series, exponential histograms of several scales. */
#include "support/support.h"
#include "wire/otlp_delta.h"

static struct hash128 key(uint64_t n)
{
    return (struct hash128){hash_mix64(n + 1), n};
}

static int add(struct otlp_delta *d, int64_t now_ms, uint64_t n, int64_t t_ms, double value,
    double *total, bool keep)
{
    struct otlp_delta_batch batch;
    otlp_delta_begin(d, now_ms, &batch);
    int status = otlp_delta_add(&batch, key(n), t_ms, value, total);
    otlp_delta_end(&batch, keep);
    return status;
}

static void test_bound(void **state)
{
    (void)state;
    enum { SERIES = 100 };
    struct otlp_delta *d;
    double total;
    assert_int_equal(otlp_delta_new(SERIES, &d), 0);
    for (uint64_t n = 0; n < SERIES; n++) {
        assert_int_equal(add(d, (int64_t)n, n, 1, (double)n, &total, true), 0);
        assert_true(total == (double)n);
    }
    assert_int_equal(add(d, SERIES, SERIES, 1, 1, &total, true), ERR_LIMIT);
    /* 0 is used again, so that 1 is the longest unused; it makes room when it has been idle */
    assert_int_equal(add(d, SERIES, 0, 2, 5, &total, true), 0);
    assert_true(total == 5);
    assert_int_equal(add(d, 1 + OTLP_DELTA_IDLE_MS, SERIES, 1, 7, &total, true), ERR_LIMIT);
    assert_int_equal(add(d, 2 + OTLP_DELTA_IDLE_MS, SERIES, 1, 7, &total, true), 0);
    assert_true(total == 7);
    assert_int_equal(otlp_delta_count(d), SERIES);
    assert_int_equal(add(d, 2 + OTLP_DELTA_IDLE_MS, 0, 3, 1, &total, true), 0);
    assert_true(total == 6);
    otlp_delta_free(d);
}

static void test_undo(void **state)
{
    (void)state;
    struct otlp_delta *d;
    struct otlp_delta_batch batch;
    double total;
    assert_int_equal(otlp_delta_new(10, &d), 0);
    assert_int_equal(add(d, 0, 1, 10, 4, &total, true), 0);
    otlp_delta_begin(d, 0, &batch);
    for (int64_t t = 11; t < 15; t++) {
        assert_int_equal(otlp_delta_add(&batch, key(1), t, 1, &total), 0);
        assert_int_equal(otlp_delta_add(&batch, key(2), t, 1, &total), 0);
    }
    assert_true(total == 4);
    otlp_delta_end(&batch, false);
    assert_int_equal(add(d, 0, 1, 11, 1, &total, true), 0);
    assert_true(total == 5);
    assert_int_equal(add(d, 0, 2, 1, 3, &total, true), 0);
    assert_true(total == 3);
    assert_int_equal(add(d, 0, 2, 1, 3, &total, true), ERR_RANGE);
    otlp_delta_free(d);
}

/* Two observations of scale 1 and one of scale 0 are three of scale 0. */
static void test_exponential(void **state)
{
    (void)state;
    static const uint64_t fine[] = {1, 1}, coarse[] = {1};
    struct otlp_point one = {.t_ms = 1,
        .scale = 1,
        .count = 3,
        .zero_count = 1,
        .sum = 3,
        .has_sum = true,
        .positive = {0, fine, 2}}; /* (1,1.41], (1.41,2] */
    struct otlp_point two = {.t_ms = 2,
        .scale = 0,
        .count = 1,
        .sum = 3,
        .has_sum = true,
        .positive = {1, coarse, 1}}; /* (2,4] */
    struct otlp_delta *d;
    struct otlp_delta_batch batch;
    struct arena arena;
    const struct histogram *h;
    arena_init(&arena, 0);
    assert_int_equal(otlp_delta_new(10, &d), 0);
    otlp_delta_begin(d, 0, &batch);
    assert_int_equal(otlp_delta_add_exponential(&batch, key(1), &one, &arena, &h), 0);
    assert_true(h->schema == 1 && h->count == 3 && h->positive.count == 2);
    otlp_delta_end(&batch, true);
    for (int again = 0; again < 2; again++) {
        otlp_delta_begin(d, 0, &batch);
        assert_int_equal(otlp_delta_add_exponential(&batch, key(1), &two, &arena, &h), 0);
        assert_true(h->schema == 0 && h->count == 4 && h->sum == 6 && h->zero_count == 1);
        assert_int_equal(h->positive.span_count, 1);
        assert_int_equal(h->positive.spans[0].offset, 1);
        assert_int_equal(h->positive.count, 2);
        assert_true(h->positive.counts[0] == 2 && h->positive.counts[1] == 1);
        assert_int_equal(histogram_validate(h, NULL), 0);
        otlp_delta_end(&batch, again == 1); /* undone the first time */
    }
    otlp_delta_free(d);
    arena_release(&arena);
}

/* A total is never wider than its bound: two observations far apart at the finest scale. */
static void test_width(void **state)
{
    (void)state;
    static const uint64_t one[] = {1};
    struct otlp_point low = {.t_ms = 1, .scale = 8, .count = 1, .positive = {-2000, one, 1}};
    struct otlp_point high = {.t_ms = 2, .scale = 8, .count = 1, .positive = {2000, one, 1}};
    struct otlp_delta *d;
    struct otlp_delta_batch batch;
    struct arena arena;
    const struct histogram *h;
    arena_init(&arena, 0);
    assert_int_equal(otlp_delta_new(10, &d), 0);
    otlp_delta_begin(d, 0, &batch);
    assert_int_equal(otlp_delta_add_exponential(&batch, key(1), &low, &arena, &h), 0);
    assert_int_equal(otlp_delta_add_exponential(&batch, key(1), &high, &arena, &h), 0);
    otlp_delta_end(&batch, true);
    /* 4000 buckets in at most 320: four steps of two, to scale 4 */
    assert_int_equal(h->schema, 4);
    assert_int_equal(h->positive.count, 2);
    assert_int_equal(h->positive.spans[0].offset, -2000 / 16 + 1);
    assert_int_equal(h->positive.spans[1].offset, 2000 / 16 + 2000 / 16 - 1);
    otlp_delta_free(d);
    arena_release(&arena);
}

/* The second point has a zero bucket of up to 3, inside of (2,4]: what the first had up to 4 is zero. */
static void test_zero_bucket(void **state)
{
    (void)state;
    static const uint64_t each[] = {1, 2, 4}, four[] = {8};
    struct otlp_point narrow = {
        .t_ms = 1, .count = 11, .positive = {0, each, 3}, .negative = {1, &each[2], 1}};
    struct otlp_point wide = {
        .t_ms = 2, .zero_threshold = 3, .zero_count = 16, .count = 24, .positive = {2, four, 1}};
    struct otlp_delta *d;
    struct otlp_delta_batch batch;
    struct arena arena;
    const struct histogram *h;
    arena_init(&arena, 0);
    assert_int_equal(otlp_delta_new(10, &d), 0);
    otlp_delta_begin(d, 0, &batch);
    assert_int_equal(otlp_delta_add_exponential(&batch, key(1), &narrow, &arena, &h), 0);
    assert_int_equal(otlp_delta_add_exponential(&batch, key(1), &wide, &arena, &h), 0);
    otlp_delta_end(&batch, true);
    assert_true(h->zero_threshold == 4 && h->zero_count == 16 + 1 + 2 + 4);
    assert_int_equal(h->negative.count, 0);
    assert_int_equal(h->positive.count, 1);
    assert_true(h->positive.counts[0] == 4 + 8);
    assert_int_equal(h->positive.spans[0].offset, 3); /* (4,8] */
    otlp_delta_free(d);
    arena_release(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bound),
        cmocka_unit_test(test_undo),
        cmocka_unit_test(test_exponential),
        cmocka_unit_test(test_width),
        cmocka_unit_test(test_zero_bucket),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
