/* Budgets: one atomic number each. A charge adds first and looks after, so that two threads cannot both
 * pass where there is room for one; who finds the limit crossed takes his own bytes back. */
#include "base/memory_budget.h"

#include <assert.h>
#include <stdatomic.h>
#include <stdint.h>

#include "base/err.h"

void memory_budget_init(struct memory_budget *b, struct memory_budget *parent, size_t limit)
{
    b->parent = parent;
    b->limit = limit;
    atomic_init(&b->used, 0);
    atomic_init(&b->peak, 0);
}

/* Gives back from `b` up to, and without, `end`. */
static void give_back(struct memory_budget *b, const struct memory_budget *end, size_t bytes)
{
    for (; b != end; b = b->parent) {
        size_t before = atomic_fetch_sub_explicit(&b->used, bytes, memory_order_relaxed);
        assert(before >= bytes);
        (void)before; /* only asserted */
    }
}

/* Mostly a look: most charges come after the peak. */
static void note_peak(struct memory_budget *b)
{
    size_t used = atomic_load_explicit(&b->used, memory_order_relaxed);
    size_t peak = atomic_load_explicit(&b->peak, memory_order_relaxed);
    while (used > peak && !atomic_compare_exchange_weak_explicit(
                              &b->peak, &peak, used, memory_order_relaxed, memory_order_relaxed)) {
    }
}

int memory_budget_charge(struct memory_budget *b, size_t bytes)
{
    if (bytes > PTRDIFF_MAX) {
        return ERR_LIMIT; // no object is that large, and sums would wrap
    }
    for (struct memory_budget *at = b; at != NULL; at = at->parent) {
        size_t before = atomic_fetch_add_explicit(&at->used, bytes, memory_order_relaxed);
        if (at->limit != 0 && (bytes > at->limit || before > at->limit - bytes)) {
            give_back(b, at->parent, bytes);
            return at == b ? ERR_LIMIT : ERR_BUSY;
        }
    }
    for (struct memory_budget *at = b; at != NULL; at = at->parent) {
        note_peak(at);
    }
    return 0;
}

void memory_budget_discharge(struct memory_budget *b, size_t bytes)
{
    give_back(b, NULL, bytes);
}

size_t memory_budget_used(const struct memory_budget *b)
{
    return atomic_load_explicit(&b->used, memory_order_relaxed);
}

size_t memory_budget_peak(const struct memory_budget *b)
{
    return atomic_load_explicit(&b->peak, memory_order_relaxed);
}
