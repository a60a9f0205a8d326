/* The table of settings: what there is, what it means, what is the default. */
#include "server/server_settings.h"

#include "server/tier_config.h"

#define DAY_MS ((int64_t)24 * 3600 * 1000)
#define YEAR_MS (365 * DAY_MS)

/* ---- Words that stand for a number ---- */

static const struct {
    const char *word;
    enum wal_sync_policy policy;
} sync_words[] = {
    {"1s", WAL_SYNC_EVERY_SECOND}, {"sync", WAL_SYNC_ALWAYS}, {"none", WAL_SYNC_NEVER}};
enum { SYNC_WORD_COUNT = sizeof(sync_words) / sizeof(sync_words[0]) };

static int read_wal_sync(struct config_reader *r, const struct yaml_node *node, void *member)
{
    for (size_t i = 0; node->kind == YAML_SCALAR && i < SYNC_WORD_COUNT; i++) {
        if (str_eq_c(node->text, sync_words[i].word)) {
            *(enum wal_sync_policy *)member = sync_words[i].policy;
            return 0;
        }
    }
    return config_fail(r, node, "wal_sync: expected 1s, sync or none");
}

static const char *wal_sync_word(enum wal_sync_policy policy)
{
    size_t i = 0;
    while (i + 1 < SYNC_WORD_COUNT && sync_words[i].policy != policy) {
        i++;
    }
    return sync_words[i].word;
}

static const char *const level_words[] = {"debug", "info", "warn", "error"};

static int read_log_level(struct config_reader *r, const struct yaml_node *node, void *member)
{
    if (node->kind == YAML_SCALAR && log_level_parse(node->text, member) == 0) {
        return 0;
    }
    return config_fail(r, node, "log_level: expected debug, info, warn or error");
}

/* ---- The table ---- */

#define STORAGE(member) offsetof(struct server_storage_config, member)
static const struct config_field storage_fields[] = {
    {.key = "retention",
        .kind = CONFIG_DURATION,
        .offset = STORAGE(retention_ms),
        .default_text = "30d",
        .min = 0,
        .max = 1000 * YEAR_MS,
        .help = "Samples older than this are dropped; 0 keeps them for ever."},
    {.key = "retention_size",
        .kind = CONFIG_BYTES,
        .offset = STORAGE(retention_bytes),
        .default_text = "0",
        .min = 0,
        .max = INT64_C(1) << 60,
        .help = "Bytes of parts and log; the oldest days go first, never the newest. 0: any."},
    {.key = "retention_rules",
        .kind = CONFIG_STRING_LIST,
        .offset = STORAGE(retention_rules),
        .help = "How long the series that match are kept instead, as in \"{job='debug'}: 2d\"; the "
                "first rule that matches counts, 0 is for ever."},
    {.key = "disk_low",
        .kind = CONFIG_BYTES,
        .offset = STORAGE(disk_low_bytes),
        .default_text = "512MiB",
        .min = 0,
        .max = INT64_C(1) << 50,
        .help =
            "With less of the disk free, large merges wait, the ballast is released and, with a "
            "retention_size, the oldest days go. 0: never."},
    {.key = "disk_refuse",
        .kind = CONFIG_BYTES,
        .offset = STORAGE(disk_refuse_bytes),
        .default_text = "128MiB",
        .min = 0,
        .max = INT64_C(1) << 50,
        .help = "With less of the disk free, writes are answered 503; queries go on. 0: never."},
    {.key = "ballast",
        .kind = CONFIG_BYTES,
        .offset = STORAGE(ballast_bytes),
        .default_text = "64MiB",
        .min = 0,
        .max = INT64_C(1) << 40,
        .help =
            "Space reserved once less than eight times disk_low is free, for the work that a full "
            "disk asks for."},
    {.key = "scrub_rate",
        .kind = CONFIG_BYTES,
        .offset = STORAGE(scrub_bytes),
        .default_text = "2MiB",
        .min = 0,
        .max = INT64_C(1) << 40,
        .help = "Bytes a second that are read in the background to find damage. 0: none."},
    {.key = "seal_interval",
        .kind = CONFIG_DURATION,
        .offset = STORAGE(seal_interval_ms),
        .default_text = "30m",
        .min = 60000,
        .max = DAY_MS,
        .help = "How long samples stay in memory before they become a part on disk."},
    {.key = "future_limit",
        .kind = CONFIG_DURATION,
        .offset = STORAGE(future_limit_ms),
        .default_text = "10m",
        .min = 0,
        .max = 1000 * YEAR_MS,
        .help = "Samples further ahead of the clock are refused; 0 takes any."},
    {.key = "wal_sync",
        .kind = CONFIG_CUSTOM,
        .offset = STORAGE(wal_sync),
        .default_text = "1s",
        .read = read_wal_sync,
        .help =
            "When writes reach the disk: 1s (each second), sync (before the answer), none (when "
            "the kernel likes). All survive a crash of the server; sync survives a power cut."},
    {.key = "exemplar_retention",
        .kind = CONFIG_DURATION,
        .offset = STORAGE(exemplar_retention_ms),
        .default_text = "30d",
        .min = 0,
        .max = 1000 * YEAR_MS,
        .help = "Exemplars older than this are dropped, by days; 0 keeps them for ever."},
    {.key = "exemplars_per_minute",
        .kind = CONFIG_INTEGER,
        .offset = STORAGE(exemplars_per_minute),
        .default_text = "60",
        .min = 0,
        .max = 1000000,
        .help = "Exemplars kept of one series in a minute; 0: any number."},
    {.key = "identity_labels",
        .kind = CONFIG_STRING_LIST,
        .offset = STORAGE(identity_labels),
        .help = "Labels that tell targets apart; only speed and size depend on it. Default: job, "
                "instance and what else names a target."},
    {.key = "tiers",
        .kind = CONFIG_OBJECT,
        .offset = STORAGE(tiers),
        .fields = tiers_config_fields,
        .help = "Downsampled buckets that outlive the samples. See below."},
    {0},
};

#define QUERY(member) offsetof(struct server_query_config, member)
static const struct config_field query_fields[] = {
    {.key = "timeout",
        .kind = CONFIG_DURATION,
        .offset = QUERY(timeout_ms),
        .default_text = "2m",
        .min = 1,
        .max = DAY_MS,
        .help = "A query that takes longer is ended. Reloadable."},
    {.key = "lookback_delta",
        .kind = CONFIG_DURATION,
        .offset = QUERY(lookback_ms),
        .default_text = "5m",
        .min = 1,
        .max = YEAR_MS,
        .help = "How long a sample stands for the present. Reloadable."},
    {.key = "max_concurrency",
        .kind = CONFIG_INTEGER,
        .offset = QUERY(concurrency_max),
        .default_text = "0",
        .min = 0,
        .max = 1024,
        .help = "Queries that run at once; others wait. 0: twice the CPUs, at least 4."},
    {.key = "max_queued",
        .kind = CONFIG_INTEGER,
        .offset = QUERY(queued_max),
        .default_text = "128",
        .min = 0,
        .max = 100000,
        .help = "Queries that may wait for their turn; more get 503. One client has half of the "
                "places."},
    {.key = "max_samples",
        .kind = CONFIG_INTEGER,
        .offset = QUERY(samples_max),
        .default_text = "50000000",
        .min = 1,
        .max = INT64_C(1) << 40,
        .help = "Samples one query may hold in memory. Reloadable."},
    {.key = "max_memory",
        .kind = CONFIG_BYTES,
        .offset = QUERY(memory_bytes),
        .default_text = "2GiB",
        .min = INT64_C(1) << 20,
        .max = INT64_C(1) << 40,
        .help = "Memory one query may take."},
    {.key = "max_memory_total",
        .kind = CONFIG_BYTES,
        .offset = QUERY(memory_total_bytes),
        .default_text = "0",
        .min = 0,
        .max = INT64_C(1) << 44,
        .help = "Memory all queries and their answers may take together; who comes when it is used "
                "up gets 503. 0: half of the machine's."},
    {.key = "max_cost",
        .kind = CONFIG_INTEGER,
        .offset = QUERY(cost_max),
        .default_text = "2000000000",
        .min = 1,
        .max = INT64_C(1) << 60,
        .help = "Samples to read and points to compute, estimated from the index before a query "
                "begins; one that would need more gets 422."},
    {.key = "cache",
        .kind = CONFIG_BYTES,
        .offset = QUERY(cache_bytes),
        .default_text = "64MiB",
        .min = 0,
        .max = INT64_C(1) << 40,
        .help =
            "Answers of range queries that are kept, to evaluate only their new steps when they "
            "are asked again; 0 keeps none."},
    {.key = "log_slow",
        .kind = CONFIG_DURATION,
        .offset = QUERY(slow_ms),
        .default_text = "10s",
        .min = 0,
        .max = DAY_MS,
        .help = "Queries that take so long are logged, a line each; 0 logs none. Reloadable."},
    {0},
};

#define LIMIT(member) offsetof(struct series_limits, member)
static const struct config_field limit_fields[] = {
    {.key = "series",
        .kind = CONFIG_INTEGER,
        .offset = LIMIT(series),
        .default_text = "0",
        .min = 0,
        .max = INT64_C(1) << 40,
        .help = "Series in memory; the memory limit is the only one when 0. Reloadable."},
    {.key = "series_per_target",
        .kind = CONFIG_INTEGER,
        .offset = LIMIT(series_per_target),
        .default_text = "200000",
        .min = 0,
        .max = INT64_C(1) << 40,
        .help = "Series of one target: one job, instance, pod ... Series that have none of the "
                "identity labels have no target. 0: no limit. Reloadable."},
    {.key = "series_per_metric",
        .kind = CONFIG_INTEGER,
        .offset = LIMIT(series_per_metric),
        .default_text = "2000000",
        .min = 0,
        .max = INT64_C(1) << 40,
        .help = "Series of one metric name. 0: no limit. Reloadable."},
    {.key = "values_per_label",
        .kind = CONFIG_INTEGER,
        .offset = LIMIT(values_per_label),
        .default_text = "1000000",
        .min = 0,
        .max = INT64_C(1) << 40,
        .help = "Values of one label name. 0: no limit. Reloadable."},
    {.key = "new_series_per_hour",
        .kind = CONFIG_INTEGER,
        .offset = LIMIT(new_series_per_hour),
        .default_text = "5000000",
        .min = 0,
        .max = INT64_C(1) << 40,
        .help =
            "New series of one job (label job) in an hour of the clock. 0: no limit. Reloadable."},
    {.key = "labels_per_series",
        .kind = CONFIG_INTEGER,
        .offset = LIMIT(labels_per_series),
        .default_text = "128",
        .min = 0,
        .max = INT64_C(1) << 40,
        .help = "Labels of one series, the metric name included. 0: no limit. Reloadable."},
    {.key = "label_name_bytes",
        .kind = CONFIG_INTEGER,
        .offset = LIMIT(label_name_bytes),
        .default_text = "1024",
        .min = 0,
        .max = INT64_C(1) << 40,
        .help = "Length of a label name. 0: no limit. Reloadable."},
    {.key = "label_value_bytes",
        .kind = CONFIG_INTEGER,
        .offset = LIMIT(label_value_bytes),
        .default_text = "8192",
        .min = 0,
        .max = INT64_C(1) << 40,
        .help = "Length of a label value. 0: no limit. Reloadable."},
    {0},
};

#define WEB(member) offsetof(struct server_web_config, member)
static const struct config_field web_fields[] = {
    {.key = "route_prefix",
        .kind = CONFIG_STRING,
        .offset = WEB(route_prefix),
        .default_text = "",
        .help = "Stands before every path, e.g. /sonde behind a proxy; default: the path of "
                "external_url."},
    {.key = "external_url",
        .kind = CONFIG_STRING,
        .offset = WEB(external_url),
        .default_text = "",
        .help = "Under which URL people reach the server, e.g. behind a proxy."},
    {.key = "config_file",
        .kind = CONFIG_STRING,
        .offset = WEB(config_file),
        .default_text = "",
        .help =
            "TLS, passwords and headers, in Prometheus' web configuration format; read again when "
            "it or a file it names changes."},
    {.key = "cors_origin",
        .kind = CONFIG_STRING,
        .offset = WEB(cors_origin),
        .default_text = "*",
        .help = "Whose pages may use the server: a regular expression for their origin. *: all may "
                "read, none may write; empty: nobody's."},
    {.key = "admin_api",
        .kind = CONFIG_BOOL,
        .offset = WEB(admin_api),
        .default_text = "false",
        .help = "Allows deleting series, cleaning tombstones and snapshots over HTTP."},
    {.key = "lifecycle",
        .kind = CONFIG_BOOL,
        .offset = WEB(lifecycle),
        .default_text = "false",
        .help = "Allows stopping the server over HTTP, by /-/quit."},
    {.key = "max_connections",
        .kind = CONFIG_INTEGER,
        .offset = WEB(connections_max),
        .default_text = "512",
        .min = 1,
        .max = 100000,
        .help =
            "HTTP connections at once; the process needs as many file descriptors. Beyond it the "
            "one that has been silent longest is closed for each that comes."},
    {.key = "read_timeout",
        .kind = CONFIG_DURATION,
        .offset = WEB(read_timeout_ms),
        .default_text = "1m",
        .min = 1000,
        .max = 24 * 3600 * 1000,
        .help =
            "How long a connection may be silent, in whole seconds; a whole request may take five "
            "times as long to arrive."},
    {.key = "ingest_threads",
        .kind = CONFIG_INTEGER,
        .offset = WEB(ingest_threads),
        .default_text = "0",
        .min = 0,
        .max = 256,
        .help = "Writes that are taken in at once. 0: as many as CPUs, at most 8."},
    {.key = "max_body",
        .kind = CONFIG_BYTES,
        .offset = WEB(body_bytes_max),
        .default_text = "32MiB",
        .min = 1024,
        .max = INT64_C(1) << 30,
        .help = "Largest request body, compressed; larger ones get 413."},
    {0},
};

#define OTLP(member) offsetof(struct server_otlp_config, member)
static const struct config_field otlp_fields[] = {
    {.key = "grpc_listen",
        .kind = CONFIG_STRING,
        .offset = OTLP(grpc_listen),
        .default_text = SERVER_GRPC_LISTEN_DEFAULT,
        .help =
            "Address and port for OTLP over gRPC, metrics and traces; empty: not at all. When the "
            "default is in use, by an agent for one, the server goes without."},
    OTLP_SETTINGS_FIELDS(struct server_otlp_config, metrics),
    {0},
};

#define GRAPH(member) offsetof(struct server_graph_config, member)
static const struct config_field graph_fields[] = {
    {.key = "enabled",
        .kind = CONFIG_BOOL,
        .offset = GRAPH(enabled),
        .default_text = "true",
        .help = "Count calls between services: series traces_service_graph_…"},
    {.key = "interval",
        .kind = CONFIG_DURATION,
        .offset = GRAPH(interval_ms),
        .default_text = "15s",
        .min = 100,
        .max = 10 * 60 * 1000,
        .help = "Between two samples of these series."},
    {.key = "wait",
        .kind = CONFIG_DURATION,
        .offset = GRAPH(wait_ms),
        .default_text = "30s",
        .min = 100,
        .max = 10 * 60 * 1000,
        .help = "How long one side of a call waits for the other; agents may come late."},
    {.key = "max_waiting",
        .kind = CONFIG_INTEGER,
        .offset = GRAPH(waiting_max),
        .default_text = "500000",
        .min = 1,
        .max = 100000000,
        .help = "Sides that wait, 80 bytes each; the oldest go first."},
    {.key = "max_edges",
        .kind = CONFIG_INTEGER,
        .offset = GRAPH(edges_max),
        .default_text = "10000",
        .min = 1,
        .max = 1000000,
        .help =
            "Pairs of services; calls between others count as between __cardinality_overflow__."},
    {.key = "idle",
        .kind = CONFIG_DURATION,
        .offset = GRAPH(idle_ms),
        .default_text = "15m",
        .min = 1000,
        .max = 30 * DAY_MS,
        .help = "A pair's series end when there was no call for so long."},
    {0},
};

#define TRACES(member) offsetof(struct server_traces_config, member)
static const struct config_field traces_fields[] = {
    {.key = "retention",
        .kind = CONFIG_DURATION,
        .offset = TRACES(retention_ms),
        .default_text = "14d",
        .min = 3600 * 1000,
        .max = 1000 * YEAR_MS,
        .help = "Spans older than this are dropped."},
    {.key = "retention_errors",
        .kind = CONFIG_DURATION,
        .offset = TRACES(retention_errors_ms),
        .default_text = "0s",
        .min = 0,
        .max = 1000 * YEAR_MS,
        .help = "Traces with an error are kept so long, when that is longer. 0: as all others."},
    {.key = "retention_services",
        .kind = CONFIG_STRING_LIST,
        .offset = TRACES(retention_services),
        .help = "How long spans of some services are kept instead, as \"checkout|cart: 90d\": a "
                "pattern of service names and a time, 0 for ever; the first that matches a "
                "service counts. A trace is kept whole, as long as the longest of its services."},
    {.key = "retention_size",
        .kind = CONFIG_BYTES,
        .offset = TRACES(retention_bytes),
        .default_text = "0",
        .min = 0,
        .max = INT64_C(1) << 60,
        .help = "Bytes of blocks of spans; the oldest go first. 0: any."},
    {.key = "future_limit",
        .kind = CONFIG_DURATION,
        .offset = TRACES(future_limit_ms),
        .default_text = "10m",
        .min = 0,
        .max = 1000 * YEAR_MS,
        .help = "Spans that start further ahead of the clock are refused; 0 takes any."},
    {.key = "service_graph",
        .kind = CONFIG_OBJECT,
        .offset = TRACES(service_graph),
        .fields = graph_fields,
        .help = "Who calls whom, from what agents send of all spans."},
    {0},
};

#define EVALUATION(member) offsetof(struct server_evaluation_config, member)
static const struct config_field evaluation_fields[] = {
    {.key = "interval",
        .kind = CONFIG_DURATION,
        .offset = EVALUATION(interval_ms),
        .default_text = "1m",
        .min = 1000,
        .max = DAY_MS,
        .help = "Between two evaluations of a rule group that names no interval."},
    {.key = "query_offset",
        .kind = CONFIG_DURATION,
        .offset = EVALUATION(query_offset_ms),
        .default_text = "0",
        .min = 0,
        .max = DAY_MS,
        .help = "How far in the past groups look that name none, for samples that come late."},
    {.key = "catch_up",
        .kind = CONFIG_DURATION,
        .offset = EVALUATION(catch_up_ms),
        .default_text = "0",
        .min = 0,
        .max = 7 * DAY_MS,
        .help = "Evaluations that were missed are made up for when they are not older; 0: they are "
                "skipped."},
    {.key = "threads",
        .kind = CONFIG_INTEGER,
        .offset = EVALUATION(threads),
        .default_text = "2",
        .min = 1,
        .max = 64,
        .help = "Groups that are evaluated at once, beside queries."},
    {.key = "external_labels",
        .kind = CONFIG_STRING_MAP,
        .offset = EVALUATION(external_labels),
        .help = "Labels of alerts that leave the server, and $externalLabels of templates."},
    {0},
};

#define TOP(member) offsetof(struct server_config, member)
const struct config_field server_config_fields[] = {
    {.key = "listen",
        .kind = CONFIG_STRING,
        .offset = TOP(listen),
        .default_text = "127.0.0.1:9095",
        .help = "Address and port for HTTP; \":9095\" is every address of the host."},
    {.key = "data",
        .kind = CONFIG_STRING,
        .offset = TOP(data),
        .default_text = "./data",
        .help = "Directory of the store; made when missing. One server at a time."},
    {.key = "memory_limit",
        .kind = CONFIG_BYTES,
        .offset = TOP(memory_limit),
        .default_text = "0",
        .min = 0,
        .max = INT64_C(1) << 50,
        .help = "Memory the process may take. 0: four fifths of what the host or its container "
                "has. See "
                "below."},
    {.key = "log_level",
        .kind = CONFIG_CUSTOM,
        .offset = TOP(log_level),
        .default_text = "info",
        .read = read_log_level,
        .help = "Lowest level that is logged: debug, info, warn, error. Reloadable."},
    {.key = "features",
        .kind = CONFIG_STRING_LIST,
        .offset = TOP(features),
        .help = "Features that are off by default, by name; all switches on every one. See below."},
    {.key = "rules",
        .kind = CONFIG_STRING_LIST,
        .offset = TOP(rules),
        .help = "Files of recording and alerting rules, as patterns. Reloadable."},
    {.key = "slo",
        .kind = CONFIG_STRING_LIST,
        .offset = TOP(slo),
        .help = "Files of service level objectives (OpenSLO v1, Sloth), as patterns. Reloadable."},
    {.key = "evaluation",
        .kind = CONFIG_OBJECT,
        .offset = TOP(evaluation),
        .fields = evaluation_fields,
        .help = "How rules are evaluated."},
    {.key = "storage",
        .kind = CONFIG_OBJECT,
        .offset = TOP(storage),
        .fields = storage_fields,
        .help = "The store."},
    {.key = "query",
        .kind = CONFIG_OBJECT,
        .offset = TOP(query),
        .fields = query_fields,
        .help = "Limits of queries."},
    {.key = "web",
        .kind = CONFIG_OBJECT,
        .offset = TOP(web),
        .fields = web_fields,
        .help = "HTTP."},
    {.key = "limits",
        .kind = CONFIG_OBJECT,
        .offset = TOP(limits),
        .fields = limit_fields,
        .help = "What one bad deploy may cost: series that are there go on, new ones beyond a "
                "limit are "
                "refused. See below."},
    {.key = "otlp",
        .kind = CONFIG_OBJECT,
        .offset = TOP(otlp),
        .fields = otlp_fields,
        .help = "How OTLP metrics become series."},
    {.key = "traces",
        .kind = CONFIG_OBJECT,
        .offset = TOP(traces),
        .fields = traces_fields,
        .help = "The store of traces, in `spans` below the data directory."},
    {.key = "alerting",
        .kind = CONFIG_OBJECT,
        .offset = TOP(alerting),
        .fields = notification_fields,
        .help = "Who is told of alerts."},
    {0},
};

bool server_setting_is_live(const struct config_field *f)
{
    static const char *const live[] = {
        "log_level", "timeout", "lookback_delta", "max_samples", "log_slow", "config_file", "slo"};
    if (f->fields == limit_fields) {
        return true; /* all of them */
    }
    if (strcmp(f->key, "rules") == 0) {
        return f->kind == CONFIG_STRING_LIST; /* those of tiers are another thing */
    }
    for (size_t i = 0; i < sizeof(live) / sizeof(live[0]); i++) {
        if (strcmp(f->key, live[i]) == 0) {
            return true;
        }
    }
    return false;
}

const char *server_setting_word(const struct config_field *f, const void *member)
{
    return f->read == read_wal_sync ? wal_sync_word(*(const enum wal_sync_policy *)member)
                                    : level_words[*(const enum log_level *)member];
}
