/* Counters of connection tracking, before and after the columns were renamed. */
#include "procfs/nf_conntrack_stat.h"

#include "cuts.h"

static int walk(struct str text)
{
    struct procfs_conntrack conntrack;
    return procfs_conntrack_parse(text, &conntrack);
}

static const struct str conntrack_text = STR(
    "entries  searched found new invalid ignore delete delete_list insert insert_failed drop "
    "early_drop icmp_error  expect_new expect_create expect_delete search_restart\n"
    "00000021  00000000 00000001 00000000 00000003 0000588a 00000000 00000000 00000002 00000004 "
    "00000005 00000006 00000000  00000000 00000000 00000000 0000000a\n"
    "00000021  00000000 00000010 00000000 00000002 000056a4 00000000 00000000 00000000 00000001 "
    "00000000 00000000 00000000  00000000 00000000 00000000 00000002\n");

static void sums_over_cpus(void **state)
{
    (void)state;
    struct procfs_conntrack sum;
    assert_int_equal(procfs_conntrack_parse(conntrack_text, &sum), 0);
    assert_int_equal(sum.found, 0x11);
    assert_int_equal(sum.invalid, 5);
    assert_int_equal(sum.ignore, 0x588a + 0x56a4);
    assert_int_equal(sum.insert, 2);
    assert_int_equal(sum.insert_failed, 5);
    assert_int_equal(sum.drop, 5);
    assert_int_equal(sum.early_drop, 6);
    assert_int_equal(sum.search_restart, 12);
}

static void broken_texts(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "", "title\n1 2 3\n", "title\n0 1 2 3 4 5 6 7 8 9 a b c d e f g\n", NULL};
    assert_all_corrupt(texts, walk);
    assert_cuts_are_corrupt(conntrack_text, walk);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sums_over_cpus),
        cmocka_unit_test(broken_texts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
