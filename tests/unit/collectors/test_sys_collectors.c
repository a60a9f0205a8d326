/* Collectors of hardware that show files of /sys: what files give what samples. Values follow from the
 * kernel's units, as the comments of each collector name them. */
#include "fake_root.h"

#include <stdlib.h>

struct file {
    const char *path;
    const char *text;
};

struct row {
    const char *collector;
    struct file files[24];
    int status;
    const char *samples;
};

static const struct row rows[] = {
    {"bonding", {{NULL, NULL}}, ERR_NOT_FOUND, ""},
    {"bonding",
        {
            {"sys/class/net/bonding_masters", "bond0 bond1\n"},
            {"sys/class/net/bond0/bonding/slaves", "eth0 eth1\n"},
            {"sys/class/net/bond0/lower_eth0/bonding_slave/mii_status", "up\n"},
            {"sys/class/net/bond0/slave_eth1/bonding_slave/mii_status", "down\n"},
            {"sys/class/net/bond1/bonding/slaves", "\n"},
        },
        0,
        "node_bonding_active{master=\"bond0\"} 1\n"
        "node_bonding_active{master=\"bond1\"} 0\n"
        "node_bonding_slaves{master=\"bond0\"} 2\n"
        "node_bonding_slaves{master=\"bond1\"} 0\n"},
    {"btrfs", {{NULL, NULL}}, 0, ""},
    {"btrfs",
        {
            {"sys/fs/btrfs/features/raid56", "0\n"},
            {"sys/fs/btrfs/0abb23a9-579b-43e6-ad30-227ef47fcb9d/label", "home\n"},
            {"sys/fs/btrfs/0abb23a9-579b-43e6-ad30-227ef47fcb9d/commit_stats",
                "commits 3\nlast_commit_ms 1000\nmax_commit_ms 51462\ntotal_commit_ms 2500\n"},
            {"sys/fs/btrfs/0abb23a9-579b-43e6-ad30-227ef47fcb9d/allocation/global_rsv_size",
                "16777216\n"},
            {"sys/fs/btrfs/0abb23a9-579b-43e6-ad30-227ef47fcb9d/allocation/data/bytes_reserved",
                "7\n"},
            {"sys/fs/btrfs/0abb23a9-579b-43e6-ad30-227ef47fcb9d/allocation/data/raid5/total_bytes",
                "600\n"},
            {"sys/fs/btrfs/0abb23a9-579b-43e6-ad30-227ef47fcb9d/allocation/data/raid5/used_bytes",
                "300\n"},
            {"sys/fs/btrfs/0abb23a9-579b-43e6-ad30-227ef47fcb9d/devices/sda/size", "20\n"},
            {"sys/fs/btrfs/0abb23a9-579b-43e6-ad30-227ef47fcb9d/devices/sdb/size", "20\n"},
            {"sys/fs/btrfs/0abb23a9-579b-43e6-ad30-227ef47fcb9d/devices/sdc/size", "20\n"},
        },
        0,
        "node_btrfs_commit_seconds_total{uuid=\"0abb23a9-579b-43e6-ad30-227ef47fcb9d\"} 2.5\n"
        "node_btrfs_commits_total{uuid=\"0abb23a9-579b-43e6-ad30-227ef47fcb9d\"} 3\n"
        "node_btrfs_last_commit_seconds{uuid=\"0abb23a9-579b-43e6-ad30-227ef47fcb9d\"} 1\n"
        "node_btrfs_max_commit_seconds{uuid=\"0abb23a9-579b-43e6-ad30-227ef47fcb9d\"} 51.462\n"
        "node_btrfs_allocation_ratio{block_group_type=\"data\",mode=\"raid5\","
        "uuid=\"0abb23a9-579b-43e6-ad30-227ef47fcb9d\"} 1.5\n"
        "node_btrfs_device_size_bytes{device=\"sda\",uuid=\"0abb23a9-579b-43e6-ad30-227ef47fcb9d\"}"
        " 10240\n"
        "node_btrfs_device_size_bytes{device=\"sdb\",uuid=\"0abb23a9-579b-43e6-ad30-227ef47fcb9d\"}"
        " 10240\n"
        "node_btrfs_device_size_bytes{device=\"sdc\",uuid=\"0abb23a9-579b-43e6-ad30-227ef47fcb9d\"}"
        " 10240\n"
        "node_btrfs_global_rsv_size_bytes{uuid=\"0abb23a9-579b-43e6-ad30-227ef47fcb9d\"} 16777216\n"
        "node_btrfs_info{label=\"home\",uuid=\"0abb23a9-579b-43e6-ad30-227ef47fcb9d\"} 1\n"
        "node_btrfs_reserved_bytes{block_group_type=\"data\",uuid=\"0abb23a9-579b-43e6-ad30-"
        "227ef47fcb9d\"} 7\n"
        "node_btrfs_size_bytes{block_group_type=\"data\",mode=\"raid5\","
        "uuid=\"0abb23a9-579b-43e6-ad30-227ef47fcb9d\"} 600\n"
        "node_btrfs_used_bytes{block_group_type=\"data\",mode=\"raid5\","
        "uuid=\"0abb23a9-579b-43e6-ad30-227ef47fcb9d\"} 300\n"},
    {"infiniband", {{NULL, NULL}}, ERR_NOT_FOUND, ""},
    {"infiniband",
        {
            {"sys/class/infiniband/mlx4_0/board_id", "SM_1\n"},
            {"sys/class/infiniband/mlx4_0/fw_ver", "2.31\n"},
            {"sys/class/infiniband/mlx4_0/hca_type", "MT4099\n"},
            {"sys/class/infiniband/mlx4_0/ports/1/state", "4: ACTIVE\n"},
            {"sys/class/infiniband/mlx4_0/ports/1/phys_state", "5: LinkUp\n"},
            {"sys/class/infiniband/mlx4_0/ports/1/rate", "2.5 Gb/sec (1X SDR)\n"},
            {"sys/class/infiniband/mlx4_0/ports/1/counters/port_rcv_data", "10\n"},
            {"sys/class/infiniband/mlx4_0/ports/1/counters/link_downed", "3\n"},
            {"sys/class/infiniband/mlx4_0/ports/1/counters/symbol_error", "N/A (no PMA)\n"},
        },
        0,
        "node_infiniband_info{board_id=\"SM_1\",device=\"mlx4_0\",firmware_version=\"2.31\",hca_"
        "type=\"MT4099\"} 1\n"
        "node_infiniband_link_downed_total{device=\"mlx4_0\",port=\"1\"} 3\n"
        "node_infiniband_physical_state_id{device=\"mlx4_0\",port=\"1\"} 5\n"
        "node_infiniband_port_data_received_bytes_total{device=\"mlx4_0\",port=\"1\"} 40\n"
        "node_infiniband_rate_bytes_per_second{device=\"mlx4_0\",port=\"1\"} 312500000\n"
        "node_infiniband_state_id{device=\"mlx4_0\",port=\"1\"} 4\n"},
    {"ipvs", {{NULL, NULL}}, ERR_NOT_FOUND, ""},
    {"ipvs",
        {
            {"proc/net/ip_vs_stats", "   Total\n   Conns\n 10 20 0 FF 1\n"},
            {"proc/net/ip_vs",
                "IP Virtual Server\nProt LocalAddress:Port\n  -> RemoteAddress:Port\n"
                "TCP  C0A80016:0CEA wlc\n"
                "  -> [2620:0000:0000:0000:0000:0000:0000:0002]:0050 Route 100 248 2\n"
                "FWM  10001000 wlc\n"
                "  -> C0A8321A:0CEA      Route   0      0          1\n"},
        },
        0,
        "node_ipvs_connections_total 16\n"
        "node_ipvs_incoming_bytes_total 255\n"
        "node_ipvs_incoming_packets_total 32\n"
        "node_ipvs_outgoing_bytes_total 1\n"
        "node_ipvs_outgoing_packets_total 0\n"
        "node_ipvs_backend_connections_active{local_address=\"192.168.0.22\",local_mark=\"\",local_"
        "port=\"3306\","
        "proto=\"TCP\",remote_address=\"2620::2\",remote_port=\"80\"} 248\n"
        "node_ipvs_backend_connections_active{local_address=\"\",local_mark=\"10001000\",local_"
        "port=\"0\","
        "proto=\"FWM\",remote_address=\"192.168.50.26\",remote_port=\"3306\"} 0\n"
        "node_ipvs_backend_connections_inactive{local_address=\"192.168.0.22\",local_mark=\"\","
        "local_port=\"3306\",proto=\"TCP\",remote_address=\"2620::2\",remote_port=\"80\"} 2\n"
        "node_ipvs_backend_connections_inactive{local_address=\"\",local_mark=\"10001000\",local_"
        "port=\"0\","
        "proto=\"FWM\",remote_address=\"192.168.50.26\",remote_port=\"3306\"} 1\n"
        "node_ipvs_backend_weight{local_address=\"192.168.0.22\",local_mark=\"\",local_port="
        "\"3306\","
        "proto=\"TCP\",remote_address=\"2620::2\",remote_port=\"80\"} 100\n"
        "node_ipvs_backend_weight{local_address=\"\",local_mark=\"10001000\",local_port=\"0\","
        "proto=\"FWM\","
        "remote_address=\"192.168.50.26\",remote_port=\"3306\"} 0\n"},
    {"cpufreq", {{NULL, NULL}}, 0, ""},
    {"cpufreq",
        {
            {"sys/devices/system/cpu/cpu0/cpufreq/scaling_cur_freq", "1699981\n"},
            {"sys/devices/system/cpu/cpu0/cpufreq/scaling_max_freq", "3700000\n"},
            {"sys/devices/system/cpu/cpu0/cpufreq/scaling_min_freq", "800000\n"},
            {"sys/devices/system/cpu/cpu0/cpufreq/cpuinfo_max_freq", "4000000\n"},
            {"sys/devices/system/cpu/cpu0/cpufreq/scaling_governor", "powersave\n"},
            {"sys/devices/system/cpu/cpu0/cpufreq/scaling_available_governors",
                "performance powersave \n"},
            {"sys/devices/system/cpu/cpu1/online", "1\n"},
            {"sys/devices/system/cpu/cpuidle/current_driver", "none\n"},
        },
        0,
        "node_cpu_scaling_frequency_hertz{cpu=\"0\"} 1699981000\n"
        "node_cpu_frequency_max_hertz{cpu=\"0\"} 4000000000\n"
        "node_cpu_scaling_frequency_max_hertz{cpu=\"0\"} 3700000000\n"
        "node_cpu_scaling_frequency_min_hertz{cpu=\"0\"} 800000000\n"
        "node_cpu_scaling_governor{cpu=\"0\",governor=\"performance\"} 0\n"
        "node_cpu_scaling_governor{cpu=\"0\",governor=\"powersave\"} 1\n"},
    {"dmi", {{NULL, NULL}}, ERR_NOT_FOUND, ""},
    {"dmi",
        {{"sys/class/dmi/id/sys_vendor", "Acme \xff\xfe Inc.\n"},
            {"sys/class/dmi/id/bios_date", "01/02/2003\n"}},
        0, "node_dmi_info{bios_date=\"01/02/2003\",system_vendor=\"Acme \xef\xbf\xbd Inc.\"} 1\n"},
    {"edac", {{NULL, NULL}}, 0, ""},
    {"edac",
        {
            {"sys/devices/system/edac/mc/mc0/ce_count", "1\n"},
            {"sys/devices/system/edac/mc/mc0/ue_count", "5\n"},
            {"sys/devices/system/edac/mc/mc0/ce_noinfo_count", "2\n"},
            {"sys/devices/system/edac/mc/mc0/ue_noinfo_count", "6\n"},
            {"sys/devices/system/edac/mc/mc0/csrow3/ce_count", "3\n"},
            {"sys/devices/system/edac/mc/mc0/csrow3/ue_count", "4\n"},
            {"sys/devices/system/edac/mc/mc0/csrow3/ch1_ce_count", "7\n"},
            {"sys/devices/system/edac/mc/mc0/csrow3/ch1_ue_count", "8\n"},
            {"sys/devices/system/edac/mc/mc0/csrow3/ch1_dimm_label", "mc#0csrow#3channel#1\n"},
            {"sys/devices/system/edac/mc/mc0/csrow3/ch2_ce_count", "9\n"},
            {"sys/devices/system/edac/mc/power/control", "auto\n"},
        },
        0,
        "node_edac_channel_correctable_errors_total{channel=\"1\",controller=\"0\",csrow=\"3\","
        "dimm_label=\"mc0_csrow3_channel1\"} 7\n"
        "node_edac_channel_correctable_errors_total{channel=\"2\",controller=\"0\",csrow=\"3\","
        "dimm_label=\"unknown\"} 9\n"
        "node_edac_channel_uncorrectable_errors_total{channel=\"1\",controller=\"0\",csrow=\"3\","
        "dimm_label=\"mc0_csrow3_channel1\"} 8\n"
        "node_edac_correctable_errors_total{controller=\"0\"} 1\n"
        "node_edac_csrow_correctable_errors_total{controller=\"0\",csrow=\"3\"} 3\n"
        "node_edac_csrow_correctable_errors_total{controller=\"0\",csrow=\"unknown\"} 2\n"
        "node_edac_csrow_uncorrectable_errors_total{controller=\"0\",csrow=\"3\"} 4\n"
        "node_edac_csrow_uncorrectable_errors_total{controller=\"0\",csrow=\"unknown\"} 6\n"
        "node_edac_uncorrectable_errors_total{controller=\"0\"} 5\n"},
    {"mdadm", {{NULL, NULL}}, ERR_NOT_FOUND, ""},
    {"mdadm",
        {
            {"proc/mdstat",
                "Personalities : [raid1]\n"
                "md0 : active raid1 sdb1[1] sda1[0](F)\n"
                "      248896 blocks [2/1] [_U]\n"
                "      [=>...]  recovery = 12.6% (37043/248896) finish=1.5min speed=33440K/sec\n"
                "\n"
                "unused devices: <none>\n"},
            {"sys/block/md0/md/degraded", "1\n"},
            {"sys/block/md0/md/raid_disks", "2\n"},
            {"sys/block/sda/size", "1\n"},
        },
        0,
        "node_md_blocks{device=\"md0\"} 248896\n"
        "node_md_blocks_synced{device=\"md0\"} 37043\n"
        "node_md_disks{device=\"md0\",state=\"active\"} 1\n"
        "node_md_disks{device=\"md0\",state=\"failed\"} 1\n"
        "node_md_disks{device=\"md0\",state=\"spare\"} 0\n"
        "node_md_disks_required{device=\"md0\"} 2\n"
        "node_md_state{device=\"md0\",state=\"active\"} 0\n"
        "node_md_state{device=\"md0\",state=\"check\"} 0\n"
        "node_md_state{device=\"md0\",state=\"inactive\"} 0\n"
        "node_md_state{device=\"md0\",state=\"recovering\"} 1\n"
        "node_md_state{device=\"md0\",state=\"resync\"} 0\n"
        "node_md_degraded{device=\"md0\"} 1\n"
        "node_md_raid_disks{device=\"md0\"} 2\n"},
    {"nvme", {{NULL, NULL}}, ERR_NOT_FOUND, ""},
    {"nvme",
        {
            {"sys/class/nvme/nvme0/cntlid", "7\n"},
            {"sys/class/nvme/nvme0/firmware_rev", "1B2Q\n"},
            {"sys/class/nvme/nvme0/model", "Fast  \n"},
            {"sys/class/nvme/nvme0/serial", "S1\n"},
            {"sys/class/nvme/nvme0/state", "live\n"},
            {"sys/class/nvme/nvme0/nvme0n1/size", "100\n"},
            {"sys/class/nvme/nvme0/nvme0n1/nuse", "25\n"},
            {"sys/class/nvme/nvme0/nvme0n1/queue/logical_block_size", "4096\n"},
            {"sys/class/nvme/nvme0/hwmon1/name", "nvme\n"},
        },
        0,
        "node_nvme_info{cntlid=\"7\",device=\"nvme0\",firmware_revision=\"1B2Q\",model=\"Fast\","
        "serial=\"S1\","
        "state=\"live\"} 1\n"
        "node_nvme_namespace_capacity_bytes{device=\"nvme0\",nsid=\"1\"} 409600\n"
        "node_nvme_namespace_info{ana_state=\"unknown\",device=\"nvme0\",nsid=\"1\"} 1\n"
        "node_nvme_namespace_logical_block_size_bytes{device=\"nvme0\",nsid=\"1\"} 4096\n"
        "node_nvme_namespace_size_bytes{device=\"nvme0\",nsid=\"1\"} 409600\n"
        "node_nvme_namespace_used_bytes{device=\"nvme0\",nsid=\"1\"} 102400\n"},
    {"powersupplyclass",
        {
            {"sys/class/power_supply/AC/online", "1\n"},
            {"sys/class/power_supply/AC/type", "Mains\n"},
            {"sys/class/power_supply/BAT0/energy_now", "36580000\n"},
            {"sys/class/power_supply/BAT0/voltage_now", "11660000\n"},
            {"sys/class/power_supply/BAT0/temp", "285\n"},
            {"sys/class/power_supply/BAT0/capacity", "81\n"},
            {"sys/class/power_supply/BAT0/status", "Discharging\n"},
            {"sys/class/power_supply/BAT0/model_name", "\n"},
        },
        0,
        "node_power_supply_capacity{power_supply=\"BAT0\"} 81\n"
        "node_power_supply_energy_watthour{power_supply=\"BAT0\"} 36.58\n"
        "node_power_supply_online{power_supply=\"AC\"} 1\n"
        "node_power_supply_temp_celsius{power_supply=\"BAT0\"} 28.5\n"
        "node_power_supply_voltage_volt{power_supply=\"BAT0\"} 11.66\n"
        "node_power_supply_info{power_supply=\"AC\",type=\"Mains\"} 1\n"
        "node_power_supply_info{power_supply=\"BAT0\",status=\"Discharging\"} 1\n"},
    {"rapl", {{NULL, NULL}}, ERR_NOT_FOUND, ""},
    {"thermal_zone", {{NULL, NULL}}, 0, ""},
    {"thermal_zone",
        {
            {"sys/class/thermal/thermal_zone0/temp", "49925\n"},
            {"sys/class/thermal/thermal_zone0/type", "bcm2835_thermal\n"},
            {"sys/class/thermal/thermal_zone1/type", "silent\n"},
            {"sys/class/thermal/cooling_device0/cur_state", "1\n"},
            {"sys/class/thermal/cooling_device0/max_state", "50\n"},
            {"sys/class/thermal/cooling_device0/type", "Processor\n"},
        },
        0,
        "node_cooling_device_cur_state{name=\"0\",type=\"Processor\"} 1\n"
        "node_cooling_device_max_state{name=\"0\",type=\"Processor\"} 50\n"
        "node_thermal_zone_temp{type=\"bcm2835_thermal\",zone=\"0\"} 49.925\n"},
    {"watchdog",
        {
            {"sys/class/watchdog/watchdog0/bootstatus", "1\n"},
            {"sys/class/watchdog/watchdog0/timeout", "60\n"},
            {"sys/class/watchdog/watchdog0/identity", "Software Watchdog\n"},
            {"sys/class/watchdog/watchdog0/state", "active\n"},
            {"sys/class/watchdog/watchdog0/status", "0x8000\n"},
        },
        0,
        "node_watchdog_bootstatus{name=\"watchdog0\"} 1\n"
        "node_watchdog_timeout_seconds{name=\"watchdog0\"} 60\n"
        "node_watchdog_info{identity=\"Software Watchdog\",name=\"watchdog0\",options=\"\","
        "pretimeout_governor=\"\",state=\"active\",status=\"0x8000\"} 1\n"},
    {"time",
        {
            {"sys/devices/system/clocksource/clocksource0/available_clocksource", "tsc hpet \n"},
            {"sys/devices/system/clocksource/clocksource0/current_clocksource", "tsc\n"},
        },
        0,
        "node_time_clocksource_available_info{clocksource=\"tsc\",device=\"0\"} 1\n"
        "node_time_clocksource_available_info{clocksource=\"hpet\",device=\"0\"} 1\n"
        "node_time_clocksource_current_info{clocksource=\"tsc\",device=\"0\"} 1\n"
        "node_time_seconds 1700000000\n"
        "node_time_zone_offset_seconds{time_zone=\"UTC\"} 0\n"},
};

static void each_row(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct fake_root f;
        fake_root_init(&f, rows[i].collector);
        for (size_t k = 0; k < 24 && rows[i].files[k].path != NULL; k++) {
            fake_root_write(&f, rows[i].files[k].path, rows[i].files[k].text);
        }
        // Twice, because the second pass reads through what the first one kept.
        fake_root_expect(&f, rows[i].status, rows[i].samples);
        fake_root_expect(&f, rows[i].status, rows[i].samples);
        fake_root_release(&f);
    }
}

static void energy_of_zones(void **state)
{
    (void)state;
    struct fake_root f;
    fake_root_init(&f, "rapl");
    fake_root_write(&f, "sys/class/powercap/intel-rapl/enabled", "1\n");
    fake_root_write(&f, "sys/class/powercap/intel-rapl:0/name", "package-1\n");
    fake_root_write(&f, "sys/class/powercap/intel-rapl:0/energy_uj", "240422366267\n");
    fake_root_write(&f, "sys/class/powercap/intel-rapl:0:0/name", "core\n");
    fake_root_write(&f, "sys/class/powercap/intel-rapl:0:0/energy_uj", "118821284256\n");
    fake_root_write(&f, "sys/class/powercap/intel-rapl:1:0/name", "core\n");
    fake_root_write(&f, "sys/class/powercap/intel-rapl:1:0/energy_uj", "1\n");
    char expected[2048];
    (void)snprintf(expected, sizeof(expected),
        "node_rapl_core_joules_total{index=\"0\",path=\"%s/class/powercap/intel-rapl:0:0\"} "
        "118821.284256\n"
        "node_rapl_core_joules_total{index=\"1\",path=\"%s/class/powercap/intel-rapl:1:0\"} 1e-06\n"
        "node_rapl_package_joules_total{index=\"1\",path=\"%s/class/powercap/intel-rapl:0\"} "
        "240422.366267\n",
        f.sys, f.sys, f.sys);
    fake_root_expect(&f, 0, expected);
    fake_root_release(&f);
}

static void columns_of_xfs(void **state)
{
    (void)state;
    struct fake_root f;
    fake_root_init(&f, "xfs");
    fake_root_expect(&f, 0, "");
    fake_root_release(&f);
    fake_root_init(&f, "xfs");
    fake_root_write(&f, "sys/fs/xfs/stats/stats", "rw 1000 1000\n");
    fake_root_write(&f, "sys/fs/xfs/sda1/stats/stats", "dir 3 2 1 52\nrw 28 7\ndebug 0\n");
    fake_root_expect(&f, 0,
        "node_xfs_directory_operation_create_total{device=\"sda1\"} 2\n"
        "node_xfs_directory_operation_getdents_total{device=\"sda1\"} 52\n"
        "node_xfs_directory_operation_lookup_total{device=\"sda1\"} 3\n"
        "node_xfs_directory_operation_remove_total{device=\"sda1\"} 1\n"
        "node_xfs_read_calls_total{device=\"sda1\"} 7\n"
        "node_xfs_write_calls_total{device=\"sda1\"} 28\n");
    fake_root_release(&f);
}

static void groups_under_the_names_of_cadvisor(void **state)
{
    (void)state;
    struct fake_root f;
    fake_root_init(&f, "cgroup");
    fake_root_expect(&f, ERR_NOT_FOUND, "");
    fake_root_release(&f);
    fake_root_init(&f, "cgroup");
    fake_root_write(&f, "sys/fs/cgroup/cgroup.controllers", "cpu io memory pids\n");
    fake_root_write(&f, "sys/fs/cgroup/a.slice/cpu.stat",
        "usage_usec 3500000\nuser_usec 2000000\nsystem_usec 1500000\nnr_periods 7\n");
    fake_root_write(&f, "sys/fs/cgroup/a.slice/b.service/memory.current", "10000\n");
    fake_root_write(&f, "sys/fs/cgroup/a.slice/b.service/memory.max", "max\n");
    fake_root_write(&f, "sys/fs/cgroup/a.slice/b.service/memory.stat",
        "anon 4000\nfile 5000\ninactive_file 3000\npgfault 11\npgmajfault 2\n");
    fake_root_write(&f, "sys/fs/cgroup/a.slice/b.service/memory.events", "max 3\noom_kill 1\n");
    fake_root_write(&f, "sys/fs/cgroup/a.slice/b.service/cpu.pressure",
        "some avg10=1.00 avg60=0.00 avg300=0.00 total=2500000\n"
        "full avg10=0.00 avg60=0.00 avg300=0.00 total=500000\n");
    fake_root_expect(&f, 0,
        "container_cpu_usage_seconds_total{cpu=\"total\",id=\"/a.slice\"} 3.5\n"
        "container_cpu_user_seconds_total{id=\"/a.slice\"} 2\n"
        "container_cpu_system_seconds_total{id=\"/a.slice\"} 1.5\n"
        "container_cpu_cfs_periods_total{id=\"/a.slice\"} 7\n"
        "container_memory_usage_bytes{id=\"/a.slice/b.service\"} 10000\n"
        "container_memory_rss{id=\"/a.slice/b.service\"} 4000\n"
        "container_memory_cache{id=\"/a.slice/b.service\"} 5000\n"
        "container_memory_total_inactive_file_bytes{id=\"/a.slice/b.service\"} 3000\n"
        "container_memory_failures_total{failure_type=\"pgfault\",id=\"/a.slice/b.service\"} 11\n"
        "container_memory_failures_total{failure_type=\"pgmajfault\",id=\"/a.slice/b.service\"} 2\n"
        "container_memory_failcnt{id=\"/a.slice/b.service\"} 3\n"
        "container_oom_events_total{id=\"/a.slice/b.service\"} 1\n"
        "container_spec_memory_limit_bytes{id=\"/a.slice/b.service\"} 0\n"
        "container_pressure_cpu_waiting_seconds_total{id=\"/a.slice/b.service\"} 2.5\n"
        "container_pressure_cpu_stalled_seconds_total{id=\"/a.slice/b.service\"} 0.5\n"
        "container_memory_working_set_bytes{id=\"/a.slice/b.service\"} 7000\n");
    fake_root_release(&f);
}

int main(void)
{
    // The zone of the machine the test runs on does not matter.
    (void)setenv("TZ", "UTC", 1);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_row),
        cmocka_unit_test(energy_of_zones),
        cmocka_unit_test(columns_of_xfs),
        cmocka_unit_test(groups_under_the_names_of_cadvisor),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
