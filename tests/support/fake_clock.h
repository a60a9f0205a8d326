/* A clock that moves only by hand: the twin of clock_real. From any thread. */
#ifndef SONDE_TESTS_FAKE_CLOCK_H
#define SONDE_TESTS_FAKE_CLOCK_H

#include <stdatomic.h>
#include <stdint.h>

#include "base/clock.h"

struct fake_clock {
    struct clock clock; /* hand out &fake.clock */
    _Atomic int64_t wall_ms;
    _Atomic int64_t monotonic_ns;
};

/* Wall time starts at `wall_ms`, monotonic time at one second (0 would hide "never set"). */
void fake_clock_init(struct fake_clock *f, int64_t wall_ms);
/* Time passes: both clocks move. Not backwards. */
void fake_clock_advance_ms(struct fake_clock *f, int64_t by_ms);
void fake_clock_advance_ns(struct fake_clock *f, int64_t by_ns);
/* Somebody sets the wall clock; monotonic time stays. */
void fake_clock_set_wall_ms(struct fake_clock *f, int64_t wall_ms);

#endif
