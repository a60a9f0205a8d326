/* The store's statistics and the lanes' depths among the server's own metrics. */
#ifndef SONDE_QUERY_SERVER_METRICS_H
#define SONDE_QUERY_SERVER_METRICS_H

#include "base/workpool.h"
#include "query/engine.h"
#include "query/service_graph.h"
#include "server/memory_guard.h"
#include "tsdb/span_store.h"
#include "tsdb/tsdb.h"

struct server_metrics {
    struct tsdb *db;
    struct workpool *ingest, *query;
    struct engine *engine;
    struct memory_guard *memory; /* may be NULL */
    struct span_store *spans;
    struct service_graph *graph; /* may be NULL */
};

/* `source` is borrowed until server_metrics_end. */
void server_metrics_begin(struct server_metrics *source);
void server_metrics_end(struct server_metrics *source);

#endif
