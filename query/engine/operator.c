/* Series of steps, stores of them, and the map from hashes to numbers; see operator.h. */
#include "operator.h"

#include <assert.h>

#include "base/hash.h"

void *operator_new(struct query *q, size_t size, const struct operator_ops *ops,
    const struct expr *expr, const struct grid *grid)
{
    assert(size >= sizeof(struct operator_node));
    struct operator_node *op = arena_calloc(&q->arena, 1, size);
    if (op == NULL) {
        (void)query_fail_memory(q, &q->arena);
        return NULL;
    }
    *op = (struct operator_node){.ops = ops, .query = q, .expr = expr, .grid = grid};
    return op;
}

/* ---- Series ---- */

static bool series_allocate(struct query *q, struct step_series *s, size_t steps)
{
    s->kinds = arena_calloc(&q->arena, steps, sizeof(*s->kinds));
    s->values = arena_calloc(&q->arena, steps, sizeof(*s->values));
    if (s->kinds == NULL || s->values == NULL) {
        (void)query_fail_memory(q, &q->arena);
        return false;
    }
    return true;
}

int step_series_init(struct query *q, struct step_series *s, const struct grid *grid)
{
    *s = (struct step_series){.labels = labels_empty()};
    return series_allocate(q, s, grid->steps) ? 0 : q->e->code;
}

struct step_series *step_series_new(struct query *q, const struct grid *grid)
{
    struct step_series *s = arena_alloc(&q->arena, sizeof(*s));
    if (s == NULL) {
        (void)query_fail_memory(q, &q->arena);
        return NULL;
    }
    return step_series_init(q, s, grid) == 0 ? s : NULL;
}

void step_series_clear(struct step_series *s, const struct grid *grid)
{
    memset(s->kinds, SAMPLE_ABSENT, grid->steps);
    s->has_histograms = false;
    s->drop_name = false;
}

int step_series_use_histograms(struct query *q, struct step_series *s, const struct grid *grid)
{
    if (s->histograms == NULL) {
        s->histograms = arena_calloc(&q->arena, grid->steps, sizeof(*s->histograms));
        if (s->histograms == NULL) {
            return query_fail_memory(q, &q->arena);
        }
    }
    s->has_histograms = true;
    return 0;
}

bool step_series_any(const struct step_series *s, const struct grid *grid)
{
    size_t i = 0;
    while (i < grid->steps && s->kinds[i] == SAMPLE_ABSENT) {
        i++;
    }
    return i < grid->steps;
}

size_t step_series_count(const struct step_series *s, const struct grid *grid)
{
    size_t count = 0;
    for (size_t i = 0; i < grid->steps; i++) {
        count += s->kinds[i] != SAMPLE_ABSENT;
    }
    return count;
}

int step_series_drop_name(struct query *q, struct step_series *s)
{
    s->drop_name = true;
    return q->options->delayed_name_removal ? 0 : query_drop_name(q, s->labels, &s->labels);
}

/* ---- Stores ---- */

/* Series kept by one operator. */
#define STORE_SERIES_MAX ((size_t)1 << 27)

void series_store_init(struct series_store *store, struct query *q, const struct grid *grid)
{
    *store = (struct series_store){.query = q, .grid = grid};
}

/* Room for one more, in the query's arena: what is outgrown stays there, at most as much again. */
static int store_grow(struct series_store *store)
{
    if (store->count < store->cap) {
        return 0;
    }
    struct query *q = store->query;
    size_t cap = store->cap > 0 ? store->cap * 2 : 16;
    struct step_series *items =
        cap <= STORE_SERIES_MAX ? arena_alloc(&q->arena, cap * sizeof(*items)) : NULL;
    if (items == NULL) {
        return query_fail_memory(q, &q->arena);
    }
    if (store->count > 0) {
        memcpy(items, store->items, store->count * sizeof(*items));
    }
    store->items = items;
    store->cap = cap;
    return 0;
}

static int copy_histograms(
    struct query *q, struct step_series *to, const struct step_series *from, size_t steps)
{
    to->histograms = arena_calloc(&q->arena, steps, sizeof(*to->histograms));
    if (to->histograms == NULL) {
        return query_fail_memory(q, &q->arena);
    }
    for (size_t i = 0; i < steps; i++) {
        if (from->kinds[i] != SAMPLE_HISTOGRAM) {
            continue;
        }
        to->histograms[i] = histogram_dup(from->histograms[i], &q->arena);
        if (to->histograms[i] == NULL) {
            return query_fail_memory(q, &q->arena);
        }
    }
    return 0;
}

int series_store_add(struct series_store *store, const struct step_series *s)
{
    struct query *q = store->query;
    size_t steps = store->grid->steps;
    int status = store_grow(store);
    if (status == 0) {
        status = query_hold_samples(q, step_series_count(s, store->grid));
    }
    if (status != 0) {
        return status;
    }
    struct step_series *copy = &store->items[store->count];
    *copy = *s;
    if (!series_allocate(q, copy, steps)) {
        return q->e->code;
    }
    memcpy(copy->kinds, s->kinds, steps);
    memcpy(copy->values, s->values, steps * sizeof(*s->values));
    status = s->has_histograms ? copy_histograms(q, copy, s, steps) : 0;
    store->count += status == 0;
    return status;
}

int series_store_drain(struct series_store *store, struct operator_node *op)
{
    struct step_series *s;
    int more;
    while ((more = operator_next(op, &s)) > 0) {
        int status = query_check(store->query);
        if (status == 0 && step_series_any(s, store->grid)) {
            status = series_store_add(store, s);
        }
        if (status != 0) {
            return status;
        }
    }
    return more;
}

static int merge_pair(
    struct series_store *store, struct step_series *into, struct step_series *from)
{
    struct query *q = store->query;
    if (from->has_histograms && !into->has_histograms) {
        int status = step_series_use_histograms(q, into, store->grid);
        if (status != 0) {
            return status;
        }
    }
    for (size_t i = 0; i < store->grid->steps; i++) {
        if (from->kinds[i] == SAMPLE_ABSENT) {
            continue;
        }
        if (into->kinds[i] != SAMPLE_ABSENT) {
            return query_fail(
                q, ERR_INTERNAL, "vector cannot contain metrics with the same labelset");
        }
        into->kinds[i] = from->kinds[i];
        into->values[i] = from->values[i];
        if (from->kinds[i] == SAMPLE_HISTOGRAM) {
            into->histograms[i] = from->histograms[i];
        }
    }
    return 0;
}

int series_store_merge(struct series_store *store)
{
    struct id_map map;
    id_map_init(&map, store->query);
    size_t kept = 0;
    for (size_t i = 0; i < store->count; i++) {
        uint32_t id;
        bool is_new;
        int status = id_map_get(&map, labels_hash(store->items[i].labels), &id, &is_new);
        if (status == 0 && is_new) {
            store->items[kept++] = store->items[i];
        } else if (status == 0) {
            status = merge_pair(store, &store->items[id], &store->items[i]);
        }
        if (status != 0) {
            return status;
        }
    }
    store->count = kept;
    return 0;
}

/* ---- Operators over what is there already ---- */

struct stored_operator {
    struct operator_node node;
    struct series_store *store;
    size_t next;
};

static int stored_next(struct operator_node *op, struct step_series **series_out)
{
    struct stored_operator *self = (struct stored_operator *)op;
    if (self->next == self->store->count) {
        return 0;
    }
    *series_out = &self->store->items[self->next++];
    return 1;
}

int plan_stored(struct query *q, const struct expr *expr, const struct grid *grid,
    struct series_store *store, struct operator_node **op_out)
{
    static const struct operator_ops ops = {stored_next};
    struct stored_operator *op = operator_new(q, sizeof(*op), &ops, expr, grid);
    if (op == NULL) {
        return q->e->code;
    }
    op->store = store;
    *op_out = &op->node;
    return 0;
}

/* ---- Hashes to numbers ---- */

void id_map_init(struct id_map *map, struct query *q)
{
    *map = (struct id_map){.query = q};
}

static struct id_slot *slot_of(const struct id_map *map, uint64_t hash)
{
    size_t at = hash_mix64(hash) & (map->cap - 1);
    while (map->slots[at].id_plus_one != 0 && map->slots[at].hash != hash) {
        at = (at + 1) & (map->cap - 1);
    }
    return &map->slots[at];
}

static int map_grow(struct id_map *map)
{
    struct query *q = map->query;
    struct id_map grown = {.query = q, .cap = map->cap > 0 ? map->cap * 2 : 64};
    grown.slots = arena_calloc(&q->arena, grown.cap, sizeof(*grown.slots));
    if (grown.slots == NULL) {
        return query_fail_memory(q, &q->arena);
    }
    for (size_t i = 0; i < map->cap; i++) {
        if (map->slots[i].id_plus_one != 0) {
            *slot_of(&grown, map->slots[i].hash) = map->slots[i];
        }
    }
    grown.count = map->count;
    *map = grown;
    return 0;
}

int id_map_get(struct id_map *map, uint64_t hash, uint32_t *id_out, bool *is_new_out)
{
    if (map->count >= map->cap / 2) {
        int status = map_grow(map);
        if (status != 0) {
            return status;
        }
    }
    struct id_slot *slot = slot_of(map, hash);
    *is_new_out = slot->id_plus_one == 0;
    if (*is_new_out) {
        *slot = (struct id_slot){hash, (uint32_t)++map->count};
    }
    *id_out = slot->id_plus_one - 1;
    return 0;
}

int64_t id_map_find(const struct id_map *map, uint64_t hash)
{
    if (map->cap == 0) {
        return -1;
    }
    return (int64_t)slot_of(map, hash)->id_plus_one - 1;
}

/* ---- Names that collide ---- */

/* Labels seen, with the steps at which they had a value. */
struct unique_operator {
    struct operator_node node;
    struct operator_node *child;
    struct id_map ids;
    uint8_t **seen; /* one byte a step, by id */
    size_t cap;
};

static int unique_remember(struct unique_operator *self, uint32_t id, const struct step_series *s)
{
    struct query *q = self->node.query;
    size_t steps = self->node.grid->steps;
    if (id >= self->cap) {
        size_t cap = self->cap > 0 ? self->cap * 2 : 64;
        uint8_t **seen = arena_calloc(&q->arena, cap, sizeof(*seen));
        if (seen == NULL) {
            return query_fail_memory(q, &q->arena);
        }
        if (self->cap > 0) {
            memcpy(seen, self->seen, self->cap * sizeof(*seen));
        }
        self->seen = seen;
        self->cap = cap;
    }
    if (self->seen[id] == NULL) {
        self->seen[id] = arena_dup(&q->arena, s->kinds, steps);
        return self->seen[id] != NULL ? 0 : query_fail_memory(q, &q->arena);
    }
    for (size_t i = 0; i < steps; i++) {
        if (s->kinds[i] != SAMPLE_ABSENT && self->seen[id][i] != SAMPLE_ABSENT) {
            return query_fail(
                q, ERR_INTERNAL, "vector cannot contain metrics with the same labelset");
        }
        self->seen[id][i] |= s->kinds[i];
    }
    return 0;
}

static int unique_next(struct operator_node *op, struct step_series **series_out)
{
    struct unique_operator *self = (struct unique_operator *)op;
    int more = operator_next(self->child, series_out);
    if (more <= 0) {
        return more;
    }
    uint32_t id;
    bool is_new;
    int status = id_map_get(&self->ids, labels_hash((*series_out)->labels), &id, &is_new);
    if (status == 0) {
        status = unique_remember(self, id, *series_out);
    }
    return status != 0 ? status : 1;
}

int plan_unique(struct query *q, struct operator_node *child, struct operator_node **op_out)
{
    if (q->options->delayed_name_removal) {
        *op_out = child;
        return 0;
    }
    return plan_distinct(q, child, op_out);
}

int plan_distinct(struct query *q, struct operator_node *child, struct operator_node **op_out)
{
    static const struct operator_ops ops = {unique_next};
    struct unique_operator *op = operator_new(q, sizeof(*op), &ops, child->expr, child->grid);
    if (op == NULL) {
        return q->e->code;
    }
    op->child = child;
    id_map_init(&op->ids, q);
    *op_out = &op->node;
    return 0;
}
