/* Sorting and encoding of late cells; see the header. */
#include "head/cell_block.h"

#include <assert.h>
#include <string.h>

#include "base/bytes.h"
#include "base/err.h"
#include "base/mem.h"
#include "row/column_block.h"
#include "row/row_times.h"

_Static_assert(CELL_COLUMN_CELLS_MAX <= COLUMN_BLOCK_ROWS_MAX, "one entry is one column block");

static bool cell_before(const struct late_cell *a, const struct late_cell *b)
{
    return a->column != b->column ? a->column < b->column : a->t_ms < b->t_ms;
}

/* Merges sorted [from, middle) and [middle, to) of `cells` by way of `scratch`. */
static void merge_halves(
    struct late_cell *cells, struct late_cell *scratch, size_t from, size_t middle, size_t to)
{
    size_t a = from, b = middle, n = from;
    while (a < middle && b < to) {
        scratch[n++] = cell_before(&cells[b], &cells[a]) ? cells[b++] : cells[a++];
    }
    while (a < middle) {
        scratch[n++] = cells[a++];
    }
    memcpy(cells + from, scratch + from, (n - from) * sizeof(*cells));
}

int late_cells_sort(struct late_cell *cells, size_t count)
{
    struct late_cell *scratch = mem_alloc(count * sizeof(*scratch));
    if (scratch == NULL) {
        return ERR_NOMEM;
    }
    /* Bottom-up merge sort: stable, no recursion, and cells that arrive sorted cost one look. */
    for (size_t width = 1; width < count; width *= 2) {
        for (size_t from = 0; from + width < count; from += 2 * width) {
            size_t middle = from + width;
            size_t to = middle + width < count ? middle + width : count;
            if (cell_before(&cells[middle], &cells[middle - 1])) {
                merge_halves(cells, scratch, from, middle, to);
            }
        }
    }
    mem_free(scratch);
    return 0;
}

/* ---- Encoding ---- */

struct cell_encoder {
    struct strbuf bytes;
    struct cell_column *columns;
    size_t column_count, column_cap;
    uint64_t cell_count;
    int64_t *times;
    double *values;
};

/* The cells of one column that go into one entry: conflicts resolved, the last of equal times stays.
 * Returns how many cells of the list were used. */
static size_t take_column(
    struct cell_encoder *encoder, const struct late_cell *cells, size_t count, uint32_t *count_out)
{
    uint32_t kept = 0;
    size_t i = 0;
    for (; i < count && cells[i].column == cells[0].column; i++) {
        bool replaced = i + 1 < count && cells[i + 1].column == cells[i].column &&
                        cells[i + 1].t_ms == cells[i].t_ms;
        if (replaced) {
            continue;
        }
        if (kept == CELL_COLUMN_CELLS_MAX) {
            break;
        }
        encoder->times[kept] = cells[i].t_ms;
        encoder->values[kept] = cells[i].size == 0 ? cells[i].value : 0;
        kept++;
    }
    *count_out = kept;
    return i;
}

static void add_histograms(struct cell_encoder *encoder, const struct late_cell *cells, size_t used)
{
    for (size_t i = 0; i < used; i++) {
        bool replaced = i + 1 < used && cells[i + 1].t_ms == cells[i].t_ms;
        if (!replaced) {
            strbuf_add_sized(&encoder->bytes, str_make((char *)cells[i].bytes, cells[i].size));
        }
    }
}

static int encode_entry(
    struct cell_encoder *encoder, const struct late_cell *cells, size_t count, size_t *used_out)
{
    uint32_t kept = 0;
    size_t used = take_column(encoder, cells, count, &kept);
    int status = mem_array_grow((void **)&encoder->columns, &encoder->column_cap,
        encoder->column_count + 1, sizeof(*encoder->columns), UINT32_MAX);
    if (status != 0) {
        return status;
    }
    struct cell_column *entry = &encoder->columns[encoder->column_count];
    size_t before = encoder->bytes.size;
    *entry = (struct cell_column){.column = cells[0].column,
        .count = kept,
        .offset = (uint32_t)before,
        .histogram = cells[0].size != 0};
    status = row_times_encode(encoder->times, kept, &encoder->bytes);
    entry->times_size = (uint32_t)(encoder->bytes.size - before);
    if (status == 0 && entry->histogram) {
        add_histograms(encoder, cells, used);
        status = strbuf_error(&encoder->bytes);
    } else if (status == 0) {
        status = column_block_encode(encoder->values, NULL, kept, NULL, &encoder->bytes);
    }
    entry->values_size = (uint32_t)(encoder->bytes.size - before) - entry->times_size;
    encoder->column_count += status == 0;
    encoder->cell_count += kept;
    *used_out = used;
    return status;
}

static struct cell_block *assemble(const struct cell_encoder *encoder)
{
    size_t columns_size = encoder->column_count * sizeof(struct cell_column);
    size_t size = sizeof(struct cell_block) + columns_size + encoder->bytes.size;
    struct cell_block *block = mem_alloc(size);
    if (block == NULL) {
        return NULL;
    }
    *block = (struct cell_block){.column_count = (uint32_t)encoder->column_count,
        .cell_count = encoder->cell_count,
        .size = size,
        .columns = (struct cell_column *)(block + 1),
        .bytes = (uint8_t *)(block + 1) + columns_size};
    memcpy(block->columns, encoder->columns, columns_size);
    memcpy(block->bytes, encoder->bytes.data, encoder->bytes.size);
    return block;
}

int cell_block_new(struct late_cell *cells, size_t count, struct cell_block **block_out)
{
    assert(count > 0);
    int status = late_cells_sort(cells, count);
    if (status != 0) {
        return status;
    }
    size_t longest = count < CELL_COLUMN_CELLS_MAX ? count : CELL_COLUMN_CELLS_MAX;
    struct cell_encoder encoder = {.times = mem_alloc(longest * sizeof(int64_t)),
        .values = mem_alloc(longest * sizeof(double))};
    strbuf_init(&encoder.bytes, UINT32_MAX);
    status = encoder.times != NULL && encoder.values != NULL ? 0 : ERR_NOMEM;
    int64_t min_t = cells[0].t_ms, max_t = cells[0].t_ms;
    for (size_t i = 0; i < count; i++) {
        min_t = cells[i].t_ms < min_t ? cells[i].t_ms : min_t;
        max_t = cells[i].t_ms > max_t ? cells[i].t_ms : max_t;
    }
    size_t used = 0;
    for (size_t i = 0; status == 0 && i < count; i += used) {
        status = encode_entry(&encoder, cells + i, count - i, &used);
    }
    if (status == 0) {
        struct cell_block *block = assemble(&encoder);
        status = block != NULL ? 0 : ERR_NOMEM;
        if (block != NULL) {
            block->min_t = min_t;
            block->max_t = max_t;
            *block_out = block;
        }
    }
    strbuf_release(&encoder.bytes);
    mem_free(encoder.columns);
    mem_free(encoder.times);
    mem_free(encoder.values);
    return status;
}

void cell_block_free(struct cell_block *block)
{
    mem_free(block);
}

uint32_t cell_block_find(const struct cell_block *block, uint32_t column, uint32_t *first_out)
{
    uint32_t low = 0, high = block->column_count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (block->columns[middle].column < column) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    uint32_t end = low;
    while (end < block->column_count && block->columns[end].column == column) {
        end++;
    }
    *first_out = low;
    return end - low;
}

void cell_block_read(const struct cell_block *block, const struct cell_column *entry,
    int64_t *times_out, double *values_out, struct str *histograms_out)
{
    const uint8_t *times = block->bytes + entry->offset;
    const uint8_t *values = times + entry->times_size;
    int status = row_times_decode(times, entry->times_size, entry->count, times_out);
    if (status == 0 && !entry->histogram) {
        status = column_block_decode(values, entry->values_size, entry->count, values_out, NULL);
    }
    /* Our own bytes, in memory: damage here is a broken machine or a broken codec. */
    assert(status == 0);
    (void)status;
    if (entry->histogram) {
        struct decbuf d = decbuf_of(values, entry->values_size);
        for (uint32_t i = 0; i < entry->count; i++) {
            histograms_out[i] = decbuf_sized(&d);
        }
    }
}
