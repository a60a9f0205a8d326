/* Results: series of steps, raw samples of a range selector, points of a subquery; names that were to be
 * dropped go away here, series with equal labels become one, and a matrix is put in order. */
#include "result.h"

#include <stdlib.h>

#include "operator.h"
#include "samples.h"
#include "selection.h"

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

/* Series that come out, by their labels. */
struct export
{
    struct query *q;
    const struct grid *grid;
    struct engine_result *result;
    struct engine_series *series;
    size_t count, cap;
    struct id_map ids;
};

static int fail_same_labels(struct query *q)
{
    return query_fail(q, ERR_INTERNAL, "vector cannot contain metrics with the same labelset");
}

/* Two parts of one series, neither with a time of the other. */
static int merge_series(struct query *q, struct arena *arena, struct engine_series *into,
    const struct engine_series *part)
{
    struct engine_series merged = {.labels = into->labels,
        .float_count = into->float_count + part->float_count,
        .histogram_count = into->histogram_count + part->histogram_count};
    struct series_arrays arrays;
    if (!allocate_arrays(arena, &merged, &arrays)) {
        return query_fail_memory(q, arena);
    }
    size_t a = 0, b = 0;
    for (size_t i = 0; i < merged.float_count; i++) {
        bool first = b == part->float_count ||
                     (a < into->float_count && into->float_times[a] < part->float_times[b]);
        const struct engine_series *from = first ? into : part;
        size_t at = first ? a++ : b++;
        arrays.float_times[i] = from->float_times[at];
        arrays.floats[i] = from->floats[at];
        if (i > 0 && arrays.float_times[i] == arrays.float_times[i - 1]) {
            return fail_same_labels(q);
        }
    }
    a = b = 0;
    for (size_t i = 0; i < merged.histogram_count; i++) {
        bool first =
            b == part->histogram_count ||
            (a < into->histogram_count && into->histogram_times[a] < part->histogram_times[b]);
        const struct engine_series *from = first ? into : part;
        size_t at = first ? a++ : b++;
        arrays.histogram_times[i] = from->histogram_times[at];
        arrays.histograms[i] = from->histograms[at];
        if (i > 0 && arrays.histogram_times[i] == arrays.histogram_times[i - 1]) {
            return fail_same_labels(q);
        }
    }
    *into = merged;
    return 0;
}

static int export_grow(struct export *x)
{
    if (x->count < x->cap) {
        return 0;
    }
    struct arena *arena = &x->result->arena;
    size_t cap = x->cap > 0 ? x->cap * 2 : 64;
    struct engine_series *grown = arena_alloc(arena, cap * sizeof(*grown));
    if (grown == NULL) {
        return query_fail_memory(x->q, arena);
    }
    if (x->count > 0) {
        memcpy(grown, x->series, x->count * sizeof(*grown));
    }
    x->series = grown;
    x->cap = cap;
    return 0;
}

static int export_one(struct export *x, struct step_series *s)
{
    struct query *q = x->q;
    int status = query_check(q);
    if (status == 0 && s->drop_name) {
        status = query_drop_name(q, s->labels, &s->labels);
    }
    size_t samples = step_series_count(s, x->grid);
    if (status != 0 || samples == 0) {
        return status;
    }
    uint32_t id = 0;
    bool is_new = false;
    struct engine_series part;
    status = export_grow(x);
    if (status == 0) {
        status = query_hold_samples(q, samples);
    }
    if (status == 0) {
        status = id_map_get(&x->ids, labels_hash(s->labels), &id, &is_new);
    }
    if (status == 0) {
        status = export_series(q, x->result, s, x->grid, &part);
    }
    if (status == 0 && !is_new) {
        return merge_series(q, &x->result->arena, &x->series[id], &part);
    }
    if (status == 0) {
        x->series[x->count++] = part;
    }
    return status;
}

static int compare_series(const void *left, const void *right)
{
    const struct engine_series *a = left, *b = right;
    return labels_cmp(a->labels, b->labels);
}

static int evaluate_vector(
    struct query *q, const struct expr *expr, const struct grid *grid, struct engine_result *result)
{
    struct export x = {.q = q, .grid = grid, .result = result};
    struct operator_node *op;
    struct step_series *s;
    id_map_init(&x.ids, q);
    int status = plan_build(q, expr, grid, &op);
    int more = status == 0 ? 1 : status;
    while (more > 0 && (more = operator_next(op, &s)) > 0) {
        status = export_one(&x, s);
        more = status == 0 ? more : status;
    }
    if (more < 0) {
        return more;
    }
    result->series = x.series;
    result->series_count = x.count;
    if (result->type == PROMQL_MATRIX && x.count > 0) {
        qsort(x.series, x.count, sizeof(*x.series), compare_series);
    }
    return 0;
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
