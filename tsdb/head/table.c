/* Tables: columns, and the placing of cells in rows or among the late. */
#include "head/table.h"

#include <assert.h>
#include <string.h>

#include "base/bytes.h"
#include "base/err.h"
#include "base/hash.h"
#include "base/mem.h"

_Static_assert(TABLE_COLUMNS_MAX < UINT16_MAX, "slots hold column + 1 in 16 bits");

enum { SLOTS_MIN = 8 };

int table_new(uint32_t id, uint32_t target, struct table **table_out)
{
    struct table *t = mem_calloc(1, sizeof(*t));
    if (t == NULL) {
        return ERR_NOMEM;
    }
    lock_init(&t->lock, LOCK_RANK_TARGET);
    t->id = id;
    t->target = target;
    t->closed_max_t = INT64_MIN;
    table_state_init(&t->active);
    *table_out = t;
    return 0;
}

void table_free(struct table *t)
{
    if (t == NULL) {
        return;
    }
    while (t->frozen != NULL) {
        struct frozen_state *older = t->frozen->older;
        table_state_release(&t->frozen->state);
        mem_free(t->frozen);
        t->frozen = older;
    }
    table_state_release(&t->active);
    if (t->schema != NULL) {
        shared_schema_unref(t->schema);
    } else {
        mem_free(t->columns);
        mem_free(t->slots);
    }
    mem_free(t->hints);
    lock_release(&t->lock);
    mem_free(t);
}

/* ---- Columns ---- */

static uint32_t slot_of(uint32_t shape, uint32_t kind, uint32_t mask)
{
    return (uint32_t)hash_mix64((uint64_t)shape << 1 | kind) & mask;
}

uint32_t table_find_column(const struct table *t, uint32_t shape, enum column_kind kind)
{
    if (t->slots == NULL) {
        return UINT32_MAX;
    }
    for (uint32_t at = slot_of(shape, kind, t->slot_mask); t->slots[at] != 0;
         at = (at + 1) & t->slot_mask) {
        uint32_t column = t->slots[at] - 1u;
        if (t->columns[column].shape == shape && t->columns[column].kind == (uint32_t)kind) {
            return column;
        }
    }
    return UINT32_MAX;
}

static void put_slot(uint16_t *slots, uint32_t mask, const struct column *column, uint32_t index)
{
    uint32_t at = slot_of(column->shape, column->kind, mask);
    while (slots[at] != 0) {
        at = (at + 1) & mask;
    }
    slots[at] = (uint16_t)(index + 1);
}

/* At most half of the slots are taken. */
static int reserve_slots(struct table *t)
{
    uint32_t cap = t->slots == NULL ? 0 : t->slot_mask + 1;
    if (t->column_count < cap / 2) {
        return 0;
    }
    uint32_t grown_cap = cap == 0 ? SLOTS_MIN : cap * 2;
    uint16_t *grown = mem_calloc(grown_cap, sizeof(*grown));
    if (grown == NULL) {
        return ERR_NOMEM;
    }
    for (uint32_t i = 0; i < t->column_count; i++) {
        put_slot(grown, grown_cap - 1, &t->columns[i], i);
    }
    mem_free(t->slots);
    t->slots = grown;
    t->slot_mask = grown_cap - 1;
    return 0;
}

/* Copies of the shared arrays, to be changed. */
static int own_schema(struct table *t)
{
    if (t->schema == NULL) {
        return 0;
    }
    struct column *columns = mem_dup(t->columns, t->column_count * sizeof(*columns));
    uint16_t *slots = mem_dup(t->slots, ((size_t)t->slot_mask + 1) * sizeof(*slots));
    if (columns == NULL || slots == NULL) {
        mem_free(columns);
        mem_free(slots);
        return ERR_NOMEM;
    }
    shared_schema_unref(t->schema);
    t->schema = NULL;
    t->columns = columns;
    t->column_cap = t->column_count;
    t->slots = slots;
    return 0;
}

static void use_schema(struct table *t, struct shared_schema *schema)
{
    t->schema = shared_schema_ref(schema);
    t->columns = schema->columns;
    t->column_cap = schema->column_count;
    t->slots = schema->slots;
    t->slot_mask = schema->slot_mask;
}

void table_share_schema(struct table *t, struct schema_pool *pool)
{
    lock_take(&t->lock);
    if (t->schema == NULL && t->column_count > 0) {
        uint64_t hash = hash64(t->columns, t->column_count * sizeof(*t->columns), 0);
        struct shared_schema *schema = schema_pool_find(pool, t->columns, t->column_count, hash);
        if (schema != NULL) {
            mem_free(t->columns);
            mem_free(t->slots);
        } else {
            schema =
                schema_pool_add(pool, t->columns, t->column_count, t->slots, t->slot_mask, hash);
        }
        if (schema != NULL) {
            use_schema(t, schema);
        }
    }
    lock_give(&t->lock);
}

bool table_is_empty(struct table *t)
{
    lock_take(&t->lock);
    bool empty = t->active.cell_count == 0 && t->frozen == NULL;
    lock_give(&t->lock);
    return empty;
}

int table_add_column(
    struct table *t, uint32_t shape, enum column_kind kind, uint32_t limit, uint32_t *column_out)
{
    if (t->column_count >= limit) {
        return ERR_LIMIT;
    }
    if (own_schema(t) != 0) {
        return ERR_NOMEM;
    }
    size_t cap = t->column_cap;
    int status = mem_array_grow(
        (void **)&t->columns, &cap, t->column_count + 1u, sizeof(*t->columns), TABLE_COLUMNS_MAX);
    t->column_cap = (uint32_t)cap;
    if (status == 0) {
        status = reserve_slots(t);
    }
    if (status != 0) {
        return status;
    }
    t->columns[t->column_count] = (struct column){shape, kind};
    put_slot(t->slots, t->slot_mask, &t->columns[t->column_count], t->column_count);
    *column_out = t->column_count++;
    return 0;
}

/* ---- States ---- */

void table_state_init(struct table_state *s)
{
    *s = (struct table_state){
        .min_t = INT64_MAX, .max_t = INT64_MIN, .late_retry = TABLE_LATE_CELLS};
}

static void release_late(struct late_cell *cells, size_t count)
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
    release_late(s->late, s->late_count);
    mem_free(s->rows);
    mem_free(s->late);
    table_state_init(s);
}

static void note_cells(struct table_state *s, int64_t t_ms, uint64_t count)
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
    release_late(s->late, settled);
    s->late_count -= settled;
    memmove(s->late, s->late + settled, s->late_count * sizeof(*s->late));
    return 0;
}

static int grow_late(struct table_state *s, uint64_t more)
{
    size_t cap = s->late_cap;
    int status = mem_array_grow((void **)&s->late, &cap, (size_t)(s->late_count + more),
        sizeof(*s->late), TABLE_LATE_CELLS_MAX);
    s->memory += (cap - s->late_cap) * sizeof(*s->late);
    s->late_cap = (uint32_t)cap;
    return status;
}

static void push_late(
    struct table_state *s, uint64_t lsn, int64_t t_ms, uint32_t column, double value)
{
    assert(s->late_count < s->late_cap);
    s->late[s->late_count++] =
        (struct late_cell){.t_ms = t_ms, .lsn = lsn, .value = value, .column = column};
}

/* The newest late value of a cell of an open row; false when there is none. Such cells are in the
 * list: split_settled leaves them there. */
static bool find_late(const struct table_state *s, int64_t t_ms, uint32_t column, double *value_out)
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
    int status = grow_late(s, count_cells(s->rows, count));
    if (status != 0) {
        return status;
    }
    for (uint32_t i = 0; i < count; i++) {
        struct open_row *row = s->rows[i];
        for (uint32_t c = 0; c < row->width; c++) {
            double newer = 0;
            bool replaced = row->has_conflicts && find_late(s, row->t_ms, c, &newer);
            if (open_row_has(row, c) && !replaced) {
                push_late(s, row->lsn, row->t_ms, c, row->values[c]);
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
static int close_rows(struct table *t, uint64_t horizon)
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
static int reserve_late(struct table *t, uint64_t horizon, uint32_t more)
{
    struct table_state *s = &t->active;
    int status = t->sparse && s->row_count > 0 ? shed_rows(t, horizon) : 0;
    if (status == 0 && s->late_count >= s->late_retry) {
        status = compact_late(s, horizon);
    }
    return status == 0 ? grow_late(s, more) : status;
}

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
        int status = close_rows(t, horizon);
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
        (void)find_late(s, row->t_ms, column, &stored);
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
        status = grow_late(s, fit.conflicts);
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
            push_late(s, lsn, row->t_ms, c, values[i]);
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
    int status = reserve_late(t, horizon, count);
    if (status != 0) {
        return status;
    }
    undo->late_pushed = count;
    for (uint32_t i = 0; i < count; i++) {
        push_late(&t->active, lsn, t_ms, columns[i], values[i]);
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
        note_cells(&t->active, t_ms, *count_inout);
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
    int status = reserve_late(t, horizon, 1);
    *undo_out = (struct table_undo){.late_pushed = status == 0};
    if (status == 0) {
        push_late(s, lsn, t_ms, column, 0);
        s->late[s->late_count - 1].bytes = copy;
        s->late[s->late_count - 1].size = (uint32_t)bytes.len;
        s->memory += bytes.len;
        note_cells(s, t_ms, 1);
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
    release_late(s->late + from, undo->late_pushed);
    s->late_count = from;
    if (undo->placed != PLACED_NOTHING || undo->flagged) {
        undo_row(s, undo);
    }
    lock_give(&t->lock);
}
