/* /proc/diskstats with 4, 11, 15 and 17 counters. */
#include "procfs/diskstats.h"

#include "cuts.h"

static int walk(struct str text)
{
    struct procfs_disk disk;
    int status;
    while ((status = procfs_diskstats_next(&text, &disk)) > 0) {
    }
    return status;
}

static const struct str diskstats = STR(
    "   8       1 sda1 250 251 252 253\n"
    "   8       0 sda 25354637 34367663 1003346126 18492372 28444756 11134226 505697032 63877960 0 "
    "9653880 82621804\n"
    " 179       0 mmcblk0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15\n"
    " 259       0 nvme0n1 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17\n");

static void counters_by_kernel_age(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        uint64_t major;
        uint64_t minor;
        int count;
        uint64_t last;
    } rows[] = {
        {"sda1", 8, 1, 4, 253},
        {"sda", 8, 0, 11, 82621804},
        {"mmcblk0", 179, 0, 15, 15},
        {"nvme0n1", 259, 0, 17, 17},
    };
    struct str rest = diskstats;
    struct procfs_disk disk;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        assert_int_equal(procfs_diskstats_next(&rest, &disk), 1);
        assert_str(disk.name, rows[i].name);
        assert_int_equal(disk.major, rows[i].major);
        assert_int_equal(disk.minor, rows[i].minor);
        assert_int_equal(disk.count, rows[i].count);
        assert_int_equal(disk.fields[disk.count - 1], rows[i].last);
    }
    assert_int_equal(procfs_diskstats_next(&rest, &disk), 0);
}

static void fields_by_name(void **state)
{
    (void)state;
    struct str rest = STR("259 0 d 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18\n");
    struct procfs_disk disk;
    assert_int_equal(procfs_diskstats_next(&rest, &disk), 1);
    assert_int_equal(disk.count, PROCFS_DISK_FIELDS);
    assert_int_equal(disk.fields[PROCFS_DISK_READ_SECTORS], 3);
    assert_int_equal(disk.fields[PROCFS_DISK_WRITES], 5);
    assert_int_equal(disk.fields[PROCFS_DISK_IO_NOW], 9);
    assert_int_equal(disk.fields[PROCFS_DISK_DISCARDS], 12);
    assert_int_equal(disk.fields[PROCFS_DISK_FLUSH_MS], 17);
}

static void broken_texts(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "\n",
        "8 0\n",
        "8 0 sda 1 2 3\n",
        "x 0 sda 1 2 3 4\n",
        "8 0 sda 1 2 3 4 5 six\n",
        NULL,
    };
    assert_all_corrupt(texts, walk);
    assert_cuts_are_corrupt(diskstats, walk);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(counters_by_kernel_age),
        cmocka_unit_test(fields_by_name),
        cmocka_unit_test(broken_texts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
