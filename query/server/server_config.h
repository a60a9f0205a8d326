/* The server's settings: one struct, one table, read from YAML and from flags.
 *
 * A flag that is given wins over the file, the file over the default. Without a file everything has its
 * default, and the server works.
 */
#ifndef SONDE_QUERY_SERVER_CONFIG_H
#define SONDE_QUERY_SERVER_CONFIG_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/config.h"
#include "base/err.h"
#include "base/flags.h"
#include "base/log.h"
#include "base/strbuf.h"
#include "query/engine.h"
#include "server/notification.h"
#include "server/tier_config.h"
#include "tsdb/tsdb.h"
#include "wire/otlp_settings.h"

struct server_storage_config {
    int64_t retention_ms;                  /* 0 = for ever */
    int64_t retention_bytes;               /* 0 = as many as there is room for */
    struct config_strings retention_rules; /* see retention_rules.h */
    int64_t disk_low_bytes, disk_refuse_bytes, ballast_bytes, scrub_bytes;
    int64_t seal_interval_ms;
    int64_t future_limit_ms;
    int64_t exemplar_retention_ms, exemplars_per_minute; /* 0 = for ever, any */
    enum wal_sync_policy wal_sync;
    struct config_strings identity_labels; /* none = the store's own list */
    struct tiers_config tiers;
};

struct server_query_config {
    int64_t timeout_ms, lookback_ms;
    int64_t concurrency_max; /* 0 = by the number of CPUs */
    int64_t queued_max;
    int64_t samples_max;
    int64_t memory_bytes;
    int64_t memory_total_bytes; /* 0 = by the machine's memory */
    int64_t cost_max;
    int64_t slow_ms;     /* 0 = none are logged */
    int64_t cache_bytes; /* 0 = no answers are kept */
};

struct server_web_config {
    const char *route_prefix, *external_url, *cors_origin, *config_file;
    bool admin_api, lifecycle;
    int64_t read_timeout_ms;
    int64_t connections_max, ingest_threads; /* 0 threads = by the number of CPUs */
    int64_t body_bytes_max;
};

/* Of gRPC; a server that nobody told goes without it when it is in use. */
#define SERVER_GRPC_LISTEN_DEFAULT "127.0.0.1:4317"

struct server_otlp_config {
    const char *grpc_listen; /* "" = not at all */
    struct otlp_settings metrics;
};

/* Calls between services. */
struct server_graph_config {
    bool enabled;
    int64_t interval_ms, wait_ms, waiting_max, edges_max, idle_ms;
};

struct server_traces_config {
    int64_t retention_ms;
    int64_t retention_errors_ms; /* of traces with an error; 0 = as all others */
    int64_t retention_bytes;     /* 0 = as many as there is room for */
    int64_t future_limit_ms;     /* spans further ahead are refused; 0 = any are taken */
    struct config_strings retention_services; /* see retention_rules.h */
    struct server_graph_config service_graph;
};

/* How rules are evaluated. */
struct server_evaluation_config {
    int64_t interval_ms, query_offset_ms, catch_up_ms, threads;
    struct config_map external_labels;
};

struct server_config {
    const char *listen, *data;
    int64_t memory_limit; /* bytes; 0 = by what the host or container has */
    enum log_level log_level;
    struct server_storage_config storage;
    struct server_query_config query;
    struct server_web_config web;
    struct series_limits limits;
    struct server_otlp_config otlp;
    struct server_traces_config traces;
    struct server_alerting_config alerting;
    struct config_strings features;
    struct config_strings rules; /* patterns of rule files */
    struct config_strings slo;   /* patterns of files of objectives */
    struct server_evaluation_config evaluation;
};

/* What the command line said; NULL and negative: nothing. */
struct server_flags {
    const char *config, *data, *listen, *otlp_grpc_listen, *log_level, *route_prefix, *external_url,
        *cors_origin, *web_config;
    const char *print_reference, *alerting;
    int64_t memory_limit, retention_ms, retention_bytes, query_timeout_ms, lookback_ms,
        concurrency_max, samples_max;
    int64_t slow_ms, cache_bytes;
    struct flag_strings features, rules, slo;
    bool version, help, check_config, admin_api, lifecycle;
};

#define SERVER_FLAGS_MAX 32
/* Fills `flags` with "nothing said" and `table` with rows that write to it. */
void server_flags_init(struct server_flags *flags, struct flag table[SERVER_FLAGS_MAX]);

/* The rows, for the reference. */
extern const struct config_field server_config_fields[];

/* Defaults, then the file (NULL: none), then the flags (NULL: none); checked. Strings live in `arena`
 * or are borrowed from argv. ERR_INVALID with file, line and column; ERR_NOT_FOUND, ERR_IO … */
int server_config_load(struct arena *arena, const char *path, const struct server_flags *flags,
    struct server_config *config_out, struct err *e);
/* What the features' names switch on. */
void server_config_features(const struct server_config *config, struct engine_options *engine);
/* The configuration as a file that reads back to the same, but for its secrets: these are `<secret>`, as
 * everybody may see the file on the status page. */
void server_config_write(const struct server_config *config, struct strbuf *out);
/* The first setting that differs and only a restart brings into force, or NULL. */
const char *server_config_needs_restart(
    const struct server_config *before, const struct server_config *after);

#endif
