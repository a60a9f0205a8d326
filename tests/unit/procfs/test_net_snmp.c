/* snmp, netstat and snmp6. */
#include "procfs/net_snmp.h"

#include "cuts.h"

static int walk(struct str text)
{
    struct procfs_snmp_iter iter = procfs_snmp_iter_of(text);
    struct procfs_snmp_value value;
    int status;
    while ((status = procfs_snmp_next(&iter, &value)) > 0) {
    }
    return status;
}

static int walk6(struct str text)
{
    struct procfs_snmp_value value;
    int status;
    while ((status = procfs_snmp6_next(&text, &value)) > 0) {
    }
    return status;
}

static const struct str snmp = STR("Tcp: RtoMin MaxConn InSegs\n"
                                   "Tcp: 200 -1 57252008\n"
                                   "IpExt: InOctets\n"
                                   "IpExt: 18446744073709551615\n");

static void pairs_of_lines(void **state)
{
    (void)state;
    static const struct {
        const char *protocol;
        const char *field;
        double value;
    } rows[] = {
        {"Tcp", "RtoMin", 200},
        {"Tcp", "MaxConn", -1},
        {"Tcp", "InSegs", 57252008},
        {"IpExt", "InOctets", 18446744073709551615.0},
    };
    struct procfs_snmp_iter iter = procfs_snmp_iter_of(snmp);
    struct procfs_snmp_value value;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        assert_int_equal(procfs_snmp_next(&iter, &value), 1);
        assert_str(value.protocol, rows[i].protocol);
        assert_str(value.field, rows[i].field);
        assert_float_equal(value.value, rows[i].value, 0);
    }
    assert_int_equal(procfs_snmp_next(&iter, &value), 0);
}

static void names_with_a_six(void **state)
{
    (void)state;
    static const struct {
        const char *line;
        const char *protocol;
        const char *field;
    } rows[] = {
        {"Ip6InReceives                   \t7\n", "Ip6", "InReceives"},
        {"Icmp6InType135 7\n", "Icmp6", "InType135"},
        {"UdpLite6InErrors 7\n", "UdpLite6", "InErrors"},
        {"Odd 7\n", "", "Odd"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct str rest = str_of(rows[i].line);
        struct procfs_snmp_value value;
        assert_int_equal(procfs_snmp6_next(&rest, &value), 1);
        assert_str(value.protocol, rows[i].protocol);
        assert_str(value.field, rows[i].field);
        assert_float_equal(value.value, 7, 0);
    }
}

static void broken_texts(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "\n",
        "Tcp: A B\n",
        "Tcp: A B\nTcp: 1\n",
        "Tcp: A\nTcp: 1 2\n",
        "Tcp: A\nUdp: 1\n",
        "Tcp A\nTcp 1\n",
        "Tcp: A\nTcp: x\n",
        NULL,
    };
    assert_all_corrupt(texts, walk);
    assert_cuts_are_corrupt(snmp, walk);
    static const char *const texts6[] = {
        "\n", "Ip6InReceives\n", "Ip6InReceives x\n", "Ip6InReceives 1", NULL};
    assert_all_corrupt(texts6, walk6);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pairs_of_lines),
        cmocka_unit_test(names_with_a_six),
        cmocka_unit_test(broken_texts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
