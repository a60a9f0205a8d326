/* The rows of the table of collectors; each is defined in <name>_collector.c. */
#ifndef SONDE_COLLECTORS_ROWS_H
#define SONDE_COLLECTORS_ROWS_H

#include "collectors/collect.h"

extern const struct collector arp_collector;
extern const struct collector bonding_collector;
extern const struct collector btrfs_collector;
extern const struct collector cgroup_collector;
extern const struct collector conntrack_collector;
extern const struct collector cpu_collector;
extern const struct collector cpufreq_collector;
extern const struct collector diskstats_collector;
extern const struct collector dmi_collector;
extern const struct collector edac_collector;
extern const struct collector entropy_collector;
extern const struct collector filefd_collector;
extern const struct collector filesystem_collector;
extern const struct collector hwmon_collector;
extern const struct collector infiniband_collector;
extern const struct collector interrupts_collector;
extern const struct collector ipvs_collector;
extern const struct collector kernel_hung_collector;
extern const struct collector loadavg_collector;
extern const struct collector mdadm_collector;
extern const struct collector meminfo_collector;
extern const struct collector netclass_collector;
extern const struct collector netdev_collector;
extern const struct collector netstat_collector;
extern const struct collector nfs_collector;
extern const struct collector nfsd_collector;
extern const struct collector nvme_collector;
extern const struct collector os_collector;
extern const struct collector powersupplyclass_collector;
extern const struct collector pressure_collector;
extern const struct collector process_groups_collector;
extern const struct collector processes_collector;
extern const struct collector rapl_collector;
extern const struct collector schedstat_collector;
extern const struct collector selinux_collector;
extern const struct collector sockstat_collector;
extern const struct collector softirqs_collector;
extern const struct collector softnet_collector;
extern const struct collector stat_collector;
extern const struct collector systemd_collector;
extern const struct collector tcpstat_collector;
extern const struct collector textfile_collector;
extern const struct collector thermal_zone_collector;
extern const struct collector time_collector;
extern const struct collector timex_collector;
extern const struct collector udp_queues_collector;
extern const struct collector uname_collector;
extern const struct collector vmstat_collector;
extern const struct collector watchdog_collector;
extern const struct collector xfs_collector;

#endif
