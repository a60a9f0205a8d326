/* /proc/net/dev: with and without a space behind the colon, names with colons. */
#include "procfs/net_dev.h"

#include "cuts.h"

static int walk(struct str text)
{
    struct procfs_net_dev dev;
    int status;
    while ((status = procfs_net_dev_next(&text, &dev)) > 0) {
    }
    return status;
}

#define TITLE                                                                                      \
    "Inter-|   Receive                                                |  Transmit\n"               \
    " face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs "     \
    "drop "                                                                                        \
    "fifo colls carrier compressed\n"

static const struct str net_dev =
    STR(TITLE "    lo:   63107      64    0    0    0     0          0  "
              "       0    63107      64    0    0    0     0       0    "
              "      0\n"
              "  eth0:1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16\n"
              "eth0:1: 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 17\n");

static void interfaces(void **state)
{
    (void)state;
    struct str rest = net_dev;
    struct procfs_net_dev dev;
    assert_int_equal(procfs_net_dev_next(&rest, &dev), 1);
    assert_str(dev.name, "lo");
    assert_int_equal(dev.fields[PROCFS_NET_RECEIVE_BYTES], 63107);
    assert_int_equal(dev.fields[PROCFS_NET_TRANSMIT_PACKETS], 64);
    assert_int_equal(procfs_net_dev_next(&rest, &dev), 1);
    assert_str(dev.name, "eth0");
    assert_int_equal(dev.fields[PROCFS_NET_RECEIVE_MULTICAST], 8);
    assert_int_equal(dev.fields[PROCFS_NET_TRANSMIT_CARRIER], 15);
    assert_int_equal(procfs_net_dev_next(&rest, &dev), 1);
    assert_str(dev.name, "eth0:1");
    assert_int_equal(dev.fields[PROCFS_NET_TRANSMIT_COMPRESSED], 17);
    assert_int_equal(procfs_net_dev_next(&rest, &dev), 0);
}

static void broken_texts(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "\n",
        "eth0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16\n",
        "eth0: 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15\n",
        ": 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16\n",
        "eth0: 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 -16\n",
        NULL,
    };
    assert_all_corrupt(texts, walk);
    assert_cuts_are_corrupt(net_dev, walk);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(interfaces),
        cmocka_unit_test(broken_texts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
