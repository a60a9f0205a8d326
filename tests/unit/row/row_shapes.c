/* Generators of columns. */
#include "row_shapes.h"

#include <math.h>

#include "base/bytes.h"
#include "support/support.h"

static const char *const names[SHAPE_COUNT] = {"zero", "constant decimal", "constant bits",
    "negative zero", "slow counter", "busy counter", "counter with resets", "ramp", "bytes gauge",
    "scaled and offset gauge", "decimal gauge", "small negative gauge", "walk", "sum of seconds",
    "flapping", "states", "true double", "floats", "huge integers", "random bits", "specials",
    "integers and NaN", "outliers"};

const char *row_shape_name(enum row_shape shape)
{
    return names[shape];
}

static const uint64_t specials[] = {
    0x0000000000000000, // +0
    0x8000000000000000, // -0
    0x0000000000000001, // smallest denormal
    0x800fffffffffffff, // largest negative denormal
    0x7fefffffffffffff, // largest double
    0x0010000000000000, // smallest normal
    0x7ff0000000000000, // +Inf
    0xfff0000000000000, // -Inf
    0x7ff8000000000000, // quiet NaN
    0x7ff8000000000001, // the NaN of Go
    0xfff8000000000000, // 0/0 on x86
    0x7ff0000000000001, // signalling NaN
    0x7ff0000000000002, // stale marker
    0x7ff0000000000003, // its neighbour
    0xffffffffffffffff, // all ones
    0x4340000000000000, // 2^53
    0x4340000000000001, // 2^53 + 2
    0xc340000000000000, // -2^53
    0x3ff0000000000000, // 1
    0x3fb999999999999a, // 0.1
};

static double unit(uint64_t *state)
{
    return (double)(test_random(state) >> 11) * 0x1p-53;
}

static double special(uint64_t *state)
{
    return double_from_bits(specials[test_random(state) % (sizeof(specials) / sizeof(*specials))]);
}

void row_shape_fill(enum row_shape shape, uint64_t *state, double *values, size_t count)
{
    double level = (double)(test_random(state) % 1000000);
    double parameter = unit(state);
    double states[5];
    for (size_t i = 0; i < 5; i++) {
        states[i] = double_from_bits(test_random(state) >> 2);
    }
    for (size_t i = 0; i < count; i++) {
        uint64_t random = test_random(state);
        switch (shape) {
        case SHAPE_ZERO:
            values[i] = 0;
            break;
        case SHAPE_CONSTANT_DECIMAL:
            values[i] = floor(level * parameter) / 1000;
            break;
        case SHAPE_CONSTANT_BITS:
            values[i] = states[0];
            break;
        case SHAPE_NEGATIVE_ZERO:
            values[i] = -0.0;
            break;
        case SHAPE_COUNTER_SLOW:
            level += random % 16 == 0 ? (double)(random >> 8 & 3) : 0;
            values[i] = level;
            break;
        case SHAPE_COUNTER_BUSY:
            level += (double)(random % 5000) + 300;
            values[i] = level;
            break;
        case SHAPE_COUNTER_WITH_RESETS:
            level = random % 97 == 0 ? 0 : level + (double)(random % 50);
            values[i] = level;
            break;
        case SHAPE_RAMP:
            values[i] = level - 17 * (double)i;
            break;
        case SHAPE_GAUGE_BYTES:
            values[i] = 4096.0 * (double)(random % 100000);
            break;
        case SHAPE_GAUGE_SCALED_OFFSET:
            values[i] = 700.0 * (double)(random % 1000) - 33;
            break;
        case SHAPE_GAUGE_DECIMAL:
            values[i] = (double)(int64_t)(random % 20000 - 10000) / 100;
            break;
        case SHAPE_GAUGE_SMALL_NEGATIVE:
            values[i] = (double)(random % 7) - 3;
            break;
        case SHAPE_WALK:
            level += (double)(random % 2001) - 1000;
            values[i] = level;
            break;
        case SHAPE_SECONDS_SUM:
            level += (double)(random % 100000000) * 1e-9;
            values[i] = level;
            break;
        case SHAPE_FLAPPING:
            values[i] = random % 9 == 0 ? 503 : 200;
            break;
        case SHAPE_STATES:
            values[i] = states[random % 5];
            break;
        case SHAPE_TRUE_DOUBLE:
            values[i] = sin((double)i * parameter) * level;
            break;
        case SHAPE_FLOATS:
            values[i] = (double)(float)unit(state);
            break;
        case SHAPE_HUGE_INTEGERS:
            values[i] = (double)(int64_t)(random >> 11) - 0x1p52;
            break;
        case SHAPE_RANDOM_BITS:
            values[i] = double_from_bits(random);
            break;
        case SHAPE_SPECIALS:
            values[i] = special(state);
            break;
        case SHAPE_INTEGERS_AND_NAN:
            values[i] = random % 40 == 0 ? special(state) : (double)(random >> 8 & 0xfff);
            break;
        case SHAPE_OUTLIERS:
            values[i] = random % 50 == 0 ? (double)(random >> 20) : (double)(random % 10);
            break;
        case SHAPE_COUNT:
            break;
        }
    }
}
