/* Which addresses a message may be sent to. Receivers' addresses come from configuration that may be
 * written by many people, and from names that may resolve to anything a moment later: so it is the address
 * about to be connected to that is judged, and nothing else (base/http_client.h, `may_connect`).
 *
 * Refused unless a configured network holds them: this host, private and shared networks, link-local
 * ones (which cloud providers answer metadata requests from), multicast, what is reserved, and every way of
 * writing such an IPv4 address in IPv6: mapped, compatible, 6to4, Teredo and NAT64 (RFC 6890, 6052, 8215).
 */
#ifndef SONDE_QUERY_NETWORK_LIST_H
#define SONDE_QUERY_NETWORK_LIST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#include "base/err.h"
#include "base/str.h"

/* Of one list. */
#define NETWORKS_MAX 64

/* IPv4 is held as ::ffff:a.b.c.d. */
struct network {
    uint8_t address[16];
    uint8_t bits; /* of 128 */
};

struct network_list {
    struct network *items;
    size_t count;
};

/* "10.0.0.0/8", "192.0.2.7", "fd00::/8". ERR_INVALID with a sentence. */
int network_parse(struct str text, struct network *network_out, struct err *e);
/* May one connect to it, when `lists` name what is allowed besides the public internet? Only IPv4 and IPv6
 * may. */
bool network_allows(
    const struct network_list *const *lists, size_t count, const struct sockaddr *address);

#endif
