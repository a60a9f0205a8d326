#include "trace/trace_budget.h"

int trace_budget_spend(struct trace_budget *b, uint64_t spans, struct err *e)
{
    uint64_t most = b->spans_max != 0 ? b->spans_max : TRACE_BUDGET_SPANS_MAX;
    b->spans += spans;
    if (b->spans > most) {
        return err_set(e, ERR_LIMIT, -1,
            "more than %llu spans would have to be looked at: ask for less time or for more "
            "conditions",
            (unsigned long long)most);
    }
    if (b->deadline_ns != 0 && clock_monotonic_ns(b->clock) > b->deadline_ns) {
        return err_set(e, ERR_TIMEOUT, -1,
            "looking at %llu spans took too long: ask for less time or for more conditions",
            (unsigned long long)b->spans);
    }
    bool stop = (b->canceled != NULL && atomic_load(b->canceled)) ||
                (b->abandoned != NULL && b->abandoned(b->context));
    return stop ? err_set(e, ERR_CANCELED, -1, "canceled") : 0;
}
