/* What a table holds, and how it settles: open rows become mini-blocks, or late cells where most of a
 * row is absent, and late cells become cell blocks.
 */
#include "head/table_state.h"

#include <assert.h>
#include <string.h>

#include "base/err.h"
#include "base/mem.h"

/* ---- States ---- */

void table_state_init(struct table_state *s)
{
    *s = (struct table_state){
        .min_t = INT64_MAX, .max_t = INT64_MIN, .late_retry = TABLE_LATE_CELLS};
}

void late_cells_release(struct late_cell *cells, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (cells[i].size != 0) {
            mem_free(cells[i].bytes);
        }
    }
}

void table_state_release(struct table_state *s)
{
    while (s->blocks != NULL) {
        struct mini_block *next = s->blocks->next;
        mini_block_free(s->blocks);
        s->blocks = next;
    }
    while (s->cell_blocks != NULL) {
        struct cell_block *next = s->cell_blocks->next;
        cell_block_free(s->cell_blocks);
        s->cell_blocks = next;
    }
    for (uint32_t i = 0; i < s->row_count; i++) {
        open_row_free(s->rows[i]);
    }
    late_cells_release(s->late, s->late_count);
    mem_free(s->rows);
    mem_free(s->late);
    table_state_init(s);
}

void table_state_note(struct table_state *s, int64_t t_ms, uint64_t count)
{
    s->min_t = t_ms < s->min_t ? t_ms : s->min_t;
    s->max_t = t_ms > s->max_t ? t_ms : s->max_t;
    s->cell_count += count;
}

/* ---- Late cells ---- */

/* Moves the late cells that every querier sees, and that no open row can conflict with, to the front;
 * both halves keep their order. Returns how many there are. */
static int split_settled(struct table_state *s, uint64_t horizon, uint32_t *settled_out)
{
    int64_t rows_from = s->row_count > 0 ? s->rows[0]->t_ms : INT64_MAX;
    struct late_cell *rest = mem_alloc(s->late_count * sizeof(*rest));
    if (rest == NULL) {
        return ERR_NOMEM;
    }
    uint32_t settled = 0, kept = 0;
    for (uint32_t i = 0; i < s->late_count; i++) {
        bool goes = s->late[i].lsn <= horizon && s->late[i].t_ms < rows_from;
        if (goes) {
            s->late[settled++] = s->late[i];
        } else {
            rest[kept++] = s->late[i];
        }
    }
    memcpy(s->late + settled, rest, kept * sizeof(*rest));
    mem_free(rest);
    *settled_out = settled;
    return 0;
}

static void append_cell_block(struct table_state *s, struct cell_block *block)
{
    if (s->last_cell_block != NULL) {
        s->last_cell_block->next = block;
    } else {
        s->cell_blocks = block;
    }
    s->last_cell_block = block;
    s->memory += block->size;
}

/* Turns late cells into a cell block, as far as they are settled. When few are, the next try waits
 * until the list is twice as long. */
static int compact_late(struct table_state *s, uint64_t horizon)
{
    uint32_t settled = 0;
    int status = split_settled(s, horizon, &settled);
    uint32_t rest = s->late_count - settled;
    s->late_retry = 2 * rest > TABLE_LATE_CELLS ? 2 * rest : TABLE_LATE_CELLS;
    if (status != 0 || settled < TABLE_LATE_CELLS / 2) {
        return status;
    }
    struct cell_block *block = NULL;
    status = cell_block_new(s->late, settled, &block);
    if (status != 0) {
        return status;
    }
    append_cell_block(s, block);
    for (uint32_t i = 0; i < settled; i++) {
        s->memory -= s->late[i].size;
    }
    late_cells_release(s->late, settled);
    s->late_count -= settled;
    memmove(s->late, s->late + settled, s->late_count * sizeof(*s->late));
    return 0;
}

int late_cells_grow(struct table_state *s, uint64_t more)
{
    size_t cap = s->late_cap;
    int status = mem_array_grow((void **)&s->late, &cap, (size_t)(s->late_count + more),
        sizeof(*s->late), TABLE_LATE_CELLS_MAX);
    s->memory += (cap - s->late_cap) * sizeof(*s->late);
    s->late_cap = (uint32_t)cap;
    return status;
}

void late_cells_push(
    struct table_state *s, uint64_t lsn, int64_t t_ms, uint32_t column, double value)
{
    assert(s->late_count < s->late_cap);
    s->late[s->late_count++] =
        (struct late_cell){.t_ms = t_ms, .lsn = lsn, .value = value, .column = column};
}

/* The newest late value of a cell of an open row; false when there is none. Such cells are in the
 * list: split_settled leaves them there. */
bool late_cells_find(const struct table_state *s, int64_t t_ms, uint32_t column, double *value_out)
{
    for (uint32_t i = s->late_count; i > 0; i--) {
        const struct late_cell *cell = &s->late[i - 1];
        if (cell->t_ms == t_ms && cell->column == column) {
            *value_out = cell->value;
            return true;
        }
    }
    return false;
}

/* ---- Rows into mini-blocks ---- */

static uint64_t count_cells(struct open_row *const *rows, uint32_t count)
{
    uint64_t cells = 0;
    for (uint32_t i = 0; i < count; i++) {
        const uint64_t *presence = open_row_presence(rows[i]);
        for (size_t w = 0; w < open_row_words(rows[i]); w++) {
            cells += (uint64_t)__builtin_popcountll(presence[w]);
        }
    }
    return cells;
}

static void drop_rows(struct table_state *s, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        s->memory -= open_row_memory(s->rows[i]);
        open_row_free(s->rows[i]);
    }
    s->row_count -= count;
    memmove(s->rows, s->rows + count, s->row_count * sizeof(*s->rows));
}

/* Mostly absent: the cells of the oldest rows become late cells. A cell that was replaced stays
 * behind: what replaced it is among the late already. */
static int rows_to_late(struct table_state *s, uint32_t count)
{
    int status = late_cells_grow(s, count_cells(s->rows, count));
    if (status != 0) {
        return status;
    }
    for (uint32_t i = 0; i < count; i++) {
        struct open_row *row = s->rows[i];
        for (uint32_t c = 0; c < row->width; c++) {
            double newer = 0;
            bool replaced = row->has_conflicts && late_cells_find(s, row->t_ms, c, &newer);
            if (open_row_has(row, c) && !replaced) {
                late_cells_push(s, row->lsn, row->t_ms, c, row->values[c]);
            }
        }
    }
    return 0;
}

static int reserve_hints(struct table *t)
{
    if (t->hint_count >= t->column_count) {
        return 0;
    }
    uint8_t *grown = mem_realloc(t->hints, t->column_count);
    if (grown == NULL) {
        return ERR_NOMEM;
    }
    memset(grown + t->hint_count, 0, t->column_count - t->hint_count);
    t->hints = grown;
    t->hint_count = t->column_count;
    return 0;
}

static int rows_to_block(struct table *t, uint32_t count)
{
    struct table_state *s = &t->active;
    struct mini_block *block = NULL;
    int status = reserve_hints(t);
    if (status == 0) {
        status = mini_block_new(s->rows, count, t->column_count, t->hints, &block);
    }
    if (status != 0) {
        return status;
    }
    block->before = s->last_block;
    if (s->last_block != NULL) {
        s->last_block->next = block;
    } else {
        s->blocks = block;
    }
    s->last_block = block;
    s->memory += block->size;
    return 0;
}

/* How many of the oldest rows every querier sees whole, at most `wanted`. */
static uint32_t settled_rows(const struct table_state *s, uint64_t horizon, uint32_t wanted)
{
    uint32_t count = 0;
    while (count < wanted && count < s->row_count && open_row_settled(s->rows[count], horizon)) {
        count++;
    }
    return count;
}

/* A sparse table keeps no rows. */
static int shed_rows(struct table *t, uint64_t horizon)
{
    struct table_state *s = &t->active;
    uint32_t count = settled_rows(s, horizon, s->row_count);
    int status = rows_to_late(s, count);
    if (status != 0 || count == 0) {
        return status;
    }
    int64_t last_t = s->rows[count - 1]->t_ms;
    t->closed_max_t = last_t > t->closed_max_t ? last_t : t->closed_max_t;
    drop_rows(s, count);
    return 0;
}

/* Makes room among the open rows: closes the oldest ones. */
int table_close_rows(struct table *t, uint64_t horizon)
{
    struct table_state *s = &t->active;
    uint32_t wanted = s->row_count - TABLE_OPEN_ROWS_KEPT;
    wanted = wanted < MINI_BLOCK_ROWS_MAX ? wanted : MINI_BLOCK_ROWS_MAX;
    uint32_t count = settled_rows(s, horizon, wanted);
    if (count < wanted / 2) {
        return 0;
    }
    uint64_t cells = count_cells(s->rows, count);
    if (cells < (uint64_t)count * t->column_count / TABLE_DENSITY_DIVISOR) {
        t->sparse = true;
        return shed_rows(t, horizon);
    }
    int64_t last_t = s->rows[count - 1]->t_ms;
    int status = rows_to_block(t, count);
    if (status != 0) {
        return status;
    }
    t->closed_max_t = last_t > t->closed_max_t ? last_t : t->closed_max_t;
    drop_rows(s, count);
    return 0;
}

/* Room for `more` late cells. */
int table_reserve_late(struct table *t, uint64_t horizon, uint32_t more)
{
    struct table_state *s = &t->active;
    int status = t->sparse && s->row_count > 0 ? shed_rows(t, horizon) : 0;
    if (status == 0 && s->late_count >= s->late_retry) {
        status = compact_late(s, horizon);
    }
    return status == 0 ? late_cells_grow(s, more) : status;
}
