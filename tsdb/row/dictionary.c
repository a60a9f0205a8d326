/* Dictionary of integers: building it with a small hash table, writing and reading. */
#include "row/dictionary.h"

#include <assert.h>

#include "row/integer_column.h"

#define SLOT_BITS 10
#define SLOTS (1u << SLOT_BITS) // at most a quarter full
/* 2^64 / the golden ratio: multiplicative hashing by the high bits. A bad case costs time only, and
 * the table is small. */
#define HASH_FACTOR 0x9e3779b97f4a7c15ull

/* Sorts `order`, places in `values`, by value. Insertion suffices: lists are short and mostly come
 * in some order. */
static void sort_places(const int64_t *values, size_t count, uint16_t *order)
{
    for (size_t i = 0; i < count; i++) {
        size_t at = i;
        while (at > 0 && values[order[at - 1]] > values[i]) {
            order[at] = order[at - 1];
            at--;
        }
        order[at] = (uint16_t)i;
    }
}

bool dictionary_build(
    struct dictionary *dictionary, const int64_t *integers, size_t count, size_t values_max)
{
    assert(values_max <= DICTIONARY_VALUES_MAX && count <= COLUMN_BLOCK_ROWS_MAX);
    uint16_t slots[SLOTS] = {0}; // place + 1
    int64_t found[DICTIONARY_VALUES_MAX];
    size_t found_count = 0;
    for (size_t i = 0; i < count; i++) {
        size_t slot = (uint64_t)integers[i] * HASH_FACTOR >> (64 - SLOT_BITS);
        while (slots[slot] != 0 && found[slots[slot] - 1] != integers[i]) {
            slot = (slot + 1) % SLOTS;
        }
        if (slots[slot] == 0) {
            if (found_count == values_max) {
                return false;
            }
            found[found_count++] = integers[i];
            slots[slot] = (uint16_t)found_count;
        }
        dictionary->places[i] = slots[slot] - 1;
    }
    uint16_t order[DICTIONARY_VALUES_MAX];
    int64_t place_of[DICTIONARY_VALUES_MAX];
    sort_places(found, found_count, order);
    for (size_t i = 0; i < found_count; i++) {
        dictionary->values[i] = found[order[i]];
        place_of[order[i]] = (int64_t)i;
    }
    for (size_t i = 0; i < count; i++) {
        dictionary->places[i] = place_of[dictionary->places[i]];
    }
    dictionary->value_count = found_count;
    return true;
}

size_t dictionary_size(const struct dictionary *dictionary, size_t count)
{
    struct integer_coder coder;
    integer_column_plan(&coder, dictionary->values, dictionary->value_count, 0);
    size_t size = 2 + coder.size;
    integer_column_plan(&coder, dictionary->places, count, 0);
    return size + coder.size;
}

uint8_t *dictionary_put(const struct dictionary *dictionary, size_t count, uint8_t *out)
{
    struct integer_coder coder;
    uint8_t *codecs = out;
    integer_column_plan(&coder, dictionary->values, dictionary->value_count, 0);
    out[1] = (uint8_t)(dictionary->value_count - 1);
    out = integer_column_put(&coder, out + 2);
    *codecs = (uint8_t)coder.codec;
    integer_column_plan(&coder, dictionary->places, count, 0);
    *codecs |= (uint8_t)(coder.codec << PAIR_CODEC_BITS);
    return integer_column_put(&coder, out);
}

void dictionary_get(struct decbuf *d, size_t count, int64_t *integers_out)
{
    uint8_t codecs = decbuf_u8(d);
    size_t value_count = (size_t)decbuf_u8(d) + 1;
    int64_t values[DICTIONARY_VALUES_MAX];
    if (d->failed) {
        return;
    }
    integer_column_get(d, (enum column_codec)(codecs & PAIR_CODEC_MASK), value_count, values);
    if (d->failed) {
        return;
    }
    integer_column_get(d, (enum column_codec)(codecs >> PAIR_CODEC_BITS), count, integers_out);
    bool valid = !d->failed;
    for (size_t i = 1; i < value_count && valid; i++) {
        valid = values[i] > values[i - 1];
    }
    for (size_t i = 0; i < count && valid; i++) {
        valid = (uint64_t)integers_out[i] < value_count;
        integers_out[i] = values[valid ? integers_out[i] : 0];
    }
    d->failed = d->failed || !valid;
}

int64_t dictionary_at(struct decbuf *d, size_t count, size_t index)
{
    uint8_t codecs = decbuf_u8(d);
    size_t value_count = (size_t)decbuf_u8(d) + 1;
    enum column_codec list_codec = (enum column_codec)(codecs & PAIR_CODEC_MASK);
    struct decbuf list = *d;
    (void)integer_column_at(d, list_codec, value_count, 0); // walks over the list
    int64_t place =
        integer_column_at(d, (enum column_codec)(codecs >> PAIR_CODEC_BITS), count, index);
    if (d->failed || (uint64_t)place >= value_count) {
        d->failed = true;
        return 0;
    }
    return integer_column_at(&list, list_codec, value_count, (size_t)place);
}
