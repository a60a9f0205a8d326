/* The kernel's clocks: plausible, and monotonic where promised. */
#include "support/support.h"

#include <sys/stat.h>
#include <time.h>

#include "base/clock.h"

static void wall_time_is_the_kernels(void **state)
{
    (void)state;
    int64_t before_ms = (int64_t)time(NULL) * 1000;
    int64_t now_ms = clock_now_ms(clock_real());
    int64_t after_ms = ((int64_t)time(NULL) + 1) * 1000;
    assert_in_range(now_ms, before_ms, after_ms);
}

static void monotonic_time_never_goes_back(void **state)
{
    (void)state;
    struct clock *clock = clock_real();
    int64_t last_ns = clock_monotonic_ns(clock);
    for (int i = 0; i < 100000; i++) {
        int64_t now_ns = clock_monotonic_ns(clock);
        assert_true(now_ns >= last_ns);
        last_ns = now_ns;
    }
    assert_true(last_ns > 0);
    assert_in_range(clock_monotonic_ms(clock), last_ns / 1000000, last_ns / 1000000 + 60000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(wall_time_is_the_kernels),
        cmocka_unit_test(monotonic_time_never_goes_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
