/* Queriers: one view of head and parts, selections over both.
 *
 * A selection asks the index for rectangles of targets and shapes, then every table that could hold
 * samples of the range which pairs it has. The result is a list of series, each with a list of places
 * where its samples lie; nothing is decoded.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "base/mem.h"
#include "db/db.h"
#include "db/store_querier.h"
#include "db/tier_hidden.h"
#include "db/tier_iter.h"
#include "tier/tier_columns.h"

/* Series of one selection. */
#define SELECT_SERIES_MAX ((size_t)1 << 28)

struct db_set;

struct db_series {
    struct series series;
    struct db_set *set;
    const struct labels *labels;
    uint32_t target, shape;
    struct series_source *sources; /* raw samples */
    struct series_source *tiers;
    const struct series_source *shared; /* of tiers, for all series of the target */
};

struct db_set {
    struct series_set set;
    const struct db_querier *querier;
    struct tier_request request;
    struct read_point point;
    bool newest_only;
};

/* ---- Collecting pairs ---- */

/* A slot keeps a hash of the pair, so that few others are looked at. */
struct pair_slot {
    uint32_t tag;
    uint32_t position_plus_one; /* 0 = free */
};

struct collection {
    struct db_querier *querier;
    const struct select_request *request;
    int64_t min_t, max_t;
    struct arena *arena;
    struct err *e;
    const struct index_rectangle *rectangle;
    struct db_series **items;
    size_t count, cap;
    struct pair_slot *slots; /* of items, by (target, shape) */
    size_t slot_mask;
    size_t enough; /* pairs; 0 = all are wanted */
    struct tier_shared shared;
};

static void collection_release(struct collection *c)
{
    mem_free(c->items);
    mem_free(c->slots);
    tier_shared_release(&c->shared);
}

/* Neighbouring shapes of a target lie in one cache line: tables and groups are gone through in their
 * order, and a million pairs in places of their own would be a million misses. */
enum { SHAPES_SIDE_BY_SIDE = 8 };

static size_t slot_of(const struct collection *c, uint32_t target, uint32_t shape)
{
    uint64_t line = hash_mix64((uint64_t)target << 32 | shape / SHAPES_SIDE_BY_SIDE);
    return (size_t)(line * SHAPES_SIDE_BY_SIDE + shape % SHAPES_SIDE_BY_SIDE) & c->slot_mask;
}

static uint32_t tag_of(uint32_t target, uint32_t shape)
{
    return (uint32_t)hash_mix64((uint64_t)target << 32 | shape);
}

static void put_slot(struct collection *c, uint32_t target, uint32_t shape, size_t position)
{
    size_t at = slot_of(c, target, shape);
    while (c->slots[at].position_plus_one != 0) {
        at = (at + 1) & c->slot_mask;
    }
    c->slots[at] = (struct pair_slot){tag_of(target, shape), (uint32_t)(position + 1)};
}

/* Room for one more. */
static int grow_slots(struct collection *c)
{
    size_t cap = c->slots == NULL ? 0 : c->slot_mask + 1;
    if (c->count < cap / 2) {
        return 0;
    }
    size_t grown_cap = cap == 0 ? 256 : cap * 2;
    struct pair_slot *grown = mem_calloc(grown_cap, sizeof(*grown));
    if (grown == NULL) {
        return ERR_NOMEM;
    }
    mem_free(c->slots);
    c->slots = grown;
    c->slot_mask = grown_cap - 1;
    for (size_t i = 0; i < c->count; i++) {
        put_slot(c, c->items[i]->target, c->items[i]->shape, i);
    }
    return 0;
}

static int new_series(
    struct collection *c, uint32_t target, uint32_t shape, struct db_series **series_out)
{
    if (c->request->series_max > 0 && c->count >= c->request->series_max) {
        return err_set(c->e, ERR_LIMIT, -1,
            "the selection matches more than %zu series: narrow it, or raise the limit",
            c->request->series_max);
    }
    int status = mem_array_grow(
        (void **)&c->items, &c->cap, c->count + 1, sizeof(struct db_series *), SELECT_SERIES_MAX);
    if (status == 0) {
        status = grow_slots(c);
    }
    struct db_series *s = status == 0 ? arena_calloc(c->arena, 1, sizeof(*s)) : NULL;
    if (s == NULL) {
        return status != 0 ? status : arena_error(c->arena);
    }
    s->target = target;
    s->shape = shape;
    put_slot(c, target, shape, c->count);
    c->items[c->count++] = s;
    *series_out = s;
    return 0;
}

/* The series of a pair, made when new. */
static int find_series(
    struct collection *c, uint32_t target, uint32_t shape, struct db_series **series_out)
{
    size_t at = c->slots != NULL ? slot_of(c, target, shape) : 0;
    uint32_t tag = tag_of(target, shape);
    for (; c->slots != NULL && c->slots[at].position_plus_one != 0; at = (at + 1) & c->slot_mask) {
        if (c->slots[at].tag != tag) {
            continue;
        }
        struct db_series *s = c->items[c->slots[at].position_plus_one - 1];
        if (s->target == target && s->shape == shape) {
            *series_out = s;
            return 0;
        }
    }
    return new_series(c, target, shape, series_out);
}

/* Has who asks for labels only as many series as are wanted? */
static bool has_enough(const struct collection *c)
{
    return c->enough > 0 && c->count >= c->enough;
}

static int add_source(
    struct collection *c, uint32_t target, uint32_t shape, const struct series_source *source)
{
    struct db_series *s = NULL;
    int status = find_series(c, target, shape, &s);
    if (status != 0) {
        return status;
    }
    struct series_source *copy = arena_dup(c->arena, source, sizeof(*source));
    if (copy == NULL) {
        return arena_error(c->arena);
    }
    struct series_source **list = source->tier == STORE_RAW ? &s->sources : &s->tiers;
    copy->next = *list;
    *list = copy;
    return 0;
}

/* ---- The head ---- */

/* What stops the selection in the head early. */
enum { ENOUGH = 1 };

static int on_head_match(void *context, const struct head_match *match)
{
    struct collection *c = context;
    if (has_enough(c)) {
        return ENOUGH;
    }
    if (c->request->labels_only) {
        /* A column may be of a series that ended before the range: who asks for labels only is told of
         * series that have samples. */
        int has = table_has_samples(
            match->table, match->column, &c->querier->head_view.point, c->min_t, c->max_t);
        if (has <= 0) {
            return has;
        }
    }
    const struct series_source source = {.precedence = HEAD_PRECEDENCE,
        .min_t = match->min_t > c->min_t ? match->min_t : c->min_t,
        .max_t = match->max_t < c->max_t ? match->max_t : c->max_t,
        .table = match->table,
        .column = match->column,
        .kind = match->kind};
    return add_source(c, match->target, match->shape, &source);
}

/* ---- Parts ---- */

/* What of one part is asked for: targets by local id, and columns of one schema. */
struct part_choice {
    bool *targets;
    const struct schema_column **columns;
    size_t column_count;
    const struct tombstone **tombstones; /* that concern it */
    size_t tombstone_count;
};

static int choose_targets(
    const struct collection *c, const struct store_part *p, struct part_choice *choice, bool *any)
{
    uint32_t count = part_info(p->part)->target_count;
    choice->targets = mem_calloc(count + 1u, sizeof(*choice->targets));
    if (choice->targets == NULL) {
        return ERR_NOMEM;
    }
    *any = false;
    for (uint32_t i = 0; i < count; i++) {
        choice->targets[i] = id_set_has(c->rectangle->targets, p->targets[i]);
        *any = *any || choice->targets[i];
    }
    return 0;
}

static int choose_columns(
    const struct collection *c, const struct schema_map *schema, struct part_choice *choice)
{
    mem_free(choice->columns);
    choice->column_count = 0;
    choice->columns = mem_calloc(schema->count + 1u, sizeof(struct schema_column *));
    if (choice->columns == NULL) {
        return ERR_NOMEM;
    }
    for (uint32_t i = 0; i < schema->count; i++) {
        uint32_t shape = schema->columns[i].series_shape;
        if (shape == SHAPE_OF_ALL || id_set_has(c->rectangle->shapes, shape)) {
            choice->columns[choice->column_count++] = &schema->columns[i];
        }
    }
    return 0;
}

static int choose_tombstones(
    const struct collection *c, const struct store_part *p, struct part_choice *choice)
{
    const struct tombstone_list *list = c->querier->view->tombstones;
    const struct part_info *info = part_info(p->part);
    if (list->count == 0) {
        return 0;
    }
    choice->tombstones = mem_calloc(list->count, sizeof(struct tombstone *));
    for (size_t i = 0; choice->tombstones != NULL && i < list->count; i++) {
        int64_t min_t = info->min_t - store_tier_resolution(p->about.tier);
        if (tombstone_concerns(list->items[i], p->about.sequence, min_t, info->max_t)) {
            choice->tombstones[choice->tombstone_count++] = list->items[i];
        }
    }
    return choice->tombstones != NULL ? 0 : ERR_NOMEM;
}

/* What is deleted of a source; *left_out is false when that is all of it. */
static int hide_deleted(struct collection *c, const struct part_choice *choice, uint32_t target,
    const struct schema_column *column, struct series_source *source, bool *left_out)
{
    struct time_range within = {source->min_t, source->max_t};
    const struct tier_deletes deletes = {
        choice->tombstones, choice->tombstone_count, source->tier, c->arena};
    int status = tier_hidden_ranges(
        &deletes, target, column, within, &source->hidden, &source->hidden_count);
    *left_out = !ranges_cover(source->hidden, source->hidden_count, within);
    return status;
}

static int add_group(struct collection *c, struct store_part *p, uint32_t group_index,
    const struct part_choice *choice, uint8_t covered)
{
    const struct part_group *group = &part_groups(p->part)[group_index];
    bool raw = p->about.tier == STORE_RAW;
    int status = 0;
    for (size_t i = 0; i < choice->column_count; i++) {
        const struct schema_column *column = choice->columns[i];
        for (uint32_t t = 0; status == 0 && t < group->target_count && !has_enough(c); t++) {
            if (!choice->targets[group->targets[t]]) {
                continue;
            }
            uint32_t target = p->targets[group->targets[t]];
            struct series_source source = {.precedence = p->about.precedence,
                .min_t = group->min_t > c->min_t || !raw ? group->min_t : c->min_t,
                .max_t = group->max_t < c->max_t || !raw ? group->max_t : c->max_t,
                .covered = covered,
                .tier = p->about.tier,
                .aggregate = column->aggregate,
                .part = p,
                .group = group_index,
                .group_table = t,
                .column = column->column,
                .kind = (enum column_kind)column->kind};
            bool left = true;
            if (choice->tombstone_count > 0) {
                status = hide_deleted(c, choice, target, column, &source, &left);
            }
            if (status == 0 && left) {
                status = column->series_shape == SHAPE_OF_ALL
                             ? tier_shared_add(&c->shared, c->arena, target, &source)
                             : add_source(c, target, column->series_shape, &source);
            }
        }
    }
    return status;
}

/* Buckets are named by their ends: one that ends later may begin in the range. */
static int64_t latest_of(const struct collection *c, const struct store_part *p)
{
    int64_t resolution = store_tier_resolution(p->about.tier);
    return c->max_t < INT64_MAX - resolution ? c->max_t + resolution : INT64_MAX;
}

/* A tier is looked at where raw samples are gone, of all series or of some, or when its buckets will do. */
static bool may_answer(const struct collection *c, const struct store_part *p)
{
    int64_t resolution = store_tier_resolution(p->about.tier);
    const struct store_view *view = c->querier->view;
    return p->about.tier == STORE_RAW || part_info(p->part)->min_t - resolution < view->raw_from ||
           part_info(p->part)->min_t - resolution < view->thinned_through ||
           (c->request->resolution_max_ms > 0 && c->request->resolution_max_ms % resolution == 0);
}

static int add_part(struct collection *c, struct store_part *p, uint8_t covered)
{
    const struct part_info *info = part_info(p->part);
    int64_t latest = latest_of(c, p);
    if (info->min_t > latest || info->max_t < c->min_t || !may_answer(c, p)) {
        return 0;
    }
    struct part_choice choice = {0};
    bool any = false;
    uint32_t chosen_schema = UINT32_MAX;
    int status = choose_targets(c, p, &choice, &any);
    if (status == 0 && any) {
        status = choose_tombstones(c, p, &choice);
    }
    for (uint32_t g = 0; status == 0 && any && g < info->group_count && !has_enough(c); g++) {
        const struct part_group *group = &part_groups(p->part)[g];
        if (group->min_t > latest || group->max_t < c->min_t) {
            continue;
        }
        if (group->schema != chosen_schema) {
            chosen_schema = group->schema;
            status = choose_columns(c, &p->schemas[chosen_schema], &choice);
        }
        if (status == 0 && choice.column_count > 0) {
            status = add_group(c, p, g, &choice, covered);
        }
    }
    mem_free(choice.targets);
    mem_free(choice.columns);
    mem_free(choice.tombstones);
    return status;
}

static int collect_rectangle(struct collection *c)
{
    const struct db_querier *q = c->querier;
    int status = 0;
    for (size_t i = 0; status == 0 && i < q->view->count; i++) {
        status = add_part(c, q->view->parts[i], q->view->covered[i]);
    }
    if (status == 0) {
        const struct head_selection selection = {.rectangle = c->rectangle,
            .point = &q->head_view.point,
            .min_t = c->min_t,
            .max_t = c->max_t,
            .callback = on_head_match,
            .context = c};
        status = head_select(q->db->head, &selection);
        status = status == ENOUGH ? 0 : status;
    }
    return status;
}

static int collect(struct collection *c)
{
    const struct db_querier *q = c->querier;
    struct index_selection selection = {0};
    c->min_t = c->request->min_t > q->min_t ? c->request->min_t : q->min_t;
    c->max_t = c->request->max_t < q->max_t ? c->request->max_t : q->max_t;
    /* When pairs may turn out to be one series, nobody knows yet how many are enough. */
    if (c->request->labels_only && !index_sides_overlap(q->db->index)) {
        c->enough = c->request->series_enough;
    }
    int status = 0;
    if (c->min_t <= c->max_t) {
        status = index_select(
            q->db->index, c->request->matchers, c->request->matcher_count, &selection, c->e);
    }
    for (size_t i = 0; status == 0 && i < selection.count; i++) {
        c->rectangle = &selection.rectangles[i];
        status = collect_rectangle(c);
    }
    index_selection_release(&selection);
    return status;
}

/* ---- Labels ---- */

static int merge_labels(struct tsdb *db, struct db_series *s)
{
    const struct labels *target = index_labels(db->index, INDEX_TARGETS, s->target);
    if (labels_count(target) == 0) {
        s->labels = labels_ref(index_labels(db->index, INDEX_SHAPES, s->shape));
        return 0;
    }
    struct label pairs[2 * LABELS_COUNT_MAX];
    size_t count = index_series_labels(db->index, s->target, s->shape, pairs);
    return labels_new(pairs, count, &s->labels, NULL);
}

static int compare_labels(const void *a, const void *b)
{
    const struct db_series *x = *(struct db_series *const *)a;
    const struct db_series *y = *(struct db_series *const *)b;
    return labels_cmp(x->labels, y->labels);
}

/* Buckets of one series that was split in two ways are one list; so are counts and times of its targets. */
static int join_tiers(struct collection *c, struct db_series *into, struct db_series *from)
{
    struct series_source **end = &into->tiers;
    while (*end != NULL) {
        end = &(*end)->next;
    }
    *end = from->tiers;
    for (const struct series_source *s = from->shared; s != NULL; s = s->next) {
        struct series_source *copy = arena_dup(c->arena, s, sizeof(*s));
        if (copy == NULL) {
            return arena_error(c->arena);
        }
        copy->next = (struct series_source *)(uintptr_t)into->shared;
        into->shared = copy;
    }
    return 0;
}

/* Pairs that are the same series become one. */
static int join_equal(struct collection *c)
{
    int status = 0;
    if (c->count > 1) {
        qsort(c->items, c->count, sizeof(struct db_series *), compare_labels);
    }
    size_t kept = 0;
    for (size_t i = 0; i < c->count; i++) {
        struct db_series *s = c->items[i];
        if (kept == 0 || !labels_eq(c->items[kept - 1]->labels, s->labels)) {
            c->items[kept++] = s;
            continue;
        }
        struct series_source **end = &c->items[kept - 1]->sources;
        while (*end != NULL) {
            end = &(*end)->next;
        }
        *end = s->sources;
        status = status == 0 ? join_tiers(c, c->items[kept - 1], s) : status;
        labels_unref(s->labels);
    }
    c->count = kept;
    return status;
}

static void unref_labels(struct collection *c)
{
    for (size_t i = 0; i < c->count; i++) {
        labels_unref(c->items[i]->labels);
    }
}

static int label_all(struct collection *c)
{
    for (size_t i = 0; i < c->count; i++) {
        int status = merge_labels(c->querier->db, c->items[i]);
        if (status != 0) {
            unref_labels(c);
            return status;
        }
    }
    return 0;
}

/* ---- The set ---- */

static const struct labels *op_labels(struct series *s)
{
    return ((struct db_series *)s)->labels;
}

static int op_open(
    struct series *s, struct arena *arena, struct column_iter **iter_out, struct err *e)
{
    const struct db_series *self = (const struct db_series *)s;
    if (self->tiers == NULL) {
        struct iter_request request = self->set->request.samples;
        request.newest_only = self->set->newest_only;
        return series_iter_open(self->sources, &request, arena, iter_out, e);
    }
    const struct db_querier *q = self->set->querier;
    const struct tier_sources sources = {.raw = self->sources,
        .tiers = self->tiers,
        .shared = self->shared,
        .closed_through = q->view->closed_through,
        .kept_from = q->view->thinned_through > INT64_MIN
                         ? retention_kept_from(&q->db->retention, self->labels, q->now_ms)
                         : INT64_MIN};
    return tier_iter_open(&sources, &self->set->request, arena, iter_out, e);
}

static const struct series_ops series_ops = {op_labels, op_open};

static void set_free(struct series_set *set)
{
    for (size_t i = 0; i < set->count; i++) {
        labels_unref(((struct db_series *)set->series[i])->labels);
    }
}

static int build_set(struct collection *c, struct series_set **set_out)
{
    struct db_set *set = arena_calloc(c->arena, 1, sizeof(*set));
    struct series **series = arena_alloc(c->arena, (c->count + 1) * sizeof(struct series *));
    if (set == NULL || series == NULL) {
        return arena_error(c->arena);
    }
    set->querier = c->querier;
    set->point = c->querier->head_view.point;
    set->request = (struct tier_request){
        .samples = {&set->point, &c->querier->pool, c->min_t, c->max_t, false},
        .resolution_max_ms = c->request->resolution_max_ms,
        .bucket_needs = c->request->bucket_needs,
        .instant = c->request->instant};
    set->newest_only = c->request->newest_only;
    for (size_t i = 0; i < c->count; i++) {
        c->items[i]->series.ops = &series_ops;
        c->items[i]->set = set;
        series[i] = &c->items[i]->series;
    }
    set->set = (struct series_set){.series = series, .count = c->count, .free = set_free};
    int status =
        db_damage_warnings(c->querier, c->request, c->min_t, c->max_t, c->arena, &set->set);
    if (status == 0) {
        *set_out = &set->set;
    }
    return status;
}

int db_querier_fail(struct err *e, int status, const char *what)
{
    return e != NULL && e->code == status
               ? status
               : err_set(e, status, -1, "%s: %s", what, err_text(status));
}

int db_querier_select(struct querier *q, const struct select_request *request, struct arena *arena,
    struct series_set **set_out, struct err *e)
{
    struct collection c = {.querier = db_querier_of(q), .request = request, .arena = arena, .e = e};
    int status = collect(&c);
    if (status == 0) {
        status = label_all(&c);
    }
    for (size_t i = 0; status == 0 && i < c.count; i++) {
        c.items[i]->shared = tier_shared_find(&c.shared, c.items[i]->target);
    }
    if (status == 0) {
        bool overlap = index_sides_overlap(c.querier->db->index);
        status = overlap ? join_equal(&c) : 0;
        status = status == 0 ? build_set(&c, set_out) : status;
        if (status != 0) {
            unref_labels(&c);
        } else {
            (*set_out)->sorted = overlap;
        }
    }
    collection_release(&c);
    return status != 0 ? db_querier_fail(e, status, "selecting series") : 0;
}

/* ---- Opening ---- */

static void op_statistics(struct querier *q, struct querier_statistics *statistics_out)
{
    struct cursor_pool *pool = &db_querier_of(q)->pool;
    lock_take(&pool->lock);
    *statistics_out = pool->reads;
    lock_give(&pool->lock);
}

static void op_close(struct querier *q)
{
    struct db_querier *self = db_querier_of(q);
    cursor_pool_release(&self->pool);
    head_view_close(self->db->head, &self->head_view);
    store_view_unref(self->view);
    mem_free(self);
}

static const struct querier_ops querier_ops = {.select = db_querier_select,
    .label_names = db_querier_label_names,
    .label_values = db_querier_label_values,
    .exemplars = db_querier_exemplars,
    .statistics = op_statistics,
    .close = op_close};

int db_querier_open(struct querier_source *source, int64_t min_t, int64_t max_t,
    struct querier **querier_out, struct err *e)
{
    struct tsdb *db = (struct tsdb *)((char *)source - offsetof(struct tsdb, querier_source));
    struct db_querier *q = mem_calloc(1, sizeof(*q));
    if (q == NULL) {
        return err_set(e, ERR_NOMEM, -1, "out of memory for a querier");
    }
    q->querier.ops = &querier_ops;
    cursor_pool_init(&q->pool);
    q->db = db;
    q->min_t = min_t;
    q->max_t = max_t;
    q->now_ms = clock_now_ms(db->clock);
    /* Parts and version are those of one moment, and commits before it are visible (INV-6). */
    lock_take(&db->view_lock);
    q->view = store_view_ref(db->view);
    head_view_open(db->head, db->version, &q->head_view);
    lock_give(&db->view_lock);
    *querier_out = &q->querier;
    return 0;
}
