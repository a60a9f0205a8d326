/* Placing cells in rows, or among the late, and taking a placing back. */
#include <assert.h>
#include <string.h>

#include "base/bytes.h"
#include "base/err.h"
#include "base/mem.h"
#include "head/table_state.h"

/* ---- Placing ---- */

/* The position of the first row not older than `t_ms`; the newest two first: there cells go. */
static uint32_t find_row(const struct table_state *s, int64_t t_ms)
{
    uint32_t low = 0, high = s->row_count;
    if (high > 0 && s->rows[high - 1]->t_ms < t_ms) {
        return high;
    }
    if (high > 1 && s->rows[high - 2]->t_ms < t_ms) {
        return high - 1;
    }
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (s->rows[middle]->t_ms < t_ms) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

/* A row for a time that has none; NULL when its cells must be late. */
static int insert_row(
    struct table *t, uint64_t lsn, uint64_t horizon, int64_t t_ms, struct open_row **row_out)
{
    struct table_state *s = &t->active;
    if (s->row_count >= TABLE_OPEN_ROWS) {
        int status = table_close_rows(t, horizon);
        if (status != 0) {
            return status;
        }
    }
    if (t_ms <= t->closed_max_t || t->sparse || s->row_count >= TABLE_OPEN_ROWS_MAX) {
        *row_out = NULL;
        return 0;
    }
    size_t cap = s->row_cap;
    int status = mem_array_grow(
        (void **)&s->rows, &cap, s->row_count + 1u, sizeof(*s->rows), TABLE_OPEN_ROWS_MAX);
    s->memory += (cap - s->row_cap) * sizeof(*s->rows);
    s->row_cap = (uint32_t)cap;
    if (status != 0) {
        return status;
    }
    struct open_row *row = open_row_new(t_ms, lsn, t->column_count);
    if (row == NULL) {
        return ERR_NOMEM;
    }
    uint32_t at = find_row(s, t_ms);
    memmove(s->rows + at + 1, s->rows + at, (s->row_count - at) * sizeof(*s->rows));
    s->rows[at] = row;
    s->row_count++;
    s->memory += open_row_memory(row);
    *row_out = row;
    return 0;
}

/* A new row takes all cells; nobody sees it before its commit is published. */
static void fill_new_row(
    struct open_row *row, const uint32_t *columns, const double *values, uint32_t count)
{
    uint64_t *presence = open_row_presence(row);
    for (uint32_t i = 0; i < count; i++) {
        uint32_t c = columns[i];
        row->values[c] = values[i];
        presence[c / 64] |= (uint64_t)1 << (c % 64);
    }
}

/* Is this cell stored with these bits, as its newest value? */
static bool is_repeat(
    const struct table_state *s, struct open_row *row, uint32_t column, double value)
{
    double stored = row->values[column];
    if (row->has_conflicts) {
        (void)late_cells_find(s, row->t_ms, column, &stored);
    }
    return double_bits(stored) == double_bits(value);
}

/* How many cells are absent, equal, or in conflict. */
struct row_fit {
    uint32_t absent, equal, conflicts;
    uint32_t column_end; /* highest column + 1 */
};

static struct row_fit fit_row(const struct table_state *s, struct open_row *row,
    const uint32_t *columns, const double *values, uint32_t count)
{
    struct row_fit fit = {.column_end = columns[count - 1] + 1};
    for (uint32_t i = 0; i < count; i++) {
        if (!open_row_has(row, columns[i])) {
            fit.absent++;
        } else if (is_repeat(s, row, columns[i], values[i])) {
            fit.equal++;
        } else {
            fit.conflicts++;
        }
    }
    return fit;
}

static int widen_row(struct table *t, uint32_t at)
{
    size_t before = open_row_memory(t->active.rows[at]);
    struct open_row *wide = open_row_widen(t->active.rows[at], t->column_count);
    if (wide == NULL) {
        return ERR_NOMEM;
    }
    t->active.rows[at] = wide;
    t->active.memory += open_row_memory(wide) - before;
    return 0;
}

/* Cells for a row that is there: absent ones go in, equal ones are dropped, others become late. */
static int fill_row(struct table *t, uint32_t at, uint64_t lsn, uint64_t horizon, uint32_t *columns,
    double *values, uint32_t *count_inout, struct table_undo *undo)
{
    struct table_state *s = &t->active;
    struct row_fit fit = fit_row(s, s->rows[at], columns, values, *count_inout);
    int status = 0;
    if (fit.conflicts > 0) {
        status = late_cells_grow(s, fit.conflicts);
    }
    if (status == 0 && fit.absent > 0 && fit.column_end > s->rows[at]->width) {
        status = widen_row(t, at);
    }
    struct open_row *row = s->rows[at];
    if (status == 0 && fit.absent > 0) {
        open_row_prune(row, horizon);
        status = open_row_push_version(row, lsn);
    }
    if (status != 0) {
        return status;
    }
    undo->placed = fit.absent > 0 ? PLACED_IN_ROW : PLACED_NOTHING;
    undo->t_ms = row->t_ms;
    uint32_t kept = 0;
    for (uint32_t i = 0; i < *count_inout; i++) {
        uint32_t c = columns[i];
        if (!open_row_has(row, c)) {
            open_row_put(row, c, values[i]);
        } else if (is_repeat(s, row, c, values[i])) {
            continue;
        } else {
            late_cells_push(s, lsn, row->t_ms, c, values[i]);
        }
        columns[kept] = c;
        values[kept++] = values[i];
    }
    undo->late_pushed = fit.conflicts;
    undo->flagged = fit.conflicts > 0 && !row->has_conflicts;
    row->has_conflicts = row->has_conflicts || fit.conflicts > 0;
    *count_inout = kept;
    return 0;
}

/* The mini-block with a row at `t_ms`, and which; NULL when there is none. */
static const struct mini_block *find_block_row(
    const struct table_state *s, int64_t t_ms, uint32_t *row_out)
{
    const struct mini_block *b = s->blocks;
    while (b != NULL && b->times[b->row_count - 1] < t_ms) {
        b = b->next;
    }
    for (uint32_t i = 0; b != NULL && i < b->row_count; i++) {
        if (b->times[i] == t_ms) {
            *row_out = i;
            return b;
        }
    }
    return NULL;
}

/* Could a late cell of this time have replaced what rows say? */
static bool late_at(const struct table_state *s, int64_t t_ms)
{
    for (const struct cell_block *b = s->cell_blocks; b != NULL; b = b->next) {
        if (b->min_t <= t_ms && t_ms <= b->max_t) {
            return true;
        }
    }
    for (uint32_t i = 0; i < s->late_count; i++) {
        if (s->late[i].t_ms == t_ms) {
            return true;
        }
    }
    return false;
}

/* Drops the cells that a mini-block holds with the same bits: a request that is sent again, after its
 * answer was lost, changes nothing and is not logged. Returns what stays. */
static uint32_t drop_repeats(
    const struct table_state *s, int64_t t_ms, uint32_t *columns, double *values, uint32_t count)
{
    uint32_t row = 0, kept = 0;
    const struct mini_block *b = find_block_row(s, t_ms, &row);
    if (b == NULL || late_at(s, t_ms)) {
        return count;
    }
    for (uint32_t i = 0; i < count; i++) {
        double stored[MINI_BLOCK_ROWS_MAX];
        uint64_t mask = mini_block_read(b, columns[i], stored);
        if ((mask >> row & 1) != 0 && double_bits(stored[row]) == double_bits(values[i])) {
            continue;
        }
        columns[kept] = columns[i];
        values[kept++] = values[i];
    }
    return kept;
}

static int place_late(struct table *t, uint64_t lsn, uint64_t horizon, int64_t t_ms,
    const uint32_t *columns, const double *values, uint32_t count, struct table_undo *undo)
{
    int status = table_reserve_late(t, horizon, count);
    if (status != 0) {
        return status;
    }
    undo->late_pushed = count;
    for (uint32_t i = 0; i < count; i++) {
        late_cells_push(&t->active, lsn, t_ms, columns[i], values[i]);
    }
    /* A late cell wins over a row, so no row of its time may come after it. */
    t->closed_max_t = t_ms > t->closed_max_t ? t_ms : t->closed_max_t;
    return 0;
}

static int place_locked(struct table *t, uint64_t lsn, uint64_t horizon, int64_t t_ms,
    uint32_t *columns, double *values, uint32_t *count_inout, struct table_undo *undo)
{
    struct table_state *s = &t->active;
    uint32_t at = find_row(s, t_ms);
    if (at < s->row_count && s->rows[at]->t_ms == t_ms) {
        return fill_row(t, at, lsn, horizon, columns, values, count_inout, undo);
    }
    struct open_row *row = NULL;
    if (t_ms > t->closed_max_t && !t->sparse) {
        int status = insert_row(t, lsn, horizon, t_ms, &row);
        if (status != 0) {
            return status;
        }
    }
    if (row == NULL) {
        *count_inout = drop_repeats(s, t_ms, columns, values, *count_inout);
    }
    if (*count_inout == 0) {
        return 0;
    }
    if (row == NULL) {
        return place_late(t, lsn, horizon, t_ms, columns, values, *count_inout, undo);
    }
    fill_new_row(row, columns, values, *count_inout);
    undo->placed = PLACED_NEW_ROW;
    undo->t_ms = t_ms;
    return 0;
}

int table_place(struct table *t, uint64_t lsn, uint64_t horizon, int64_t t_ms, uint32_t *columns,
    double *values, uint32_t *count_inout, struct table_undo *undo_out)
{
    assert(*count_inout > 0);
    lock_take(&t->lock);
    assert(columns[*count_inout - 1] < t->column_count);
    *undo_out = (struct table_undo){.placed = PLACED_NOTHING};
    int status = place_locked(t, lsn, horizon, t_ms, columns, values, count_inout, undo_out);
    if (status == 0 && *count_inout > 0) {
        table_state_note(&t->active, t_ms, *count_inout);
    }
    lock_give(&t->lock);
    return status;
}

int table_place_histogram(struct table *t, uint64_t lsn, uint64_t horizon, int64_t t_ms,
    uint32_t column, struct str bytes, struct table_undo *undo_out)
{
    assert(bytes.len > 0 && bytes.len <= HISTOGRAM_CELL_BYTES_MAX);
    uint8_t *copy = mem_dup(bytes.ptr, bytes.len);
    if (copy == NULL) {
        return ERR_NOMEM;
    }
    lock_take(&t->lock);
    struct table_state *s = &t->active;
    int status = table_reserve_late(t, horizon, 1);
    *undo_out = (struct table_undo){.late_pushed = status == 0};
    if (status == 0) {
        late_cells_push(s, lsn, t_ms, column, 0);
        s->late[s->late_count - 1].bytes = copy;
        s->late[s->late_count - 1].size = (uint32_t)bytes.len;
        s->memory += bytes.len;
        table_state_note(s, t_ms, 1);
    }
    lock_give(&t->lock);
    if (status != 0) {
        mem_free(copy);
    }
    return status;
}

/* ---- Undoing ---- */

static void undo_row(struct table_state *s, const struct table_undo *undo)
{
    uint32_t at = find_row(s, undo->t_ms);
    assert(at < s->row_count && s->rows[at]->t_ms == undo->t_ms);
    if (undo->placed == PLACED_IN_ROW) {
        open_row_pop_version(s->rows[at]);
    }
    if (undo->flagged) {
        s->rows[at]->has_conflicts = false;
    }
    if (undo->placed == PLACED_NEW_ROW) {
        s->memory -= open_row_memory(s->rows[at]);
        open_row_free(s->rows[at]);
        s->row_count--;
        memmove(s->rows + at, s->rows + at + 1, (s->row_count - at) * sizeof(*s->rows));
    }
}

/* Extents and counts keep the cells that are taken back: they are bounds, not sums. */
void table_undo(struct table *t, const struct table_undo *undo)
{
    lock_take(&t->lock);
    struct table_state *s = &t->active;
    assert(undo->late_pushed <= s->late_count);
    uint32_t from = s->late_count - undo->late_pushed;
    for (uint32_t i = from; i < s->late_count; i++) {
        s->memory -= s->late[i].size;
    }
    late_cells_release(s->late + from, undo->late_pushed);
    s->late_count = from;
    if (undo->placed != PLACED_NOTHING || undo->flagged) {
        undo_row(s, undo);
    }
    lock_give(&t->lock);
}
