/* Bounds of exponential buckets: those that were read out of a real Prometheus (tests/golden), and what
 * follows for other octaves and schemas. */
#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "model/histogram.h"
#include "support/support.h"

#define GOLDEN "tests/golden/histogram_bounds.txt"

enum { FRACTIONS = 256 };

static void read_golden(double *fractions)
{
    char line[128];
    int count = 0;
    FILE *file = fopen(GOLDEN, "re");
    if (file == NULL) {
        fail_msg("%s: cannot be opened", GOLDEN);
        return;
    }
    while (fgets(line, sizeof(line), file) != NULL) {
        if (line[0] != '#') {
            assert_true(count < FRACTIONS);
            fractions[count++] = strtod(line, NULL);
        }
    }
    (void)fclose(file); // nothing was written
    assert_int_equal(count, FRACTIONS);
}

static void assert_bound(int64_t index, int32_t schema, double expected)
{
    double is = histogram_bound(index, schema);
    if (is != expected) {
        fail_msg("bucket %lld of schema %d ends at %a instead of %a", (long long)index, schema, is,
            expected);
    }
}

static void test_golden(void **state)
{
    static const int octaves[] = {-1021, -30, -1, 0, 1, 17, 1022};
    double fractions[FRACTIONS];
    read_golden(fractions);
    for (int32_t schema = 1; schema <= HISTOGRAM_SCHEMA_MAX; schema++) {
        int per_octave = 1 << schema;
        for (int i = 0; i < per_octave; i++) {
            double fraction = fractions[i * FRACTIONS / per_octave];
            for (size_t o = 0; o < sizeof(octaves) / sizeof(octaves[0]); o++) {
                assert_bound(
                    octaves[o] * (int64_t)per_octave + i, schema, ldexp(fraction, octaves[o] + 1));
            }
        }
    }
}

/* The square root of two is what tells the ways of reckoning apart. */
static void test_values(void **state)
{
    static const struct {
        int64_t index;
        int32_t schema;
        double bound;
    } rows[] = {
        {1, 1, 1.414213562373095},
        {3, 1, 2.82842712474619},
        {-1, 1, 0.7071067811865475},
        {0, 3, 1},
        {1, 0, 2},
        {-3, 0, 0.125},
        {1, -4, 65536},
        {-1, -1, 0.25},
        {1024, 0, DBL_MAX},
        {1025, 0, INFINITY},
        {64, -4, DBL_MAX},
        {65, -4, INFINITY},
        {1024 * 256, 8, DBL_MAX},
        {1024 * 256 + 1, 8, INFINITY},
        {INT32_MIN, 8, 0},
        {INT32_MIN, -4, 0},
        {INT32_MAX, -4, INFINITY},
        {INT32_MAX, 8, INFINITY},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        assert_bound(rows[i].index, rows[i].schema, rows[i].bound);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_golden),
        cmocka_unit_test(test_values),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
