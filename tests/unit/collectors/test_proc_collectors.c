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
    {"entropy",
        {{"proc/sys/kernel/random/entropy_avail", "256\n"},
            {"proc/sys/kernel/random/poolsize", "4096\n"}},
        0, "node_entropy_available_bits 256\nnode_entropy_pool_size_bits 4096\n"},
    {"entropy", {{"proc/sys/kernel/random/entropy_avail", "many\n"}}, ERR_CORRUPT, ""},
    {"filefd", {{"proc/sys/fs/file-nr", "1024\t0\t9223372036854775807\n"}}, 0,
        "node_filefd_allocated 1024\nnode_filefd_maximum 9.223372036854776e+18\n"},
    {"filefd", {{"proc/sys/fs/file-nr", "1024\t0\n"}}, ERR_CORRUPT, ""},
    {"kernel_hung", {{"proc/sys/kernel/hung_task_detect_count", "3\n"}}, 0,
        "node_kernel_hung_tasks 3\nnode_kernel_hung_tasks_total 3\n"},
    {"conntrack",
        {{"proc/sys/net/netfilter/nf_conntrack_count", "123\n"},
            {"proc/sys/net/netfilter/nf_conntrack_max", "65536\n"},
            {"proc/net/stat/nf_conntrack", "entries clashres …\n"
                                           "21 0 1 0 2 3 0 0 4 5 6 7 0 0 0 0 a\n"
                                           "21 0 1 0 2 3 0 0 4 5 6 7 0 0 0 0 a\n"}},
        0,
        "node_nf_conntrack_entries 123\n"
        "node_nf_conntrack_entries_limit 65536\n"
        "node_nf_conntrack_stat_drop 12\n"
        "node_nf_conntrack_stat_early_drop 14\n"
        "node_nf_conntrack_stat_found 2\n"
        "node_nf_conntrack_stat_ignore 6\n"
        "node_nf_conntrack_stat_insert 8\n"
        "node_nf_conntrack_stat_insert_failed 10\n"
        "node_nf_conntrack_stat_invalid 4\n"
        "node_nf_conntrack_stat_search_restart 20\n"},
    {"arp",
        {{"proc/net/arp",
            "IP address       HW type     Flags       HW address            Mask     Device\n"
            "10.0.0.1 0x1 0x2 aa:bb:cc:dd:ee:ff * wlan0\n"
            "10.0.0.2 0x1 0x2 aa:bb:cc:dd:ee:fe * eth0\n"
            "10.0.0.3 0x1 0x2 aa:bb:cc:dd:ee:fd * wlan0\n"}},
        0, "node_arp_entries{device=\"eth0\"} 1\nnode_arp_entries{device=\"wlan0\"} 2\n"},
    {"netstat",
        {{"proc/net/netstat", "TcpExt: SyncookiesSent Other TCPTimeouts\nTcpExt: 1 2 3\n"
                              "IpExt: InNoRoutes InOctets\nIpExt: 4 5\n"},
            {"proc/net/snmp",
                "Ip: Forwarding DefaultTTL\nIp: 2 64\nTcp: MaxConn InErrs\nTcp: -1 6\n"},
            {"proc/net/snmp6",
                "Ip6InReceives 7\nIp6InOctets 8\nUdp6NoPorts 9\nnothing 1\nUdpLite6InErrors 10\n"}},
        0,
        "node_netstat_TcpExt_SyncookiesSent 1\n"
        "node_netstat_TcpExt_TCPTimeouts 3\n"
        "node_netstat_IpExt_InOctets 5\n"
        "node_netstat_Ip_Forwarding 2\n"
        "node_netstat_Tcp_MaxConn -1\n"
        "node_netstat_Tcp_InErrs 6\n"
        "node_netstat_Ip6_InOctets 8\n"
        "node_netstat_Udp6_NoPorts 9\n"
        "node_netstat_UdpLite6_InErrors 10\n"},
    {"netstat",
        {{"proc/net/netstat", "TcpExt: A\nTcpExt: 1\n"},
            {"proc/net/snmp", "Ip: Forwarding\nIp: 2\n"}},
        0, "node_netstat_Ip_Forwarding 2\n"},
    {"sockstat",
        {{"proc/net/sockstat", "sockets: used 229\nTCP: inuse 4 orphan 0 tw 4 alloc 17 mem "
                               "2\nFRAG: inuse 0 memory 3\n"},
            {"proc/net/sockstat6", "TCP6: inuse 17\n"}},
        0,
        "node_sockstat_sockets_used 229\n"
        "node_sockstat_TCP_inuse 4\n"
        "node_sockstat_TCP_orphan 0\n"
        "node_sockstat_TCP_tw 4\n"
        "node_sockstat_TCP_alloc 17\n"
        "node_sockstat_TCP_mem 2\n"
        "node_sockstat_TCP_mem_bytes 8192\n"
        "node_sockstat_FRAG_inuse 0\n"
        "node_sockstat_FRAG_memory 3\n"
        "node_sockstat_TCP6_inuse 17\n"},
    {"softnet", {{"proc/net/softnet_stat", "10 1 2 0 0 0 0 0 3 4 5 6 2 0 0\n"}}, 0,
        "node_softnet_backlog_len{cpu=\"2\"} 6\n"
        "node_softnet_cpu_collision_total{cpu=\"2\"} 3\n"
        "node_softnet_dropped_total{cpu=\"2\"} 1\n"
        "node_softnet_flow_limit_count_total{cpu=\"2\"} 5\n"
        "node_softnet_processed_total{cpu=\"2\"} 16\n"
        "node_softnet_received_rps_total{cpu=\"2\"} 4\n"
        "node_softnet_times_squeezed_total{cpu=\"2\"} 2\n"},
    {"udp_queues",
        {{"proc/net/udp", "title\n0: 0 0 07 00000010:00000002 0\n"}, {"proc/net/udp6", "title\n"}},
        0,
        "node_udp_queues{ip=\"v4\",queue=\"rx\"} 2\n"
        "node_udp_queues{ip=\"v4\",queue=\"tx\"} 16\n"
        "node_udp_queues{ip=\"v6\",queue=\"rx\"} 0\n"
        "node_udp_queues{ip=\"v6\",queue=\"tx\"} 0\n"},
    {"udp_queues", {{"proc/net/udp", "title\n"}}, 0,
        "node_udp_queues{ip=\"v4\",queue=\"rx\"} 0\n"
        "node_udp_queues{ip=\"v4\",queue=\"tx\"} 0\n"},
    {"selinux", {{NULL, NULL}}, 0, "node_selinux_enabled 0\n"},
    {"selinux",
        {{"sys/fs/selinux/enforce", "1"}, {"root/etc/selinux/config", "# x\nSELINUX=permissive\n"}},
        0, "node_selinux_config_mode 0\nnode_selinux_current_mode 1\nnode_selinux_enabled 1\n"},
    {"os",
        {{"root/usr/lib/os-release", "ID=ubuntu\nID_LIKE=debian\nNAME=\"Ubuntu\"\nVERSION_ID=\"22."
                                     "04.1\"\nSUPPORT_END=2001-02-03\n"
                                     "PRETTY_NAME=\"a\\\"b\"\n"}},
        0,
        "node_os_info{build_id=\"\",id=\"ubuntu\",id_like=\"debian\",image_id=\"\",image_version="
        "\"\","
        "name=\"Ubuntu\",pretty_name=\"a\\\"b\",variant=\"\",variant_id=\"\",version=\"\","
        "version_codename=\"\",version_id=\"22.04.1\"} 1\n"
        "node_os_support_end_timestamp_seconds 981158400\n" // date -u -d 2001-02-03 +%s
        "node_os_version{id=\"ubuntu\",id_like=\"debian\",name=\"Ubuntu\"} 22.04\n"},
    {"interrupts",
        {{"proc/interrupts", "           CPU0       CPU2\n"
                             "  0:         17          1   IO-APIC    2-edge      timer\n"
                             "NMI:          2          3   Non-maskable   interrupts\n"
                             "ERR:          5\n"}},
        0,
        "node_interrupts_total{cpu=\"0\",devices=\"2-edge timer\",info=\"IO-APIC\",type=\"0\"} 17\n"
        "node_interrupts_total{cpu=\"2\",devices=\"2-edge timer\",info=\"IO-APIC\",type=\"0\"} 1\n"
        "node_interrupts_total{cpu=\"0\",devices=\"\",info=\"Non-maskable "
        "interrupts\",type=\"NMI\"} 2\n"
        "node_interrupts_total{cpu=\"2\",devices=\"\",info=\"Non-maskable "
        "interrupts\",type=\"NMI\"} 3\n"},
    {"softirqs",
        {{"proc/softirqs",
            "                    CPU0       CPU1\n      NET_RX:          7          8\n"}},
        0,
        "node_softirqs_functions_total{cpu=\"0\",type=\"NET_RX\"} 7\n"
        "node_softirqs_functions_total{cpu=\"1\",type=\"NET_RX\"} 8\n"},
    {"processes",
        {{"proc/1/stat", "1 (init) S 0 1 1 0 -1 4 5 6 7 8 9 10 11 12 20 0 1 0 5 4096 2 99\n"},
            {"proc/20/stat",
                "20 (two threads) R 1 20 20 0 -1 4 5 6 7 8 9 10 11 12 20 0 2 0 5 4096 2 99\n"},
            {"proc/20/task/20/stat",
                "20 (two threads) R 1 20 20 0 -1 4 5 6 7 8 9 10 11 12 20 0 2 0 5 4096 2 99\n"},
            {"proc/20/task/21/stat",
                "21 (two threads) D 1 20 20 0 -1 4 5 6 7 8 9 10 11 12 20 0 2 0 5 4096 2 99\n"},
            {"proc/30/cmdline", "gone"}, {"proc/sys/kernel/pid_max", "4194304\n"},
            {"proc/sys/kernel/threads-max", "7801\n"}},
        0,
        "node_processes_max_processes 4194304\n"
        "node_processes_max_threads 7801\n"
        "node_processes_pids 2\n"
        "node_processes_state{state=\"R\"} 1\n"
        "node_processes_state{state=\"S\"} 1\n"
        "node_processes_threads 3\n"
        "node_processes_threads_state{thread_state=\"D\"} 1\n"
        "node_processes_threads_state{thread_state=\"R\"} 1\n"
        "node_processes_threads_state{thread_state=\"S\"} 1\n"},
    {"tcpstat", {{NULL, NULL}}, ERR_NOT_FOUND, ""},
    {"nfs", {{"proc/net/rpc/nfs", "net 70 71 69 45\n"}}, ERR_CORRUPT, ""},
    {"nfsd",
        {{"proc/net/rpc/nfsd",
            "rc 0 6 18622\nrpc 18628 3 1 2 0\nproc4ops 72 0 0 0 1098 2\nth 8 0 0.000"}},
        ERR_CORRUPT, ""},
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
        for (int pass = 0; pass < 2; pass++) {
            fake_root_expect(&f, rows[i].status, rows[i].samples);
        }
        fake_root_release(&f);
    }
}

static void expect_lines(struct fake_root *f, const char *const *lines)
{
    assert_int_equal(fake_root_run(f), 0);
    for (size_t i = 0; lines[i] != NULL; i++) {
        if (strstr(f->text.data, lines[i]) == NULL) {
            print_error("missing: %s\nin:\n%s\n", lines[i], f->text.data);
        }
        assert_non_null(strstr(f->text.data, lines[i]));
    }
}

static void calls_of_the_nfs_client(void **state)
{
    (void)state;
    static const char *const lines[] = {
        "node_nfs_connections_total 45\n",
        "node_nfs_packets_total{protocol=\"tcp\"} 69\nnode_nfs_packets_total{protocol=\"udp\"} "
        "71\n",
        "node_nfs_requests_total{method=\"GetAttr\",proto=\"2\"} 57\n",
        "node_nfs_requests_total{method=\"GetAttr\",proto=\"3\"} 1061909262\n",
        "node_nfs_requests_total{method=\"Read\",proto=\"4\"} 51\n",
        "node_nfs_requests_total{method=\"Clone\",proto=\"4\"} 0\n", // younger than this kernel
        "node_nfs_rpc_authentication_refreshes_total 122\n",
        "node_nfs_rpc_retransmissions_total 374\n",
        "node_nfs_rpcs_total 121\n",
        NULL,
    };
    struct fake_root f;
    fake_root_init(&f, "nfs");
    fake_root_write(&f, "proc/net/rpc/nfs",
        "net 70 71 69 45\nrpc 121 374 122\nproc2 18 16 57\nproc3 22 0 1061909262\nproc4 48 98 "
        "51\n");
    expect_lines(&f, lines);
    fake_root_release(&f);
}

static void calls_to_the_nfs_server(void **state)
{
    (void)state;
    static const char *const lines[] = {
        "node_nfsd_reply_cache_misses_total 6\n",
        "node_nfsd_reply_cache_nocache_total 18622\n",
        "node_nfsd_disk_bytes_read_total 157286400\n",
        "node_nfsd_server_threads 8\n",
        "node_nfsd_packets_total{proto=\"tcp\"} 917\nnode_nfsd_packets_total{proto=\"udp\"} 55\n",
        "node_nfsd_requests_total{method=\"GetAttr\",proto=\"3\"} 112\n",
        "node_nfsd_requests_total{method=\"Access\",proto=\"4\"} 1098\n",
        "node_nfsd_requests_total{method=\"Close\",proto=\"4\"} 2\n",
        "node_nfsd_requests_total{method=\"WdelegGetattr\",proto=\"4\"} 15\n",
        "node_nfsd_rpc_errors_total{error=\"auth\"} 2\n",
        "node_nfsd_rpc_errors_total{error=\"fmt\"} 1\n",
        "node_nfsd_server_rpcs_total 18628\n",
        NULL,
    };
    struct fake_root f;
    fake_root_init(&f, "nfsd");
    fake_root_write(&f, "proc/net/rpc/nfsd",
        "rc 0 6 18622\nfh 0 0 0 0 0\nio 157286400 72864\nth 8 0 0.000 0.000\nnet 972 55 917 1\n"
        "rpc 18628 3 1 2 0\nproc3 22 2 112 0\nproc4ops 72 0 0 0 1098 2\nwdeleg_getattr 15\n");
    expect_lines(&f, lines);
    fake_root_release(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_row),
        cmocka_unit_test(calls_of_the_nfs_client),
        cmocka_unit_test(calls_to_the_nfs_server),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
