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

struct id_map {
    uint32_t *local; /* by the source's id; UINT32_MAX = not used */
    uint32_t cap;
};

/* A table with its columns as sorted local shapes. */
struct sorted_table {
    uint32_t table, target, schema;
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

static int collect_ids(struct planner *p)
{
    int status = 0;
    for (uint32_t t = 0; status == 0 && t < p->source->table_count; t++) {
        const struct part_table *table = &p->source->tables[t];
        status = use_id(p, &p->targets, table->target);
        for (uint32_t c = 0; status == 0 && c < table->column_count; c++) {
            status = use_id(p, &p->shapes, table->columns[c].shape);
        }
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
    uint32_t count = p->source->table_count, schemas = 0;
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

/* How many groups a run of tables of one schema needs: each cut of PART_GROUP_ROWS_MAX rows, over
 * PART_GROUP_TARGETS_MAX tables that reach so far. */
struct group_maker {
    struct planner *planner;
    struct part_plan *plan;
    uint32_t group_cap;
    struct part_piece *pieces; /* of the group being filled */
};

static int flush_group(struct group_maker *m, uint32_t schema, uint32_t piece_count)
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
    struct part_piece *pieces = arena_dup(arena, m->pieces, piece_count * sizeof(*pieces));
    if (pieces == NULL) {
        return arena_error(arena);
    }
    struct part_plan_group g = {schema, piece_count, pieces, INT64_MAX, INT64_MIN};
    for (uint32_t i = 0; i < piece_count; i++) {
        const int64_t *times = m->planner->source->tables[pieces[i].table].times;
        int64_t first = times[pieces[i].first_row];
        int64_t last = times[pieces[i].first_row + pieces[i].rows - 1];
        g.min_t = first < g.min_t ? first : g.min_t;
        g.max_t = last > g.max_t ? last : g.max_t;
    }
    plan->groups[plan->group_count++] = g;
    return 0;
}

/* The groups of tables [from, to), all of one schema. */
static int cut_groups(struct group_maker *m, uint32_t from, uint32_t to)
{
    uint32_t reached = 1;
    int status = 0;
    for (uint32_t first_row = 0; status == 0 && reached > 0; first_row += PART_GROUP_ROWS_MAX) {
        uint32_t filled = 0;
        reached = 0;
        for (uint32_t i = from; status == 0 && i < to; i++) {
            const struct sorted_table *t = &m->planner->tables[i];
            uint32_t rows = m->planner->source->tables[t->table].row_count;
            if (rows <= first_row) {
                continue;
            }
            uint32_t left = rows - first_row;
            m->pieces[filled++] = (struct part_piece){t->table, t->target, first_row,
                left < PART_GROUP_ROWS_MAX ? left : PART_GROUP_ROWS_MAX, t->order};
            reached++;
            if (filled == PART_GROUP_TARGETS_MAX) {
                status = flush_group(m, t->schema, filled);
                filled = 0;
            }
        }
        if (status == 0 && filled > 0) {
            status = flush_group(m, m->planner->tables[from].schema, filled);
        }
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
    uint32_t count = p->source->table_count;
    for (uint32_t from = 0, to; status == 0 && from < count; from = to) {
        for (to = from + 1; to < count && p->tables[to].schema == p->tables[from].schema; to++) {
        }
        status = cut_groups(&m, from, to);
    }
    mem_free(m.pieces);
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
                    table->column_count <= TABLE_COLUMNS_MAX;
        for (uint32_t i = 1; good && i < table->row_count; i++) {
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
    p.tables = arena_calloc(arena, source->table_count, sizeof(*p.tables));
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
    if (status == 0 && source->table_count > 1) {
        qsort(p.tables, source->table_count, sizeof(*p.tables), compare_tables);
    }
    status = status == 0 ? number_schemas(&p, &plan) : status;
    status = status == 0 ? make_groups(&p, &plan) : status;
    if (status != 0) {
        return err_set(e, status, -1, "the plan of a part cannot be made: %s", err_text(status));
    }
    *plan_out = plan;
    return 0;
}
