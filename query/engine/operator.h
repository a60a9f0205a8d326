/* Operators: what an expression becomes to be evaluated.
 *
 * An operator hands out one output series a call, with its values at all steps of its grid. The series
 * it hands out is its own memory, good until the next call; the caller may change it in place, so that
 * a chain of functions works on one buffer. Series of one operator may come in any order, and two of
 * them may have the same labels as long as no step has both (see series_store_merge); operators that
 * need whole series merge first.
 *
 * All memory is the query's; operators are never closed.
 */
#ifndef SONDE_QUERY_ENGINE_OPERATOR_H
#define SONDE_QUERY_ENGINE_OPERATOR_H

#include <string.h>

#include "query.h"

enum sample_kind { SAMPLE_ABSENT = 0, SAMPLE_FLOAT = 1, SAMPLE_HISTOGRAM = 2 };

struct step_series {
    const struct labels *labels;         /* lives as long as the query */
    bool drop_name;                      /* its name goes away at the end of the query */
    bool has_histograms;                 /* at some step; then `histograms` is set */
    uint8_t *kinds;                      /* one a step */
    double *values;                      /* where the kind is float */
    const struct histogram **histograms; /* where the kind is histogram */
};

struct operator_node;

struct operator_ops {
    /* 1 and the next series, 0 at the end, or a negative error. */
    int (*next)(struct operator_node *op, struct step_series **series_out);
};

/* The head of every operator. */
struct operator_node {
    const struct operator_ops *ops;
    struct query *query;
    const struct expr *expr;
    const struct grid *grid;
    struct explain_node *explained; /* where its time is added up, or NULL */
};

/* The next series, its time taken. */
int explain_next(struct operator_node *op, struct step_series **series_out);

static inline int operator_next(struct operator_node *op, struct step_series **series_out)
{
    return op->explained != NULL ? explain_next(op, series_out) : op->ops->next(op, series_out);
}

/* A zeroed operator of `size` bytes, NULL when the budget is used up (the error is raised). */
void *operator_new(struct query *q, size_t size, const struct operator_ops *ops,
    const struct expr *expr, const struct grid *grid);

/* ---- Series ---- */

struct step_series *step_series_new(struct query *q, const struct grid *grid);
/* In memory of the caller's, which stays as long as the query. 0 or an error. */
int step_series_init(struct query *q, struct step_series *s, const struct grid *grid);
/* Absent at all steps. */
void step_series_clear(struct step_series *s, const struct grid *grid);
/* Sees to `histograms` and sets `has_histograms`. 0 or an error. */
int step_series_use_histograms(struct query *q, struct step_series *s, const struct grid *grid);
/* Does any step have a value, and how many do. */
bool step_series_any(const struct step_series *s, const struct grid *grid);
size_t step_series_count(const struct step_series *s, const struct grid *grid);
/* Removes the name: at once, or at the end when the engine delays it. */
int step_series_drop_name(struct query *q, struct step_series *s);

/* Series kept with all their values. */
struct series_store {
    struct query *query;
    const struct grid *grid;
    struct step_series *items;
    size_t count, cap;
};

void series_store_init(struct series_store *store, struct query *q, const struct grid *grid);
/* A deep copy; series without any value are kept only when `keep_empty`. */
int series_store_add(struct series_store *store, const struct step_series *s);
/* All series of an operator. */
int series_store_drain(struct series_store *store, struct operator_node *op);
/* Makes one series of those with equal labels; ERR_INTERNAL when two have a value at one step. */
int series_store_merge(struct series_store *store);

/* Values of a scalar expression at all steps, in the query's arena. */
int scalar_values(
    struct query *q, const struct expr *expr, const struct grid *grid, const double **values_out);

/* A map from label sets (or hashes that stand for them) to small numbers. */
struct id_map {
    struct query *query;
    struct id_slot {
        uint64_t hash;
        uint32_t id_plus_one;
    } * slots;
    size_t cap, count;
};

void id_map_init(struct id_map *map, struct query *q);
/* The number of a hash; new ones get the next, with *is_new_out set. 0 or an error. */
int id_map_get(struct id_map *map, uint64_t hash, uint32_t *id_out, bool *is_new_out);
/* The number of a hash that is there, or -1. */
int64_t id_map_find(const struct id_map *map, uint64_t hash);

/* ---- Building (plan.c) ---- */

/* The operator of an expression of type scalar or instant vector. 0 or an error. */
int plan_build(struct query *q, const struct expr *expr, const struct grid *grid,
    struct operator_node **op_out);

/* As plan_build, but no two series have the same labels. */
int plan_whole(struct query *q, const struct expr *expr, const struct grid *grid,
    struct operator_node **op_out);

int plan_scalar(struct query *q, const struct expr *expr, const struct grid *grid,
    struct operator_node **op_out);
int plan_selector(struct query *q, const struct expr *expr, const struct grid *grid,
    struct operator_node **op_out);
int plan_timestamp(struct query *q, const struct expr *expr, const struct grid *grid,
    struct operator_node **op_out);
int plan_range_function(struct query *q, const struct expr *expr, const struct grid *grid,
    struct operator_node **op_out);
int plan_elementwise(struct query *q, const struct expr *expr, const struct grid *grid,
    struct operator_node **op_out);
int plan_negate(struct query *q, const struct expr *expr, const struct grid *grid,
    struct operator_node **op_out);
int plan_label_edit(struct query *q, const struct expr *expr, const struct grid *grid,
    struct operator_node **op_out);
int plan_union(struct query *q, const struct expr *expr, const struct grid *grid,
    struct operator_node **op_out);
int plan_buckets(struct query *q, const struct expr *expr, const struct grid *grid,
    struct operator_node **op_out);
int plan_label_function(struct query *q, const struct expr *expr, const struct grid *grid,
    struct operator_node **op_out);
int plan_sort(struct query *q, const struct expr *expr, const struct grid *grid,
    struct operator_node **op_out);
/* Of MetricsQL: functions of whole series, and `default`. */
int plan_whole_series(struct query *q, const struct expr *expr, const struct grid *grid,
    struct operator_node **op_out);
int plan_default(struct query *q, const struct expr *expr, const struct grid *grid,
    struct operator_node **op_out);
int plan_absent(struct query *q, const struct expr *expr, const struct grid *grid,
    struct operator_node **op_out);
int plan_info(struct query *q, const struct expr *expr, const struct grid *grid,
    struct operator_node **op_out);
int plan_histogram_quantile(struct query *q, const struct expr *expr, const struct grid *grid,
    struct operator_node **op_out);
int plan_binary(struct query *q, const struct expr *expr, const struct grid *grid,
    struct operator_node **op_out);
int plan_join(struct query *q, const struct expr *expr, const struct grid *grid,
    struct operator_node **op_out);
int plan_set(struct query *q, const struct expr *expr, const struct grid *grid,
    struct operator_node **op_out);
int plan_aggregate(struct query *q, const struct expr *expr, const struct grid *grid,
    struct operator_node **op_out);
int plan_aggregate_select(struct query *q, const struct expr *expr, const struct grid *grid,
    struct operator_node **op_out);
int plan_choose_series(struct query *q, const struct expr *expr, const struct grid *grid,
    struct operator_node **op_out);
int plan_count_values(struct query *q, const struct expr *expr, const struct grid *grid,
    struct operator_node **op_out);
/* Fails when two series of the child have the same labels and a value at one step. */
int plan_distinct(struct query *q, struct operator_node *child, struct operator_node **op_out);
/* The same where names are removed at once; with delayed removal the end of the query sees to it. */
int plan_unique(struct query *q, struct operator_node *child, struct operator_node **op_out);

/* An operator over series that are in a store already. */
int plan_stored(struct query *q, const struct expr *expr, const struct grid *grid,
    struct series_store *store, struct operator_node **op_out);

#endif
