/* Parser of the load balancer's tables; the formats are in the header. */
#include "procfs/ip_vs.h"

#include <stdbool.h>

#include "base/err.h"
#include "procfs/field.h"

#define IPV4_DIGITS 8
#define IPV6_GROUPS 8

static int parse_ipv4(struct str text, struct procfs_ip_vs_address *address)
{
    uint64_t value;
    if (text.len != IPV4_DIGITS || field_hex(text, &value) != 0) {
        return ERR_CORRUPT;
    }
    for (int i = 0; i < 4; i++) {
        address->bytes[i] = (uint8_t)(value >> (24 - 8 * i));
    }
    address->length = 4;
    return 0;
}

/* Eight groups of four digits, without shortening. */
static int parse_ipv6(struct str text, struct procfs_ip_vs_address *address)
{
    for (int i = 0; i < IPV6_GROUPS; i++) {
        uint64_t group;
        struct str digits = str_split(&text, ':');
        if (digits.len != 4 || field_hex(digits, &group) != 0) {
            return ERR_CORRUPT;
        }
        address->bytes[2 * i] = (uint8_t)(group >> 8);
        address->bytes[2 * i + 1] = (uint8_t)group;
    }
    address->length = 16;
    return text.ptr == NULL ? 0 : ERR_CORRUPT;
}

/* "C0A80016:0CEA" or "[2620:…:0001]:0050" */
static int parse_address(struct str field, struct procfs_ip_vs_address *address_out)
{
    struct procfs_ip_vs_address address = {.length = 0};
    const char *colon = field.len > 0 ? memrchr(field.ptr, ':', field.len) : NULL;
    if (colon == NULL) {
        return ERR_CORRUPT;
    }
    struct str host = str_make(field.ptr, (size_t)(colon - field.ptr));
    bool bracketed = host.len > 2 && host.ptr[0] == '[' && host.ptr[host.len - 1] == ']';
    int status = bracketed ? parse_ipv6(str_make(host.ptr + 1, host.len - 2), &address)
                           : parse_ipv4(host, &address);
    if (status != 0 || field_hex(str_skip(field, host.len + 1), &address.port) != 0) {
        return ERR_CORRUPT;
    }
    *address_out = address;
    return 0;
}

static int parse_service(struct str protocol, struct str line, struct procfs_ip_vs_backend *service)
{
    struct str field;
    if (!field_next(&line, &field)) {
        return ERR_CORRUPT;
    }
    *service = (struct procfs_ip_vs_backend){.protocol = protocol};
    if (str_eq(protocol, STR("FWM"))) {
        service->mark = field;
        return 0;
    }
    return parse_address(field, &service->local);
}

static int parse_backend(struct str line, struct procfs_ip_vs_backend *backend)
{
    struct str address, method;
    if (!field_next(&line, &address) || parse_address(address, &backend->remote) != 0 ||
        !field_next(&line, &method) || field_next_u64(&line, &backend->weight) != 0 ||
        field_next_u64(&line, &backend->active_connections) != 0 ||
        field_next_u64(&line, &backend->inactive_connections) != 0) {
        return ERR_CORRUPT;
    }
    return 0;
}

static bool is_protocol(struct str word)
{
    return str_eq(word, STR("TCP")) || str_eq(word, STR("UDP")) || str_eq(word, STR("SCTP")) ||
           str_eq(word, STR("FWM"));
}

int procfs_ip_vs_next(struct procfs_ip_vs_iter *iter, struct procfs_ip_vs_backend *backend_out)
{
    struct str line, word;
    int status;
    while ((status = field_next_line(&iter->rest, &line)) > 0) {
        if (!field_next(&line, &word)) {
            return ERR_CORRUPT;
        }
        if (is_protocol(word)) {
            status = parse_service(word, line, &iter->service);
            if (status != 0) {
                return status;
            }
        } else if (str_eq(word, STR("->")) && iter->service.protocol.len > 0) {
            struct procfs_ip_vs_backend backend = iter->service;
            status = parse_backend(line, &backend);
            if (status != 0) {
                return status;
            }
            *backend_out = backend;
            return 1;
        }
    }
    return status;
}

int procfs_ip_vs_totals_parse(struct str text, struct procfs_ip_vs_totals *totals_out)
{
    struct str line;
    struct procfs_ip_vs_totals totals;
    for (int i = 0; i < 3; i++) {
        if (field_next_line(&text, &line) != 1) {
            return ERR_CORRUPT;
        }
    }
    if (field_next_hex(&line, &totals.connections) != 0 ||
        field_next_hex(&line, &totals.incoming_packets) != 0 ||
        field_next_hex(&line, &totals.outgoing_packets) != 0 ||
        field_next_hex(&line, &totals.incoming_bytes) != 0 ||
        field_next_hex(&line, &totals.outgoing_bytes) != 0) {
        return ERR_CORRUPT;
    }
    *totals_out = totals;
    return 0;
}
