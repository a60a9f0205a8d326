/* Instant vector selectors: at each step the newest sample that is not older than the lookback, unless
 * it is a stale marker. With `smoothed`, the straight line between the samples around the step.
 * timestamp() of a selector gives the samples' own times. */
#include "exchange.h"
#include "histogram_math.h"
#include "interpolate.h"
#include "model/sample.h"
#include "operator.h"
#include "samples.h"
#include "selection.h"

struct selector_operator {
    struct operator_node node;
    const struct expr_selector *selector;
    bool times; /* timestamp(): hand out times instead of values */
    struct series_set *set;
    size_t next;
    struct samples samples;
    struct step_series *out;
};

/* Walks two sorted arrays of times: the number of times <= t, going on from *at. */
static size_t advance(const int64_t *times, size_t count, size_t at, int64_t t)
{
    while (at < count && times[at] <= t) {
        at++;
    }
    return at;
}

/* How long the float before position `f` stands for the present: the last sample of a bucket as much
 * longer as the bucket is. */
static int64_t float_lookback(const struct selector_operator *self, size_t f)
{
    const struct samples *s = &self->samples;
    int64_t lookback = self->node.query->lookback_ms;
    return f > 0 && f <= s->bucket_count ? lookback + s->buckets[f - 1].resolution_ms : lookback;
}

/* One step of a series with floats and perhaps histograms. `f` and `h` count those at or before. */
static void pick_sample(struct selector_operator *self, size_t step, size_t f, size_t h, int64_t t)
{
    const struct samples *s = &self->samples;
    int64_t float_t = f > 0 ? s->float_times[f - 1] : INT64_MIN;
    int64_t histogram_t = h > 0 ? s->histogram_times[h - 1] : INT64_MIN;
    struct step_series *out = self->out;
    if (histogram_t > float_t) {
        const struct histogram *found = s->histograms[h - 1];
        int64_t oldest = t - self->node.query->lookback_ms - s->tier_ms;
        if (histogram_t <= oldest || value_is_stale(found->sum)) {
            return;
        }
        out->kinds[step] = self->times ? SAMPLE_FLOAT : SAMPLE_HISTOGRAM;
        out->values[step] = (double)histogram_t / 1000;
        if (!self->times) {
            out->histograms[step] = found;
        }
    } else if (f > 0 && float_t > t - float_lookback(self, f) &&
               !value_is_stale(s->floats[f - 1])) {
        out->kinds[step] = SAMPLE_FLOAT;
        out->values[step] = self->times ? (double)float_t / 1000 : s->floats[f - 1];
    }
}

/* A series of floats alone, asked for its values. */
static void fill_floats(struct selector_operator *self)
{
    const struct samples *s = &self->samples;
    const struct grid *grid = self->node.grid;
    uint8_t *kinds = self->out->kinds;
    double *values = self->out->values;
    size_t f = 0, stride = 0;
    for (size_t step = 0; step < grid->steps; step++) {
        int64_t t = when_at(&self->selector->when, grid_at(grid, step));
        size_t before = f;
        f = times_advance(s->float_times, s->float_count, f, stride, t);
        stride = f - before;
        if (f > 0 && s->float_times[f - 1] > t - float_lookback(self, f) &&
            !value_is_stale(s->floats[f - 1])) {
            kinds[step] = SAMPLE_FLOAT;
            values[step] = s->floats[f - 1];
        }
    }
}

static void fill_plain(struct selector_operator *self)
{
    const struct samples *s = &self->samples;
    const struct grid *grid = self->node.grid;
    size_t f = 0, h = 0;
    for (size_t step = 0; step < grid->steps; step++) {
        int64_t t = when_at(&self->selector->when, grid_at(grid, step));
        f = advance(s->float_times, s->float_count, f, t);
        h = advance(s->histogram_times, s->histogram_count, h, t);
        pick_sample(self, step, f, h, t);
    }
}

/* ---- smoothed ---- */

/* Samples (t - lookback, t + lookback] of one kind: where they begin and end, and the first at or after
 * t. */
struct around {
    size_t begin, middle, end;
};

static struct around find_around(
    const int64_t *times, size_t count, struct around from, int64_t t, int64_t lookback)
{
    struct around a = from;
    a.begin = advance(times, count, a.begin, t - lookback);
    a.end = advance(times, count, a.end, t + lookback);
    a.middle = a.middle > a.begin ? a.middle : a.begin;
    a.middle = advance(times, count, a.middle, t - 1);
    return a;
}

static void smooth_float(struct selector_operator *self, size_t step, struct around a, int64_t t)
{
    const struct samples *s = &self->samples;
    size_t i = a.middle;
    double value;
    if (i < a.end && s->float_times[i] == t) {
        value = s->floats[i];
    } else if (i > a.begin && i < a.end) {
        value = interpolate_float(
            s->float_times[i - 1], s->floats[i - 1], s->float_times[i], s->floats[i], t, false);
    } else if (i > a.begin) {
        value = s->floats[i - 1];
    } else {
        return;
    }
    self->out->kinds[step] = SAMPLE_FLOAT;
    self->out->values[step] = value;
}

static int smooth_histogram(struct selector_operator *self, size_t step, struct around a, int64_t t)
{
    struct query *q = self->node.query;
    struct samples *s = &self->samples;
    const struct expr *expr = self->node.expr;
    size_t i = a.middle;
    const struct histogram *found = NULL;
    if (i < a.end && s->histogram_times[i] == t) {
        found = s->histograms[i];
    } else if (i > a.begin && i < a.end) {
        const struct histogram *before = s->histograms[i - 1], *after = s->histograms[i];
        bool counter =
            before->reset_hint != HISTOGRAM_GAUGE || after->reset_hint != HISTOGRAM_GAUGE;
        struct histogram_line line = {
            .query = q,
            .arena = s->scratch,
            .expr = expr,
            .metric = metric_name(self->out->labels),
            .counter = counter,
        };
        int status = interpolate_histogram(
            &line, s->histogram_times[i - 1], before, s->histogram_times[i], after, t, &found);
        if (status != 0) {
            return status;
        }
    } else if (i > a.begin) {
        struct histogram *copy = arena_dup(s->scratch, s->histograms[i - 1], sizeof(*copy));
        if (copy == NULL) {
            return query_fail_memory(q, s->scratch);
        }
        copy->reset_hint = HISTOGRAM_RESET_UNKNOWN;
        found = copy;
    }
    if (found != NULL) {
        self->out->kinds[step] = SAMPLE_HISTOGRAM;
        self->out->histograms[step] = found;
    }
    return 0;
}

static int fill_smoothed(struct selector_operator *self)
{
    const struct samples *s = &self->samples;
    struct query *q = self->node.query;
    const struct grid *grid = self->node.grid;
    struct around f = {0}, h = {0};
    for (size_t step = 0; step < grid->steps; step++) {
        int64_t t = when_at(&self->selector->when, grid_at(grid, step));
        f = find_around(s->float_times, s->float_count, f, t, q->lookback_ms);
        h = find_around(s->histogram_times, s->histogram_count, h, t, q->lookback_ms);
        int status = 0;
        if (f.end > f.begin && h.end > h.begin) {
            status = query_annotate(q, ANNOTATION_WARNING, self->node.expr,
                "encountered a mix of histograms and floats for metric name \"%.*s\"",
                STR_ARG(metric_name(self->out->labels)));
        } else if (h.end > h.begin) {
            status = smooth_histogram(self, step, h, t);
        } else if (f.end > f.begin) {
            smooth_float(self, step, f, t);
        }
        if (status != 0) {
            return status;
        }
    }
    return 0;
}

/* ---- The operator ---- */

static int annotate_tier(struct selector_operator *self)
{
    return query_annotate(self->node.query, ANNOTATION_INFO, self->node.expr,
        "samples are downsampled to %s: the last of each bucket stands for all",
        self->samples.tier_ms >= 60 * 60 * 1000 ? "1h" : "5m");
}

/* Evaluates a series into `out`; false in *any_out: it has no samples. */
static int selector_evaluate(
    struct operator_node *op, struct series *series, struct step_series *out, bool *any_out)
{
    struct selector_operator *self = (struct selector_operator *)op;
    struct query *q = op->query;
    bool smoothed = self->selector->smoothed && !self->times;
    int status = samples_load(&self->samples, series, !smoothed);
    *any_out = self->samples.float_count + self->samples.histogram_count > 0;
    if (status != 0 || !*any_out) {
        return status;
    }
    self->out = out;
    step_series_clear(out, op->grid);
    out->labels = series_labels(series);
    if (self->samples.tier_ms > 0) {
        status = annotate_tier(self);
    }
    if (status == 0 && self->samples.histogram_count > 0 && !self->times) {
        status = step_series_use_histograms(q, out, op->grid);
    }
    if (status == 0 && smoothed) {
        status = fill_smoothed(self);
    } else if (status == 0 && self->samples.histogram_count == 0 && !self->times) {
        fill_floats(self);
    } else if (status == 0) {
        fill_plain(self);
    }
    return status == 0 && self->times ? step_series_drop_name(q, out) : status;
}

static int selector_next(struct operator_node *op, struct step_series **series_out)
{
    struct selector_operator *self = (struct selector_operator *)op;
    while (self->next < self->set->count) {
        bool any = false;
        int status = query_check(op->query);
        if (status == 0) {
            status = selector_evaluate(op, self->set->series[self->next++], self->out, &any);
        }
        if (status != 0 || any) {
            *series_out = self->out;
            return status == 0 ? 1 : status;
        }
    }
    return 0;
}

/* ---- Shared among threads ---- */

static int selector_fork(struct operator_node *op, struct query *q, struct operator_node **leaf_out)
{
    struct selector_operator *fork = operator_new(q, sizeof(*fork), op->ops, op->expr, op->grid);
    if (fork == NULL) {
        return q->e->code;
    }
    const struct selector_operator *self = (const struct selector_operator *)op;
    fork->selector = self->selector;
    fork->times = self->times;
    int status = samples_init(&fork->samples, q);
    fork->samples.counts_only = self->samples.counts_only;
    *leaf_out = &fork->node;
    return status;
}

static void selector_begin(struct operator_node *op)
{
    (void)op; // keeps nothing from series to series
}

static uint64_t selector_held(const struct operator_node *op)
{
    return ((const struct selector_operator *)op)->samples.held;
}

static const struct leaf_ops leaf_ops = {
    selector_fork, selector_begin, selector_evaluate, selector_held};

static int plan(struct query *q, const struct expr *expr, const struct expr_selector *selector,
    bool times, const struct grid *grid, struct operator_node **op_out)
{
    static const struct operator_ops ops = {selector_next};
    struct selector_operator *op = operator_new(q, sizeof(*op), &ops, expr, grid);
    if (op == NULL) {
        return q->e->code;
    }
    op->selector = selector;
    op->times = times;
    op->out = step_series_new(q, grid);
    if (op->out == NULL) {
        return q->e->code;
    }
    int status = samples_init(&op->samples, q);
    op->samples.counts_only = selector->counts_only;
    struct time_extent extent = selector_extent(q, selector, 0, grid->start, grid_end(grid));
    if (status == 0) {
        status = select_series(
            q, selector->matchers, selector->matcher_count, extent, grid, 0, &op->set);
    }
    return status == 0 ? plan_exchange(q, &op->node, &leaf_ops, op->set, extent, op_out) : status;
}

int plan_selector(struct query *q, const struct expr *expr, const struct grid *grid,
    struct operator_node **op_out)
{
    return plan(q, expr, &expr->selector, false, grid, op_out);
}

int plan_timestamp(struct query *q, const struct expr *expr, const struct grid *grid,
    struct operator_node **op_out)
{
    const struct expr_selector *selector = &expr->call.arguments[0]->selector;
    struct operator_node *op;
    int status = plan(q, expr, selector, true, grid, &op);
    return status != 0 ? status : plan_unique(q, op, op_out);
}
