/* Traffic and errors of each network interface.
 *
 * Netlink gives more than /proc/net/dev: exact error counters and packets without a handler. Both
 * end in the same columns; where netlink is not to be had the text file serves and nohandler is
 * missing.
 */
#include "base/mem.h"
#include "collectors/netlink_dump.h"
#include "collectors/rows.h"
#include "procfs/net_dev.h"

#define INTERFACES_MAX 65536
/* IFNAMSIZ of the kernel is 16; /proc/net/dev of a fake root may hold longer ones. */
#define INTERFACE_NAME_MAX 64

enum column {
    RECEIVE_BYTES,
    RECEIVE_COMPRESSED,
    RECEIVE_DROP,
    RECEIVE_ERRS,
    RECEIVE_FIFO,
    RECEIVE_FRAME,
    RECEIVE_MULTICAST,
    RECEIVE_NOHANDLER,
    RECEIVE_PACKETS,
    TRANSMIT_BYTES,
    TRANSMIT_CARRIER,
    TRANSMIT_COLLS,
    TRANSMIT_COMPRESSED,
    TRANSMIT_DROP,
    TRANSMIT_ERRS,
    TRANSMIT_FIFO,
    TRANSMIT_PACKETS,
    COLUMNS,
};

static const struct column_row {
    const char *name;
    const char *help;
} column_rows[COLUMNS] = {
    [RECEIVE_BYTES] = {"node_network_receive_bytes_total", "Bytes received."},
    [RECEIVE_COMPRESSED] = {"node_network_receive_compressed_total",
        "Compressed packets received."},
    [RECEIVE_DROP] = {"node_network_receive_drop_total",
        "Packets received and dropped for want of room or use."},
    [RECEIVE_ERRS] = {"node_network_receive_errs_total", "Packets received with errors."},
    [RECEIVE_FIFO] = {"node_network_receive_fifo_total", "Overruns of the receive queue."},
    [RECEIVE_FRAME] = {"node_network_receive_frame_total", "Packets received with framing errors."},
    [RECEIVE_MULTICAST] = {"node_network_receive_multicast_total", "Multicast packets received."},
    [RECEIVE_NOHANDLER] = {"node_network_receive_nohandler_total",
        "Packets received that no protocol wanted."},
    [RECEIVE_PACKETS] = {"node_network_receive_packets_total", "Packets received."},
    [TRANSMIT_BYTES] = {"node_network_transmit_bytes_total", "Bytes sent."},
    [TRANSMIT_CARRIER] = {"node_network_transmit_carrier_total",
        "Losses of carrier while sending."},
    [TRANSMIT_COLLS] = {"node_network_transmit_colls_total", "Collisions while sending."},
    [TRANSMIT_COMPRESSED] = {"node_network_transmit_compressed_total", "Compressed packets sent."},
    [TRANSMIT_DROP] = {"node_network_transmit_drop_total", "Packets dropped before sending."},
    [TRANSMIT_ERRS] = {"node_network_transmit_errs_total", "Packets that could not be sent."},
    [TRANSMIT_FIFO] = {"node_network_transmit_fifo_total", "Underruns of the transmit queue."},
    [TRANSMIT_PACKETS] = {"node_network_transmit_packets_total", "Packets sent."},
};

struct interface_row {
    char name[INTERFACE_NAME_MAX];
    size_t name_length;
    bool has_nohandler;
    uint64_t values[COLUMNS];
};

struct netdev_state {
    struct kept_file file;
    struct collect_filter filter;
    struct netlink_dump *dump;
    struct interface_row *rows;
    size_t count, cap;
};

static int netdev_open(struct collect *c, void *state, struct err *e)
{
    struct netdev_state *s = state;
    int status = collect_filter_open(
        c, COLLECTOR_SETTING_NETDEV_INCLUDE, COLLECTOR_SETTING_NETDEV_EXCLUDE, &s->filter, e);
    if (status == 0 && c->use_netlink && netlink_dump_open(NETLINK_FAMILY_LINKS, &s->dump) != 0) {
        s->dump = NULL; // the text file then
    }
    return status;
}

/* A new row, or NULL when the interface is not wanted or there is no room; `*status_out` tells. */
static struct interface_row *add_row(struct netdev_state *s, struct str name, int *status_out)
{
    *status_out = 0;
    if (!collect_filter_accepts(&s->filter, name)) {
        return NULL;
    }
    if (name.len >= INTERFACE_NAME_MAX) {
        *status_out = ERR_LIMIT;
        return NULL;
    }
    *status_out =
        mem_array_grow((void **)&s->rows, &s->cap, s->count + 1, sizeof(*s->rows), INTERFACES_MAX);
    if (*status_out != 0) {
        return NULL;
    }
    struct interface_row *row = &s->rows[s->count++];
    memcpy(row->name, name.ptr, name.len);
    row->name_length = name.len;
    return row;
}

/* The kernel's own mapping of the detailed counters to the columns of /proc/net/dev. */
static int add_link(void *context, const struct procfs_link *link)
{
    int status;
    if (link->stat_count == 0) {
        return 0;
    }
    struct interface_row *row = add_row(context, link->name, &status);
    if (row == NULL) {
        return status;
    }
    const uint64_t *stats = link->stats;
    uint64_t *values = row->values;
    values[RECEIVE_BYTES] = stats[PROCFS_LINK_RX_BYTES];
    values[RECEIVE_COMPRESSED] = stats[PROCFS_LINK_RX_COMPRESSED];
    values[RECEIVE_DROP] = stats[PROCFS_LINK_RX_DROPPED] + stats[PROCFS_LINK_RX_MISSED_ERRORS];
    values[RECEIVE_ERRS] = stats[PROCFS_LINK_RX_ERRORS];
    values[RECEIVE_FIFO] = stats[PROCFS_LINK_RX_FIFO_ERRORS];
    values[RECEIVE_FRAME] = stats[PROCFS_LINK_RX_LENGTH_ERRORS] +
                            stats[PROCFS_LINK_RX_OVER_ERRORS] + stats[PROCFS_LINK_RX_CRC_ERRORS] +
                            stats[PROCFS_LINK_RX_FRAME_ERRORS];
    values[RECEIVE_MULTICAST] = stats[PROCFS_LINK_MULTICAST];
    values[RECEIVE_NOHANDLER] = stats[PROCFS_LINK_RX_NOHANDLER];
    values[RECEIVE_PACKETS] = stats[PROCFS_LINK_RX_PACKETS];
    values[TRANSMIT_BYTES] = stats[PROCFS_LINK_TX_BYTES];
    values[TRANSMIT_CARRIER] =
        stats[PROCFS_LINK_TX_CARRIER_ERRORS] + stats[PROCFS_LINK_TX_ABORTED_ERRORS] +
        stats[PROCFS_LINK_TX_HEARTBEAT_ERRORS] + stats[PROCFS_LINK_TX_WINDOW_ERRORS];
    values[TRANSMIT_COLLS] = stats[PROCFS_LINK_COLLISIONS];
    values[TRANSMIT_COMPRESSED] = stats[PROCFS_LINK_TX_COMPRESSED];
    values[TRANSMIT_DROP] = stats[PROCFS_LINK_TX_DROPPED];
    values[TRANSMIT_ERRS] = stats[PROCFS_LINK_TX_ERRORS];
    values[TRANSMIT_FIFO] = stats[PROCFS_LINK_TX_FIFO_ERRORS];
    values[TRANSMIT_PACKETS] = stats[PROCFS_LINK_TX_PACKETS];
    row->has_nohandler = link->stat_count > PROCFS_LINK_RX_NOHANDLER;
    return 0;
}

static int read_text_file(struct collect *c, struct netdev_state *s)
{
    static const enum column columns[PROCFS_NET_DEV_FIELDS] = {
        [PROCFS_NET_RECEIVE_BYTES] = RECEIVE_BYTES,
        [PROCFS_NET_RECEIVE_PACKETS] = RECEIVE_PACKETS,
        [PROCFS_NET_RECEIVE_ERRS] = RECEIVE_ERRS,
        [PROCFS_NET_RECEIVE_DROP] = RECEIVE_DROP,
        [PROCFS_NET_RECEIVE_FIFO] = RECEIVE_FIFO,
        [PROCFS_NET_RECEIVE_FRAME] = RECEIVE_FRAME,
        [PROCFS_NET_RECEIVE_COMPRESSED] = RECEIVE_COMPRESSED,
        [PROCFS_NET_RECEIVE_MULTICAST] = RECEIVE_MULTICAST,
        [PROCFS_NET_TRANSMIT_BYTES] = TRANSMIT_BYTES,
        [PROCFS_NET_TRANSMIT_PACKETS] = TRANSMIT_PACKETS,
        [PROCFS_NET_TRANSMIT_ERRS] = TRANSMIT_ERRS,
        [PROCFS_NET_TRANSMIT_DROP] = TRANSMIT_DROP,
        [PROCFS_NET_TRANSMIT_FIFO] = TRANSMIT_FIFO,
        [PROCFS_NET_TRANSMIT_COLLS] = TRANSMIT_COLLS,
        [PROCFS_NET_TRANSMIT_CARRIER] = TRANSMIT_CARRIER,
        [PROCFS_NET_TRANSMIT_COMPRESSED] = TRANSMIT_COMPRESSED,
    };
    struct str text;
    int status = collect_read(c, &s->file, COLLECT_PROC, "net/dev", &text);
    struct procfs_net_dev dev;
    while (status == 0 && (status = procfs_net_dev_next(&text, &dev)) > 0) {
        struct interface_row *row = add_row(s, dev.name, &status);
        if (row != NULL) {
            row->has_nohandler = false;
            for (int field = 0; field < PROCFS_NET_DEV_FIELDS; field++) {
                row->values[columns[field]] = dev.fields[field];
            }
        }
    }
    return status;
}

static int netdev_collect(struct collect *c, void *state)
{
    struct netdev_state *s = state;
    s->count = 0;
    int status = s->dump != NULL
                     ? netlink_dump_links(s->dump, NETLINK_LINKS_WITH_STATS, add_link, s)
                     : read_text_file(c, s);
    for (int column = 0; column < COLUMNS; column++) {
        metric_family(
            c->sink, column_rows[column].name, METRIC_TYPE_COUNTER, column_rows[column].help);
        for (size_t i = 0; i < s->count; i++) {
            const struct interface_row *row = &s->rows[i];
            if (column != RECEIVE_NOHANDLER || row->has_nohandler) {
                struct label_pair label = {"device", str_make(row->name, row->name_length)};
                metric_sample(c->sink, &label, 1, (double)row->values[column]);
            }
        }
    }
    return status;
}

static void netdev_close(struct collect *c, void *state)
{
    struct netdev_state *s = state;
    kept_file_close(c, &s->file);
    netlink_dump_close(s->dump);
    collect_filter_close(&s->filter);
    mem_free(s->rows);
}

const struct collector netdev_collector = {
    .name = "netdev",
    .help = "Traffic and errors of network interfaces (netlink, or /proc/net/dev)",
    .default_enabled = true,
    .state_size = sizeof(struct netdev_state),
    .open = netdev_open,
    .collect = netdev_collect,
    .close = netdev_close,
};
