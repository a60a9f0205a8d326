/* The API from inside: what its handlers share. */
#ifndef SONDE_QUERY_API_PRIVATE_H
#define SONDE_QUERY_API_PRIVATE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "api/active_queries.h"
#include "api/api.h"
#include "api/api_metrics.h"
#include "api/api_request.h"
#include "api/result_cache.h"
#include "api/top_queries.h"
#include "base/lock.h"

enum api_stage { API_STARTING, API_SERVING, API_STOPPING };

#define API_GRPC_METHODS_MAX 4

/* Memory of one answer that is not a query's. */
#define API_ARENA_BYTES_MAX ((size_t)1 << 30)

/* Buffers of one write, kept for the next one. */
struct write_buffers {
    struct write_buffers *next;
    struct strbuf message;
};

struct api {
    struct api_program program;
    struct clock *clock;
    int64_t started_ms;
    _Atomic int stage;
    atomic_bool canceled;     /* every running query looks at it */
    _Atomic unsigned streams; /* answers that go out in pieces now */
    unsigned streams_max;
    struct api_backend backend; /* written before the stage is API_SERVING, constant after */

    /* Limits of queries, one by one: a query that begins in the middle of a change may see a mix. */
    _Atomic int64_t lookback_ms, timeout_ms, slow_ms;
    _Atomic uint64_t samples_max;

    struct active_queries active;
    struct top_queries top;
    struct result_cache *cache; /* NULL: answers are not kept */

    _Atomic int64_t reloaded_ms, reload_failed_ms; /* the last of each; 0 = none failed */
    atomic_bool reload_succeeded;
    /* Monotonic time of the last commit that failed at the disk; 0 = the last one worked. */
    _Atomic int64_t write_failed_ns;

    struct lock lock; /* guards free_buffers */
    struct write_buffers *free_buffers;

    struct http_route *http_routes;
    struct api_route_context *route_contexts;
    size_t route_count;

    struct grpc_method grpc_methods[API_GRPC_METHODS_MAX];
    size_t grpc_method_count;

    struct otlp_translate_options otlp;
    struct otlp_delta *otlp_delta;
};

/* api_grpc.c: fills the table. */
void api_grpc_init(struct api *api);

/* A row of the API's own table: what http_server wants to know, and what only the API does. */
struct api_route {
    const char *method, *path;
    api_handler handler;
    enum http_lane lane;
    bool before_ready; /* answered while the store is not there */
    enum api_timing timing;
    const char *parameters; /* for docs */
    const char *help;
};

/* Ended by a row without path. */
extern const struct api_route api_routes[];

/* "GET POST" -> "GET, POST" */
void api_write_methods(const char *methods, struct strbuf *out);

/* The writes' buffers, in api_write.c. */
void api_write_release_buffers(struct api *api);

/* ---- Handlers, by file ---- */

/* api_write.c */
void api_remote_write(struct api_request *r);
/* api_otlp.c */
void api_otlp_metrics(struct api_request *r);
void api_otlp_traces(struct api_request *r);
/* api_span_push.c */
void api_zipkin_push(struct api_request *r);
void api_jaeger_push(struct api_request *r);
/* api_traces.c */
void api_tempo_echo(struct api_request *r);
void api_tempo_trace(struct api_request *r);
void api_tempo_trace_v2(struct api_request *r);
/* Tempo's or Jaeger's answer, by what the client accepts. */
void api_either_trace(struct api_request *r);
/* api_tempo.c */
void api_tempo_search(struct api_request *r);
void api_tempo_tags(struct api_request *r);
void api_tempo_tags_v2(struct api_request *r);
void api_tempo_tag_values(struct api_request *r);
void api_tempo_tag_values_v2(struct api_request *r);
/* api_tempo_metrics.c */
void api_tempo_query_range(struct api_request *r);
void api_tempo_query_instant(struct api_request *r);
/* api_jaeger.c */
void api_jaeger_services(struct api_request *r);
void api_jaeger_operations(struct api_request *r);
void api_jaeger_service_operations(struct api_request *r);
void api_jaeger_trace(struct api_request *r);
void api_jaeger_search(struct api_request *r);
void api_jaeger_dependencies(struct api_request *r);
void api_jaeger_archive(struct api_request *r);
/* api_jaeger_v3.c */
void api_jaeger_v3_services(struct api_request *r);
void api_jaeger_v3_operations(struct api_request *r);
void api_jaeger_v3_trace(struct api_request *r);
void api_jaeger_v3_search(struct api_request *r);
void api_jaeger_v3_summaries(struct api_request *r);
/* api_zipkin.c */
void api_zipkin_services(struct api_request *r);
void api_zipkin_spans(struct api_request *r);
void api_zipkin_nothing(struct api_request *r);
void api_zipkin_remote_services(struct api_request *r);
void api_zipkin_trace(struct api_request *r);
void api_zipkin_search(struct api_request *r);
void api_zipkin_many(struct api_request *r);
void api_zipkin_dependencies(struct api_request *r);
/* api_read.c */
void api_remote_read(struct api_request *r);
/* api_import.c */
void api_import_json(struct api_request *r);
void api_import_prometheus(struct api_request *r);
/* api_export.c */
void api_export(struct api_request *r);
/* api_federate.c */
void api_federate(struct api_request *r);
/* api_query.c */
void api_query_instant(struct api_request *r);
void api_query_range(struct api_request *r);
void api_format_query(struct api_request *r);
void api_parse_query(struct api_request *r);
/* api_queries.c */
void api_active_queries(struct api_request *r);
void api_kill_query(struct api_request *r);
void api_top_queries(struct api_request *r);
/* api_series.c */
void api_series(struct api_request *r);
void api_label_names(struct api_request *r);
void api_label_values(struct api_request *r);
/* api_metadata.c */
void api_metadata(struct api_request *r);
void api_targets(struct api_request *r);
void api_targets_metadata(struct api_request *r);
void api_scrape_pools(struct api_request *r);
void api_alertmanagers(struct api_request *r);
/* api_rules.c */
void api_rules(struct api_request *r);
void api_alerts(struct api_request *r);
void api_rule_config(struct api_request *r);
/* api_slo.c */
void api_slos(struct api_request *r);
void api_slo_history(struct api_request *r);
void api_slo_backtest(struct api_request *r);
void api_slo_preview(struct api_request *r);
void api_slo_openslo(struct api_request *r);
void api_slo_exclusions(struct api_request *r);
/* api_features.c */
void api_features(struct api_request *r);
/* api_exemplars.c */
void api_exemplars(struct api_request *r);
/* api_status.c */
void api_status_buildinfo(struct api_request *r);
void api_status_runtimeinfo(struct api_request *r);
void api_status_flags(struct api_request *r);
void api_status_config(struct api_request *r);
void api_status_walreplay(struct api_request *r);
void api_status_blocks(struct api_request *r);
void api_version(struct api_request *r);

/* api_notifications.c */
void api_notifications(struct api_request *r);
void api_notifications_live(struct api_request *r);
/* api_cardinality.c */
void api_status_tsdb(struct api_request *r);
/* api_lifecycle.c */
void api_healthy(struct api_request *r);
void api_ready(struct api_request *r);
void api_reload(struct api_request *r);
void api_quit(struct api_request *r);
void api_metrics_page(struct api_request *r);
void api_nothing_here(struct api_request *r);
/* api_admin.c */
void api_compact(struct api_request *r);
void api_delete_series(struct api_request *r);
void api_clean_tombstones(struct api_request *r);
void api_snapshot(struct api_request *r);
/* api_alertmanager.c */
void api_am_status(struct api_request *r);
void api_am_receivers(struct api_request *r);
void api_am_alerts(struct api_request *r);
void api_am_post_alerts(struct api_request *r);
void api_am_groups(struct api_request *r);
void api_am_silences(struct api_request *r);
void api_am_post_silence(struct api_request *r);
void api_am_silence(struct api_request *r);
void api_am_expire_silence(struct api_request *r);
void api_deliveries(struct api_request *r);
void api_delivery(struct api_request *r);
void api_replay_delivery(struct api_request *r);
/* api_page.c */
void api_page(struct api_request *r);

#endif
