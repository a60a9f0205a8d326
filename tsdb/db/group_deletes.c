/* Deletes against the extent of a group; see the header. */
#include "db/group_deletes.h"

int64_t store_group_first(const struct store_part *p, const struct part_group *group)
{
    int64_t resolution = store_tier_resolution(p->about.tier);
    return p->about.tier == STORE_RAW ? group->min_t : group->min_t - resolution + 1;
}

static bool covers(const struct group_deletes *d, const struct tombstone *t)
{
    int64_t first = store_group_first(d->part, d->group);
    int64_t min_t = first > d->min_t ? first : d->min_t;
    int64_t max_t = d->group->max_t < d->max_t ? d->group->max_t : d->max_t;
    return d->part->about.sequence < t->bound && t->range.min_t <= min_t && t->range.max_t >= max_t;
}

bool group_deletes_any(const struct group_deletes *d)
{
    bool any = false;
    for (size_t i = 0; !any && i < d->list->count; i++) {
        any = covers(d, d->list->items[i]);
    }
    return any;
}

bool group_deletes_hide(const struct group_deletes *d, uint32_t target, uint32_t shape)
{
    bool hidden = false;
    for (size_t i = 0; !hidden && i < d->list->count; i++) {
        const struct tombstone *t = d->list->items[i];
        hidden = covers(d, t) && tombstone_has(t, target, shape);
    }
    return hidden;
}
