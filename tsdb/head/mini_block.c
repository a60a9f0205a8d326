/* Encoding of mini-blocks; see the header. One allocation: the struct, times, checkpoints, lengths,
 * then the columns' bytes. */
#include "head/mini_block.h"

#include <assert.h>
#include <string.h>

#include "base/err.h"
#include "base/mem.h"
#include "base/strbuf.h"

enum { CHECKPOINT_COLUMNS = 64 };

_Static_assert(MINI_COLUMN_SIZE_MAX <= UINT8_MAX, "a length is one byte");

/* The cells of one column of the rows; returns the presence mask. */
static uint32_t gather_column(
    struct open_row *const *rows, uint32_t row_count, uint32_t column, double *values)
{
    uint32_t mask = 0;
    for (uint32_t i = 0; i < row_count; i++) {
        if (open_row_has(rows[i], column)) {
            mask |= (uint32_t)1 << i;
            values[i] = rows[i]->values[column];
        } else {
            values[i] = 0;
        }
    }
    return mask;
}

struct encoding {
    struct strbuf bytes;
    uint8_t *lengths;
    uint32_t *checkpoints;
    uint64_t cell_count;
};

static int encode_columns(struct open_row *const *rows, uint32_t row_count, uint32_t column_count,
    uint8_t *hints, struct encoding *encoding)
{
    for (uint32_t c = 0; c < column_count; c++) {
        double values[MINI_BLOCK_ROWS_MAX];
        if (c % CHECKPOINT_COLUMNS == 0) {
            encoding->checkpoints[c / CHECKPOINT_COLUMNS] = (uint32_t)encoding->bytes.size;
        }
        uint32_t mask = gather_column(rows, row_count, c, values);
        size_t size = 0;
        if (mask != 0) {
            char *to = strbuf_reserve(&encoding->bytes, MINI_COLUMN_SIZE_MAX);
            if (to == NULL) {
                return strbuf_error(&encoding->bytes);
            }
            size = mini_column_encode(values, row_count, mask, &hints[c], (uint8_t *)to);
            strbuf_commit(&encoding->bytes, size);
            encoding->cell_count += (uint64_t)__builtin_popcount(mask);
        }
        encoding->lengths[c] = (uint8_t)size;
    }
    return 0;
}

static struct mini_block *assemble(struct open_row *const *rows, uint32_t row_count,
    uint32_t column_count, const struct encoding *encoding)
{
    uint32_t checkpoint_count = (column_count + CHECKPOINT_COLUMNS - 1) / CHECKPOINT_COLUMNS;
    size_t times_size = row_count * sizeof(int64_t);
    size_t checkpoints_size = checkpoint_count * sizeof(uint32_t);
    size_t size = sizeof(struct mini_block) + times_size + checkpoints_size + column_count +
                  encoding->bytes.size;
    struct mini_block *block = mem_alloc(size);
    if (block == NULL) {
        return NULL;
    }
    int64_t *times = (int64_t *)(block + 1);
    uint32_t *checkpoints = (uint32_t *)((uint8_t *)times + times_size);
    uint8_t *lengths = (uint8_t *)checkpoints + checkpoints_size;
    for (uint32_t i = 0; i < row_count; i++) {
        times[i] = rows[i]->t_ms;
    }
    memcpy(checkpoints, encoding->checkpoints, checkpoints_size);
    memcpy(lengths, encoding->lengths, column_count);
    if (encoding->bytes.size > 0) {
        memcpy(lengths + column_count, encoding->bytes.data, encoding->bytes.size);
    }
    *block = (struct mini_block){.min_t = rows[0]->t_ms,
        .max_t = rows[row_count - 1]->t_ms,
        .row_count = row_count,
        .column_count = column_count,
        .cell_count = encoding->cell_count,
        .size = size,
        .times = times,
        .checkpoints = checkpoints,
        .lengths = lengths,
        .bytes = lengths + column_count};
    return block;
}

int mini_block_new(struct open_row *const *rows, uint32_t row_count, uint32_t column_count,
    uint8_t *hints, struct mini_block **block_out)
{
    assert(row_count >= 1 && row_count <= MINI_BLOCK_ROWS_MAX);
    struct encoding encoding = {.bytes = STRBUF_INIT};
    uint32_t checkpoint_count = (column_count + CHECKPOINT_COLUMNS - 1) / CHECKPOINT_COLUMNS;
    encoding.lengths = mem_alloc(column_count);
    encoding.checkpoints = mem_calloc(checkpoint_count + 1, sizeof(*encoding.checkpoints));
    int status = ERR_NOMEM;
    if (encoding.lengths != NULL && encoding.checkpoints != NULL) {
        status = encode_columns(rows, row_count, column_count, hints, &encoding);
    }
    if (status == 0) {
        *block_out = assemble(rows, row_count, column_count, &encoding);
        status = *block_out != NULL ? 0 : ERR_NOMEM;
    }
    strbuf_release(&encoding.bytes);
    mem_free(encoding.lengths);
    mem_free(encoding.checkpoints);
    return status;
}

void mini_block_free(struct mini_block *block)
{
    mem_free(block);
}

bool mini_block_has(const struct mini_block *block, uint32_t column)
{
    return column < block->column_count && block->lengths[column] != 0;
}

uint64_t mini_block_read(const struct mini_block *block, uint32_t column, double *values_out)
{
    if (!mini_block_has(block, column)) {
        return 0;
    }
    uint32_t offset = block->checkpoints[column / CHECKPOINT_COLUMNS];
    for (uint32_t c = column / CHECKPOINT_COLUMNS * CHECKPOINT_COLUMNS; c < column; c++) {
        offset += block->lengths[c];
    }
    /* Our own bytes, in memory: they are believed. */
    return mini_column_decode(
        block->bytes + offset, block->lengths[column], block->row_count, values_out);
}
