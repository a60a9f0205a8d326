/* Reading the newest row of a block; column_block.c says what the bytes mean. */
#include "row/column_newest.h"

#include <assert.h>

#include "base/bytes.h"
#include "base/err.h"
#include "row/affine.h"
#include "row/block_head.h"
#include "row/decimal.h"
#include "row/dictionary.h"
#include "row/front_bits.h"
#include "row/integer_column.h"

/* A row of the value stream. */
struct stream_row {
    const struct block_head *head;
    uint32_t count; /* rows of the block */
    uint32_t row;
    size_t place, n; /* in the stream, and its length */
    struct column_reference *reference;
};

static double value_of(const struct number_map *map, int64_t integer)
{
    double value;
    number_map_apply(map, &integer, 1, &value);
    return value;
}

/* ---- Columns that lean on another ---- */

/* The integer of a row of the reference. Where it has none, earlier rows say what counts instead. */
static int reference_integer(
    const struct stream_row *at, const struct number_map *map, uint32_t row, int64_t *integer_out)
{
    double value = 0;
    int status = at->reference->value(at->reference, row, &value);
    return status <= 0 ? status : decimal_exact(value, map->method, map->exponent, integer_out);
}

static int newest_difference(struct decbuf *d, const struct stream_row *at, double *value_out)
{
    const struct number_map *map = &at->head->map;
    uint8_t codec = decbuf_u8(d);
    if (d->failed || codec > PAIR_CODEC_MASK || map->exponent == MAPPING_BITS) {
        return ERR_CORRUPT;
    }
    int64_t integer = integer_column_at(d, (enum column_codec)codec, at->n, at->place);
    if (d->failed || decbuf_left(d) > 0) {
        return ERR_CORRUPT;
    }
    int64_t below = 0;
    int status = reference_integer(at, map, at->row, &below);
    if (status == 1) {
        const struct number_map decimal = {
            .exponent = map->exponent, .method = map->method, .scale = 1};
        uint64_t above = (uint64_t)integer * map->scale + map->remainder;
        *value_out = value_of(&decimal, (int64_t)((uint64_t)below + above));
    }
    return status;
}

static int newest_multiple(struct decbuf *d, const struct stream_row *at, double *value_out)
{
    const struct block_head *head = at->head;
    struct affine a;
    affine_get(d, &a);
    if (d->failed || decbuf_left(d) > 0 || head->map.exponent == MAPPING_BITS ||
        head->map.scale != 1) {
        return ERR_CORRUPT;
    }
    uint32_t first = head->has_rows ? presence_first_of_stream(head->rows, at->count) : 0;
    int64_t rows[2]; // the first of the stream, and the one that is wanted
    int status = reference_integer(at, &a.reference, first, &rows[0]);
    if (status == 1) {
        status = reference_integer(at, &a.reference, at->row, &rows[1]);
    }
    if (status == 1 && !affine_apply(&a, rows, 2)) {
        return ERR_CORRUPT;
    }
    if (status == 1) {
        *value_out = value_of(&head->map, rows[1]);
    }
    return status;
}

/* ---- Columns that stand alone ---- */

static double newest_raw(struct decbuf *d, const struct stream_row *at)
{
    const char *bytes = decbuf_bytes(d, at->n * 8).ptr;
    d->failed = d->failed || at->head->has_map;
    return d->failed ? 0 : double_from_bits(get_le64((const uint8_t *)bytes + 8 * at->place));
}

static double newest_with_ulps(struct decbuf *d, const struct stream_row *at)
{
    const struct number_map *map = &at->head->map;
    uint8_t codecs = decbuf_u8(d);
    if (map->exponent == 0 || map->exponent == MAPPING_BITS || map->method != METHOD_RECIPROCAL) {
        d->failed = true;
        return 0;
    }
    int64_t integer =
        integer_column_at(d, (enum column_codec)(codecs & PAIR_CODEC_MASK), at->n, at->place);
    int64_t ulp =
        integer_column_at(d, (enum column_codec)(codecs >> PAIR_CODEC_BITS), at->n, at->place);
    double value = value_of(map, integer);
    number_map_add_ulps(&ulp, 1, &value);
    return value;
}

static double newest_alone(struct decbuf *d, const struct stream_row *at)
{
    const struct block_head *head = at->head;
    switch (head->codec) {
    case CODEC_CONSTANT:
        return block_head_constant(d, head);
    case CODEC_RAW:
        return newest_raw(d, at);
    case CODEC_ULP:
        return newest_with_ulps(d, at);
    case CODEC_DICTIONARY:
        return value_of(&head->map, dictionary_at(d, at->n, at->place));
    case CODEC_FRONTS:
        d->failed = d->failed || head->has_map;
        return front_bits_at(d, at->n, at->place);
    default:
        return value_of(&head->map, integer_column_at(d, head->codec, at->n, at->place));
    }
}

/* A value of the stream, whatever the codec. */
static int newest_of_stream(struct decbuf *d, const struct stream_row *at, double *value_out)
{
    bool leans = at->head->codec == CODEC_DIFFERENCE || at->head->codec == CODEC_AFFINE;
    if (leans && at->reference == NULL) {
        return ERR_CORRUPT;
    }
    if (leans) {
        return at->head->codec == CODEC_AFFINE ? newest_multiple(d, at, value_out)
                                               : newest_difference(d, at, value_out);
    }
    double value = newest_alone(d, at);
    if (d->failed || decbuf_left(d) > 0) {
        return ERR_CORRUPT;
    }
    *value_out = value;
    return 1;
}

int column_block_newest(const void *bytes, size_t size, uint32_t count, uint32_t end,
    struct column_reference *reference, uint32_t *row_out, double *value_out)
{
    assert(end > 0 && end <= count && count <= COLUMN_BLOCK_ROWS_MAX);
    struct decbuf d = decbuf_of(bytes, size);
    struct block_head head;
    struct presence_newest newest = {.row = end - 1, .in_stream = true, .place = end - 1};
    if (!block_head_read(&d, count, &head)) {
        return ERR_CORRUPT;
    }
    if (head.has_rows && !presence_find_newest(head.rows, count, end, &newest)) {
        return 0;
    }
    int status = 1;
    double value = newest.value;
    if (newest.in_stream) {
        const struct stream_row at = {
            &head, count, newest.row, newest.place, head.counts.stream, reference};
        status = newest_of_stream(&d, &at, &value);
    }
    if (status == 1) {
        *row_out = newest.row;
        *value_out = value;
    }
    return status;
}
