/* RTM_NEWLINK datagrams, built byte by byte from rtnetlink(7). */
#include "procfs/link_message.h"

#include "base/strbuf.h"
#include "cuts.h"

static void add_u16(struct strbuf *b, uint16_t v)
{
    strbuf_add(b, &v, sizeof(v));
}

static void add_u32(struct strbuf *b, uint32_t v)
{
    strbuf_add(b, &v, sizeof(v));
}

static void pad(struct strbuf *b)
{
    while (b->size % 4 != 0) {
        strbuf_add_char(b, '\0');
    }
}

static void add_attribute(struct strbuf *b, uint16_t type, const void *value, size_t size)
{
    add_u16(b, (uint16_t)(4 + size));
    add_u16(b, type);
    strbuf_add(b, value, size);
    pad(b);
}

static void add_message(struct strbuf *b, uint16_t type, struct str payload)
{
    add_u32(b, (uint32_t)(16 + payload.len));
    add_u16(b, type);
    add_u16(b, 2);
    add_u32(b, 1);
    add_u32(b, 77);
    strbuf_add_str(b, payload);
    pad(b);
}

static void add_link(struct strbuf *b, uint32_t index, const char *name, size_t stat_count)
{
    struct strbuf payload = STRBUF_INIT;
    uint64_t stats[26];
    for (size_t i = 0; i < 26; i++) {
        stats[i] = index * 100 + i;
    }
    add_u32(&payload, 0);
    add_u32(&payload, index);
    add_u32(&payload, 0x1003);
    add_u32(&payload, 0);
    add_attribute(&payload, 3, name, strlen(name) + 1);
    add_attribute(&payload, 4, "\0\0\0", 4);
    if (stat_count > 0) {
        add_attribute(&payload, 23, stats, stat_count * 8);
    }
    add_message(b, 16, strbuf_str(&payload));
    strbuf_release(&payload);
}

static int walk(struct str text)
{
    struct procfs_link link;
    int status;
    while ((status = procfs_link_next(&text, &link)) == PROCFS_NETLINK_ROW) {
    }
    return status;
}

static void two_links_and_the_end(void **state)
{
    (void)state;
    struct strbuf b = STRBUF_INIT;
    add_link(&b, 1, "lo", 23);
    add_message(&b, 99, STR("unknown"));
    add_link(&b, 7, "eth0", 25);
    add_link(&b, 8, "nostats", 0);
    add_message(&b, 3, STR("\0\0\0\0"));
    struct str rest = strbuf_str(&b);
    struct procfs_link link;
    assert_int_equal(procfs_link_next(&rest, &link), PROCFS_NETLINK_ROW);
    assert_str(link.name, "lo");
    assert_int_equal(link.index, 1);
    assert_int_equal(link.stat_count, 23);
    assert_int_equal(link.stats[PROCFS_LINK_TX_COMPRESSED], 122);
    assert_int_equal(procfs_link_next(&rest, &link), PROCFS_NETLINK_ROW);
    assert_str(link.name, "eth0");
    assert_int_equal(link.stat_count, PROCFS_LINK_STATS);
    assert_int_equal(link.stats[PROCFS_LINK_RX_PACKETS], 700);
    assert_int_equal(link.stats[PROCFS_LINK_RX_NOHANDLER], 723);
    assert_int_equal(procfs_link_next(&rest, &link), PROCFS_NETLINK_ROW);
    assert_int_equal(link.stat_count, 0);
    assert_int_equal(procfs_link_next(&rest, &link), PROCFS_NETLINK_DONE);
    strbuf_release(&b);
}

static void properties(void **state)
{
    (void)state;
    struct strbuf payload = STRBUF_INIT;
    uint32_t numbers[] = {1400, 9, 1000, 5, 3, 4, 2, 1};
    add_u16(&payload, 0);
    add_u16(&payload, 772);
    add_u32(&payload, 9);
    add_u32(&payload, 0x11043);
    add_u32(&payload, 0);
    add_attribute(&payload, 3, "eth0", 5);
    add_attribute(&payload, 1, "\x02\xfc\x00\x00\x00\x01", 6);
    add_attribute(&payload, 2, "\xff\xff\xff\xff\xff\xff", 6);
    add_attribute(&payload, 20, "up link", 8);
    add_attribute(&payload, 4, &numbers[0], 4);
    add_attribute(&payload, 5, &numbers[1], 4);
    add_attribute(&payload, 13, &numbers[2], 4);
    add_attribute(&payload, 16, "\x06", 1);
    add_attribute(&payload, 17, "\x01", 1);
    add_attribute(&payload, 27, &numbers[3], 4);
    add_attribute(&payload, 30, &numbers[7], 4);
    add_attribute(&payload, 33, "\x01", 1);
    add_attribute(&payload, 35, &numbers[4], 4);
    add_attribute(&payload, 47, &numbers[5], 4);
    add_attribute(&payload, 48, &numbers[6], 4);
    struct strbuf b = STRBUF_INIT;
    add_message(&b, 16, strbuf_str(&payload));
    struct str rest = strbuf_str(&b);
    struct procfs_link link;
    assert_int_equal(procfs_link_next(&rest, &link), PROCFS_NETLINK_ROW);
    assert_int_equal(link.index, 9);
    assert_int_equal(link.hardware_type, 772);
    assert_int_equal(link.flags, 0x11043);
    assert_str(link.alias, "up link");
    assert_int_equal(link.address.len, 6);
    assert_memory_equal(link.address.ptr, "\x02\xfc\x00\x00\x00\x01", 6);
    assert_int_equal(link.broadcast.len, 6);
    assert_int_equal(link.mtu, 1400);
    assert_int_equal(link.link, 9);
    assert_int_equal(link.queue_length, 1000);
    assert_string_equal(procfs_link_operstate(link.operstate), "up");
    assert_int_equal(link.link_mode, 1);
    assert_int_equal(link.group, 5);
    assert_int_equal(link.promiscuity, 1);
    assert_int_equal(link.carrier, 1);
    assert_int_equal(link.carrier_changes, 3);
    assert_int_equal(link.carrier_ups, 4);
    assert_int_equal(link.carrier_downs, 2);
    assert_false(link.present & PROCFS_LINK_HAS_ALLMULTI);
    assert_true(link.present & PROCFS_LINK_HAS_GROUP);
    assert_string_equal(procfs_link_operstate(77), "unknown");
    strbuf_release(&b);
    // A number that is cut short.
    add_attribute(&payload, 4, "\x01\x02", 2);
    add_message(&b, 16, strbuf_str(&payload));
    assert_int_equal(walk(strbuf_str(&b)), ERR_CORRUPT);
    strbuf_release(&b);
    strbuf_release(&payload);
}

static void a_datagram_without_the_end(void **state)
{
    (void)state;
    struct strbuf b = STRBUF_INIT;
    add_link(&b, 1, "lo", 23);
    assert_int_equal(walk(strbuf_str(&b)), PROCFS_NETLINK_END);
    strbuf_release(&b);
}

static void an_error_of_the_kernel(void **state)
{
    (void)state;
    struct strbuf b = STRBUF_INIT;
    add_message(&b, 2, STR("\377\377\377\377"));
    assert_int_equal(walk(strbuf_str(&b)), ERR_IO);
    strbuf_release(&b);
}

static void cut_and_broken_messages(void **state)
{
    (void)state;
    struct strbuf b = STRBUF_INIT;
    add_link(&b, 1, "lo", 24);
    for (size_t length = 1; length < b.size; length++) {
        char *piece = mem_dup(b.data, length);
        assert_non_null(piece);
        assert_int_equal(walk(str_make(piece, length)), ERR_CORRUPT);
        mem_free(piece);
    }
    strbuf_release(&b);
    struct strbuf few = STRBUF_INIT;
    add_link(&few, 1, "lo", 22);
    assert_int_equal(walk(strbuf_str(&few)), ERR_CORRUPT);
    strbuf_release(&few);
    struct strbuf unnamed = STRBUF_INIT;
    add_link(&unnamed, 1, "", 24);
    assert_int_equal(walk(strbuf_str(&unnamed)), ERR_CORRUPT);
    strbuf_release(&unnamed);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(two_links_and_the_end),
        cmocka_unit_test(properties),
        cmocka_unit_test(a_datagram_without_the_end),
        cmocka_unit_test(an_error_of_the_kernel),
        cmocka_unit_test(cut_and_broken_messages),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
