/* Where the time of a query goes: a node for each expression that became an operator, in the order of the
 * plan, with the time and the samples of all below it. Only when asked for. */
#ifndef SONDE_QUERY_ENGINE_EXPLAIN_H
#define SONDE_QUERY_ENGINE_EXPLAIN_H

#include "query.h"

struct explain_node {
    struct explain_node *next;
    const struct expr *expr;
    uint32_t depth;
    int64_t plan_ns, evaluate_ns, helped_ns;
    uint64_t series, samples;
};

struct explain {
    struct explain_node *first, **end;
    size_t count;
    uint32_t depth; /* of what is being planned */
};

/* What was so when planning of an expression began. */
struct explain_mark {
    int64_t begun_ns, helped_ns;
    uint64_t samples;
};

/* Makes the query's explanation. 0 or an error. */
int explain_init(struct query *q);
/* Around the planning of an expression. 0 or an error. */
int explain_begin(struct query *q, const struct expr *expr, struct explain_node **node_out,
    struct explain_mark *mark_out);
void explain_planned(struct query *q, struct explain_node *node, const struct explain_mark *mark);
/* The nodes into the result. 0 or an error. */
int explain_result(struct query *q, struct engine_result *result);

#endif
