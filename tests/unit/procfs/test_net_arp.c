/* The neighbour table. */
#include "procfs/net_arp.h"

#include "cuts.h"

static int walk(struct str text)
{
    struct procfs_arp_entry entry;
    int status;
    while ((status = procfs_net_arp_next(&text, &entry)) > 0) {
    }
    return status;
}

static const struct str arp =
    STR("IP address       HW type     Flags       HW address            Mask     Device\n"
        "192.168.1.1      0x1         0x2         cc:aa:dd:ee:aa:bb     *        eth0\n"
        "192.168.1.9      0x1         0x0         00:00:00:00:00:00     *        nope\n");

static void entries(void **state)
{
    (void)state;
    struct str rest = arp;
    struct procfs_arp_entry entry;
    assert_int_equal(procfs_net_arp_next(&rest, &entry), 1);
    assert_str(entry.address, "192.168.1.1");
    assert_str(entry.device, "eth0");
    assert_int_equal(procfs_net_arp_next(&rest, &entry), 1);
    assert_str(entry.device, "nope");
    assert_int_equal(procfs_net_arp_next(&rest, &entry), 0);
}

static void broken_texts(void **state)
{
    (void)state;
    static const char *const texts[] = {"\n", "1.2.3.4 0x1 0x2 aa *\n", NULL};
    assert_all_corrupt(texts, walk);
    assert_cuts_are_corrupt(arp, walk);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(entries),
        cmocka_unit_test(broken_texts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
