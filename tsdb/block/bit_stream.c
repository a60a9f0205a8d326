/* Bits in and out. */
#include "block/bit_stream.h"

#include "base/bytes.h"

/* ---- Writing ---- */

void bit_writer_put(struct bit_writer *w, uint64_t v, unsigned n)
{
    while (n > 0) {
        unsigned room = 8 - w->fill;
        unsigned take = n < room ? n : room;
        uint8_t bits = (uint8_t)(v >> (n - take) & ((1u << take) - 1));
        w->pending = (uint8_t)(w->pending | bits << (room - take));
        w->fill += take;
        n -= take;
        if (w->fill == 8) {
            strbuf_add_char(w->out, (char)w->pending);
            w->pending = 0;
            w->fill = 0;
        }
    }
}

void bit_writer_finish(struct bit_writer *w)
{
    if (w->fill > 0) {
        bit_writer_put(w, 0, 8 - w->fill);
    }
}

void bit_writer_put_uvarint(struct bit_writer *w, uint64_t v)
{
    uint8_t bytes[VARINT_MAX];
    size_t size = put_uvarint(bytes, v);
    for (size_t i = 0; i < size; i++) {
        bit_writer_put(w, bytes[i], 8);
    }
}

void bit_writer_put_svarint(struct bit_writer *w, int64_t v)
{
    bit_writer_put_uvarint(w, zigzag_encode(v));
}

/* Widths of the forms with a prefix of 1, 2 .. 8 ones; the last has no zero behind them. */
static const unsigned WIDTHS[] = {3, 6, 9, 12, 18, 25, 56, 64};
enum { FORMS = sizeof(WIDTHS) / sizeof(WIDTHS[0]) };

static void put_form(struct bit_writer *w, unsigned form, uint64_t v)
{
    unsigned ones = form + 1;
    if (ones < FORMS) {
        bit_writer_put(w, (UINT64_C(1) << (ones + 1)) - 2, ones + 1);
    } else {
        bit_writer_put(w, 0xff, 8);
    }
    bit_writer_put(w, v, WIDTHS[form]);
}

void bit_writer_put_varbit(struct bit_writer *w, uint64_t v)
{
    unsigned form = 0;
    if (v == 0) {
        bit_writer_put(w, 0, 1);
        return;
    }
    while (form < FORMS - 1 && v >> WIDTHS[form] != 0) {
        form++;
    }
    put_form(w, form, v);
}

void bit_writer_put_signed_varbit(struct bit_writer *w, int64_t v)
{
    unsigned form = 0;
    if (v == 0) {
        bit_writer_put(w, 0, 1);
        return;
    }
    while (form < FORMS - 1 && !fits_signed_bits(v, WIDTHS[form])) {
        form++;
    }
    put_form(w, form, (uint64_t)v);
}

/* ---- Reading ---- */

struct bit_reader bit_reader_of(struct str bytes)
{
    return (struct bit_reader){.bytes = (const uint8_t *)bytes.ptr, .size = bytes.len * 8};
}

uint64_t bit_reader_get(struct bit_reader *r, unsigned n)
{
    if (r->failed || n > bit_reader_left(r)) {
        r->failed = true;
        return 0;
    }
    uint64_t v = 0;
    while (n > 0) {
        unsigned left = 8 - (unsigned)(r->at & 7);
        unsigned take = n < left ? n : left;
        unsigned bits = r->bytes[r->at >> 3] >> (left - take) & ((1u << take) - 1);
        v = v << take | bits;
        r->at += take;
        n -= take;
    }
    return v;
}

uint64_t bit_reader_get_uvarint(struct bit_reader *r)
{
    uint64_t v = 0;
    for (unsigned shift = 0; shift < 64; shift += 7) {
        uint64_t byte = bit_reader_get(r, 8);
        if (shift == 63 && byte > 1) {
            break;
        }
        v |= (byte & 0x7f) << shift;
        if (byte < 0x80) {
            return r->failed ? 0 : v;
        }
    }
    r->failed = true;
    return 0;
}

int64_t bit_reader_get_svarint(struct bit_reader *r)
{
    return zigzag_decode(bit_reader_get_uvarint(r));
}

/* The width that the prefix asks for; 0 for the number 0. */
static unsigned get_width(struct bit_reader *r)
{
    unsigned ones = 0;
    while (ones < FORMS && bit_reader_get(r, 1) == 1) {
        ones++;
    }
    return ones > 0 ? WIDTHS[ones - 1] : 0;
}

uint64_t bit_reader_get_varbit(struct bit_reader *r)
{
    return bit_reader_get(r, get_width(r));
}

int64_t bit_reader_get_signed_varbit(struct bit_reader *r)
{
    unsigned width = get_width(r);
    uint64_t bits = bit_reader_get(r, width);
    return width == 0 || width == 64 ? (int64_t)bits : signed_bits(bits, width);
}

/* ---- Doubles ---- */

enum { LEADING_MAX = 31 };

void xor_put(struct bit_writer *w, struct xor_state *s, double value)
{
    uint64_t bits = double_bits(value);
    uint64_t difference = bits ^ s->bits;
    s->bits = bits;
    if (difference == 0) {
        bit_writer_put(w, 0, 1);
        return;
    }
    unsigned leading = (unsigned)__builtin_clzll(difference);
    unsigned trailing = (unsigned)__builtin_ctzll(difference);
    leading = leading < LEADING_MAX ? leading : LEADING_MAX;
    if (s->has_window && leading >= s->leading && trailing >= s->trailing) {
        bit_writer_put(w, 2, 2);
    } else {
        s->leading = leading;
        s->trailing = trailing;
        s->has_window = true;
        bit_writer_put(w, 3, 2);
        bit_writer_put(w, leading, 5);
        bit_writer_put(w, (64 - leading - trailing) & 63, 6);
    }
    bit_writer_put(w, difference >> s->trailing, 64 - s->leading - s->trailing);
}

double xor_get(struct bit_reader *r, struct xor_state *s)
{
    if (bit_reader_get(r, 1) != 0) {
        if (bit_reader_get(r, 1) != 0) {
            unsigned leading = (unsigned)bit_reader_get(r, 5);
            unsigned length = (unsigned)bit_reader_get(r, 6);
            length = length == 0 ? 64 : length;
            if (leading + length > 64) {
                r->failed = true;
                return 0;
            }
            s->leading = leading;
            s->trailing = 64 - leading - length;
            s->has_window = true;
        } else if (!s->has_window) {
            r->failed = true;
            return 0;
        }
        s->bits ^= bit_reader_get(r, 64 - s->leading - s->trailing) << s->trailing;
    }
    return double_from_bits(s->bits);
}
