/* Properties of each network interface: carrier, speed, MTU, addresses.
 *
 * /sys/class/net/<if>/ has a file for each, and an interface has twenty of them, at more than a
 * microsecond each; a node with a hundred containers would pay milliseconds a pass. One netlink dump
 * answers nearly all at once. What it does not tell (speed, duplex and three that are fixed when the
 * interface is made) is read from the files when the link changes and once in NETCLASS_SLOW_PASSES
 * passes. Without netlink, or with another /sys than our own, the files serve for all.
 *
 * Some files answer with an error while the link is down; such a property is left out for that
 * interface and the pass goes on. Netlink answers are bent to say the same.
 */
#include <net/if.h>

#include "base/mem.h"
#include "collectors/devices.h"
#include "collectors/netlink_dump.h"
#include "collectors/rows.h"
#include "procfs/field.h"

#define INTERFACES_MAX 65536
#define NETCLASS_SLOW_PASSES 6
/* Longest text of a label of node_network_info; an alias has at most 255 bytes. */
#define INFO_TEXT_MAX 256
/* Hardware addresses have at most 32 bytes (MAX_ADDR_LEN), three characters each. */
#define ADDRESS_BYTES_MAX 32

/* Flags that change with traffic and that sysfs leaves out. */
#define FLAG_LOWER_UP 0x10000u
#define FLAG_DORMANT 0x20000u

/* Speed is printed in Mbit/s and given in bytes; -1 means that the driver does not know. */
#define MEGABIT_BYTES (1000000.0 / 8)

enum number {
    NUMBER_ADDR_ASSIGN_TYPE,
    NUMBER_CARRIER,
    NUMBER_CARRIER_CHANGES,
    NUMBER_CARRIER_DOWNS,
    NUMBER_CARRIER_UPS,
    NUMBER_DEV_ID,
    NUMBER_DORMANT,
    NUMBER_FLAGS,
    NUMBER_IFINDEX,
    NUMBER_IFLINK,
    NUMBER_LINK_MODE,
    NUMBER_MTU,
    NUMBER_NAME_ASSIGN_TYPE,
    NUMBER_GROUP,
    NUMBER_TYPE,
    NUMBER_SPEED,
    NUMBER_QUEUE_LENGTH,
    NUMBERS,
};

/* Files of an interface: one for each number, then the texts. */
enum net_file {
    FILE_ADDRESS = NUMBERS,
    FILE_BROADCAST,
    FILE_DUPLEX,
    FILE_IFALIAS,
    FILE_OPERSTATE,
    FILE_COUNT,
};

static const char *const net_files[FILE_COUNT] = {
    [NUMBER_ADDR_ASSIGN_TYPE] = "addr_assign_type",
    [NUMBER_CARRIER] = "carrier",
    [NUMBER_CARRIER_CHANGES] = "carrier_changes",
    [NUMBER_CARRIER_DOWNS] = "carrier_down_count",
    [NUMBER_CARRIER_UPS] = "carrier_up_count",
    [NUMBER_DEV_ID] = "dev_id",
    [NUMBER_DORMANT] = "dormant",
    [NUMBER_FLAGS] = "flags",
    [NUMBER_IFINDEX] = "ifindex",
    [NUMBER_IFLINK] = "iflink",
    [NUMBER_LINK_MODE] = "link_mode",
    [NUMBER_MTU] = "mtu",
    [NUMBER_NAME_ASSIGN_TYPE] = "name_assign_type",
    [NUMBER_GROUP] = "netdev_group",
    [NUMBER_TYPE] = "type",
    [NUMBER_SPEED] = "speed",
    [NUMBER_QUEUE_LENGTH] = "tx_queue_len",
    [FILE_ADDRESS] = "address",
    [FILE_BROADCAST] = "broadcast",
    [FILE_DUPLEX] = "duplex",
    [FILE_IFALIAS] = "ifalias",
    [FILE_OPERSTATE] = "operstate",
};

static const struct number_row {
    const char *name;
    enum metric_type type;
    const char *help;
} number_rows[NUMBERS] = {
    [NUMBER_ADDR_ASSIGN_TYPE] = {"node_network_address_assign_type", METRIC_TYPE_GAUGE,
        "Where the address came from: 0 permanent, 1 random, 2 stolen, 3 set."},
    [NUMBER_CARRIER] = {"node_network_carrier", METRIC_TYPE_GAUGE, "1 when there is a link."},
    [NUMBER_CARRIER_CHANGES] = {"node_network_carrier_changes_total", METRIC_TYPE_COUNTER,
        "Times the link came or went."},
    [NUMBER_CARRIER_DOWNS] = {"node_network_carrier_down_changes_total", METRIC_TYPE_COUNTER,
        "Times the link went."},
    [NUMBER_CARRIER_UPS] = {"node_network_carrier_up_changes_total", METRIC_TYPE_COUNTER,
        "Times the link came."},
    [NUMBER_DEV_ID] = {"node_network_device_id", METRIC_TYPE_GAUGE,
        "Number that tells ports of one address apart."},
    [NUMBER_DORMANT] = {"node_network_dormant", METRIC_TYPE_GAUGE,
        "1 when the interface waits for something outside before it passes packets."},
    [NUMBER_FLAGS] = {"node_network_flags", METRIC_TYPE_GAUGE, "Flag bits of the interface."},
    [NUMBER_IFINDEX] = {"node_network_iface_id", METRIC_TYPE_GAUGE, "Index of the interface."},
    [NUMBER_IFLINK] = {"node_network_iface_link", METRIC_TYPE_GAUGE,
        "Index of the interface below this one."},
    [NUMBER_LINK_MODE] = {"node_network_iface_link_mode", METRIC_TYPE_GAUGE,
        "Policy of the link: 0 default, 1 dormant."},
    [NUMBER_MTU] = {"node_network_mtu_bytes", METRIC_TYPE_GAUGE, "Largest packet."},
    [NUMBER_NAME_ASSIGN_TYPE] = {"node_network_name_assign_type", METRIC_TYPE_GAUGE,
        "Where the name came from: 1 kernel, 2 predictable, 3 user, 4 renamed."},
    [NUMBER_GROUP] = {"node_network_net_dev_group", METRIC_TYPE_GAUGE,
        "Group the interface was put into."},
    [NUMBER_TYPE] = {"node_network_protocol_type", METRIC_TYPE_GAUGE,
        "Hardware type, an ARPHRD number."},
    [NUMBER_SPEED] = {"node_network_speed_bytes", METRIC_TYPE_GAUGE,
        "Speed of the link in bytes a second; negative when unknown."},
    [NUMBER_QUEUE_LENGTH] = {"node_network_transmit_queue_length", METRIC_TYPE_GAUGE,
        "Packets the transmit queue holds."},
};

struct info_text {
    size_t length;
    char bytes[INFO_TEXT_MAX];
};

struct interface_row {
    char name[DEVICE_NAME_MAX + 1];
    double numbers[NUMBERS];
    bool has[NUMBERS];
    bool has_operstate;
    struct info_text texts[FILE_COUNT - NUMBERS];
    uint64_t slow_due;   /* pass in which to read what netlink does not tell */
    uint64_t link_state; /* what makes it due earlier when it changes */
};

struct netclass_state {
    struct devices devices;
    struct collect_filter filter;
    struct netlink_dump *dump;
    struct interface_row *rows;
    size_t count, cap;
    uint64_t devices_due; /* with netlink: pass in which to list the directory again */
};

static int netclass_open(struct collect *c, void *state, struct err *e)
{
    struct netclass_state *s = state;
    devices_init(&s->devices, COLLECT_SYS, "class/net", net_files, FILE_COUNT);
    int status = collect_filter_open_exclude(c, COLLECTOR_SETTING_NETCLASS_EXCLUDE, &s->filter, e);
    bool own_sys = strcmp(c->roots[COLLECT_SYS], "/sys") == 0;
    if (status == 0 && c->use_netlink && own_sys &&
        netlink_dump_open(NETLINK_FAMILY_LINKS, &s->dump) != 0) {
        s->dump = NULL; // the files then
    }
    return status;
}

/* The directory also holds the file bonding_masters, which is no interface. */
static bool is_wanted(void *context, struct str name)
{
    const struct netclass_state *s = context;
    return !str_eq_c(name, "bonding_masters") && collect_filter_accepts(&s->filter, name);
}

/* The index-th row for an interface; it keeps what it holds if it was the same interface before. */
static int take_row(
    struct netclass_state *s, size_t index, struct str name, struct interface_row **row_out)
{
    if (name.len > DEVICE_NAME_MAX) {
        return ERR_LIMIT;
    }
    int status =
        mem_array_grow((void **)&s->rows, &s->cap, index + 1, sizeof(*s->rows), INTERFACES_MAX);
    if (status != 0) {
        return status;
    }
    struct interface_row *row = &s->rows[index];
    if (index >= s->count || !str_eq_c(name, row->name)) {
        *row = (struct interface_row){0};
        memcpy(row->name, name.ptr, name.len);
    }
    *row_out = row;
    return 0;
}

static void set_text(struct interface_row *row, enum net_file file, struct str raw)
{
    struct info_text *text = &row->texts[file - NUMBERS];
    struct str clean = collect_label_text(raw, text->bytes, INFO_TEXT_MAX);
    text->length = clean.len < INFO_TEXT_MAX ? clean.len : INFO_TEXT_MAX;
    if (text->length > 0) {
        memmove(text->bytes, clean.ptr, text->length);
    }
}

static struct str text_of(const struct interface_row *row, enum net_file file)
{
    const struct info_text *text = &row->texts[file - NUMBERS];
    return str_make(text->bytes, text->length);
}

static void set_number(struct interface_row *row, enum number number, bool has, double value)
{
    row->has[number] = has;
    row->numbers[number] = value;
}

/* ---- From files ---- */

static void read_number(struct collect *c, struct netclass_state *s, size_t device,
    struct interface_row *row, enum number number)
{
    bool hexadecimal = number == NUMBER_DEV_ID || number == NUMBER_FLAGS;
    struct str text;
    double value = 0;
    uint64_t bits = 0;
    int status = devices_read(c, &s->devices, device, number, &text);
    if (status == 0) {
        status = hexadecimal ? field_hex(text, &bits) : field_number(text, &value);
    }
    value = hexadecimal ? (double)bits : value;
    set_number(row, number, status == 0, number == NUMBER_SPEED ? value * MEGABIT_BYTES : value);
}

/* False when it cannot be read; the text is empty then. */
static bool read_text_file(struct collect *c, struct netclass_state *s, size_t device,
    struct interface_row *row, enum net_file file)
{
    struct str text = STR("");
    int status = devices_read(c, &s->devices, device, file, &text);
    set_text(row, file, text);
    return status == 0;
}

static int read_files(struct collect *c, struct netclass_state *s)
{
    int status = devices_refresh(c, &s->devices, is_wanted, s);
    size_t count = 0;
    for (; status == 0 && count < s->devices.count; count++) {
        struct interface_row *row;
        status = take_row(s, count, device_name(&s->devices, count), &row);
        if (status != 0) {
            break;
        }
        s->count = s->count > count ? s->count : count + 1;
        for (int number = 0; number < NUMBERS; number++) {
            read_number(c, s, count, row, (enum number)number);
        }
        for (int file = NUMBERS; file < FILE_OPERSTATE; file++) {
            (void)read_text_file(c, s, count, row, (enum net_file)file); // absent reads as empty
        }
        row->has_operstate = read_text_file(c, s, count, row, FILE_OPERSTATE);
    }
    s->count = count;
    return status;
}

/* ---- From netlink ---- */

static struct str address_text(struct str address, char buffer[3 * ADDRESS_BYTES_MAX])
{
    static const char digits[] = "0123456789abcdef";
    size_t length = 0;
    for (size_t i = 0; i < address.len && i < ADDRESS_BYTES_MAX; i++) {
        unsigned char byte = (unsigned char)address.ptr[i];
        if (i > 0) {
            buffer[length++] = ':';
        }
        buffer[length++] = digits[byte >> 4];
        buffer[length++] = digits[byte & 15];
    }
    return str_make(buffer, length);
}

/* The flags as sysfs has them: without those that follow the traffic, and with promiscuous modes as
 * the kernel counts their users. */
static uint32_t lasting_flags(const struct procfs_link *link)
{
    uint32_t flags = link->flags & ~(IFF_RUNNING | FLAG_LOWER_UP | FLAG_DORMANT);
    if ((link->present & PROCFS_LINK_HAS_PROMISCUITY) != 0) {
        flags = link->promiscuity > 0 ? flags | IFF_PROMISC : flags & ~(uint32_t)IFF_PROMISC;
    }
    if ((link->present & PROCFS_LINK_HAS_ALLMULTI) != 0) {
        flags = link->allmulti > 0 ? flags | IFF_ALLMULTI : flags & ~(uint32_t)IFF_ALLMULTI;
    }
    return flags;
}

static void set_link_numbers(struct interface_row *row, const struct procfs_link *link)
{
    const struct {
        enum number number;
        unsigned bit;
        uint32_t value;
    } plain[] = {
        {NUMBER_CARRIER_CHANGES, PROCFS_LINK_HAS_CARRIER_CHANGES, link->carrier_changes},
        {NUMBER_CARRIER_DOWNS, PROCFS_LINK_HAS_CARRIER_DOWNS, link->carrier_downs},
        {NUMBER_CARRIER_UPS, PROCFS_LINK_HAS_CARRIER_UPS, link->carrier_ups},
        {NUMBER_LINK_MODE, PROCFS_LINK_HAS_LINK_MODE, link->link_mode},
        {NUMBER_MTU, PROCFS_LINK_HAS_MTU, link->mtu},
        {NUMBER_GROUP, PROCFS_LINK_HAS_GROUP, link->group},
        {NUMBER_QUEUE_LENGTH, PROCFS_LINK_HAS_QUEUE_LENGTH, link->queue_length},
    };
    for (size_t i = 0; i < sizeof(plain) / sizeof(plain[0]); i++) {
        set_number(row, plain[i].number, (link->present & plain[i].bit) != 0, plain[i].value);
    }
    bool is_up = (link->flags & IFF_UP) != 0; // the two files answer with an error while down
    set_number(row, NUMBER_CARRIER, is_up && (link->present & PROCFS_LINK_HAS_CARRIER) != 0,
        link->carrier);
    set_number(row, NUMBER_DORMANT, is_up, (link->flags & FLAG_DORMANT) != 0);
    set_number(row, NUMBER_FLAGS, true, lasting_flags(link));
    set_number(row, NUMBER_IFINDEX, true, link->index);
    set_number(row, NUMBER_TYPE, true, link->hardware_type);
    // An interface that lies on no other one names none and stands for itself.
    set_number(row, NUMBER_IFLINK, true,
        (link->present & PROCFS_LINK_HAS_LINK) != 0 ? (double)link->link : (double)link->index);
}

struct dump_walk {
    struct netclass_state *state;
    size_t count;
};

static int add_link(void *context, const struct procfs_link *link)
{
    struct dump_walk *walk = context;
    struct interface_row *row;
    if (!is_wanted(walk->state, link->name)) {
        return 0;
    }
    int status = take_row(walk->state, walk->count, link->name, &row);
    if (status != 0) {
        return status;
    }
    walk->count++;
    walk->state->count = walk->state->count > walk->count ? walk->state->count : walk->count;
    char buffer[3 * ADDRESS_BYTES_MAX];
    set_link_numbers(row, link);
    set_text(row, FILE_ADDRESS, address_text(link->address, buffer));
    set_text(row, FILE_BROADCAST, address_text(link->broadcast, buffer));
    set_text(row, FILE_IFALIAS, link->alias);
    row->has_operstate = (link->present & PROCFS_LINK_HAS_OPERSTATE) != 0;
    set_text(row, FILE_OPERSTATE, str_of(procfs_link_operstate(link->operstate)));
    uint64_t link_state = ((uint64_t)link->carrier_changes << 32) +
                          ((uint64_t)link->operstate << 24) + (link->flags & IFF_UP);
    if (link_state != row->link_state) {
        row->link_state = link_state;
        row->slow_due = 0;
    }
    return 0;
}

/* What netlink does not tell. */
static void read_slow_files(struct collect *c, struct netclass_state *s, struct interface_row *row)
{
    static const enum number slow[] = {
        NUMBER_ADDR_ASSIGN_TYPE, NUMBER_DEV_ID, NUMBER_NAME_ASSIGN_TYPE, NUMBER_SPEED};
    ptrdiff_t device = devices_find(&s->devices, row->name);
    if (device < 0) {
        return; // gone between the dump and the listing
    }
    for (size_t i = 0; i < sizeof(slow) / sizeof(slow[0]); i++) {
        read_number(c, s, (size_t)device, row, slow[i]);
    }
    (void)read_text_file(c, s, (size_t)device, row, FILE_DUPLEX); // absent reads as empty
    row->slow_due = c->pass + NETCLASS_SLOW_PASSES;
}

/* Lists the directory now and then, and at once for an interface that it does not know yet. */
static void refresh_devices(struct collect *c, struct netclass_state *s)
{
    bool due = c->pass >= s->devices_due;
    for (size_t i = 0; i < s->count && !due; i++) {
        due = s->rows[i].slow_due == 0 && devices_find(&s->devices, s->rows[i].name) < 0;
    }
    if (due) {
        (void)devices_refresh(
            c, &s->devices, is_wanted, s); // without it only those files are missing
        s->devices_due = c->pass + NETCLASS_SLOW_PASSES;
    }
}

static int ask_netlink(struct collect *c, struct netclass_state *s)
{
    struct dump_walk walk = {.state = s};
    int status = netlink_dump_links(s->dump, NETLINK_LINKS_WITHOUT_STATS, add_link, &walk);
    s->count = walk.count;
    refresh_devices(c, s);
    for (size_t i = 0; i < s->count; i++) {
        if (c->pass >= s->rows[i].slow_due) {
            read_slow_files(c, s, &s->rows[i]);
        }
    }
    return status;
}

/* ---- What is given ---- */

static void give_up(struct collect *c, const struct netclass_state *s)
{
    metric_family(
        c->sink, "node_network_up", METRIC_TYPE_GAUGE, "1 when the interface passes packets.");
    for (size_t i = 0; i < s->count; i++) {
        const struct interface_row *row = &s->rows[i];
        if (row->has_operstate) {
            struct label_pair label = {"device", str_of(row->name)};
            metric_sample(
                c->sink, &label, 1, str_eq(text_of(row, FILE_OPERSTATE), STR("up")) ? 1 : 0);
        }
    }
}

static struct str admin_state(const struct interface_row *row)
{
    if (!row->has[NUMBER_FLAGS]) {
        return STR("unknown");
    }
    return ((uint64_t)row->numbers[NUMBER_FLAGS] & IFF_UP) != 0 ? STR("up") : STR("down");
}

static void give_info(struct collect *c, const struct netclass_state *s)
{
    metric_family(c->sink, "node_network_info", METRIC_TYPE_GAUGE,
        "Properties of an interface that are no numbers, always 1.");
    for (size_t i = 0; i < s->count; i++) {
        const struct interface_row *row = &s->rows[i];
        struct label_pair labels[] = {
            {"address", text_of(row, FILE_ADDRESS)},
            {"adminstate", admin_state(row)},
            {"broadcast", text_of(row, FILE_BROADCAST)},
            {"device", str_of(row->name)},
            {"duplex", text_of(row, FILE_DUPLEX)},
            {"ifalias", text_of(row, FILE_IFALIAS)},
            {"operstate", text_of(row, FILE_OPERSTATE)},
        };
        metric_sample(c->sink, labels, sizeof(labels) / sizeof(labels[0]), 1);
    }
}

static int netclass_collect(struct collect *c, void *state)
{
    struct netclass_state *s = state;
    int status = s->dump != NULL ? ask_netlink(c, s) : read_files(c, s);
    give_up(c, s);
    give_info(c, s);
    for (int number = 0; number < NUMBERS; number++) {
        metric_family(
            c->sink, number_rows[number].name, number_rows[number].type, number_rows[number].help);
        for (size_t i = 0; i < s->count; i++) {
            if (s->rows[i].has[number]) {
                struct label_pair label = {"device", str_of(s->rows[i].name)};
                metric_sample(c->sink, &label, 1, s->rows[i].numbers[number]);
            }
        }
    }
    return status;
}

static void netclass_close(struct collect *c, void *state)
{
    struct netclass_state *s = state;
    devices_close(c, &s->devices);
    collect_filter_close(&s->filter);
    netlink_dump_close(s->dump);
    mem_free(s->rows);
}

const struct collector netclass_collector = {
    .name = "netclass",
    .help = "Properties of network interfaces (netlink, /sys/class/net)",
    .default_enabled = true,
    .state_size = sizeof(struct netclass_state),
    .open = netclass_open,
    .collect = netclass_collect,
    .close = netclass_close,
};
