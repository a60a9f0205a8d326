/* The distinct strings of a block's labels, numbered in bytewise order. */
#ifndef SONDE_BLOCK_SYMBOL_TABLE_H
#define SONDE_BLOCK_SYMBOL_TABLE_H

#include <stddef.h>
#include <stdint.h>

#include "base/str.h"

#define SYMBOLS_MAX ((size_t)1 << 28)

struct symbol {
    struct str text; /* borrowed */
    uint32_t number;
};

struct symbol_table {
    struct symbol *slots; /* open addressing; free ones have no text */
    size_t slot_count;    /* a power of two, at least twice `count` */
    struct str *sorted;   /* by number, after symbol_table_sort */
    size_t count;
};

/* Text may not be empty. 0, ERR_NOMEM, ERR_LIMIT. */
int symbol_table_add(struct symbol_table *t, struct str text);
/* Numbers all that were added. */
int symbol_table_sort(struct symbol_table *t);
/* Of a text that was added. */
uint32_t symbol_table_number(const struct symbol_table *t, struct str text);
void symbol_table_release(struct symbol_table *t);

#endif
