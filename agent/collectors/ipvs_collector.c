/* The kernel's load balancer: totals, and each backend of each service. */
#include <arpa/inet.h>

#include "base/mem.h"
#include "collectors/rows.h"
#include "procfs/ip_vs.h"

#define BACKENDS_MAX 65536
#define MARK_MAX 32
#define PROTOCOL_MAX 8

struct backend_row {
    struct procfs_ip_vs_backend backend; /* its slices are not used after the read */
    char protocol[PROTOCOL_MAX];
    char mark[MARK_MAX];
    char local[INET6_ADDRSTRLEN]; /* empty for services by mark */
    char remote[INET6_ADDRSTRLEN];
};

struct ipvs_state {
    struct kept_file totals;
    struct kept_file table;
    struct backend_row *rows;
    size_t count, cap;
};

static void print_address(const struct procfs_ip_vs_address *address, char text[INET6_ADDRSTRLEN])
{
    int family = address->length == 4 ? AF_INET : AF_INET6;
    text[0] = '\0';
    if (address->length > 0) {
        (void)inet_ntop(family, address->bytes, text, INET6_ADDRSTRLEN); // there is room for any
    }
}

static int copy_word(struct str word, char *buffer, size_t size)
{
    if (word.len >= size) {
        return ERR_LIMIT;
    }
    if (word.len > 0) {
        memcpy(buffer, word.ptr, word.len);
    }
    buffer[word.len] = '\0';
    return 0;
}

static int add_row(struct ipvs_state *s, const struct procfs_ip_vs_backend *backend)
{
    int status =
        mem_array_grow((void **)&s->rows, &s->cap, s->count + 1, sizeof(*s->rows), BACKENDS_MAX);
    if (status != 0) {
        return status;
    }
    struct backend_row *row = &s->rows[s->count];
    row->backend = *backend;
    print_address(&backend->local, row->local);
    print_address(&backend->remote, row->remote);
    status = copy_word(backend->protocol, row->protocol, sizeof(row->protocol));
    if (status == 0) {
        status = copy_word(backend->mark, row->mark, sizeof(row->mark));
    }
    s->count += status == 0;
    return status;
}

static int read_rows(struct collect *c, struct ipvs_state *s)
{
    struct str text;
    s->count = 0;
    int status = collect_read(c, &s->table, COLLECT_PROC, "net/ip_vs", &text);
    struct procfs_ip_vs_iter iter = {.rest = text};
    struct procfs_ip_vs_backend backend;
    while (status == 0 && (status = procfs_ip_vs_next(&iter, &backend)) > 0) {
        status = add_row(s, &backend);
    }
    return status;
}

static void give_backends(struct collect *c, const struct ipvs_state *s, const char *name,
    const char *help, size_t offset)
{
    metric_family(c->sink, name, METRIC_TYPE_GAUGE, help);
    for (size_t i = 0; i < s->count; i++) {
        const struct backend_row *row = &s->rows[i];
        struct number_text local_port, remote_port;
        struct label_pair labels[] = {
            {"local_address", str_of(row->local)},
            {"local_mark", str_of(row->mark)},
            {"local_port", collect_number_text(row->backend.local.port, &local_port)},
            {"proto", str_of(row->protocol)},
            {"remote_address", str_of(row->remote)},
            {"remote_port", collect_number_text(row->backend.remote.port, &remote_port)},
        };
        uint64_t value;
        memcpy(&value, (const char *)&row->backend + offset, sizeof(value));
        metric_sample(c->sink, labels, sizeof(labels) / sizeof(labels[0]), (double)value);
    }
}

static int give_totals(struct collect *c, struct ipvs_state *s)
{
    struct str text;
    struct procfs_ip_vs_totals totals;
    int status = collect_read(c, &s->totals, COLLECT_PROC, "net/ip_vs_stats", &text);
    if (status != 0 || (status = procfs_ip_vs_totals_parse(text, &totals)) != 0) {
        return status;
    }
    metric_single(c->sink, "node_ipvs_connections_total", METRIC_TYPE_COUNTER, "Connections made.",
        (double)totals.connections);
    metric_single(c->sink, "node_ipvs_incoming_bytes_total", METRIC_TYPE_COUNTER,
        "Bytes from clients.", (double)totals.incoming_bytes);
    metric_single(c->sink, "node_ipvs_incoming_packets_total", METRIC_TYPE_COUNTER,
        "Packets from clients.", (double)totals.incoming_packets);
    metric_single(c->sink, "node_ipvs_outgoing_bytes_total", METRIC_TYPE_COUNTER,
        "Bytes to clients.", (double)totals.outgoing_bytes);
    metric_single(c->sink, "node_ipvs_outgoing_packets_total", METRIC_TYPE_COUNTER,
        "Packets to clients.", (double)totals.outgoing_packets);
    return 0;
}

static int ipvs_collect(struct collect *c, void *state)
{
    struct ipvs_state *s = state;
    int status = give_totals(c, s);
    if (status != 0) {
        return status;
    }
    status = read_rows(c, s);
    give_backends(c, s, "node_ipvs_backend_connections_active", "Active connections of a backend.",
        offsetof(struct procfs_ip_vs_backend, active_connections));
    give_backends(c, s, "node_ipvs_backend_connections_inactive",
        "Inactive connections of a backend.",
        offsetof(struct procfs_ip_vs_backend, inactive_connections));
    give_backends(c, s, "node_ipvs_backend_weight", "Weight of a backend.",
        offsetof(struct procfs_ip_vs_backend, weight));
    return status;
}

static void ipvs_close(struct collect *c, void *state)
{
    struct ipvs_state *s = state;
    kept_file_close(c, &s->totals);
    kept_file_close(c, &s->table);
    mem_free(s->rows);
}

const struct collector ipvs_collector = {
    .name = "ipvs",
    .help = "The kernel's load balancer (/proc/net/ip_vs)",
    .default_enabled = true,
    .state_size = sizeof(struct ipvs_state),
    .collect = ipvs_collect,
    .close = ipvs_close,
};
