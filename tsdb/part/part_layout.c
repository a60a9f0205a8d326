/* Grouping tables by schema, giving local ids. */
#include "part/part_layout.h"

#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "base/mem.h"
#include "part/part_format.h"

/* The source's id and the labels behind it; sorted to give local ids. */
struct named {
    uint32_t id;
    const struct labels *labels;
};

enum { SORTED_SLOTS = 256 };

struct id_map {
    uint32_t *local; /* by the source's id; UINT32_MAX = not used */
    uint32_t cap;
};

/* A table with its columns as sorted local shapes, or a group that is copied. */
struct sorted_table {
    const struct part_copy *copy; /* NULL: a table */
    uint32_t table;               /* a copy: behind all tables, in order of copies */
    uint32_t target, schema;      /* of a copy the target of its first table */
    uint32_t column_count;
    struct column *columns;
    uint32_t *order;
    uint64_t hash;
};

struct planner {
    struct part_source *source;
    struct arena *arena;
    struct id_map targets, shapes;
    struct sorted_table *tables;
    uint32_t table_count; /* copies included */
    /* The table whose columns were sorted last of those whose list has its address here: tables that
     * share a list share what is made of it. */
    uint32_t sorted[SORTED_SLOTS];
};

static int compare_named(const void *a, const void *b)
{
    const struct named *x = a, *y = b;
    int order = labels_cmp(x->labels, y->labels);
    return order != 0 ? order : (x->id > y->id) - (x->id < y->id);
}

/* Marks an id as used; grows the map. */
static int use_id(struct planner *p, struct id_map *map, uint32_t id)
{
    if (id >= PART_IDS_MAX) {
        return ERR_LIMIT;
    }
    if (id >= map->cap) {
        uint32_t cap = map->cap * 2 > id + 1 ? map->cap * 2 : id + 1;
        uint32_t *grown = arena_alloc(p->arena, cap * sizeof(*grown));
        if (grown == NULL) {
            return arena_error(p->arena);
        }
        memset(grown, 0xff, cap * sizeof(*grown));
        if (map->cap > 0) {
            memcpy(grown, map->local, map->cap * sizeof(*grown));
        }
        *map = (struct id_map){grown, cap};
    }
    map->local[id] = 0;
    return 0;
}

/* Local ids for the used ids of one side, in label order. */
static int number_ids(struct planner *p, struct id_map *map, bool is_target,
    const struct labels ***labels_out, uint32_t *count_out)
{
    uint32_t count = 0;
    for (uint32_t id = 0; id < map->cap; id++) {
        count += map->local[id] != UINT32_MAX;
    }
    struct named *named = arena_calloc(p->arena, count, sizeof(*named));
    const struct labels **labels = arena_calloc(p->arena, count, sizeof(*labels));
    if (named == NULL || labels == NULL) {
        return arena_error(p->arena);
    }
    const struct labels *(*look)(struct part_source *, uint32_t) =
        is_target ? p->source->ops->target_labels : p->source->ops->shape_labels;
    uint32_t n = 0;
    for (uint32_t id = 0; id < map->cap; id++) {
        if (map->local[id] != UINT32_MAX) {
            named[n++] = (struct named){id, look(p->source, id)};
        }
    }
    if (count > 1) {
        qsort(named, count, sizeof(*named), compare_named);
    }
    for (uint32_t i = 0; i < count; i++) {
        map->local[named[i].id] = i;
        labels[i] = named[i].labels;
    }
    *labels_out = labels;
    *count_out = count;
    return 0;
}

static const struct part_group *group_of(const struct part_copy *copy)
{
    return &part_groups(copy->part)[copy->group];
}

static uint32_t copy_width(const struct part_copy *copy)
{
    return part_schema(copy->part, group_of(copy)->schema).column_count;
}

static int use_shapes(struct planner *p, const struct column *columns, uint32_t count)
{
    int status = 0;
    for (uint32_t c = 0; status == 0 && c < count; c++) {
        status = use_id(p, &p->shapes, columns[c].shape);
    }
    return status;
}

static int collect_ids(struct planner *p)
{
    int status = 0;
    for (uint32_t t = 0; status == 0 && t < p->source->table_count; t++) {
        const struct part_table *table = &p->source->tables[t];
        status = use_id(p, &p->targets, table->target);
        status = status == 0 ? use_shapes(p, table->columns, table->column_count) : status;
    }
    for (uint32_t i = 0; status == 0 && i < p->source->copy_count; i++) {
        const struct part_copy *copy = &p->source->copies[i];
        for (uint32_t t = 0; status == 0 && t < group_of(copy)->target_count; t++) {
            status = use_id(p, &p->targets, copy->targets[t]);
        }
        status = status == 0 ? use_shapes(p, copy->columns, copy_width(copy)) : status;
    }
    return status;
}

struct column_place {
    struct column column;
    uint32_t from;
};

static int compare_columns(const void *a, const void *b)
{
    const struct column_place *x = a, *y = b;
    if (x->column.shape != y->column.shape) {
        return x->column.shape < y->column.shape ? -1 : 1;
    }
    return (x->column.kind > y->column.kind) - (x->column.kind < y->column.kind);
}

/* The columns of one table, by local shape. */
static int sort_columns(struct planner *p, uint32_t index, struct err *e)
{
    const struct part_table *table = &p->source->tables[index];
    struct sorted_table *s = &p->tables[index];
    uint32_t count = table->column_count;
    uint32_t *slot = &p->sorted[hash_mix64((uint64_t)(uintptr_t)table->columns) % SORTED_SLOTS];
    const struct part_table *like = *slot < index ? &p->source->tables[*slot] : table;
    if (like != table && like->columns == table->columns && like->column_count == count) {
        *s = p->tables[*slot];
        s->table = index;
        s->target = p->targets.local[table->target];
        return 0;
    }
    *slot = index;
    struct column_place *places = mem_calloc(count, sizeof(*places));
    s->columns = arena_calloc(p->arena, count, sizeof(*s->columns));
    s->order = arena_calloc(p->arena, count, sizeof(*s->order));
    if (places == NULL || s->columns == NULL || s->order == NULL) {
        mem_free(places);
        return err_set(e, ERR_NOMEM, -1, "out of memory for the plan of a part");
    }
    for (uint32_t c = 0; c < count; c++) {
        struct column column = table->columns[c];
        column.shape = p->shapes.local[column.shape];
        places[c] = (struct column_place){column, c};
    }
    qsort(places, count, sizeof(*places), compare_columns);
    int status = 0;
    for (uint32_t c = 0; c < count; c++) {
        s->columns[c] = places[c].column;
        s->order[c] = places[c].from;
        if (c > 0 && compare_columns(&places[c - 1], &places[c]) == 0) {
            status = err_set(e, ERR_INVALID, -1, "table %u has a column twice", index);
        }
    }
    mem_free(places);
    s->table = index;
    s->target = p->targets.local[table->target];
    s->column_count = count;
    s->hash = hash64(s->columns, count * sizeof(*s->columns), 0);
    return status;
}

/* The columns of a copy. Shapes of both parts are in label order, so its order is the right one already:
 * its runs refer to columns by their place. */
static int take_columns(struct planner *p, uint32_t index, struct err *e)
{
    const struct part_copy *copy = &p->source->copies[index];
    struct sorted_table *s = &p->tables[p->source->table_count + index];
    uint32_t count = copy_width(copy);
    s->columns = arena_calloc(p->arena, count, sizeof(*s->columns));
    if (s->columns == NULL) {
        return err_set(e, ERR_NOMEM, -1, "out of memory for the plan of a part");
    }
    for (uint32_t c = 0; c < count; c++) {
        s->columns[c] = copy->columns[c];
        s->columns[c].shape = p->shapes.local[copy->columns[c].shape];
        struct column_place before = {s->columns[c > 0 ? c - 1 : 0], 0}, here = {s->columns[c], 0};
        if (c > 0 && compare_columns(&before, &here) >= 0) {
            return err_set(e, ERR_CORRUPT, -1, "%s: shapes are not in the order of their labels",
                part_path(copy->part));
        }
    }
    s->copy = copy;
    s->table = p->source->table_count + index;
    s->target = p->targets.local[copy->targets[0]];
    s->column_count = count;
    s->hash = hash64(s->columns, count * sizeof(*s->columns), 0);
    return 0;
}

/* By schema, then target, then time: what stands together in a group. */
static int compare_tables(const void *a, const void *b)
{
    const struct sorted_table *x = a, *y = b;
    if (x->hash != y->hash) {
        return x->hash < y->hash ? -1 : 1;
    }
    if (x->column_count != y->column_count) {
        return x->column_count < y->column_count ? -1 : 1;
    }
    int order = memcmp(x->columns, y->columns, x->column_count * sizeof(*x->columns));
    if (order != 0) {
        return order;
    }
    if (x->target != y->target) {
        return x->target < y->target ? -1 : 1;
    }
    return x->table < y->table ? -1 : x->table > y->table;
}

static bool same_schema(const struct sorted_table *x, const struct sorted_table *y)
{
    return x->hash == y->hash && x->column_count == y->column_count &&
           memcmp(x->columns, y->columns, x->column_count * sizeof(*x->columns)) == 0;
}

static int number_schemas(struct planner *p, struct part_plan *plan)
{
    uint32_t count = p->table_count, schemas = 0;
    plan->schemas = arena_calloc(p->arena, count, sizeof(*plan->schemas));
    if (plan->schemas == NULL) {
        return arena_error(p->arena);
    }
    for (uint32_t i = 0; i < count; i++) {
        struct sorted_table *t = &p->tables[i];
        if (i == 0 || !same_schema(t, &p->tables[i - 1])) {
            plan->schemas[schemas++] = (struct part_schema){t->columns, t->column_count};
        }
        t->schema = schemas - 1;
    }
    plan->schema_count = schemas;
    return 0;
}

/* ---- Groups ---- */

/* The n-th PART_GROUP_ROWS_MAX rows of a target in tables of one schema. */
struct cut_piece {
    uint32_t cut;
    struct part_piece piece;
};

/* A group is a cut of PART_GROUP_TARGETS_MAX tables at most. */
struct group_maker {
    struct planner *planner;
    struct part_plan *plan;
    uint32_t group_cap;
    struct part_piece *pieces; /* of the group being filled */
    struct cut_piece *cuts;    /* of the schema */
    size_t cut_cap;
};

static int push_group(struct group_maker *m, const struct part_plan_group *g)
{
    struct part_plan *plan = m->plan;
    struct arena *arena = m->planner->arena;
    if (plan->group_count == m->group_cap) {
        uint32_t cap = m->group_cap == 0 ? 64 : m->group_cap * 2;
        struct part_plan_group *grown = arena_calloc(arena, cap, sizeof(*grown));
        if (grown == NULL || cap > PART_GROUPS_MAX) {
            return grown == NULL ? arena_error(arena) : ERR_LIMIT;
        }
        if (plan->group_count > 0) {
            memcpy(grown, plan->groups, plan->group_count * sizeof(*grown));
        }
        plan->groups = grown;
        m->group_cap = cap;
    }
    plan->groups[plan->group_count++] = *g;
    return 0;
}

/* A group as another part has it. */
static int add_copy(struct group_maker *m, const struct sorted_table *t)
{
    const struct part_group *from = group_of(t->copy);
    struct part_piece *pieces =
        arena_calloc(m->planner->arena, from->target_count, sizeof(*pieces));
    if (pieces == NULL) {
        return arena_error(m->planner->arena);
    }
    for (uint32_t i = 0; i < from->target_count; i++) {
        pieces[i].target = m->planner->targets.local[t->copy->targets[i]];
    }
    return push_group(m, &(struct part_plan_group){t->schema, from->target_count, pieces, t->copy,
                             from->min_t, from->max_t});
}

static int flush_group(struct group_maker *m, uint32_t schema, uint32_t piece_count)
{
    struct arena *arena = m->planner->arena;
    struct part_piece *pieces = arena_dup(arena, m->pieces, piece_count * sizeof(*pieces));
    if (pieces == NULL) {
        return arena_error(arena);
    }
    struct part_plan_group g = {schema, piece_count, pieces, NULL, INT64_MAX, INT64_MIN};
    for (uint32_t i = 0; i < piece_count; i++) {
        const struct part_table *table = &m->planner->source->tables[pieces[i].table];
        const int64_t *times = table->times != NULL ? table->times + pieces[i].first_row : NULL;
        int64_t first = times != NULL ? times[0] : table->first_t;
        int64_t last = times != NULL ? times[pieces[i].rows - 1] : table->last_t;
        g.min_t = first < g.min_t ? first : g.min_t;
        g.max_t = last > g.max_t ? last : g.max_t;
    }
    return push_group(m, &g);
}

static int compare_cuts(const void *a, const void *b)
{
    const struct cut_piece *x = a, *y = b;
    if (x->cut != y->cut) {
        return x->cut < y->cut ? -1 : 1;
    }
    if (x->piece.target != y->piece.target) {
        return x->piece.target < y->piece.target ? -1 : 1;
    }
    return x->piece.table < y->piece.table ? -1 : x->piece.table > y->piece.table;
}

/* Cuts the tables [from, to), all of one schema. The cuts of a target are counted through all of its
 * tables, which stand in order of time, so that a group has one stretch of each. */
static int cut_tables(struct group_maker *m, uint32_t from, uint32_t to, size_t *count_out)
{
    uint32_t cut = 0;
    int status = 0;
    *count_out = 0;
    for (uint32_t i = from; status == 0 && i < to; i++) {
        const struct sorted_table *t = &m->planner->tables[i];
        uint32_t rows = t->copy == NULL ? m->planner->source->tables[t->table].row_count : 0;
        cut = i > from && t[-1].target == t->target ? cut : 0;
        for (uint32_t row = 0; status == 0 && row < rows; row += PART_GROUP_ROWS_MAX) {
            uint32_t left = rows - row;
            status = mem_array_grow(
                (void **)&m->cuts, &m->cut_cap, *count_out + 1, sizeof(*m->cuts), PART_IDS_MAX);
            if (status == 0) {
                struct part_piece piece = {t->table, t->target, row,
                    left < PART_GROUP_ROWS_MAX ? left : PART_GROUP_ROWS_MAX, t->order};
                m->cuts[(*count_out)++] = (struct cut_piece){cut++, piece};
            }
        }
    }
    return status;
}

/* The groups of tables [from, to), all of one schema. */
static int cut_groups(struct group_maker *m, uint32_t from, uint32_t to)
{
    uint32_t schema = m->planner->tables[from].schema, filled = 0;
    size_t count = 0;
    int status = cut_tables(m, from, to, &count);
    if (status == 0 && count > 1) {
        qsort(m->cuts, count, sizeof(*m->cuts), compare_cuts);
    }
    for (size_t i = 0; status == 0 && i < count; i++) {
        m->pieces[filled++] = m->cuts[i].piece;
        bool last = i + 1 == count || m->cuts[i + 1].cut != m->cuts[i].cut;
        if (last || filled == PART_GROUP_TARGETS_MAX) {
            status = flush_group(m, schema, filled);
            filled = 0;
        }
    }
    for (uint32_t i = from; status == 0 && i < to; i++) {
        const struct sorted_table *t = &m->planner->tables[i];
        status = t->copy != NULL ? add_copy(m, t) : 0;
    }
    return status;
}

static int compare_groups(const void *a, const void *b)
{
    const struct part_plan_group *x = a, *y = b;
    if (x->min_t != y->min_t) {
        return x->min_t < y->min_t ? -1 : 1;
    }
    if (x->schema != y->schema) {
        return x->schema < y->schema ? -1 : 1;
    }
    return x->pieces[0].target < y->pieces[0].target ? -1
                                                     : x->pieces[0].target > y->pieces[0].target;
}

static int make_groups(struct planner *p, struct part_plan *plan)
{
    struct group_maker m = {.planner = p, .plan = plan};
    m.pieces = mem_calloc(PART_GROUP_TARGETS_MAX, sizeof(*m.pieces));
    int status = m.pieces == NULL ? ERR_NOMEM : 0;
    uint32_t count = p->table_count;
    for (uint32_t from = 0, to; status == 0 && from < count; from = to) {
        for (to = from + 1; to < count && p->tables[to].schema == p->tables[from].schema; to++) {
        }
        status = cut_groups(&m, from, to);
    }
    mem_free(m.pieces);
    mem_free(m.cuts);
    if (status == 0 && plan->group_count > 1) {
        qsort(plan->groups, plan->group_count, sizeof(*plan->groups), compare_groups);
    }
    return status;
}

static int check_times(const struct part_source *source, struct err *e)
{
    for (uint32_t t = 0; t < source->table_count; t++) {
        const struct part_table *table = &source->tables[t];
        bool good = table->row_count > 0 && table->column_count > 0 &&
                    table->column_count <= TABLE_COLUMNS_MAX &&
                    (table->times != NULL || (source->ops->group_times != NULL &&
                                                 table->row_count <= PART_GROUP_ROWS_MAX));
        for (uint32_t i = 1; good && table->times != NULL && i < table->row_count; i++) {
            good = table->times[i - 1] < table->times[i];
        }
        if (!good) {
            return err_set(e, ERR_INVALID, -1, "table %u of the source breaks its rules", t);
        }
    }
    return 0;
}

int part_plan_make(
    struct part_source *source, struct arena *arena, struct part_plan *plan_out, struct err *e)
{
    struct planner p = {.source = source, .arena = arena};
    struct part_plan plan = {0};
    int status = check_times(source, e);
    if (status != 0) {
        return status;
    }
    if (source->copy_count > UINT32_MAX - source->table_count) {
        return err_set(e, ERR_LIMIT, -1, "the plan of a part: too many tables");
    }
    p.table_count = source->table_count + source->copy_count;
    memset(p.sorted, 0xff, sizeof(p.sorted));
    p.tables = arena_calloc(arena, p.table_count, sizeof(*p.tables));
    status = p.tables == NULL ? arena_error(arena) : collect_ids(&p);
    if (status == 0) {
        status = number_ids(&p, &p.targets, true, &plan.targets, &plan.target_count);
    }
    if (status == 0) {
        status = number_ids(&p, &p.shapes, false, &plan.shapes, &plan.shape_count);
    }
    for (uint32_t t = 0; status == 0 && t < source->table_count; t++) {
        status = sort_columns(&p, t, e);
        if (status == ERR_INVALID) {
            return status;
        }
    }
    for (uint32_t i = 0; status == 0 && i < source->copy_count; i++) {
        status = take_columns(&p, i, e);
        if (status == ERR_CORRUPT) {
            return status;
        }
    }
    if (status == 0 && p.table_count > 1) {
        qsort(p.tables, p.table_count, sizeof(*p.tables), compare_tables);
    }
    status = status == 0 ? number_schemas(&p, &plan) : status;
    status = status == 0 ? make_groups(&p, &plan) : status;
    if (status != 0) {
        return err_set(e, status, -1, "the plan of a part cannot be made: %s", err_text(status));
    }
    *plan_out = plan;
    return 0;
}
