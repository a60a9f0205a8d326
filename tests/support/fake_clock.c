/* A clock that moves only by hand. */
#include "support/fake_clock.h"

#include <assert.h>

static int64_t fake_now_ms(struct clock *self)
{
    return atomic_load(&((struct fake_clock *)self)->wall_ms);
}

static int64_t fake_monotonic_ns(struct clock *self)
{
    return atomic_load(&((struct fake_clock *)self)->monotonic_ns);
}

void fake_clock_init(struct fake_clock *f, int64_t wall_ms)
{
    f->clock = (struct clock){.now_ms = fake_now_ms, .monotonic_ns = fake_monotonic_ns};
    atomic_init(&f->wall_ms, wall_ms);
    atomic_init(&f->monotonic_ns, 1000000000);
}

void fake_clock_advance_ms(struct fake_clock *f, int64_t by_ms)
{
    assert(by_ms >= 0 && by_ms <= INT64_MAX / 1000000);
    atomic_fetch_add(&f->wall_ms, by_ms);
    atomic_fetch_add(&f->monotonic_ns, by_ms * 1000000);
}

void fake_clock_advance_ns(struct fake_clock *f, int64_t by_ns)
{
    assert(by_ns >= 0);
    int64_t before_ns = atomic_fetch_add(&f->monotonic_ns, by_ns);
    /* The wall clock moves by the milliseconds that were completed. */
    atomic_fetch_add(&f->wall_ms, (before_ns + by_ns) / 1000000 - before_ns / 1000000);
}

void fake_clock_set_wall_ms(struct fake_clock *f, int64_t wall_ms)
{
    atomic_store(&f->wall_ms, wall_ms);
}
