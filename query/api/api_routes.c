/* All paths of the server, and their reference for people. A path is served by adding a row. */
#include "api/api_private.h"

/* Shorthands for rows: who runs it. */
#define DIRECT HTTP_LANE_DIRECT
#define INGEST HTTP_LANE_INGEST
#define QUERY HTTP_LANE_QUERY
#define UNTIMED API_TIMING_NONE
#define RANGE "start, end, limit"

const struct api_route api_routes[] = {
    /* Reading */
    {"GET POST", "/api/v1/query", api_query_instant, QUERY, false, API_TIMING_QUERY,
        "query, time, timeout, limit, lookback_delta, stats, explain",
        "Evaluates an expression at one time (now, when none is given)."},
    {"GET POST", "/api/v1/query_range", api_query_range, QUERY, false, API_TIMING_QUERY,
        "query, start, end, step, timeout, limit, lookback_delta, stats, nocache, explain",
        "Evaluates an expression at each step from start to end; at most 11 000 steps."},
    {"GET POST", "/api/v1/format_query", api_format_query, QUERY, false, UNTIMED, "query",
        "The expression in its canonical layout."},
    {"GET POST", "/api/v1/parse_query", api_parse_query, QUERY, false, UNTIMED, "query",
        "The expression as a tree."},
    {"GET POST", "/api/v1/series", api_series, QUERY, false, API_TIMING_QUERY, "match[], " RANGE,
        "The label sets of the series that match any of the selectors."},
    {"GET POST", "/api/v1/labels", api_label_names, QUERY, false, API_TIMING_QUERY,
        "match[], " RANGE, "The names of all labels."},
    {"GET", "/api/v1/label/:name/values", api_label_values, QUERY, false, API_TIMING_QUERY,
        "match[], " RANGE, "The values of one label; the name may be escaped (U__)."},
    {"GET", "/api/v1/metadata", api_metadata, QUERY, false, UNTIMED,
        "metric, limit, limit_per_metric", "Type, help and unit of metrics, as senders gave them."},
    {"GET POST", "/api/v1/query_exemplars", api_exemplars, QUERY, false, UNTIMED,
        "query, start, end", "Exemplars of the series that the expression's selectors name."},

    {"POST", "/api/v1/read", api_remote_read, QUERY, false, API_TIMING_QUERY, "",
        "Remote read: samples, or a stream of chunks, of Prometheus' ReadRequest."},
    {"GET POST", "/federate", api_federate, QUERY, false, API_TIMING_QUERY, "match[]",
        "The newest sample of each series that matches, as a page to be scraped."},

    {"GET POST", "/api/v1/export", api_export, QUERY, false, API_TIMING_QUERY,
        "match[], start, end, max_rows_per_line, histograms",
        "All samples of the series that match, as lines of JSON."},

    /* Rules */
    {"GET", "/api/v1/rules", api_rules, QUERY, false, UNTIMED,
        "type, rule_name[], rule_group[], file[], match[], exclude_alerts, group_limit, "
        "group_next_token",
        "The rule groups that are evaluated, with health, times and active alerts."},
    {"GET", "/api/v1/alerts", api_alerts, QUERY, false, UNTIMED, "",
        "All alerts that are pending or firing."},
    {"GET", "/config/v1/rules", api_rule_config, QUERY, false, UNTIMED, "",
        "The rule groups that were written here, by namespace, as YAML; Mimir's form."},
    {"GET POST DELETE", "/config/v1/rules/*", api_rule_config, QUERY, false, UNTIMED, "",
        "`/{namespace}`: reads or deletes it, or takes one group as YAML (202); "
        "`/{namespace}/{group}`: reads or deletes one."},

    /* SLOs */
    {"GET", "/api/v1/slos", api_slos, QUERY, false, UNTIMED, "name, time",
        "Objectives with budget, burn rates, tiers and forecast, now or at any past time."},
    {"GET", "/api/v1/slos/:name/history", api_slo_history, QUERY, false, UNTIMED,
        "start, end, step", "Budget, burn rates and events over time."},
    {"GET", "/api/v1/slos/:name/backtest", api_slo_backtest, QUERY, false, UNTIMED, "start, end",
        "Every alert there would have been, 30 days back by default."},
    {"GET POST DELETE", "/api/v1/slos/:name/exclusions", api_slo_exclusions, QUERY, false, UNTIMED,
        "id, author, reason",
        "Times that do not count: lists them, takes one as JSON, or removes one."},
    {"GET", "/api/v1/slos/:name/openslo", api_slo_openslo, QUERY, false, UNTIMED, "",
        "The definition in force as OpenSLO v1."},
    {"POST", "/api/v1/slos/preview", api_slo_preview, QUERY, false, UNTIMED, "start, end",
        "What the objectives of a file (the body) would say and would have told."},

    /* Writing */
    {"POST", "/api/v1/write", api_remote_write, INGEST, false, API_TIMING_INGEST, "ack",
        "Takes remote write 1.0 and 2.0; with ack=durable the answer waits until it is synced."},

    {"POST", "/api/v1/otlp/v1/metrics", api_otlp_metrics, INGEST, false, API_TIMING_INGEST, "ack",
        "Takes OTLP metrics as protobuf or JSON; partial success in the answer."},

    {"POST", "/api/v1/import", api_import_json, INGEST, false, API_TIMING_INGEST,
        "extra_label, ack", "Takes series as lines of JSON, as /api/v1/export gives them."},
    {"POST", "/api/v1/import/prometheus", api_import_prometheus, INGEST, false, API_TIMING_INGEST,
        "timestamp, extra_label, ack",
        "Takes the text format or OpenMetrics, with or without times."},

    /* Traces */
    {"POST", "/v1/traces", api_otlp_traces, INGEST, false, API_TIMING_INGEST, "ack",
        "Takes OTLP traces as protobuf or JSON; partial success in the answer."},
    {"POST", "/api/v1/otlp/v1/traces", api_otlp_traces, INGEST, false, API_TIMING_INGEST, "ack",
        "The same."},
    {"POST", "/api/v2/spans", api_zipkin_push, INGEST, false, API_TIMING_INGEST, "ack",
        "Takes Zipkin's spans, version 2, as JSON or protobuf; 202."},
    {"POST", "/api/traces", api_jaeger_push, INGEST, false, API_TIMING_INGEST, "ack",
        "Takes Jaeger's spans, a Batch in Thrift's binary protocol; 202."},
    {"GET", "/api/traces/:id", api_either_trace, QUERY, false, UNTIMED, "",
        "Jaeger's answer; Tempo's for clients that accept `application/protobuf`."},
    {"GET", "/api/services", api_jaeger_services, QUERY, false, UNTIMED, "",
        "Jaeger: the names of all services."},
    {"GET", "/api/services/*", api_jaeger_service_operations, QUERY, false, UNTIMED, "",
        "Jaeger: `/{service}/operations`: names of the operations of a service."},
    {"GET", "/api/operations", api_jaeger_operations, QUERY, false, UNTIMED, "service, spanKind",
        "Jaeger: operations with their kinds."},
    {"GET", "/api/traces", api_jaeger_search, QUERY, false, UNTIMED,
        "service, operation, tags, tag, start, end, lookback, minDuration, maxDuration, limit, "
        "traceID",
        "Jaeger: the newest traces that match."},
    {"GET", "/jaeger/api/services", api_jaeger_services, QUERY, false, UNTIMED, "",
        "Below /jaeger: the names of all services."},
    {"GET", "/jaeger/api/services/*", api_jaeger_service_operations, QUERY, false, UNTIMED, "",
        "Below /jaeger: `/{service}/operations`: names of the operations of a service."},
    {"GET", "/jaeger/api/operations", api_jaeger_operations, QUERY, false, UNTIMED,
        "service, spanKind", "Below /jaeger: operations with their kinds."},
    {"GET", "/jaeger/api/traces", api_jaeger_search, QUERY, false, UNTIMED,
        "service, operation, tags, tag, start, end, lookback, minDuration, maxDuration, limit, "
        "traceID",
        "Below /jaeger: the newest traces that match."},
    {"GET", "/jaeger/api/traces/:id", api_jaeger_trace, QUERY, false, UNTIMED, "",
        "Below /jaeger: one trace."},
    {"GET", "/api/echo", api_tempo_echo, DIRECT, false, UNTIMED, "", "Tempo: says echo."},
    {"GET", "/api/v2/traces/:id", api_tempo_trace_v2, QUERY, false, UNTIMED, "",
        "Tempo: one trace, protobuf or JSON by Accept."},
    {"GET", "/api/status/buildinfo", api_version, DIRECT, false, UNTIMED, "",
        "Tempo: the version of the program."},
    {"GET", "/api/search", api_tempo_search, QUERY, false, UNTIMED,
        "q, tags, minDuration, maxDuration, start, end, limit, spss",
        "Tempo: the newest traces that match a query in TraceQL, or tags."},
    {"GET", "/api/search/tags", api_tempo_tags, QUERY, false, UNTIMED, "start, end",
        "Tempo: keys of attributes."},
    {"GET", "/api/v2/search/tags", api_tempo_tags_v2, QUERY, false, UNTIMED, "scope, start, end",
        "Tempo: keys of attributes by scope."},
    {"GET", "/api/search/tag/*", api_tempo_tag_values, QUERY, false, UNTIMED,
        "q, start, end, limit", "Tempo: `/{tag}/values`: values of a tag."},
    {"GET", "/api/v2/search/tag/*", api_tempo_tag_values_v2, QUERY, false, UNTIMED,
        "q, start, end, limit", "Tempo: `/{tag}/values`: values of a tag with their types."},
    {"GET", "/api/metrics/query_range", api_tempo_query_range, QUERY, false, UNTIMED,
        "q, start, end, step, exemplars", "Tempo: series of a function of metrics."},
    {"GET", "/api/metrics/query", api_tempo_query_instant, QUERY, false, UNTIMED, "q, start, end",
        "Tempo: the same with one sample a series."},
    {"GET", "/tempo/api/echo", api_tempo_echo, DIRECT, false, UNTIMED, "",
        "Below /tempo: says echo."},
    {"GET", "/tempo/api/v2/traces/:id", api_tempo_trace_v2, QUERY, false, UNTIMED, "",
        "Below /tempo: one trace, protobuf or JSON by Accept."},
    {"GET", "/tempo/api/traces/:id", api_tempo_trace, QUERY, false, UNTIMED, "",
        "Below /tempo: the same without its envelope."},
    {"GET", "/tempo/api/status/buildinfo", api_version, DIRECT, false, UNTIMED, "",
        "Below /tempo: the version of the program."},
    {"GET", "/tempo/api/search", api_tempo_search, QUERY, false, UNTIMED,
        "q, tags, minDuration, maxDuration, start, end, limit, spss",
        "Below /tempo: the newest traces that match a query in TraceQL, or tags."},
    {"GET", "/tempo/api/search/tags", api_tempo_tags, QUERY, false, UNTIMED, "start, end",
        "Below /tempo: keys of attributes."},
    {"GET", "/tempo/api/v2/search/tags", api_tempo_tags_v2, QUERY, false, UNTIMED,
        "scope, start, end", "Below /tempo: keys of attributes by scope."},
    {"GET", "/tempo/api/search/tag/*", api_tempo_tag_values, QUERY, false, UNTIMED,
        "q, start, end, limit", "Below /tempo: `/{tag}/values`: values of a tag."},
    {"GET", "/tempo/api/v2/search/tag/*", api_tempo_tag_values_v2, QUERY, false, UNTIMED,
        "q, start, end, limit", "Below /tempo: `/{tag}/values`: values of a tag with their types."},
    {"GET", "/tempo/api/metrics/query_range", api_tempo_query_range, QUERY, false, UNTIMED,
        "q, start, end, step, exemplars", "Below /tempo: series of a function of metrics."},
    {"GET", "/tempo/api/metrics/query", api_tempo_query_instant, QUERY, false, UNTIMED,
        "q, start, end", "Below /tempo: the same with one sample a series."},

    /* The server itself */
    {"GET", "/api/v1/status/buildinfo", api_status_buildinfo, DIRECT, true, UNTIMED, "",
        "The version of the program."},
    {"GET", "/api/v1/status/runtimeinfo", api_status_runtimeinfo, QUERY, false, UNTIMED, "",
        "Start time, retention, how the last reload went."},
    {"GET", "/api/v1/status/flags", api_status_flags, QUERY, false, UNTIMED, "",
        "The command-line flags and their values."},
    {"GET", "/api/v1/status/config", api_status_config, QUERY, false, UNTIMED, "",
        "The configuration in force, as YAML."},
    {"GET", "/api/v1/status/tsdb", api_status_tsdb, QUERY, false, UNTIMED,
        "limit, topN, match[], date",
        "Which metrics, labels and pairs have the most series; `date` (2026-11-22) asks for one "
        "day's."},
    {"GET", "/api/v1/status/tsdb/blocks", api_status_blocks, QUERY, false, UNTIMED, "",
        "The sealed parts: times, samples, bytes, resolution."},
    {"GET", "/api/v1/status/walreplay", api_status_walreplay, DIRECT, true, UNTIMED, "",
        "Whether the write-ahead log is still being replayed."},
    {"GET", "/api/v1/status/active_queries", api_active_queries, DIRECT, false, UNTIMED, "",
        "The queries that run now: text, client, age, samples and memory so far."},
    {"GET", "/api/v1/status/top_queries", api_top_queries, QUERY, false, UNTIMED,
        "topN, maxLifetime",
        "Which of the last queries were asked most, took longest, took most memory; "
        "VictoriaMetrics' form."},
    {"POST PUT", "/api/v1/admin/kill_query", api_kill_query, DIRECT, false, UNTIMED, "id",
        "Ends a query that runs; answers 204, or 404 when it does not run any more."},
    {"POST PUT", "/api/v1/admin/tsdb/compact", api_compact, QUERY, false, UNTIMED, "",
        "Seals and merges everything now; answers 204 when done."},
    {"POST PUT", "/api/v1/admin/tsdb/delete_series", api_delete_series, QUERY, false, UNTIMED,
        "match[], start, end",
        "Deletes what is stored of the series that match; 204. Needs --web.enable-admin-api."},
    {"POST PUT", "/api/v1/admin/tsdb/clean_tombstones", api_clean_tombstones, QUERY, false, UNTIMED,
        "", "Takes what is deleted out of the files now; 204. Needs --web.enable-admin-api."},
    {"POST PUT", "/api/v1/admin/tsdb/snapshot", api_snapshot, QUERY, false, UNTIMED, "skip_head",
        "Makes `snapshots/<name>` in the data directory, a store by hard links, and says the name. "
        "Needs --web.enable-admin-api."},

    /* What clients ask for at their start */
    {"GET", "/api/v1/targets", api_targets, DIRECT, true, UNTIMED, "",
        "Always empty: agents scrape, not the server."},
    {"GET", "/api/v1/targets/metadata", api_targets_metadata, DIRECT, true, UNTIMED,
        "match_target, metric, limit", "Always empty, for the same reason."},
    {"GET", "/api/v1/scrape_pools", api_scrape_pools, DIRECT, true, UNTIMED, "",
        "Always empty, for the same reason."},
    {"GET", "/api/v1/alertmanagers", api_alertmanagers, QUERY, true, UNTIMED, "",
        "The Alertmanagers elsewhere that get all alerts."},

    /* Alertmanager's API, version 2, and the delivery log */
    {"GET", "/api/v2/status", api_am_status, QUERY, false, UNTIMED, "",
        "Version, uptime and the configuration of notification, without secrets."},
    {"GET", "/api/v2/receivers", api_am_receivers, QUERY, false, UNTIMED, "receiver_matchers",
        "The names of receivers, and their labels."},
    {"GET", "/api/v2/alerts", api_am_alerts, QUERY, false, UNTIMED,
        "filter, receiver, receiver_matchers, active, silenced, inhibited, unprocessed, muted",
        "The alerts that fire, and who holds them back."},
    {"POST", "/api/v2/alerts", api_am_post_alerts, QUERY, false, UNTIMED, "",
        "Takes alerts as Prometheus sends them."},
    {"GET", "/api/v2/alerts/groups", api_am_groups, QUERY, false, UNTIMED,
        "filter, receiver, receiver_matchers, active, silenced, inhibited, muted",
        "The same in the groups in which they are told."},
    {"GET", "/api/v2/silences", api_am_silences, QUERY, false, UNTIMED,
        "filter, active, pending, expired", "Silences; those that end soonest first."},
    {"POST", "/api/v2/silences", api_am_post_silence, QUERY, false, UNTIMED, "",
        "Makes a silence, or changes the one whose id is given."},
    {"GET", "/api/v2/silence/:id", api_am_silence, QUERY, false, UNTIMED, "", "One silence."},
    {"DELETE", "/api/v2/silence/:id", api_am_expire_silence, QUERY, false, UNTIMED, "",
        "Ends a silence now."},
    {"GET POST", "/api/v1/deliveries", api_deliveries, QUERY, false, UNTIMED,
        "state, receiver, limit", "Messages to receivers, newest first: state, attempts, answers."},
    {"GET", "/api/v1/deliveries/:id", api_delivery, QUERY, false, UNTIMED, "",
        "One message with its body."},
    {"POST", "/api/v1/admin/replay_delivery", api_replay_delivery, QUERY, false, UNTIMED, "id",
        "Sends a message that is over again, under its old id; 204."},
    {"GET", "/api/v1/features", api_features, DIRECT, false, UNTIMED, "",
        "What the server can and what is switched on, by group."},
    {"GET", "/api/v1/notifications", api_notifications, DIRECT, true, UNTIMED, "",
        "What ails the server as a whole: a reload that failed, a start, a stop."},
    {"GET", "/api/v1/notifications/live", api_notifications_live, DIRECT, true, UNTIMED, "",
        "The same as events for pages, which are told to ask again after five seconds."},
    {"GET POST PUT PATCH DELETE", "/api/*", api_nothing_here, DIRECT, true, UNTIMED, "",
        "Everything else below /api: 404 in the same envelope."},

    /* Outside the API */
    {"GET", "/-/healthy", api_healthy, DIRECT, true, UNTIMED, "", "200 while the process runs."},
    {"GET", "/-/ready", api_ready, DIRECT, true, UNTIMED, "",
        "200 when reads and writes work, 503 otherwise."},
    {"POST PUT", "/-/reload", api_reload, QUERY, false, UNTIMED, "",
        "Reads the configuration file again; on an error the old one stays in force."},
    {"POST PUT", "/-/quit", api_quit, DIRECT, false, UNTIMED, "",
        "Stops the server as SIGTERM does. Needs --web.enable-lifecycle."},
    {"GET", "/version", api_version, DIRECT, true, UNTIMED, "",
        "The version of the program, without an envelope."},
    {"GET", "/metrics", api_metrics_page, DIRECT, true, UNTIMED, "",
        "The server's own metrics in Prometheus' text format."},
    {"GET", "/", api_page, DIRECT, true, UNTIMED, "", "The web page."},
    {"GET", "/graph", api_page, DIRECT, true, UNTIMED, "",
        "The web page, where links of alerts lead."},
    {"GET", "/ui/*", api_page, DIRECT, true, UNTIMED, "", "Files of the web page, dashboards."},
    {0},
};

/* "GET POST" -> "GET, POST" */
void api_write_methods(const char *methods, struct strbuf *out)
{
    for (; *methods != '\0'; methods++) {
        strbuf_add_c(out, *methods == ' ' ? "," : "");
        strbuf_add_char(out, *methods);
    }
}

void api_write_reference(struct strbuf *out)
{
    strbuf_add_c(out, "| Path | Methods | Parameters | What it answers |\n|---|---|---|---|\n");
    for (const struct api_route *row = api_routes; row->path != NULL; row++) {
        strbuf_addf(out, "| `%s` | ", row->path);
        api_write_methods(row->method, out);
        strbuf_addf(out, " | %s | %s |\n", row->parameters, row->help);
    }
}
