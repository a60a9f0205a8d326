/* Rectangles of the index to columns of tables.
 *
 * A table is asked for each shape when those are few, else each of its columns is looked up among the
 * shapes, which are plain bits then: a million columns are gone through in a few milliseconds.
 */
#include "base/mem.h"
#include "head/head_private.h"

/* Shapes up to which a table is asked for each, and targets up to which each is. */
enum { SELECT_SHAPES_FEW = 64, SELECT_TARGETS_FEW = 64 };

struct selecting {
    struct head *h;
    const struct head_selection *asked;
    uint32_t few[SELECT_SHAPES_FEW]; /* the shapes when they are few */
    size_t few_count;
    bool is_few;
    struct id_bits shapes; /* else */
};

/* A pair of ids that the asker knows both of. */
static bool is_known(const struct selecting *s, uint32_t target, uint32_t shape)
{
    const struct head_selection *a = s->asked;
    return a->known_targets != NULL && id_bits_has(a->known_targets, target) &&
           id_bits_has(a->known_shapes, shape);
}

static int select_by_shape(const struct selecting *s, struct table *t, struct head_match *match)
{
    int status = 0;
    for (size_t i = 0; status == 0 && i < s->few_count; i++) {
        uint32_t columns[COLUMN_HISTOGRAM + 1];
        match->shape = s->few[i];
        if (is_known(s, t->target, match->shape)) {
            continue;
        }
        lock_take(&t->lock);
        for (int kind = COLUMN_FLOAT; kind <= COLUMN_HISTOGRAM; kind++) {
            columns[kind] = table_find_column(t, match->shape, (enum column_kind)kind);
        }
        lock_give(&t->lock);
        for (int kind = COLUMN_FLOAT; status == 0 && kind <= COLUMN_HISTOGRAM; kind++) {
            if (columns[kind] != UINT32_MAX) {
                match->column = columns[kind];
                match->kind = (enum column_kind)kind;
                status = s->asked->callback(s->asked->context, match);
            }
        }
    }
    return status;
}

/* Columns that are copied out of a table at a time. */
enum { BATCH_COLUMNS = 64 };

struct batch {
    struct column columns[BATCH_COLUMNS];
    uint32_t positions[BATCH_COLUMNS];
    uint32_t count;
    uint32_t next; /* column to go on from */
};

/* The next columns that are asked for; false at the end. Takes the lock. */
static bool next_batch(const struct selecting *s, struct table *t, struct batch *batch)
{
    batch->count = 0;
    lock_take(&t->lock);
    while (batch->next < t->column_count && batch->count < BATCH_COLUMNS) {
        uint32_t i = batch->next++;
        struct column column = t->columns[i];
        if (id_bits_has(&s->shapes, column.shape) && !is_known(s, t->target, column.shape)) {
            batch->columns[batch->count] = column;
            batch->positions[batch->count++] = i;
        }
    }
    lock_give(&t->lock);
    return batch->count > 0;
}

static int select_by_column(const struct selecting *s, struct table *t, struct head_match *match)
{
    struct batch batch = {.next = 0};
    int status = 0;
    while (status == 0 && next_batch(s, t, &batch)) {
        for (uint32_t i = 0; status == 0 && i < batch.count; i++) {
            match->shape = batch.columns[i].shape;
            if (is_known(s, t->target, match->shape)) {
                continue; // since a moment ago
            }
            match->column = batch.positions[i];
            match->kind = (enum column_kind)batch.columns[i].kind;
            status = s->asked->callback(s->asked->context, match);
        }
    }
    return status;
}

static int select_table(const struct selecting *s, struct table *t)
{
    const struct head_selection *a = s->asked;
    struct head_match match = {.table = t, .target = t->target};
    if (!table_extent(t, a->point, &match.min_t, &match.max_t) || match.min_t > a->max_t ||
        match.max_t < a->min_t) {
        return 0;
    }
    return s->is_few ? select_by_shape(s, t, &match) : select_by_column(s, t, &match);
}

/* Many targets: look at each table. */
static int select_by_table(const struct selecting *s)
{
    uint32_t count = atomic_load_explicit(&s->h->table_count, memory_order_acquire);
    int status = 0;
    for (uint32_t i = 0; status == 0 && i < count; i++) {
        struct table *t = head_table(s->h, i);
        if (t != NULL && id_set_has(s->asked->rectangle->targets, t->target)) {
            status = select_table(s, t);
        }
    }
    return status;
}

/* The table after `t` of a target, or the first one; NULL at the end. */
static struct table *next_table(struct head *h, uint32_t target, const struct table *t)
{
    uint32_t next = 0;
    lock_take(&h->registry_lock);
    if (t != NULL) {
        next = t->next_of_target;
    } else if (target < h->target_count) {
        const struct target_tables *tables = stable_array_at(&h->targets, target);
        next = tables->first;
    }
    struct table *found = next != 0 ? head_table(h, next - 1) : NULL;
    lock_give(&h->registry_lock);
    return found;
}

/* Few targets: look at the tables of each. */
static int select_by_target(const struct selecting *s, const uint32_t *targets, size_t count)
{
    int status = 0;
    for (size_t i = 0; status == 0 && i < count; i++) {
        struct table *t = NULL;
        while (status == 0 && (t = next_table(s->h, targets[i], t)) != NULL) {
            status = select_table(s, t);
        }
    }
    return status;
}

/* Finding a target's tables costs about as much as looking at so many tables in a row. */
enum { TABLES_PER_TARGET = 8 };

static int select_all(const struct selecting *s)
{
    uint32_t few[SELECT_TARGETS_FEW];
    uint64_t count = id_set_count(s->asked->rectangle->targets);
    uint32_t tables = atomic_load_explicit(&s->h->table_count, memory_order_acquire);
    if (count > SELECT_TARGETS_FEW && count > tables / TABLES_PER_TARGET) {
        return select_by_table(s);
    }
    uint32_t *targets =
        count > SELECT_TARGETS_FEW ? mem_alloc((size_t)count * sizeof(*targets)) : few;
    if (targets == NULL) {
        return ERR_NOMEM;
    }
    id_set_to_array(s->asked->rectangle->targets, targets);
    int status = select_by_target(s, targets, (size_t)count);
    if (targets != few) {
        mem_free(targets);
    }
    return status;
}

int head_select(struct head *h, const struct head_selection *selection)
{
    struct selecting s = {.h = h, .asked = selection};
    const struct id_set *shapes = selection->rectangle->shapes;
    uint64_t count = id_set_count(shapes);
    s.is_few = count <= SELECT_SHAPES_FEW;
    if (s.is_few) {
        s.few_count = count;
        id_set_to_array(shapes, s.few);
    } else {
        /* Shapes that are made from now on are not of the rectangle. */
        int status = id_bits_init(&s.shapes, index_count(h->options.index, INDEX_SHAPES));
        if (status != 0) {
            return status;
        }
        id_bits_add_set(&s.shapes, shapes);
    }
    int status = select_all(&s);
    id_bits_release(&s.shapes);
    return status;
}
