/* A netlink socket for dumps. It stays open; each dump is one request and as many datagrams as it takes,
 * which the kernel fills up to the size of our buffer. */
#include "collectors/netlink_dump.h"

#include <errno.h>
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/err.h"
#include "base/mem.h"

/* As large as the kernel makes one datagram of a dump. */
#define DATAGRAM_BYTES ((size_t)32 << 10)
/* Datagrams of one dump; far above what 65536 interfaces or a million sockets need. */
#define DATAGRAMS_MAX 8192
/* Every state of a socket. */
#define STATES_ALL 0xfffu

struct netlink_dump {
    int fd;
    uint32_t sequence;
    char buffer[DATAGRAM_BYTES];
};

int netlink_dump_open(enum netlink_family family, struct netlink_dump **dump_out)
{
    struct netlink_dump *dump = mem_alloc(sizeof(*dump));
    if (dump == NULL) {
        return ERR_NOMEM;
    }
    dump->sequence = 0;
    dump->fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC,
        family == NETLINK_FAMILY_LINKS ? NETLINK_ROUTE : NETLINK_SOCK_DIAG);
    struct sockaddr_nl address = {.nl_family = AF_NETLINK};
    if (dump->fd < 0 || bind(dump->fd, (struct sockaddr *)&address, sizeof(address)) != 0) {
        netlink_dump_close(dump);
        return ERR_UNSUPPORTED;
    }
    *dump_out = dump;
    return 0;
}

void netlink_dump_close(struct netlink_dump *dump)
{
    if (dump != NULL) {
        if (dump->fd >= 0) {
            close(dump->fd);
        }
        mem_free(dump);
    }
}

static int send_request(struct netlink_dump *dump, const void *request, size_t size)
{
    ssize_t sent;
    do {
        sent = send(dump->fd, request, size, 0);
    } while (sent < 0 && errno == EINTR);
    return sent == (ssize_t)size ? 0 : ERR_IO;
}

static struct nlmsghdr header_of(struct netlink_dump *dump, uint16_t type, size_t size)
{
    return (struct nlmsghdr){.nlmsg_len = (uint32_t)size,
        .nlmsg_type = type,
        .nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP,
        .nlmsg_seq = ++dump->sequence};
}

/* The kernel answers a dump inside send and recv, so this never waits for anything outside. */
static int receive(struct netlink_dump *dump, struct str *datagram_out)
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

/* What an abandoned dump left in the socket. */
static void drain(struct netlink_dump *dump)
{
    struct str datagram;
    for (int i = 0; i < DATAGRAMS_MAX && receive(dump, &datagram) == 0; i++) {
    }
}

/* Hands each datagram to `walk`, which returns a procfs_netlink_result or an error. */
static int run(struct netlink_dump *dump, const void *request, size_t size,
    int (*walk)(void *context, struct str datagram), void *context)
{
    int status = send_request(dump, request, size);
    for (int i = 0; status == 0 && i < DATAGRAMS_MAX; i++) {
        struct str datagram;
        status = receive(dump, &datagram);
        if (status == 0) {
            status = walk(context, datagram);
            if (status == PROCFS_NETLINK_DONE) {
                return 0;
            }
        }
    }
    drain(dump);
    return status != 0 ? status : ERR_LIMIT;
}

struct link_walk {
    int (*each)(void *context, const struct procfs_link *link);
    void *context;
};

static int walk_links(void *context, struct str datagram)
{
    const struct link_walk *walk = context;
    struct procfs_link link;
    int result;
    while ((result = procfs_link_next(&datagram, &link)) == PROCFS_NETLINK_ROW) {
        int status = walk->each(walk->context, &link);
        if (status != 0) {
            return status;
        }
    }
    return result;
}

int netlink_dump_links(struct netlink_dump *dump, enum netlink_link_content content,
    int (*each)(void *context, const struct procfs_link *link), void *context)
{
    struct {
        struct nlmsghdr header;
        struct ifinfomsg link;
        struct rtattr mask;
        uint32_t mask_value;
    } request = {
        .link = {.ifi_family = AF_UNSPEC},
        .mask = {.rta_len = sizeof(struct rtattr) + sizeof(uint32_t), .rta_type = IFLA_EXT_MASK},
        .mask_value = content == NETLINK_LINKS_WITH_STATS ? 0 : RTEXT_FILTER_SKIP_STATS,
    };
    struct link_walk walk = {each, context};
    request.header = header_of(dump, RTM_GETLINK, sizeof(request));
    return run(dump, &request, sizeof(request), walk_links, &walk);
}

struct tcp_walk {
    int (*each)(void *context, const struct procfs_socket *socket);
    void *context;
};

static int walk_sockets(void *context, struct str datagram)
{
    const struct tcp_walk *walk = context;
    struct procfs_socket socket;
    int result;
    while ((result = procfs_socket_next(&datagram, &socket)) == PROCFS_NETLINK_ROW) {
        int status = walk->each(walk->context, &socket);
        if (status != 0) {
            return status;
        }
    }
    return result;
}

int netlink_dump_tcp(struct netlink_dump *dump, int address_family,
    int (*each)(void *context, const struct procfs_socket *socket), void *context)
{
    struct {
        struct nlmsghdr header;
        struct inet_diag_req_v2 sockets;
    } request = {
        .sockets = {.sdiag_family = (uint8_t)address_family,
            .sdiag_protocol = IPPROTO_TCP,
            .idiag_states = STATES_ALL},
    };
    struct tcp_walk walk = {each, context};
    request.header = header_of(dump, SOCK_DIAG_BY_FAMILY, sizeof(request));
    return run(dump, &request, sizeof(request), walk_sockets, &walk);
}
