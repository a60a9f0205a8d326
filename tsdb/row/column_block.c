/* The column block: its bytes, how it is read, and what can be told without reading it.
 *
 *   byte 0      bits 0-4: codec id (column_format.h)
 *               bit 5: 0
 *               bit 6: a mapping follows (number_map.h); without it the integers are the values
 *               bit 7: a rows section follows the mapping (presence.h)
 *   mapping     1 to 24 bytes
 *   rows        the rows that are not in the value stream; the rest number n
 *   body        by codec:
 *
 *   constant    no bytes: +0, and the only body when n = 0 (then without a mapping); without or
 *               with a decimal mapping an svarint integer; with a bits mapping the most significant
 *               bytes of the double, first byte highest, as many as there are (1..8), the missing
 *               ones being zero, or no byte at all for the NaN 0x7ff8000000000001, which every
 *               summary without observations shows
 *   sparse, frame, delta, delta frame, delta delta, linear
 *               integers as integer_column.h
 *   ulp         byte 0: bits 0-3 codec of the integers, bits 4-7 codec of the ulps; then both as
 *               integer columns. The value is the double whose bits are those of the decimal of the
 *               integer, plus the ulp. Always with a decimal mapping, method reciprocal
 *   dictionary  integers as dictionary.h
 *   difference  byte 0: bits 0-3 codec of the differences, bits 4-7: 0; then n of them as an integer
 *               column. The integer of a row is that of the reference's row (number_map.h), plus
 *               difference * scale + remainder; its value the decimal of that. Never with a bits
 *               mapping
 *   affine      as affine.h. The integer of a row is what it says, its value the decimal of that. Never
 *               with a bits mapping, a scale or a remainder
 *   fronts      as front_bits.h; never with a mapping
 *   raw         n times le64, the bits of the value; never with a mapping
 *
 * A block ends where its bytes end: bytes left over are corrupt, as is every reserved value.
 */
#include "row/column_block.h"

#include <assert.h>

#include "base/bytes.h"
#include "base/err.h"
#include "row/affine.h"
#include "row/block_head.h"
#include "row/column_format.h"
#include "row/dictionary.h"
#include "row/front_bits.h"
#include "row/integer_column.h"
#include "row/kernels.h"
#include "row/number_map.h"
#include "row/presence.h"

/* ---- bodies ---- */

static void read_constant(struct decbuf *d, const struct block_head *head, size_t n, double *values)
{
    row_kernels()->fill(values, n, block_head_constant(d, head));
}

static void read_raw(struct decbuf *d, const struct block_head *head, size_t n, double *values)
{
    const uint8_t *bytes = (const uint8_t *)decbuf_bytes(d, n * 8).ptr;
    if (head->has_map) {
        d->failed = true;
    }
    for (size_t i = 0; i < n && !d->failed; i++) {
        values[i] = double_from_bits(get_le64(bytes + 8 * i));
    }
}

static void read_ulps(struct decbuf *d, const struct block_head *head, size_t n, double *values)
{
    int64_t integers[COLUMN_BLOCK_ROWS_MAX];
    int64_t ulps[COLUMN_BLOCK_ROWS_MAX];
    uint8_t codecs = decbuf_u8(d);
    bool valid = head->map.exponent > 0 && head->map.exponent != MAPPING_BITS &&
                 head->map.method == METHOD_RECIPROCAL;
    if (!valid || d->failed) {
        d->failed = true;
        return;
    }
    integer_column_get(d, (enum column_codec)(codecs & PAIR_CODEC_MASK), n, integers);
    if (d->failed) {
        return;
    }
    integer_column_get(d, (enum column_codec)(codecs >> PAIR_CODEC_BITS), n, ulps);
    if (!d->failed) {
        number_map_apply(&head->map, integers, n, values);
        number_map_add_ulps(ulps, n, values);
    }
}

static void read_integers(struct decbuf *d, const struct block_head *head, size_t n, double *values)
{
    int64_t integers[COLUMN_BLOCK_ROWS_MAX];
    if (head->codec == CODEC_DICTIONARY) {
        dictionary_get(d, n, integers);
    } else {
        integer_column_get(d, head->codec, n, integers);
    }
    if (!d->failed) {
        number_map_apply(&head->map, integers, n, values);
    }
}

/* The integers of the reference for each row of the stream. */
static void reference_integers(const struct block_head *head, const struct number_map *map,
    uint32_t count, const double *reference, int64_t *rows)
{
    number_map_reference(map, reference, count, rows);
    if (head->has_rows) {
        int64_t stream[COLUMN_BLOCK_ROWS_MAX];
        presence_gather(head->rows, count, rows, stream);
        memcpy(rows, stream, head->counts.stream * sizeof(rows[0]));
    }
}

static void read_differences(struct decbuf *d, const struct block_head *head, uint32_t count,
    const double *reference, double *values)
{
    int64_t rows[COLUMN_BLOCK_ROWS_MAX];
    int64_t integers[COLUMN_BLOCK_ROWS_MAX];
    size_t n = head->counts.stream;
    uint8_t codec = decbuf_u8(d);
    if (d->failed || codec > PAIR_CODEC_MASK || head->map.exponent == MAPPING_BITS ||
        reference == NULL) {
        d->failed = true;
        return;
    }
    integer_column_get(d, (enum column_codec)codec, n, integers);
    if (d->failed) {
        return;
    }
    reference_integers(head, &head->map, count, reference, rows);
    for (size_t i = 0; i < n; i++) {
        uint64_t above = (uint64_t)integers[i] * head->map.scale + head->map.remainder;
        integers[i] = (int64_t)((uint64_t)rows[i] + above);
    }
    struct number_map map = {
        .exponent = head->map.exponent, .method = head->map.method, .scale = 1};
    number_map_apply(&map, integers, n, values);
}

static void read_affine(struct decbuf *d, const struct block_head *head, uint32_t count,
    const double *reference, double *values)
{
    int64_t rows[COLUMN_BLOCK_ROWS_MAX];
    struct affine a;
    affine_get(d, &a);
    if (d->failed || head->map.exponent == MAPPING_BITS || head->map.scale != 1 ||
        reference == NULL) {
        d->failed = true;
        return;
    }
    reference_integers(head, &a.reference, count, reference, rows);
    if (!affine_apply(&a, rows, head->counts.stream)) {
        d->failed = true;
        return;
    }
    number_map_apply(&head->map, rows, head->counts.stream, values);
}

/* The stream's values, whatever the codec. */
static void read_body(struct decbuf *d, const struct block_head *head, uint32_t count,
    const double *reference, double *values)
{
    size_t n = head->counts.stream;
    if (n == 0) {
        d->failed = d->failed || head->codec != CODEC_CONSTANT || head->has_map;
        return;
    }
    switch (head->codec) {
    case CODEC_CONSTANT:
        read_constant(d, head, n, values);
        return;
    case CODEC_RAW:
        read_raw(d, head, n, values);
        return;
    case CODEC_ULP:
        read_ulps(d, head, n, values);
        return;
    case CODEC_DIFFERENCE:
        read_differences(d, head, count, reference, values);
        return;
    case CODEC_AFFINE:
        read_affine(d, head, count, reference, values);
        return;
    case CODEC_FRONTS:
        if (head->has_map) {
            d->failed = true;
            return;
        }
        front_bits_get(d, n, values);
        return;
    default:
        read_integers(d, head, n, values);
        return;
    }
}

/* ---- public ---- */

bool column_block_needs_reference(const void *bytes, size_t size)
{
    const uint8_t *head = bytes;
    unsigned codec = size > 0 ? head[0] & HEAD_CODEC_MASK : CODEC_CONSTANT;
    return codec == CODEC_DIFFERENCE || codec == CODEC_AFFINE;
}

int column_block_decode(
    const void *bytes, size_t size, uint32_t count, double *values_out, uint64_t *presence_out)
{
    return column_block_decode_against(bytes, size, count, NULL, values_out, presence_out);
}

int column_block_decode_against(const void *bytes, size_t size, uint32_t count,
    const double *reference, double *values_out, uint64_t *presence_out)
{
    assert(count > 0 && count <= COLUMN_BLOCK_ROWS_MAX);
    struct decbuf d = decbuf_of(bytes, size);
    struct block_head head;
    if (!block_head_read(&d, count, &head)) {
        return ERR_CORRUPT;
    }
    if (!head.has_rows) {
        read_body(&d, &head, count, reference, values_out);
        if (presence_out != NULL) {
            presence_fill(presence_out, count);
        }
        return d.failed || decbuf_left(&d) > 0 ? ERR_CORRUPT : 0;
    }
    double stream[COLUMN_BLOCK_ROWS_MAX];
    read_body(&d, &head, count, reference, stream);
    if (d.failed || decbuf_left(&d) > 0) {
        return ERR_CORRUPT;
    }
    presence_expand(head.rows, count, stream, values_out, presence_out);
    return 0;
}

int column_block_summary(
    const void *bytes, size_t size, uint32_t count, struct column_summary *summary_out)
{
    assert(count > 0 && count <= COLUMN_BLOCK_ROWS_MAX);
    struct decbuf d = decbuf_of(bytes, size);
    struct block_head head;
    if (!block_head_read(&d, count, &head)) {
        return ERR_CORRUPT;
    }
    uint32_t n = head.counts.stream;
    struct column_summary summary = {
        .known = COLUMN_KNOWS_COUNT,
        .count = n + head.counts.literal,
    };
    // A literal may be any row, the first or the smallest among them.
    if (n > 0 && head.counts.literal == 0) {
        if (head.codec == CODEC_CONSTANT) {
            double value = block_head_constant(&d, &head);
            summary.known |= COLUMN_KNOWS_FIRST | COLUMN_KNOWS_AGGREGATES;
            summary.first = summary.last = summary.min = summary.max = value;
            summary.sum = value * n;
        } else if (head.codec == CODEC_RAW) {
            summary.known |= COLUMN_KNOWS_FIRST;
            summary.first = double_from_bits(decbuf_le64(&d));
        } else if (head.codec < CODEC_ULP && head.codec != CODEC_FRAME) {
            int64_t integer = decbuf_svarint(&d);
            summary.known |= COLUMN_KNOWS_FIRST;
            number_map_apply(&head.map, &integer, 1, &summary.first);
        }
    }
    if (d.failed) {
        return ERR_CORRUPT;
    }
    *summary_out = summary;
    return 0;
}

static const char *const codec_names[CODEC_COUNT] = {
    [CODEC_CONSTANT] = "constant",
    [CODEC_SPARSE] = "sparse",
    [CODEC_FRAME] = "frame",
    [CODEC_DELTA] = "delta",
    [CODEC_DELTA_FRAME] = "delta frame",
    [CODEC_DELTA_DELTA] = "delta delta",
    [CODEC_LINEAR] = "linear",
    [CODEC_ULP] = "ulp",
    [CODEC_DICTIONARY] = "dictionary",
    [CODEC_DIFFERENCE] = "difference",
    [CODEC_AFFINE] = "affine",
    [CODEC_RAW] = "raw",
    [CODEC_FRONTS] = "fronts",
};

int column_block_describe(const void *bytes, size_t size, uint32_t count, struct strbuf *out)
{
    struct decbuf d = decbuf_of(bytes, size);
    struct block_head head;
    if (!block_head_read(&d, count, &head)) {
        return ERR_CORRUPT;
    }
    strbuf_add_c(out, codec_names[head.codec]);
    if (head.map.exponent == MAPPING_BITS) {
        strbuf_add_c(out, ", bits");
    } else if (head.map.exponent > 0) {
        strbuf_addf(out, ", decimal %u", head.map.exponent);
    }
    static const char *const methods[METHOD_COUNT] = {"", " quotient", " product", " halves"};
    strbuf_add_c(out, methods[head.map.method]);
    if (head.map.scale > 1) {
        strbuf_addf(out, ", scale %llu", (unsigned long long)head.map.scale);
    }
    if (head.map.remainder > 0) {
        strbuf_addf(out, ", remainder %llu", (unsigned long long)head.map.remainder);
    }
    if (head.has_rows) {
        strbuf_addf(out, ", %u absent, %u stale, %u literal", head.counts.absent, head.counts.stale,
            head.counts.literal);
    }
    return 0;
}
