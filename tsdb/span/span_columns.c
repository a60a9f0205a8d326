/* Text columns and sparse ones. */
#include "span/span_columns.h"

#include <string.h>

#include "base/bytes.h"
#include "base/err.h"
#include "base/hash.h"
#include "base/mem.h"
#include "span/value_filter.h"

enum {
    /* Values of a column: attributes of all spans of a page. */
    VALUES_MAX = 1 << 24,
    /* Fewer values than this are worth a dictionary, whatever they are. */
    SAMPLE = 64,
};

int text_column_grow(struct text_column *column)
{
    return mem_array_grow((void **)&column->items, &column->cap, column->count + 1,
        sizeof(*column->items), VALUES_MAX);
}

void text_column_release(struct text_column *column)
{
    mem_free(column->items);
    *column = (struct text_column){0};
}

/* Gives each value its code, in order of appearance; the first value of each code in `firsts`. */
static int find_codes(
    const struct text_column *column, uint32_t *codes, uint32_t *firsts, uint32_t *distinct_out)
{
    size_t slots = 16;
    while (slots < 2 * column->count) {
        slots *= 2;
    }
    uint32_t *table = mem_calloc(slots, sizeof(*table)); /* code + 1 */
    uint32_t distinct = 0;
    if (table == NULL) {
        return ERR_NOMEM;
    }
    for (size_t i = 0; i < column->count; i++) {
        struct str text = column->items[i];
        if (i > 0 && str_eq(text, column->items[i - 1])) {
            codes[i] = codes[i - 1];
            continue;
        }
        size_t slot = hash64(text.ptr, text.len, 0) & (slots - 1);
        while (table[slot] != 0 && !str_eq(column->items[firsts[table[slot] - 1]], text)) {
            slot = (slot + 1) & (slots - 1);
        }
        if (table[slot] == 0) {
            firsts[distinct] = (uint32_t)i;
            table[slot] = ++distinct;
        }
        codes[i] = table[slot] - 1;
    }
    mem_free(table);
    *distinct_out = distinct;
    return 0;
}

/* ---- Hashes ---- */

static int grow_set(struct hash_set *set)
{
    size_t slots = set->slots == NULL ? 1024 : 2 * (set->mask + 1);
    struct hash_set grown = {.slots = mem_calloc(slots, sizeof(uint64_t)), .mask = slots - 1};
    if (grown.slots == NULL) {
        return ERR_NOMEM;
    }
    for (size_t i = 0; set->slots != NULL && i <= set->mask; i++) {
        if (set->slots[i] != 0) {
            (void)hash_set_add(&grown, set->slots[i]); /* there is room */
        }
    }
    mem_free(set->slots);
    *set = grown;
    return 0;
}

int hash_set_add(struct hash_set *set, uint64_t hash)
{
    hash += hash == 0;
    if (set->slots == NULL || 2 * set->count > set->mask) {
        int status = grow_set(set);
        if (status != 0) {
            return status;
        }
    }
    size_t slot = (size_t)hash & set->mask;
    while (set->slots[slot] != 0 && set->slots[slot] != hash) {
        slot = (slot + 1) & set->mask;
    }
    set->count += set->slots[slot] == 0;
    set->slots[slot] = hash;
    return 0;
}

void hash_set_release(struct hash_set *set)
{
    mem_free(set->slots);
    *set = (struct hash_set){.slots = NULL};
}

int hash_set_write(const struct hash_set *set, struct strbuf *out)
{
    size_t size = value_filter_size(set->count);
    char *bits = strbuf_reserve(out, size + VALUE_FILTER_CHECKSUM);
    if (bits == NULL) {
        return strbuf_error(out);
    }
    memset(bits, 0, size);
    for (size_t i = 0; set->slots != NULL && i <= set->mask; i++) {
        if (set->slots[i] != 0) {
            value_filter_add((uint8_t *)bits, size, set->slots[i]);
        }
    }
    put_le32((uint8_t *)bits + size, checksum32(bits, size));
    strbuf_commit(out, size + VALUE_FILTER_CHECKSUM);
    return 0;
}

/* ---- Text columns ---- */

static int note_texts(const struct text_column *column, const uint32_t *firsts, uint32_t distinct,
    uint64_t key, struct hash_set *hashes)
{
    int status = 0;
    for (uint32_t i = 0; status == 0 && i < distinct; i++) {
        status = hash_set_add(hashes, value_filter_text(key, column->items[firsts[i]]));
    }
    return status;
}

int text_column_write(
    const struct text_column *column, uint64_t key, struct hash_set *hashes, struct strbuf *out)
{
    uint32_t *codes = mem_calloc(column->count, sizeof(*codes));
    uint32_t *firsts = mem_calloc(column->count, sizeof(*firsts));
    uint32_t distinct = 0;
    int status = codes == NULL || firsts == NULL ? ERR_NOMEM : 0;
    status = status == 0 ? find_codes(column, codes, firsts, &distinct) : status;
    if (status == 0 && hashes != NULL) {
        status = note_texts(column, firsts, distinct, key, hashes);
    }
    if (status == 0 && column->count > SAMPLE && distinct > column->count / 2) {
        strbuf_add_uvarint(out, 0);
        for (size_t i = 0; i < column->count; i++) {
            strbuf_add_sized(out, column->items[i]);
        }
    } else if (status == 0) {
        strbuf_add_uvarint(out, distinct);
        for (uint32_t i = 0; i < distinct; i++) {
            strbuf_add_sized(out, column->items[firsts[i]]);
        }
        for (size_t i = 0; i < column->count; i++) {
            column_add(out, codes[i]);
        }
    }
    mem_free(codes);
    mem_free(firsts);
    return status == 0 ? strbuf_error(out) : status;
}

void sparse_column_init(struct sparse_column *column)
{
    *column = (struct sparse_column){.count = 0};
    strbuf_init(&column->bytes, STRBUF_LIMIT_DEFAULT);
}

void sparse_column_release(struct sparse_column *column)
{
    strbuf_release(&column->bytes);
}

void sparse_column_add(struct sparse_column *column, uint32_t row, struct str bytes)
{
    strbuf_add_uvarint(&column->bytes, row - column->last_row);
    strbuf_add_sized(&column->bytes, bytes);
    column->last_row = row;
    column->count++;
}

void sparse_column_write(const struct sparse_column *column, struct strbuf *out)
{
    strbuf_add_uvarint(out, column->count);
    strbuf_add_str(out, strbuf_str(&column->bytes));
    if (strbuf_error(&column->bytes) != 0 && out->error == 0) {
        out->error = strbuf_error(&column->bytes);
    }
}
