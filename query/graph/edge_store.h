/* Halves that wait for each other, and what calls between two services add up to. Private to query/graph;
 * one thread at a time.
 */
#ifndef SONDE_QUERY_EDGE_STORE_H
#define SONDE_QUERY_EDGE_STORE_H

#include "base/err.h"
#include "wire/half_edge.h"

/* Where edges, or names, are too many: what stands for the others. */
#define EDGE_OVERFLOW "__cardinality_overflow__"
#define EDGE_BUCKETS 9 /* the last holds what is above all bounds */
/* Different names of services and their peers. */
#define EDGE_NAMES_MAX 65536

extern const double edge_bounds[EDGE_BUCKETS - 1];

enum edge_kind {
    EDGE_PLAIN,
    EDGE_VIRTUAL_NODE,
    EDGE_MESSAGING_SYSTEM,
    EDGE_DATABASE,
    EDGE_UNPAIRED, /* no call: spans that met nobody; only `total` counts */
};

struct edge_latency {
    double buckets[EDGE_BUCKETS]; /* not cumulative */
    double sum, count;
};

/* Calls from one service to another. */
struct edge {
    uint64_t generation;     /* 0: the place is free */
    uint32_t client, server; /* names; of an unpaired one the other is EDGE_NO_NAME */
    enum edge_kind kind;
    double total, failed;
    struct edge_latency server_latency, client_latency;
    int64_t created_ms, seen_ms;
};

#define EDGE_NO_NAME UINT32_MAX

/* As struct service_graph_options has them. */
struct edge_store_options {
    int64_t wait_ms;
    uint64_t waiting_max, edges_max;
};

/* As struct service_graph_statistics has them. */
struct edge_store_statistics {
    uint64_t halves, repeated, calls, unpaired, evicted, lost, waiting, edges;
};

struct edge_store;

int edge_store_new(const struct edge_store_options *options, struct edge_store **store_out);
/* Accepts NULL. */
void edge_store_free(struct edge_store *s);
/* Never fails: what finds no memory is counted as lost. */
void edge_store_add(struct edge_store *s, const struct half_edge *half, int64_t now_ms);
/* Gives up halves whose time is over. */
void edge_store_expire(struct edge_store *s, int64_t now_ms);
/* Places of edges, free ones among them. */
size_t edge_store_end(const struct edge_store *s);
const struct edge *edge_store_at(const struct edge_store *s, size_t place);
/* The edge has ended. */
void edge_store_remove(struct edge_store *s, size_t place);
struct str edge_store_name(const struct edge_store *s, uint32_t name);
void edge_store_statistics(
    const struct edge_store *s, struct edge_store_statistics *statistics_out);

#endif
