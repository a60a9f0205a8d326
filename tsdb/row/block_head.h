/* What a block begins with, before its body; column_block.c says what the bytes mean. */
#ifndef SONDE_ROW_BLOCK_HEAD_H
#define SONDE_ROW_BLOCK_HEAD_H

#include <stdbool.h>

#include "base/bytes.h"
#include "base/str.h"
#include "row/column_format.h"
#include "row/number_map.h"
#include "row/presence.h"

/* The parts of a block before its body. */
struct block_head {
    enum column_codec codec;
    bool has_map;
    struct number_map map;
    bool has_rows;
    struct str rows; /* the section, borrowed from the block */
    struct presence_counts counts;
};

/* The head of a block of `count` rows; the cursor is then at its body. False on a violation. */
bool block_head_read(struct decbuf *d, uint32_t count, struct block_head *head);

/* The value of a constant block whose stream has rows. A violation fails the cursor. */
double block_head_constant(struct decbuf *d, const struct block_head *head);

#endif
