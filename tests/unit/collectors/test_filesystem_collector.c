/* Mounts of a fake host: filters, escapes, duplicates, failures. Sizes are those of the machine the
 * test runs on, so only what the mount list decides is compared. */
#include "fake_root.h"

static void expect(struct fake_root *f, const char *line, bool present)
{
    bool found = strstr(f->text.data, line) != NULL;
    if (found != present) {
        print_error("%s: %s\nin:\n%s\n", present ? "missing" : "unexpected", line, f->text.data);
    }
    assert_int_equal(found, present);
}

static void filters_escapes_duplicates(void **state)
{
    (void)state;
    struct fake_root f;
    fake_root_init(&f, "filesystem");
    fake_root_write(&f, "root/srv/a b/x", "");
    fake_root_write(&f, "proc/1/mountinfo",
        "1 0 8:1 / / rw - ext4 /dev/sda1 rw,errors=remount-ro\n"
        "2 1 8:2 / /srv/a\\040b ro,nosuid - ext4 /dev/sda2 rw\n"
        "3 1 8:2 / /srv/a\\040b ro,nosuid - ext4 /dev/sda2 rw\n"
        "4 1 0:5 / /proc rw - proc proc rw\n"
        "5 1 0:6 / /dev/shm rw - tmpfs tmpfs rw\n"
        "6 1 0:7 / /gone rw - xfs /dev/sdc rw,emergency_ro\n"
        "7 1 0:8 / /sys/fs/cgroup rw - cgroup2 cgroup rw\n");
    assert_int_equal(fake_root_run(&f), 0);
    // A pass may be over before a thread has started or answered; a later one has all answers.
    while (strstr(f.text.data, "node_filesystem_size_bytes{device=\"/dev/sda1\"") == NULL ||
           strstr(f.text.data, "node_filesystem_size_bytes{device=\"/dev/sda2\"") == NULL ||
           strstr(f.text.data, "mountpoint=\"/gone\"} 1\n") == NULL) {
        assert_int_equal(fake_root_run(&f), 0);
    }
    expect(&f,
        "node_filesystem_readonly{device=\"/dev/"
        "sda1\",device_error=\"\",fstype=\"ext4\",mountpoint=\"/\"} 0\n",
        true);
    expect(&f,
        "node_filesystem_readonly{device=\"/dev/"
        "sda2\",device_error=\"\",fstype=\"ext4\",mountpoint=\"/srv/a b\"} 1\n",
        true);
    expect(&f,
        "node_filesystem_size_bytes{device=\"/dev/"
        "sda2\",device_error=\"\",fstype=\"ext4\",mountpoint=\"/srv/a b\"} ",
        true);
    expect(&f,
        "node_filesystem_mount_info{device=\"/dev/sda2\",major=\"8\",minor=\"2\",mountpoint=\"/srv/"
        "a b\"} 1\n",
        true);
    expect(&f,
        "node_filesystem_device_error{device=\"/dev/sdc\",device_error=\"no such file or "
        "directory\",fstype=\"xfs\","
        "mountpoint=\"/gone\"} 1\n",
        true);
    expect(&f,
        "node_filesystem_readonly{device=\"/dev/sdc\",device_error=\"no such file or "
        "directory\",fstype=\"xfs\","
        "mountpoint=\"/gone\"} 1\n",
        true);
    expect(&f, "node_filesystem_size_bytes{device=\"/dev/sdc\"", false);
    expect(&f, "/dev/shm", false);
    expect(&f, "cgroup", false);
    expect(&f, "fstype=\"proc\"", false);
    // One series for the mount that is listed twice.
    char *first = strstr(f.text.data, "node_filesystem_readonly{device=\"/dev/sda2\"");
    assert_null(strstr(first + 1, "node_filesystem_readonly{device=\"/dev/sda2\""));
    fake_root_release(&f);
}

static void the_list_of_this_process_is_the_fallback(void **state)
{
    (void)state;
    struct fake_root f;
    fake_root_init(&f, "filesystem");
    fake_root_write(&f, "proc/self/mountinfo", "1 0 8:1 / / rw - ext4 /dev/sda1 rw\n");
    assert_int_equal(fake_root_run(&f), 0);
    expect(&f,
        "node_filesystem_mount_info{device=\"/dev/sda1\",major=\"8\",minor=\"1\",mountpoint=\"/\"} "
        "1\n",
        true);
    fake_root_release(&f);
}

static void a_mount_that_left_is_forgotten(void **state)
{
    (void)state;
    struct fake_root f;
    fake_root_init(&f, "filesystem");
    fake_root_write(&f, "proc/1/mountinfo",
        "1 0 8:1 / /gone rw - ext4 /dev/sda1 rw\n2 0 8:2 / / rw - ext4 /dev/sda2 rw\n");
    assert_int_equal(fake_root_run(&f), 0);
    expect(&f, "/dev/sda1", true);
    fake_root_write(&f, "proc/1/mountinfo", "2 0 8:2 / / rw - ext4 /dev/sda2 rw\n");
    assert_int_equal(fake_root_run(&f), 0);
    expect(&f, "/dev/sda1", false);
    expect(&f, "/dev/sda2", true);
    fake_root_release(&f);
}

static void broken_lists_and_wrong_patterns(void **state)
{
    (void)state;
    struct fake_root f;
    fake_root_init(&f, "filesystem");
    assert_int_equal(fake_root_run(&f), ERR_NOT_FOUND);
    fake_root_release(&f);
    fake_root_init(&f, "filesystem");
    fake_root_write(&f, "proc/1/mountinfo", "1 0 8:1 / /\n");
    assert_int_equal(fake_root_run(&f), ERR_CORRUPT);
    struct collectors *collectors;
    struct err e = ERR_INIT;
    f.options.settings[COLLECTOR_SETTING_MOUNT_EXCLUDE] = "(";
    assert_int_equal(collectors_open(&f.options, &collectors, &e), ERR_INVALID);
    f.options.settings[COLLECTOR_SETTING_MOUNT_EXCLUDE] = "^/x";
    f.options.settings[COLLECTOR_SETTING_MOUNT_INCLUDE] = "^/y";
    assert_int_equal(collectors_open(&f.options, &collectors, &e), ERR_INVALID);
    assert_non_null(strstr(e.message, "filesystem.mount-points-include"));
    fake_root_release(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(filters_escapes_duplicates),
        cmocka_unit_test(the_list_of_this_process_is_the_fallback),
        cmocka_unit_test(a_mount_that_left_is_forgotten),
        cmocka_unit_test(broken_lists_and_wrong_patterns),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
