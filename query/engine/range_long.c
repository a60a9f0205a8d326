/* rate, increase and delta over one long window. Of a window of weeks only the runs at its ends have to
 * be decoded: of those between, the store knows the first value, the last and the increase. A run without
 * a summary is read; histograms and tiers are left to the usual way. */
#include "model/sample.h"
#include "range.h"

/* Windows shorter than this lie in few runs. */
#define LONG_WINDOW_MS_MIN ((int64_t)3600 * 1000)

struct long_window {
    const struct window *window;
    struct range_extent extent; /* its increase is made up at the end */
    double last;
    double hidden; /* what resets took away */
};

bool range_is_long(const struct range_operator *op)
{
    enum function_id id = op->row->id;
    bool suited = id == FUNCTION_RATE || id == FUNCTION_INCREASE || id == FUNCTION_DELTA;
    return suited && op->selector != NULL && !op->selector->anchored && !op->selector->smoothed &&
           op->node.grid->steps == 1 && op->range_ms >= LONG_WINDOW_MS_MIN;
}

/* A sample, or a run that begins with it, joins what was before. */
static void join(struct long_window *l, int64_t t, double value)
{
    if (l->extent.count == 0) {
        l->extent.first_t = t;
        l->extent.first = value;
    } else if (value < l->last) {
        l->hidden += l->last;
    }
}

static void add_summary(struct long_window *l, const struct run_summary *s)
{
    join(l, s->first_t, s->first);
    l->hidden += s->increase - (s->last - s->first);
    l->last = s->last;
    l->extent.last_t = s->last_t;
    l->extent.count += s->count;
}

static void add_run(struct long_window *l, const struct column_run *run)
{
    for (size_t i = 0; i < run->count; i++) {
        int64_t t = run->times[i];
        if (value_is_stale(run->values[i]) || t <= l->window->start || t > l->window->end) {
            continue;
        }
        join(l, t, run->values[i]);
        l->last = run->values[i];
        l->extent.last_t = t;
        l->extent.count++;
    }
}

/* The next run: 1, 0 at the end, or an error. */
static int add_next(
    struct range_operator *op, struct column_iter *iter, struct long_window *l, bool *known)
{
    struct query *q = op->node.query;
    const struct run_summary *summary;
    struct column_run run;
    int64_t min_t, max_t;
    int more = column_iter_peek(iter, &min_t, &max_t, &summary, q->e);
    if (more <= 0) {
        return more;
    }
    if (summary != NULL && min_t > l->window->start && max_t <= l->window->end) {
        add_summary(l, summary);
        column_iter_skip(iter);
        return 1;
    }
    more = column_iter_next(iter, &run, q->e);
    if (more > 0 && (run.histograms != NULL || run.resolution_ms > 0)) {
        *known = false;
        return 0;
    }
    if (more > 0) {
        add_run(l, &run);
        query_count_read(q, run.count);
    }
    return more;
}

int range_evaluate_long(
    struct range_operator *op, struct series *series, bool *known_out, bool *any_out)
{
    struct query *q = op->node.query;
    int64_t end = when_at(op->when, grid_at(op->node.grid, 0));
    const struct window w = {.start = end - op->range_ms, .end = end};
    struct long_window l = {.window = &w};
    struct column_iter *iter;
    bool known = true;
    samples_reset(&op->samples);
    arena_rewind(op->scratch, op->mark);
    int status = series_open(series, op->samples.scratch, &iter, q->e);
    if (status != 0) {
        return status;
    }
    int more;
    do {
        more = add_next(op, iter, &l, &known);
        status = more >= 0 ? query_check(q) : more;
    } while (status == 0 && more > 0);
    column_iter_close(iter);
    *known_out = known;
    *any_out = l.extent.count > 0;
    if (status != 0 || !known) {
        return status;
    }
    bool counter = op->row->id != FUNCTION_DELTA;
    step_series_clear(op->out, op->node.grid);
    if (l.extent.count > 1) {
        l.extent.increase = l.last - l.extent.first + (counter ? l.hidden : 0);
        op->out->kinds[0] = SAMPLE_FLOAT;
        op->out->values[0] =
            range_extrapolate(op, &l.extent, &w, counter, op->row->id == FUNCTION_RATE);
    }
    return 0;
}
