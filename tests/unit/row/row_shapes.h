/* Columns as series have them, and nasty ones, for the tests of the room. */
#ifndef SONDE_TESTS_ROW_SHAPES_H
#define SONDE_TESTS_ROW_SHAPES_H

#include <stddef.h>
#include <stdint.h>

enum row_shape {
    SHAPE_ZERO,
    SHAPE_CONSTANT_DECIMAL,
    SHAPE_CONSTANT_BITS,
    SHAPE_NEGATIVE_ZERO,
    SHAPE_COUNTER_SLOW, /* mostly unchanged */
    SHAPE_COUNTER_BUSY,
    SHAPE_COUNTER_WITH_RESETS,
    SHAPE_RAMP,
    SHAPE_GAUGE_BYTES, /* multiples of 4096 */
    SHAPE_GAUGE_SCALED_OFFSET,
    SHAPE_GAUGE_DECIMAL,
    SHAPE_GAUGE_SMALL_NEGATIVE,
    SHAPE_WALK,
    SHAPE_SECONDS_SUM, /* nanoseconds summed as doubles */
    SHAPE_FLAPPING,
    SHAPE_STATES, /* a few arbitrary doubles */
    SHAPE_TRUE_DOUBLE,
    SHAPE_FLOATS, /* single precision */
    SHAPE_HUGE_INTEGERS,
    SHAPE_RANDOM_BITS,
    SHAPE_SPECIALS, /* NaN payloads, infinities, zeros, denormals, extremes */
    SHAPE_INTEGERS_AND_NAN,
    SHAPE_OUTLIERS,
    SHAPE_COUNT
};

const char *row_shape_name(enum row_shape shape);
/* Fills `count` values from the random stream `state`. */
void row_shape_fill(enum row_shape shape, uint64_t *state, double *values, size_t count);

#endif
