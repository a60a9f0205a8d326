/* The pressure files of kernels with and without "full" for the CPU. */
#include "procfs/pressure.h"

#include "cuts.h"

static int walk(struct str text)
{
    struct procfs_pressure pressure;
    return procfs_pressure_parse(text, &pressure);
}

static const struct str both = STR("some avg10=0.10 avg60=2.00 avg300=3.85 total=15\n"
                                   "full avg10=0.20 avg60=3.00 avg300=4.95 total=25\n");

static void both_lines(void **state)
{
    (void)state;
    struct procfs_pressure pressure;
    assert_int_equal(procfs_pressure_parse(both, &pressure), 0);
    assert_true(pressure.some.present);
    assert_true(pressure.full.present);
    assert_float_equal(pressure.some.avg10, 0.10, 0);
    assert_float_equal(pressure.some.avg300, 3.85, 0);
    assert_float_equal(pressure.full.avg60, 3.00, 0);
    assert_int_equal(pressure.some.total_us, 15);
    assert_int_equal(pressure.full.total_us, 25);
}

static void one_line_alone(void **state)
{
    (void)state;
    struct procfs_pressure pressure;
    assert_int_equal(
        procfs_pressure_parse(STR("some avg10=0.00 avg60=0.00 avg300=0.00 total=7\n"), &pressure),
        0);
    assert_false(pressure.full.present);
    assert_int_equal(
        procfs_pressure_parse(STR("full avg10=0.00 avg60=0.00 avg300=0.00 total=8\n"), &pressure),
        0);
    assert_false(pressure.some.present);
    assert_int_equal(pressure.full.total_us, 8);
}

static void broken_texts(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "",
        "\n",
        "none avg10=0.00 avg60=0.00 avg300=0.00 total=7\n",
        "some avg10=0.00 avg60=0.00 avg300=0.00\n",
        "some avg10=0.00 avg60=0.00 avg300=0.00 total=-7\n",
        "some avg60=0.00 avg10=0.00 avg300=0.00 total=7\n",
        "some avg10=x avg60=0.00 avg300=0.00 total=7\n",
        NULL,
    };
    assert_all_corrupt(texts, walk);
    assert_cuts_are_corrupt(both, walk);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(both_lines),
        cmocka_unit_test(one_line_alone),
        cmocka_unit_test(broken_texts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
