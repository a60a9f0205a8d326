/* topk, bottomk and thresholds. */
#include <math.h>
#include <stdlib.h>

#include "trace/traceql_series.h"

struct ranked {
    double value;
    size_t index;
};

static int greatest_first(const void *left, const void *right)
{
    const struct ranked *a = left, *b = right;
    return a->value != b->value ? (a->value > b->value ? -1 : 1)
                                : (a->index < b->index ? -1 : a->index > b->index);
}

/* At each step all but the first lose their sample; of equal ones the first in order stay. */
static int keep_top(const struct traceql_second *second, uint32_t points,
    struct traceql_series *items, size_t count, struct arena *arena)
{
    struct ranked *all = arena_alloc(arena, (count + 1) * sizeof(*all));
    if (all == NULL) {
        return arena_error(arena);
    }
    for (uint32_t point = 0; point < points; point++) {
        size_t ranked = 0;
        for (size_t i = 0; i < count; i++) {
            double value = items[i].samples[point];
            if (!isnan(value)) {
                all[ranked++] =
                    (struct ranked){second->kind == TRACEQL_SECOND_BOTTOM ? -value : value, i};
            }
        }
        qsort(all, ranked, sizeof(*all), greatest_first);
        for (size_t i = (size_t)second->count; i < ranked; i++) {
            items[all[i].index].samples[point] = (double)NAN;
        }
    }
    return 0;
}

static bool holds(const struct traceql_second *second, double value)
{
    switch (second->op) {
    case TRACEQL_EQ:
        return value == second->number;
    case TRACEQL_NE:
        return value != second->number;
    case TRACEQL_LT:
        return value < second->number;
    case TRACEQL_LE:
        return value <= second->number;
    case TRACEQL_GT:
        return value > second->number;
    default:
        return value >= second->number;
    }
}

static void keep_where(const struct traceql_second *second, uint32_t points,
    struct traceql_series *items, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        for (uint32_t point = 0; point < points; point++) {
            if (!isnan(items[i].samples[point]) && !holds(second, items[i].samples[point])) {
                items[i].samples[point] = (double)NAN;
            }
        }
    }
}

static bool has_sample(const struct traceql_series *s, uint32_t points)
{
    bool any = false;
    for (uint32_t point = 0; point < points && !any; point++) {
        any = !isnan(s->samples[point]);
    }
    return any;
}

int traceql_seconds_apply(const struct traceql_metrics *m, uint32_t points,
    struct traceql_series *items, size_t count, struct arena *arena,
    struct traceql_result *result_out)
{
    int status = 0;
    size_t left = 0;
    for (size_t k = 0; status == 0 && k < m->second_count; k++) {
        if (m->seconds[k].kind == TRACEQL_SECOND_COMPARE) {
            keep_where(&m->seconds[k], points, items, count);
        } else {
            status = keep_top(&m->seconds[k], points, items, count, arena);
        }
    }
    for (size_t i = 0; i < count; i++) {
        if (m->second_count == 0 || has_sample(&items[i], points)) {
            items[left++] = items[i];
        }
    }
    result_out->items = items;
    result_out->count = left;
    return status;
}
