/* Doubles as a front from a short list and the bits behind it: planning, writing, reading. */
#include "row/front_bits.h"

#include "row/bitpack.h"
#include "row/row_limits.h"

#define HEAD_SIZE 2
#define FRONT_SIZE 2

static size_t size_of(const struct front_bits *f, size_t count)
{
    return HEAD_SIZE + FRONT_SIZE * f->front_count +
           bitpack_size(count, bit_width(f->front_count - 1)) + bitpack_size(count, f->rest);
}

/* Puts a front where it belongs in the list; false when the list is full. */
static bool add_front(struct front_bits *f, uint16_t front)
{
    unsigned at = f->front_count;
    while (at > 0 && f->fronts[at - 1] > front) {
        at--;
    }
    if (at > 0 && f->fronts[at - 1] == front) {
        return true;
    }
    if (f->front_count == FRONT_BITS_LIST_MAX) {
        return false;
    }
    memmove(f->fronts + at + 1, f->fronts + at, (f->front_count - at) * sizeof(f->fronts[0]));
    f->fronts[at] = front;
    f->front_count++;
    return true;
}

static bool list_fronts(struct front_bits *f, const double *values, size_t count, unsigned rest)
{
    f->rest = rest;
    f->front_count = 0;
    bool fits = true;
    for (size_t i = 0; i < count && fits; i++) {
        fits = add_front(f, (uint16_t)(double_bits(values[i]) >> rest));
    }
    return fits;
}

bool front_bits_plan(struct front_bits *f, const double *values, size_t count)
{
    struct front_bits tried;
    bool found = false;
    /* The fewer the bits behind, the more the fronts: once they are too many they stay so. */
    for (unsigned rest = FRONT_BITS_REST_MAX; rest >= FRONT_BITS_REST_MIN; rest--) {
        if (!list_fronts(&tried, values, count, rest)) {
            break;
        }
        tried.size = size_of(&tried, count);
        if (!found || tried.size < f->size) {
            *f = tried;
            found = true;
        }
    }
    return found;
}

static uint64_t place_of(const struct front_bits *f, double value)
{
    uint64_t front = double_bits(value) >> f->rest;
    uint64_t place = 0;
    while (f->fronts[place] != front) {
        place++;
    }
    return place;
}

uint8_t *front_bits_put(
    const struct front_bits *f, const double *values, size_t count, uint8_t *out)
{
    uint64_t numbers[COLUMN_BLOCK_ROWS_MAX];
    *out++ = (uint8_t)f->rest;
    *out++ = (uint8_t)(f->front_count - 1);
    for (unsigned i = 0; i < f->front_count; i++, out += FRONT_SIZE) {
        put_le16(out, f->fronts[i]);
    }
    for (size_t i = 0; i < count; i++) {
        numbers[i] = place_of(f, values[i]);
    }
    out = bitpack_put(numbers, count, bit_width(f->front_count - 1), out);
    for (size_t i = 0; i < count; i++) {
        numbers[i] = double_bits(values[i]) & bit_mask(f->rest);
    }
    return bitpack_put(numbers, count, f->rest, out);
}

static bool read_list(struct decbuf *d, struct front_bits *f)
{
    f->rest = decbuf_u8(d);
    f->front_count = decbuf_u8(d) + 1u;
    if (d->failed || f->rest < FRONT_BITS_REST_MIN || f->rest > FRONT_BITS_REST_MAX ||
        f->front_count > FRONT_BITS_LIST_MAX) {
        return false;
    }
    for (unsigned i = 0; i < f->front_count; i++) {
        f->fronts[i] = decbuf_le16(d);
        if (f->fronts[i] > bit_mask(64 - f->rest) || (i > 0 && f->fronts[i] <= f->fronts[i - 1])) {
            return false;
        }
    }
    return !d->failed;
}

/* `count` packed numbers; width 0 takes no bytes. */
static void read_packed(struct decbuf *d, size_t count, unsigned width, uint64_t *numbers)
{
    size_t readable = decbuf_left(d);
    struct str bytes = decbuf_bytes(d, bitpack_size(count, width));
    if (!d->failed && width > 0) {
        bitpack_get((const uint8_t *)bytes.ptr, readable, count, width, numbers);
    }
}

void front_bits_get(struct decbuf *d, size_t count, double *values_out)
{
    struct front_bits f;
    uint64_t places[COLUMN_BLOCK_ROWS_MAX] = {0};
    uint64_t rests[COLUMN_BLOCK_ROWS_MAX];
    if (!read_list(d, &f)) {
        d->failed = true;
        return;
    }
    read_packed(d, count, bit_width(f.front_count - 1), places);
    read_packed(d, count, f.rest, rests);
    for (size_t i = 0; i < count && !d->failed; i++) {
        d->failed = places[i] >= f.front_count;
        values_out[i] =
            double_from_bits((uint64_t)f.fronts[d->failed ? 0 : places[i]] << f.rest | rests[i]);
    }
}

/* Number `index` of `count` packed ones. */
static uint64_t read_one(struct decbuf *d, size_t count, unsigned width, size_t index)
{
    struct str bytes = decbuf_bytes(d, bitpack_size(count, width));
    return d->failed ? 0 : bitpack_at((const uint8_t *)bytes.ptr, bytes.len, index, width);
}

double front_bits_at(struct decbuf *d, size_t count, size_t index)
{
    struct front_bits f;
    if (!read_list(d, &f)) {
        d->failed = true;
        return 0;
    }
    uint64_t place = read_one(d, count, bit_width(f.front_count - 1), index);
    uint64_t rest = read_one(d, count, f.rest, index);
    d->failed = d->failed || place >= f.front_count;
    return double_from_bits((uint64_t)f.fronts[d->failed ? 0 : place] << f.rest | rest);
}
