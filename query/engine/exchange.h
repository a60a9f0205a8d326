/* Leaves of a query that read many series, evaluated by several threads.
 *
 * The series of a leaf are cut into batches, in order. Threads take batches as they come, and hand out
 * finished ones in that order: what comes out does not depend on how many threads there are, and the
 * operators above need not know. Statistics, annotations and errors come with the series they belong
 * to, as if one thread had done it all.
 */
#ifndef SONDE_QUERY_ENGINE_EXCHANGE_H
#define SONDE_QUERY_ENGINE_EXCHANGE_H

#include "operator.h"
#include "prepare.h"

/* What a leaf has to know to be shared. */
struct leaf_ops {
    /* The same leaf for a fork of its query; memory is the fork's. 0 or an error. */
    int (*fork)(struct operator_node *leaf, struct query *q, struct operator_node **leaf_out);
    /* Forgets what it kept from series to series: a batch begins. */
    void (*begin)(struct operator_node *leaf);
    /* Evaluates a series into `out`, which stays the caller's; histograms in it live until the next
     * call. False in *any_out: it has no samples. 0 or an error. */
    int (*evaluate)(
        struct operator_node *leaf, struct series *series, struct step_series *out, bool *any_out);
    /* Samples the leaf holds now. */
    uint64_t (*held)(const struct operator_node *leaf);
};

/* An operator over all series of a leaf in the place of the leaf itself, when there is enough to do to
 * share it; else the leaf. `extent` is what is read of each series. 0 or an error. */
int plan_exchange(struct query *q, struct operator_node *leaf, const struct leaf_ops *ops,
    const struct series_set *set, struct time_extent extent, struct operator_node **op_out);

#endif
