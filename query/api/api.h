/* The HTTP API: Prometheus' endpoints over the engine and the store, remote write in, and the web page.
 *
 *   api_new     the routes exist; all but health checks answer 503 until the store is there
 *   api_serve   engine and store are open: everything answers
 *   api_stop    running queries are canceled, new requests get 503
 *   api_free    after the HTTP server has stopped
 *
 * A handler runs start to end in the thread its lane gave it and answers before it returns. The API
 * holds no data of its own but counters, so any number of threads may be inside at once.
 */
#ifndef SONDE_QUERY_API_H
#define SONDE_QUERY_API_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/grpc_server.h"
#include "base/http_server.h"
#include "base/json.h"
#include "base/strbuf.h"
#include "query/engine.h"
#include "query/notify.h"
#include "tsdb/span_store.h"
#include "tsdb/tsdb.h"
#include "wire/otlp_translate.h"

struct api;
struct rules;
struct slo_manager;

/* A query that took long, as it is told to the program. Slices live during the call. */
struct api_slow_query {
    struct str text, client;
    int64_t start_ms, end_ms, step_ms; /* step 0: an instant query, at end_ms */
    int64_t took_ns;
    uint64_t samples, series, memory_bytes;
    int status; /* 0, or the error it ended with */
};

/* What the program tells about itself and does when asked. Called from any thread. NULL members: the
 * program has nothing to tell, or cannot. */
struct api_program {
    void *context;
    /* Members of an object: flag name to value, as text. */
    void (*write_flags)(void *context, struct json_writer *out);
    /* The configuration in force, as YAML. */
    void (*write_config)(void *context, struct strbuf *out);
    /* Reads the configuration again; on failure the old one stays in force. */
    int (*reload)(void *context, struct err *e);
    /* Begins to stop the program, and returns. NULL: that is not allowed. */
    void (*quit)(void *context);
    void (*slow_query)(void *context, const struct api_slow_query *query);
    /* May a write or a query begin, as far as memory goes? Otherwise it is answered 503. */
    bool (*admit)(void *context);
    const char *data_path;
    int64_t retention_ms; /* 0 = for ever */
    bool admin_api;       /* deleting and snapshots are allowed */
};

struct api_options {
    size_t cache_bytes;                 /* of answers of range queries that are kept; 0 = none */
    struct otlp_translate_options otlp; /* lists are borrowed as long as the API lives */
    size_t otlp_delta_series_max;       /* 0 = OTLP_DELTA_SERIES_DEFAULT */
    unsigned streams_max;               /* answers in pieces at a time; 0 = 1 */
    struct clock *clock;                /* NULL = clock_real() */
    struct api_program program;
};

/* What requests are answered from; all borrowed until the HTTP server has stopped. */
struct api_backend {
    struct engine *engine;
    struct promql_features features; /* the engine's, for parsing without evaluating */
    struct querier_source *reads;
    struct appender_source *writes;
    struct tsdb *db;
    struct span_store *spans;    /* NULL: no traces are kept */
    struct service_graph *graph; /* NULL: calls between services are not counted */
    struct rules *rules;         /* NULL: none are evaluated */
    struct slo_manager *slos;    /* NULL: none are evaluated */
    struct notify *notify;       /* NULL: alerts are not known here */
};

/* What one query may use; may change while requests run. Zero means the engine's own. */
struct api_query_limits {
    int64_t lookback_ms;
    int64_t timeout_ms;
    uint64_t samples_max;
    int64_t slow_ms; /* queries that take so long are told to the program; 0 = none */
};

int api_new(const struct api_options *options, struct api **api_out);
/* Accepts NULL. */
void api_free(struct api *api);
/* Once. From here on requests are answered. */
void api_serve(struct api *api, const struct api_backend *backend);
void api_stop(struct api *api);
void api_set_query_limits(struct api *api, const struct api_query_limits *limits);
/* How the last reload went, for /api/v1/status/runtimeinfo. */
void api_note_reload(struct api *api, bool success);

/* The rows for http_server_start, `context` set; they live as long as the API. */
const struct http_route *api_http_routes(const struct api *api, size_t *count_out);
/* The rows for grpc_server_start, likewise: OTLP's metrics and traces. */
const struct grpc_method *api_grpc_methods(const struct api *api, size_t *count_out);
/* The table of docs/http-api.md, in Markdown. */
void api_write_reference(struct strbuf *out);

#endif
