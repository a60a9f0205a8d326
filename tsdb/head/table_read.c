/* Reading a column of a table: mini-blocks and open rows in time order, late cells laid over them.
 *
 * All of it happens under the table's lock: a series of half an hour is some hundred values, decoded
 * in a microsecond or two, less than it would cost to hold on to the blocks by reference counts.
 */
#include <assert.h>
#include <string.h>

#include "base/err.h"
#include "base/mem.h"
#include "head/freeze.h"
#include "head/table.h"

struct gather {
    struct arena *arena;
    uint32_t column;
    bool histogram;
    int64_t min_t, max_t;
    uint64_t lsn;
    /* What rows hold. */
    int64_t *times;
    double *values;
    size_t count, cap;
    /* What lies over them, in order of commit; bytes of histograms are the arena's. */
    struct late_cell *late;
    size_t late_count, late_cap;
};

static bool in_range(const struct gather *g, int64_t t_ms)
{
    return t_ms >= g->min_t && t_ms <= g->max_t;
}

/* ---- How much there may be ---- */

/* The first block with rows in the range or after it. Most reads are about the newest rows: it is looked for
 * from the end, since each block that is passed is a line of memory that is in no cache. */
static const struct mini_block *first_block(const struct table_state *s, const struct gather *g)
{
    const struct mini_block *first = NULL;
    for (const struct mini_block *b = s->last_block; b != NULL && b->max_t >= g->min_t;
         b = b->before) {
        first = b;
    }
    return first;
}

static bool begins_in_time(const struct mini_block *b, const struct gather *g)
{
    return b != NULL && b->min_t <= g->max_t;
}

static void count_state(const struct table_state *s, struct gather *g)
{
    const struct mini_block *block = g->histogram ? NULL : first_block(s, g);
    for (; begins_in_time(block, g); block = block->next) {
        g->cap += mini_block_has(block, g->column) ? block->row_count : 0;
    }
    g->cap += g->histogram ? 0 : s->row_count;
    for (const struct cell_block *b = s->cell_blocks; b != NULL; b = b->next) {
        uint32_t first = 0;
        uint32_t entries = cell_block_find(b, g->column, &first);
        for (uint32_t i = 0; i < entries; i++) {
            g->late_cap += b->columns[first + i].count;
        }
    }
    for (uint32_t i = 0; i < s->late_count; i++) {
        g->late_cap += s->late[i].column == g->column;
    }
}

static int gather_reserve(struct gather *g)
{
    size_t cap = g->cap + g->late_cap;
    g->times = arena_alloc(g->arena, cap * sizeof(*g->times));
    g->values = g->histogram ? NULL : arena_alloc(g->arena, cap * sizeof(*g->values));
    g->late = arena_alloc(g->arena, g->late_cap * sizeof(*g->late));
    bool failed = g->times == NULL || g->late == NULL || (!g->histogram && g->values == NULL);
    return failed ? arena_error(g->arena) : 0;
}

/* ---- Rows ---- */

static void push(struct gather *g, int64_t t_ms, double value)
{
    assert(g->count < g->cap);
    assert(g->count == 0 || g->times[g->count - 1] < t_ms);
    g->times[g->count] = t_ms;
    g->values[g->count++] = value;
}

static void gather_blocks(const struct table_state *s, struct gather *g)
{
    for (const struct mini_block *b = first_block(s, g); begins_in_time(b, g); b = b->next) {
        double values[MINI_BLOCK_ROWS_MAX];
        uint64_t mask = mini_block_read(b, g->column, values);
        for (uint32_t i = 0; i < b->row_count; i++) {
            if ((mask >> i & 1) != 0 && in_range(g, b->times[i])) {
                push(g, b->times[i], values[i]);
            }
        }
    }
}

static void gather_rows(const struct table_state *s, struct gather *g)
{
    for (uint32_t i = 0; i < s->row_count; i++) {
        struct open_row *row = s->rows[i];
        if (in_range(g, row->t_ms) && open_row_visible(row, g->column, g->lsn)) {
            push(g, row->t_ms, row->values[g->column]);
        }
    }
}

/* ---- Late cells ---- */

static int push_late(struct gather *g, int64_t t_ms, double value, struct str histogram)
{
    assert(g->late_count < g->late_cap);
    if (!in_range(g, t_ms)) {
        return 0;
    }
    struct late_cell cell = {.t_ms = t_ms, .column = g->column, .value = value};
    if (g->histogram) {
        cell.bytes = arena_dup(g->arena, histogram.ptr, histogram.len);
        cell.size = (uint32_t)histogram.len;
        if (cell.bytes == NULL) {
            return arena_error(g->arena);
        }
    }
    g->late[g->late_count++] = cell;
    return 0;
}

static int gather_entry(
    struct gather *g, const struct cell_block *block, const struct cell_column *entry)
{
    struct arena_mark mark = arena_mark(g->arena);
    int64_t *times = arena_alloc(g->arena, entry->count * sizeof(*times));
    double *values = arena_alloc(g->arena, entry->count * sizeof(*values));
    struct str *histograms = arena_alloc(g->arena, entry->count * sizeof(*histograms));
    if (times == NULL || values == NULL || histograms == NULL) {
        return arena_error(g->arena);
    }
    cell_block_read(block, entry, times, values, histograms);
    int status = 0;
    for (uint32_t i = 0; status == 0 && i < entry->count; i++) {
        status = push_late(g, times[i], g->histogram ? 0 : values[i],
            g->histogram ? histograms[i] : str_make(NULL, 0));
    }
    if (!g->histogram) {
        arena_rewind(g->arena, mark);
    }
    return status;
}

static int gather_late(const struct table_state *s, struct gather *g)
{
    int status = 0;
    for (const struct cell_block *b = s->cell_blocks; status == 0 && b != NULL; b = b->next) {
        uint32_t first = 0;
        uint32_t entries = cell_block_find(b, g->column, &first);
        for (uint32_t i = 0; status == 0 && i < entries; i++) {
            status = gather_entry(g, b, &b->columns[first + i]);
        }
    }
    for (uint32_t i = 0; status == 0 && i < s->late_count; i++) {
        const struct late_cell *cell = &s->late[i];
        if (cell->column == g->column && cell->lsn <= g->lsn) {
            struct str bytes =
                g->histogram ? str_make((char *)cell->bytes, cell->size) : str_make(NULL, 0);
            status = push_late(g, cell->t_ms, g->histogram ? 0 : cell->value, bytes);
        }
    }
    return status;
}

/* ---- Both together ---- */

/* Of equal times the last stays. */
static void drop_replaced(struct gather *g)
{
    size_t kept = 0;
    for (size_t i = 0; i < g->late_count; i++) {
        if (i + 1 == g->late_count || g->late[i + 1].t_ms != g->late[i].t_ms) {
            g->late[kept++] = g->late[i];
        }
    }
    g->late_count = kept;
}

/* Merges late floats into the rows' samples, from the back so that no second array is needed. */
static void overlay(struct gather *g)
{
    size_t total = g->count + g->late_count;
    size_t to = total, row = g->count, late = g->late_count;
    while (late > 0) {
        const struct late_cell *cell = &g->late[late - 1];
        if (row > 0 && g->times[row - 1] > cell->t_ms) {
            row--;
            to--;
            g->times[to] = g->times[row];
            g->values[to] = g->values[row];
            continue;
        }
        if (row > 0 && g->times[row - 1] == cell->t_ms) {
            row--;
        }
        to--;
        late--;
        g->times[to] = cell->t_ms;
        g->values[to] = cell->value;
    }
    /* Rows [0, row) stand where they were; what was replaced left a gap behind them. */
    memmove(g->times + row, g->times + to, (total - to) * sizeof(*g->times));
    memmove(g->values + row, g->values + to, (total - to) * sizeof(*g->values));
    g->count = row + (total - to);
}

static int finish(struct gather *g, struct sample_list *list_out)
{
    if (g->late_count > 0) {
        int status = late_cells_sort(g->late, g->late_count);
        if (status != 0) {
            return status;
        }
        drop_replaced(g);
    }
    *list_out = (struct sample_list){.times = g->times, .values = g->values};
    if (!g->histogram) {
        overlay(g);
        list_out->count = g->count;
        return 0;
    }
    list_out->histograms = arena_alloc(g->arena, g->late_count * sizeof(*list_out->histograms));
    if (list_out->histograms == NULL) {
        return arena_error(g->arena);
    }
    for (size_t i = 0; i < g->late_count; i++) {
        g->times[i] = g->late[i].t_ms;
        list_out->histograms[i] = str_make((char *)g->late[i].bytes, g->late[i].size);
    }
    list_out->count = g->late_count;
    return 0;
}

static int gather_state(const struct table_state *s, struct gather *g)
{
    if (s->min_t > g->max_t || s->max_t < g->min_t) {
        return 0;
    }
    if (!g->histogram) {
        gather_blocks(s, g);
        gather_rows(s, g);
    }
    return gather_late(s, g);
}

bool frozen_state_hidden(const struct frozen_state *f, const struct read_point *point)
{
    uint64_t published = atomic_load_explicit(&f->freeze->published_version, memory_order_acquire);
    return published != 0 && published <= point->version;
}

/* Frozen states in order of age; there are rarely more than one. */
#define FROZEN_STATES_MAX 64

static int read_locked(const struct table *t, struct gather *g, const struct read_point *point)
{
    const struct frozen_state *seen[FROZEN_STATES_MAX];
    size_t seen_count = 0;
    for (const struct frozen_state *f = t->frozen; f != NULL; f = f->older) {
        if (frozen_state_hidden(f, point)) {
            continue;
        }
        if (seen_count == FROZEN_STATES_MAX) {
            return ERR_LIMIT;
        }
        seen[seen_count++] = f;
        count_state(&f->state, g);
    }
    count_state(&t->active, g);
    int status = gather_reserve(g);
    while (status == 0 && seen_count > 0) {
        status = gather_state(&seen[--seen_count]->state, g);
    }
    return status == 0 ? gather_state(&t->active, g) : status;
}

int table_read(struct table *t, uint32_t column, const struct read_point *point, int64_t min_t,
    int64_t max_t, struct arena *arena, struct sample_list *list_out)
{
    struct gather g = {
        .arena = arena, .column = column, .min_t = min_t, .max_t = max_t, .lsn = point->lsn};
    lock_take(&t->lock);
    assert(column < t->column_count);
    g.histogram = t->columns[column].kind == COLUMN_HISTOGRAM;
    int status = read_locked(t, &g, point);
    lock_give(&t->lock);
    return status == 0 ? finish(&g, list_out) : status;
}

int table_state_read(const struct table_state *s, uint32_t column, enum column_kind kind,
    int64_t min_t, int64_t max_t, struct arena *arena, struct sample_list *list_out)
{
    struct gather g = {.arena = arena,
        .column = column,
        .histogram = kind == COLUMN_HISTOGRAM,
        .min_t = min_t,
        .max_t = max_t,
        .lsn = UINT64_MAX};
    count_state(s, &g);
    int status = gather_reserve(&g);
    if (status == 0) {
        status = gather_state(s, &g);
    }
    return status == 0 ? finish(&g, list_out) : status;
}

/* ---- Only whether there is something ---- */

enum presence { PRESENCE_NONE, PRESENCE_SURE, PRESENCE_PERHAPS };

static enum presence look(bool wholly_inside)
{
    return wholly_inside ? PRESENCE_SURE : PRESENCE_PERHAPS;
}

static enum presence blocks_have(
    const struct table_state *s, uint32_t column, int64_t min_t, int64_t max_t)
{
    enum presence found = PRESENCE_NONE;
    for (const struct mini_block *b = s->blocks; b != NULL; b = b->next) {
        int64_t first = b->times[0], last = b->times[b->row_count - 1];
        if (first <= max_t && last >= min_t && mini_block_has(b, column)) {
            found = look(first >= min_t && last <= max_t);
        }
        if (found == PRESENCE_SURE) {
            return found;
        }
    }
    for (const struct cell_block *b = s->cell_blocks; b != NULL; b = b->next) {
        uint32_t at = 0;
        if (b->min_t <= max_t && b->max_t >= min_t && cell_block_find(b, column, &at) > 0) {
            found = look(b->min_t >= min_t && b->max_t <= max_t);
        }
        if (found == PRESENCE_SURE) {
            return found;
        }
    }
    return found;
}

static bool cells_have(
    const struct table_state *s, uint32_t column, uint64_t lsn, int64_t min_t, int64_t max_t)
{
    for (uint32_t i = s->row_count; i > 0; i--) {
        struct open_row *row = s->rows[i - 1];
        if (row->t_ms >= min_t && row->t_ms <= max_t && open_row_visible(row, column, lsn)) {
            return true;
        }
    }
    for (uint32_t i = 0; i < s->late_count; i++) {
        const struct late_cell *cell = &s->late[i];
        if (cell->column == column && cell->lsn <= lsn && cell->t_ms >= min_t &&
            cell->t_ms <= max_t) {
            return true;
        }
    }
    return false;
}

static enum presence state_has(
    const struct table_state *s, uint32_t column, uint64_t lsn, int64_t min_t, int64_t max_t)
{
    if (s->min_t > max_t || s->max_t < min_t) {
        return PRESENCE_NONE;
    }
    enum presence found = blocks_have(s, column, min_t, max_t);
    if (found != PRESENCE_SURE && cells_have(s, column, lsn, min_t, max_t)) {
        found = PRESENCE_SURE;
    }
    return found;
}

int table_has_samples(
    struct table *t, uint32_t column, const struct read_point *point, int64_t min_t, int64_t max_t)
{
    lock_take(&t->lock);
    enum presence found = state_has(&t->active, column, point->lsn, min_t, max_t);
    for (const struct frozen_state *f = t->frozen; f != NULL && found != PRESENCE_SURE;
         f = f->older) {
        if (!frozen_state_hidden(f, point)) {
            enum presence more = state_has(&f->state, column, point->lsn, min_t, max_t);
            found = more != PRESENCE_NONE ? more : found;
        }
    }
    lock_give(&t->lock);
    if (found != PRESENCE_PERHAPS) {
        return found == PRESENCE_SURE;
    }
    struct arena scratch;
    struct sample_list list = {0};
    arena_init(&scratch, 0);
    int status = table_read(t, column, point, min_t, max_t, &scratch, &list);
    arena_release(&scratch);
    return status != 0 ? status : list.count > 0;
}

static void extend(const struct table_state *s, int64_t *min_t, int64_t *max_t)
{
    *min_t = s->min_t < *min_t ? s->min_t : *min_t;
    *max_t = s->max_t > *max_t ? s->max_t : *max_t;
}

bool table_extent(
    struct table *t, const struct read_point *point, int64_t *min_t_out, int64_t *max_t_out)
{
    int64_t min_t = INT64_MAX, max_t = INT64_MIN;
    lock_take(&t->lock);
    extend(&t->active, &min_t, &max_t);
    for (const struct frozen_state *f = t->frozen; f != NULL; f = f->older) {
        if (!frozen_state_hidden(f, point)) {
            extend(&f->state, &min_t, &max_t);
        }
    }
    lock_give(&t->lock);
    *min_t_out = min_t;
    *max_t_out = max_t;
    return min_t <= max_t;
}
