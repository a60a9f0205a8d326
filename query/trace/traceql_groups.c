#include "trace/traceql_groups.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"

enum { SLOTS = 4 * TRACEQL_SERIES_MAX };

/* ---- Groups ---- */

static bool counts_only(enum traceql_function f)
{
    return f == TRACEQL_RATE || f == TRACEQL_COUNT_OVER_TIME;
}

static bool has_buckets(enum traceql_function f)
{
    return f == TRACEQL_QUANTILE_OVER_TIME || f == TRACEQL_HISTOGRAM_OVER_TIME;
}

int traceql_groups_init(struct traceql_groups *g, const struct traceql_metrics *metrics,
    const struct traceql_steps *steps, bool exemplars, struct arena *arena)
{
    *g = (struct traceql_groups){
        .metrics = metrics, .steps = steps, .arena = arena, .exemplars = exemplars};
    g->items = arena_calloc(arena, TRACEQL_SERIES_MAX, sizeof(*g->items));
    g->slots = arena_calloc(arena, SLOTS, sizeof(*g->slots));
    return g->items == NULL || g->slots == NULL ? arena_error(arena) : 0;
}

static int copy_values(
    struct traceql_groups *g, const struct traceql_value *by, struct traceql_value *copies)
{
    for (size_t i = 0; i < g->metrics->by_count; i++) {
        copies[i] = by[i];
        if (by[i].type == TRACEQL_STRING || by[i].type == TRACEQL_ARRAY) {
            copies[i].text.ptr = arena_dup(g->arena, by[i].text.ptr, by[i].text.len);
            if (copies[i].text.ptr == NULL) {
                return arena_error(g->arena);
            }
        }
    }
    return 0;
}

static int make_group(
    struct traceql_groups *g, const struct traceql_value *by, struct traceql_group *group)
{
    uint32_t points = g->steps->count;
    enum traceql_function function = g->metrics->function;
    struct traceql_value *copies =
        arena_alloc(g->arena, (g->metrics->by_count + 1) * sizeof(*copies));
    group->counts = arena_calloc(g->arena, points, sizeof(*group->counts));
    if (copies == NULL || group->counts == NULL) {
        return arena_error(g->arena);
    }
    if (has_buckets(function)) {
        group->buckets = arena_calloc(g->arena, points, sizeof(*group->buckets));
    } else if (!counts_only(function)) {
        group->values = arena_alloc(g->arena, points * sizeof(*group->values));
        for (uint32_t i = 0; group->values != NULL && i < points; i++) {
            group->values[i] = (double)NAN;
        }
    }
    if (g->exemplars) {
        group->exemplars = arena_calloc(g->arena, points, sizeof(*group->exemplars));
    }
    bool whole = (group->buckets != NULL) == has_buckets(function) &&
                 (group->values != NULL) == (!has_buckets(function) && !counts_only(function)) &&
                 (group->exemplars != NULL) == g->exemplars;
    group->by = copies;
    return whole ? copy_values(g, by, copies) : arena_error(g->arena);
}

static bool same_values(const struct traceql_value *a, const struct traceql_value *b, size_t count)
{
    bool same = true;
    for (size_t i = 0; i < count && same; i++) {
        same = traceql_value_same(a[i], b[i]);
    }
    return same;
}

int traceql_groups_find(
    struct traceql_groups *g, const struct traceql_value *by, struct traceql_group **group_out)
{
    uint64_t hash = 0;
    for (size_t i = 0; i < g->metrics->by_count; i++) {
        hash = hash_mix64(hash + traceql_value_hash(by[i]));
    }
    size_t slot = hash % SLOTS;
    while (g->slots[slot] != 0) {
        struct traceql_group *group = &g->items[g->slots[slot] - 1];
        if (same_values(group->by, by, g->metrics->by_count)) {
            *group_out = group;
            return 0;
        }
        slot = (slot + 1) % SLOTS;
    }
    if (g->count == TRACEQL_SERIES_MAX) {
        return ERR_LIMIT;
    }
    int status = make_group(g, by, &g->items[g->count]);
    if (status == 0) {
        *group_out = &g->items[g->count];
        g->slots[slot] = (uint32_t)++g->count;
    }
    return status;
}

/* ---- Adding ---- */

/* The least k with value <= 2^k; what is below 2 has no bucket, as in Tempo. */
static uint32_t bucket_of(uint64_t whole)
{
    return 64 - (uint32_t)__builtin_clzll(whole - 1);
}

static int add_to_bucket(
    struct traceql_groups *g, struct traceql_group *group, uint32_t point, uint64_t whole)
{
    if (whole < 2) {
        return 0;
    }
    if (group->buckets[point] == NULL) {
        group->buckets[point] = arena_calloc(g->arena, TRACEQL_BUCKETS, sizeof(uint32_t));
        if (group->buckets[point] == NULL) {
            return arena_error(g->arena);
        }
    }
    group->buckets[point][bucket_of(whole)]++;
    return 0;
}

static double combine(enum traceql_function function, double so_far, double value)
{
    if (isnan(so_far)) {
        return value;
    }
    switch (function) {
    case TRACEQL_MIN_OVER_TIME:
        return value < so_far ? value : so_far;
    case TRACEQL_MAX_OVER_TIME:
        return value > so_far ? value : so_far;
    default:
        return so_far + value;
    }
}

int traceql_group_add(
    struct traceql_groups *g, struct traceql_group *group, const struct traceql_sighting *seen)
{
    uint32_t point;
    int status = 0;
    if (!traceql_steps_find(g->steps, seen->start_ns, &point)) {
        return 0;
    }
    group->counts[point]++;
    if (group->values != NULL) {
        group->values[point] = combine(g->metrics->function, group->values[point], seen->value);
    } else if (group->buckets != NULL) {
        status = add_to_bucket(g, group, point, seen->whole);
    }
    /* The greatest of each step, and of equal ones the one with the least id: an answer is the same each time. */
    struct traceql_exemplar *x = group->exemplars != NULL ? &group->exemplars[point] : NULL;
    if (x != NULL && (trace_id_is_zero(x->trace) || seen->value > x->value ||
                         (seen->value == x->value && trace_id_cmp(seen->trace, x->trace) < 0))) {
        *x = (struct traceql_exemplar){seen->trace, seen->start_ns, seen->value};
    }
    return status;
}

/* ---- Series ---- */

static double power_of_two(uint32_t k)
{
    return ldexp(1, (int)k);
}

/* Exponential interpolation inside the bucket. Tempo's begins at the bound of the bucket before that has something, which
 * may lie far below: an answer would be less than any span it speaks of. */
static double quantile(double q, const uint32_t *buckets)
{
    uint64_t total = 0, taken = 0;
    for (uint32_t k = 0; buckets != NULL && k < TRACEQL_BUCKETS; k++) {
        total += buckets[k];
    }
    if (total == 0) {
        return 0;
    }
    uint64_t wanted = (uint64_t)ceil(q * (double)total);
    wanted = wanted > 0 ? wanted : 1;
    for (uint32_t k = 0; k < TRACEQL_BUCKETS; k++) {
        if (buckets[k] == 0) {
            continue;
        }
        if (taken + buckets[k] == wanted) {
            return power_of_two(k);
        }
        if (taken + buckets[k] > wanted) {
            return exp2((double)k - 1 + (double)(wanted - taken) / buckets[k]);
        }
        taken += buckets[k];
    }
    return power_of_two(TRACEQL_BUCKETS - 1);
}

static bool of_durations(const struct traceql_metrics *m)
{
    return m->field != NULL && m->field->scope == TRACEQL_SCOPE_INTRINSIC &&
           (m->field->intrinsic == TRACEQL_INTRINSIC_DURATION ||
               m->field->intrinsic == TRACEQL_INTRINSIC_TRACE_DURATION ||
               m->field->intrinsic == TRACEQL_INTRINSIC_EVENT_TIME);
}

static double simple_sample(
    const struct traceql_groups *g, const struct traceql_group *group, uint32_t point)
{
    double seconds = (double)(g->steps->step_ns != 0 ? g->steps->step_ns
                                                     : g->steps->end_ns - g->steps->start_ns) /
                     1e9;
    switch (g->metrics->function) {
    case TRACEQL_RATE:
        return group->counts[point] / seconds;
    case TRACEQL_COUNT_OVER_TIME:
        return group->counts[point];
    case TRACEQL_AVG_OVER_TIME:
        return group->values[point] / group->counts[point];
    default:
        return group->values[point];
    }
}

/* What makes one of the series of a group. */
struct kind_of_series {
    struct traceql_value extra;
    double q;        /* of a quantile */
    uint32_t bucket; /* of a histogram */
};

static int make_series(struct traceql_groups *g, const struct traceql_group *group,
    struct kind_of_series kind, struct traceql_series *out)
{
    double unit = of_durations(g->metrics) ? 1e9 : 1;
    double *samples = arena_alloc(g->arena, g->steps->count * sizeof(*samples));
    if (samples == NULL) {
        return arena_error(g->arena);
    }
    for (uint32_t i = 0; i < g->steps->count; i++) {
        if (g->metrics->function == TRACEQL_QUANTILE_OVER_TIME) {
            samples[i] = quantile(kind.q, group->buckets[i]) / unit;
        } else if (g->metrics->function == TRACEQL_HISTOGRAM_OVER_TIME) {
            samples[i] = group->buckets[i] != NULL ? group->buckets[i][kind.bucket] : 0;
        } else {
            samples[i] = simple_sample(g, group, i);
        }
    }
    *out = (struct traceql_series){
        .by = group->by, .extra = kind.extra, .samples = samples, .exemplars = group->exemplars};
    return 0;
}

static bool has_bucket(
    const struct traceql_groups *g, const struct traceql_group *group, uint32_t bucket)
{
    bool any = false;
    for (uint32_t i = 0; i < g->steps->count && !any; i++) {
        any = group->buckets[i] != NULL && group->buckets[i][bucket] > 0;
    }
    return any;
}

static int make_all(struct traceql_groups *g, const struct traceql_group *group,
    struct traceql_series *out, size_t *count)
{
    const struct traceql_metrics *m = g->metrics;
    int status = 0;
    if (m->function == TRACEQL_QUANTILE_OVER_TIME) {
        for (size_t i = 0; status == 0 && i < m->quantile_count; i++) {
            const struct kind_of_series kind = {
                .extra = {.type = TRACEQL_FLOAT, .number = m->quantiles[i]}, .q = m->quantiles[i]};
            status = make_series(g, group, kind, &out[(*count)++]);
        }
    } else if (m->function == TRACEQL_HISTOGRAM_OVER_TIME) {
        double unit = of_durations(m) ? 1e9 : 1;
        for (uint32_t k = 0; status == 0 && k < TRACEQL_BUCKETS; k++) {
            const struct kind_of_series kind = {
                .extra = {.type = TRACEQL_FLOAT, .number = power_of_two(k) / unit}, .bucket = k};
            if (has_bucket(g, group, k)) {
                status = make_series(g, group, kind, &out[(*count)++]);
            }
        }
    } else {
        status = make_series(
            g, group, (struct kind_of_series){.extra = {.type = TRACEQL_NIL}}, &out[(*count)++]);
    }
    return status;
}

static int by_values(const void *left, const void *right, void *by_count)
{
    const struct traceql_series *a = left, *b = right;
    int order = 0;
    for (size_t i = 0; i < *(const size_t *)by_count && order == 0; i++) {
        order = traceql_value_order(a->by[i], b->by[i]);
    }
    return order != 0 ? order : traceql_value_order(a->extra, b->extra);
}

int traceql_groups_finish(struct traceql_groups *g, struct traceql_result *result_out)
{
    size_t each = g->metrics->function == TRACEQL_QUANTILE_OVER_TIME    ? TRACEQL_QUANTILES_MAX
                  : g->metrics->function == TRACEQL_HISTOGRAM_OVER_TIME ? TRACEQL_BUCKETS
                                                                        : 1;
    size_t count = 0, by_count = g->metrics->by_count;
    struct traceql_series *items = arena_alloc(g->arena, (g->count * each + 1) * sizeof(*items));
    int status = items == NULL ? arena_error(g->arena) : 0;
    for (size_t i = 0; status == 0 && i < g->count; i++) {
        status = make_all(g, &g->items[i], items, &count);
    }
    if (status == 0) {
        qsort_r(items, count, sizeof(*items), by_values, &by_count);
    }
    return status == 0 ? traceql_seconds_apply(
                             g->metrics, g->steps->count, items, count, g->arena, result_out)
                       : status;
}
