/* The per-day index is what the parts of a day say of themselves: their groups name targets and a schema
 * of shapes. So a day's series are counted from dictionaries, and from the columns in memory; no sample
 * is read but where a block of the head reaches over midnight. What was sealed across midnight counts for
 * both of its days.
 *
 * A series may be in several parts of its day and in the head. Entries (target, schema) are sorted by
 * target, and the shapes of one target are marked bit by bit, so each counts once.
 */
#include "db/day_series.h"

#include <stdlib.h>

#include "base/mem.h"
#include "db/group_deletes.h"

/* Entries of one count: targets of groups, and columns of the head. */
#define DAY_ENTRIES_MAX ((size_t)1 << 28)

/* Shapes of one target on one day: those of a schema, or a single one. */
struct entry {
    uint32_t target;
    uint32_t shape;                  /* when `schema` is NULL */
    const struct schema_map *schema; /* borrowed from a part of the view */
    bool before;                     /* of the day before */
};

struct day_count {
    struct db_querier *querier;
    struct time_range range;
    bool before;
    struct entry *entries;
    size_t count, cap;
    struct id_bits seen, seen_before; /* shapes of the target that is being counted */
};

static int push(struct day_count *c, struct entry entry)
{
    int status = mem_array_grow(
        (void **)&c->entries, &c->cap, c->count + 1, sizeof(*c->entries), DAY_ENTRIES_MAX);
    if (status == 0) {
        entry.before = c->before;
        c->entries[c->count++] = entry;
    }
    return status;
}

/* ---- Parts ---- */

/* Where a delete hides some of the group's series: pair by pair. */
static int push_visible(struct day_count *c, const struct group_deletes *deletes, uint32_t target)
{
    const struct schema_map *schema = &deletes->part->schemas[deletes->group->schema];
    int status = 0;
    for (uint32_t i = 0; status == 0 && i < schema->count; i++) {
        uint32_t shape = schema->columns[i].shape;
        if (!group_deletes_hide(deletes, target, shape)) {
            status = push(c, (struct entry){.target = target, .shape = shape});
        }
    }
    return status;
}

static int push_group(
    struct day_count *c, const struct store_part *p, const struct part_group *group)
{
    const struct group_deletes deletes = {
        c->querier->view->tombstones, p, group, c->range.min_t, c->range.max_t};
    bool whole = !group_deletes_any(&deletes);
    int status = 0;
    for (uint32_t t = 0; status == 0 && t < group->target_count; t++) {
        uint32_t target = p->targets[group->targets[t]];
        status =
            whole ? push(c, (struct entry){.target = target, .schema = &p->schemas[group->schema]})
                  : push_visible(c, &deletes, target);
    }
    return status;
}

static int push_parts(struct day_count *c)
{
    const struct store_view *v = c->querier->view;
    int status = 0;
    for (size_t i = 0; status == 0 && i < v->count; i++) {
        const struct store_part *p = v->parts[i];
        const struct part_info *info = part_info(p->part);
        if (p->about.tier != STORE_RAW || info->min_t > c->range.max_t ||
            info->max_t < c->range.min_t) {
            continue;
        }
        for (uint32_t g = 0; status == 0 && g < info->group_count; g++) {
            const struct part_group *group = &part_groups(p->part)[g];
            if (group->min_t <= c->range.max_t && group->max_t >= c->range.min_t) {
                status = push_group(c, p, group);
            }
        }
    }
    return status;
}

/* ---- The head ---- */

static int on_match(void *context, const struct head_match *match)
{
    struct day_count *c = context;
    int has = table_has_samples(
        match->table, match->column, &c->querier->head_view.point, c->range.min_t, c->range.max_t);
    return has > 0 ? push(c, (struct entry){.target = match->target, .shape = match->shape}) : has;
}

static int push_head(struct day_count *c)
{
    struct tsdb *db = c->querier->db;
    struct index_selection all = {0};
    int status = index_select(db->index, NULL, 0, &all, NULL);
    for (size_t i = 0; status == 0 && i < all.count; i++) {
        const struct head_selection selection = {.rectangle = &all.rectangles[i],
            .point = &c->querier->head_view.point,
            .min_t = c->range.min_t,
            .max_t = c->range.max_t,
            .callback = on_match,
            .context = c};
        status = head_select(db->head, &selection);
    }
    index_selection_release(&all);
    return status;
}

static int push_day(struct day_count *c, int64_t day, bool before)
{
    c->range = (struct time_range){day * DAY_MS, (day + 1) * DAY_MS - 1};
    c->before = before;
    int status = push_parts(c);
    return status == 0 ? push_head(c) : status;
}

/* ---- Counting ---- */

static int compare_entries(const void *a, const void *b)
{
    const struct entry *x = a, *y = b;
    if (x->target != y->target) {
        return x->target < y->target ? -1 : 1;
    }
    return (int)y->before - (int)x->before; // the day before first
}

static void count_shape(
    struct day_count *c, struct day_series *out, const struct entry *entry, uint32_t shape)
{
    if (entry->before) {
        id_bits_add(&c->seen_before, shape);
    } else if (!id_bits_has(&c->seen, shape) && shape < out->ids[INDEX_SHAPES]) {
        id_bits_add(&c->seen, shape);
        out->count++;
        out->new_count += !id_bits_has(&c->seen_before, shape);
        out->by_id[INDEX_SHAPES][shape]++;
        out->by_id[INDEX_TARGETS][entry->target]++;
    }
}

static void forget_shape(
    struct day_count *c, struct day_series *out, const struct entry *entry, uint32_t shape)
{
    (void)out;
    id_bits_remove(entry->before ? &c->seen_before : &c->seen, shape);
}

static void each_shape(struct day_count *c, struct day_series *out, size_t first, size_t end,
    void (*function)(
        struct day_count *c, struct day_series *out, const struct entry *entry, uint32_t shape))
{
    for (size_t i = first; i < end; i++) {
        const struct entry *entry = &c->entries[i];
        if (entry->schema == NULL) {
            function(c, out, entry, entry->shape);
            continue;
        }
        for (uint32_t k = 0; k < entry->schema->count; k++) {
            function(c, out, entry, entry->schema->columns[k].shape);
        }
    }
}

static void count_entries(struct day_count *c, struct day_series *out)
{
    if (c->count > 1) {
        qsort(c->entries, c->count, sizeof(*c->entries), compare_entries);
    }
    for (size_t first = 0, end; first < c->count; first = end) {
        for (end = first; end < c->count && c->entries[end].target == c->entries[first].target;) {
            end++;
        }
        if (c->entries[first].target < out->ids[INDEX_TARGETS]) {
            each_shape(c, out, first, end, count_shape);
            each_shape(c, out, first, end, forget_shape);
        }
    }
}

int day_series_count(struct db_querier *q, int64_t day, struct day_series *series_out)
{
    struct day_count c = {.querier = q};
    struct day_series out = {0};
    int status = push_day(&c, day, false);
    status = status == 0 ? push_day(&c, day - 1, true) : status;
    for (int side = 0; status == 0 && side < 2; side++) {
        /* Ids made later are of commits that this querier does not see. */
        out.ids[side] = index_count(q->db->index, (enum index_side)side);
        out.by_id[side] = mem_calloc(out.ids[side] + 1u, sizeof(uint32_t));
        status = out.by_id[side] != NULL ? 0 : ERR_NOMEM;
    }
    status = status == 0 ? id_bits_init(&c.seen, out.ids[INDEX_SHAPES]) : status;
    status = status == 0 ? id_bits_init(&c.seen_before, out.ids[INDEX_SHAPES]) : status;
    if (status == 0) {
        count_entries(&c, &out);
        *series_out = out;
    } else {
        day_series_release(&out);
    }
    id_bits_release(&c.seen);
    id_bits_release(&c.seen_before);
    mem_free(c.entries);
    return status;
}

void day_series_release(struct day_series *s)
{
    mem_free(s->by_id[0]);
    mem_free(s->by_id[1]);
    *s = (struct day_series){0};
}
