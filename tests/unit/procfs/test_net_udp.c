/* Queues of UDP sockets. */
#include "procfs/net_udp.h"

#include "cuts.h"

static int walk(struct str text)
{
    struct procfs_udp_queues queues;
    return procfs_net_udp_parse(text, &queues);
}

#define TITLE                                                                                      \
    "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout "  \
    "inode "                                                                                       \
    "ref pointer drops\n"

static const struct str udp = STR(TITLE
    "    0: 0A000005:0016 00000000:0000 0A 00000000:00000001 00:00000000 00000000     0        0 "
    "2740 1 ffff88003d3af3c0 0\n"
    "    1: 00000000:0016 00000000:0000 0A 00000010:00000002 00:00000000 00000000     0        0 "
    "2740 1 ffff88003d3af3c0 0\n");

static void sums(void **state)
{
    (void)state;
    struct procfs_udp_queues queues;
    assert_int_equal(procfs_net_udp_parse(udp, &queues), 0);
    assert_int_equal(queues.transmit_bytes, 16);
    assert_int_equal(queues.receive_bytes, 3);
    assert_int_equal(queues.sockets, 2);
    assert_int_equal(procfs_net_udp_parse(STR(TITLE), &queues), 0);
    assert_int_equal(queues.sockets, 0);
}

static void broken_texts(void **state)
{
    (void)state;
    static const char *const texts[] = {"", "title\n\n", "title\n0: a b 07\n",
        "title\n0: a b 07 0:\n", "title\n0: a b 07 00\n", NULL};
    assert_all_corrupt(texts, walk);
    assert_cuts_are_corrupt(udp, walk);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sums),
        cmocka_unit_test(broken_texts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
