/* Properties of udev's database. */
#include "procfs/udev_data.h"

#include "cuts.h"

static int walk(struct str text)
{
    struct procfs_udev_property property;
    int status;
    while ((status = procfs_udev_next(&text, &property)) > 0) {
    }
    return status;
}

static const struct str udev = STR("S:disk/by-id/wwn-0x5000c500\n"
                                   "I:5029385\n"
                                   "E:ID_MODEL=Model=with=equals\n"
                                   "E:ID_SERIAL=\n"
                                   "G:systemd\n");

static void properties(void **state)
{
    (void)state;
    struct str rest = udev;
    struct procfs_udev_property property;
    assert_int_equal(procfs_udev_next(&rest, &property), 1);
    assert_str(property.name, "ID_MODEL");
    assert_str(property.value, "Model=with=equals");
    assert_int_equal(procfs_udev_next(&rest, &property), 1);
    assert_str(property.name, "ID_SERIAL");
    assert_str(property.value, "");
    assert_int_equal(procfs_udev_next(&rest, &property), 0);
}

static void broken_texts(void **state)
{
    (void)state;
    static const char *const texts[] = {"E:\n", "E:NAME\n", "E:=value\n", "E:A=b", NULL};
    assert_all_corrupt(texts, walk);
    assert_cuts_are_corrupt(udev, walk);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(properties),
        cmocka_unit_test(broken_texts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
