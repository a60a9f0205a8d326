/* TCP connections by state, and what waits in their queues; off unless asked for, since a busy machine
 * has hundreds of thousands of sockets to walk. */
#include <sys/socket.h>

#include "collectors/netlink_dump.h"
#include "collectors/rows.h"

/* TCP_ESTABLISHED = 1 … TCP_NEW_SYN_RECV = 12 (include/net/tcp_states.h). */
static const char *const state_names[] = {NULL, "established", "syn_sent", "syn_recv", "fin_wait1",
    "fin_wait2", "time_wait", "close", "close_wait", "last_ack", "listen", "closing"};

enum { STATES = sizeof(state_names) / sizeof(state_names[0]) };

struct tcpstat_state {
    struct netlink_dump *dump;
    uint64_t sockets[STATES];
    uint64_t receive_bytes;
    uint64_t send_bytes;
};

static int tcpstat_open(struct collect *c, void *state, struct err *e)
{
    struct tcpstat_state *s = state;
    (void)e;
    if (c->use_netlink && netlink_dump_open(NETLINK_FAMILY_SOCKETS, &s->dump) != 0) {
        s->dump = NULL;
    }
    return 0;
}

static int count_socket(void *context, const struct procfs_socket *socket)
{
    struct tcpstat_state *s = context;
    if (socket->state < STATES) {
        s->sockets[socket->state]++;
    }
    s->receive_bytes += socket->receive_queue;
    s->send_bytes += socket->send_queue;
    return 0;
}

static void give(struct collect *c, const char *state, uint64_t value)
{
    struct label_pair label = {"state", str_of(state)};
    metric_sample(c->sink, &label, 1, (double)value);
}

static int tcpstat_collect(struct collect *c, void *state)
{
    struct tcpstat_state *s = state;
    if (s->dump == NULL) {
        return ERR_NOT_FOUND;
    }
    memset(s->sockets, 0, sizeof(s->sockets));
    s->receive_bytes = 0;
    s->send_bytes = 0;
    int status = netlink_dump_tcp(s->dump, AF_INET, count_socket, s);
    if (status != 0) {
        return status;
    }
    int status6 = netlink_dump_tcp(s->dump, AF_INET6, count_socket, s);
    metric_family(c->sink, "node_tcp_connection_states", METRIC_TYPE_GAUGE,
        "TCP connections by state, and bytes in their queues.");
    for (int i = 1; i < STATES; i++) {
        if (s->sockets[i] > 0) {
            give(c, state_names[i], s->sockets[i]);
        }
    }
    give(c, "rx_queued_bytes", s->receive_bytes);
    give(c, "tx_queued_bytes", s->send_bytes);
    return status6 == ERR_NOT_FOUND ? 0 : status6; // a host without IPv6
}

static void tcpstat_close(struct collect *c, void *state)
{
    struct tcpstat_state *s = state;
    (void)c;
    netlink_dump_close(s->dump);
}

const struct collector tcpstat_collector = {
    .name = "tcpstat",
    .help = "TCP connections by state (netlink)",
    .default_enabled = false,
    .state_size = sizeof(struct tcpstat_state),
    .open = tcpstat_open,
    .collect = tcpstat_collect,
    .close = tcpstat_close,
};
