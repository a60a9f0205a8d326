/* Rectangles of the index to columns of tables.
 *
 * A table is asked for each shape when those are few, else each of its columns is looked up among the
 * shapes, which are plain bits then: a million columns are gone through in a few milliseconds.
 *
 * Who asks which ids take part is answered sooner. Of a target that is known to take part only the
 * shapes that are still missing are looked for, and of one that is not yet any column will do. So a
 * thousand targets with the same shapes cost about a column each, and not all of them.
 */
#include "base/mem.h"
#include "head/head_private.h"

/* Shapes up to which a table is asked for each, and targets up to which each is. */
enum { SELECT_SHAPES_FEW = 64, SELECT_TARGETS_FEW = 64 };

/* Shapes to look for. */
struct sought {
    uint64_t count;
    uint32_t few[SELECT_SHAPES_FEW]; /* all of them, ascending, when they are so few */
    struct id_bits bits;             /* else */
};

struct selecting {
    struct head *h;
    const struct head_selection *asked;
    struct sought shapes;  /* the rectangle's */
    struct sought missing; /* those not known to take part; only when the asker knows some */
};

/* ---- Shapes ---- */

static bool is_few(const struct sought *s)
{
    return s->count <= SELECT_SHAPES_FEW;
}

static void list_few(struct sought *s)
{
    uint32_t count = 0;
    for (uint32_t word = 0; word < (s->bits.count + 63) / 64; word++) {
        for (uint64_t left = s->bits.words[word]; left != 0; left &= left - 1) {
            s->few[count++] = word * 64 + (uint32_t)__builtin_ctzll(left);
        }
    }
}

/* Shapes that are made from now on are not of the rectangle. */
static int sought_init(struct sought *s, const struct head *h, const struct id_set *shapes)
{
    *s = (struct sought){.count = id_set_count(shapes)};
    if (is_few(s)) {
        id_set_to_array(shapes, s->few);
        return 0;
    }
    int status = id_bits_init(&s->bits, index_count(h->options.index, INDEX_SHAPES));
    if (status == 0) {
        id_bits_add_set(&s->bits, shapes);
    }
    return status;
}

static void sought_release(struct sought *s)
{
    id_bits_release(&s->bits);
}

/* Takes out one that may be in it. */
static void sought_remove(struct sought *s, uint32_t shape)
{
    if (!is_few(s)) {
        if (id_bits_has(&s->bits, shape)) {
            id_bits_remove(&s->bits, shape);
            s->count--;
            if (is_few(s)) {
                list_few(s);
            }
        }
        return;
    }
    uint32_t kept = 0;
    for (uint32_t i = 0; i < s->count; i++) {
        s->few[kept] = s->few[i];
        kept += s->few[i] != shape;
    }
    s->count = kept;
}

/* Takes out those of `known`. */
static void sought_remove_all(struct sought *s, const struct id_bits *known)
{
    if (is_few(s)) {
        uint32_t kept = 0;
        for (uint32_t i = 0; i < s->count; i++) {
            s->few[kept] = s->few[i];
            kept += !id_bits_has(known, s->few[i]);
        }
        s->count = kept;
        return;
    }
    uint64_t left = 0;
    for (uint32_t word = 0; word < (s->bits.count + 63) / 64; word++) {
        uint64_t there = word < (known->count + 63) / 64 ? known->words[word] : 0;
        s->bits.words[word] &= ~there;
        left += (uint64_t)__builtin_popcountll(s->bits.words[word]);
    }
    s->count = left;
    if (is_few(s)) {
        list_few(s);
    }
}

/* ---- Columns of one table ---- */

static bool target_is_known(const struct selecting *s, uint32_t target)
{
    return s->asked->known_targets != NULL && id_bits_has(s->asked->known_targets, target);
}

/* Tells the asker of a column. */
static int tell(struct selecting *s, const struct head_match *match)
{
    int status = s->asked->callback(s->asked->context, match);
    if (s->asked->known_shapes != NULL && id_bits_has(s->asked->known_shapes, match->shape)) {
        sought_remove(&s->missing, match->shape);
    }
    return status;
}

/* Columns of a table that are looked for, told one after the other. */
struct walk {
    struct table *table;
    struct head_match match;
    /* What is looked for: all shapes, until the target is known, or the missing ones. The latter become fewer
     * meanwhile, never more. */
    const struct sought *shapes;
    bool until_known;
};

static bool is_done(const struct selecting *s, const struct walk *w)
{
    return w->until_known && target_is_known(s, w->match.target);
}

static int tell_kinds(struct selecting *s, struct walk *w, uint32_t shape)
{
    uint32_t columns[COLUMN_HISTOGRAM + 1];
    int status = 0;
    lock_take(&w->table->lock);
    for (int kind = COLUMN_FLOAT; kind <= COLUMN_HISTOGRAM; kind++) {
        columns[kind] = table_find_column(w->table, shape, (enum column_kind)kind);
    }
    lock_give(&w->table->lock);
    w->match.shape = shape;
    for (int kind = COLUMN_FLOAT; status == 0 && kind <= COLUMN_HISTOGRAM; kind++) {
        if (columns[kind] != UINT32_MAX) {
            w->match.column = columns[kind];
            w->match.kind = (enum column_kind)kind;
            status = tell(s, &w->match);
        }
    }
    return status;
}

static int select_by_shape(struct selecting *s, struct walk *w)
{
    uint32_t shapes[SELECT_SHAPES_FEW];
    uint64_t count = w->shapes->count;
    int status = 0;
    memcpy(shapes, w->shapes->few, count * sizeof(*shapes));
    for (uint64_t i = 0; status == 0 && i < count && !is_done(s, w); i++) {
        status = tell_kinds(s, w, shapes[i]);
    }
    return status;
}

/* Columns that are copied out of a table at a time; fewer where one is likely to be enough. */
enum { BATCH_COLUMNS = 64, BATCH_COLUMNS_FEW = 4 };

struct batch {
    struct column columns[BATCH_COLUMNS];
    uint32_t positions[BATCH_COLUMNS];
    uint32_t count;
    uint32_t next; /* column to go on from */
};

/* The next columns that are looked for; false at the end. Takes the lock. */
static bool next_batch(const struct walk *w, struct batch *batch)
{
    const uint32_t room = w->until_known ? BATCH_COLUMNS_FEW : BATCH_COLUMNS;
    const struct table *t = w->table;
    batch->count = 0;
    lock_take(&w->table->lock);
    while (batch->next < t->column_count && batch->count < room) {
        uint32_t i = batch->next++;
        struct column column = t->columns[i];
        if (id_bits_has(&w->shapes->bits, column.shape)) {
            batch->columns[batch->count] = column;
            batch->positions[batch->count++] = i;
        }
    }
    lock_give(&w->table->lock);
    return batch->count > 0;
}

/* Missing shapes that become few while a batch is told are still found by their bits. */
static int select_by_column(struct selecting *s, struct walk *w)
{
    struct batch batch = {.next = 0};
    int status = 0;
    while (status == 0 && next_batch(w, &batch)) {
        for (uint32_t i = 0; status == 0 && i < batch.count && !is_done(s, w); i++) {
            w->match.shape = batch.columns[i].shape;
            w->match.column = batch.positions[i];
            w->match.kind = (enum column_kind)batch.columns[i].kind;
            status = tell(s, &w->match);
        }
        if (is_done(s, w)) {
            break;
        }
    }
    return status;
}

static int select_columns(struct selecting *s, struct walk *w)
{
    return is_few(w->shapes) ? select_by_shape(s, w) : select_by_column(s, w);
}

static int select_table(struct selecting *s, struct table *t)
{
    const struct head_selection *a = s->asked;
    bool known = target_is_known(s, t->target);
    if (known && s->missing.count == 0) {
        return 0;
    }
    struct walk w = {.table = t,
        .match = {.table = t, .target = t->target},
        .shapes = known ? &s->missing : &s->shapes,
        .until_known = a->known_targets != NULL && !known};
    if (!table_extent(t, a->point, &w.match.min_t, &w.match.max_t) || w.match.min_t > a->max_t ||
        w.match.max_t < a->min_t) {
        return 0;
    }
    int status = select_columns(s, &w);
    if (status == 0 && w.until_known && target_is_known(s, t->target)) {
        w.until_known = false;
        w.shapes = &s->missing;
        status = select_columns(s, &w);
    }
    return status;
}

/* Many targets: look at each table. */
static int select_by_table(struct selecting *s)
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
static int select_by_target(struct selecting *s, const uint32_t *targets, size_t count)
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

static int select_all(struct selecting *s)
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
    int status = sought_init(&s.shapes, h, selection->rectangle->shapes);
    if (status == 0 && selection->known_shapes != NULL) {
        status = sought_init(&s.missing, h, selection->rectangle->shapes);
    }
    if (status == 0) {
        if (selection->known_shapes != NULL) {
            sought_remove_all(&s.missing, selection->known_shapes);
        }
        status = select_all(&s);
    }
    sought_release(&s.shapes);
    sought_release(&s.missing);
    return status;
}
