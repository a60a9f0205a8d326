/* Properties of each network interface from /sys/class/net: carrier, speed, MTU, addresses.
 *
 * Some files answer with an error while the link is down (speed, duplex, carrier); such a property is
 * left out for that interface and the pass goes on.
 */
#include "collectors/devices.h"
#include "collectors/rows.h"
#include "procfs/field.h"

enum net_file {
    FILE_ADDR_ASSIGN_TYPE,
    FILE_ADDRESS,
    FILE_BROADCAST,
    FILE_CARRIER,
    FILE_CARRIER_CHANGES,
    FILE_CARRIER_DOWN_COUNT,
    FILE_CARRIER_UP_COUNT,
    FILE_DEV_ID,
    FILE_DORMANT,
    FILE_DUPLEX,
    FILE_FLAGS,
    FILE_IFALIAS,
    FILE_IFINDEX,
    FILE_IFLINK,
    FILE_LINK_MODE,
    FILE_MTU,
    FILE_NAME_ASSIGN_TYPE,
    FILE_NETDEV_GROUP,
    FILE_OPERSTATE,
    FILE_SPEED,
    FILE_TX_QUEUE_LEN,
    FILE_TYPE,
    FILE_COUNT,
};

static const char *const net_files[FILE_COUNT] = {
    [FILE_ADDR_ASSIGN_TYPE] = "addr_assign_type",
    [FILE_ADDRESS] = "address",
    [FILE_BROADCAST] = "broadcast",
    [FILE_CARRIER] = "carrier",
    [FILE_CARRIER_CHANGES] = "carrier_changes",
    [FILE_CARRIER_DOWN_COUNT] = "carrier_down_count",
    [FILE_CARRIER_UP_COUNT] = "carrier_up_count",
    [FILE_DEV_ID] = "dev_id",
    [FILE_DORMANT] = "dormant",
    [FILE_DUPLEX] = "duplex",
    [FILE_FLAGS] = "flags",
    [FILE_IFALIAS] = "ifalias",
    [FILE_IFINDEX] = "ifindex",
    [FILE_IFLINK] = "iflink",
    [FILE_LINK_MODE] = "link_mode",
    [FILE_MTU] = "mtu",
    [FILE_NAME_ASSIGN_TYPE] = "name_assign_type",
    [FILE_NETDEV_GROUP] = "netdev_group",
    [FILE_OPERSTATE] = "operstate",
    [FILE_SPEED] = "speed",
    [FILE_TX_QUEUE_LEN] = "tx_queue_len",
    [FILE_TYPE] = "type",
};

/* Speed is printed in Mbit/s and given in bytes; -1 means that the driver does not know. */
#define MEGABIT_BYTES (1000000.0 / 8)

static const struct number_row {
    const char *name;
    enum net_file file;
    enum metric_type type;
    double factor;
    bool hexadecimal;
    const char *help;
} number_rows[] = {
    {"node_network_address_assign_type", FILE_ADDR_ASSIGN_TYPE, METRIC_TYPE_GAUGE, 1, false,
        "Where the address came from: 0 permanent, 1 random, 2 stolen, 3 set."},
    {"node_network_carrier", FILE_CARRIER, METRIC_TYPE_GAUGE, 1, false, "1 when there is a link."},
    {"node_network_carrier_changes_total", FILE_CARRIER_CHANGES, METRIC_TYPE_COUNTER, 1, false,
        "Times the link came or went."},
    {"node_network_carrier_down_changes_total", FILE_CARRIER_DOWN_COUNT, METRIC_TYPE_COUNTER, 1,
        false, "Times the link went."},
    {"node_network_carrier_up_changes_total", FILE_CARRIER_UP_COUNT, METRIC_TYPE_COUNTER, 1, false,
        "Times the link came."},
    {"node_network_device_id", FILE_DEV_ID, METRIC_TYPE_GAUGE, 1, true,
        "Number that tells ports of one address apart."},
    {"node_network_dormant", FILE_DORMANT, METRIC_TYPE_GAUGE, 1, false,
        "1 when the interface waits for something outside before it passes packets."},
    {"node_network_flags", FILE_FLAGS, METRIC_TYPE_GAUGE, 1, true, "Flag bits of the interface."},
    {"node_network_iface_id", FILE_IFINDEX, METRIC_TYPE_GAUGE, 1, false, "Index of the interface."},
    {"node_network_iface_link", FILE_IFLINK, METRIC_TYPE_GAUGE, 1, false,
        "Index of the interface below this one."},
    {"node_network_iface_link_mode", FILE_LINK_MODE, METRIC_TYPE_GAUGE, 1, false,
        "Policy of the link: 0 default, 1 dormant."},
    {"node_network_mtu_bytes", FILE_MTU, METRIC_TYPE_GAUGE, 1, false, "Largest packet."},
    {"node_network_name_assign_type", FILE_NAME_ASSIGN_TYPE, METRIC_TYPE_GAUGE, 1, false,
        "Where the name came from: 1 kernel, 2 predictable, 3 user, 4 renamed."},
    {"node_network_net_dev_group", FILE_NETDEV_GROUP, METRIC_TYPE_GAUGE, 1, false,
        "Group the interface was put into."},
    {"node_network_protocol_type", FILE_TYPE, METRIC_TYPE_GAUGE, 1, false,
        "Hardware type, an ARPHRD number."},
    {"node_network_speed_bytes", FILE_SPEED, METRIC_TYPE_GAUGE, MEGABIT_BYTES, false,
        "Speed of the link in bytes a second; negative when unknown."},
    {"node_network_transmit_queue_length", FILE_TX_QUEUE_LEN, METRIC_TYPE_GAUGE, 1, false,
        "Packets the transmit queue holds."},
};

/* Texts of one node_network_info, copied because each read overwrites the last. */
#define INFO_TEXT_MAX 256

struct netclass_state {
    struct devices devices;
    struct collect_filter filter;
};

static int netclass_open(struct collect *c, void *state, struct err *e)
{
    struct netclass_state *s = state;
    devices_init(&s->devices, COLLECT_SYS, "class/net", net_files, FILE_COUNT);
    return collect_filter_open_exclude(c, COLLECTOR_SETTING_NETCLASS_EXCLUDE, &s->filter, e);
}

/* The directory also holds the file bonding_masters, which is no interface. */
static bool is_wanted(void *context, struct str name)
{
    const struct netclass_state *s = context;
    return !str_eq_c(name, "bonding_masters") && collect_filter_accepts(&s->filter, name);
}

static void give_up(struct collect *c, struct netclass_state *s)
{
    metric_family(
        c->sink, "node_network_up", METRIC_TYPE_GAUGE, "1 when the interface passes packets.");
    for (size_t i = 0; i < s->devices.count; i++) {
        struct str text;
        if (devices_read(c, &s->devices, i, FILE_OPERSTATE, &text) == 0) {
            struct label_pair label = {"device", device_name(&s->devices, i)};
            metric_sample(c->sink, &label, 1, str_eq(text, STR("up")) ? 1 : 0);
        }
    }
}

/* A file's text in a buffer of its own; empty when it cannot be read. */
static struct str copy_text(struct collect *c, struct netclass_state *s, size_t index,
    enum net_file file, char buffer[INFO_TEXT_MAX])
{
    struct str text;
    if (devices_read(c, &s->devices, index, file, &text) != 0) {
        return STR("");
    }
    text.len = text.len < INFO_TEXT_MAX ? text.len : INFO_TEXT_MAX;
    struct str clean = collect_label_text(text, buffer, INFO_TEXT_MAX);
    if (clean.ptr != buffer) {
        memcpy(buffer, clean.ptr, clean.len);
    }
    return str_make(buffer, clean.len);
}

static struct str admin_state(struct collect *c, struct netclass_state *s, size_t index)
{
    struct str text;
    uint64_t flags;
    if (devices_read(c, &s->devices, index, FILE_FLAGS, &text) != 0 ||
        field_hex(text, &flags) != 0) {
        return STR("unknown");
    }
    return (flags & 1) != 0 ? STR("up") : STR("down");
}

static void give_info(struct collect *c, struct netclass_state *s)
{
    metric_family(c->sink, "node_network_info", METRIC_TYPE_GAUGE,
        "Properties of an interface that are no numbers, always 1.");
    for (size_t i = 0; i < s->devices.count; i++) {
        char address[INFO_TEXT_MAX], alias[INFO_TEXT_MAX], broadcast[INFO_TEXT_MAX];
        char duplex[INFO_TEXT_MAX], state[INFO_TEXT_MAX];
        struct label_pair labels[] = {
            {"address", copy_text(c, s, i, FILE_ADDRESS, address)},
            {"adminstate", admin_state(c, s, i)},
            {"broadcast", copy_text(c, s, i, FILE_BROADCAST, broadcast)},
            {"device", device_name(&s->devices, i)},
            {"duplex", copy_text(c, s, i, FILE_DUPLEX, duplex)},
            {"ifalias", copy_text(c, s, i, FILE_IFALIAS, alias)},
            {"operstate", copy_text(c, s, i, FILE_OPERSTATE, state)},
        };
        metric_sample(c->sink, labels, sizeof(labels) / sizeof(labels[0]), 1);
    }
}

static void give_numbers(struct collect *c, struct netclass_state *s, const struct number_row *row)
{
    metric_family(c->sink, row->name, row->type, row->help);
    for (size_t i = 0; i < s->devices.count; i++) {
        struct str text;
        double value;
        uint64_t bits;
        if (devices_read(c, &s->devices, i, row->file, &text) != 0) {
            continue;
        }
        if (row->hexadecimal) {
            if (field_hex(text, &bits) != 0) {
                continue;
            }
            value = (double)bits;
        } else if (field_number(text, &value) != 0) {
            continue;
        }
        struct label_pair label = {"device", device_name(&s->devices, i)};
        metric_sample(c->sink, &label, 1, value * row->factor);
    }
}

static int netclass_collect(struct collect *c, void *state)
{
    struct netclass_state *s = state;
    int status = devices_refresh(c, &s->devices, is_wanted, s);
    give_up(c, s);
    give_info(c, s);
    for (size_t i = 0; i < sizeof(number_rows) / sizeof(number_rows[0]); i++) {
        give_numbers(c, s, &number_rows[i]);
    }
    return status;
}

static void netclass_close(struct collect *c, void *state)
{
    struct netclass_state *s = state;
    devices_close(c, &s->devices);
    collect_filter_close(&s->filter);
}

const struct collector netclass_collector = {
    .name = "netclass",
    .help = "Properties of network interfaces (/sys/class/net)",
    .default_enabled = true,
    .state_size = sizeof(struct netclass_state),
    .open = netclass_open,
    .collect = netclass_collect,
    .close = netclass_close,
};
