/* A limit on the memory that several arenas take together.
 *
 * Budgets form a chain: a query's own, then that of all queries. What is charged to one is charged to
 * every budget above it, or to none. Any number of threads may charge at once; limits hold exactly.
 */
#ifndef SONDE_BASE_MEMORY_BUDGET_H
#define SONDE_BASE_MEMORY_BUDGET_H

#include <stddef.h>

struct memory_budget {
    struct memory_budget *parent; /* outlives this one; NULL = none */
    size_t limit;                 /* bytes; 0 = none */
    _Atomic size_t used, peak;
};

void memory_budget_init(struct memory_budget *b, struct memory_budget *parent, size_t limit);
/* 0; ERR_LIMIT when `b` itself would go beyond its limit, ERR_BUSY when one above it would: others
 * use it too, so trying again later may work. Nothing is charged then. */
int memory_budget_charge(struct memory_budget *b, size_t bytes);
/* Gives back what was charged. */
void memory_budget_discharge(struct memory_budget *b, size_t bytes);
size_t memory_budget_used(const struct memory_budget *b);
/* The most that was used at once. */
size_t memory_budget_peak(const struct memory_budget *b);

#endif
