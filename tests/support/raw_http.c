/* A client of bytes. */
#include "support/raw_http.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <strings.h>
#include <sys/socket.h>

#include "support/support.h"

/* What was sent last, for messages. */
static _Thread_local const char *sent = "";

int raw_http_dial(uint16_t port)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(port)};
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    assert_true(fd >= 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&to, sizeof(to)), 0);
    struct timeval patience = {.tv_sec = 30};
    assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience)), 0);
    return fd;
}

bool raw_http_is_refused(int fd, uint16_t port)
{
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(port)};
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return connect(fd, (struct sockaddr *)&to, sizeof(to)) != 0 && errno == ECONNREFUSED;
}

void raw_http_send(int fd, const char *bytes, size_t size)
{
    while (size > 0) {
        ssize_t n = send(fd, bytes, size, MSG_NOSIGNAL);
        assert_true(n > 0);
        bytes += n;
        size -= (size_t)n;
    }
}

void raw_http_send_text(int fd, const char *text)
{
    sent = text;
    raw_http_send(fd, text, strlen(text));
}

void raw_http_abort(int fd)
{
    struct linger hard = {1, 0};
    assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_LINGER, &hard, sizeof(hard)), 0);
    close(fd);
}

bool raw_http_at_end(int fd)
{
    char byte;
    return recv(fd, &byte, 1, 0) <= 0;
}

struct str raw_http_header(const struct raw_http_answer *answer, const char *name)
{
    struct str rest = strbuf_str(&answer->head);
    size_t length = strlen(name);
    while (rest.len > 0) {
        struct str line = str_split(&rest, '\n');
        if (line.len > length && line.ptr[length] == ':' &&
            strncasecmp(line.ptr, name, length) == 0) {
            return str_trim(str_skip(line, length + 1));
        }
    }
    return (struct str){NULL, 0};
}

/* False when the connection ends before. */
static bool receive_some(int fd, struct strbuf *out, size_t size)
{
    char *room = strbuf_reserve(out, size);
    assert_non_null(room);
    for (size_t have = 0; have < size;) {
        ssize_t n = recv(fd, room + have, size - have, 0);
        if (n <= 0) {
            return false;
        }
        have += (size_t)n;
    }
    strbuf_commit(out, size);
    return true;
}

static void receive_exactly(int fd, struct strbuf *out, size_t size)
{
    if (!receive_some(fd, out, size)) {
        fail_msg("%s: ended before %zu bytes", sent, size);
    }
}

void raw_http_receive_head(int fd, struct raw_http_answer *answer)
{
    *answer = (struct raw_http_answer){.head = STRBUF_INIT, .body = STRBUF_INIT};
    while (!str_ends_with(strbuf_str(&answer->head), STR("\r\n\r\n"))) {
        receive_exactly(fd, &answer->head, 1);
    }
    if (!str_starts_with(strbuf_str(&answer->head), STR("HTTP/1."))) {
        fail_msg("%s: \"%.60s\" is no answer", sent, answer->head.data);
    }
    uint64_t number;
    assert_int_equal(str_to_u64(str_make(answer->head.data + 9, 3), &number), 0);
    answer->status = (unsigned)number;
}

bool raw_http_receive_chunk(int fd, struct strbuf *out, bool *whole_out)
{
    struct strbuf line = STRBUF_INIT;
    bool there = true;
    *whole_out = false;
    while (there && !str_ends_with(strbuf_str(&line), STR("\r\n"))) {
        there = receive_some(fd, &line, 1);
    }
    size_t size = there ? strtoul(line.data, NULL, 16) : 0;
    there = there && receive_some(fd, out, size + 2);
    strbuf_release(&line);
    if (!there) {
        return false;
    }
    assert_memory_equal(out->data + out->size - 2, "\r\n", 2);
    strbuf_truncate(out, out->size - 2);
    *whole_out = size == 0;
    return size > 0;
}

void raw_http_receive(int fd, bool head_only, struct raw_http_answer *answer)
{
    raw_http_receive_head(fd, answer);
    struct str length = raw_http_header(answer, "Content-Length");
    uint64_t size;
    bool whole = true;
    if (head_only) {
        return;
    }
    if (str_eq_c(raw_http_header(answer, "Transfer-Encoding"), "chunked")) {
        while (raw_http_receive_chunk(fd, &answer->body, &whole)) {
        }
        assert_true(whole);
    } else if (length.ptr != NULL) {
        assert_int_equal(str_to_u64(length, &size), 0);
        receive_exactly(fd, &answer->body, size);
    }
}

void raw_http_release(struct raw_http_answer *answer)
{
    strbuf_release(&answer->head);
    strbuf_release(&answer->body);
}
