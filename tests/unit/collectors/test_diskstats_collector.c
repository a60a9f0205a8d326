/* Disks of a fake host: counters by kernel age, properties of udev, devices that come and go. */
#include "fake_root.h"

static void expect(struct fake_root *f, const char *line, bool present)
{
    bool found = strstr(f->text.data, line) != NULL;
    if (found != present) {
        print_error("%s: %s\nin:\n%s\n", present ? "missing" : "unexpected", line, f->text.data);
    }
    assert_int_equal(found, present);
}

static void all_counters(void **state)
{
    (void)state;
    struct fake_root f;
    fake_root_init(&f, "diskstats");
    fake_root_write(&f, "proc/diskstats",
        " 259 0 nvme0n1 1 2 3 4001 5 6 7 8 9 10 11 12 13 14 15 16 17\n"
        " 259 1 nvme0n1p1 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17\n"
        " 8 1 sda1 1 2 3 4 5 6 7 8 9 10 11\n"
        " 7 0 loop0 0 0 0 0 0 0 0 0 0 0 0\n"
        " 1 0 zram0 0 0 0 0 0 0 0 0 0 0 0\n");
    fake_root_expect(&f, 0,
        "node_disk_reads_completed_total{device=\"nvme0n1\"} 1\n"
        "node_disk_reads_merged_total{device=\"nvme0n1\"} 2\n"
        "node_disk_read_bytes_total{device=\"nvme0n1\"} 1536\n"
        "node_disk_read_time_seconds_total{device=\"nvme0n1\"} 4.001\n"
        "node_disk_writes_completed_total{device=\"nvme0n1\"} 5\n"
        "node_disk_writes_merged_total{device=\"nvme0n1\"} 6\n"
        "node_disk_written_bytes_total{device=\"nvme0n1\"} 3584\n"
        "node_disk_write_time_seconds_total{device=\"nvme0n1\"} 0.008\n"
        "node_disk_io_now{device=\"nvme0n1\"} 9\n"
        "node_disk_io_time_seconds_total{device=\"nvme0n1\"} 0.01\n"
        "node_disk_io_time_weighted_seconds_total{device=\"nvme0n1\"} 0.011\n"
        "node_disk_discards_completed_total{device=\"nvme0n1\"} 12\n"
        "node_disk_discards_merged_total{device=\"nvme0n1\"} 13\n"
        "node_disk_discarded_sectors_total{device=\"nvme0n1\"} 14\n"
        "node_disk_discard_time_seconds_total{device=\"nvme0n1\"} 0.015\n"
        "node_disk_flush_requests_total{device=\"nvme0n1\"} 16\n"
        "node_disk_flush_requests_time_seconds_total{device=\"nvme0n1\"} 0.017\n"
        "node_disk_info{device=\"nvme0n1\",major=\"259\",minor=\"0\",model=\"\",path=\"\",revision="
        "\"\","
        "rotational=\"0\",serial=\"\",wwn=\"\"} 1\n");
    fake_root_release(&f);
}

static void counters_an_old_kernel_lacks(void **state)
{
    (void)state;
    struct fake_root f;
    fake_root_init(&f, "diskstats");
    fake_root_write(&f, "proc/diskstats",
        " 8 0 sda 1 2 3 4 5 6 7 8 9 10 11\n 8 16 sdb 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15\n");
    assert_int_equal(fake_root_run(&f), 0);
    expect(&f, "node_disk_io_time_weighted_seconds_total{device=\"sda\"} 0.011\n", true);
    expect(&f, "node_disk_discards_completed_total{device=\"sda\"}", false);
    expect(&f, "node_disk_discards_completed_total{device=\"sdb\"} 12\n", true);
    expect(&f, "node_disk_flush_requests_total", false);
    fake_root_release(&f);
}

static void properties_of_udev(void **state)
{
    (void)state;
    struct fake_root f;
    fake_root_init(&f, "diskstats");
    fake_root_write(&f, "proc/diskstats",
        " 8 0 sda 1 2 3 4 5 6 7 8 9 10 11\n 253 0 dm-0 1 2 3 4 5 6 7 8 9 10 11\n");
    fake_root_write(&f, "udev/b8:0",
        "S:disk/by-id/x\nE:ID_ATA=1\nE:ID_ATA_WRITE_CACHE=1\nE:ID_ATA_WRITE_CACHE_ENABLED=0\n"
        "E:ID_ATA_ROTATION_RATE_RPM=7200\nE:ID_MODEL=ST1000\nE:ID_PATH=pci-0000:00\nE:ID_REVISION="
        "CC52\n"
        "E:ID_SERIAL=long\nE:ID_SERIAL_SHORT=short\nE:ID_WWN=0x5000\n");
    fake_root_write(&f, "udev/b253:0",
        "E:DM_NAME=vg-root\nE:DM_UUID=LVM-1\nE:DM_VG_NAME=vg\nE:DM_LV_NAME=root\nE:ID_FS_TYPE="
        "ext4\n"
        "E:ID_FS_USAGE=filesystem\nE:ID_FS_UUID=u-1\nE:ID_FS_VERSION=1.0\n");
    fake_root_write(&f, "sys/block/sda/queue/rotational", "1\n");
    fake_root_write(&f, "sys/block/dm-0/queue/rotational", "0\n");
    assert_int_equal(fake_root_run(&f), 0);
    expect(&f, "node_disk_ata_rotation_rate_rpm{device=\"sda\"} 7200\n", true);
    expect(&f, "node_disk_ata_write_cache{device=\"sda\"} 1\n", true);
    expect(&f, "node_disk_ata_write_cache_enabled{device=\"sda\"} 0\n", true);
    expect(&f,
        "node_disk_info{device=\"sda\",major=\"8\",minor=\"0\",model=\"ST1000\",path=\"pci-0000:"
        "00\","
        "revision=\"CC52\",rotational=\"1\",serial=\"short\",wwn=\"0x5000\"} 1\n",
        true);
    expect(&f,
        "node_disk_device_mapper_info{device=\"dm-0\",lv_layer=\"\",lv_name=\"root\",name=\"vg-"
        "root\","
        "uuid=\"LVM-1\",vg_name=\"vg\"} 1\n",
        true);
    expect(&f,
        "node_disk_filesystem_info{device=\"dm-0\",type=\"ext4\",usage=\"filesystem\",uuid=\"u-1\","
        "version=\"1.0\"} 1\n",
        true);
    expect(&f, "node_disk_filesystem_info{device=\"sda\"", false);
    // Another disk at the same place has its own properties at once.
    fake_root_write(&f, "proc/diskstats", " 253 0 dm-0 1 2 3 4 5 6 7 8 9 10 11\n");
    assert_int_equal(fake_root_run(&f), 0);
    expect(&f, "sda", false);
    expect(&f, "lv_name=\"root\"", true);
    fake_root_release(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_counters),
        cmocka_unit_test(counters_an_old_kernel_lacks),
        cmocka_unit_test(properties_of_udev),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
