/* Parser of RTM_NEWLINK messages; the format is in the header. */
#include "procfs/link_message.h"

#include "base/err.h"

/* Numbers of the kernel's interface (linux/rtnetlink.h, linux/if_link.h), which never change. */
enum {
    MESSAGE_NEWLINK = 16,
    LINK_HEADER_BYTES = 16,
    LINK_TYPE_OFFSET = 2,
    LINK_INDEX_OFFSET = 4,
    LINK_FLAGS_OFFSET = 8,
    ATTRIBUTE_HEADER_BYTES = 4,
    ATTRIBUTE_TYPE_MASK = 0x3fff, /* the two high bits are flags */
    ATTRIBUTE_ADDRESS = 1,
    ATTRIBUTE_BROADCAST = 2,
    ATTRIBUTE_NAME = 3,
    ATTRIBUTE_ALIAS = 20,
    ATTRIBUTE_STATS64 = 23,
};

/* Attributes that hold a number of one or four bytes. */
static const struct number_attribute {
    unsigned type;
    unsigned size;
    unsigned bit;
    size_t offset; /* of the uint32_t in struct procfs_link */
} number_attributes[] = {
    {4, 4, PROCFS_LINK_HAS_MTU, offsetof(struct procfs_link, mtu)},
    {5, 4, PROCFS_LINK_HAS_LINK, offsetof(struct procfs_link, link)},
    {13, 4, PROCFS_LINK_HAS_QUEUE_LENGTH, offsetof(struct procfs_link, queue_length)},
    {16, 1, PROCFS_LINK_HAS_OPERSTATE, offsetof(struct procfs_link, operstate)},
    {17, 1, PROCFS_LINK_HAS_LINK_MODE, offsetof(struct procfs_link, link_mode)},
    {27, 4, PROCFS_LINK_HAS_GROUP, offsetof(struct procfs_link, group)},
    {30, 4, PROCFS_LINK_HAS_PROMISCUITY, offsetof(struct procfs_link, promiscuity)},
    {33, 1, PROCFS_LINK_HAS_CARRIER, offsetof(struct procfs_link, carrier)},
    {35, 4, PROCFS_LINK_HAS_CARRIER_CHANGES, offsetof(struct procfs_link, carrier_changes)},
    {47, 4, PROCFS_LINK_HAS_CARRIER_UPS, offsetof(struct procfs_link, carrier_ups)},
    {48, 4, PROCFS_LINK_HAS_CARRIER_DOWNS, offsetof(struct procfs_link, carrier_downs)},
    {61, 4, PROCFS_LINK_HAS_ALLMULTI, offsetof(struct procfs_link, allmulti)},
};

const char *procfs_link_operstate(uint32_t operstate)
{
    static const char *const names[] = {
        "unknown", "notpresent", "down", "lowerlayerdown", "testing", "dormant", "up"};
    return operstate < sizeof(names) / sizeof(names[0]) ? names[operstate] : "unknown";
}

static int read_stats(struct str value, struct procfs_link *link)
{
    size_t count = value.len / sizeof(uint64_t);
    if (count < PROCFS_LINK_STATS_MIN) {
        return ERR_CORRUPT;
    }
    count = count < PROCFS_LINK_STATS ? count : PROCFS_LINK_STATS;
    memcpy(link->stats, value.ptr, count * sizeof(uint64_t));
    link->stat_count = (int)count;
    return 0;
}

static int read_number(unsigned type, struct str value, struct procfs_link *link)
{
    for (size_t i = 0; i < sizeof(number_attributes) / sizeof(number_attributes[0]); i++) {
        const struct number_attribute *attribute = &number_attributes[i];
        if (attribute->type != type) {
            continue;
        }
        if (value.len < attribute->size) {
            return ERR_CORRUPT;
        }
        uint32_t number =
            attribute->size == 1 ? (uint8_t)value.ptr[0] : procfs_netlink_u32(value.ptr);
        memcpy((char *)link + attribute->offset, &number, sizeof(number));
        link->present |= attribute->bit;
    }
    return 0;
}

static int read_attribute(unsigned type, struct str value, struct procfs_link *link)
{
    switch (type) {
    case ATTRIBUTE_ADDRESS:
        link->address = value;
        return 0;
    case ATTRIBUTE_BROADCAST:
        link->broadcast = value;
        return 0;
    case ATTRIBUTE_NAME:
        link->name = str_make(value.ptr, strnlen(value.ptr, value.len));
        return 0;
    case ATTRIBUTE_ALIAS:
        link->alias = str_make(value.ptr, strnlen(value.ptr, value.len));
        return 0;
    case ATTRIBUTE_STATS64:
        return read_stats(value, link);
    default:
        return read_number(type, value, link);
    }
}

static int read_link(struct str payload, struct procfs_link *link_out)
{
    if (payload.len < LINK_HEADER_BYTES) {
        return ERR_CORRUPT;
    }
    struct procfs_link link = {
        .index = (int32_t)procfs_netlink_u32(payload.ptr + LINK_INDEX_OFFSET),
        .hardware_type = procfs_netlink_u16(payload.ptr + LINK_TYPE_OFFSET),
        .flags = procfs_netlink_u32(payload.ptr + LINK_FLAGS_OFFSET),
    };
    struct str rest = str_skip(payload, LINK_HEADER_BYTES);
    while (rest.len >= ATTRIBUTE_HEADER_BYTES) {
        size_t length = procfs_netlink_u16(rest.ptr);
        unsigned type = procfs_netlink_u16(rest.ptr + 2) & ATTRIBUTE_TYPE_MASK;
        if (length < ATTRIBUTE_HEADER_BYTES || length > rest.len) {
            return ERR_CORRUPT;
        }
        struct str value =
            str_make(rest.ptr + ATTRIBUTE_HEADER_BYTES, length - ATTRIBUTE_HEADER_BYTES);
        int status = read_attribute(type, value, &link);
        if (status != 0) {
            return status;
        }
        rest = str_skip(rest, procfs_netlink_padded(length));
    }
    if (link.name.len == 0) {
        return ERR_CORRUPT;
    }
    *link_out = link;
    return PROCFS_NETLINK_ROW;
}

int procfs_link_next(struct str *rest, struct procfs_link *link_out)
{
    struct str payload;
    int result = procfs_netlink_next(rest, MESSAGE_NEWLINK, &payload);
    return result == PROCFS_NETLINK_ROW ? read_link(payload, link_out) : result;
}
