/* Chunks of floats.
 *
 *   u16 big-endian   number of samples
 *   bits (bit_stream.h)
 *     first sample   svarint time, 64 bits of the value
 *     second         uvarint delta of the time, xor of the value
 *     each other     delta d of the delta of the time:
 *                      0 | 10, 14 bits | 110, 17 bits | 1110, 20 bits | 1111, 64 bits
 *                    signed as varbits are, the first that fits; xor of the value
 *     zeros to the end of the byte
 */
#include <assert.h>

#include "base/bytes.h"
#include "block/bit_stream.h"
#include "tsdb/chunk.h"

static const unsigned WIDTHS[] = {0, 14, 17, 20, 64};

static void put_delta_of_delta(struct bit_writer *w, int64_t d)
{
    unsigned form = 0;
    if (d == 0) {
        bit_writer_put(w, 0, 1);
        return;
    }
    for (form = 1; form < 4 && !fits_signed_bits(d, WIDTHS[form]); form++) {
    }
    if (form < 4) {
        bit_writer_put(w, (UINT64_C(1) << (form + 1)) - 2, form + 1);
    } else {
        bit_writer_put(w, 15, 4);
    }
    bit_writer_put(w, (uint64_t)d, WIDTHS[form]);
}

static int64_t get_delta_of_delta(struct bit_reader *r)
{
    unsigned form = 0;
    while (form < 4 && bit_reader_get(r, 1) == 1) {
        form++;
    }
    uint64_t bits = bit_reader_get(r, WIDTHS[form]);
    return form == 0 || form == 4 ? (int64_t)bits : signed_bits(bits, WIDTHS[form]);
}

void xor_chunk_encode(const int64_t *times, const double *values, size_t count, struct strbuf *out)
{
    assert(count > 0 && count <= CHUNK_SAMPLES_MAX);
    struct bit_writer w = {.out = out};
    struct xor_state state = {.bits = double_bits(values[0])};
    uint64_t delta = 0;
    bit_writer_put(&w, count, 16);
    bit_writer_put_svarint(&w, times[0]);
    bit_writer_put(&w, state.bits, 64);
    for (size_t i = 1; i < count; i++) {
        uint64_t next = (uint64_t)times[i] - (uint64_t)times[i - 1];
        if (i == 1) {
            bit_writer_put_uvarint(&w, next);
        } else {
            put_delta_of_delta(&w, (int64_t)(next - delta));
        }
        delta = next;
        xor_put(&w, &state, values[i]);
    }
    bit_writer_finish(&w);
}

int xor_chunk_decode(struct str data, struct arena *arena, struct chunk_samples *samples_out)
{
    struct bit_reader r = bit_reader_of(data);
    size_t count = (size_t)bit_reader_get(&r, 16);
    if (count == 0 || count > bit_reader_left(&r)) {
        return ERR_CORRUPT;
    }
    int64_t *times = arena_alloc(arena, count * sizeof(*times));
    double *values = arena_alloc(arena, count * sizeof(*values));
    if (times == NULL || values == NULL) {
        return arena_error(arena);
    }
    times[0] = bit_reader_get_svarint(&r);
    struct xor_state state = {.bits = bit_reader_get(&r, 64)};
    values[0] = double_from_bits(state.bits);
    uint64_t delta = 0;
    for (size_t i = 1; i < count && !r.failed; i++) {
        delta = i == 1 ? bit_reader_get_uvarint(&r) : delta + (uint64_t)get_delta_of_delta(&r);
        times[i] = (int64_t)((uint64_t)times[i - 1] + delta);
        values[i] = xor_get(&r, &state);
        if (times[i] <= times[i - 1]) {
            return ERR_CORRUPT;
        }
    }
    if (r.failed) {
        return ERR_CORRUPT;
    }
    *samples_out = (struct chunk_samples){.count = count, .times = times, .values = values};
    return 0;
}

int chunk_decode(
    unsigned encoding, struct str data, struct arena *arena, struct chunk_samples *samples_out)
{
    if (data.len > CHUNK_BYTES_MAX) {
        return ERR_LIMIT;
    }
    if (encoding == CHUNK_XOR) {
        return xor_chunk_decode(data, arena, samples_out);
    }
    if (encoding == CHUNK_HISTOGRAM || encoding == CHUNK_FLOAT_HISTOGRAM) {
        return histogram_chunk_decode(encoding, data, arena, samples_out);
    }
    return ERR_UNSUPPORTED;
}
