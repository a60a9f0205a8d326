/* mountinfo: optional fields, empty sources, escapes. */
#include "procfs/mountinfo.h"

#include "cuts.h"

static int walk(struct str text)
{
    struct procfs_mount mount;
    int status;
    while ((status = procfs_mountinfo_next(&text, &mount)) > 0) {
    }
    return status;
}

static const struct str mountinfo =
    STR("36 35 98:0 /mnt1 /mnt2 rw,noatime master:1 - ext3 /dev/root rw,errors=continue\n"
        "27 1 254:0 / / rw,relatime - ext4 /dev/vda rw,discard\n"
        "40 1 0:41 / /srv/a\\040b rw shared:5 master:2 propagate_from:3 - nfs4 host:/x\\134y ro\n"
        "41 1 0:42 / /empty rw -  - tmpfs  rw\n");

static void columns(void **state)
{
    (void)state;
    struct str rest = mountinfo;
    struct procfs_mount mount;
    assert_int_equal(procfs_mountinfo_next(&rest, &mount), 1);
    assert_int_equal(mount.id, 36);
    assert_int_equal(mount.major, 98);
    assert_int_equal(mount.minor, 0);
    assert_str(mount.mountpoint, "/mnt2");
    assert_str(mount.options, "rw,noatime");
    assert_str(mount.type, "ext3");
    assert_str(mount.source, "/dev/root");
    assert_str(mount.super_options, "rw,errors=continue");
    assert_int_equal(procfs_mountinfo_next(&rest, &mount), 1);
    assert_str(mount.mountpoint, "/");
    assert_str(mount.type, "ext4");
    assert_int_equal(procfs_mountinfo_next(&rest, &mount), 1);
    assert_str(mount.type, "nfs4");
    assert_str(mount.source, "host:/x\\134y");
    char buffer[64];
    assert_str(procfs_unescape(mount.mountpoint, buffer), "/srv/a b");
    assert_str(procfs_unescape(mount.source, buffer), "host:/x\\y");
}

static void a_source_may_be_empty(void **state)
{
    (void)state;
    struct str rest = STR("41 1 0:42 / /empty rw - tmpfs  rw,size=4k\n");
    struct procfs_mount mount;
    assert_int_equal(procfs_mountinfo_next(&rest, &mount), 1);
    assert_str(mount.type, "tmpfs");
    assert_str(mount.source, "");
    assert_str(mount.super_options, "rw,size=4k");
}

static void options_are_whole_words(void **state)
{
    (void)state;
    assert_true(procfs_mount_has_option(STR("ro"), STR("ro")));
    assert_true(procfs_mount_has_option(STR("nosuid,ro,nodev"), STR("ro")));
    assert_false(procfs_mount_has_option(STR("rw,errors=remount-ro"), STR("ro")));
    assert_false(procfs_mount_has_option(STR("rootcontext"), STR("ro")));
    assert_false(procfs_mount_has_option(STR(""), STR("ro")));
}

static void escapes(void **state)
{
    (void)state;
    static const struct {
        const char *escaped;
        const char *plain;
    } rows[] = {
        {"/a\\040b\\011c\\012d\\134e\\043", "/a b\tc\nd\\e#"},
        {"\\", "\\"},
        {"\\04", "\\04"},
        {"\\048", "\\048"},
        {"\\400", "\\400"},
        {"\\377", "\377"},
        {"", ""},
    };
    char buffer[64];
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        assert_str(procfs_unescape(str_of(rows[i].escaped), buffer), rows[i].plain);
    }
}

static void broken_texts(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "\n",
        "36 35 98:0 /mnt1 /mnt2 rw ext3 /dev/root rw\n",
        "36 35 98 / /mnt2 rw - ext3 /dev/root rw\n",
        "36 35 98:0 / /mnt2 rw - ext3 /dev/root\n",
        "x 35 98:0 / /mnt2 rw - ext3 /dev/root rw\n",
        "36 35 98:0 /  rw - ext3 /dev/root rw\n",
        NULL,
    };
    assert_all_corrupt(texts, walk);
    assert_cuts_are_corrupt(mountinfo, walk);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(columns),
        cmocka_unit_test(a_source_may_be_empty),
        cmocka_unit_test(options_are_whole_words),
        cmocka_unit_test(escapes),
        cmocka_unit_test(broken_texts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
