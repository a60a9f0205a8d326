/* The inner loops in plain C, and the choice between them and the vector form. */
#include "row/kernels.h"

#include <string.h>

#include "base/bytes.h"
#include "row/bitpack.h"
#include "row/column_block.h"
#include "row/decimal.h"

static void unpack(const uint8_t *bytes, size_t count, unsigned width, uint64_t *values_out)
{
    uint64_t mask = bit_mask(width);
    size_t bit = 0;
    for (size_t i = 0; i < count; i++, bit += width) {
        values_out[i] = get_le64(bytes + bit / 8) >> (bit % 8) & mask;
    }
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

static void steps(const int64_t *values, size_t count, int64_t *steps_out)
{
    for (size_t i = 0; i + 1 < count; i++) {
        steps_out[i] = (int64_t)((uint64_t)values[i + 1] - (uint64_t)values[i]);
    }
}

static void zigzag(const int64_t *values, size_t count, uint64_t *out)
{
    for (size_t i = 0; i < count; i++) {
        out[i] = zigzag_encode(values[i]);
    }
}

static void widths(const uint64_t *values, size_t count, uint8_t *widths_out)
{
    memset(widths_out, 0, KERNEL_WIDTHS);
    for (size_t i = 0; i < count; i++) {
        widths_out[i] = (uint8_t)bit_width(values[i]);
    }
}

static unsigned widest(const uint8_t *widths_in)
{
    unsigned most = 0;
    for (size_t i = 0; i < KERNEL_WIDTHS; i++) {
        most = widths_in[i] > most ? widths_in[i] : most;
    }
    return most;
}

static unsigned count_wider(const uint8_t *widths_in, unsigned width)
{
    unsigned count = 0;
    for (size_t i = 0; i < KERNEL_WIDTHS; i++) {
        count += widths_in[i] > width;
    }
    return count;
}

static const struct row_kernels portable = {"portable", unpack, add, accumulate, accumulate_zigzag,
    to_doubles, scan, to_integers, minimum, subtract, steps, zigzag, widths, widest, count_wider};

const struct row_kernels *row_kernels_portable(void)
{
    return &portable;
}

const struct row_kernels *row_kernels(void)
{
    const struct row_kernels *vector = row_kernels_avx2();
    return vector != NULL ? vector : &portable;
}
