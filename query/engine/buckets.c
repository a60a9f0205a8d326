/* Buckets of classic histograms, as series: functions of MetricsQL.
 *
 *   prometheus_buckets(v)    series with the label vmrange="1.0e-01...1.1e-01", of VictoriaMetrics' histograms, become
 *                            cumulative ones with le; those that have le stay as they are, all others go
 *   buckets_limit(n, v)      the same, and of each histogram at most n buckets (but at least three): again and
 *                            again the two neighbours with the fewest events become one. The first and the last
 *                            stay, so that the smallest and the largest value are still known.
 *
 * Series belong to one histogram when all their labels but le and vmrange are the same.
 */
#include <math.h>
#include <stdlib.h>

#include "operator.h"

struct bucket {
    uint64_t group; /* hash of the other labels */
    double start, end;
    struct str start_text, end_text;
    struct step_series *series;
    double events; /* at all steps */
};

struct bucket_list {
    struct bucket *items;
    size_t count;
};

enum { BUCKETS_LEAST = 3 };

static uint64_t group_of(const struct labels *labels)
{
    static const struct str names[] = {{"le", 2}, {"vmrange", 7}};
    return labels_restrict_hash(labels, names, 2, false);
}

static int compare(const void *a, const void *b)
{
    const struct bucket *x = a, *y = b;
    if (x->group != y->group) {
        return x->group < y->group ? -1 : 1;
    }
    if (x->end != y->end) {
        return x->end < y->end ? -1 : 1;
    }
    return x->start < y->start ? -1 : x->start > y->start;
}

static void sort_buckets(struct bucket_list *list)
{
    if (list->count > 1) {
        qsort(list->items, list->count, sizeof(*list->items), compare);
    }
}

/* ---- From vmrange to le ---- */

/* "0.1...0.2" */
static bool read_range(struct str text, struct bucket *b)
{
    static const char dots[] = "...";
    const char *at = text.len > 0 ? memmem(text.ptr, text.len, dots, sizeof(dots) - 1) : NULL;
    if (at == NULL) {
        return false;
    }
    b->start_text = str_make(text.ptr, (size_t)(at - text.ptr));
    b->end_text = str_skip(text, b->start_text.len + sizeof(dots) - 1);
    return str_to_double(b->start_text, &b->start) == 0 &&
           str_to_double(b->end_text, &b->end) == 0 && b->start < b->end;
}

/* A copy of the series in the store, with le in place of vmrange. */
static int add_cumulative(struct series_store *out, const struct step_series *values, struct str le)
{
    struct query *q = out->query;
    struct labels_builder builder;
    struct step_series s = *values;
    labels_builder_init_from(&builder, values->labels);
    labels_builder_delete(&builder, STR("vmrange"));
    labels_builder_set(&builder, STR("le"), le);
    int status = labels_builder_finish(&builder, &s.labels);
    labels_builder_release(&builder);
    if (status != 0) {
        return query_fail(q, status, "%s", err_text(status));
    }
    status = query_own_labels(q, s.labels);
    return status == 0 ? series_store_add(out, &s) : status;
}

/* Adds the events of a bucket to those before it. */
static void accumulate(struct step_series *sum, const struct step_series *more, size_t steps)
{
    for (size_t i = 0; i < steps; i++) {
        if (sum->kinds[i] == SAMPLE_FLOAT && more->kinds[i] == SAMPLE_FLOAT &&
            more->values[i] > 0) {
            sum->values[i] += more->values[i];
        }
    }
}

/* Zero at the steps where any bucket of the histogram has a value. */
static void begin_sum(
    struct step_series *sum, const struct bucket *first, size_t count, const struct grid *grid)
{
    step_series_clear(sum, grid);
    sum->labels = first->series->labels;
    sum->drop_name = first->series->drop_name;
    for (size_t b = 0; b < count; b++) {
        for (size_t i = 0; i < grid->steps; i++) {
            if (first[b].series->kinds[i] == SAMPLE_FLOAT) {
                sum->kinds[i] = SAMPLE_FLOAT;
                sum->values[i] = 0;
            }
        }
    }
}

/* One histogram. A bucket that begins above zero where none ends begins after an empty one. */
static int convert_group(struct series_store *out, const struct bucket *first, size_t count)
{
    struct step_series *sum = step_series_new(out->query, out->grid);
    if (sum == NULL) {
        return out->query->e->code;
    }
    begin_sum(sum, first, count, out->grid);
    int status = 0;
    for (size_t b = 0; status == 0 && b < count; b++) {
        if (first[b].start > (b > 0 ? first[b - 1].end : 0)) {
            status = add_cumulative(out, sum, first[b].start_text);
        }
        accumulate(sum, first[b].series, out->grid->steps);
        bool last_of_end = b + 1 == count || first[b + 1].end != first[b].end;
        if (status == 0 && last_of_end) {
            status = add_cumulative(out, sum, first[b].end_text);
        }
    }
    if (status == 0 && isfinite(first[count - 1].end)) {
        status = add_cumulative(out, sum, STR("+Inf"));
    }
    return status;
}

static int convert(struct series_store *in, struct series_store *out)
{
    struct query *q = in->query;
    struct bucket_list ranges = {arena_calloc(&q->arena, in->count + 1, sizeof(struct bucket)), 0};
    int status = ranges.items != NULL ? 0 : query_fail_memory(q, &q->arena);
    for (size_t i = 0; status == 0 && i < in->count; i++) {
        struct step_series *s = &in->items[i];
        struct bucket b = {.group = group_of(s->labels), .series = s};
        if (read_range(labels_get(s->labels, STR("vmrange")), &b)) {
            ranges.items[ranges.count++] = b;
        } else if (labels_get(s->labels, STR("le")).len > 0) {
            status = series_store_add(out, s);
        }
    }
    sort_buckets(&ranges);
    for (size_t i = 0, end; status == 0 && i < ranges.count; i = end) {
        for (end = i + 1; end < ranges.count && ranges.items[end].group == ranges.items[i].group;) {
            end++;
        }
        status = query_check(q);
        status = status == 0 ? convert_group(out, &ranges.items[i], end - i) : status;
    }
    return status;
}

/* ---- Fewer of them ---- */

/* Events of each bucket alone, from cumulative ones. */
static void count_events(struct bucket *first, size_t count, size_t steps)
{
    for (size_t i = 0; i < steps; i++) {
        double before = 0;
        for (size_t b = 0; b < count; b++) {
            const struct step_series *s = first[b].series;
            if (s->kinds[i] == SAMPLE_FLOAT) {
                first[b].events += s->values[i] - before;
                before = s->values[i];
            }
        }
    }
}

/* Of the neighbours that are not the first or the last, those with the fewest events. Returns how many are left;
 * what becomes part of the next one loses its values. */
static int reduce(struct query *q, struct bucket *first, size_t count, size_t limit, size_t steps)
{
    count_events(first, count, steps);
    while (count > limit) {
        size_t least = 1;
        for (size_t b = 2; b + 2 < count; b++) {
            if (first[b].events + first[b + 1].events <
                first[least].events + first[least + 1].events) {
                least = b;
            }
        }
        int status = query_check(q);
        if (status != 0) {
            return status;
        }
        memset(first[least].series->kinds, SAMPLE_ABSENT, steps);
        first[least + 1].events += first[least].events;
        memmove(&first[least], &first[least + 1], (count - least - 1) * sizeof(*first));
        count--;
    }
    return 0;
}

static int limit_buckets(struct series_store *store, double limit)
{
    struct query *q = store->query;
    struct bucket_list all = {arena_calloc(&q->arena, store->count + 1, sizeof(struct bucket)), 0};
    if (all.items == NULL) {
        return query_fail_memory(q, &q->arena);
    }
    if (!(limit >= 1)) {
        store->count = 0;
        return 0;
    }
    for (size_t i = 0; i < store->count; i++) {
        struct step_series *s = &store->items[i];
        struct bucket b = {.group = group_of(s->labels), .series = s};
        if (str_to_double(labels_get(s->labels, STR("le")), &b.end) == 0) {
            all.items[all.count++] = b;
        }
    }
    sort_buckets(&all);
    size_t most = limit < (double)all.count ? (size_t)limit : all.count;
    most = most < BUCKETS_LEAST ? BUCKETS_LEAST : most;
    int status = 0;
    for (size_t i = 0, end; status == 0 && i < all.count; i = end) {
        for (end = i + 1; end < all.count && all.items[end].group == all.items[i].group;) {
            end++;
        }
        if (end - i > most) {
            status = reduce(q, &all.items[i], end - i, most, store->grid->steps);
        }
    }
    return status;
}

int plan_buckets(struct query *q, const struct expr *expr, const struct grid *grid,
    struct operator_node **op_out)
{
    const struct expr_call *call = &expr->call;
    bool limited = call->function->id == FUNCTION_BUCKETS_LIMIT;
    struct series_store in, *out = arena_alloc(&q->arena, sizeof(*out));
    struct operator_node *child;
    const double *limit = NULL;
    if (out == NULL) {
        return query_fail_memory(q, &q->arena);
    }
    series_store_init(&in, q, grid);
    series_store_init(out, q, grid);
    int status = limited ? scalar_values(q, call->arguments[0], grid, &limit) : 0;
    if (status == 0) {
        status = plan_whole(q, call->arguments[limited], grid, &child);
    }
    status = status == 0 ? series_store_drain(&in, child) : status;
    status = status == 0 ? convert(&in, out) : status;
    if (status == 0 && limited) {
        status = limit_buckets(out, limit[0]);
    }
    return status == 0 ? plan_stored(q, expr, grid, out, op_out) : status;
}
