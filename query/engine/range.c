/* The operator of functions over range vectors, and their table.
 *
 * A series is read once into arrays; two positions in them move forward with the steps and delimit the
 * window. Subqueries give their series as arrays too, so that the functions cannot tell. */
#include "range.h"

#include "base/mem.h"
#include "exchange.h"
#include "selection.h"

#define WORK_VALUES_MAX ((size_t)1 << 31)

static const struct range_row rows[] = {
    {FUNCTION_COUNT_EQ_OVER_TIME, range_count_eq, NULL, false, false, false},
    {FUNCTION_COUNT_GT_OVER_TIME, range_count_gt, NULL, false, false, false},
    {FUNCTION_COUNT_LE_OVER_TIME, range_count_le, NULL, false, false, false},
    {FUNCTION_COUNT_NE_OVER_TIME, range_count_ne, NULL, false, false, false},
    {FUNCTION_SHARE_EQ_OVER_TIME, range_share_eq, NULL, false, false, false},
    {FUNCTION_SHARE_GT_OVER_TIME, range_share_gt, NULL, false, false, false},
    {FUNCTION_SHARE_LE_OVER_TIME, range_share_le, NULL, false, false, false},
    {FUNCTION_DISTINCT_OVER_TIME, range_distinct, NULL, false, false, false},
    {FUNCTION_SUM_EQ_OVER_TIME, range_sum_eq, NULL, false, false, false},
    {FUNCTION_SUM_GT_OVER_TIME, range_sum_gt, NULL, false, false, false},
    {FUNCTION_SUM_LE_OVER_TIME, range_sum_le, NULL, false, false, false},
    {FUNCTION_ASCENT_OVER_TIME, range_shape, NULL, false, false, false},
    {FUNCTION_DECREASES_OVER_TIME, range_shape, NULL, false, false, false},
    {FUNCTION_DESCENT_OVER_TIME, range_shape, NULL, false, false, false},
    {FUNCTION_GEOMEAN_OVER_TIME, range_shape, NULL, false, false, false},
    {FUNCTION_INCREASES_OVER_TIME, range_shape, NULL, false, false, false},
    {FUNCTION_INTEGRATE, range_shape, NULL, false, false, false},
    {FUNCTION_LAG, range_shape, NULL, false, false, false},
    {FUNCTION_LIFETIME, range_shape, NULL, false, false, false},
    {FUNCTION_MODE_OVER_TIME, range_shape, NULL, false, false, false},
    {FUNCTION_RANGE_OVER_TIME, range_shape, NULL, false, false, false},
    {FUNCTION_RATE_OVER_SUM, range_shape, NULL, false, false, false},
    {FUNCTION_SCRAPE_INTERVAL, range_shape, NULL, false, false, false},
    {FUNCTION_SUM2_OVER_TIME, range_shape, NULL, false, false, false},
    {FUNCTION_ZSCORE_OVER_TIME, range_shape, NULL, false, false, false},
    {FUNCTION_ROLLUP_CANDLESTICK, range_candlestick, NULL, false, false, false},
    {FUNCTION_ROLLUP_DELTA, range_rollup, NULL, false, false, false},
    {FUNCTION_ROLLUP_DERIV, range_rollup, NULL, false, false, false},
    {FUNCTION_ROLLUP_INCREASE, range_rollup, NULL, false, false, false},
    {FUNCTION_ROLLUP_RATE, range_rollup, NULL, false, false, false},
    {FUNCTION_ROLLUP_SCRAPE_INTERVAL, range_rollup, NULL, false, false, false},
    {FUNCTION_RATE, range_rate, range_rate_floats, false, true, true},
    {FUNCTION_INCREASE, range_increase, range_increase_floats, false, true, true},
    {FUNCTION_DELTA, range_delta, range_delta_floats, false, true, true},
    {FUNCTION_IRATE, range_irate, range_irate_floats, false, false, false},
    {FUNCTION_IDELTA, range_idelta, range_idelta_floats, false, false, false},
    {FUNCTION_CHANGES, range_changes, NULL, false, true, false},
    {FUNCTION_RESETS, range_resets, NULL, false, true, false},
    {FUNCTION_SUM_OVER_TIME, range_sum, range_sum_floats, false, false, false},
    {FUNCTION_AVG_OVER_TIME, range_avg, range_avg_floats, false, false, false},
    {FUNCTION_MIN_OVER_TIME, range_min, NULL, false, false, false},
    {FUNCTION_MAX_OVER_TIME, range_max, NULL, false, false, false},
    {FUNCTION_TS_OF_MIN_OVER_TIME, range_ts_of_min, NULL, false, false, false},
    {FUNCTION_TS_OF_MAX_OVER_TIME, range_ts_of_max, NULL, false, false, false},
    {FUNCTION_COUNT_OVER_TIME, range_count, NULL, false, false, false},
    {FUNCTION_PRESENT_OVER_TIME, range_present, NULL, false, false, false},
    {FUNCTION_ABSENT_OVER_TIME, range_present, NULL, false, false, false},
    {FUNCTION_FIRST_OVER_TIME, range_first, NULL, true, false, false},
    {FUNCTION_LAST_OVER_TIME, range_last, NULL, true, false, false},
    {FUNCTION_TS_OF_FIRST_OVER_TIME, range_ts_of_first, NULL, false, false, false},
    {FUNCTION_TS_OF_LAST_OVER_TIME, range_ts_of_last, NULL, false, false, false},
    {FUNCTION_STDDEV_OVER_TIME, range_stddev, NULL, false, false, false},
    {FUNCTION_STDVAR_OVER_TIME, range_stdvar, NULL, false, false, false},
    {FUNCTION_MAD_OVER_TIME, range_mad, NULL, false, false, false},
    {FUNCTION_QUANTILE_OVER_TIME, range_quantile, NULL, false, false, false},
    {FUNCTION_DERIV, range_deriv, NULL, false, false, false},
    {FUNCTION_PREDICT_LINEAR, range_predict_linear, NULL, false, false, false},
    {FUNCTION_DOUBLE_EXPONENTIAL_SMOOTHING, range_smoothing, NULL, false, false, false},
};

static const struct range_row *row_of(enum function_id id)
{
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        if (rows[i].id == id) {
            return &rows[i];
        }
    }
    return NULL;
}

/* ---- What functions use ---- */

struct histogram_line range_line(struct range_operator *op, bool counter)
{
    return (struct histogram_line){
        .query = op->node.query,
        .arena = op->scratch,
        .expr = op->annotated,
        .metric = metric_name(op->labels),
        .counter = counter,
    };
}

int range_reserve_values(struct range_operator *op, size_t count)
{
    int status = mem_array_grow(
        (void **)&op->values, &op->values_cap, count, sizeof(*op->values), WORK_VALUES_MAX);
    return status == 0 ? 0 : query_fail(op->node.query, status, "%s", err_text(status));
}

void range_set_histogram(struct range_value *out, const struct histogram *h)
{
    out->kind = h != NULL ? SAMPLE_HISTOGRAM : SAMPLE_ABSENT;
    out->histogram = h;
}

/* ---- Windows ---- */

static void set_window(struct range_operator *op, size_t step, struct span *floats,
    struct span *histograms, struct window *w)
{
    const struct samples *s = &op->samples;
    int64_t lookback = op->node.query->lookback_ms;
    w->step = step;
    w->t = grid_at(op->node.grid, step);
    w->end = when_at(op->when, w->t);
    w->start = w->end - op->range_ms;
    bool anchored = op->selector != NULL && op->selector->anchored;
    bool smoothed = op->selector != NULL && op->selector->smoothed;
    int64_t after = w->start - (anchored || smoothed ? lookback : 0);
    int64_t until = w->end + (smoothed ? lookback : 0);
    span_move(floats, s->float_times, s->float_count, after, until);
    span_move(histograms, s->histogram_times, s->histogram_count, after, until);
    w->first_float = floats->begin;
    w->first_histogram = histograms->begin;
    if (s->float_count > 0) { // else there may be no arrays
        w->float_times = s->float_times + floats->begin;
        w->floats = s->floats + floats->begin;
    }
    if (s->histogram_count > 0) {
        w->histogram_times = s->histogram_times + histograms->begin;
        w->histograms = s->histograms + histograms->begin;
    }
    w->float_count = floats->end - floats->begin;
    w->histogram_count = histograms->end - histograms->begin;
}

static int store_value(struct range_operator *op, size_t step, const struct range_value *value)
{
    struct step_series *out = op->out;
    if (value->kind == SAMPLE_HISTOGRAM && !out->has_histograms) {
        int status = step_series_use_histograms(op->node.query, out, op->node.grid);
        if (status != 0) {
            return status;
        }
    }
    out->kinds[step] = value->kind;
    out->values[step] = value->value;
    if (value->kind == SAMPLE_HISTOGRAM) {
        out->histograms[step] = value->histogram;
    }
    return 0;
}

static int evaluate_step(struct range_operator *op, const struct window *w)
{
    struct range_value value = {0};
    int status = op->row->step(op, w, &value);
    return status == 0 && value.kind != SAMPLE_ABSENT ? store_value(op, w->step, &value) : status;
}

/* A series that has only floats, where windows are those of all series with its times. */
static int step_through_floats(struct range_operator *op)
{
    const struct samples *s = &op->samples;
    const struct step_windows *all;
    int status = windows_find(&op->windows, s->float_times, s->float_count, &all);
    for (size_t step = 0; status == 0 && step < op->node.grid->steps; step++) {
        size_t begin = all->begin[step], end = all->end[step];
        if (begin == end) {
            continue;
        }
        int64_t t = grid_at(op->node.grid, step), until = when_at(op->when, t);
        const struct window w = {.float_times = s->float_times + begin,
            .floats = s->floats + begin,
            .float_count = end - begin,
            .first_float = begin,
            .start = until - op->range_ms,
            .end = until,
            .t = t,
            .step = step};
        status = evaluate_step(op, &w);
    }
    return status;
}

static int evaluate_series(struct range_operator *op)
{
    arena_rewind(op->scratch, op->mark);
    step_series_clear(op->out, op->node.grid);
    op->queue_begin = op->queue_end = op->queue_next = 0;
    bool extended = op->selector != NULL && (op->selector->anchored || op->selector->smoothed);
    if (op->samples.tier_ms > 0) {
        int done = range_tier(op);
        if (done != 0) {
            return done < 0 ? done : 0;
        }
    }
    if (op->row->floats != NULL && op->samples.histogram_count == 0 && !extended) {
        return op->row->floats(op);
    }
    if (op->samples.histogram_count == 0 && !extended) {
        return step_through_floats(op);
    }
    struct span floats = {0}, histograms = {0};
    for (size_t step = 0; step < op->node.grid->steps; step++) {
        struct window w = {0};
        set_window(op, step, &floats, &histograms, &w);
        int status = w.float_count + w.histogram_count > 0 ? evaluate_step(op, &w) : 0;
        if (status != 0) {
            return status;
        }
    }
    return 0;
}

/* ---- Series ---- */

static bool drops_name(const struct range_operator *op)
{
    return !op->row->keeps_name && !op->node.expr->keep_name;
}

/* A series of a subquery as samples. Claims about counter resets are worth nothing when samples were
 * picked. */
static int load_subquery_series(struct range_operator *op, const struct step_series *s)
{
    samples_reset(&op->samples);
    for (size_t i = 0; i < op->inner.steps; i++) {
        int64_t t = grid_at(&op->inner, i);
        int status = 0;
        if (s->kinds[i] == SAMPLE_FLOAT) {
            status = samples_add_float(&op->samples, t, s->values[i]);
        } else if (s->kinds[i] == SAMPLE_HISTOGRAM) {
            struct histogram h = *s->histograms[i];
            if (h.reset_hint != HISTOGRAM_GAUGE) {
                h.reset_hint = HISTOGRAM_RESET_UNKNOWN;
            }
            status = samples_add_histogram(&op->samples, t, &h);
        }
        if (status != 0) {
            return status;
        }
    }
    return 0;
}

/* Evaluates a series of the store into op->out; *any_out false = it has no samples. */
static int evaluate_stored(struct range_operator *op, struct series *series, bool *any_out)
{
    bool known = false;
    int status = 0;
    op->labels = series_labels(series);
    if (op->long_window) {
        status = range_evaluate_long(op, series, &known, any_out);
    }
    if (status != 0 || known) {
        return status;
    }
    status = samples_load(&op->samples, series, false);
    *any_out = op->samples.float_count + op->samples.histogram_count > 0;
    return status == 0 && *any_out ? evaluate_series(op) : status;
}

/* Evaluates the next series of a subquery into op->out. 1, 0 at the end, or an error. */
static int evaluate_child(struct range_operator *op, bool *any_out)
{
    struct step_series *s;
    int more = operator_next(op->child, &s);
    if (more <= 0) {
        return more;
    }
    op->labels = s->labels;
    op->drop_name = drops_name(op) || s->drop_name;
    int status = load_subquery_series(op, s);
    *any_out = op->samples.float_count + op->samples.histogram_count > 0;
    status = status == 0 && *any_out ? evaluate_series(op) : status;
    return status != 0 ? status : 1;
}

static bool ends_like_counter(struct str name)
{
    return str_ends_with(name, STR("_total")) || str_ends_with(name, STR("_sum")) ||
           str_ends_with(name, STR("_count")) || str_ends_with(name, STR("_bucket"));
}

/* rate() and increase() of what does not look like a counter get an info. */
static int judge_counter(struct range_operator *op)
{
    struct query *q = op->node.query;
    struct str name = metric_name(op->labels);
    bool counter_function = op->row->id == FUNCTION_RATE || op->row->id == FUNCTION_INCREASE;
    if (!counter_function || name.len == 0) {
        return 0;
    }
    bool any = false;
    for (size_t i = 0; i < op->node.grid->steps && !any; i++) {
        any = op->out->kinds[i] == SAMPLE_FLOAT;
    }
    struct str type =
        q->options->type_and_unit_labels ? labels_get(op->labels, STR("__type__")) : STR("");
    if (!any || (str_eq(name, op->judged_name) && str_eq(type, op->judged_type))) {
        return 0; // what is told is told once, and series of a metric come one after the other
    }
    op->judged_name = name;
    op->judged_type = type;
    if (q->options->type_and_unit_labels) {
        if (!str_eq_c(type, "counter") && !str_eq_c(type, "histogram")) {
            return query_annotate(q, ANNOTATION_INFO, op->annotated,
                "metric might not be a counter, __type__ label is not set to \"counter\" or "
                "\"histogram\", got \"%.*s\": \"%.*s\"",
                STR_ARG(type), STR_ARG(name));
        }
        return 0;
    }
    if (ends_like_counter(name)) {
        return 0;
    }
    return query_annotate(q, ANNOTATION_INFO, op->annotated,
        "metric might not be a counter, name does not end in _total/_sum/_count/_bucket: \"%.*s\"",
        STR_ARG(name));
}

/* What belongs to the series in op->out besides its values. */
static int finish_series(struct range_operator *op)
{
    int status = judge_counter(op);
    op->out->labels = op->labels;
    return status == 0 && op->drop_name ? step_series_drop_name(op->node.query, op->out) : status;
}

/* Evaluates a series of the store into `out`; false in *any_out: it has no samples. */
static int range_evaluate(
    struct operator_node *node, struct series *series, struct step_series *out, bool *any_out)
{
    struct range_operator *op = (struct range_operator *)node;
    op->out = out;
    op->drop_name = drops_name(op);
    int status = evaluate_stored(op, series, any_out);
    return status == 0 && *any_out ? finish_series(op) : status;
}

static int range_next(struct operator_node *node, struct step_series **series_out)
{
    struct range_operator *op = (struct range_operator *)node;
    int status = 0;
    while (status == 0) {
        bool any = false;
        status = query_check(node->query);
        if (status == 0 && op->child != NULL) {
            int more = evaluate_child(op, &any);
            status = more > 0 && any ? finish_series(op) : more < 0 ? more : 0;
            if (more == 0) {
                return 0;
            }
        } else if (status == 0) {
            if (op->set == NULL || op->next == op->set->count) {
                return 0;
            }
            status = range_evaluate(node, op->set->series[op->next++], op->out, &any);
        }
        if (status == 0 && any) {
            *series_out = op->out;
            return 1;
        }
    }
    return status;
}

/* ---- Planning ---- */

static void release_work(void *object)
{
    struct range_operator *op = object;
    mem_free(op->values);
    mem_free(op->positions);
}

/* What its windows are told in: by the second, or each as a whole. */
static double unit_of(const struct range_operator *op)
{
    return op->row->id == FUNCTION_RATE ? (double)op->range_ms / 1000 : 1;
}

/* What an operator, or a fork of one, has for itself. */
static int prepare_work(struct range_operator *op)
{
    struct query *q = op->node.query;
    bool counts_only = op->samples.counts_only;
    op->scratch = query_scratch(q);
    if (op->scratch == NULL) {
        return q->e->code;
    }
    op->mark = arena_mark(op->scratch);
    if (arena_on_release(&q->arena, release_work, op) != 0) {
        return query_fail_memory(q, &q->arena);
    }
    int status = samples_init(&op->samples, q);
    op->samples.counts_only = counts_only;
    return status;
}

static int range_fork(struct operator_node *node, struct query *q, struct operator_node **leaf_out)
{
    const struct range_operator *op = (const struct range_operator *)node;
    struct range_operator *fork = operator_new(q, sizeof(*fork), node->ops, node->expr, node->grid);
    if (fork == NULL) {
        return q->e->code;
    }
    fork->row = op->row;
    fork->argument = op->argument;
    fork->annotated = op->annotated;
    fork->selector = op->selector;
    fork->when = op->when;
    fork->range_ms = op->range_ms;
    memcpy(fork->scalars, op->scalars, sizeof(fork->scalars));
    fork->samples.counts_only = op->samples.counts_only;
    fork->long_window = op->long_window;
    windows_init(&fork->windows, q, node->grid, op->when, op->range_ms, unit_of(op));
    *leaf_out = &fork->node;
    return prepare_work(fork);
}

static void range_begin(struct operator_node *node)
{
    struct range_operator *op = (struct range_operator *)node;
    op->judged_name = op->judged_type = STR("");
}

static uint64_t range_held(const struct operator_node *node)
{
    return ((const struct range_operator *)node)->samples.held;
}

static const struct leaf_ops leaf_ops = {range_fork, range_begin, range_evaluate, range_held};

static int check_modifiers(struct query *q, const struct range_row *row,
    const struct expr_selector *selector, const char *name)
{
    if (selector == NULL) {
        return 0;
    }
    if (selector->anchored && !row->anchored) {
        return query_fail(q, ERR_INTERNAL,
            "anchored modifier can only be used with: changes, delta, increase, rate, resets - "
            "not with %s",
            name);
    }
    if (selector->smoothed && !row->smoothed) {
        return query_fail(q, ERR_INTERNAL,
            "smoothed modifier can only be used with: delta, increase, rate - not with %s", name);
    }
    return 0;
}

static int plan_source(struct query *q, struct range_operator *op, const struct grid *grid)
{
    const struct expr *argument = op->argument;
    if (argument->kind == EXPR_MATRIX) {
        op->selector = &argument->matrix.selector->selector;
        op->when = &op->selector->when;
        op->range_ms = argument->matrix.range_ms;
        op->samples.counts_only = op->selector->counts_only;
        int status = check_modifiers(q, op->row, op->selector, op->node.expr->call.function->name);
        if (status != 0) {
            return status;
        }
        op->extent = selector_extent(q, op->selector, op->range_ms, grid->start, grid_end(grid));
        return select_series(q, op->selector->matchers, op->selector->matcher_count, op->extent,
            grid, op->range_ms, &op->set);
    }
    const struct expr_subquery *subquery = &argument->subquery;
    op->when = &subquery->when;
    op->range_ms = subquery->range_ms;
    int status = subquery_grid(q, subquery, grid, &op->inner);
    if (status != 0 || op->inner.steps == 0) {
        return status;
    }
    return plan_whole(q, subquery->expr, &op->inner, &op->child);
}

/* The scalar arguments, in order. */
static int plan_scalars(struct query *q, struct range_operator *op, const struct expr_call *call,
    const struct grid *grid)
{
    size_t at = 0;
    for (size_t i = 0; i < call->argument_count; i++) {
        if (call->arguments[i]->type != PROMQL_SCALAR) {
            continue;
        }
        int status = scalar_values(q, call->arguments[i], grid, &op->scalars[at++]);
        if (status != 0) {
            return status;
        }
    }
    return 0;
}

int plan_range_function(struct query *q, const struct expr *expr, const struct grid *grid,
    struct operator_node **op_out)
{
    static const struct operator_ops ops = {range_next};
    const struct expr_call *call = &expr->call;
    struct range_operator *op = operator_new(q, sizeof(*op), &ops, expr, grid);
    if (op == NULL) {
        return q->e->code;
    }
    op->row = row_of(call->function->id);
    op->argument = call->arguments[call->function->id == FUNCTION_QUANTILE_OVER_TIME ? 1 : 0];
    op->annotated = call->arguments[0];
    op->out = step_series_new(q, grid);
    int status = op->out != NULL ? prepare_work(op) : q->e->code;
    if (status == 0) {
        status = plan_source(q, op, grid);
    }
    if (status == 0) {
        windows_init(&op->windows, q, grid, op->when, op->range_ms, unit_of(op));
        op->long_window = range_is_long(op);
        status = plan_scalars(q, op, call, grid);
    }
    struct operator_node *planned = &op->node;
    if (status == 0 && op->child == NULL) {
        status = plan_exchange(q, &op->node, &leaf_ops, op->set, op->extent, &planned);
    }
    if (status != 0 || !drops_name(op)) {
        *op_out = status == 0 ? planned : NULL;
        return status;
    }
    return plan_unique(q, planned, op_out);
}
