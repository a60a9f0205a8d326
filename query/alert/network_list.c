/* The table of what is not the public internet, and the search in it. */
#include "alert/network_list.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

static const uint8_t MAPPED[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

int network_parse(struct str text, struct network *network_out, struct err *e)
{
    char buffer[64];
    struct str bits_text = text;
    struct str address = str_split(&bits_text, '/');
    uint64_t bits = 0;
    struct network n = {.bits = 128};
    if (address.len >= sizeof(buffer)) {
        address.len = 0;
    }
    (void)snprintf(buffer, sizeof(buffer), "%.*s", STR_ARG(address));
    bool v4 = inet_pton(AF_INET, buffer, n.address + 12) == 1;
    if (v4) {
        memcpy(n.address, MAPPED, sizeof(MAPPED));
    } else if (inet_pton(AF_INET6, buffer, n.address) != 1) {
        return err_set(e, ERR_INVALID, -1,
            "\"%.*s\" is not a network; write one like 10.0.0.0/8 or fd00::/8", STR_ARG(text));
    }
    if (bits_text.ptr != NULL) {
        if (str_to_u64(bits_text, &bits) != 0 || bits > (v4 ? 32 : 128)) {
            return err_set(e, ERR_INVALID, -1, "\"%.*s\": the part after the slash is 0 to %d",
                STR_ARG(text), v4 ? 32 : 128);
        }
        n.bits = (uint8_t)(bits + (v4 ? 96 : 0));
    }
    *network_out = n;
    return 0;
}

static bool holds(const struct network *n, const uint8_t address[16])
{
    size_t whole = n->bits / 8;
    unsigned rest = n->bits % 8;
    if (memcmp(n->address, address, whole) != 0) {
        return false;
    }
    return rest == 0 || ((n->address[whole] ^ address[whole]) >> (8 - rest)) == 0;
}

/* IANA's registries of special purpose addresses. */
static const char *const special[] = {
    "0.0.0.0/8",       /* this network */
    "10.0.0.0/8",      /* private */
    "100.64.0.0/10",   /* shared with the provider; some clouds' metadata */
    "127.0.0.0/8",     /* this host */
    "169.254.0.0/16",  /* link-local; metadata of most clouds */
    "172.16.0.0/12",   /* private */
    "192.0.0.0/24",    /* protocol assignments; metadata of one cloud */
    "192.0.2.0/24",    /* documentation */
    "192.88.99.0/24",  /* 6to4 relays */
    "192.168.0.0/16",  /* private */
    "198.18.0.0/15",   /* benchmarks */
    "198.51.100.0/24", /* documentation */
    "203.0.113.0/24",  /* documentation */
    "224.0.0.0/4",     /* multicast */
    "240.0.0.0/4",     /* reserved, broadcast */
    "::/96",           /* unspecified, this host, IPv4-compatible */
    "64:ff9b:1::/48",  /* NAT64 of one's own */
    "100::/64",        /* discard */
    "2001::/32",       /* Teredo */
    "2001:db8::/32",   /* documentation */
    "3fff::/20",       /* documentation */
    "5f00::/16",       /* segment routing */
    "fc00::/7",        /* unique local; metadata over IPv6 */
    "fe80::/10",       /* link-local */
    "fec0::/10",       /* site-local */
    "ff00::/8",        /* multicast */
};

static bool is_special(const uint8_t address[16])
{
    for (size_t i = 0; i < sizeof(special) / sizeof(special[0]); i++) {
        struct network n;
        if (network_parse(str_of(special[i]), &n, NULL) != 0 || holds(&n, address)) {
            return true;
        }
    }
    return false;
}

/* The IPv4 address that an IPv6 address leads to, as a mapped one; false when there is none. */
static bool embedded(const uint8_t address[16], uint8_t v4_out[16])
{
    static const uint8_t nat64[12] = {0x00, 0x64, 0xff, 0x9b};
    static const uint8_t six_to_four[2] = {0x20, 0x02};
    const uint8_t *inner = NULL;
    if (memcmp(address, nat64, sizeof(nat64)) == 0) {
        inner = address + 12;
    } else if (memcmp(address, six_to_four, sizeof(six_to_four)) == 0) {
        inner = address + 2;
    }
    if (inner == NULL) {
        return false;
    }
    memcpy(v4_out, MAPPED, sizeof(MAPPED));
    memcpy(v4_out + 12, inner, 4);
    return true;
}

static bool is_listed(
    const struct network_list *const *lists, size_t count, const uint8_t address[16])
{
    for (size_t i = 0; i < count; i++) {
        for (size_t j = 0; j < lists[i]->count; j++) {
            if (holds(&lists[i]->items[j], address)) {
                return true;
            }
        }
    }
    return false;
}

bool network_allows(
    const struct network_list *const *lists, size_t count, const struct sockaddr *address)
{
    uint8_t bytes[16], inner[16];
    if (address->sa_family == AF_INET) {
        const struct sockaddr_in *v4 = (const struct sockaddr_in *)(const void *)address;
        memcpy(bytes, MAPPED, sizeof(MAPPED));
        memcpy(bytes + 12, &v4->sin_addr, 4);
    } else if (address->sa_family == AF_INET6) {
        const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)(const void *)address;
        memcpy(bytes, &v6->sin6_addr, 16);
    } else {
        return false;
    }
    if (is_listed(lists, count, bytes)) {
        return true;
    }
    return !is_special(bytes) && !(embedded(bytes, inner) && is_special(inner));
}
