/* The kernel's clocks behind struct clock. */
#include "base/clock.h"

#include <time.h>

static int64_t real_now_ms(struct clock *self)
{
    (void)self;
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static int64_t real_monotonic_ns(struct clock *self)
{
    (void)self;
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

struct clock *clock_real(void)
{
    static struct clock real = {.now_ms = real_now_ms, .monotonic_ns = real_monotonic_ns};
    return &real;
}
