/* Planning the output of a merge: which groups are copied, and which tables are made of the rest.
 *
 * A group is copied as it lies in its file when each of its tables comes out as it went in: nothing of
 * it is deleted, no other piece has samples of its columns in its time, and joining it with its neighbours
 * would gain nothing. Late samples of a few hosts, a delete or a retention rule then cost the groups
 * they touch, and the rest of the day a read and a write.
 *
 * The other pieces of a target become tables with the columns of all, unless that would leave many cells
 * empty; then the columns that come from the same pieces stay together. Where a copied piece lies
 * between two others, these stay apart, so that a reader meets one after the other. */
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "base/mem.h"
#include "db/merge_private.h"

enum {
    /* More than one cell in this many empty: columns are split by where they come from. */
    EMPTY_DIVISOR = 8,
    /* Shorter tables are joined with those before and after them, up to PART_GROUP_ROWS_MAX. */
    COPY_ROWS_MIN = PART_GROUP_ROWS_MAX / 2,
    /* Groups with fewer bytes a column are joined with others of their schema: what a run has beside its
     * blocks would count. */
    COPY_BYTES_PER_COLUMN_MIN = 256,
};

/* A list of pieces by precedence, as all lists of pieces here. */
struct piece_list {
    const struct piece **items;
    size_t count;
};

/* A column of the output, and a hash of the pieces that have it. */
struct merge_column {
    uint32_t shape;
    uint32_t kind;
    uint64_t origin;
};

/* All columns of some pieces, by shape. */
struct column_union {
    struct merge_column *items, *spare;
    size_t count, cap, spare_cap;
    uint64_t cells; /* of all pieces */
    bool gaps;      /* some piece lacks some column */
};

/* ---- What is copied ---- */

static bool shares_column(const struct schema_map *a, const struct schema_map *b)
{
    uint32_t i = 0, k = 0;
    while (i < a->count && k < b->count) {
        const struct schema_column *x = &a->columns[i], *y = &b->columns[k];
        if (x->shape == y->shape && x->kind == y->kind) {
            return true;
        }
        bool first = x->shape != y->shape ? x->shape < y->shape : x->kind < y->kind;
        i += first;
        k += !first;
    }
    return false;
}

/* Which of the pieces of one target come out as they went in. */
static int find_unchanged(struct merge *m, struct piece *pieces, size_t count)
{
    bool one_input = pieces[0].input == pieces[count - 1].input;
    for (size_t i = 0; i < count; i++) {
        struct piece *p = &pieces[i];
        int whole = merge_is_whole(m, p);
        if (whole < 0) {
            return whole;
        }
        p->unchanged =
            whole == 1 && p->row_count > 0 && (one_input || p->row_count >= COPY_ROWS_MIN);
        for (size_t k = 0; p->unchanged && k < count; k++) {
            const struct piece *other = &pieces[k];
            bool meets = other != p && other->first_t <= p->last_t && p->first_t <= other->last_t;
            p->unchanged = !meets || !shares_column(merge_schema(m, p), merge_schema(m, other));
        }
        m->inputs[p->input].unchanged[p->group] += p->unchanged;
    }
    return 0;
}

/* The end of the pieces of one target. */
static size_t target_end(const struct merge *m, size_t first)
{
    size_t end = first + 1;
    while (end < m->piece_count && m->pieces[end].target == m->pieces[first].target) {
        end++;
    }
    return end;
}

static int look_at_pieces(struct merge *m, struct err *e)
{
    int status = 0;
    for (size_t i = 0; status == 0 && i < m->piece_count;) {
        size_t end = target_end(m, i);
        for (size_t k = i; status == 0 && k < end; k++) {
            const int64_t *times;
            status = merge_read_times(m, &m->pieces[k], &times, e);
            arena_rewind(&m->scratch, m->empty);
        }
        status = status == 0 ? find_unchanged(m, m->pieces + i, end - i) : status;
        i = end;
    }
    return status;
}

static bool is_copied(const struct merge *m, uint32_t input, uint32_t group)
{
    const struct part *part = m->inputs[input].part->part;
    const struct part_group *g = &part_groups(part)[group];
    uint64_t least =
        (uint64_t)part_schema(part, g->schema).column_count * COPY_BYTES_PER_COLUMN_MIN;
    return m->inputs[input].unchanged[group] == g->target_count &&
           (m->input_count == 1 || g->bytes >= least);
}

/* The columns of a schema by the ids of the index. */
static const struct column *map_columns(struct merge *m, const struct schema_map *schema)
{
    struct column *columns = arena_calloc(&m->arena, schema->count, sizeof(*columns));
    for (uint32_t c = 0; columns != NULL && c < schema->count; c++) {
        const struct schema_column *from = &schema->columns[c];
        columns[from->column] = (struct column){from->shape, from->kind};
    }
    return columns;
}

static int copy_group(struct merge *m, uint32_t input, uint32_t group)
{
    const struct store_part *p = m->inputs[input].part;
    const struct part_group *g = &part_groups(p->part)[group];
    uint32_t *targets = arena_calloc(&m->arena, g->target_count, sizeof(*targets));
    const struct column *columns = map_columns(m, &p->schemas[g->schema]);
    if (targets == NULL || columns == NULL) {
        return arena_error(&m->arena);
    }
    for (uint32_t t = 0; t < g->target_count; t++) {
        targets[t] = p->targets[g->targets[t]];
    }
    int status = mem_array_grow(
        (void **)&m->copies, &m->copy_cap, m->copy_count + 1, sizeof(*m->copies), MERGE_PIECES_MAX);
    if (status == 0) {
        m->copies[m->copy_count++] = (struct part_copy){p->part, group, targets, columns};
    }
    return status;
}

/* Groups of which every table is unchanged; the tables of others are not, after all. */
static int choose_copies(struct merge *m)
{
    int status = 0;
    for (uint32_t i = 0; i < m->input_count; i++) {
        uint32_t groups = part_info(m->inputs[i].part->part)->group_count;
        for (uint32_t g = 0; status == 0 && g < groups; g++) {
            status = is_copied(m, i, g) ? copy_group(m, i, g) : 0;
        }
    }
    for (size_t i = 0; i < m->piece_count; i++) {
        struct piece *p = &m->pieces[i];
        p->unchanged = p->unchanged && is_copied(m, p->input, p->group);
    }
    return status;
}

/* ---- Columns of the pieces of one target ---- */

static int compare_columns(const struct merge_column *x, const struct merge_column *y)
{
    if (x->shape != y->shape) {
        return x->shape < y->shape ? -1 : 1;
    }
    return (int)x->kind - (int)y->kind;
}

static int compare_origins(const void *a, const void *b)
{
    const struct merge_column *x = a, *y = b;
    if (x->origin != y->origin) {
        return x->origin < y->origin ? -1 : 1;
    }
    return compare_columns(x, y);
}

/* Adds the columns of a piece, both lists being in order. */
static int add_columns(
    struct merge *m, struct column_union *u, const struct piece *piece, uint64_t origin)
{
    const struct schema_map *schema = merge_schema(m, piece);
    int status = mem_array_grow((void **)&u->spare, &u->spare_cap, u->count + schema->count + 1,
        sizeof(*u->spare), MERGE_PIECES_MAX);
    if (status != 0) {
        return status;
    }
    size_t n = 0, at = 0, had = 0;
    for (uint32_t c = 0; c < schema->count; c++) {
        const struct merge_column column = {
            schema->columns[c].shape, schema->columns[c].kind, origin};
        int left = merge_has_left(m, piece, column.shape);
        if (left < 0) {
            return left;
        }
        while (left == 1 && at < u->count && compare_columns(&u->items[at], &column) < 0) {
            u->spare[n++] = u->items[at++];
        }
        if (left == 1) {
            u->spare[n] = column;
            if (at < u->count && compare_columns(&u->items[at], &column) == 0) {
                u->spare[n].origin += u->items[at++].origin;
            }
            n++;
            had++;
        }
    }
    while (at < u->count) {
        u->spare[n++] = u->items[at++];
    }
    u->gaps = u->gaps || had < n || (u->cells > 0 && n > u->count);
    u->cells += (uint64_t)piece->row_count * had;
    struct column_union swapped = *u;
    swapped.items = u->spare;
    swapped.cap = u->spare_cap;
    swapped.spare = u->items;
    swapped.spare_cap = u->cap;
    swapped.count = n;
    *u = swapped;
    return 0;
}

static int union_columns(struct merge *m, const struct piece_list *list, struct column_union *u)
{
    int status = 0;
    for (size_t i = 0; status == 0 && i < list->count; i++) {
        status = add_columns(m, u, list->items[i], hash_mix64(i + 1));
    }
    return status;
}

/* ---- Tables of one target ---- */

/* A list that lives as long as the plan; equal ones are mostly the same. */
static int keep_columns(struct merge *m, const struct merge_column *columns, size_t count,
    const struct column **list_out)
{
    struct arena_mark mark = arena_mark(&m->scratch);
    struct column *plain = arena_calloc(&m->scratch, count, sizeof(*plain));
    if (plain == NULL) {
        return arena_error(&m->scratch);
    }
    for (size_t i = 0; i < count; i++) {
        plain[i] = (struct column){columns[i].shape, (uint16_t)columns[i].kind};
    }
    uint64_t hash = hash64(plain, count * sizeof(*plain), 0);
    struct column_list *slot = &m->lists[hash % MERGE_COLUMN_LISTS];
    if (slot->hash != hash || slot->count != count || slot->columns == NULL ||
        memcmp(slot->columns, plain, count * sizeof(*plain)) != 0) {
        const struct column *copy = arena_dup(&m->arena, plain, count * sizeof(*plain));
        *slot = (struct column_list){hash, (uint32_t)count, copy};
    }
    arena_rewind(&m->scratch, mark);
    *list_out = slot->columns;
    return slot->columns != NULL ? 0 : arena_error(&m->arena);
}

/* One table; the pieces it is made of are those of the list that have rows in its time. */
static int push_table(
    struct merge *m, const struct part_table *table, const struct piece_list *list)
{
    int status = mem_array_grow((void **)&m->tables, &m->table_cap, m->table_count + 1,
        sizeof(*m->tables), MERGE_PIECES_MAX);
    if (status == 0) {
        status = mem_array_grow((void **)&m->origins, &m->origin_cap, m->table_count + 1,
            sizeof(*m->origins), MERGE_PIECES_MAX);
    }
    if (status != 0) {
        return status;
    }
    uint32_t count = 0;
    for (size_t i = 0; i < list->count; i++) {
        count +=
            list->items[i]->first_t <= table->last_t && table->first_t <= list->items[i]->last_t;
    }
    const struct piece **pieces = arena_alloc(&m->arena, count * sizeof(struct piece *));
    if (pieces == NULL) {
        return arena_error(&m->arena);
    }
    count = 0;
    for (size_t i = 0; i < list->count; i++) {
        if (list->items[i]->first_t <= table->last_t && table->first_t <= list->items[i]->last_t) {
            pieces[count++] = list->items[i];
        }
    }
    m->tables[m->table_count] = *table;
    m->origins[m->table_count++] = (struct merge_table){pieces, count, UINT32_MAX};
    return 0;
}

/* The rows of the list, cut into tables. */
static int add_tables(struct merge *m, const struct merge_column *columns, size_t column_count,
    const struct piece_list *list, struct err *e)
{
    struct part_table table = {
        .target = list->items[0]->target, .column_count = (uint32_t)column_count};
    struct row_stream *rows = NULL;
    struct arena_mark mark = arena_mark(&m->scratch);
    int status = keep_columns(m, columns, column_count, &table.columns);
    int64_t *times = arena_alloc(&m->scratch, PART_GROUP_ROWS_MAX * sizeof(*times));
    status = status == 0 && times == NULL ? arena_error(&m->scratch) : status;
    if (status == 0) {
        status = row_stream_new(m, list->items, list->count, INT64_MIN, INT64_MAX, &rows);
    }
    while (status == 0) {
        status = row_stream_read(rows, times, PART_GROUP_ROWS_MAX, &table.row_count, e);
        if (status != 0 || table.row_count == 0) {
            break;
        }
        table.first_t = times[0];
        table.last_t = times[table.row_count - 1];
        status = push_table(m, &table, list);
    }
    arena_rewind(&m->scratch, mark);
    return status;
}

/* Columns that come from the same pieces make tables of their own. */
static int add_split(
    struct merge *m, struct column_union *u, const struct piece_list *list, struct err *e)
{
    struct merge_column *columns = u->items;
    const struct piece **chosen = mem_calloc(list->count, sizeof(struct piece *));
    int status = chosen != NULL ? 0 : ERR_NOMEM;
    qsort(columns, u->count, sizeof(*columns), compare_origins);
    for (size_t i = 0, k; status == 0 && i < u->count; i = k) {
        struct piece_list own = {chosen, 0};
        for (k = i; k < u->count && columns[k].origin == columns[i].origin; k++) {
        }
        for (size_t n = 0; status >= 0 && n < list->count; n++) {
            const struct piece *piece = list->items[n];
            bool has =
                schema_map_find(merge_schema(m, piece), columns[i].shape, columns[i].kind) != NULL;
            status = has ? merge_has_left(m, piece, columns[i].shape) : 0;
            if (status == 1) {
                own.items[own.count++] = piece;
            }
        }
        status = status < 0 ? status : add_tables(m, columns + i, k - i, &own, e);
    }
    mem_free(chosen);
    return status;
}

/* Would one table with all columns have too many empty cells? 1, 0, or an error. */
static int is_sparse(
    struct merge *m, const struct column_union *u, const struct piece_list *list, struct err *e)
{
    if (u->count > TABLE_COLUMNS_MAX || !u->gaps) {
        return u->count > TABLE_COLUMNS_MAX;
    }
    struct arena_mark mark = arena_mark(&m->scratch);
    struct row_stream *rows = NULL;
    uint64_t total = 0;
    uint32_t count = 1;
    int64_t *times = arena_alloc(&m->scratch, PART_GROUP_ROWS_MAX * sizeof(*times));
    int status = times != NULL ? 0 : arena_error(&m->scratch);
    if (status == 0) {
        status = row_stream_new(m, list->items, list->count, INT64_MIN, INT64_MAX, &rows);
    }
    while (status == 0 && count > 0) {
        status = row_stream_read(rows, times, PART_GROUP_ROWS_MAX, &count, e);
        total += status == 0 ? count : 0;
    }
    arena_rewind(&m->scratch, mark);
    uint64_t whole = total * u->count;
    return status != 0 ? status : whole > u->cells && (whole - u->cells) * EMPTY_DIVISOR > whole;
}

/* Tables of pieces that no copied one lies between. */
static int plan_stretch(struct merge *m, const struct piece_list *list, struct err *e)
{
    struct column_union u = {.items = NULL};
    int status = union_columns(m, list, &u);
    if (status == 0 && u.count > 0) {
        int sparse = is_sparse(m, &u, list, e);
        status = sparse < 0    ? sparse
                 : sparse == 1 ? add_split(m, &u, list, e)
                               : add_tables(m, u.items, u.count, list, e);
    }
    mem_free(u.items);
    mem_free(u.spare);
    return status;
}

/* ---- All of it ---- */

static int compare_first(const void *a, const void *b)
{
    const struct piece *x = *(const struct piece *const *)a, *y = *(const struct piece *const *)b;
    return x->first_t < y->first_t ? -1 : x->first_t > y->first_t;
}

static int compare_precedence(const void *a, const void *b)
{
    const struct piece *x = *(const struct piece *const *)a, *y = *(const struct piece *const *)b;
    return x < y ? -1 : x > y; /* as they lie in the array of all */
}

/* Does a piece that is copied begin in (after, before)? */
static bool is_parted(const struct piece *pieces, size_t count, int64_t after, int64_t before)
{
    bool parted = false;
    for (size_t i = 0; i < count && !parted; i++) {
        parted = pieces[i].unchanged && pieces[i].first_t > after && pieces[i].first_t < before;
    }
    return parted;
}

static int plan_target(struct merge *m, const struct piece *pieces, size_t count, struct err *e)
{
    const struct piece **left = mem_calloc(count, sizeof(struct piece *));
    size_t left_count = 0;
    int status = left != NULL ? 0 : ERR_NOMEM;
    for (size_t i = 0; status == 0 && i < count; i++) {
        if (!pieces[i].unchanged && pieces[i].row_count > 0) {
            left[left_count++] = &pieces[i];
        }
    }
    if (left_count > 1) {
        qsort(left, left_count, sizeof(struct piece *), compare_first);
    }
    for (size_t i = 0, k; status == 0 && i < left_count; i = k) {
        int64_t last_t = left[i]->last_t;
        for (k = i + 1; k < left_count && !is_parted(pieces, count, last_t, left[k]->first_t);
             k++) {
            last_t = left[k]->last_t > last_t ? left[k]->last_t : last_t;
        }
        struct piece_list stretch = {left + i, k - i};
        qsort(stretch.items, stretch.count, sizeof(struct piece *), compare_precedence);
        status = plan_stretch(m, &stretch, e);
    }
    mem_free(left);
    arena_rewind(&m->scratch, m->empty);
    return status;
}

int merge_plan_tables(struct merge *m, struct err *e)
{
    int status = look_at_pieces(m, e);
    status = status == 0 ? choose_copies(m) : status;
    for (size_t i = 0, end; status == 0 && i < m->piece_count; i = end) {
        end = target_end(m, i);
        status = plan_target(m, m->pieces + i, end - i, e);
    }
    return status == 0 || e->code == status
               ? status
               : err_set(e, status, -1, "merging: %s", err_text(status));
}
