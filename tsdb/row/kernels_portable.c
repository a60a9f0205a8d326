/* The inner loops in plain C, and the choice between them and the vector forms. */
#include "row/kernels.h"

#include <string.h>

#include "base/bytes.h"
#include "row/bitpack.h"
#include "row/decimal.h"
#include "row/row_limits.h"

static void unpack(const uint8_t *bytes, size_t count, unsigned width, uint64_t *values_out)
{
    uint64_t mask = bit_mask(width);
    size_t bit = 0;
    for (size_t i = 0; i < count; i++, bit += width) {
        values_out[i] = get_le64(bytes + bit / 8) >> (bit % 8) & mask;
    }
}

static void unpack_narrow(const uint8_t *bytes, size_t count, unsigned width, uint32_t *values_out)
{
    uint64_t mask = bit_mask(width);
    size_t bit = 0;
    for (size_t i = 0; i < count; i++, bit += width) {
        values_out[i] = (uint32_t)(get_le64(bytes + bit / 8) >> (bit % 8) & mask);
    }
}

static void add_narrow(const uint32_t *values, size_t count, int64_t base, int64_t *out)
{
    for (size_t i = 0; i < count; i++) {
        out[i] = (int64_t)((uint64_t)values[i] + (uint64_t)base);
    }
}

static int64_t accumulate_narrow(
    const uint32_t *values, size_t count, int64_t start, int64_t step, int64_t *out)
{
    uint64_t sum = (uint64_t)start;
    for (size_t i = 0; i < count; i++) {
        sum += (uint64_t)values[i] + (uint64_t)step;
        out[i] = (int64_t)sum;
    }
    return (int64_t)sum;
}

static int64_t accumulate_zigzag_narrow(
    const uint32_t *values, size_t count, int64_t start, int64_t *out)
{
    uint64_t sum = (uint64_t)start;
    for (size_t i = 0; i < count; i++) {
        sum += (uint64_t)zigzag_decode(values[i]);
        out[i] = (int64_t)sum;
    }
    return (int64_t)sum;
}

static void add(int64_t *values, size_t count, int64_t base)
{
    for (size_t i = 0; i < count; i++) {
        values[i] = (int64_t)((uint64_t)values[i] + (uint64_t)base);
    }
}

static void accumulate(int64_t *values, size_t count, int64_t start, int64_t step)
{
    uint64_t sum = (uint64_t)start;
    for (size_t i = 0; i < count; i++) {
        sum += (uint64_t)values[i] + (uint64_t)step;
        values[i] = (int64_t)sum;
    }
}

static void accumulate_zigzag(int64_t *values, size_t count, int64_t start)
{
    uint64_t sum = (uint64_t)start;
    for (size_t i = 0; i < count; i++) {
        sum += (uint64_t)zigzag_decode((uint64_t)values[i]);
        values[i] = (int64_t)sum;
    }
}

static void to_doubles(
    const struct number_map *map, const int64_t *integers, size_t count, double *values_out)
{
    double scale = (double)map->scale;
    double remainder = (double)map->remainder;
    for (size_t i = 0; i < count; i++) {
        double integer = (double)integers[i] * scale + remainder;
        values_out[i] = decimal_value(integer, map->method, map->exponent);
    }
}

static void fill(double *values_out, size_t count, double value)
{
    for (size_t i = 0; i < count; i++) {
        values_out[i] = value;
    }
}

static struct column_scan scan(const double *values, size_t count)
{
    uint64_t first = double_bits(values[0]);
    uint64_t differs = 0;
    bool stale = false;
    for (size_t i = 0; i < count; i++) {
        differs |= double_bits(values[i]) ^ first;
        stale |= double_bits(values[i]) == STALE_MARKER_BITS;
    }
    return (struct column_scan){differs != 0, stale};
}

static size_t to_integers(
    const double *values, size_t count, unsigned method, unsigned exponent, int64_t *integers_out)
{
    size_t i = 0;
    while (i < count && decimal_exact(values[i], method, exponent, &integers_out[i])) {
        i++;
    }
    return i;
}

static int64_t minimum(const int64_t *values, size_t count)
{
    int64_t least = values[0];
    for (size_t i = 1; i < count; i++) {
        least = values[i] < least ? values[i] : least;
    }
    return least;
}

static void subtract(const int64_t *values, size_t count, int64_t base, uint64_t *out)
{
    for (size_t i = 0; i < count; i++) {
        out[i] = (uint64_t)values[i] - (uint64_t)base;
    }
}

static size_t steps(const int64_t *values, size_t count, int64_t *steps_out)
{
    size_t changes = 0;
    for (size_t i = 0; i + 1 < count; i++) {
        steps_out[i] = (int64_t)((uint64_t)values[i + 1] - (uint64_t)values[i]);
        changes += steps_out[i] != 0;
    }
    return changes;
}

static void zigzag(const int64_t *values, size_t count, uint64_t *out)
{
    for (size_t i = 0; i < count; i++) {
        out[i] = zigzag_encode(values[i]);
    }
}

/* How much of an array of widths is in use: whole steps, for their order within one is free. */
static size_t widths_padded(size_t count)
{
    return (count + KERNEL_WIDTHS_STEP - 1) / KERNEL_WIDTHS_STEP * KERNEL_WIDTHS_STEP;
}

static unsigned widths(const uint64_t *values, size_t count, uint8_t *widths_out)
{
    unsigned sum = 0;
    memset(widths_out, 0, widths_padded(count));
    for (size_t i = 0; i < count; i++) {
        widths_out[i] = (uint8_t)bit_width(values[i]);
        sum += widths_out[i];
    }
    return sum;
}

static unsigned count_wider(const uint8_t *widths_in, size_t count, uint8_t *wider_out)
{
    uint8_t of_width[KERNEL_WIDEST + 1] = {0};
    unsigned widest = 0;
    for (size_t i = 0; i < widths_padded(count); i++) {
        widest = widths_in[i] > widest ? widths_in[i] : widest;
        of_width[widths_in[i]]++;
    }
    unsigned wider = 0;
    for (unsigned width = widest; width > 0; width--) {
        wider += of_width[width];
        wider_out[width - 1] = (uint8_t)wider;
    }
    return widest;
}

static uint64_t differing_bits(const int64_t *values, size_t count)
{
    uint64_t any = 0;
    for (size_t i = 1; i < count; i++) {
        any |= (uint64_t)values[i] - (uint64_t)values[0];
    }
    return any;
}

static const struct row_kernels portable = {
    .name = "portable",
    .unpack = unpack,
    .unpack_narrow = unpack_narrow,
    .add_narrow = add_narrow,
    .accumulate_narrow = accumulate_narrow,
    .accumulate_zigzag_narrow = accumulate_zigzag_narrow,
    .add = add,
    .accumulate = accumulate,
    .accumulate_zigzag = accumulate_zigzag,
    .to_doubles = to_doubles,
    .fill = fill,
    .scan = scan,
    .to_integers = to_integers,
    .minimum = minimum,
    .subtract = subtract,
    .steps = steps,
    .zigzag = zigzag,
    .widths = widths,
    .count_wider = count_wider,
    .differing_bits = differing_bits,
};

const struct row_kernels *row_kernels_portable(void)
{
    return &portable;
}

const struct row_kernels *row_kernels(void)
{
    const struct row_kernels *vector = row_kernels_avx512();
    vector = vector != NULL ? vector : row_kernels_avx2();
    return vector != NULL ? vector : &portable;
}
