/* Planning the tables of a frozen slice; see the header. */
#include "db/seal_image.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "base/mem.h"
#include "row/column_block.h"

/* One table of the head while it is planned. Everything is in the image's arena. */
struct plan {
    struct arena *arena;
    const struct table_state *state;
    uint32_t target;
    const struct column *columns; /* of the head's table */
    uint32_t column_count;
    int64_t *dense; /* times of rows */
    size_t dense_count;
    bool *has;      /* per column: any cell in rows */
    bool *has_late; /* any late cell */
    int64_t *late;  /* times of late cells that are not times of rows, ascending, each once */
    size_t late_count;
    size_t late_cells;   /* how many cells have those times */
    bool *has_own_times; /* per column: one of them is its */
};

static int compare_times(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return x < y ? -1 : x > y;
}

static bool contains(const int64_t *times, size_t count, int64_t t_ms)
{
    size_t low = 0, high = count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (times[middle] < t_ms) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low < count && times[low] == t_ms;
}

/* ---- Rows ---- */

static int plan_rows(struct plan *p)
{
    const struct table_state *s = p->state;
    size_t count = s->row_count;
    for (const struct mini_block *b = s->blocks; b != NULL; b = b->next) {
        count += b->row_count;
    }
    p->dense = arena_alloc(p->arena, count * sizeof(*p->dense));
    if (p->dense == NULL) {
        return arena_error(p->arena);
    }
    for (const struct mini_block *b = s->blocks; b != NULL; b = b->next) {
        memcpy(p->dense + p->dense_count, b->times, b->row_count * sizeof(*p->dense));
        p->dense_count += b->row_count;
        for (uint32_t c = 0; c < p->column_count; c++) {
            p->has[c] = p->has[c] || mini_block_has(b, c);
        }
    }
    for (uint32_t i = 0; i < s->row_count; i++) {
        p->dense[p->dense_count++] = s->rows[i]->t_ms;
        for (uint32_t c = 0; c < p->column_count; c++) {
            p->has[c] = p->has[c] || open_row_has(s->rows[i], c);
        }
    }
    return 0;
}

/* ---- Late cells ---- */

static size_t count_late(const struct table_state *s)
{
    size_t count = s->late_count;
    for (const struct cell_block *b = s->cell_blocks; b != NULL; b = b->next) {
        count += b->cell_count;
    }
    return count;
}

static void note_late(struct plan *p, uint32_t column, int64_t t_ms)
{
    p->has_late[column] = true;
    if (!contains(p->dense, p->dense_count, t_ms)) {
        p->has_own_times[column] = true;
        p->late[p->late_cells++] = t_ms;
    }
}

static int note_entry(struct plan *p, const struct cell_block *b, const struct cell_column *entry)
{
    struct arena_mark mark = arena_mark(p->arena);
    int64_t *times = arena_alloc(p->arena, entry->count * sizeof(*times));
    double *values = arena_alloc(p->arena, entry->count * sizeof(*values));
    struct str *histograms = arena_alloc(p->arena, entry->count * sizeof(*histograms));
    if (times == NULL || values == NULL || histograms == NULL) {
        return arena_error(p->arena);
    }
    cell_block_read(b, entry, times, values, histograms);
    for (uint32_t i = 0; i < entry->count; i++) {
        note_late(p, entry->column, times[i]);
    }
    arena_rewind(p->arena, mark);
    return 0;
}

static int plan_late(struct plan *p)
{
    const struct table_state *s = p->state;
    p->late = arena_alloc(p->arena, count_late(s) * sizeof(*p->late));
    if (p->late == NULL) {
        return arena_error(p->arena);
    }
    int status = 0;
    for (const struct cell_block *b = s->cell_blocks; status == 0 && b != NULL; b = b->next) {
        for (uint32_t i = 0; status == 0 && i < b->column_count; i++) {
            status = note_entry(p, b, &b->columns[i]);
        }
    }
    for (uint32_t i = 0; i < s->late_count; i++) {
        note_late(p, s->late[i].column, s->late[i].t_ms);
    }
    qsort(p->late, p->late_cells, sizeof(*p->late), compare_times);
    for (size_t i = 0; i < p->late_cells; i++) {
        if (i == 0 || p->late[i] != p->late[i - 1]) {
            p->late[p->late_count++] = p->late[i];
        }
    }
    return status;
}

/* ---- Tables ---- */

static int push_table(struct seal_image *image, const struct seal_table *table)
{
    if (table->row_count == 0 || table->column_count == 0) {
        return 0;
    }
    int status = mem_array_grow((void **)&image->tables, &image->cap, image->count + 1,
        sizeof(*image->tables), SEAL_TABLES_MAX);
    if (status == 0) {
        image->tables[image->count++] = *table;
    }
    return status;
}

/* A table of the columns that `chosen` names. */
static int choose_columns(struct plan *p, const bool *chosen, struct seal_table *table)
{
    uint32_t count = 0;
    for (uint32_t c = 0; c < p->column_count; c++) {
        count += chosen[c];
    }
    struct column *columns = arena_alloc(p->arena, count * sizeof(*columns));
    uint32_t *positions = arena_alloc(p->arena, count * sizeof(*positions));
    if (columns == NULL || positions == NULL) {
        return arena_error(p->arena);
    }
    *table = (struct seal_table){
        .state = p->state, .target = p->target, .columns = columns, .table_columns = positions};
    for (uint32_t c = 0; c < p->column_count; c++) {
        if (chosen[c]) {
            columns[table->column_count] = p->columns[c];
            positions[table->column_count++] = c;
        }
    }
    return 0;
}

/* Rows at all times, for all columns that have a cell. */
static int add_whole(struct plan *p, struct seal_image *image)
{
    for (uint32_t c = 0; c < p->column_count; c++) {
        p->has[c] = p->has[c] || p->has_late[c];
    }
    struct seal_table table;
    int status = choose_columns(p, p->has, &table);
    if (status != 0) {
        return status;
    }
    table.times = p->dense;
    table.row_count = p->dense_count;
    if (p->late_count > 0) {
        size_t count = p->dense_count + p->late_count;
        int64_t *times = arena_alloc(p->arena, count * sizeof(*times));
        if (times == NULL) {
            return arena_error(p->arena);
        }
        memcpy(times, p->dense, p->dense_count * sizeof(*times));
        memcpy(times + p->dense_count, p->late, p->late_count * sizeof(*times));
        qsort(times, count, sizeof(*times), compare_times);
        table.times = times;
        table.row_count = count;
    }
    return push_table(image, &table);
}

/* A column with times of its own, and their hash. */
struct own_column {
    uint32_t column;
    uint64_t hash;
    int64_t *times;
    size_t count;
};

static int compare_own(const void *a, const void *b)
{
    const struct own_column *x = a, *y = b;
    if (x->hash != y->hash) {
        return x->hash < y->hash ? -1 : 1;
    }
    return x->column < y->column ? -1 : x->column > y->column;
}

static bool equal_times(const struct own_column *a, const struct own_column *b)
{
    return a->hash == b->hash && a->count == b->count &&
           memcmp(a->times, b->times, a->count * sizeof(*a->times)) == 0;
}

static int read_own(struct plan *p, struct own_column *own)
{
    struct sample_list list = {0};
    struct arena scratch;
    arena_init(&scratch, 0);
    int status = table_state_read(p->state, own->column,
        (enum column_kind)p->columns[own->column].kind, INT64_MIN, INT64_MAX, &scratch, &list);
    if (status == 0) {
        own->count = list.count;
        own->times = arena_dup(p->arena, list.times, list.count * sizeof(*list.times));
        own->hash = hash64(list.times, list.count * sizeof(*list.times), 0);
        status = own->times != NULL ? 0 : arena_error(p->arena);
    }
    arena_release(&scratch);
    return status;
}

/* Columns without times of their own keep the rows; the others are grouped by equal times. */
static int add_split(struct plan *p, struct seal_image *image)
{
    uint32_t own_count = 0;
    struct own_column *own = arena_calloc(p->arena, p->column_count, sizeof(*own));
    bool *chosen = arena_calloc(p->arena, p->column_count, sizeof(*chosen));
    if (own == NULL || chosen == NULL) {
        return arena_error(p->arena);
    }
    int status = 0;
    for (uint32_t c = 0; status == 0 && c < p->column_count; c++) {
        if (p->has_own_times[c]) {
            own[own_count].column = c;
            status = read_own(p, &own[own_count++]);
        }
        chosen[c] = !p->has_own_times[c] && (p->has[c] || p->has_late[c]);
    }
    struct seal_table table;
    if (status == 0) {
        status = choose_columns(p, chosen, &table);
    }
    if (status == 0) {
        table.times = p->dense;
        table.row_count = p->dense_count;
        status = push_table(image, &table);
    }
    qsort(own, own_count, sizeof(*own), compare_own);
    for (uint32_t i = 0; status == 0 && i < own_count;) {
        memset(chosen, 0, p->column_count * sizeof(*chosen));
        uint32_t k = i;
        for (; k < own_count && equal_times(&own[i], &own[k]); k++) {
            chosen[own[k].column] = true;
        }
        status = choose_columns(p, chosen, &table);
        table.times = own[i].times;
        table.row_count = own[i].count;
        status = status == 0 ? push_table(image, &table) : status;
        i = k;
    }
    return status;
}

static int plan_table(struct plan *p, struct seal_image *image)
{
    p->has = arena_calloc(p->arena, p->column_count, sizeof(*p->has));
    p->has_late = arena_calloc(p->arena, p->column_count, sizeof(*p->has_late));
    p->has_own_times = arena_calloc(p->arena, p->column_count, sizeof(*p->has_own_times));
    if (p->has == NULL || p->has_late == NULL || p->has_own_times == NULL) {
        return arena_error(p->arena);
    }
    int status = plan_rows(p);
    if (status == 0 && count_late(p->state) > 0) {
        status = plan_late(p);
    }
    if (status != 0) {
        return status;
    }
    uint32_t used = 0;
    for (uint32_t c = 0; c < p->column_count; c++) {
        used += p->has[c] || p->has_late[c];
    }
    bool dense = p->late_cells * TABLE_DENSITY_DIVISOR >= p->late_count * used;
    return dense ? add_whole(p, image) : add_split(p, image);
}

/* ---- The image ---- */

static int add_state(struct seal_image *image, struct table *t, const struct table_state *state)
{
    struct plan p = {.arena = &image->arena, .state = state, .target = t->target};
    lock_take(&t->lock);
    p.column_count = t->column_count;
    p.columns = arena_dup(&image->arena, t->columns, p.column_count * sizeof(*p.columns));
    lock_give(&t->lock);
    return p.columns != NULL ? plan_table(&p, image) : arena_error(&image->arena);
}

int seal_image_new(const struct freeze *f, struct seal_image *image_out)
{
    struct seal_image image = {0};
    arena_init(&image.arena, 0);
    int status = 0;
    for (uint32_t i = 0; status == 0 && i < f->count; i++) {
        status = add_state(&image, f->tables[i], &f->states[i].state);
    }
    if (status != 0) {
        seal_image_release(&image);
        return status;
    }
    *image_out = image;
    return 0;
}

void seal_image_release(struct seal_image *image)
{
    mem_free(image->tables);
    arena_release(&image->arena);
    *image = (struct seal_image){0};
}

/* ---- The source of one day ---- */

static struct seal_source *source_of(struct part_source *source)
{
    return (struct seal_source *)source;
}

static const struct labels *source_target(struct part_source *source, uint32_t target)
{
    return index_labels(source_of(source)->index, INDEX_TARGETS, target);
}

static const struct labels *source_shape(struct part_source *source, uint32_t shape)
{
    return index_labels(source_of(source)->index, INDEX_SHAPES, shape);
}

/* Spreads the samples of a column over the rows of its table. */
static int spread(struct seal_source *s, const struct part_table *table,
    const struct sample_list *list, struct part_cells *cells_out)
{
    size_t words = PRESENCE_WORDS(table->row_count);
    uint64_t *presence = arena_calloc(&s->scratch, words, sizeof(*presence));
    double *values = arena_calloc(&s->scratch, table->row_count, sizeof(*values));
    struct str *histograms = list->histograms != NULL
                                 ? arena_calloc(&s->scratch, table->row_count, sizeof(*histograms))
                                 : NULL;
    if (presence == NULL || values == NULL || (list->histograms != NULL && histograms == NULL)) {
        return arena_error(&s->scratch);
    }
    size_t row = 0;
    for (size_t i = 0; i < list->count; i++) {
        while (table->times[row] < list->times[i]) {
            row++;
            assert(row < table->row_count);
        }
        assert(table->times[row] == list->times[i]);
        presence[row / 64] |= (uint64_t)1 << (row % 64);
        if (histograms != NULL) {
            histograms[row] = list->histograms[i];
        } else {
            values[row] = list->values[i];
        }
    }
    *cells_out = (struct part_cells){presence, values, histograms};
    return 0;
}

static int source_cells(struct part_source *source, uint32_t table, uint32_t column,
    struct part_cells *cells_out, struct err *e)
{
    struct seal_source *s = source_of(source);
    const struct seal_table *origin = s->origins[table];
    struct sample_list list = {0};
    arena_rewind(&s->scratch, s->empty);
    int status = table_state_read(origin->state, origin->table_columns[column],
        (enum column_kind)origin->columns[column].kind, s->min_t, s->max_t, &s->scratch, &list);
    if (status == 0 && list.count == s->tables[table].row_count) {
        *cells_out = (struct part_cells){NULL, list.values, list.histograms};
    } else if (status == 0) {
        status = spread(s, &s->tables[table], &list, cells_out);
    }
    return status == 0 ? 0 : err_set(e, status, -1, "sealing: %s", err_text(status));
}

static const struct part_source_ops source_ops = {
    .target_labels = source_target, .shape_labels = source_shape, .cells = source_cells};

static size_t lower_bound(const int64_t *times, size_t count, int64_t t_ms)
{
    size_t low = 0, high = count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (times[middle] < t_ms) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

int seal_source_init(struct seal_source *s, const struct seal_image *image, struct index *index,
    int64_t min_t, int64_t max_t)
{
    *s = (struct seal_source){.index = index, .min_t = min_t, .max_t = max_t};
    arena_init(&s->scratch, 0);
    s->empty = arena_mark(&s->scratch);
    s->tables = mem_calloc(image->count + 1, sizeof(*s->tables));
    s->origins = mem_calloc(image->count + 1, sizeof(*s->origins));
    if (s->tables == NULL || s->origins == NULL) {
        return ERR_NOMEM;
    }
    uint32_t count = 0;
    for (size_t i = 0; i < image->count; i++) {
        const struct seal_table *t = &image->tables[i];
        size_t from = lower_bound(t->times, t->row_count, min_t);
        size_t to = lower_bound(t->times, t->row_count, max_t);
        to += to < t->row_count && t->times[to] == max_t;
        if (from < to) {
            s->tables[count] = (struct part_table){.target = t->target,
                .column_count = t->column_count,
                .row_count = (uint32_t)(to - from),
                .columns = t->columns,
                .times = t->times + from};
            s->origins[count++] = t;
        }
    }
    s->source = (struct part_source){.ops = &source_ops, .tables = s->tables, .table_count = count};
    return 0;
}

void seal_source_release(struct seal_source *s)
{
    mem_free(s->tables);
    mem_free(s->origins);
    arena_release(&s->scratch);
}
