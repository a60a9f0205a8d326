/* Datagrams, as many as there are but not endlessly. */
#include "receive/receive_datagrams.h"

#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/mem.h"

struct datagram_socket {
    struct datagram_options options;
    int fd;
    struct loop_watch *watch;
    uint32_t dropped; /* as the kernel last told */
    char bytes[DATAGRAM_BYTES_MAX];
};

static void note_dropped(struct datagram_socket *s, struct msghdr *message)
{
    for (struct cmsghdr *c = CMSG_FIRSTHDR(message); c != NULL; c = CMSG_NXTHDR(message, c)) {
        if (c->cmsg_level == SOL_SOCKET && c->cmsg_type == SO_RXQ_OVFL) {
            uint32_t dropped;
            memcpy(&dropped, CMSG_DATA(c), sizeof(dropped));
            *s->options.lost += dropped - s->dropped; /* wraps */
            s->dropped = dropped;
        }
    }
}

static void on_readable(void *context, int fd, unsigned events)
{
    struct datagram_socket *s = context;
    (void)events;
    for (int i = 0; i < DATAGRAM_TURN_MAX; i++) {
        char control[CMSG_SPACE(sizeof(uint32_t))];
        struct iovec place = {s->bytes, sizeof(s->bytes)};
        struct msghdr message = {.msg_iov = &place,
            .msg_iovlen = 1,
            .msg_control = control,
            .msg_controllen = sizeof(control)};
        ssize_t size = recvmsg(fd, &message, 0);
        if (size < 0) {
            return; /* nothing left; an error of the network comes back, or goes */
        }
        note_dropped(s, &message);
        s->options.take(s->options.context, str_make(s->bytes, (size_t)size));
    }
}

int datagram_socket_open(int fd, const struct datagram_options *options,
    struct datagram_socket **socket_out, struct err *e)
{
    int on = 1, bytes = DATAGRAM_SOCKET_BYTES;
    struct datagram_socket *s = mem_calloc(1, sizeof(*s));
    if (s == NULL) {
        close(fd);
        return err_set(e, ERR_NOMEM, -1, "out of memory for a socket");
    }
    s->options = *options;
    s->fd = fd;
    (void)setsockopt(fd, SOL_SOCKET, SO_RXQ_OVFL, &on, sizeof(on));     /* else nothing is told */
    (void)setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof(bytes)); /* else it stays smaller */
    int status = loop_watch_new(options->loop, fd, on_readable, s, &s->watch);
    status = status == 0 ? loop_watch_set(s->watch, LOOP_READABLE) : status;
    if (status != 0) {
        datagram_socket_close(s);
        return err_set(e, status, -1, "cannot wait for datagrams: %s", err_text(status));
    }
    *socket_out = s;
    return 0;
}

void datagram_socket_close(struct datagram_socket *s)
{
    if (s != NULL) {
        loop_watch_free(s->watch);
        close(s->fd);
        mem_free(s);
    }
}
