/* One column as a multiple of another: finding the factor, and applying it. */
#include "row/affine.h"

#include <math.h>

#include "row/kernels.h"

/* Below this the search for a factor costs more than it saves. */
#define AFFINE_ROWS_MIN 8
/* A factor of more digits is chance. */
#define FACTOR_MAX ((uint64_t)1 << 31)
/* How far the ratios of doubles may lie apart for their integers to be worth a look. */
#define RATIO_ERROR 1e-6

static uint64_t magnitude(int64_t v)
{
    return v < 0 ? 0 - (uint64_t)v : (uint64_t)v;
}

static uint64_t greatest_common_divisor(uint64_t a, uint64_t b)
{
    while (b != 0) {
        uint64_t rest = a % b;
        a = b;
        b = rest;
    }
    return a;
}

/* Do a few rows rise in one ratio? Three tell of nearly every pair of columns that they do not. */
static bool looks_affine(const double *values, const double *reference, size_t count)
{
    const size_t probes[] = {count / 3, count / 2, count - 1};
    double ratio = NAN;
    for (size_t i = 0; i < 3; i++) {
        double rise = values[probes[i]] - values[0];
        double run = reference[probes[i]] - reference[0];
        if (!isfinite(rise) || !isfinite(run) || (run == 0) != (rise == 0)) {
            return false;
        }
        if (run == 0) {
            continue;
        }
        if (isnan(ratio)) {
            ratio = rise / run;
        } else if (fabs(rise / run - ratio) > RATIO_ERROR * fabs(ratio)) {
            return false;
        }
    }
    return !isnan(ratio);
}

/* The reference's integers, exact for every row, at the exponent and method where they are. */
static bool map_reference(
    struct number_map *map, const double *reference, size_t count, int64_t *integers_out)
{
    static const struct {
        uint8_t method, least;
    } tried[] = {
        {METHOD_RECIPROCAL, 0}, {METHOD_PRODUCT, 1}, {METHOD_HALVES, 2}, {METHOD_QUOTIENT, 1}};
    for (size_t i = 0; i < sizeof(tried) / sizeof(tried[0]); i++) {
        struct number_misses misses = {.count_max = 0};
        *map =
            (struct number_map){.exponent = tried[i].least, .method = tried[i].method, .scale = 1};
        if (number_map_fit(reference, count, map, integers_out, &misses)) {
            return true;
        }
    }
    return false;
}

/* The factor in lowest terms, from the first row where the reference has moved. */
static bool find_factor(struct affine *a, const int64_t *y, const int64_t *x, size_t count)
{
    size_t moved = 1;
    while (moved < count && x[moved] == x[0]) {
        moved++;
    }
    if (moved == count || y[moved] == y[0]) {
        return false;
    }
    int64_t rise = y[moved] - y[0], run = x[moved] - x[0];
    uint64_t common = greatest_common_divisor(magnitude(rise), magnitude(run));
    uint64_t p = magnitude(rise) / common, q = magnitude(run) / common;
    if (p >= FACTOR_MAX || q >= FACTOR_MAX) {
        return false;
    }
    a->numerator = (rise < 0) == (run < 0) ? (int64_t)p : -(int64_t)p;
    a->denominator = q;
    a->first = y[0];
    return true;
}

bool affine_find(struct affine *a, const double *values, const int64_t *integers,
    const double *reference, size_t count)
{
    int64_t x[COLUMN_BLOCK_ROWS_MAX];
    if (count < AFFINE_ROWS_MIN || !looks_affine(values, reference, count) ||
        !map_reference(&a->reference, reference, count, x) || !find_factor(a, integers, x, count) ||
        !affine_apply(a, x, count)) {
        return false;
    }
    for (size_t i = 0; i < count; i++) {
        if (x[i] != integers[i]) {
            return false;
        }
    }
    return true;
}

size_t affine_size(const struct affine *a)
{
    return 1 + uvarint_size(zigzag_encode(a->numerator)) + uvarint_size(a->denominator) +
           uvarint_size(zigzag_encode(a->first));
}

uint8_t *affine_put(const struct affine *a, uint8_t *out)
{
    *out++ = (uint8_t)(a->reference.exponent | a->reference.method << MAPPING_METHOD_SHIFT);
    out += put_uvarint(out, zigzag_encode(a->numerator));
    out += put_uvarint(out, a->denominator);
    return out + put_uvarint(out, zigzag_encode(a->first));
}

void affine_get(struct decbuf *d, struct affine *a)
{
    number_map_get(d, &a->reference);
    a->numerator = decbuf_svarint(d);
    a->denominator = decbuf_uvarint(d);
    a->first = decbuf_svarint(d);
    if (a->reference.scale != 1 || a->reference.exponent == MAPPING_BITS || a->numerator == 0 ||
        magnitude(a->numerator) >= FACTOR_MAX || a->denominator == 0 ||
        a->denominator >= FACTOR_MAX) {
        d->failed = true;
    }
}

bool affine_apply(const struct affine *a, int64_t *integers, size_t count)
{
    int64_t origin = count > 0 ? integers[0] : 0;
    bool whole = true;
    for (size_t i = 0; i < count; i++) {
        int64_t run = (int64_t)((uint64_t)integers[i] - (uint64_t)origin);
        if (a->denominator > 1) {
            int64_t quotient = run / (int64_t)a->denominator;
            whole = whole && quotient * (int64_t)a->denominator == run;
            run = quotient;
        }
        integers[i] = (int64_t)((uint64_t)a->first + (uint64_t)run * (uint64_t)a->numerator);
    }
    return whole;
}
