/* Any bytes as each of the kernel's files: values or an error, never a read outside, and no parser that
 * walks rows without moving on. The first byte picks the parser. */
#include <assert.h>
#include <string.h>

#include "procfs/cpu_table.h"
#include "procfs/cpulist.h"
#include "procfs/diag_message.h"
#include "procfs/diskstats.h"
#include "procfs/ip_vs.h"
#include "procfs/link_message.h"
#include "procfs/loadavg.h"
#include "procfs/mdstat.h"
#include "procfs/meminfo.h"
#include "procfs/mountinfo.h"
#include "procfs/named_numbers.h"
#include "procfs/net_arp.h"
#include "procfs/net_dev.h"
#include "procfs/net_snmp.h"
#include "procfs/net_udp.h"
#include "procfs/nf_conntrack_stat.h"
#include "procfs/os_release.h"
#include "procfs/pressure.h"
#include "procfs/process_stat.h"
#include "procfs/schedstat.h"
#include "procfs/sockstat.h"
#include "procfs/softnet_stat.h"
#include "procfs/stat.h"
#include "procfs/udev_data.h"
#include "procfs/vmstat.h"

/* Calls `next` until it ends; each row must use up some of the text. */
#define WALK(next, row_type)                                                                       \
    do {                                                                                           \
        row_type row;                                                                              \
        size_t left = text.len;                                                                    \
        while (next(&text, &row) > 0) {                                                            \
            assert(text.len < left);                                                               \
            left = text.len;                                                                       \
        }                                                                                          \
    } while (0)

static void walk_stat(struct str text)
{
    struct procfs_stat stat;
    struct procfs_cpu cpu;
    if (procfs_stat_parse(text, &stat) == 0) {
        assert(stat.cpu_lines.ptr >= text.ptr);
        assert(stat.cpu_lines.len <= text.len);
        while (procfs_stat_next_cpu(&stat.cpu_lines, &cpu) > 0) {
        }
    }
}

static void walk_mounts(struct str text)
{
    struct procfs_mount mount;
    char buffer[4096];
    while (procfs_mountinfo_next(&text, &mount) > 0) {
        (void)procfs_mount_has_option(mount.options, STR("ro"));
        if (mount.mountpoint.len <= sizeof(buffer)) {
            assert(procfs_unescape(mount.mountpoint, buffer).len <= mount.mountpoint.len);
        }
    }
}

static void walk_snmp(struct str text)
{
    struct procfs_snmp_iter iter = procfs_snmp_iter_of(text);
    struct procfs_snmp_value value;
    while (procfs_snmp_next(&iter, &value) > 0) {
        assert(value.field.len > 0);
    }
}

static void walk_sockstat(struct str text)
{
    struct procfs_sockstat_iter iter = procfs_sockstat_iter_of(text);
    struct procfs_sockstat_value value;
    while (procfs_sockstat_next(&iter, &value) > 0) {
        assert(value.field.len > 0);
    }
}

static void parse_whole_files(struct str text)
{
    struct procfs_loadavg loadavg;
    struct procfs_process_stat process;
    struct procfs_pressure pressure;
    struct procfs_udp_queues queues;
    struct procfs_conntrack conntrack;
    char buffer[16];
    struct str value;
    (void)procfs_loadavg_parse(text, &loadavg);
    (void)procfs_process_stat_parse(text, &process);
    (void)procfs_pressure_parse(text, &pressure);
    (void)procfs_net_udp_parse(text, &queues);
    (void)procfs_conntrack_parse(text, &conntrack);
    if (procfs_os_release_get(text, STR("ID"), buffer, sizeof(buffer), &value) == 0) {
        assert(value.len <= sizeof(buffer));
    }
}

static void walk_softnet(struct str text)
{
    struct procfs_softnet softnet;
    for (uint64_t row = 0; procfs_softnet_next(&text, row, &softnet) > 0; row++) {
    }
}

static void walk_ip_vs(struct str text)
{
    struct procfs_ip_vs_iter iter = {.rest = text};
    struct procfs_ip_vs_backend backend;
    struct procfs_ip_vs_totals totals;
    (void)procfs_ip_vs_totals_parse(text, &totals);
    while (procfs_ip_vs_next(&iter, &backend) > 0) {
        assert(backend.remote.length == 4 || backend.remote.length == 16);
    }
}

/* A netlink dump is bytes, not text: lengths are the hostile part. */
static void walk_links(struct str text)
{
    struct procfs_link link;
    struct str sockets = text;
    struct procfs_socket socket;
    while (procfs_link_next(&text, &link) == PROCFS_NETLINK_ROW) {
        assert(link.name.len > 0);
    }
    while (procfs_socket_next(&sockets, &socket) == PROCFS_NETLINK_ROW) {
    }
}

static void walk_cpu_table(struct str text)
{
    struct procfs_cpu_table table;
    struct procfs_cpu_table_row row;
    if (procfs_cpu_table_begin(text, &table) != 0) {
        return;
    }
    while (procfs_cpu_table_next(&table, &row) > 0) {
        struct str title = table.title;
        struct str cpu;
        uint64_t value;
        int count = 0;
        while (procfs_cpu_table_next_cpu(&title, &row.counters, &cpu, &value) > 0) {
            count++;
        }
        assert(count == row.count);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0) {
        return 0;
    }
    struct str text = str_make((const char *)data + 1, size - 1);
    switch (data[0]) {
    case 'a':
        walk_stat(text);
        break;
    case 'b':
        walk_mounts(text);
        break;
    case 'c':
        walk_snmp(text);
        break;
    case 'd':
        walk_sockstat(text);
        break;
    case 'e':
        parse_whole_files(text);
        break;
    case 'f':
        walk_softnet(text);
        break;
    case 'g':
        walk_links(text);
        break;
    case 'h':
        WALK(procfs_schedstat_next, struct procfs_schedstat_cpu);
        break;
    case 'i':
        WALK(procfs_meminfo_next, struct procfs_meminfo_line);
        break;
    case 'j':
        WALK(procfs_vmstat_next, struct procfs_vmstat_line);
        break;
    case 'k':
        WALK(procfs_diskstats_next, struct procfs_disk);
        break;
    case 'l':
        WALK(procfs_net_dev_next, struct procfs_net_dev);
        break;
    case 'm':
        WALK(procfs_snmp6_next, struct procfs_snmp_value);
        break;
    case 'n':
        WALK(procfs_net_arp_next, struct procfs_arp_entry);
        break;
    case 'o':
        WALK(procfs_udev_next, struct procfs_udev_property);
        break;
    case 'p':
        WALK(procfs_mdstat_next, struct procfs_md);
        break;
    case 't':
        walk_ip_vs(text);
        break;
    case 's':
        walk_cpu_table(text);
        break;
    case 'r':
        WALK(procfs_named_numbers_next, struct procfs_named_numbers);
        break;
    default:
        WALK(procfs_cpulist_next, struct procfs_cpu_range);
        break;
    }
    return 0;
}
