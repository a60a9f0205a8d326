/* A netlink socket for dumps of interfaces. It stays open; each dump is one request and as many
 * datagrams as it takes, which the kernel fills up to the size of our buffer. */
#include "collectors/link_dump.h"

#include <errno.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/err.h"
#include "base/mem.h"

/* As large as the kernel makes one datagram of a dump. */
#define DATAGRAM_BYTES ((size_t)32 << 10)
/* Datagrams of one dump; far above what DEVICES_MAX interfaces need. */
#define DATAGRAMS_MAX 8192

struct link_dump {
    int fd;
    uint32_t sequence;
    char buffer[DATAGRAM_BYTES];
};

int link_dump_open(struct link_dump **dump_out)
{
    struct link_dump *dump = mem_alloc(sizeof(*dump));
    if (dump == NULL) {
        return ERR_NOMEM;
    }
    dump->sequence = 0;
    dump->fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
    struct sockaddr_nl address = {.nl_family = AF_NETLINK};
    if (dump->fd < 0 || bind(dump->fd, (struct sockaddr *)&address, sizeof(address)) != 0) {
        link_dump_close(dump);
        return ERR_UNSUPPORTED;
    }
    *dump_out = dump;
    return 0;
}

void link_dump_close(struct link_dump *dump)
{
    if (dump != NULL) {
        if (dump->fd >= 0) {
            close(dump->fd);
        }
        mem_free(dump);
    }
}

static int send_request(struct link_dump *dump, enum link_dump_content content)
{
    struct {
        struct nlmsghdr header;
        struct ifinfomsg link;
        struct rtattr mask;
        uint32_t mask_value;
    } request = {
        .header = {.nlmsg_len = sizeof(request),
            .nlmsg_type = RTM_GETLINK,
            .nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP,
            .nlmsg_seq = ++dump->sequence},
        .link = {.ifi_family = AF_UNSPEC},
        .mask = {.rta_len = sizeof(struct rtattr) + sizeof(uint32_t), .rta_type = IFLA_EXT_MASK},
        .mask_value = content == LINK_DUMP_ALL ? 0 : RTEXT_FILTER_SKIP_STATS,
    };
    ssize_t sent;
    do {
        sent = send(dump->fd, &request, sizeof(request), 0);
    } while (sent < 0 && errno == EINTR);
    return sent == (ssize_t)sizeof(request) ? 0 : ERR_IO;
}

/* The kernel answers a dump inside send and recv, so this never waits for anything outside. */
static int receive(struct link_dump *dump, struct str *datagram_out)
{
    ssize_t size;
    do {
        size = recv(dump->fd, dump->buffer, sizeof(dump->buffer), MSG_TRUNC | MSG_DONTWAIT);
    } while (size < 0 && errno == EINTR);
    if (size <= 0 || (size_t)size > sizeof(dump->buffer)) {
        return ERR_IO;
    }
    *datagram_out = str_make(dump->buffer, (size_t)size);
    return 0;
}

/* What an earlier, abandoned dump left in the socket. */
static void drain(struct link_dump *dump)
{
    struct str datagram;
    for (int i = 0; i < DATAGRAMS_MAX && receive(dump, &datagram) == 0; i++) {
    }
}

int link_dump_run(struct link_dump *dump, enum link_dump_content content,
    int (*each)(void *context, const struct procfs_link *link), void *context)
{
    int status = send_request(dump, content);
    for (int i = 0; status == 0 && i < DATAGRAMS_MAX; i++) {
        struct str rest;
        status = receive(dump, &rest);
        while (status == 0) {
            struct procfs_link link;
            int result = procfs_link_next(&rest, &link);
            if (result == PROCFS_LINK_DONE) {
                return 0;
            }
            if (result == PROCFS_LINK_END) {
                break;
            }
            status = result < 0 ? result : each(context, &link);
        }
    }
    drain(dump);
    return status != 0 ? status : ERR_LIMIT;
}
