/* Host metrics: a table of collectors, and one pass over those that are switched on.
 *
 * Each collector reads one subsystem of the kernel and gives the metrics that node_exporter gives,
 * with the same names, labels, types and values, so that dashboards and alerts written for it work
 * unchanged. Growing the set means adding a file and a row to the table; settings are rows too.
 *
 * Everything belongs to the thread that calls; nothing blocks it: statfs, the one call that can hang
 * for ever, runs on side threads (statfs_pool.h).
 */
#ifndef SONDE_COLLECTORS_COLLECTOR_H
#define SONDE_COLLECTORS_COLLECTOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/vfs.h"
#include "collectors/metric_sink.h"

struct collect; /* what a running pass lends to a collector; see collect.h */

/* One row of the table. The functions get `state`: `state_size` bytes, zeroed before `open`. */
struct collector {
    const char *name; /* value of the label `collector` */
    const char *help;
    bool default_enabled;
    size_t state_size;
    /* Compiles settings, reads what never changes. May be NULL. An error here stops
     * collectors_open: it is the user's setting that is wrong, or memory. */
    int (*open)(struct collect *c, void *state, struct err *e);
    /* Starts what side threads do while the other collectors run; such a collector is asked for its
     * metrics last. Gives nothing to the sink. May be NULL. */
    void (*begin)(struct collect *c, void *state);
    /* Gives its metrics to the pass' sink. 0; ERR_NOT_FOUND where this host has none of it; another
     * code when something was there and could not be read. */
    int (*collect)(struct collect *c, void *state);
    /* Frees what hangs on the state, half-built too. May be NULL. */
    void (*close)(struct collect *c, void *state);
};

/* All rows, in order of their names. */
const struct collector *const *collectors_table(size_t *count_out);

/* identifier, name as users write it, default, help. An empty one is switched off. */
#define COLLECTOR_SETTINGS(X)                                                                      \
    X(DISK_EXCLUDE, "diskstats.device-exclude",                                                    \
        "^(z?ram|loop|fd|(h|s|v|xv)d[a-z]|nvme\\d+n\\d+p)\\d+$",                                   \
        "Block devices that are left out (partitions, loops, memory disks)")                       \
    X(DISK_INCLUDE, "diskstats.device-include", "", "Only these block devices")                    \
    X(MOUNT_EXCLUDE, "filesystem.mount-points-exclude",                                            \
        "^/(dev|proc|run/credentials/.+|sys|var/lib/docker/.+|var/lib/containers/storage/.+)"      \
        "($|/)",                                                                                   \
        "Mount points that are left out")                                                          \
    X(MOUNT_INCLUDE, "filesystem.mount-points-include", "", "Only these mount points")             \
    X(FILESYSTEM_EXCLUDE, "filesystem.fs-types-exclude",                                           \
        "^(autofs|binfmt_misc|bpf|cgroup2?|configfs|debugfs|devpts|devtmpfs|fusectl|hugetlbfs|"    \
        "iso9660|mqueue|nsfs|overlay|proc|procfs|pstore|rpc_pipefs|securityfs|selinuxfs|squashfs|" \
        "erofs|sysfs|tracefs)$",                                                                   \
        "Types of filesystems that are left out")                                                  \
    X(FILESYSTEM_INCLUDE, "filesystem.fs-types-include", "", "Only these types of filesystems")    \
    X(NETDEV_EXCLUDE, "netdev.device-exclude", "", "Network interfaces without counters")          \
    X(NETDEV_INCLUDE, "netdev.device-include", "", "Counters of only these network interfaces")    \
    X(NETCLASS_EXCLUDE, "netclass.ignored-devices", "^$", "Network interfaces without properties") \
    X(ARP_EXCLUDE, "arp.device-exclude", "", "Network interfaces whose neighbours do not count")   \
    X(ARP_INCLUDE, "arp.device-include", "", "Count neighbours of only these network interfaces")  \
    X(NETSTAT_FIELDS, "netstat.fields",                                                            \
        "^(.*_(InErrors|InErrs)|Ip_Forwarding|Ip(6|Ext)_(InOctets|OutOctets)|"                     \
        "Icmp6?_(InMsgs|OutMsgs)|TcpExt_(Listen.*|Syncookies.*|TCPSynRetrans|TCPTimeouts|"         \
        "TCPOFOQueue|TCPRcvQDrop)|Tcp_(ActiveOpens|InSegs|OutSegs|OutRsts|PassiveOpens|"           \
        "RetransSegs|CurrEstab|MaxConn)|Udp6?_(InDatagrams|OutDatagrams|NoPorts|RcvbufErrors|"     \
        "SndbufErrors))$",                                                                         \
        "Counters of network protocols that are given, as Protocol_Field")                         \
    X(VMSTAT_FIELDS, "vmstat.fields", "^(oom_kill|pgpg|pswp|pg.*fault).*",                         \
        "Fields of /proc/vmstat that are given")                                                   \
    X(POWER_EXCLUDE, "powersupply.ignored-supplies", "^$", "Power supplies that are left out")     \
    X(HWMON_EXCLUDE, "hwmon.chip-exclude", "", "Sensor chips that are left out")                   \
    X(HWMON_INCLUDE, "hwmon.chip-include", "", "Only these sensor chips")                          \
    X(PROCESS_GROUPS_CONFIG, "process_groups.config", "",                                          \
        "File of rules in process_exporter's form; empty = a group for each command")              \
    X(PROCESS_GROUPS_SMAPS, "process_groups.smaps", "false",                                       \
        "Proportional memory of groups, which is slow to read: true or false")                     \
    X(PROCESS_GROUPS_THREADS, "process_groups.threads", "false",                                   \
        "Threads of groups by name, and what they wait for: true or false")                        \
    X(SYSTEMD_EXCLUDE, "systemd.unit-exclude", "^.+\\.(automount|device|mount|scope|slice)$",      \
        "Units of systemd that are left out")                                                      \
    X(SYSTEMD_INCLUDE, "systemd.unit-include", "", "Only these units of systemd")                  \
    X(SYSTEMD_START_TIMES, "systemd.enable-start-time-metrics", "false",                           \
        "When units became active: true or false")                                                 \
    X(SYSTEMD_RESTARTS, "systemd.enable-restarts-metrics", "false",                                \
        "Restarts of services: true or false")                                                     \
    X(SYSTEMD_TASKS, "systemd.enable-task-metrics", "false",                                       \
        "Tasks of services and their limit: true or false")                                        \
    X(SYSTEMD_ADDRESS, "systemd.address", "",                                                      \
        "D-Bus address of the socket of systemd's manager; empty = the usual one, or the bus")     \
    X(TEXTFILE_DIRECTORY, "textfile.directory", "",                                                \
        "Directory whose *.prom files are given too; empty = none")

enum collector_setting {
#define X(identifier, name, value, help) COLLECTOR_SETTING_##identifier,
    COLLECTOR_SETTINGS(X)
#undef X
        COLLECTOR_SETTING_COUNT,
};

struct collector_setting_row {
    const char *name;
    const char *default_value;
    const char *help;
};

/* COLLECTOR_SETTING_COUNT rows, indexed by enum collector_setting. */
const struct collector_setting_row *collector_settings(void);

/* Collectors there can be; the table asserts it. */
#define COLLECTORS_MAX 96

struct collectors_options {
    struct vfs *vfs;     /* NULL = the kernel's files */
    struct clock *clock; /* NULL = the kernel's clocks */
    /* Where the host's trees are mounted; NULL = "/proc", "/sys", "/", "/run/udev/data". In a
     * container: "/host/proc" and so on. Borrowed until collectors_close. */
    const char *proc_path;
    const char *sys_path;
    const char *root_path;
    const char *udev_path;
    /* Switches beyond the defaults: "name" turns a collector on, "no-name" turns it off, and
     * "no-all" first turns off all of them. */
    const char *const *switches;
    size_t switch_count;
    /* NULL = the default of the row. Borrowed during collectors_open. */
    const char *settings[COLLECTOR_SETTING_COUNT];
    /* Interface counters from netlink, as node_exporter does by default: exact, with nohandler.
     * Netlink sees the network namespace of this process whatever proc_path says, so it is used only
     * where proc_path is "/proc". */
    bool without_netlink;
};

struct collectors;

/* ERR_INVALID for an unknown name in `switches`, a pattern that does not compile, or a pair of
 * include and exclude of which only one may be set; `e` says which. ERR_NOMEM. */
int collectors_open(
    const struct collectors_options *options, struct collectors **collectors_out, struct err *e);
/* Accepts NULL. Threads that hang in statfs are left behind to end on their own. */
void collectors_close(struct collectors *collectors);

/* One pass: every collector that is on gives its metrics to `sink`, then come node_exporter_build_info
 * and, of each collector, node_scrape_collector_duration_seconds and node_scrape_collector_success. A collector that
 * fails stops neither the others nor what it gave before. */
void collectors_run(struct collectors *collectors, struct metric_sink *sink);

/* What the last pass of a collector returned: 0 or a code; ERR_NOT_FOUND also for an unknown name or
 * one that is off. */
int collectors_status(const struct collectors *collectors, const char *name);

#endif
