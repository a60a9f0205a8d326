/* sort, sort_desc, sort_by_label, sort_by_label_desc: the order of an instant answer. A range query
 * is always in label order, so there they only warn. */
#include <math.h>
#include <stdlib.h>

#include "operator.h"

struct sort_operator {
    struct operator_node node;
    struct series_store store;
    struct sort_entry {
        struct step_series *series;
        size_t order;
    } * entries;
    size_t next;
};

/* ---- Natural order of label values: numbers in them count as numbers ---- */

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* The run of digits, or of other characters, at the front of `s`, which loses it. */
static struct str take_run(struct str *s)
{
    size_t n = 1;
    while (n < s->len && is_digit(s->ptr[n]) == is_digit(s->ptr[0])) {
        n++;
    }
    struct str run = str_make(s->ptr, n);
    *s = str_skip(*s, n);
    return run;
}

static struct str without_zeros(struct str digits)
{
    while (digits.len > 1 && digits.ptr[0] == '0') {
        digits = str_skip(digits, 1);
    }
    return digits;
}

static int compare_natural(struct str a, struct str b)
{
    while (a.len > 0 && b.len > 0) {
        struct str run_a = take_run(&a), run_b = take_run(&b);
        int order;
        if (is_digit(run_a.ptr[0]) && is_digit(run_b.ptr[0])) {
            struct str x = without_zeros(run_a), y = without_zeros(run_b);
            order = x.len != y.len ? (x.len < y.len ? -1 : 1) : str_cmp(x, y);
            if (order == 0 && run_a.len != run_b.len) {
                order = run_a.len < run_b.len ? -1 : 1;
            }
        } else {
            order = str_cmp(run_a, run_b);
        }
        if (order != 0) {
            return order;
        }
    }
    return (a.len > 0) - (b.len > 0);
}

/* ---- The four orders ---- */

static int compare_labels(
    const struct expr_call *call, const struct labels *a, const struct labels *b)
{
    for (size_t i = 1; i < call->argument_count; i++) {
        struct str name = call->arguments[i]->string;
        int order = compare_natural(labels_get(a, name), labels_get(b, name));
        if (order != 0) {
            return order;
        }
    }
    return labels_cmp(a, b);
}

/* NaN comes last either way. */
static int compare_values(double a, double b, bool descending)
{
    if (isnan(a) || isnan(b)) {
        return (isnan(a) != 0) - (isnan(b) != 0);
    }
    int order = (a > b) - (a < b);
    return descending ? -order : order;
}

static int compare_entries(const void *left, const void *right, void *context)
{
    const struct sort_entry *a = left, *b = right;
    const struct expr_call *call = context;
    enum function_id id = call->function->id;
    int order;
    if (id == FUNCTION_SORT || id == FUNCTION_SORT_DESC) {
        order =
            compare_values(a->series->values[0], b->series->values[0], id == FUNCTION_SORT_DESC);
    } else {
        order = compare_labels(call, a->series->labels, b->series->labels);
        order = id == FUNCTION_SORT_BY_LABEL_DESC ? -order : order;
    }
    return order != 0 ? order : (a->order > b->order) - (a->order < b->order);
}

static int sort_next(struct operator_node *node, struct step_series **series_out)
{
    struct sort_operator *op = (struct sort_operator *)node;
    if (op->next == op->store.count) {
        return 0;
    }
    *series_out = op->entries[op->next++].series;
    return 1;
}

/* sort and sort_desc know floats only. */
static void drop_histograms(struct sort_operator *op)
{
    size_t kept = 0;
    for (size_t i = 0; i < op->store.count; i++) {
        struct step_series *s = &op->store.items[i];
        for (size_t step = 0; step < op->node.grid->steps; step++) {
            if (s->kinds[step] == SAMPLE_HISTOGRAM) {
                s->kinds[step] = SAMPLE_ABSENT;
            }
        }
        s->has_histograms = false;
        if (step_series_count(s, op->node.grid) > 0) {
            op->store.items[kept++] = *s;
        }
    }
    op->store.count = kept;
}

int plan_sort(struct query *q, const struct expr *expr, const struct grid *grid,
    struct operator_node **op_out)
{
    static const struct operator_ops ops = {sort_next};
    const struct expr_call *call = &expr->call;
    struct sort_operator *op = operator_new(q, sizeof(*op), &ops, expr, grid);
    if (op == NULL) {
        return q->e->code;
    }
    struct operator_node *child;
    series_store_init(&op->store, q, grid);
    int status = plan_build(q, call->arguments[0], grid, &child);
    if (status == 0) {
        status = series_store_drain(&op->store, child);
    }
    if (status == 0 && grid->steps > 1) {
        status = query_annotate(q, ANNOTATION_WARNING, expr,
            "sort is ineffective for range queries since results are always ordered by labels");
    }
    if (status != 0) {
        return status;
    }
    if (call->function->id == FUNCTION_SORT || call->function->id == FUNCTION_SORT_DESC) {
        drop_histograms(op);
    }
    op->entries = arena_alloc(&q->arena, op->store.count * sizeof(*op->entries));
    if (op->entries == NULL) {
        return query_fail_memory(q, &q->arena);
    }
    for (size_t i = 0; i < op->store.count; i++) {
        op->entries[i] = (struct sort_entry){&op->store.items[i], i};
    }
    if (grid->steps == 1) {
        qsort_r(op->entries, op->store.count, sizeof(*op->entries), compare_entries,
            (void *)(uintptr_t)call);
    }
    *op_out = &op->node;
    return 0;
}
