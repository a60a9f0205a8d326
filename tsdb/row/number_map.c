/* Doubles as integers: finding the exponent and the common divisor, and the way back. */
#include "row/number_map.h"

#include <assert.h>
#include <math.h>

#include "row/column_block.h"

#define SCALE_MAX ((uint64_t)1 << 62)
#define SHIFT_BITS 6
/* A scale and its mapping byte take two to four bytes; fewer bits saved than this do not pay. */
#define REDUCE_BITS_MIN 32

static const double power_of_ten[MAPPING_EXPONENT_MAX + 1] = {
    1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12};
static const double inverse_power[MAPPING_EXPONENT_MAX + 1] = {
    1e0, 1e-1, 1e-2, 1e-3, 1e-4, 1e-5, 1e-6, 1e-7, 1e-8, 1e-9, 1e-10, 1e-11, 1e-12};

/* ---- the mapping's bytes ---- */

bool number_map_is_plain(const struct number_map *map)
{
    return map->exponent == 0 && map->scale == 1;
}

uint8_t *number_map_put(const struct number_map *map, uint8_t *out)
{
    bool scaled = map->scale > 1;
    *out++ = (uint8_t)(map->exponent | map->method << MAPPING_METHOD_SHIFT |
                       (scaled ? MAPPING_SCALE : 0) | (map->remainder > 0 ? MAPPING_REMAINDER : 0));
    if (scaled) {
        unsigned shift = (unsigned)__builtin_ctzll(map->scale);
        uint64_t odd = map->scale >> shift;
        out += put_uvarint(out, (odd - 1) << SHIFT_BITS | shift);
    }
    if (map->remainder > 0) {
        out += put_uvarint(out, map->remainder);
    }
    return out;
}

static bool valid_method(unsigned exponent, unsigned method)
{
    if (exponent == 0 || exponent == MAPPING_BITS) {
        return method == 0;
    }
    return exponent <= MAPPING_EXPONENT_MAX && (method != METHOD_HALVES || exponent % 2 == 0);
}

void number_map_get(struct decbuf *d, struct number_map *map_out)
{
    uint8_t head = decbuf_u8(d);
    *map_out = (struct number_map){
        .exponent = head & MAPPING_EXPONENT_MASK,
        .method = (head & MAPPING_METHOD_MASK) >> MAPPING_METHOD_SHIFT,
        .scale = 1,
    };
    bool valid = valid_method(map_out->exponent, map_out->method);
    if ((head & MAPPING_SCALE) != 0) {
        uint64_t scale = decbuf_uvarint(d);
        unsigned shift = scale & ((1u << SHIFT_BITS) - 1);
        uint64_t odd = (scale >> SHIFT_BITS) + 1;
        valid = valid && shift < 62 && odd < SCALE_MAX >> shift && odd << shift >= 2;
        map_out->scale = valid ? odd << shift : 1;
    }
    if ((head & MAPPING_REMAINDER) != 0) {
        map_out->remainder = decbuf_uvarint(d);
        valid = valid && map_out->remainder > 0 && map_out->remainder < map_out->scale;
    }
    if (!valid) {
        d->failed = true;
    }
}

/* ---- one value ---- */

static inline double reciprocal(double integer, unsigned exponent)
{
    double r = inverse_power[exponent];
    double q = integer * r;
    return fma(fma(-q, power_of_ten[exponent], integer), r, q);
}

/* The decimal of an integer, as number_map.h defines it; exponent 0 gives the integer. */
static inline double decimal(double integer, unsigned method, unsigned exponent)
{
    switch (method) {
    case METHOD_QUOTIENT:
        return integer / power_of_ten[exponent];
    case METHOD_PRODUCT:
        return integer * inverse_power[exponent];
    case METHOD_HALVES:
        return integer / power_of_ten[exponent / 2] / power_of_ten[exponent / 2];
    default:
        return exponent == 0 ? integer : reciprocal(integer, exponent);
    }
}

/* The integer whose decimal might be `value`; false when out of range or not a number. */
static inline bool nearest_integer(double value, unsigned exponent, int64_t *integer_out)
{
    double scaled = value * power_of_ten[exponent];
    if (!(fabs(scaled) <= (double)NUMBER_MAP_INTEGER_MAX)) {
        return false;
    }
    *integer_out = lrint(scaled);
    return true;
}

static inline bool exact_at(double value, unsigned method, unsigned exponent, int64_t *integer_out)
{
    int64_t integer;
    if (!nearest_integer(value, exponent, &integer) ||
        double_bits(decimal((double)integer, method, exponent)) != double_bits(value)) {
        return false;
    }
    *integer_out = integer;
    return true;
}

/* ---- doubles to integers ---- */

unsigned number_map_exponent(
    const double *values, size_t count, unsigned method, unsigned least, size_t misses_max)
{
    // What is exact at e is exact at e + 1, but for rare roundings that the mapping counts again as
    // misses; so one upward walk does.
    unsigned step = method == METHOD_HALVES ? 2 : 1;
    unsigned exponent = least;
    size_t misses = 0;
    int64_t integer;
    for (size_t i = 0; i < count; i++) {
        if (exact_at(values[i], method, exponent, &integer)) {
            continue;
        }
        unsigned higher = exponent + step;
        while (higher <= MAPPING_EXPONENT_MAX && !exact_at(values[i], method, higher, &integer)) {
            higher += step;
        }
        if (higher <= MAPPING_EXPONENT_MAX) {
            exponent = higher;
        } else if (++misses > misses_max) {
            return NUMBER_MAP_NONE;
        }
    }
    return exponent;
}

size_t number_map_integers(const double *values, size_t count, unsigned method, unsigned exponent,
    int64_t *integers_out, uint64_t *missed)
{
    assert(exponent <= MAPPING_EXPONENT_MAX);
    memset(missed, 0, PRESENCE_WORDS(count) * sizeof(missed[0]));
    size_t misses = 0;
    int64_t integer = 0;
    for (size_t i = 0; i < count; i++) {
        if (!exact_at(values[i], method, exponent, &integer)) {
            missed[i / 64] |= (uint64_t)1 << (i % 64);
            misses++;
        }
        integers_out[i] = integer;
    }
    return misses;
}

void number_map_ulps(
    const double *values, size_t count, unsigned exponent, int64_t *integers_out, int64_t *ulps_out)
{
    for (size_t i = 0; i < count; i++) {
        int64_t integer = 0;
        (void)nearest_integer(values[i], exponent, &integer); // then all of it is in the ulps
        integers_out[i] = integer;
        double near = decimal((double)integer, METHOD_RECIPROCAL, exponent);
        ulps_out[i] = (int64_t)(double_bits(values[i]) - double_bits(near));
    }
}

void number_map_add_ulps(const int64_t *ulps, size_t count, double *values)
{
    for (size_t i = 0; i < count; i++) {
        values[i] = double_from_bits(double_bits(values[i]) + (uint64_t)ulps[i]);
    }
}

/* Its own inverse. */
static int64_t order_bits(int64_t bits)
{
    return bits ^ ((bits >> 63) & INT64_MAX);
}

void number_map_bits(const double *values, size_t count, int64_t *integers_out)
{
    for (size_t i = 0; i < count; i++) {
        integers_out[i] = order_bits((int64_t)double_bits(values[i]));
    }
}

/* ---- the common divisor ---- */

/* The inverse of an odd number modulo 2^64, by Newton's iteration: 5 bits to start with, doubled
 * four times. Multiplying by it divides exactly whatever is divisible. */
static uint64_t inverse_of_odd(uint64_t odd)
{
    uint64_t inverse = (3 * odd) ^ 2;
    for (int i = 0; i < 4; i++) {
        inverse *= 2 - odd * inverse;
    }
    return inverse;
}

static uint64_t gcd(uint64_t a, uint64_t b)
{
    while (b != 0) {
        uint64_t rest = a % b;
        a = b;
        b = rest;
    }
    return a;
}

/* The odd part of what all differences from the first have in common, `shift` being their common
 * power of two. A number is divisible by an odd one where its product with the inverse is small. */
static uint64_t common_odd(const int64_t *integers, size_t count, unsigned shift)
{
    uint64_t common = 0;
    uint64_t inverse = 0;
    uint64_t most = 0;
    for (size_t i = 1; i < count && common != 1; i++) {
        int64_t difference = (integers[i] - integers[0]) >> shift;
        uint64_t size = (uint64_t)(difference < 0 ? -difference : difference);
        if (size * inverse <= most && (common != 0 || size == 0)) {
            continue;
        }
        common = gcd(size, common);
        common >>= __builtin_ctzll(common);
        inverse = inverse_of_odd(common);
        most = UINT64_MAX / common;
    }
    return common;
}

/* The greatest common divisor of all differences as odd * 2^shift; odd = 0 when all are equal. */
static uint64_t common_divisor(
    const int64_t *integers, size_t count, bool power_of_two, unsigned *shift_out)
{
    uint64_t any = 0;
    for (size_t i = 1; i < count; i++) {
        any |= (uint64_t)integers[i] - (uint64_t)integers[0];
    }
    if (any == 0) {
        return 0;
    }
    *shift_out = (unsigned)__builtin_ctzll(any);
    return power_of_two ? 1 : common_odd(integers, count, *shift_out);
}

void number_map_reduce(struct number_map *map, int64_t *integers, size_t count)
{
    unsigned shift = 0;
    uint64_t odd = common_divisor(integers, count, map->exponent == MAPPING_BITS, &shift);
    if (odd == 0 || shift >= 62 || odd >= SCALE_MAX >> shift) {
        return;
    }
    uint64_t scale = odd << shift;
    size_t saved_bits = (63 - (size_t)__builtin_clzll(scale)) * count;
    if (saved_bits < REDUCE_BITS_MIN) {
        return;
    }
    // Floor division, so that the remainder is never negative.
    int64_t remainder = integers[0] % (int64_t)scale;
    remainder += remainder < 0 ? (int64_t)scale : 0;
    uint64_t inverse = inverse_of_odd(odd);
    for (size_t i = 0; i < count; i++) {
        int64_t above = (int64_t)((uint64_t)integers[i] - (uint64_t)remainder) >> shift;
        integers[i] = (int64_t)((uint64_t)above * inverse);
    }
    map->scale = scale;
    map->remainder = (uint64_t)remainder;
}

/* ---- integers to doubles ---- */

static void apply_bits(
    const struct number_map *map, const int64_t *integers, size_t count, double *values_out)
{
    for (size_t i = 0; i < count; i++) {
        uint64_t bits = (uint64_t)integers[i] * map->scale + map->remainder;
        values_out[i] = double_from_bits((uint64_t)order_bits((int64_t)bits));
    }
}

void number_map_apply(
    const struct number_map *map, const int64_t *integers, size_t count, double *values_out)
{
    if (map->exponent == MAPPING_BITS) {
        apply_bits(map, integers, count, values_out);
        return;
    }
    double scale = (double)map->scale;
    double remainder = (double)map->remainder;
    for (size_t i = 0; i < count; i++) {
        values_out[i] = (double)integers[i] * scale + remainder;
    }
    for (size_t i = 0; i < count && map->exponent > 0; i++) {
        values_out[i] = decimal(values_out[i], map->method, map->exponent);
    }
}
