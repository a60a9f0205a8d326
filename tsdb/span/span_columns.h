/* Columns while they are written: lists of numbers and of texts, and how they become bytes. */
#ifndef SONDE_TSDB_SPAN_COLUMNS_H
#define SONDE_TSDB_SPAN_COLUMNS_H

#include "base/arena.h"
#include "base/bytes.h"
#include "base/str.h"
#include "base/strbuf.h"

/* As strbuf_add_uvarint, for numbers that are added by the million. */
static inline void column_add(struct strbuf *b, uint64_t number)
{
    if (b->error == 0 && b->cap > b->size + VARINT_MAX) {
        b->size += put_uvarint((uint8_t *)b->data + b->size, number);
        b->data[b->size] = '\0';
    } else {
        strbuf_add_uvarint(b, number);
    }
}

/* Different hashes (value_filter.h). */
struct hash_set {
    uint64_t *slots; /* open addressing; 0 = free */
    size_t count, mask;
};

int hash_set_add(struct hash_set *set, uint64_t hash);
void hash_set_release(struct hash_set *set);
/* The filter of all of them, appended with its checksum. */
int hash_set_write(const struct hash_set *set, struct strbuf *out);

/* Texts that are borrowed. */
struct text_column {
    struct str *items;
    size_t count, cap;
};

int text_column_grow(struct text_column *column);

static inline int text_column_add(struct text_column *column, struct str text)
{
    int status = column->count == column->cap ? text_column_grow(column) : 0;
    if (status == 0) {
        column->items[column->count++] = text;
    }
    return status;
}
void text_column_release(struct text_column *column);
/* As a dictionary and codes, or one behind the other when more than half of many are different
 * (span_page_format.h: text column). Every different text with `key` goes to `hashes`, unless that is NULL. */
int text_column_write(
    const struct text_column *column, uint64_t key, struct hash_set *hashes, struct strbuf *out);

/* Rows that have something to say: v count, then v distance of rows, v size, bytes for each. */
struct sparse_column {
    struct strbuf bytes;
    uint64_t count;
    uint32_t last_row;
};

void sparse_column_init(struct sparse_column *column);
void sparse_column_release(struct sparse_column *column);
void sparse_column_add(struct sparse_column *column, uint32_t row, struct str bytes);
void sparse_column_write(const struct sparse_column *column, struct strbuf *out);

#endif
