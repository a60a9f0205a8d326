/* Opening parts and mapping their ids; see the header. */
#include "db/store_part.h"

#include <stdlib.h>

#include "base/mem.h"
#include "tier/tier_columns.h"

/* What a shape of the dictionary is, by its local id. */
struct mapped_shape {
    uint32_t series_shape;
    uint32_t aggregate;
};

struct mapping {
    struct store_part *part;
    const struct store_indexes *indexes;
    struct mapped_shape *shapes;
};

static int map_target(void *context, uint32_t target, const struct label *labels, size_t count)
{
    struct mapping *m = context;
    return index_add(m->indexes->series, INDEX_TARGETS, labels, count, &m->part->targets[target]);
}

static int map_shape(void *context, uint32_t shape, const struct label *labels, size_t count)
{
    struct mapping *m = context;
    uint32_t *id = &m->part->shapes[shape];
    int status = index_add(m->indexes->series, INDEX_SHAPES, labels, count, id);
    m->shapes[shape].series_shape = *id;
    return status;
}

static int map_tier_shape(void *context, uint32_t shape, const struct label *labels, size_t count)
{
    struct mapping *m = context;
    struct label pairs[LABELS_COUNT_MAX];
    enum tier_aggregate aggregate;
    struct mapped_shape *mapped = &m->shapes[shape];
    int kept = count <= LABELS_COUNT_MAX ? tier_shape_split(labels, count, pairs, &aggregate)
                                         : ERR_CORRUPT;
    int status = kept < 0 ? kept : 0;
    mapped->series_shape = SHAPE_OF_ALL;
    if (status == 0) {
        mapped->aggregate = aggregate;
        status = index_add(
            m->indexes->tier_shapes, INDEX_SHAPES, labels, count, &m->part->shapes[shape]);
    }
    if (status == 0 && aggregate < TIER_ALL_COUNT) {
        status =
            index_add(m->indexes->series, INDEX_SHAPES, pairs, (size_t)kept, &mapped->series_shape);
    }
    return status;
}

static int compare_columns(const void *a, const void *b)
{
    const struct schema_column *x = a, *y = b;
    if (x->shape != y->shape) {
        return x->shape < y->shape ? -1 : 1;
    }
    return (int)x->kind - (int)y->kind;
}

static int map_schema(struct store_part *p, const struct mapped_shape *shapes, uint32_t id)
{
    struct part_schema schema = part_schema(p->part, id);
    struct schema_map *map = &p->schemas[id];
    map->columns = mem_calloc(schema.column_count + 1u, sizeof(*map->columns));
    if (map->columns == NULL) {
        return ERR_NOMEM;
    }
    map->count = schema.column_count;
    for (uint32_t i = 0; i < schema.column_count; i++) {
        uint32_t shape = schema.columns[i].shape;
        map->columns[i] = (struct schema_column){.shape = p->shapes[shape],
            .kind = (uint16_t)schema.columns[i].kind,
            .column = (uint16_t)i,
            .series_shape = shapes[shape].series_shape,
            .aggregate = shapes[shape].aggregate};
    }
    qsort(map->columns, map->count, sizeof(*map->columns), compare_columns);
    return 0;
}

static int map_ids(struct store_part *p, const struct store_indexes *indexes, struct err *e)
{
    const struct part_info *info = part_info(p->part);
    p->targets = mem_calloc(info->target_count + 1u, sizeof(*p->targets));
    p->shapes = mem_calloc(info->shape_count + 1u, sizeof(*p->shapes));
    p->schemas = mem_calloc(info->schema_count + 1u, sizeof(*p->schemas));
    if (p->targets == NULL || p->shapes == NULL || p->schemas == NULL) {
        return ERR_NOMEM;
    }
    p->schema_count = info->schema_count;
    struct mapping mapping = {.part = p, .indexes = indexes};
    mapping.shapes = mem_calloc(info->shape_count + 1u, sizeof(*mapping.shapes));
    if (mapping.shapes == NULL) {
        return ERR_NOMEM;
    }
    const struct part_dictionary_handler handler = {
        &mapping, map_target, p->about.tier == STORE_RAW ? map_shape : map_tier_shape};
    int status = part_read_dictionary(p->part, &handler, e);
    for (uint32_t i = 0; status == 0 && i < info->schema_count; i++) {
        status = map_schema(p, mapping.shapes, i);
    }
    mem_free(mapping.shapes);
    return status;
}

/* Holds all ids of the part, or lets go of them. Those of the series of a tier are held by column. */
static void hold_ids(struct store_part *p, bool hold)
{
    void (*change)(struct index *, enum index_side, const uint32_t *, size_t) =
        hold ? index_hold : index_unhold;
    const struct part_info *info = part_info(p->part);
    bool raw = p->about.tier == STORE_RAW;
    change(p->indexes.series, INDEX_TARGETS, p->targets, info->target_count);
    change(raw ? p->indexes.series : p->indexes.tier_shapes, INDEX_SHAPES, p->shapes,
        info->shape_count);
    for (uint32_t s = 0; !raw && s < p->schema_count; s++) {
        for (uint32_t i = 0; i < p->schemas[s].count; i++) {
            uint32_t shape = p->schemas[s].columns[i].series_shape;
            change(p->indexes.series, INDEX_SHAPES, &shape, shape != SHAPE_OF_ALL);
        }
    }
    p->holds = hold;
}

int store_part_open(struct vfs *fs, const char *path, struct part_cache *cache,
    const struct store_indexes *indexes, const struct manifest_part *about,
    struct store_part **part_out, struct err *e)
{
    struct store_part *p = mem_calloc(1, sizeof(*p));
    if (p == NULL) {
        return err_set(e, ERR_NOMEM, -1, "out of memory for part %s", path);
    }
    atomic_init(&p->references, 1);
    lock_init(&p->damage_lock, LOCK_RANK_LEAF);
    p->about = *about;
    p->indexes = *indexes;
    int status = part_open(fs, path, cache, &p->part, e);
    if (status == 0) {
        const struct part_origin *origin = &part_info(p->part)->origin;
        p->about.precedence_first =
            origin->precedence > 0 ? origin->precedence_first : about->precedence;
        status = map_ids(p, indexes, e);
    }
    if (status == 0) {
        hold_ids(p, true);
    } else {
        store_part_unref(p);
        return e != NULL && e->code == status
                   ? status
                   : err_set(e, status, -1, "part %s cannot be opened: %s", path, err_text(status));
    }
    *part_out = p;
    return 0;
}

const struct schema_column *schema_map_find(
    const struct schema_map *schema, uint32_t shape, uint32_t kind)
{
    uint32_t low = 0, high = schema->count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        const struct schema_column *c = &schema->columns[middle];
        if (c->shape < shape || (c->shape == shape && c->kind < kind)) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    bool found = low < schema->count && schema->columns[low].shape == shape &&
                 schema->columns[low].kind == kind;
    return found ? &schema->columns[low] : NULL;
}

struct store_part *store_part_ref(struct store_part *p)
{
    atomic_fetch_add_explicit(&p->references, 1, memory_order_relaxed);
    return p;
}

void store_part_unref(struct store_part *p)
{
    if (p == NULL || atomic_fetch_sub_explicit(&p->references, 1, memory_order_acq_rel) != 1) {
        return;
    }
    if (p->holds) {
        hold_ids(p, false);
    }
    part_unref(p->part);
    for (uint32_t i = 0; i < p->schema_count; i++) {
        mem_free(p->schemas[i].columns);
    }
    lock_release(&p->damage_lock);
    mem_free(p->damaged);
    mem_free(p->schemas);
    mem_free(p->targets);
    mem_free(p->shapes);
    mem_free(p);
}

void store_part_add_damage(struct store_part *p, uint32_t group, uint32_t column)
{
    lock_take(&p->damage_lock);
    uint32_t count = atomic_load_explicit(&p->damaged_count, memory_order_relaxed);
    /* Without memory it stays an error. */
    if (mem_array_grow((void **)&p->damaged, &p->damaged_cap, count + 1u, sizeof(*p->damaged),
            DAMAGED_RUNS_MAX) == 0) {
        p->damaged[count] = (struct damaged_run){group, column};
        atomic_store_explicit(&p->damaged_count, count + 1, memory_order_relaxed);
    }
    lock_give(&p->damage_lock);
}

bool store_part_is_damaged(struct store_part *p, uint32_t group, uint32_t column)
{
    if (atomic_load_explicit(&p->damaged_count, memory_order_relaxed) == 0) {
        return false;
    }
    bool found = false;
    lock_take(&p->damage_lock);
    uint32_t count = atomic_load_explicit(&p->damaged_count, memory_order_relaxed);
    for (uint32_t i = 0; !found && i < count; i++) {
        found = p->damaged[i].group == group && p->damaged[i].column == column;
    }
    lock_give(&p->damage_lock);
    return found;
}

int store_part_damage(
    struct store_part *p, struct arena *arena, struct damaged_run **runs_out, size_t *count_out)
{
    if (atomic_load_explicit(&p->damaged_count, memory_order_relaxed) == 0) {
        return 0;
    }
    int status = 0;
    lock_take(&p->damage_lock);
    uint32_t count = atomic_load_explicit(&p->damaged_count, memory_order_relaxed);
    struct damaged_run *copy = arena_dup(arena, p->damaged, count * sizeof(*copy));
    lock_give(&p->damage_lock);
    if (copy == NULL) {
        status = arena_error(arena);
    } else {
        *runs_out = copy;
        *count_out = count;
    }
    return status;
}
