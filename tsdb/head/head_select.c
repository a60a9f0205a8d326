/* Rectangles of the index to columns of tables. */
#include "base/mem.h"
#include "head/head_private.h"

struct selecting {
    struct head *h;
    const struct index_rectangle *rectangle;
    const struct read_point *point;
    int64_t min_t, max_t;
    const uint32_t *shapes;
    size_t shape_count;
    int (*callback)(void *context, const struct head_match *match);
    void *context;
};

/* Few shapes: ask the table for each. Copies what it finds, so that no lock is held outside. */
static int select_by_shape(const struct selecting *s, struct table *t)
{
    int status = 0;
    for (size_t i = 0; status == 0 && i < s->shape_count; i++) {
        for (int kind = COLUMN_FLOAT; status == 0 && kind <= COLUMN_HISTOGRAM; kind++) {
            lock_take(&t->lock);
            uint32_t column = table_find_column(t, s->shapes[i], (enum column_kind)kind);
            lock_give(&t->lock);
            if (column != UINT32_MAX) {
                struct head_match match = {
                    t, t->target, s->shapes[i], column, (enum column_kind)kind};
                status = s->callback(s->context, &match);
            }
        }
    }
    return status;
}

/* Many shapes: ask the set for each column. */
static int select_by_column(const struct selecting *s, struct table *t)
{
    lock_take(&t->lock);
    uint32_t count = t->column_count;
    struct column *columns = mem_dup(t->columns, count * sizeof(*columns));
    lock_give(&t->lock);
    int status = columns != NULL ? 0 : ERR_NOMEM;
    for (uint32_t i = 0; status == 0 && i < count; i++) {
        if (id_set_has(s->rectangle->shapes, columns[i].shape)) {
            struct head_match match = {
                t, t->target, columns[i].shape, i, (enum column_kind)columns[i].kind};
            status = s->callback(s->context, &match);
        }
    }
    mem_free(columns);
    return status;
}

/* Shapes up to which a table is asked for each, and targets up to which each is. */
enum { SELECT_SHAPES_FEW = 64, SELECT_TARGETS_FEW = 64 };

static int select_table(const struct selecting *s, struct table *t)
{
    int64_t min_t = 0, max_t = 0;
    if (!table_extent(t, s->point, &min_t, &max_t) || min_t > s->max_t || max_t < s->min_t) {
        return 0;
    }
    return s->shape_count <= SELECT_SHAPES_FEW ? select_by_shape(s, t) : select_by_column(s, t);
}

/* Many targets: look at each table. */
static int select_by_table(const struct selecting *s)
{
    uint32_t count = atomic_load_explicit(&s->h->table_count, memory_order_acquire);
    int status = 0;
    for (uint32_t i = 0; status == 0 && i < count; i++) {
        struct table *t = head_table(s->h, i);
        if (id_set_has(s->rectangle->targets, t->target)) {
            status = select_table(s, t);
        }
    }
    return status;
}

/* The first table of a target, + 1; 0 = it has none. */
static uint32_t first_table(struct head *h, uint32_t target)
{
    uint32_t first = 0;
    lock_take(&h->registry_lock);
    if (target < h->target_count) {
        const struct target_tables *tables = stable_array_at(&h->targets, target);
        first = tables->first;
    }
    lock_give(&h->registry_lock);
    return first;
}

static uint32_t next_table(struct head *h, const struct table *t)
{
    lock_take(&h->registry_lock);
    uint32_t next = t->next_of_target;
    lock_give(&h->registry_lock);
    return next;
}

/* Few targets: look at the tables of each. */
static int select_by_target(const struct selecting *s, const uint32_t *targets, size_t count)
{
    int status = 0;
    for (size_t i = 0; status == 0 && i < count; i++) {
        uint32_t id = first_table(s->h, targets[i]);
        while (status == 0 && id != 0) {
            struct table *t = head_table(s->h, id - 1);
            status = select_table(s, t);
            id = next_table(s->h, t);
        }
    }
    return status;
}

static int select_all(const struct selecting *s)
{
    uint32_t targets[SELECT_TARGETS_FEW];
    uint64_t count = id_set_count(s->rectangle->targets);
    if (count > SELECT_TARGETS_FEW) {
        return select_by_table(s);
    }
    id_set_to_array(s->rectangle->targets, targets);
    return select_by_target(s, targets, count);
}

int head_select(struct head *h, const struct index_rectangle *rectangle,
    const struct read_point *point, int64_t min_t, int64_t max_t,
    int (*callback)(void *context, const struct head_match *match), void *context)
{
    struct selecting s = {.h = h,
        .rectangle = rectangle,
        .point = point,
        .min_t = min_t,
        .max_t = max_t,
        .callback = callback,
        .context = context};
    s.shape_count = id_set_count(rectangle->shapes);
    uint32_t *shapes = NULL;
    if (s.shape_count <= SELECT_SHAPES_FEW) {
        shapes = mem_alloc(SELECT_SHAPES_FEW * sizeof(*shapes));
        if (shapes == NULL) {
            return ERR_NOMEM;
        }
        id_set_to_array(rectangle->shapes, shapes);
        s.shapes = shapes;
    }
    int status = select_all(&s);
    mem_free(shapes);
    return status;
}
