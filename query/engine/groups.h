/* Which group of an aggregation a series belongs to. */
#ifndef SONDE_QUERY_ENGINE_GROUPS_H
#define SONDE_QUERY_ENGINE_GROUPS_H

#include "operator.h"

struct groups {
    struct query *query;
    bool without;
    const struct str *names; /* with __name__ when `without` */
    size_t name_count;
    struct id_map ids;
    const struct labels **labels; /* by group */
    bool *drop_names;             /* by group: some member's name is to be dropped */
    size_t count, cap;
};

/* `extra` (may be empty) is one more label to group by. */
int groups_init(
    struct groups *g, struct query *q, const struct expr_aggregate *a, struct str extra);
/* The group of a label set; `is_new_out` when it is the first of it. */
int groups_find(
    struct groups *g, const struct labels *labels, uint32_t *group_out, bool *is_new_out);

#endif
