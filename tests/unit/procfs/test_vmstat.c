/* /proc/vmstat. */
#include "procfs/vmstat.h"

#include "cuts.h"

static int walk(struct str text)
{
    struct procfs_vmstat_line line;
    int status;
    while ((status = procfs_vmstat_next(&text, &line)) > 0) {
    }
    return status;
}

static const struct str vmstat = STR("nr_free_pages 977769\npgpgin 7344136\nnr_dirty -3\n");

static void names_and_values(void **state)
{
    (void)state;
    struct str rest = vmstat;
    struct procfs_vmstat_line line;
    assert_int_equal(procfs_vmstat_next(&rest, &line), 1);
    assert_str(line.name, "nr_free_pages");
    assert_float_equal(line.value, 977769, 0);
    assert_int_equal(procfs_vmstat_next(&rest, &line), 1);
    assert_int_equal(procfs_vmstat_next(&rest, &line), 1);
    assert_float_equal(line.value, -3, 0);
    assert_int_equal(procfs_vmstat_next(&rest, &line), 0);
}

static void broken_texts(void **state)
{
    (void)state;
    static const char *const texts[] = {"\n", "pgpgin\n", "pgpgin 1x\n", "pgpgin 1", NULL};
    assert_all_corrupt(texts, walk);
    assert_cuts_are_corrupt(vmstat, walk);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_and_values),
        cmocka_unit_test(broken_texts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
