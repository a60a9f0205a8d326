/* Selecting before evaluating, and what a query will cost.
 *
 *   cost = sum over selectors of  series x samples of a series in the range  +  series x steps
 *
 * The first product needs the spacing of samples. It is not configured anywhere, so a few series, evenly
 * spread over the set, are asked how many samples they have there: run by run, from the aggregates that
 * runs carry, decoding only where there are none. That is done only when the query could cost too much
 * with ten samples a second; all others pay nothing but an addition.
 *
 * What operators do with the samples is not estimated: it is linear in both products, or ends at the
 * deadline.
 */
#include "selection.h"

#include "operator.h"

enum {
    /* Series and runs of each that are looked at for an estimate. */
    PROBED_SERIES = 8,
    PROBED_RUNS_MAX = 64,
    /* The densest samples that are thought of before looking: one each so many milliseconds. */
    SPACING_MS_MIN = 100,
};

struct selection {
    struct selection *next;
    const struct matcher *const *matchers; /* the selector's own array: its identity */
    struct time_extent extent;
    size_t steps;
    struct series_set *set;
};

/* ---- Looking up ---- */

static void free_set(void *set)
{
    series_set_free(set);
}

static int look_up(
    struct query *q, const struct select_request *request, struct series_set **set_out)
{
    struct series_set *set;
    int status = querier_select(q->querier, request, &q->arena, &set, q->e);
    if (status != 0) {
        return status;
    }
    if (arena_on_release(&q->arena, free_set, set) != 0) {
        series_set_free(set);
        return query_fail_memory(q, &q->arena);
    }
    for (size_t i = 0; i < set->warning_count; i++) {
        if (annotations_add_foreign(&q->annotations, set->warnings[i]) != 0) {
            return query_fail_memory(q, &q->arena);
        }
    }
    q->statistics.series += set->count;
    *set_out = set;
    return 0;
}

static int64_t greatest_divisor(int64_t a, int64_t b)
{
    while (b != 0) {
        int64_t rest = a % b;
        a = b;
        b = rest;
    }
    return a < 0 ? -a : a;
}

/* The resolution that buckets may have to answer for samples, 0 for none. With many steps all windows must
 * begin and end on bucket borders; a single window takes whole buckets from its inside and samples for the
 * rest, which is worth it when there are many inside. */
static int64_t bucket_resolution(
    const struct expr_selector *s, int64_t range_ms, const struct grid *grid)
{
    enum { BUCKETS_MIN = 5 };
    static const int64_t coarsest = 60 * 60 * 1000, finest = 5 * 60 * 1000;
    if (!s->takes_buckets) {
        return 0;
    }
    if (grid->steps == 1 || s->when.at == AT_TIME) {
        if ((s->bucket_needs & BUCKET_NEEDS_INCREASE) != 0) {
            return 0; // range_long.c is faster from samples
        }
        return range_ms >= BUCKETS_MIN * coarsest ? coarsest
               : range_ms >= BUCKETS_MIN * finest ? finest
                                                  : 0;
    }
    int64_t common = greatest_divisor(range_ms, grid->interval);
    return greatest_divisor(common, when_at(&s->when, grid->start));
}

int select_series(struct query *q, const struct matcher *const *matchers, size_t matcher_count,
    struct time_extent extent, const struct grid *grid, int64_t range_ms,
    struct series_set **set_out)
{
    for (const struct selection *s = q->selections; s != NULL; s = s->next) {
        if (s->matchers == matchers && s->extent.min_t == extent.min_t &&
            s->extent.max_t == extent.max_t) {
            *set_out = s->set;
            return 0;
        }
    }
    const struct select_request request = {
        .min_t = extent.min_t,
        .max_t = extent.max_t,
        .matchers = matchers,
        .matcher_count = matcher_count,
        .step_ms = grid->steps > 1 ? grid->interval : 0,
        .range_ms = range_ms,
        .instant = range_ms == 0,
    };
    return look_up(q, &request, set_out);
}

/* ---- The walk ---- */

static int ahead(struct query *q, const struct expr *expr, const struct grid *grid);

static int select_one(
    struct query *q, const struct expr_selector *s, int64_t range_ms, const struct grid *grid)
{
    struct selection *found = arena_alloc(&q->arena, sizeof(*found));
    if (found == NULL) {
        return query_fail_memory(q, &q->arena);
    }
    *found = (struct selection){
        .next = q->selections,
        .matchers = s->matchers,
        .extent = selector_extent(q, s, range_ms, grid->start, grid_end(grid)),
        .steps = grid->steps,
    };
    int status = query_check(q);
    if (status == 0) {
        const struct select_request request = {
            .min_t = found->extent.min_t,
            .max_t = found->extent.max_t,
            .matchers = s->matchers,
            .matcher_count = s->matcher_count,
            .step_ms = grid->steps > 1 ? grid->interval : 0,
            .range_ms = range_ms,
            .instant = range_ms == 0,
            // Counts alone of histograms: a reset is seen only beside the sample before.
            .newest_only = range_ms == 0 && grid->steps == 1 && !s->smoothed && !s->counts_only,
            .resolution_max_ms = bucket_resolution(s, range_ms, grid),
            .bucket_needs = s->bucket_needs,
        };
        status = look_up(q, &request, &found->set);
    }
    if (status == 0) {
        q->selections = found;
    }
    return status;
}

static int ahead_arguments(struct query *q, const struct expr_call *call, const struct grid *grid)
{
    // The second argument of info() is no vector of its own: its matchers are joined to others.
    size_t count = call->function->id == FUNCTION_INFO ? 1 : call->argument_count;
    for (size_t i = 0; i < count; i++) {
        int status = ahead(q, call->arguments[i], grid);
        if (status != 0) {
            return status;
        }
    }
    return 0;
}

static int ahead_two(
    struct query *q, const struct expr *first, const struct expr *second, const struct grid *grid)
{
    int status = first != NULL ? ahead(q, first, grid) : 0;
    return status == 0 && second != NULL ? ahead(q, second, grid) : status;
}

static int ahead(struct query *q, const struct expr *expr, const struct grid *grid)
{
    switch (expr->kind) {
    case EXPR_SELECTOR:
        return select_one(q, &expr->selector, 0, grid);
    case EXPR_MATRIX:
        return select_one(q, &expr->matrix.selector->selector, expr->matrix.range_ms, grid);
    case EXPR_SUBQUERY: {
        struct grid inner;
        int status = subquery_grid(q, &expr->subquery, grid, &inner);
        return status != 0 || inner.steps == 0 ? status : ahead(q, expr->subquery.expr, &inner);
    }
    case EXPR_CALL:
        return ahead_arguments(q, &expr->call, grid);
    case EXPR_AGGREGATE:
        return ahead_two(q, expr->aggregate.expr, expr->aggregate.parameter, grid);
    case EXPR_BINARY:
        return ahead_two(q, expr->binary.left, expr->binary.right, grid);
    case EXPR_UNARY:
        return ahead(q, expr->unary.expr, grid);
    case EXPR_PAREN:
        return ahead(q, expr->paren, grid);
    default:
        return 0;
    }
}

/* ---- Cost ---- */

/* Samples of one series, from its first runs; what comes after them is taken to be alike. */
static int probe_series(
    struct query *q, struct series *series, struct time_extent extent, double *samples_out)
{
    struct arena *arena = &q->arena;
    struct arena_mark mark = arena_mark(arena);
    struct column_iter *iter;
    int status = series_open(series, arena, &iter, q->e);
    if (status != 0) {
        return status;
    }
    double samples = 0;
    int64_t min_t = 0, max_t = 0, first_t = 0;
    size_t runs = 0;
    const struct run_summary *summary = NULL;
    while (runs < PROBED_RUNS_MAX &&
           (status = column_iter_peek(iter, &min_t, &max_t, &summary, q->e)) > 0) {
        struct column_run run;
        if (summary != NULL) {
            samples += (double)summary->count;
            column_iter_skip(iter);
        } else if ((status = column_iter_next(iter, &run, q->e)) > 0) {
            samples += (double)run.count;
        } else {
            break;
        }
        first_t = runs++ == 0 ? min_t : first_t;
    }
    column_iter_close(iter);
    arena_rewind(arena, mark);
    if (status < 0) {
        return status;
    }
    if (runs == PROBED_RUNS_MAX && max_t > first_t && extent.max_t > max_t) {
        samples *= (double)(extent.max_t - first_t) / (double)(max_t - first_t);
    }
    *samples_out = samples;
    return 0;
}

/* Samples of all series of a selection, judged by a few of them. */
static int probe(struct query *q, const struct selection *s, double *samples_out)
{
    size_t count = s->set->count;
    size_t probed = count < PROBED_SERIES ? count : PROBED_SERIES;
    double sum = 0;
    for (size_t i = 0; i < probed; i++) {
        double samples = 0;
        int status = query_check(q);
        if (status == 0) {
            status = probe_series(q, s->set->series[i * count / probed], s->extent, &samples);
        }
        if (status != 0) {
            return status;
        }
        sum += samples;
    }
    *samples_out = probed > 0 ? sum * (double)count / (double)probed : 0;
    return 0;
}

static double densest(const struct selection *s)
{
    double extent_ms = (double)s->extent.max_t - (double)s->extent.min_t;
    return (double)s->set->count * (extent_ms / SPACING_MS_MIN + 1);
}

static double points_of(const struct selection *s)
{
    return (double)s->set->count * (double)s->steps;
}

int select_ahead(struct query *q, const struct expr *expr)
{
    int status = ahead(q, expr, &q->grid);
    if (status != 0) {
        return status;
    }
    double points = 0, samples = 0;
    for (const struct selection *s = q->selections; s != NULL; s = s->next) {
        points += points_of(s);
        samples += densest(s);
    }
    double cost_max = (double)q->options->cost_max;
    if (points + samples <= cost_max) {
        return 0;
    }
    samples = 0;
    for (const struct selection *s = q->selections; s != NULL; s = s->next) {
        double more = 0;
        status = probe(q, s, &more);
        if (status != 0) {
            return status;
        }
        samples += more;
    }
    if (points + samples <= cost_max) {
        return 0;
    }
    return query_fail(q, ERR_LIMIT,
        "query would read about %.0f samples and compute %.0f points, %.0f in all, and %.0f is "
        "what one "
        "query may cost; select fewer series, a shorter range or longer steps",
        samples, points, samples + points, cost_max);
}
