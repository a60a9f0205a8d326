/* Which addresses are refused: the list of the registries, and every disguise of one of them. */
#include "alert/network_list.h"

#include <arpa/inet.h>
#include <netinet/in.h>

#include "support/support.h"

static bool allows(const char *text, const char *const *networks, size_t count)
{
    struct network items[4];
    struct network_list list = {items, count};
    const struct network_list *lists[] = {&list};
    for (size_t i = 0; i < count; i++) {
        assert_int_equal(network_parse(str_of(networks[i]), &items[i], NULL), 0);
    }
    struct sockaddr_in6 v6 = {.sin6_family = AF_INET6};
    struct sockaddr_in v4 = {.sin_family = AF_INET};
    if (inet_pton(AF_INET, text, &v4.sin_addr) == 1) {
        return network_allows(lists, 1, (struct sockaddr *)&v4);
    }
    assert_int_equal(inet_pton(AF_INET6, text, &v6.sin6_addr), 1);
    return network_allows(lists, 1, (struct sockaddr *)&v6);
}

static void test_refused(void **state)
{
    (void)state;
    static const char *const refused[] = {"127.0.0.1", "127.9.9.9", "0.0.0.0", "10.1.2.3",
        "172.16.0.1", "172.31.255.255", "192.168.1.1", "169.254.169.254", "169.254.170.2",
        "100.100.100.200", "192.0.0.192", "224.0.0.1", "255.255.255.255", "::", "::1", "fe80::1",
        "fd00:ec2::254", "fc00::1", "ff02::1", "::ffff:127.0.0.1", "::ffff:169.254.169.254",
        "::ffff:10.0.0.1", "::127.0.0.1", "64:ff9b::7f00:1", "64:ff9b::a9fe:a9fe",
        "64:ff9b:1::a9fe:a9fe", "2002:7f00:1::1", "2002:a00:1::", "2001:0:1::1", "fec0::1"};
    for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
        if (allows(refused[i], NULL, 0)) {
            fail_msg("%s is allowed", refused[i]);
        }
    }
}

static void test_public(void **state)
{
    (void)state;
    static const char *const public[] = {"8.8.8.8", "1.1.1.1", "172.15.255.255", "172.32.0.0",
        "100.63.255.255", "100.128.0.0", "2606:4700:4700::1111", "::ffff:8.8.8.8",
        "64:ff9b::808:808", "2002:808:808::1"};
    for (size_t i = 0; i < sizeof(public) / sizeof(public[0]); i++) {
        if (!allows(public[i], NULL, 0)) {
            fail_msg("%s is refused", public[i]);
        }
    }
}

static void test_configured(void **state)
{
    (void)state;
    const char *const networks[] = {"10.0.0.0/8", "127.0.0.1", "fd00::/8"};
    assert_true(allows("10.255.0.1", networks, 3));
    assert_true(allows("::ffff:10.255.0.1", networks, 3));
    assert_true(allows("127.0.0.1", networks, 3));
    assert_true(allows("fd12::1", networks, 3));
    assert_false(allows("127.0.0.2", networks, 3));
    assert_false(
        allows("11.0.0.1", (const char *const[]){"12.0.0.0/7"}, 1) && !allows("11.0.0.1", NULL, 0));
    assert_false(allows("fc00::1", networks, 3));
    assert_true(allows("127.3.2.1", (const char *const[]){"0.0.0.0/0"}, 1));
    assert_false(allows("::1", (const char *const[]){"0.0.0.0/0"}, 1));
    assert_true(allows("::1", (const char *const[]){"::/0"}, 1));
}

static void test_other_families(void **state)
{
    (void)state;
    struct sockaddr local = {.sa_family = AF_UNIX};
    assert_false(network_allows(NULL, 0, &local));
}

static void test_bad_networks(void **state)
{
    (void)state;
    static const char *const bad[] = {"", "10.0.0.0/33", "10.0.0/8", "fd00::/129", "localhost",
        "10.0.0.0/", "10.0.0.0/8/8", "1.2.3.4 ",
        "00000000000000000000000000000000000000000000000000000000000000000000001.2.3.4"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct network n;
        if (network_parse(str_of(bad[i]), &n, NULL) != ERR_INVALID) {
            fail_msg("\"%s\" is taken", bad[i]);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_public),
        cmocka_unit_test(test_configured),
        cmocka_unit_test(test_other_families),
        cmocka_unit_test(test_bad_networks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
