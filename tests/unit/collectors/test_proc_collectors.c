/* Collectors that show one file of /proc each: what file gives what samples. */
#include "fake_root.h"

struct file {
    const char *path;
    const char *text;
};

struct row {
    const char *collector;
    struct file files[8];
    int status;
    const char *samples;
};

static const struct row rows[] = {
    {"loadavg", {{"proc/loadavg", "0.21 10.37 0.39 3/719 19737\n"}}, 0,
        "node_load1 0.21\nnode_load15 0.39\nnode_load5 10.37\n"},
    {"loadavg", {{NULL, NULL}}, ERR_NOT_FOUND, ""},
    {"loadavg", {{"proc/loadavg", "0.21 10.37\n"}}, ERR_CORRUPT, ""},
    {"stat",
        {{"proc/stat",
            "cpu0 1 1 1 1\nintr 11 5 6\nctxt 12\nbtime 13\nprocesses 14\nprocs_running 15\n"
            "procs_blocked 16\nsoftirq 1 1 1 1 1 1 1 1 1 1 1\n"}},
        0,
        "node_boot_time_seconds 13\n"
        "node_context_switches_total 12\n"
        "node_forks_total 14\n"
        "node_intr_total 11\n"
        "node_procs_blocked 16\n"
        "node_procs_running 15\n"},
    {"schedstat",
        {{"proc/schedstat",
            "version 15\ncpu0 0 0 0 0 0 0 2000000000 500000000 9\ncpu2 0 0 0 0 0 0 1 2 3\n"}},
        0,
        "node_schedstat_running_seconds_total{cpu=\"0\"} 2\n"
        "node_schedstat_running_seconds_total{cpu=\"2\"} 1e-09\n"
        "node_schedstat_timeslices_total{cpu=\"0\"} 9\n"
        "node_schedstat_timeslices_total{cpu=\"2\"} 3\n"
        "node_schedstat_waiting_seconds_total{cpu=\"0\"} 0.5\n"
        "node_schedstat_waiting_seconds_total{cpu=\"2\"} 2e-09\n"},
    {"meminfo",
        {{"proc/meminfo",
            "MemTotal: 10 kB\nActive(anon): 3 kB\nHugePages_Total:  7\nHugepagesize: 2048 kB\n"}},
        0,
        "node_memory_MemTotal_bytes 10240\n"
        "node_memory_Active_anon_bytes 3072\n"
        "node_memory_HugePages_Total 7\n"
        "node_memory_Hugepagesize_bytes 2097152\n"},
    {"meminfo", {{"proc/meminfo", "MemTotal: 10 kB\nMemFree: "}}, ERR_CORRUPT,
        "node_memory_MemTotal_bytes 10240\n"},
    {"vmstat",
        {{"proc/vmstat",
            "nr_free_pages 1\npgpgin 2\npgpgout 3\npswpin 4\npgfault 5\npgmajfault 6\noom_kill 7\n"
            "oom_killer 8\npgsteal_kswapd 9\nnumapgfault 10\n"}},
        0,
        "node_vmstat_pgpgin 2\n"
        "node_vmstat_pgpgout 3\n"
        "node_vmstat_pswpin 4\n"
        "node_vmstat_pgfault 5\n"
        "node_vmstat_pgmajfault 6\n"
        "node_vmstat_oom_kill 7\n"
        "node_vmstat_oom_killer 8\n"},
    {"pressure",
        {{"proc/pressure/cpu", "some avg10=0.00 avg60=0.00 avg300=0.00 total=1500000\n"
                               "full avg10=0.00 avg60=0.00 avg300=0.00 total=9\n"},
            {"proc/pressure/io", "some avg10=0.00 avg60=0.00 avg300=0.00 total=2\n"
                                 "full avg10=0.00 avg60=0.00 avg300=0.00 total=3000000\n"},
            {"proc/pressure/memory", "some avg10=0.00 avg60=0.00 avg300=0.00 total=4000000\n"
                                     "full avg10=0.00 avg60=0.00 avg300=0.00 total=5000000\n"}},
        0,
        "node_pressure_cpu_waiting_seconds_total 1.5\n"
        "node_pressure_io_waiting_seconds_total 2e-06\n"
        "node_pressure_io_stalled_seconds_total 3\n"
        "node_pressure_memory_waiting_seconds_total 4\n"
        "node_pressure_memory_stalled_seconds_total 5\n"},
    {"pressure", {{"proc/pressure/irq", "full avg10=0.00 avg60=0.00 avg300=0.00 total=6000000\n"}},
        ERR_NOT_FOUND, "node_pressure_irq_stalled_seconds_total 6\n"},
    {"netdev",
        {{"proc/net/dev", "Inter-|   Receive  |  Transmit\n face |bytes |bytes\n"
                          "  lo: 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16\n"}},
        0,
        "node_network_receive_bytes_total{device=\"lo\"} 1\n"
        "node_network_receive_compressed_total{device=\"lo\"} 7\n"
        "node_network_receive_drop_total{device=\"lo\"} 4\n"
        "node_network_receive_errs_total{device=\"lo\"} 3\n"
        "node_network_receive_fifo_total{device=\"lo\"} 5\n"
        "node_network_receive_frame_total{device=\"lo\"} 6\n"
        "node_network_receive_multicast_total{device=\"lo\"} 8\n"
        "node_network_receive_packets_total{device=\"lo\"} 2\n"
        "node_network_transmit_bytes_total{device=\"lo\"} 9\n"
        "node_network_transmit_carrier_total{device=\"lo\"} 15\n"
        "node_network_transmit_colls_total{device=\"lo\"} 14\n"
        "node_network_transmit_compressed_total{device=\"lo\"} 16\n"
        "node_network_transmit_drop_total{device=\"lo\"} 12\n"
        "node_network_transmit_errs_total{device=\"lo\"} 11\n"
        "node_network_transmit_fifo_total{device=\"lo\"} 13\n"
        "node_network_transmit_packets_total{device=\"lo\"} 10\n"},
};

static void each_row(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct fake_root f;
        fake_root_init(&f, rows[i].collector);
        for (size_t k = 0; k < 8 && rows[i].files[k].path != NULL; k++) {
            fake_root_write(&f, rows[i].files[k].path, rows[i].files[k].text);
        }
        // Twice, because the second pass reads through what the first one kept.
        fake_root_expect(&f, rows[i].status, rows[i].samples);
        fake_root_expect(&f, rows[i].status, rows[i].samples);
        fake_root_release(&f);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_row),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
