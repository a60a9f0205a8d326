/* Doubles as integers: finding the exponent and the common divisor, and the way back. */
#include "row/number_map.h"

#include <assert.h>

#include "row/decimal.h"
#include "row/kernels.h"

#define SCALE_MAX ((uint64_t)1 << 62)
#define SHIFT_BITS 6
/* A scale and its mapping byte take two to four bytes; fewer bits saved than this do not pay. */
#define REDUCE_BITS_MIN 32

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

/* ---- doubles to integers ---- */

unsigned number_map_exponent(double value, unsigned method, unsigned least)
{
    unsigned step = method == METHOD_HALVES ? 2 : 1;
    int64_t integer;
    for (unsigned exponent = least; exponent <= MAPPING_EXPONENT_MAX; exponent += step) {
        if (decimal_exact(value, method, exponent, &integer)) {
            return exponent;
        }
    }
    return NUMBER_MAP_NONE;
}

int64_t number_map_integer(double value, unsigned exponent)
{
    int64_t integer = 0;
    (void)decimal_nearest(value, exponent, &integer); // 0 where out of range
    return integer;
}

/* One pass at the mapping's exponent, noting misses. Answers NUMBER_MAP_NONE when all rows have been
 * seen or there are too many misses, or the higher exponent that a row needs. */
static unsigned fit_pass(const double *values, size_t count, const struct number_map *map,
    int64_t *integers, struct number_misses *misses)
{
    const struct row_kernels *kernels = row_kernels();
    size_t at = 0;
    misses->count = 0;
    memset(misses->rows, 0, PRESENCE_WORDS(count) * sizeof(misses->rows[0]));
    while (misses->count <= misses->count_max) {
        at += kernels->to_integers(
            values + at, count - at, map->method, map->exponent, integers + at);
        if (at == count) {
            break;
        }
        unsigned higher = number_map_exponent(values[at], map->method, map->exponent);
        if (higher != NUMBER_MAP_NONE) {
            return higher;
        }
        misses->rows[at / 64] |= (uint64_t)1 << (at % 64);
        misses->count++;
        integers[at] = at > 0 ? integers[at - 1] : 0;
        at++;
    }
    return NUMBER_MAP_NONE;
}

bool number_map_fit(const double *values, size_t count, struct number_map *map,
    int64_t *integers_out, struct number_misses *misses)
{
    // What is exact at e is exact at e + 1, but for rare roundings that the next pass counts as
    // misses; so the exponent only rises, and soon ends.
    unsigned higher;
    while ((higher = fit_pass(values, count, map, integers_out, misses)) != NUMBER_MAP_NONE) {
        assert(higher > map->exponent);
        map->exponent = (uint8_t)higher;
    }
    return misses->count <= misses->count_max;
}

void number_map_reference(
    const struct number_map *map, const double *values, size_t count, int64_t *integers_out)
{
    const struct row_kernels *kernels = row_kernels();
    for (size_t at = 0; at < count; at++) {
        at += kernels->to_integers(
            values + at, count - at, map->method, map->exponent, integers_out + at);
        if (at < count) {
            integers_out[at] = at > 0 ? integers_out[at - 1] : 0;
        }
    }
}

void number_map_ulps(
    const double *values, size_t count, unsigned exponent, int64_t *integers_out, int64_t *ulps_out)
{
    for (size_t i = 0; i < count; i++) {
        integers_out[i] = number_map_integer(values[i], exponent); // 0 leaves all to the ulps
        double near = decimal_value((double)integers_out[i], METHOD_RECIPROCAL, exponent);
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
    uint64_t any = row_kernels()->differing_bits(integers, count);
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
    // Stored times scale is an integer less the remainder, and must be exact in a double as well.
    if (map->exponent != MAPPING_BITS &&
        row_kernels()->minimum(integers, count) - remainder < -DECIMAL_INTEGER_MAX) {
        return;
    }
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
    row_kernels()->to_doubles(map, integers, count, values_out);
}
