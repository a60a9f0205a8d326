/* The table of collectors, in order of their names. A new collector is a file and a row here. */
#include <assert.h>

#include "collectors/rows.h"

static const struct collector *const table[] = {
    &arp_collector,
    &bonding_collector,
    &btrfs_collector,
    &cgroup_collector,
    &conntrack_collector,
    &cpu_collector,
    &cpufreq_collector,
    &diskstats_collector,
    &dmi_collector,
    &edac_collector,
    &entropy_collector,
    &filefd_collector,
    &filesystem_collector,
    &hwmon_collector,
    &infiniband_collector,
    &interrupts_collector,
    &ipvs_collector,
    &kernel_hung_collector,
    &loadavg_collector,
    &mdadm_collector,
    &meminfo_collector,
    &netclass_collector,
    &netdev_collector,
    &netstat_collector,
    &nfs_collector,
    &nfsd_collector,
    &nvme_collector,
    &os_collector,
    &powersupplyclass_collector,
    &pressure_collector,
    &process_groups_collector,
    &processes_collector,
    &rapl_collector,
    &schedstat_collector,
    &selinux_collector,
    &sockstat_collector,
    &softirqs_collector,
    &softnet_collector,
    &stat_collector,
    &systemd_collector,
    &tcpstat_collector,
    &textfile_collector,
    &thermal_zone_collector,
    &time_collector,
    &timex_collector,
    &udp_queues_collector,
    &uname_collector,
    &vmstat_collector,
    &watchdog_collector,
    &xfs_collector,
};

static_assert(sizeof(table) / sizeof(table[0]) <= COLLECTORS_MAX, "raise COLLECTORS_MAX");

const struct collector *const *collectors_table(size_t *count_out)
{
    *count_out = sizeof(table) / sizeof(table[0]);
    return table;
}
