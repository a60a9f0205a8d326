/* The head of a block, and the block that is little else: the constant one. */
#include "row/block_head.h"

bool block_head_read(struct decbuf *d, uint32_t count, struct block_head *head)
{
    uint8_t first = decbuf_u8(d);
    *head = (struct block_head){
        .codec = (enum column_codec)(first & HEAD_CODEC_MASK),
        .has_map = (first & HEAD_MAPPING) != 0,
        .map = NUMBER_MAP_PLAIN,
        .has_rows = (first & HEAD_ROWS) != 0,
        .counts = {.stream = count},
    };
    if ((first & HEAD_RESERVED) != 0 || head->codec >= CODEC_COUNT) {
        d->failed = true;
    }
    if (head->has_map) {
        number_map_get(d, &head->map);
    }
    if (head->has_rows && !d->failed) {
        const uint8_t *start = d->p;
        presence_skip(d, count, &head->counts);
        head->rows = str_make((const char *)start, (size_t)(d->p - start));
    }
    return !d->failed;
}

double block_head_constant(struct decbuf *d, const struct block_head *head)
{
    if (!head->has_map && decbuf_left(d) == 0) {
        return 0;
    }
    if (head->map.exponent != MAPPING_BITS) {
        int64_t integer = decbuf_svarint(d);
        double value;
        number_map_apply(&head->map, &integer, 1, &value);
        return value;
    }
    uint64_t bits = 0;
    size_t size = decbuf_left(d);
    if (size > 8 || head->map.scale != 1) {
        d->failed = true;
        return 0;
    }
    if (size == 0) {
        return double_from_bits(NAN_BITS);
    }
    for (size_t i = 0; i < size; i++) {
        bits |= (uint64_t)decbuf_u8(d) << (56 - 8 * i);
    }
    return double_from_bits(bits);
}
