/* Native histograms: bounds, the walk in order of values, what is well-formed, how they print. */
#include <float.h>
#include <math.h>

#include "model/histogram.h"
#include "model/sample.h"
#include "support/support.h"

/* A bucket of one at `index`. */
static struct histogram one_bucket(int32_t schema, const struct histogram_span *span)
{
    static const double one = 1;
    return (struct histogram){
        .schema = schema, .count = 1, .sum = 1, .positive = {span, 1, &one, 1}};
}

/* base = 2^(2^-schema); bucket i is (base^(i-1), base^i]. */
static void test_bounds(void **state)
{
    static const struct {
        int32_t schema, index;
        double lower, upper;
    } rows[] = {
        {0, 0, 0.5, 1},
        {0, 1, 1, 2},
        {0, -3, 0.0625, 0.125},
        {0, 1024, 0x1p1023, DBL_MAX}, /* infinities have the next */
        {1, 1, 1, 1.4142135623730951},
        {1, 2, 1.4142135623730951, 2},
        {2, -3, 0.5, 0.59460355750136051}, /* 2^-0.75 */
        {3, 8, 1.8340080864093424, 2},     /* 2^(7/8) */
        {8, 256, 1.9945921121709402, 2},   /* 2^(255/256) */
        {8, 1, 1, 1.0027112750502025},     /* 2^(1/256) */
        {-1, 1, 1, 4},
        {-2, 0, 0.0625, 1},
        {-4, 1, 1, 65536},
        {-4, 63, 0x1p992, 0x1p1008},
        {-4, 64, 0x1p1008, DBL_MAX},
        {-4, -70, 0, 0}, /* below the smallest double */
        {-4, 2147483000, INFINITY, INFINITY},
        {8, -2147483000, 0, 0},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct histogram_span span = {rows[i].index, 1};
        struct histogram h = one_bucket(rows[i].schema, &span);
        struct histogram_walk walk;
        struct histogram_bucket b;
        assert_int_equal(histogram_validate(&h, NULL), 0);
        histogram_walk_begin(&walk, &h);
        assert_true(histogram_walk_next(&walk, &b));
        double wrong_low = b.lower == rows[i].lower ? 0 : fabs(b.lower / rows[i].lower - 1);
        double wrong_high = b.upper == rows[i].upper ? 0 : fabs(b.upper / rows[i].upper - 1);
        if (!(wrong_low < 4e-16 && wrong_high < 4e-16) || b.index != rows[i].index) {
            fail_msg("schema %d index %d: (%.17g,%.17g], expected (%.17g,%.17g]", rows[i].schema,
                rows[i].index, b.lower, b.upper, rows[i].lower, rows[i].upper);
        }
        assert_true(!b.lower_inclusive && b.upper_inclusive);
        assert_false(histogram_walk_next(&walk, &b));
    }
}

static const struct histogram_span positive_spans[] = {{0, 2}, {1, 1}};
static const double positive_counts[] = {1, 2, 3};
static const struct histogram_span negative_spans[] = {{1, 1}, {0, 0}, {2, 2}};
static const double negative_counts[] = {4, 5, 6};

/* Buckets (0.5,1] (1,2] (4,8], their mirror images [-2,-1) [-16,-8) [-32,-16), and zero. */
static struct histogram both_sides(void)
{
    return (struct histogram){
        .schema = 0,
        .zero_threshold = 0.25,
        .zero_count = 7,
        .count = 28,
        .sum = 1.5,
        .positive = {positive_spans, 2, positive_counts, 3},
        .negative = {negative_spans, 3, negative_counts, 3},
    };
}

static void test_walks_in_order_of_values(void **state)
{
    static const struct histogram_bucket expected[] = {
        {-32, -16, true, false, 6, 5},
        {-16, -8, true, false, 5, 4},
        {-2, -1, true, false, 4, 1},
        {-0.25, 0.25, true, true, 7, 0},
        {0.5, 1, false, true, 1, 0},
        {1, 2, false, true, 2, 1},
        {4, 8, false, true, 3, 3},
    };
    struct histogram h = both_sides();
    struct histogram_walk walk;
    struct histogram_bucket b;
    assert_int_equal(histogram_validate(&h, NULL), 0);
    histogram_walk_begin(&walk, &h);
    for (size_t i = 0; i < sizeof(expected) / sizeof(expected[0]); i++) {
        const struct histogram_bucket *x = &expected[i];
        assert_true(histogram_walk_next(&walk, &b));
        if (b.lower != x->lower || b.upper != x->upper || b.count != x->count ||
            b.index != x->index || b.lower_inclusive != x->lower_inclusive ||
            b.upper_inclusive != x->upper_inclusive) {
            fail_msg("bucket %zu: [%g,%g] %g index %d, expected [%g,%g] %g index %d", i, b.lower,
                b.upper, b.count, b.index, x->lower, x->upper, x->count, x->index);
        }
    }
    assert_false(histogram_walk_next(&walk, &b));
    assert_false(histogram_walk_next(&walk, &b));
}

/* The zero bucket takes what it covers of the one beside it. */
static void test_the_zero_bucket_clips_its_neighbour(void **state)
{
    struct histogram h = both_sides();
    struct histogram_walk walk;
    struct histogram_bucket b;
    h.zero_threshold = 0.75;
    histogram_walk_begin(&walk, &h);
    while (histogram_walk_next(&walk, &b) && b.upper != 1) {
    }
    assert_true(b.lower == 0.75);
}

static void test_custom_bounds(void **state)
{
    static const double bounds[] = {0.5, 1, 5};
    static const struct histogram_span spans[] = {{0, 4}};
    static const double counts[] = {1, 2, 3, 4};
    static const double lower[] = {-INFINITY, 0.5, 1, 5}, upper[] = {0.5, 1, 5, INFINITY};
    struct histogram h = {.schema = HISTOGRAM_SCHEMA_CUSTOM,
        .count = 10,
        .positive = {spans, 1, counts, 4},
        .custom_values = bounds,
        .custom_count = 3};
    struct histogram_walk walk;
    struct histogram_bucket b;
    assert_int_equal(histogram_validate(&h, NULL), 0);
    histogram_walk_begin(&walk, &h);
    for (size_t i = 0; i < 4; i++) {
        assert_true(histogram_walk_next(&walk, &b));
        assert_true(b.lower == lower[i] && b.upper == upper[i] && b.count == counts[i]);
    }
    assert_false(histogram_walk_next(&walk, &b));
}

static void test_what_is_refused(void **state)
{
    static const double counts[] = {1, -1}, nan_bound[] = {NAN}, falling[] = {2, 1};
    static const struct histogram_span two = {0, 2}, one = {0, 1}, before = {-1, 1},
                                       back[] = {{0, 1}, {-1, 1}}, far = {INT32_MAX - 1, 2};
    static const struct {
        const char *name;
        struct histogram h;
        bool gauge_is_fine;
    } rows[] = {
        {"schema", {.schema = 9}, false},
        {"schema", {.schema = -5}, false},
        {"negative count", {.positive = {&two, 1, counts, 2}}, true},
        {"spans need more", {.positive = {&two, 1, counts, 1}}, false},
        {"spans need fewer", {.positive = {&one, 1, counts, 2}}, false},
        {"a span goes back", {.positive = {back, 2, counts, 2}}, false},
        {"index too large", {.negative = {&far, 1, positive_counts, 2}}, false},
        {"bounds without custom schema", {.custom_values = falling, .custom_count = 1}, false},
        {"bounds fall",
            {.schema = HISTOGRAM_SCHEMA_CUSTOM, .custom_values = falling, .custom_count = 2},
            false},
        {"a bound is not a number",
            {.schema = HISTOGRAM_SCHEMA_CUSTOM, .custom_values = nan_bound, .custom_count = 1},
            false},
        {"too few bounds",
            {.schema = HISTOGRAM_SCHEMA_CUSTOM, .positive = {&two, 1, positive_counts, 2}}, false},
        {"a custom bucket below the first",
            {.schema = HISTOGRAM_SCHEMA_CUSTOM, .positive = {&before, 1, positive_counts, 1}},
            false},
        {"custom with a negative side",
            {.schema = HISTOGRAM_SCHEMA_CUSTOM, .negative = {&one, 1, counts, 1}}, false},
        {"custom with a zero bucket", {.schema = HISTOGRAM_SCHEMA_CUSTOM, .zero_count = 1}, false},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct err e = ERR_INIT;
        struct histogram h = rows[i].h;
        int status = histogram_validate(&h, &e);
        h.reset_hint = HISTOGRAM_GAUGE;
        bool gauge = histogram_validate(&h, NULL) == 0;
        if (status != ERR_INVALID || e.message[0] == '\0' || gauge != rows[i].gauge_is_fine) {
            fail_msg("%s: %d \"%s\", as a gauge %d", rows[i].name, status, e.message, gauge);
        }
    }
}

static void test_equality_is_that_of_bits(void **state)
{
    struct histogram a = both_sides(), b = both_sides();
    assert_true(histogram_eq(&a, &b));
    b.sum = value_stale_marker();
    assert_false(histogram_eq(&a, &b));
    a.sum = value_stale_marker();
    assert_true(histogram_eq(&a, &b)); /* though no NaN equals another */
    a.sum = 0, b.sum = -0.0;
    assert_false(histogram_eq(&a, &b));
}

static void test_copies_are_deep(void **state)
{
    struct arena arena;
    arena_init(&arena, 1 << 20);
    double counts[] = {1, 2, 3};
    struct histogram h = both_sides();
    h.positive.counts = counts;
    struct histogram *copy = histogram_dup(&h, &arena);
    assert_non_null(copy);
    assert_true(histogram_eq(copy, &h));
    counts[0] = 9;
    assert_true(copy->positive.counts[0] == 1);
    arena_release(&arena);
}

static void test_prints_buckets_that_hold_something(void **state)
{
    struct histogram h = both_sides();
    struct strbuf out = STRBUF_INIT;
    histogram_write(&h, &out);
    assert_string_equal(out.data,
        "{count:28, sum:1.5, [-32,-16):6, [-16,-8):5, [-2,-1):4, [-0.25,0.25]:7, (0.5,1]:1, "
        "(1,2]:2, (4,8]:3}");
    strbuf_release(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bounds),
        cmocka_unit_test(test_walks_in_order_of_values),
        cmocka_unit_test(test_the_zero_bucket_clips_its_neighbour),
        cmocka_unit_test(test_custom_bounds),
        cmocka_unit_test(test_what_is_refused),
        cmocka_unit_test(test_equality_is_that_of_bits),
        cmocka_unit_test(test_copies_are_deep),
        cmocka_unit_test(test_prints_buckets_that_hold_something),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
