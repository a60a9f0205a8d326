/* Tables: their life, and their columns, which tables of equal ones share. */
#include "head/table.h"

#include "base/err.h"
#include "base/hash.h"
#include "base/mem.h"

_Static_assert(TABLE_COLUMNS_MAX < UINT16_MAX, "slots hold column + 1 in 16 bits");

enum { SLOTS_MIN = 8 };

int table_new(uint32_t id, uint32_t target, struct table **table_out)
{
    struct table *t = mem_calloc(1, sizeof(*t));
    if (t == NULL) {
        return ERR_NOMEM;
    }
    lock_init(&t->lock, LOCK_RANK_TARGET);
    t->id = id;
    t->target = target;
    t->closed_max_t = INT64_MIN;
    table_state_init(&t->active);
    *table_out = t;
    return 0;
}

void table_free(struct table *t)
{
    if (t == NULL) {
        return;
    }
    while (t->frozen != NULL) {
        struct frozen_state *older = t->frozen->older;
        table_state_release(&t->frozen->state);
        mem_free(t->frozen);
        t->frozen = older;
    }
    table_state_release(&t->active);
    if (t->schema != NULL) {
        shared_schema_unref(t->schema);
    } else {
        mem_free(t->columns);
        mem_free(t->slots);
    }
    mem_free(t->hints);
    lock_release(&t->lock);
    mem_free(t);
}

/* ---- Columns ---- */

static uint32_t slot_of(uint32_t shape, uint32_t kind, uint32_t mask)
{
    return (uint32_t)hash_mix64((uint64_t)shape << 1 | kind) & mask;
}

uint32_t table_find_column(const struct table *t, uint32_t shape, enum column_kind kind)
{
    if (t->slots == NULL) {
        return UINT32_MAX;
    }
    for (uint32_t at = slot_of(shape, kind, t->slot_mask); t->slots[at] != 0;
         at = (at + 1) & t->slot_mask) {
        uint32_t column = t->slots[at] - 1u;
        if (t->columns[column].shape == shape && t->columns[column].kind == (uint32_t)kind) {
            return column;
        }
    }
    return UINT32_MAX;
}

static void put_slot(uint16_t *slots, uint32_t mask, const struct column *column, uint32_t index)
{
    uint32_t at = slot_of(column->shape, column->kind, mask);
    while (slots[at] != 0) {
        at = (at + 1) & mask;
    }
    slots[at] = (uint16_t)(index + 1);
}

/* At most half of the slots are taken. */
static int reserve_slots(struct table *t)
{
    uint32_t cap = t->slots == NULL ? 0 : t->slot_mask + 1;
    if (t->column_count < cap / 2) {
        return 0;
    }
    uint32_t grown_cap = cap == 0 ? SLOTS_MIN : cap * 2;
    uint16_t *grown = mem_calloc(grown_cap, sizeof(*grown));
    if (grown == NULL) {
        return ERR_NOMEM;
    }
    for (uint32_t i = 0; i < t->column_count; i++) {
        put_slot(grown, grown_cap - 1, &t->columns[i], i);
    }
    mem_free(t->slots);
    t->slots = grown;
    t->slot_mask = grown_cap - 1;
    return 0;
}

/* Copies of the shared arrays, to be changed. */
static int own_schema(struct table *t)
{
    if (t->schema == NULL) {
        return 0;
    }
    struct column *columns = mem_dup(t->columns, t->column_count * sizeof(*columns));
    uint16_t *slots = mem_dup(t->slots, ((size_t)t->slot_mask + 1) * sizeof(*slots));
    if (columns == NULL || slots == NULL) {
        mem_free(columns);
        mem_free(slots);
        return ERR_NOMEM;
    }
    shared_schema_unref(t->schema);
    t->schema = NULL;
    t->columns = columns;
    t->column_cap = t->column_count;
    t->slots = slots;
    return 0;
}

static void use_schema(struct table *t, struct shared_schema *schema)
{
    t->schema = shared_schema_ref(schema);
    t->columns = schema->columns;
    t->column_cap = schema->column_count;
    t->slots = schema->slots;
    t->slot_mask = schema->slot_mask;
}

void table_share_schema(struct table *t, struct schema_pool *pool)
{
    lock_take(&t->lock);
    if (t->schema == NULL && t->column_count > 0) {
        uint64_t hash = hash64(t->columns, t->column_count * sizeof(*t->columns), 0);
        struct shared_schema *schema = schema_pool_find(pool, t->columns, t->column_count, hash);
        if (schema != NULL) {
            mem_free(t->columns);
            mem_free(t->slots);
        } else {
            schema =
                schema_pool_add(pool, t->columns, t->column_count, t->slots, t->slot_mask, hash);
        }
        if (schema != NULL) {
            use_schema(t, schema);
        }
    }
    lock_give(&t->lock);
}

bool table_is_empty(struct table *t)
{
    lock_take(&t->lock);
    bool empty = t->active.cell_count == 0 && t->frozen == NULL;
    lock_give(&t->lock);
    return empty;
}

int table_add_column(
    struct table *t, uint32_t shape, enum column_kind kind, uint32_t limit, uint32_t *column_out)
{
    if (t->column_count >= limit) {
        return ERR_LIMIT;
    }
    if (own_schema(t) != 0) {
        return ERR_NOMEM;
    }
    size_t cap = t->column_cap;
    int status = mem_array_grow(
        (void **)&t->columns, &cap, t->column_count + 1u, sizeof(*t->columns), TABLE_COLUMNS_MAX);
    t->column_cap = (uint32_t)cap;
    if (status == 0) {
        status = reserve_slots(t);
    }
    if (status != 0) {
        return status;
    }
    t->columns[t->column_count] = (struct column){shape, kind};
    put_slot(t->slots, t->slot_mask, &t->columns[t->column_count], t->column_count);
    *column_out = t->column_count++;
    return 0;
}
