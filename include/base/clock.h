/* Seam: time. Production reads the kernel, tests hold a hand-moved clock (tests/support).
 * A clock is shared and must outlive its users; both calls are allowed from any thread. */
#ifndef SONDE_BASE_CLOCK_H
#define SONDE_BASE_CLOCK_H

#include <stdint.h>

struct clock {
    /* Wall time, milliseconds since 1970 UTC. May jump. Stamps samples, never measures. */
    int64_t (*now_ms)(struct clock *self);
    /* Never goes back. Measures durations and schedules. */
    int64_t (*monotonic_ns)(struct clock *self);
};

static inline int64_t clock_now_ms(struct clock *c)
{
    return c->now_ms(c);
}

static inline int64_t clock_monotonic_ns(struct clock *c)
{
    return c->monotonic_ns(c);
}

static inline int64_t clock_monotonic_ms(struct clock *c)
{
    return c->monotonic_ns(c) / 1000000;
}

/* The kernel's clocks. */
struct clock *clock_real(void);

#endif
