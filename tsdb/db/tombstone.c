/* One delete, and what it hides; see the header. */
#include "db/tombstone.h"

#include <stdlib.h>

#include "base/mem.h"

static int copy_matchers(const struct matcher *const *matchers, size_t count, struct tombstone *t)
{
    t->matchers = mem_calloc(count + 1, sizeof(struct matcher *));
    int status = t->matchers != NULL ? 0 : ERR_NOMEM;
    for (size_t i = 0; status == 0 && i < count; i++) {
        status = matcher_new(
            matchers[i]->type, matchers[i]->name, matchers[i]->value, &t->matchers[i], NULL);
        t->matcher_count += status == 0;
    }
    return status;
}

int tombstone_new(const struct matcher *const *matchers, size_t count, struct time_range range,
    struct tombstone **tombstone_out)
{
    if (count > TOMBSTONE_MATCHERS_MAX) {
        return ERR_LIMIT;
    }
    struct tombstone *t = mem_calloc(1, sizeof(*t));
    if (t == NULL) {
        return ERR_NOMEM;
    }
    atomic_init(&t->references, 1);
    t->range = range;
    int status = copy_matchers(matchers, count, t);
    if (status != 0) {
        tombstone_unref(t);
        return status;
    }
    *tombstone_out = t;
    return 0;
}

void tombstone_unref(struct tombstone *t)
{
    if (t == NULL || atomic_fetch_sub_explicit(&t->references, 1, memory_order_acq_rel) != 1) {
        return;
    }
    for (size_t i = 0; i < t->matcher_count; i++) {
        matcher_free(t->matchers[i]);
    }
    mem_free(t->matchers);
    index_selection_release(&t->selection);
    mem_free(t);
}

int tombstone_resolve(struct tombstone *t, struct index *index, struct err *e)
{
    return index_select(
        index, (const struct matcher *const *)t->matchers, t->matcher_count, &t->selection, e);
}

bool tombstone_has(const struct tombstone *t, uint32_t target, uint32_t shape)
{
    return index_selection_has(&t->selection, target, shape);
}

bool tombstone_concerns(const struct tombstone *t, uint64_t sequence, int64_t min_t, int64_t max_t)
{
    return sequence < t->bound && t->range.min_t <= max_t && t->range.max_t >= min_t;
}

/* ---- Ranges ---- */

static int compare_ranges(const void *a, const void *b)
{
    const struct time_range *x = a, *y = b;
    return x->min_t < y->min_t ? -1 : x->min_t > y->min_t;
}

/* Ranges that overlap or touch become one. */
static size_t join_ranges(struct time_range *ranges, size_t count)
{
    if (count > 1) {
        qsort(ranges, count, sizeof(*ranges), compare_ranges);
    }
    size_t kept = 0;
    for (size_t i = 0; i < count; i++) {
        struct time_range *last = kept > 0 ? &ranges[kept - 1] : NULL;
        if (last != NULL && (last->max_t == INT64_MAX || ranges[i].min_t <= last->max_t + 1)) {
            last->max_t = ranges[i].max_t > last->max_t ? ranges[i].max_t : last->max_t;
        } else {
            ranges[kept++] = ranges[i];
        }
    }
    return kept;
}

int tombstones_ranges(const struct tombstone *const *tombstones, size_t tombstone_count,
    uint32_t target, uint32_t shape, struct time_range within, struct arena *arena,
    const struct time_range **ranges_out, size_t *count_out)
{
    struct time_range *ranges = NULL;
    size_t count = 0;
    *ranges_out = NULL;
    *count_out = 0;
    for (size_t i = 0; i < tombstone_count; i++) {
        struct time_range r = tombstones[i]->range;
        if (r.min_t > within.max_t || r.max_t < within.min_t ||
            !tombstone_has(tombstones[i], target, shape)) {
            continue;
        }
        if (ranges == NULL) {
            ranges = arena_alloc(arena, (tombstone_count - i) * sizeof(*ranges));
            if (ranges == NULL) {
                return arena_error(arena);
            }
        }
        r.min_t = r.min_t > within.min_t ? r.min_t : within.min_t;
        r.max_t = r.max_t < within.max_t ? r.max_t : within.max_t;
        ranges[count++] = r;
    }
    *ranges_out = ranges;
    *count_out = join_ranges(ranges, count);
    return 0;
}

bool ranges_cover(const struct time_range *ranges, size_t count, struct time_range within)
{
    for (size_t i = 0; i < count; i++) {
        if (ranges[i].min_t <= within.min_t && ranges[i].max_t >= within.max_t) {
            return true;
        }
    }
    return false;
}

static bool is_hidden(const struct time_range *ranges, size_t range_count, size_t *at, int64_t t_ms)
{
    while (*at < range_count && ranges[*at].max_t < t_ms) {
        (*at)++;
    }
    return *at < range_count && ranges[*at].min_t <= t_ms;
}

int ranges_filter(const struct time_range *ranges, size_t range_count, struct arena *arena,
    struct sample_arrays *samples)
{
    struct sample_arrays in = *samples;
    size_t first = 0, at = 0;
    while (first < in.count && !is_hidden(ranges, range_count, &at, in.times[first])) {
        first++;
    }
    if (first == in.count) {
        return 0;
    }
    int64_t *times = arena_dup(arena, in.times, in.count * sizeof(*times));
    double *values =
        in.values != NULL ? arena_dup(arena, in.values, in.count * sizeof(*values)) : NULL;
    struct str *histograms = in.histograms != NULL
                                 ? arena_dup(arena, in.histograms, in.count * sizeof(*histograms))
                                 : NULL;
    if (times == NULL || (in.values != NULL && values == NULL) ||
        (in.histograms != NULL && histograms == NULL)) {
        return arena_error(arena);
    }
    size_t kept = first;
    for (size_t i = first; i < in.count; i++) {
        if (is_hidden(ranges, range_count, &at, times[i])) {
            continue;
        }
        times[kept] = times[i];
        if (values != NULL) {
            values[kept] = values[i];
        }
        if (histograms != NULL) {
            histograms[kept] = histograms[i];
        }
        kept++;
    }
    *samples = (struct sample_arrays){times, values, histograms, kept};
    return 0;
}
