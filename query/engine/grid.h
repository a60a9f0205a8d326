/* The times at which an expression is evaluated. */
#ifndef SONDE_QUERY_ENGINE_GRID_H
#define SONDE_QUERY_ENGINE_GRID_H

#include <stddef.h>
#include <stdint.h>

/* Times further away are refused, so that durations can be added without looking. */
#define TIME_MS_MAX ((int64_t)1 << 61)

struct grid {
    int64_t start;
    int64_t interval; /* > 0 */
    size_t steps;     /* >= 1 */
};

static inline int64_t grid_at(const struct grid *g, size_t step)
{
    return g->start + (int64_t)step * g->interval;
}

static inline int64_t grid_end(const struct grid *g)
{
    return grid_at(g, g->steps - 1);
}

#endif
