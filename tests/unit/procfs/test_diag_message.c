/* Dumps of sockets, built byte by byte from sock_diag(7), and the frame of netlink. */
#include "procfs/diag_message.h"

#include <errno.h>

#include "base/strbuf.h"
#include "cuts.h"

static void add_u32(struct strbuf *b, uint32_t value)
{
    strbuf_add(b, &value, sizeof(value));
}

static void add_message(struct strbuf *b, uint16_t type, const void *payload, size_t size)
{
    uint16_t flags = 2;
    add_u32(b, (uint32_t)(16 + size));
    strbuf_add(b, &type, sizeof(type));
    strbuf_add(b, &flags, sizeof(flags));
    add_u32(b, 1);
    add_u32(b, 77);
    strbuf_add(b, payload, size);
}

static void add_socket(struct strbuf *b, uint8_t socket_state, uint32_t receive, uint32_t send)
{
    char payload[72] = {2};
    payload[1] = (char)socket_state;
    memcpy(payload + 56, &receive, sizeof(receive));
    memcpy(payload + 60, &send, sizeof(send));
    add_message(b, 20, payload, sizeof(payload));
}

static int walk(struct str text)
{
    struct procfs_socket socket;
    int result;
    while ((result = procfs_socket_next(&text, &socket)) == PROCFS_NETLINK_ROW) {
    }
    return result;
}

static void states_and_queues(void **state)
{
    (void)state;
    struct strbuf b = STRBUF_INIT;
    add_socket(&b, 10, 1, 128);
    add_message(&b, 99, "skip", 4);
    add_socket(&b, 1, 7, 0);
    add_message(&b, 3, "\0\0\0\0", 4);
    struct str rest = strbuf_str(&b);
    struct procfs_socket socket;
    assert_int_equal(procfs_socket_next(&rest, &socket), PROCFS_NETLINK_ROW);
    assert_int_equal(socket.state, 10);
    assert_int_equal(socket.receive_queue, 1);
    assert_int_equal(socket.send_queue, 128);
    assert_int_equal(procfs_socket_next(&rest, &socket), PROCFS_NETLINK_ROW);
    assert_int_equal(socket.state, 1);
    assert_int_equal(socket.receive_queue, 7);
    assert_int_equal(procfs_socket_next(&rest, &socket), PROCFS_NETLINK_DONE);
    strbuf_release(&b);
}

static void errors_of_the_kernel(void **state)
{
    (void)state;
    static const struct {
        int32_t error;
        int status;
    } rows[] = {{-ENOENT, ERR_NOT_FOUND}, {-EOPNOTSUPP, ERR_NOT_FOUND}, {-EPERM, ERR_IO}};
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct strbuf b = STRBUF_INIT;
        add_message(&b, 2, &rows[i].error, sizeof(rows[i].error));
        assert_int_equal(walk(strbuf_str(&b)), rows[i].status);
        strbuf_release(&b);
    }
    struct strbuf b = STRBUF_INIT;
    add_message(&b, 2, "", 0);
    assert_int_equal(walk(strbuf_str(&b)), ERR_CORRUPT);
    strbuf_release(&b);
}

static void cut_messages(void **state)
{
    (void)state;
    struct strbuf b = STRBUF_INIT;
    add_socket(&b, 1, 2, 3);
    assert_int_equal(walk(strbuf_str(&b)), PROCFS_NETLINK_END);
    for (size_t length = 1; length < b.size; length++) {
        char *piece = mem_dup(b.data, length);
        assert_non_null(piece);
        assert_int_equal(walk(str_make(piece, length)), ERR_CORRUPT);
        mem_free(piece);
    }
    strbuf_release(&b);
    char short_payload[71] = {2};
    add_message(&b, 20, short_payload, sizeof(short_payload));
    assert_int_equal(walk(strbuf_str(&b)), ERR_CORRUPT);
    strbuf_release(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(states_and_queues),
        cmocka_unit_test(errors_of_the_kernel),
        cmocka_unit_test(cut_messages),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
