/* The clock moved by hand. */
#include "support/support.h"

#include "support/fake_clock.h"

static void both_clocks_move_by_hand_only(void **state)
{
    (void)state;
    struct fake_clock fake;
    fake_clock_init(&fake, 1700000000000);
    struct clock *clock = &fake.clock;
    assert_int_equal(clock_now_ms(clock), 1700000000000);
    assert_int_equal(clock_monotonic_ns(clock), 1000000000);
    fake_clock_advance_ms(&fake, 1500);
    assert_int_equal(clock_now_ms(clock), 1700000001500);
    assert_int_equal(clock_monotonic_ms(clock), 2500);
    fake_clock_set_wall_ms(&fake, 5);
    assert_int_equal(clock_now_ms(clock), 5);
    assert_int_equal(clock_monotonic_ms(clock), 2500);
}

static void nanoseconds_add_up_to_milliseconds(void **state)
{
    (void)state;
    struct fake_clock fake;
    fake_clock_init(&fake, 0);
    for (int i = 0; i < 10; i++) {
        fake_clock_advance_ns(&fake, 250000);
    }
    assert_int_equal(clock_now_ms(&fake.clock), 2);
    assert_int_equal(clock_monotonic_ns(&fake.clock), 1002500000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(both_clocks_move_by_hand_only),
        cmocka_unit_test(nanoseconds_add_up_to_milliseconds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
