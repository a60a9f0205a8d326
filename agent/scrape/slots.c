/* Phases of targets. */
#include "scrape/slots.h"

#include "base/hash.h"

/* Phases lie this far apart, or a tenth of the interval where that is less: what is due together costs one turn of
 * the loop. */
enum { PHASE_MS = 100, PHASES_MIN = 10 };

int64_t slot_after(
    int64_t now_ms, int64_t interval_ms, const struct labels *target, uint64_t host_seed)
{
    int64_t step = interval_ms / PHASES_MIN < PHASE_MS ? interval_ms / PHASES_MIN : PHASE_MS;
    step = step > 0 ? step : 1;
    uint64_t hash = hash_mix64(labels_hash(target) ^ host_seed);
    int64_t phase = (int64_t)(hash % (uint64_t)(interval_ms / step)) * step;
    phase += (int64_t)(hash_mix64(host_seed) % (uint64_t)step); /* hosts lie in between */
    int64_t from = now_ms + SLOT_EARLY_MS;
    int64_t into = ((from - phase) % interval_ms + interval_ms) % interval_ms;
    return from - into + interval_ms;
}
