/* Preparation; see prepare.h. */
#include "prepare.h"

#include <math.h>

#define DURATION_SECONDS_MAX 9223372036.854775807

/* ---- Durations ---- */

static int fail_duration(struct query *q, const struct expr *expr, const char *sentence)
{
    return query_fail(
        q, ERR_INVALID, "%u:%u: %s", expr->position.start, expr->position.end, sentence);
}

static double query_range_seconds(const struct query *q)
{
    return (double)(grid_end(&q->grid) - q->grid.start) / 1000;
}

static double query_step_seconds(const struct query *q)
{
    return q->range_query ? (double)q->grid.interval / 1000 : 0;
}

static int evaluate_duration(struct query *q, const struct expr *expr, double *seconds_out);

static int evaluate_operator(
    struct query *q, const struct expr *expr, double left, double right, double *out)
{
    bool unary = expr->duration.left == NULL;
    switch (expr->duration.op) {
    case DURATION_ADD:
        *out = unary ? right : left + right;
        return 0;
    case DURATION_SUB:
        *out = unary ? -right : left - right;
        return 0;
    case DURATION_MUL:
        *out = left * right;
        return 0;
    case DURATION_DIV:
    case DURATION_MOD: {
        bool divide = expr->duration.op == DURATION_DIV;
        if (right == 0) {
            return fail_duration(q, expr, divide ? "division by zero" : "modulo by zero");
        }
        *out = divide ? left / right : fmod(left, right);
        return 0;
    }
    case DURATION_POW:
        *out = pow(left, right);
        return 0;
    case DURATION_STEP:
        *out = query_step_seconds(q);
        return 0;
    case DURATION_RANGE:
        *out = query_range_seconds(q);
        return 0;
    case DURATION_MIN_OF:
        *out = left < right ? left : right;
        return 0;
    case DURATION_MAX_OF:
        *out = left > right ? left : right;
        return 0;
    }
    return 0;
}

static int evaluate_duration(struct query *q, const struct expr *expr, double *seconds_out)
{
    if (expr->kind == EXPR_NUMBER) {
        *seconds_out = expr->number.value;
        return 0;
    }
    double left = 0, right = 0;
    const struct expr_duration *d = &expr->duration;
    int status = d->left != NULL ? evaluate_duration(q, d->left, &left) : 0;
    if (status == 0 && d->right != NULL) {
        status = evaluate_duration(q, d->right, &right);
    }
    return status == 0 ? evaluate_operator(q, expr, left, right, seconds_out) : status;
}

/* Replaces an expression, when there is one, by its milliseconds. */
static int resolve_duration(
    struct query *q, struct expr **expr, int64_t *ms_out, bool negative_allowed)
{
    if (*expr == NULL) {
        return 0;
    }
    double seconds;
    int status = evaluate_duration(q, *expr, &seconds);
    if (status != 0) {
        return status;
    }
    if (!isfinite(seconds)) {
        return fail_duration(q, *expr, "duration is NaN or infinite");
    }
    if (seconds <= 0 && !negative_allowed) {
        return fail_duration(q, *expr, "duration must be greater than 0");
    }
    if (fabs(seconds) > DURATION_SECONDS_MAX) {
        return fail_duration(q, *expr, "duration is out of range");
    }
    *ms_out = (int64_t)(seconds * 1000);
    *expr = NULL;
    return 0;
}

static int resolve_when(struct query *q, struct expr_when *when)
{
    if (when->at == AT_START || when->at == AT_END) {
        when->at_ms = when->at == AT_START ? q->grid.start : grid_end(&q->grid);
        when->at = AT_TIME;
    }
    if (when->at == AT_TIME && (when->at_ms > TIME_MS_MAX || when->at_ms < -TIME_MS_MAX)) {
        when->at_ms = when->at_ms > 0 ? TIME_MS_MAX : -TIME_MS_MAX; // nothing is there either
    }
    return resolve_duration(q, &when->offset_expr, &when->offset_ms, true);
}

/* ---- The tree ---- */

static void unwrap(struct expr **expr)
{
    while (*expr != NULL && (*expr)->kind == EXPR_PAREN) {
        *expr = (*expr)->paren;
    }
}

/* start(), end(), range() and step() are numbers once the query is known. */
static void fold(struct query *q, struct expr *expr)
{
    double value;
    switch (expr->call.function->id) {
    case FUNCTION_START:
        value = (double)q->grid.start / 1000;
        break;
    case FUNCTION_END:
        value = (double)grid_end(&q->grid) / 1000;
        break;
    case FUNCTION_RANGE:
        value = query_range_seconds(q);
        break;
    case FUNCTION_STEP:
        value = query_step_seconds(q);
        break;
    default:
        return;
    }
    expr->kind = EXPR_NUMBER;
    expr->number.value = value;
    expr->number.is_duration = false;
}

static int prepare_node(struct expr *expr, struct expr *parent, void *context)
{
    (void)parent;
    struct query *q = context;
    int status = 0;
    switch (expr->kind) {
    case EXPR_SELECTOR:
        return resolve_when(q, &expr->selector.when);
    case EXPR_MATRIX:
        return resolve_duration(q, &expr->matrix.range_expr, &expr->matrix.range_ms, false);
    case EXPR_SUBQUERY:
        status = resolve_when(q, &expr->subquery.when);
        if (status == 0) {
            status = resolve_duration(q, &expr->subquery.step_expr, &expr->subquery.step_ms, false);
        }
        return status != 0 ? status
                           : resolve_duration(
                                 q, &expr->subquery.range_expr, &expr->subquery.range_ms, false);
    case EXPR_CALL:
        for (size_t i = 0; i < expr->call.argument_count; i++) {
            unwrap(&expr->call.arguments[i]);
        }
        fold(q, expr);
        return 0;
    case EXPR_AGGREGATE:
        unwrap(&expr->aggregate.expr);
        unwrap(&expr->aggregate.parameter);
        return 0;
    default:
        return 0;
    }
}

/* ---- Paths ---- */

void expr_path_visit(struct expr_path *path, const struct expr *expr, const struct expr *parent)
{
    while (path->count > 0 && path->nodes[path->count - 1] != parent) {
        path->count--;
    }
    path->nodes[path->count++] = expr;
}

static bool is_call(const struct expr *expr, const enum function_id *ids, size_t count)
{
    for (size_t i = 0; expr->kind == EXPR_CALL && i < count; i++) {
        if (expr->call.function->id == ids[i]) {
            return true;
        }
    }
    return false;
}

static bool is_trim(const struct expr *expr)
{
    return expr->kind == EXPR_BINARY &&
           (expr->binary.op == BINARY_TRIM_UPPER || expr->binary.op == BINARY_TRIM_LOWER);
}

/* Below histogram_count and its like buckets are not wanted, unless something on the way needs them:
 * then only counts and sums are worked on, and resets are found when samples are read. */
static int mark_counts_only(struct expr *expr, struct expr *parent, void *context)
{
    static const enum function_id count_functions[] = {
        FUNCTION_HISTOGRAM_COUNT, FUNCTION_HISTOGRAM_SUM, FUNCTION_HISTOGRAM_AVG};
    static const enum function_id bucket_functions[] = {
        FUNCTION_HISTOGRAM_QUANTILE, FUNCTION_HISTOGRAM_QUANTILES, FUNCTION_HISTOGRAM_FRACTION};
    struct expr_path *path = context;
    expr_path_visit(path, expr, parent);
    if (expr->kind != EXPR_SELECTOR) {
        return 0;
    }
    bool counts = false;
    for (size_t i = 0; i < path->count; i++) {
        const struct expr *node = path->nodes[i];
        if (node->kind == EXPR_SUBQUERY || is_trim(node) || is_call(node, bucket_functions, 3)) {
            return 0;
        }
        counts = counts || is_call(node, count_functions, 3);
    }
    expr->selector.counts_only = counts;
    return 0;
}

/* ---- Times ---- */

struct time_extent selector_extent(const struct query *q, const struct expr_selector *s,
    int64_t range_ms, int64_t start, int64_t end)
{
    struct time_extent extent = {when_at(&s->when, start), when_at(&s->when, end)};
    if (range_ms == 0 || s->anchored || s->smoothed) {
        extent.min_t -= range_ms + q->lookback_ms - 1;
        extent.max_t += s->smoothed ? q->lookback_ms : 0;
    } else {
        extent.min_t -= range_ms - 1;
    }
    // What a counter was before the first sample tells whether that sample is a reset.
    extent.min_t -= s->counts_only ? q->lookback_ms : 0;
    return extent;
}

int subquery_grid(
    struct query *q, const struct expr_subquery *s, const struct grid *outer, struct grid *grid_out)
{
    int64_t before = when_at(&s->when, outer->start) - s->range_ms;
    int64_t end = when_at(&s->when, grid_end(outer));
    int64_t interval = s->step_ms > 0 ? s->step_ms : q->options->subquery_step_ms;
    int64_t start = before / interval * interval;
    start += start <= before ? interval : 0;
    *grid_out = (struct grid){.start = start, .interval = interval};
    if (end >= start) {
        int64_t steps = (end - start) / interval + 1;
        if (steps > ENGINE_STEPS_MAX) {
            return query_fail(q, ERR_LIMIT, "subquery has %lld steps, more than the %lld accepted",
                (long long)steps, (long long)ENGINE_STEPS_MAX);
        }
        grid_out->steps = (size_t)steps;
    }
    return 0;
}

static int extend(
    struct query *q, const struct expr *expr, const struct grid *grid, struct time_extent *extent);

static int extend_selector(struct query *q, const struct expr_selector *s, int64_t range_ms,
    const struct grid *grid, struct time_extent *extent)
{
    struct time_extent own = selector_extent(q, s, range_ms, grid->start, grid_end(grid));
    extent->min_t = own.min_t < extent->min_t ? own.min_t : extent->min_t;
    extent->max_t = own.max_t > extent->max_t ? own.max_t : extent->max_t;
    return 0;
}

static int extend_arguments(struct query *q, const struct expr_call *call, const struct grid *grid,
    struct time_extent *extent)
{
    for (size_t i = 0; i < call->argument_count; i++) {
        int status = extend(q, call->arguments[i], grid, extent);
        if (status != 0) {
            return status;
        }
    }
    return 0;
}

static int extend_two(struct query *q, const struct expr *first, const struct expr *second,
    const struct grid *grid, struct time_extent *extent)
{
    int status = first != NULL ? extend(q, first, grid, extent) : 0;
    return status == 0 && second != NULL ? extend(q, second, grid, extent) : status;
}

/* Adds the times that `expr`, evaluated on `grid`, may read. */
static int extend(
    struct query *q, const struct expr *expr, const struct grid *grid, struct time_extent *extent)
{
    switch (expr->kind) {
    case EXPR_SELECTOR:
        return extend_selector(q, &expr->selector, 0, grid, extent);
    case EXPR_MATRIX:
        return extend_selector(
            q, &expr->matrix.selector->selector, expr->matrix.range_ms, grid, extent);
    case EXPR_SUBQUERY: {
        struct grid inner;
        int status = subquery_grid(q, &expr->subquery, grid, &inner);
        return status != 0 || inner.steps == 0 ? status
                                               : extend(q, expr->subquery.expr, &inner, extent);
    }
    case EXPR_CALL:
        return extend_arguments(q, &expr->call, grid, extent);
    case EXPR_AGGREGATE:
        return extend_two(q, expr->aggregate.expr, expr->aggregate.parameter, grid, extent);
    case EXPR_BINARY:
        return extend_two(q, expr->binary.left, expr->binary.right, grid, extent);
    case EXPR_UNARY:
        return extend(q, expr->unary.expr, grid, extent);
    case EXPR_PAREN:
        return extend(q, expr->paren, grid, extent);
    default:
        return 0;
    }
}

/* Which functions have the same answer from whole buckets as from their samples. */
static int mark_buckets(struct expr *expr, struct expr *parent, void *context)
{
    static const struct {
        enum function_id id;
        bool exact;
        unsigned needs;
    } rows[] = {
        {FUNCTION_RATE, true, BUCKET_NEEDS_INCREASE},
        {FUNCTION_INCREASE, true, BUCKET_NEEDS_INCREASE},
        {FUNCTION_DELTA, true, 0},
        {FUNCTION_SUM_OVER_TIME, true, BUCKET_NEEDS_SUM},
        {FUNCTION_AVG_OVER_TIME, true, BUCKET_NEEDS_SUM},
        {FUNCTION_MIN_OVER_TIME, true, 0},
        {FUNCTION_MAX_OVER_TIME, true, 0},
        {FUNCTION_COUNT_OVER_TIME, true, 0},
        {FUNCTION_PRESENT_OVER_TIME, true, 0},
        {FUNCTION_ABSENT_OVER_TIME, true, 0},
        {FUNCTION_FIRST_OVER_TIME, true, 0},
        {FUNCTION_LAST_OVER_TIME, true, 0},
        {FUNCTION_TS_OF_FIRST_OVER_TIME, true, 0},
        {FUNCTION_TS_OF_LAST_OVER_TIME, true, 0},
        {FUNCTION_QUANTILE_OVER_TIME, false, BUCKET_NEEDS_SKETCH},
    };
    (void)context;
    if (expr->kind != EXPR_MATRIX || parent == NULL || parent->kind != EXPR_CALL) {
        return 0;
    }
    struct expr_selector *s = &expr->matrix.selector->selector;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        if (parent->call.function->id == rows[i].id) {
            s->takes_buckets = rows[i].exact && !s->anchored && !s->smoothed;
            s->bucket_needs = rows[i].needs;
        }
    }
    return 0;
}

int prepare(struct query *q, struct expr **expr, struct time_extent *extent_out)
{
    int status = promql_walk(*expr, prepare_node, q);
    if (status != 0) {
        return status;
    }
    unwrap(expr);
    struct expr_path path = {.count = 0};
    (void)promql_walk(*expr, mark_counts_only, &path);
    (void)promql_walk(*expr, mark_buckets, NULL);
    struct time_extent extent = {INT64_MAX, INT64_MIN};
    status = extend(q, *expr, &q->grid, &extent);
    if (status != 0) {
        return status;
    }
    if (extent.max_t < extent.min_t) {
        extent = (struct time_extent){0, 0}; // nothing is selected
    }
    *extent_out = extent;
    return 0;
}
