/* Results: series of steps, raw samples of a range selector, points of a subquery; names that were to be
 * dropped go away here, series with equal labels become one, and a matrix is put in order. */
#include "result.h"

#include <stdlib.h>

#include "operator.h"
#include "samples.h"

static void release_labels(void *labels)
{
    labels_unref(labels);
}

/* The result holds its own reference. */
static int hold_labels(struct query *q, struct engine_result *result, const struct labels *labels)
{
    void *object = (void *)(uintptr_t)labels;
    if (arena_on_release(&result->arena, release_labels, object) != 0) {
        return query_fail_memory(q, &result->arena);
    }
    (void)labels_ref(labels);
    return 0;
}

struct series_arrays {
    int64_t *float_times, *histogram_times;
    double *floats;
    const struct histogram **histograms;
};

static bool allocate_arrays(
    struct arena *arena, struct engine_series *s, struct series_arrays *arrays)
{
    arrays->float_times = arena_alloc(arena, s->float_count * sizeof(int64_t));
    arrays->floats = arena_alloc(arena, s->float_count * sizeof(double));
    arrays->histogram_times = arena_alloc(arena, s->histogram_count * sizeof(int64_t));
    arrays->histograms = arena_alloc(arena, s->histogram_count * sizeof(*arrays->histograms));
    s->float_times = arrays->float_times;
    s->floats = arrays->floats;
    s->histogram_times = arrays->histogram_times;
    s->histograms = arrays->histograms;
    return s->float_times != NULL && s->floats != NULL && s->histogram_times != NULL &&
           s->histograms != NULL;
}

/* One series of steps as arrays of its samples. */
static int export_series(struct query *q, struct engine_result *result, const struct step_series *s,
    const struct grid *grid, struct engine_series *out)
{
    struct arena *arena = &result->arena;
    *out = (struct engine_series){.labels = s->labels};
    for (size_t i = 0; i < grid->steps; i++) {
        out->float_count += s->kinds[i] == SAMPLE_FLOAT;
        out->histogram_count += s->kinds[i] == SAMPLE_HISTOGRAM;
    }
    struct series_arrays arrays;
    if (!allocate_arrays(arena, out, &arrays)) {
        return query_fail_memory(q, arena);
    }
    size_t f = 0, h = 0;
    for (size_t i = 0; i < grid->steps; i++) {
        if (s->kinds[i] == SAMPLE_FLOAT) {
            arrays.float_times[f] = grid_at(grid, i);
            arrays.floats[f++] = s->values[i];
        } else if (s->kinds[i] == SAMPLE_HISTOGRAM) {
            arrays.histogram_times[h] = grid_at(grid, i);
            arrays.histograms[h] = histogram_dup(s->histograms[i], arena);
            if (arrays.histograms[h++] == NULL) {
                return query_fail_memory(q, arena);
            }
        }
    }
    return hold_labels(q, result, s->labels);
}

static int compare_series(const void *left, const void *right)
{
    const struct engine_series *a = left, *b = right;
    return labels_cmp(a->labels, b->labels);
}

static int export_store(struct query *q, struct series_store *store, struct engine_result *result)
{
    struct engine_series *series = arena_calloc(&result->arena, store->count + 1, sizeof(*series));
    if (series == NULL) {
        return query_fail_memory(q, &result->arena);
    }
    for (size_t i = 0; i < store->count; i++) {
        int status = export_series(q, result, &store->items[i], store->grid, &series[i]);
        if (status != 0) {
            return status;
        }
    }
    result->series = series;
    result->series_count = store->count;
    if (result->type == PROMQL_MATRIX) {
        qsort(series, store->count, sizeof(*series), compare_series);
    }
    return 0;
}

static int evaluate_vector(
    struct query *q, const struct expr *expr, const struct grid *grid, struct engine_result *result)
{
    struct operator_node *op;
    struct series_store store;
    series_store_init(&store, q, grid);
    int status = plan_build(q, expr, grid, &op);
    if (status == 0) {
        status = series_store_drain(&store, op);
    }
    for (size_t i = 0; status == 0 && i < store.count; i++) {
        if (store.items[i].drop_name) {
            status = query_drop_name(q, store.items[i].labels, &store.items[i].labels);
        }
    }
    if (status == 0) {
        status = series_store_merge(&store);
    }
    return status == 0 ? export_store(q, &store, result) : status;
}

/* ---- Raw samples of a range selector ---- */

static int export_samples(struct query *q, struct engine_result *result,
    const struct samples *samples, const struct labels *labels, struct engine_series *out)
{
    struct arena *arena = &result->arena;
    *out = (struct engine_series){.labels = labels,
        .float_count = samples->float_count,
        .histogram_count = samples->histogram_count};
    struct series_arrays arrays;
    if (!allocate_arrays(arena, out, &arrays)) {
        return query_fail_memory(q, arena);
    }
    for (size_t i = 0; i < samples->float_count; i++) {
        arrays.float_times[i] = samples->float_times[i];
        arrays.floats[i] = samples->floats[i];
    }
    for (size_t i = 0; i < samples->histogram_count; i++) {
        arrays.histogram_times[i] = samples->histogram_times[i];
        arrays.histograms[i] = histogram_dup(samples->histograms[i], arena);
        if (arrays.histograms[i] == NULL) {
            return query_fail_memory(q, arena);
        }
    }
    return hold_labels(q, result, labels);
}

static int evaluate_matrix(struct query *q, const struct expr *expr, struct engine_result *result)
{
    const struct expr_selector *selector = &expr->matrix.selector->selector;
    struct time_extent extent =
        selector_extent(q, selector, expr->matrix.range_ms, q->grid.start, q->grid.start);
    if (selector->anchored || selector->smoothed) {
        return query_fail(q, ERR_INTERNAL, "%s modifier needs a function around the range",
            selector->anchored ? "anchored" : "smoothed");
    }
    struct series_set *set;
    struct samples *samples = arena_alloc(&q->arena, sizeof(*samples));
    if (samples == NULL) {
        return query_fail_memory(q, &q->arena);
    }
    int status = samples_init(samples, q);
    if (status == 0) {
        status = select_series(q, selector->matchers, selector->matcher_count, extent, &q->grid,
            expr->matrix.range_ms, &set);
    }
    if (status != 0) {
        return status;
    }
    struct engine_series *series = arena_calloc(&result->arena, set->count + 1, sizeof(*series));
    if (series == NULL) {
        return query_fail_memory(q, &result->arena);
    }
    size_t count = 0;
    for (size_t i = 0; i < set->count; i++) {
        status = query_check(q);
        if (status == 0) {
            status = samples_load(samples, set->series[i], false);
        }
        if (status == 0 && samples->float_count + samples->histogram_count > 0) {
            uint64_t kept = samples->held;
            status =
                export_samples(q, result, samples, series_labels(set->series[i]), &series[count++]);
            samples->held -= kept; // they stay, in the result
        }
        if (status != 0) {
            return status;
        }
    }
    qsort(series, count, sizeof(*series), compare_series);
    result->series = series;
    result->series_count = count;
    return 0;
}

static int evaluate_subquery(struct query *q, const struct expr *expr, struct engine_result *result)
{
    struct grid *inner = arena_alloc(&q->arena, sizeof(*inner));
    if (inner == NULL) {
        return query_fail_memory(q, &q->arena);
    }
    int status = subquery_grid(q, &expr->subquery, &q->grid, inner);
    if (status != 0 || inner->steps == 0) {
        return status;
    }
    return evaluate_vector(q, expr->subquery.expr, inner, result);
}

/* ---- All of them ---- */

static int evaluate_scalar(struct query *q, const struct expr *expr, struct engine_result *result)
{
    const double *values;
    int status = scalar_values(q, expr, &q->grid, &values);
    if (status == 0) {
        result->scalar = values[0];
    }
    return status;
}

int result_evaluate(struct query *q, const struct expr *expr, struct engine_result *result)
{
    result->time_ms = q->grid.start;
    result->type = q->range_query ? PROMQL_MATRIX : expr->type;
    if (q->range_query || expr->type == PROMQL_VECTOR) {
        return evaluate_vector(q, expr, &q->grid, result);
    }
    switch (expr->type) {
    case PROMQL_SCALAR:
        return evaluate_scalar(q, expr, result);
    case PROMQL_STRING: {
        char *text = arena_strndup(&result->arena, expr->string.ptr, expr->string.len);
        result->string = str_make(text, expr->string.len);
        return text != NULL ? 0 : query_fail_memory(q, &result->arena);
    }
    default:
        return expr->kind == EXPR_MATRIX ? evaluate_matrix(q, expr, result)
                                         : evaluate_subquery(q, expr, result);
    }
}

int result_annotations(struct query *q, struct engine_result *result)
{
    int status = annotations_texts(&q->annotations, ANNOTATION_WARNING, q->text,
        ENGINE_ANNOTATIONS_MAX, &result->arena, &result->warnings, &result->warning_count);
    if (status == 0) {
        status = annotations_texts(&q->annotations, ANNOTATION_INFO, q->text,
            ENGINE_ANNOTATIONS_MAX, &result->arena, &result->infos, &result->info_count);
    }
    return status == 0 ? 0 : query_fail_memory(q, &result->arena);
}
