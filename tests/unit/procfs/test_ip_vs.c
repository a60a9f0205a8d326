/* The load balancer's tables: both families of addresses, services by mark. */
#include "procfs/ip_vs.h"

#include "cuts.h"

static int walk(struct str text)
{
    struct procfs_ip_vs_iter iter = {.rest = text};
    struct procfs_ip_vs_backend backend;
    int status;
    while ((status = procfs_ip_vs_next(&iter, &backend)) > 0) {
    }
    return status;
}

#define TITLE                                                                                      \
    "IP Virtual Server version 1.2.1 (size=4096)\n"                                                \
    "Prot LocalAddress:Port Scheduler Flags\n"                                                     \
    "  -> RemoteAddress:Port Forward Weight ActiveConn InActConn\n"

static const struct str table = STR(
    TITLE "TCP  C0A80016:0CEA wlc  \n"
          "  -> C0A85216:0CEB      Tunnel  100    248        2\n"
          "UDP  [2620:0000:0000:0000:0000:0000:0000:0001]:0050 sh\n"
          "  -> [2620:0000:0000:0000:0000:0000:0000:0002]:0050      Route   1      3          4\n"
          "FWM  10001000 wlc\n"
          "  -> C0A8321A:0CEA      Route   0      0          1\n");

static void backends_of_services(void **state)
{
    (void)state;
    struct procfs_ip_vs_iter iter = {.rest = table};
    struct procfs_ip_vs_backend b;
    assert_int_equal(procfs_ip_vs_next(&iter, &b), 1);
    assert_str(b.protocol, "TCP");
    assert_int_equal(b.local.length, 4);
    assert_memory_equal(b.local.bytes, "\xc0\xa8\x00\x16", 4);
    assert_int_equal(b.local.port, 3306);
    assert_memory_equal(b.remote.bytes, "\xc0\xa8\x52\x16", 4);
    assert_int_equal(b.remote.port, 3307);
    assert_int_equal(b.weight, 100);
    assert_int_equal(b.active_connections, 248);
    assert_int_equal(b.inactive_connections, 2);
    assert_int_equal(procfs_ip_vs_next(&iter, &b), 1);
    assert_str(b.protocol, "UDP");
    assert_int_equal(b.local.length, 16);
    assert_memory_equal(b.remote.bytes, "\x26\x20\0\0\0\0\0\0\0\0\0\0\0\0\0\x02", 16);
    assert_int_equal(b.remote.port, 80);
    assert_int_equal(procfs_ip_vs_next(&iter, &b), 1);
    assert_str(b.protocol, "FWM");
    assert_str(b.mark, "10001000");
    assert_int_equal(b.local.length, 0);
    assert_int_equal(procfs_ip_vs_next(&iter, &b), 0);
}

static void totals(void **state)
{
    (void)state;
    struct procfs_ip_vs_totals t;
    assert_int_equal(
        procfs_ip_vs_totals_parse(STR("   Total Incoming Outgoing\n   Conns  Packets\n"
                                      " 16AA370 E33656E5        A     51D8C8883AB3         B\n"),
            &t),
        0);
    assert_int_equal(t.connections, 23765872);
    assert_int_equal(t.incoming_packets, 3811989221);
    assert_int_equal(t.outgoing_packets, 10);
    assert_int_equal(t.incoming_bytes, 89991519156915);
    assert_int_equal(t.outgoing_bytes, 11);
    assert_int_equal(procfs_ip_vs_totals_parse(STR("a\nb\n1 2 3 4\n"), &t), ERR_CORRUPT);
    assert_int_equal(procfs_ip_vs_totals_parse(STR("a\nb\n"), &t), ERR_CORRUPT);
}

static void broken_texts(void **state)
{
    (void)state;
    static const char *const texts[] = {"\n", "TCP\n", "TCP C0A80016 wlc\n",
        "TCP C0A8001:0CEA wlc\n", "TCP [2620:0000]:0050 sh\n",
        "TCP C0A80016:0CEA wlc\n -> C0A85216:0CEB Tunnel 100 248\n",
        "TCP C0A80016:0CEA wlc\n -> C0A85216:XCEB Tunnel 100 248 2\n", NULL};
    assert_all_corrupt(texts, walk);
    assert_cuts_are_corrupt(table, walk);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(backends_of_services),
        cmocka_unit_test(totals),
        cmocka_unit_test(broken_texts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
