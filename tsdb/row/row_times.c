/* Timestamps of rows. The bytes:
 *
 *   byte 0      an integer codec id (column_format.h): the times as a column of integers,
 *               integer_column.h; or 31: a grid
 *   grid        svarint origin, uvarint step in 1/256 ms (at least 1),
 *               uvarint k, number of places where slots were skipped, at most count - 1,
 *               k times: uvarint rows since the place before (the first counts from row 1),
 *                        uvarint slots skipped, at least 1
 *               stream of count (patched.h): time - grid time
 *   grid time   of row i: origin + floor(slot(i) * step / 256), where slot(0) = 0 and
 *               slot(i) = slot(i - 1) + 1 + slots skipped at row i
 *
 * The step has a fraction because a scraper that sleeps between scrapes drifts: over a thousand rows
 * 0.3 ms a step would cost eight bits a row. Both the whole and the fractional step are tried.
 */
#include "row/row_times.h"

#include <assert.h>

#include "base/bytes.h"
#include "base/err.h"
#include "row/bitpack.h"
#include "row/integer_column.h"

#define GRID 31
#define FRACTION_BITS 8
#define SPAN_MAX ((int64_t)1 << 53)
#define TIME_MAX ((int64_t)1 << 62)
/* Ways to look for the step by averaging, each leaving out the steps that look like gaps. */
#define STEP_ROUNDS 3

struct grid {
    int64_t origin;
    uint64_t step; /* in 1/256 ms */
    uint64_t slots[ROW_TIMES_MAX];
    uint64_t offsets[ROW_TIMES_MAX];
    struct patched_plan plan; /* of the offsets */
};

/* The typical step in milliseconds: the mean of steps that are not gaps. */
static double typical_step(const int64_t *times, uint32_t count)
{
    double step = (double)(times[count - 1] - times[0]) / (count - 1);
    for (int round = 0; round < STEP_ROUNDS; round++) {
        double sum = 0;
        uint32_t n = 0;
        for (uint32_t i = 1; i < count; i++) {
            double delta = (double)(times[i] - times[i - 1]);
            if (delta <= 1.5 * step) {
                sum += delta;
                n++;
            }
        }
        step = n > 0 ? sum / n : step;
    }
    return step;
}

static void assign_slots(struct grid *grid, const int64_t *times, uint32_t count, double step)
{
    grid->slots[0] = 0;
    for (uint32_t i = 1; i < count; i++) {
        double steps = (double)(times[i] - times[i - 1]) / step + 0.5;
        grid->slots[i] = grid->slots[i - 1] + (steps < 2 ? 1 : (uint64_t)steps);
    }
}

static int64_t grid_distance(const struct grid *grid, uint32_t i)
{
    return (int64_t)((grid->slots[i] * grid->step) >> FRACTION_BITS);
}

/* Offsets from the grid of `grid->step`, the smallest being zero. */
static void measure_offsets(struct grid *grid, const int64_t *times, uint32_t count)
{
    int64_t origin = INT64_MAX;
    for (uint32_t i = 0; i < count; i++) {
        int64_t start = times[i] - grid_distance(grid, i);
        grid->offsets[i] = (uint64_t)start;
        origin = start < origin ? start : origin;
    }
    for (uint32_t i = 0; i < count; i++) {
        grid->offsets[i] -= (uint64_t)origin;
    }
    grid->origin = origin;
}

/* Writes the skipped slots, or with `out` NULL only measures them. */
static size_t put_skips(const struct grid *grid, uint32_t count, uint8_t *out)
{
    uint32_t places = 0;
    for (uint32_t i = 1; i < count; i++) {
        places += grid->slots[i] - grid->slots[i - 1] > 1;
    }
    uint8_t bytes[2 * VARINT_MAX];
    size_t size = put_uvarint(bytes, places);
    if (out != NULL) {
        memcpy(out, bytes, size);
    }
    uint32_t last = 1;
    for (uint32_t i = 1; i < count; i++) {
        uint64_t skipped = grid->slots[i] - grid->slots[i - 1] - 1;
        if (skipped > 0) {
            size_t n = put_uvarint(bytes, i - last);
            n += put_uvarint(bytes + n, skipped);
            if (out != NULL) {
                memcpy(out + size, bytes, n);
            }
            size += n;
            last = i;
        }
    }
    return size;
}

static size_t grid_size(struct grid *grid, uint32_t count)
{
    (void)patched_make_plan(grid->offsets, count, SIZE_MAX, &grid->plan); // no limit, no failure
    return uvarint_size(zigzag_encode(grid->origin)) + uvarint_size(grid->step) +
           put_skips(grid, count, NULL) + grid->plan.size;
}

static uint8_t *put_grid(const struct grid *grid, uint32_t count, uint8_t *out)
{
    out += put_uvarint(out, zigzag_encode(grid->origin));
    out += put_uvarint(out, grid->step);
    out += put_skips(grid, count, out);
    return patched_put(grid->offsets, count, &grid->plan, out);
}

/* Fits a grid and returns its size; SIZE_MAX where there is none. */
static size_t fit_grid(struct grid *grid, const int64_t *times, uint32_t count)
{
    if (count < 2) {
        return SIZE_MAX;
    }
    double step = typical_step(times, count);
    assign_slots(grid, times, count, step);
    uint64_t slots = grid->slots[count - 1];
    uint64_t span = (uint64_t)(times[count - 1] - times[0]);
    uint64_t fine = (span << FRACTION_BITS) / slots;
    grid->step = (fine + 128) >> FRACTION_BITS << FRACTION_BITS;
    size_t whole_size = SIZE_MAX;
    if (grid->step > 0) {
        measure_offsets(grid, times, count);
        whole_size = grid_size(grid, count);
    }
    uint64_t whole = grid->step;
    grid->step = fine;
    measure_offsets(grid, times, count);
    size_t fine_size = grid_size(grid, count);
    if (whole_size <= fine_size) {
        grid->step = whole;
        measure_offsets(grid, times, count);
        return grid_size(grid, count);
    }
    return fine_size;
}

int row_times_encode(const int64_t *times, uint32_t count, struct strbuf *out)
{
    assert(count > 0 && count <= ROW_TIMES_MAX);
    bool valid = times[0] >= -TIME_MAX && times[count - 1] <= TIME_MAX &&
                 (uint64_t)times[count - 1] - (uint64_t)times[0] <= SPAN_MAX;
    for (uint32_t i = 1; i < count; i++) {
        valid = valid && times[i] > times[i - 1];
    }
    if (!valid) {
        return ERR_INVALID;
    }
    struct grid grid;
    size_t with_grid = fit_grid(&grid, times, count);
    struct integer_coder coder;
    integer_column_plan(&coder, times, count, CODEC_DELTA_FRAME);
    size_t size = 1 + (with_grid < coder.size ? with_grid : coder.size);
    uint8_t *start = (uint8_t *)strbuf_reserve(out, size + BITPACK_SLACK);
    if (start == NULL) {
        return strbuf_error(out);
    }
    uint8_t *end = start;
    if (with_grid < coder.size) {
        *end++ = GRID;
        end = put_grid(&grid, count, end);
    } else {
        *end++ = (uint8_t)coder.codec;
        end = integer_column_put(&coder, end);
    }
    assert((size_t)(end - start) == size && size <= ROW_TIMES_SIZE_MAX(count));
    strbuf_commit(out, size);
    return 0;
}

/* Slot of every row; false on a violation. */
static bool get_slots(struct decbuf *d, uint32_t count, uint64_t *slots)
{
    uint64_t places = decbuf_uvarint(d);
    uint64_t last = 1;
    if (places >= count) {
        return false;
    }
    for (uint32_t i = 0; i < count; i++) {
        slots[i] = 1;
    }
    slots[0] = 0;
    for (uint64_t i = 0; i < places; i++) {
        uint64_t gap = decbuf_uvarint(d);
        uint64_t skipped = decbuf_uvarint(d);
        if (d->failed || (gap == 0 && i > 0) || gap >= count - last || skipped == 0 ||
            skipped > SPAN_MAX) {
            return false;
        }
        last += gap;
        slots[last] += skipped;
    }
    for (uint32_t i = 1; i < count; i++) {
        slots[i] += slots[i - 1]; // 4096 * 2^53 is far from overflow
    }
    return !d->failed;
}

/* A grid without skipped slots, all of whose numbers are far from overflow: nearly every grid. */
static void apply_plain_grid(const struct grid *grid, uint32_t count, int64_t *times_out)
{
    uint64_t distance = 0;
    for (uint32_t i = 0; i < count; i++) {
        times_out[i] = grid->origin + (int64_t)((distance >> FRACTION_BITS) + grid->offsets[i]);
        distance += grid->step;
    }
}

static bool is_far_from_overflow(const struct grid *grid, uint32_t count)
{
    uint64_t offsets = 0;
    for (uint32_t i = 0; i < count; i++) {
        offsets |= grid->offsets[i];
    }
    return offsets < (uint64_t)SPAN_MAX && grid->step < (uint64_t)SPAN_MAX / ROW_TIMES_MAX &&
           grid->origin >= -TIME_MAX && grid->origin <= TIME_MAX;
}

static bool get_grid(struct decbuf *d, uint32_t count, int64_t *times_out)
{
    struct grid grid;
    grid.origin = decbuf_svarint(d);
    grid.step = decbuf_uvarint(d);
    bool plain = decbuf_left(d) > 0 && *d->p == 0; // no place where slots are skipped
    if (plain) {
        (void)decbuf_u8(d);
    }
    if (d->failed || grid.step == 0 || (!plain && !get_slots(d, count, grid.slots))) {
        return false;
    }
    patched_get(d, count, grid.offsets);
    if (d->failed) {
        return false;
    }
    if (plain && is_far_from_overflow(&grid, count)) {
        apply_plain_grid(&grid, count, times_out);
        return true;
    }
    for (uint32_t i = 0; plain && i < count; i++) {
        grid.slots[i] = i;
    }
    for (uint32_t i = 0; i < count; i++) {
        uint64_t distance;
        if (__builtin_mul_overflow(grid.slots[i], grid.step, &distance) ||
            __builtin_add_overflow(distance >> FRACTION_BITS, grid.offsets[i], &distance) ||
            __builtin_add_overflow(grid.origin, distance, &times_out[i])) {
            return false;
        }
    }
    return true;
}

int row_times_decode(const void *bytes, size_t size, uint32_t count, int64_t *times_out)
{
    assert(count > 0 && count <= ROW_TIMES_MAX);
    struct decbuf d = decbuf_of(bytes, size);
    uint8_t codec = decbuf_u8(&d);
    if (codec == GRID) {
        d.failed = !get_grid(&d, count, times_out) || d.failed;
    } else {
        integer_column_get(&d, (enum column_codec)codec, count, times_out);
    }
    if (d.failed || decbuf_left(&d) > 0) {
        return ERR_CORRUPT;
    }
    for (uint32_t i = 1; i < count; i++) {
        if (times_out[i] <= times_out[i - 1]) {
            return ERR_CORRUPT;
        }
    }
    return 0;
}
