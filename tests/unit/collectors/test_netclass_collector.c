/* Properties of interfaces of a fake host. */
#include "fake_root.h"

static void write_interface(struct fake_root *f, const char *name, const char *const *files)
{
    char path[256];
    for (size_t i = 0; files[i] != NULL; i += 2) {
        (void)snprintf(path, sizeof(path), "sys/class/net/%s/%s", name, files[i]);
        fake_root_write(f, path, files[i + 1]);
    }
}

static void numbers_and_info(void **state)
{
    (void)state;
    struct fake_root f;
    fake_root_init(&f, "netclass");
    write_interface(&f, "eth0",
        (const char *const[]){"addr_assign_type", "3\n", "address", "01:01:01:01:01:01\n",
            "broadcast", "ff:ff:ff:ff:ff:ff\n", "carrier", "1\n", "carrier_changes", "2\n",
            "carrier_up_count", "1\n", "carrier_down_count", "1\n", "dev_id", "0x20\n", "dormant",
            "1\n", "duplex", "full\n", "flags", "0x1303\n", "ifalias", "up\\link \"a\"\n",
            "ifindex", "2\n", "iflink", "2\n", "link_mode", "1\n", "mtu", "1500\n",
            "name_assign_type", "2\n", "netdev_group", "0\n", "operstate", "up\n", "speed",
            "1000\n", "tx_queue_len", "1000\n", "type", "1\n", NULL});
    write_interface(&f, "dummy0",
        (const char *const[]){
            "operstate", "down\n", "flags", "0x82\n", "speed", "\n", "mtu", "1280\n", NULL});
    fake_root_write(&f, "sys/class/net/bonding_masters", "bond0\n");
    static const char *const expected =
        "node_network_up{device=\"dummy0\"} 0\n"
        "node_network_up{device=\"eth0\"} 1\n"
        "node_network_info{address=\"\",adminstate=\"down\",broadcast=\"\",device=\"dummy0\","
        "duplex=\"\","
        "ifalias=\"\",operstate=\"down\"} 1\n"
        "node_network_info{address=\"01:01:01:01:01:01\",adminstate=\"up\",broadcast=\"ff:ff:ff:ff:"
        "ff:ff\","
        "device=\"eth0\",duplex=\"full\",ifalias=\"up\\\\link \\\"a\\\"\",operstate=\"up\"} 1\n"
        "node_network_address_assign_type{device=\"eth0\"} 3\n"
        "node_network_carrier{device=\"eth0\"} 1\n"
        "node_network_carrier_changes_total{device=\"eth0\"} 2\n"
        "node_network_carrier_down_changes_total{device=\"eth0\"} 1\n"
        "node_network_carrier_up_changes_total{device=\"eth0\"} 1\n"
        "node_network_device_id{device=\"eth0\"} 32\n"
        "node_network_dormant{device=\"eth0\"} 1\n"
        "node_network_flags{device=\"dummy0\"} 130\n"
        "node_network_flags{device=\"eth0\"} 4867\n"
        "node_network_iface_id{device=\"eth0\"} 2\n"
        "node_network_iface_link{device=\"eth0\"} 2\n"
        "node_network_iface_link_mode{device=\"eth0\"} 1\n"
        "node_network_mtu_bytes{device=\"dummy0\"} 1280\n"
        "node_network_mtu_bytes{device=\"eth0\"} 1500\n"
        "node_network_name_assign_type{device=\"eth0\"} 2\n"
        "node_network_net_dev_group{device=\"eth0\"} 0\n"
        "node_network_protocol_type{device=\"eth0\"} 1\n"
        "node_network_speed_bytes{device=\"eth0\"} 125000000\n"
        "node_network_transmit_queue_length{device=\"eth0\"} 1000\n";
    fake_root_expect(&f, 0, expected);
    fake_root_expect(&f, 0, expected);
    fake_root_release(&f);
}

static void interfaces_come_and_go(void **state)
{
    (void)state;
    struct fake_root f;
    fake_root_init(&f, "netclass");
    write_interface(&f, "a", (const char *const[]){"mtu", "1\n", NULL});
    write_interface(&f, "c", (const char *const[]){"mtu", "3\n", NULL});
    assert_int_equal(fake_root_run(&f), 0);
    write_interface(&f, "b", (const char *const[]){"mtu", "2\n", NULL});
    fake_root_remove(&f, "sys/class/net/c");
    assert_int_equal(fake_root_run(&f), 0);
    assert_non_null(strstr(f.text.data, "node_network_mtu_bytes{device=\"a\"} 1\n"
                                        "node_network_mtu_bytes{device=\"b\"} 2\n"));
    assert_null(strstr(f.text.data, "device=\"c\""));
    fake_root_release(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers_and_info),
        cmocka_unit_test(interfaces_come_and_go),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
