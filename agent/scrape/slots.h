/* When a target is due: slots are where wall time modulo the interval is the target's phase, which depends on its
 * labels and the host alone. Any thread. */
#ifndef SONDE_SCRAPE_SLOTS_H
#define SONDE_SCRAPE_SLOTS_H

#include <stdint.h>

#include "model/labels.h"

/* A scrape may begin so much before its time: the clocks that waiting goes by and that slots lie on tick a part of a
 * millisecond apart, and nobody should wake up twice for it. */
#define SLOT_EARLY_MS 1

/* The first slot after those that wall time `now_ms` is not too early for. */
int64_t slot_after(
    int64_t now_ms, int64_t interval_ms, const struct labels *target, uint64_t host_seed);

#endif
