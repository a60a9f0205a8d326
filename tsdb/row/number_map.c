/* Doubles as integers: finding the exponent and the common divisor, and the way back. */
#include "row/number_map.h"

#include <assert.h>
#include <math.h>

#include "row/column_block.h"

#define SCALE_MAX ((uint64_t)1 << 62)
#define SHIFT_BITS 6

static const double power_of_ten[MAPPING_EXPONENT_MAX + 1] = {
    1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12};
static const double inverse_power[MAPPING_EXPONENT_MAX + 1] = {
    1e0, 1e-1, 1e-2, 1e-3, 1e-4, 1e-5, 1e-6, 1e-7, 1e-8, 1e-9, 1e-10, 1e-11, 1e-12};

bool number_map_is_plain(const struct number_map *map)
{
    return map->exponent == 0 && map->scale == 1;
}

uint8_t *number_map_put(const struct number_map *map, uint8_t *out)
{
    bool scaled = map->scale > 1;
    *out++ = (uint8_t)(map->exponent | (map->divide ? MAPPING_DIVIDE : 0) |
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

void number_map_get(struct decbuf *d, struct number_map *map_out)
{
    uint8_t head = decbuf_u8(d);
    *map_out = (struct number_map){
        .exponent = head & MAPPING_EXPONENT_MASK,
        .divide = (head & MAPPING_DIVIDE) != 0,
        .scale = 1,
    };
    bool valid = (head & MAPPING_RESERVED) == 0 &&
                 (map_out->exponent <= MAPPING_EXPONENT_MAX || map_out->exponent == MAPPING_BITS);
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

double number_map_decimal(int64_t integer, unsigned exponent)
{
    return (double)integer / power_of_ten[exponent];
}

/* The integer whose decimal at `exponent` might be `value`; false when out of range or not a number. */
static bool nearest_integer(double value, unsigned exponent, int64_t *integer_out)
{
    double scaled = value * power_of_ten[exponent];
    if (!(fabs(scaled) <= (double)NUMBER_MAP_INTEGER_MAX)) {
        return false;
    }
    *integer_out = lrint(scaled);
    return true;
}

static bool exact_at(double value, unsigned exponent)
{
    int64_t integer;
    return nearest_integer(value, exponent, &integer) &&
           double_bits(number_map_decimal(integer, exponent)) == double_bits(value);
}

unsigned number_map_exponent(const double *values, size_t count, unsigned least, size_t misses_max)
{
    // Exact at e stays exact at e + 1 as long as the integer is in range, so one upward walk does.
    unsigned exponent = least;
    size_t misses = 0;
    for (size_t i = 0; i < count; i++) {
        if (exact_at(values[i], exponent)) {
            continue;
        }
        unsigned higher = exponent + 1;
        while (higher <= MAPPING_EXPONENT_MAX && !exact_at(values[i], higher)) {
            higher++;
        }
        if (higher <= MAPPING_EXPONENT_MAX) {
            exponent = higher;
        } else if (++misses > misses_max) {
            return NUMBER_MAP_NONE;
        }
    }
    return exponent;
}

size_t number_map_integers(
    const double *values, size_t count, unsigned exponent, int64_t *integers_out, uint64_t *missed)
{
    assert(exponent <= MAPPING_EXPONENT_MAX);
    memset(missed, 0, PRESENCE_WORDS(count) * sizeof(missed[0]));
    size_t misses = 0;
    int64_t previous = 0;
    for (size_t i = 0; i < count; i++) {
        int64_t integer = 0;
        if (!nearest_integer(values[i], exponent, &integer) ||
            double_bits(number_map_decimal(integer, exponent)) != double_bits(values[i])) {
            missed[i / 64] |= (uint64_t)1 << (i % 64);
            misses++;
            integer = previous;
        }
        integers_out[i] = previous = integer;
    }
    return misses;
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

static uint64_t gcd(uint64_t a, uint64_t b)
{
    while (b != 0) {
        uint64_t rest = a % b;
        a = b;
        b = rest;
    }
    return a;
}

/* The greatest common divisor of all differences; 0 when all are equal. The power of two costs one
 * pass without a division and alone decides that most blocks have no more. */
static uint64_t common_divisor(const int64_t *integers, size_t count, bool power_of_two)
{
    uint64_t any = 0;
    for (size_t i = 1; i < count; i++) {
        any |= (uint64_t)integers[i] - (uint64_t)integers[0];
    }
    if (any == 0) {
        return 0;
    }
    uint64_t two = any & -any;
    if (power_of_two) {
        return two;
    }
    uint64_t all = 0;
    for (size_t i = 1; i < count && all != two; i++) {
        int64_t difference = integers[i] - integers[0];
        all = gcd((uint64_t)(difference < 0 ? -difference : difference), all);
    }
    return all;
}

void number_map_reduce(struct number_map *map, int64_t *integers, size_t count)
{
    bool bits = map->exponent == MAPPING_BITS;
    uint64_t scale = common_divisor(integers, count, bits);
    if (scale <= 1 || scale >= SCALE_MAX) {
        return;
    }
    // Floor division, so that the remainder is never negative.
    int64_t divisor = (int64_t)scale;
    int64_t remainder = integers[0] % divisor;
    remainder += remainder < 0 ? divisor : 0;
    while (!bits && map->exponent > 0 && scale % 10 == 0 && remainder % 10 == 0) {
        // A smaller exponent says the same: integers at 10^-3 that are all multiples of ten.
        map->exponent--;
        scale /= 10;
        remainder /= 10;
        for (size_t i = 0; i < count; i++) {
            integers[i] /= 10;
        }
    }
    divisor = (int64_t)scale;
    // Two or three bytes of scale must come back as saved bits.
    size_t saved_bits = (64 - (size_t)__builtin_clzll(scale) - 1) * count;
    if (scale == 1 || saved_bits < 32) {
        return;
    }
    map->scale = scale;
    map->remainder = (uint64_t)remainder;
    for (size_t i = 0; i < count; i++) {
        integers[i] = (int64_t)((uint64_t)integers[i] - (uint64_t)remainder) / divisor;
    }
}

/* The integer before scale and remainder were taken, as a double: exact. */
static double unreduced(const struct number_map *map, int64_t integer)
{
    return (double)integer * (double)map->scale + (double)map->remainder;
}

static double decimal_without_division(double integer, unsigned exponent)
{
    double r = inverse_power[exponent];
    double q = integer * r;
    double rest = fma(-q, power_of_ten[exponent], integer);
    return fma(rest, r, q);
}

bool number_map_needs_division(const struct number_map *map, const int64_t *integers, size_t count)
{
    bool differs = false;
    for (size_t i = 0; i < count && map->exponent > 0; i++) {
        double integer = unreduced(map, integers[i]);
        double divided = integer / power_of_ten[map->exponent];
        double other = decimal_without_division(integer, map->exponent);
        differs |= double_bits(divided) != double_bits(other);
    }
    return differs;
}

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
    if (map->scale == 1) {
        for (size_t i = 0; i < count; i++) {
            values_out[i] = (double)integers[i];
        }
    } else {
        for (size_t i = 0; i < count; i++) {
            values_out[i] = unreduced(map, integers[i]);
        }
    }
    if (map->exponent > 0) {
        double divisor = power_of_ten[map->exponent];
        for (size_t i = 0; i < count; i++) {
            values_out[i] /= divisor;
        }
    }
}
