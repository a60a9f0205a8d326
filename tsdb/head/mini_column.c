/* The codec of mini-blocks; see the header for the format. */
#include "head/mini_column.h"

#include <assert.h>
#include <math.h>
#include <stdbool.h>
#include <string.h>

#include "base/bytes.h"

enum form { FORM_INTEGER_CONSTANT, FORM_CONSTANT, FORM_INTEGERS, FORM_DOUBLES };

enum { MISSING_ROWS = 0x80, EXPONENT_SHIFT = 3, EXPONENT_MAX = 9 };

/* Integers up to here are exact doubles, and so are their differences as integers. */
static const double INTEGER_LIMIT = 9007199254740992.0;

static const double POWERS[EXPONENT_MAX + 1] = {1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9};

/* ---- Doubles as integers ---- */

/* Is every value integer / 10^exponent, to the bit? Fills the integers. Stops at the first that is not,
 * which for true doubles is the first. */
static bool to_integers(
    const double *values, uint32_t count, uint8_t exponent, int64_t *integers_out)
{
    double power = POWERS[exponent];
    for (uint32_t i = 0; i < count; i++) {
        double scaled = values[i] * power;
        if (!(fabs(scaled) < INTEGER_LIMIT)) {
            return false; // NaN too
        }
        int64_t integer = (int64_t)(scaled < 0 ? scaled - 0.5 : scaled + 0.5);
        if (double_bits((double)integer / power) != double_bits(values[i])) {
            return false; // negative zero too
        }
        integers_out[i] = integer;
    }
    return true;
}

static bool find_exponent(
    const double *values, uint32_t count, uint8_t *exponent_hint, int64_t *integers_out)
{
    uint8_t hint = *exponent_hint;
    if (hint <= EXPONENT_MAX && to_integers(values, count, hint, integers_out)) {
        return true;
    }
    for (uint8_t exponent = 0; exponent <= EXPONENT_MAX; exponent++) {
        if (exponent != hint && to_integers(values, count, exponent, integers_out)) {
            *exponent_hint = exponent;
            return true;
        }
    }
    return false;
}

/* ---- Bits ---- */

/* Values of `width` bits (0 .. 56) behind one another. Returns the bytes written. */
static size_t pack(const uint64_t *values, uint32_t count, unsigned width, uint8_t *out)
{
    uint64_t pending = 0;
    unsigned bits = 0;
    size_t n = 0;
    for (uint32_t i = 0; i < count; i++) {
        pending |= values[i] << bits;
        bits += width;
        while (bits >= 8) {
            out[n++] = (uint8_t)pending;
            pending >>= 8;
            bits -= 8;
        }
    }
    if (bits > 0) {
        out[n++] = (uint8_t)pending;
    }
    return n;
}

static size_t put_svarint(uint8_t *out, int64_t v)
{
    return put_uvarint(out, zigzag_encode(v));
}

/* ---- Encoding ---- */

static size_t encode_integers(const int64_t *integers, uint32_t count, uint8_t *out)
{
    uint64_t residuals[MINI_COLUMN_ROWS_MAX];
    int64_t lowest = INT64_MAX;
    for (uint32_t i = 1; i < count; i++) {
        int64_t step = integers[i] - integers[i - 1];
        lowest = step < lowest ? step : lowest;
    }
    uint64_t all = 0;
    for (uint32_t i = 1; i < count; i++) {
        residuals[i - 1] = (uint64_t)(integers[i] - integers[i - 1] - lowest);
        all |= residuals[i - 1];
    }
    unsigned width = all == 0 ? 0 : 64 - (unsigned)__builtin_clzll(all);
    size_t n = put_svarint(out, integers[0]);
    n += put_svarint(out + n, lowest);
    out[n++] = (uint8_t)width;
    return n + pack(residuals, count - 1, width, out + n);
}

static size_t encode_doubles(const double *values, uint32_t count, uint8_t *out)
{
    uint64_t all = 0;
    for (uint32_t i = 1; i < count; i++) {
        all |= double_bits(values[i]) ^ double_bits(values[i - 1]);
    }
    unsigned top = all == 0 ? 7 : (unsigned)__builtin_clzll(all) / 8;
    unsigned bottom = all == 0 ? 0 : (unsigned)__builtin_ctzll(all) / 8;
    unsigned size = 8 - top - bottom;
    put_le64(out, double_bits(values[0]));
    out[8] = (uint8_t)(top | bottom << 4);
    size_t n = 9;
    for (uint32_t i = 1; i < count; i++) {
        uint64_t rest = (double_bits(values[i]) ^ double_bits(values[i - 1])) >> (8 * bottom);
        for (unsigned b = 0; b < size; b++) {
            out[n++] = (uint8_t)(rest >> (8 * b));
        }
    }
    return n;
}

static bool is_constant(const double *values, uint32_t count)
{
    uint64_t differences = 0;
    for (uint32_t i = 1; i < count; i++) {
        differences |= double_bits(values[i]) ^ double_bits(values[0]);
    }
    return differences == 0;
}

static size_t encode_values(
    const double *values, uint32_t count, uint8_t *exponent_hint, uint8_t *form, uint8_t *out)
{
    int64_t integers[MINI_COLUMN_ROWS_MAX];
    bool constant = is_constant(values, count);
    if (find_exponent(values, constant ? 1 : count, exponent_hint, integers)) {
        *form = (uint8_t)((constant ? FORM_INTEGER_CONSTANT : FORM_INTEGERS) |
                          *exponent_hint << EXPONENT_SHIFT);
        return constant ? put_svarint(out, integers[0]) : encode_integers(integers, count, out);
    }
    *form = constant ? FORM_CONSTANT : FORM_DOUBLES;
    if (constant) {
        put_le64(out, double_bits(values[0]));
        return 8;
    }
    return encode_doubles(values, count, out);
}

size_t mini_column_encode(
    const double *values, uint32_t row_count, uint32_t mask, uint8_t *exponent_hint, uint8_t *out)
{
    assert(mask != 0 && row_count >= 1 && row_count <= MINI_COLUMN_ROWS_MAX);
    if (mask == ((uint32_t)1 << row_count) - 1) {
        return 1 + encode_values(values, row_count, exponent_hint, out, out + 1);
    }
    double present[MINI_COLUMN_ROWS_MAX];
    uint32_t count = 0;
    for (uint32_t i = 0; i < row_count; i++) {
        if ((mask >> i & 1) != 0) {
            present[count++] = values[i];
        }
    }
    size_t size = encode_values(present, count, exponent_hint, out, out + 4);
    out[0] |= MISSING_ROWS;
    out[1] = (uint8_t)mask;
    out[2] = (uint8_t)(mask >> 8);
    out[3] = (uint8_t)(mask >> 16);
    return 4 + size;
}

/* ---- Decoding ---- */

static void decode_integers(struct decbuf *d, uint32_t count, double power, double *out)
{
    int64_t value = decbuf_svarint(d);
    int64_t lowest = decbuf_svarint(d);
    unsigned width = decbuf_u8(d);
    uint64_t pending = 0, mask = ((uint64_t)1 << width) - 1;
    unsigned bits = 0;
    out[0] = (double)value / power;
    for (uint32_t i = 1; i < count; i++) {
        while (bits < width) {
            pending |= (uint64_t)decbuf_u8(d) << bits;
            bits += 8;
        }
        value += lowest + (int64_t)(pending & mask);
        pending >>= width;
        bits -= width;
        out[i] = (double)value / power;
    }
}

static void decode_doubles(struct decbuf *d, uint32_t count, double *out)
{
    uint64_t bits = decbuf_le64(d);
    uint8_t cut = decbuf_u8(d);
    unsigned bottom = cut >> 4, size = 8 - (cut & 15) - bottom;
    out[0] = double_from_bits(bits);
    for (uint32_t i = 1; i < count; i++) {
        uint64_t rest = 0;
        for (unsigned b = 0; b < size; b++) {
            rest |= (uint64_t)decbuf_u8(d) << (8 * b);
        }
        bits ^= rest << (8 * bottom);
        out[i] = double_from_bits(bits);
    }
}

static void decode_values(struct decbuf *d, uint8_t form, uint32_t count, double *out)
{
    double power = POWERS[(form >> EXPONENT_SHIFT) & 15];
    double constant = 0;
    switch (form & 7) {
    case FORM_INTEGERS:
        decode_integers(d, count, power, out);
        return;
    case FORM_DOUBLES:
        decode_doubles(d, count, out);
        return;
    case FORM_INTEGER_CONSTANT:
        constant = (double)decbuf_svarint(d) / power;
        break;
    default:
        constant = double_from_bits(decbuf_le64(d));
        break;
    }
    for (uint32_t i = 0; i < count; i++) {
        out[i] = constant;
    }
}

uint32_t mini_column_decode(
    const uint8_t *bytes, size_t size, uint32_t row_count, double *values_out)
{
    struct decbuf d = decbuf_of(bytes, size);
    uint8_t form = decbuf_u8(&d);
    if ((form & MISSING_ROWS) == 0) {
        decode_values(&d, form, row_count, values_out);
        assert(!d.failed);
        return ((uint32_t)1 << row_count) - 1;
    }
    double present[MINI_COLUMN_ROWS_MAX];
    uint32_t mask = decbuf_u8(&d);
    mask |= (uint32_t)decbuf_u8(&d) << 8;
    mask |= (uint32_t)decbuf_u8(&d) << 16;
    decode_values(&d, form & (uint8_t)~MISSING_ROWS, (uint32_t)__builtin_popcount(mask), present);
    assert(!d.failed);
    uint32_t at = 0;
    for (uint32_t i = 0; i < row_count; i++) {
        if ((mask >> i & 1) != 0) {
            values_out[i] = present[at++];
        }
    }
    return mask;
}
