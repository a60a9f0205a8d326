/* Sketches against exact quantiles of known distributions. */
#include <math.h>
#include <stdlib.h>

#include "model/sketch.h"
#include "support/support.h"

enum { VALUES = 5000 };

static uint64_t state_random;

/* In (0, 1). */
static double uniform(void)
{
    return ((double)(test_random(&state_random) >> 11) + 0.5) * 0x1p-53;
}

static double draw_uniform(void)
{
    return 10 + 90 * uniform();
}

static double draw_exponential(void)
{
    return -log(uniform()) * 0.02;
}

static double draw_pareto(void)
{
    return pow(uniform(), -1 / 1.1);
}

static double draw_both_signs(void)
{
    double sum = -6;
    for (int i = 0; i < 12; i++) {
        sum += uniform();
    }
    return sum;
}

static double draw_two_peaks(void)
{
    return uniform() < 0.7 ? 0.001 + 0.0001 * uniform() : 3 + uniform();
}

static double draw_few_values(void)
{
    return floor(uniform() * 5);
}

static double draw_wide(void)
{
    return exp2(200 * uniform() - 100);
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

/* Linear rank, as quantile_over_time defines it, and the greatest error the bound allows. */
static double exact_quantile(const double *sorted, size_t count, double q, double *allowed_out)
{
    double rank = q * (double)(count - 1);
    size_t low = (size_t)floor(rank), high = low + 1 < count ? low + 1 : low;
    double weight = rank - floor(rank);
    *allowed_out = fabs(sorted[low]) * (1 - weight) + fabs(sorted[high]) * weight;
    return sorted[low] * (1 - weight) + sorted[high] * weight;
}

static void test_quantiles(void **state)
{
    static const struct {
        const char *name;
        double (*draw)(void);
        int32_t schema; /* that is left */
    } rows[] = {{"uniform", draw_uniform, 5}, {"exponential", draw_exponential, 5},
        {"pareto", draw_pareto, 5}, {"both signs", draw_both_signs, 5},
        {"two peaks", draw_two_peaks, 5}, {"few values", draw_few_values, 5},
        {"wide", draw_wide, 3}};
    static const double quantiles[] = {0, 0.001, 0.01, 0.1, 0.25, 0.5, 0.75, 0.9, 0.99, 0.999, 1};
    static double values[VALUES];
    state_random = test_seed();
    for (size_t r = 0; r < sizeof(rows) / sizeof(rows[0]); r++) {
        struct sketch s;
        sketch_init(&s);
        for (int i = 0; i < VALUES; i++) {
            values[i] = rows[r].draw();
            assert_int_equal(sketch_add(&s, values[i]), 0);
        }
        qsort(values, VALUES, sizeof(values[0]), compare);
        assert_int_equal(s.schema, rows[r].schema);
        double bound = s.schema == 5 ? 0.010831 : 0.0433; // the table of errors by schema
        for (size_t i = 0; i < sizeof(quantiles) / sizeof(quantiles[0]); i++) {
            double allowed, exact = exact_quantile(values, VALUES, quantiles[i], &allowed);
            double got = sketch_quantile(&s, quantiles[i]);
            if (!(fabs(got - exact) <= bound * allowed * (1 + 1e-9))) {
                fail_msg("%s: quantile %g is %.17g, exact %.17g, allowed error %g %%", rows[r].name,
                    quantiles[i], got, exact, bound * 100);
            }
        }
        assert_true(s.count == VALUES);
        sketch_release(&s);
    }
}

static double share_of(const double *sorted, double lower, double upper)
{
    double inside = 0;
    for (int i = 0; i < VALUES; i++) {
        inside += sorted[i] > lower && sorted[i] <= upper;
    }
    return inside / VALUES;
}

/* Bounds that are bucket bounds give exact shares; others are off by what the cut buckets hold. */
static void test_fractions(void **state)
{
    static const double bounds[][2] = {
        {-2, 2}, {0, 1}, {-1, 0}, {0.5, 4}, {-INFINITY, -0.25}, {-INFINITY, INFINITY}, {2, 1}};
    static double values[VALUES];
    struct sketch s;
    state_random = test_seed();
    sketch_init(&s);
    for (int i = 0; i < VALUES; i++) {
        values[i] = i % 50 == 0 ? 0 : draw_both_signs();
        assert_int_equal(sketch_add(&s, values[i]), 0);
    }
    for (size_t i = 0; i < sizeof(bounds) / sizeof(bounds[0]); i++) {
        double exact = share_of(values, bounds[i][0], bounds[i][1]);
        double got = sketch_fraction(&s, bounds[i][0], bounds[i][1]);
        if (!(fabs(got - exact) < 1e-12)) {
            fail_msg("(%g, %g]: %.17g, exact %.17g", bounds[i][0], bounds[i][1], got, exact);
        }
    }
    double growth = exp2(1.0 / 32), lower = 0.3, upper = 0.77;
    double off = share_of(values, lower / growth, lower * growth) +
                 share_of(values, upper / growth, upper * growth);
    double got = sketch_fraction(&s, lower, upper), exact = share_of(values, lower, upper);
    if (!(fabs(got - exact) <= off)) {
        fail_msg("(%g, %g]: %g, exact %g, may be off by %g", lower, upper, got, exact, off);
    }
    assert_true(isnan(sketch_fraction(&s, NAN, 1)));
    sketch_release(&s);
}

/* Pieces merged in any order are the whole, bucket by bucket. */
static void test_merging(void **state)
{
    enum { PIECES = 7 };
    struct arena arena;
    struct sketch whole, pieces[PIECES], merged;
    struct histogram *parts[PIECES], *expected = NULL, *got = NULL;
    arena_init(&arena, 0);
    state_random = test_seed();
    sketch_init(&whole);
    for (int i = 0; i < PIECES; i++) {
        sketch_init(&pieces[i]);
    }
    for (int i = 0; i < VALUES; i++) {
        double value = i % 3 == 0 ? draw_both_signs() : i % 97 == 0 ? 0 : draw_pareto();
        assert_int_equal(sketch_add(&whole, value), 0);
        assert_int_equal(sketch_add(&pieces[test_random(&state_random) % PIECES], value), 0);
    }
    for (int i = 0; i < PIECES; i++) {
        assert_int_equal(sketch_histogram(&pieces[i], &arena, &parts[i]), 0);
        assert_int_equal(histogram_validate(parts[i], NULL), 0);
    }
    assert_int_equal(sketch_histogram(&whole, &arena, &expected), 0);
    for (int start = 0; start < PIECES; start++) {
        sketch_init(&merged);
        for (int i = 0; i < PIECES; i++) {
            assert_int_equal(sketch_merge(&merged, parts[(start + 3 * i) % PIECES]), 0);
        }
        assert_int_equal(sketch_histogram(&merged, &arena, &got), 0);
        assert_true(histogram_eq(got, expected));
        sketch_release(&merged);
    }
    for (int i = 0; i < PIECES; i++) {
        sketch_release(&pieces[i]);
    }
    sketch_release(&whole);
    arena_release(&arena);
}

static void test_odd_values(void **state)
{
    static const double values[] = {NAN, -INFINITY, -0.0, 0.0, INFINITY};
    struct sketch s;
    sketch_init(&s);
    assert_true(isnan(sketch_quantile(&s, 0.5)));
    for (size_t i = 0; i < 5; i++) {
        assert_int_equal(sketch_add(&s, values[i]), 0);
    }
    assert_true(s.count == 5 && s.zero_count == 2);
    assert_true(isnan(sketch_quantile(&s, 0)));
    assert_true(sketch_quantile(&s, 0.25) == -INFINITY);
    assert_true(sketch_quantile(&s, 0.5) == 0);
    assert_true(sketch_quantile(&s, 1) == INFINITY);
    assert_true(sketch_quantile(&s, -0.1) == -INFINITY && sketch_quantile(&s, 1.1) == INFINITY);
    assert_true(isnan(sketch_quantile(&s, NAN)));
    sketch_reset(&s);
    assert_int_equal(sketch_add(&s, 1.7976931348623157e308), 0);
    assert_int_equal(sketch_add(&s, 2.2250738585072014e-308), 0);
    assert_true(fabs(sketch_quantile(&s, 1) / 1.7976931348623157e308 - 1) <= 0.010831);
    assert_true(fabs(sketch_quantile(&s, 0) / 2.2250738585072014e-308 - 1) <= 0.010831);
    struct histogram custom = {.schema = HISTOGRAM_SCHEMA_CUSTOM};
    assert_int_equal(sketch_merge(&s, &custom), ERR_UNSUPPORTED);
    sketch_release(&s);
}

/* Values on the bounds belong to the lower bucket. */
static void test_bounds(void **state)
{
    struct arena arena;
    arena_init(&arena, 0);
    for (int32_t octave = -40; octave <= 40; octave += 8) {
        struct sketch s;
        struct histogram *h;
        sketch_init(&s);
        assert_int_equal(sketch_add(&s, ldexp(1, octave)), 0);
        assert_int_equal(sketch_add(&s, nextafter(ldexp(1, octave), INFINITY)), 0);
        assert_int_equal(sketch_add(&s, -ldexp(1.4142135623730951, octave)), 0);
        assert_int_equal(sketch_histogram(&s, &arena, &h), 0);
        assert_int_equal(h->positive.spans[0].offset, octave * 32);
        assert_int_equal(h->positive.spans[0].length, 2);
        assert_int_equal(h->negative.spans[0].offset, octave * 32 + 16);
        sketch_release(&s);
    }
    assert_true(fabs(sketch_error(5) - 0.010830) < 1e-6);
    assert_true(fabs(sketch_error(0) - 1.0 / 3) < 1e-15);
    arena_release(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_quantiles),
        cmocka_unit_test(test_fractions),
        cmocka_unit_test(test_merging),
        cmocka_unit_test(test_odd_values),
        cmocka_unit_test(test_bounds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
