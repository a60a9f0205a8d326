/* The table of settings, and what is done with it: reading, checking, comparing, writing. */
#include "server/server_config.h"

#include <assert.h>

#include "base/mem.h"
#include "base/regex.h"
#include "base/vfs.h"
#include "base/yaml.h"
#include "model/duration.h"
#include "server/retention_rules.h"
#include "wire/otlp_translate.h"

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
        .help = "Space reserved while there is room, for the work that a full disk asks for."},
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
    {.key = "max_connections",
        .kind = CONFIG_INTEGER,
        .offset = WEB(connections_max),
        .default_text = "512",
        .min = 1,
        .max = 100000,
        .help = "HTTP connections at once; the process needs as many file descriptors."},
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
    {.key = "translation_strategy",
        .kind = CONFIG_STRING,
        .offset = OTLP(translation_strategy),
        .default_text = "UnderscoreEscapingWithSuffixes",
        .help = "How names become Prometheus': UnderscoreEscapingWithSuffixes, "
                "UnderscoreEscapingWithoutSuffixes, NoUTF8EscapingWithSuffixes, NoTranslation."},
    {.key = "promote_resource_attributes",
        .kind = CONFIG_STRING_LIST,
        .offset = OTLP(promoted),
        .help = "Resource attributes that become labels of every series; '*' is all of them."},
    {.key = "keep_identifying_resource_attributes",
        .kind = CONFIG_BOOL,
        .offset = OTLP(keep_identifying),
        .default_text = "false",
        .help = "service.name, service.namespace and service.instance.id in target_info, too."},
    {.key = "promote_scope_metadata",
        .kind = CONFIG_BOOL,
        .offset = OTLP(promote_scope),
        .default_text = "false",
        .help = "Name, version and attributes of the scope as labels otel_scope_…"},
    {.key = "max_delta_series",
        .kind = CONFIG_INTEGER,
        .offset = OTLP(delta_series_max),
        .default_text = "100000",
        .min = 1,
        .max = 100000000,
        .help = "Series whose deltas are added up; points of others are refused."},
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
    {0},
};

/* Settings that a running server takes over; the others wait for a restart. */
static bool is_live(const struct config_field *f)
{
    static const char *const live[] = {
        "log_level", "timeout", "lookback_delta", "max_samples", "log_slow"};
    for (size_t i = 0; i < sizeof(live) / sizeof(live[0]); i++) {
        if (strcmp(f->key, live[i]) == 0) {
            return true;
        }
    }
    return false;
}

/* ---- Features ---- */

#define FEATURE(member) offsetof(struct engine_options, member)
static const struct {
    const char *name;
    size_t offset; /* of a bool */
} feature_rows[] = {
    {"promql-experimental-functions", FEATURE(features.experimental_functions)},
    {"promql-extended-range-selectors", FEATURE(features.extended_range_selectors)},
    {"promql-binop-fill-modifiers", FEATURE(features.fill_modifiers)},
    {"promql-duration-expr", FEATURE(features.duration_expressions)},
    {"promql-delayed-name-removal", FEATURE(delayed_name_removal)},
    {"metricsql", FEATURE(features.metricsql)},
    {"type-and-unit-labels", FEATURE(type_and_unit_labels)},
};
enum { FEATURE_COUNT = sizeof(feature_rows) / sizeof(feature_rows[0]) };

static bool is_feature(const char *name)
{
    bool found = strcmp(name, "all") == 0;
    for (size_t i = 0; i < FEATURE_COUNT; i++) {
        found = found || strcmp(name, feature_rows[i].name) == 0;
    }
    return found;
}

static int check_features(const struct config_strings *features, struct err *e)
{
    for (size_t i = 0; i < features->count; i++) {
        if (!is_feature(features->items[i])) {
            struct strbuf names = STRBUF_INIT;
            for (size_t j = 0; j < FEATURE_COUNT; j++) {
                strbuf_addf(&names, ", %s", feature_rows[j].name);
            }
            err_set(e, ERR_INVALID, -1, "unknown feature \"%s\"; there are: all%s",
                features->items[i], names.data != NULL ? names.data : "");
            strbuf_release(&names);
            return ERR_INVALID;
        }
    }
    return 0;
}

void server_config_features(const struct server_config *config, struct engine_options *engine)
{
    engine->features = PROMQL_FEATURES_DEFAULT;
    for (size_t i = 0; i < config->features.count; i++) {
        bool all = strcmp(config->features.items[i], "all") == 0;
        for (size_t j = 0; j < FEATURE_COUNT; j++) {
            if (all || strcmp(config->features.items[i], feature_rows[j].name) == 0) {
                *(bool *)((char *)engine + feature_rows[j].offset) = true;
            }
        }
    }
}

/* ---- Flags ---- */

void server_flags_init(struct server_flags *flags, struct flag table[SERVER_FLAGS_MAX])
{
    *flags = (struct server_flags){.memory_limit = -1,
        .retention_ms = -1,
        .retention_bytes = -1,
        .query_timeout_ms = -1,
        .lookback_ms = -1,
        .concurrency_max = -1,
        .samples_max = -1,
        .slow_ms = -1,
        .cache_bytes = -1};
    const struct flag rows[] = {
        {"config", FLAG_STRING, &flags->config, "FILE", "Settings in YAML; none are needed.", 0, 0},
        {"data", FLAG_STRING, &flags->data, "DIR", "Directory of the store (default ./data).", 0,
            0},
        {"listen", FLAG_STRING, &flags->listen, "ADDRESS:PORT",
            "Where to listen (default 127.0.0.1:9095).", 0, 0},
        {"retention", FLAG_DURATION, &flags->retention_ms, "DURATION",
            "How long samples are kept (default 30d; 0: for ever).", 0, 1000 * YEAR_MS},
        {"retention-size", FLAG_BYTES, &flags->retention_bytes, "SIZE",
            "Bytes to keep on disk; the oldest days go first (default 0: any).", 0,
            INT64_C(1) << 60},
        {"memory-limit", FLAG_BYTES, &flags->memory_limit, "SIZE",
            "Memory the process may take (default: four fifths of what there is).", 0,
            INT64_C(1) << 50},
        {"enable-feature", FLAG_STRINGS, &flags->features, "LIST",
            "Features by name, with commas between; all.", 0, 0},
        {"query.timeout", FLAG_DURATION, &flags->query_timeout_ms, "DURATION",
            "A query that takes longer is ended (default 2m).", 1, DAY_MS},
        {"query.max-concurrency", FLAG_INTEGER, &flags->concurrency_max, "N",
            "Queries that run at once (default by CPUs).", 0, 1024},
        {"query.max-samples", FLAG_INTEGER, &flags->samples_max, "N",
            "Samples one query may hold in memory (default 50000000).", 1, INT64_C(1) << 40},
        {"query.lookback-delta", FLAG_DURATION, &flags->lookback_ms, "DURATION",
            "How long a sample stands for the present (default 5m).", 1, YEAR_MS},
        {"query.cache", FLAG_BYTES, &flags->cache_bytes, "SIZE",
            "Answers of range queries that are kept (default 64MiB; 0: none).", 0,
            INT64_C(1) << 40},
        {"query-log-slow", FLAG_DURATION, &flags->slow_ms, "DURATION",
            "Queries that take so long are logged (default 10s; 0: none).", 0, DAY_MS},
        {"web.route-prefix", FLAG_STRING, &flags->route_prefix, "PATH", "Stands before every path.",
            0, 0},
        {"web.enable-admin-api", FLAG_BOOL, &flags->admin_api, NULL,
            "Allow deleting series and snapshots over HTTP.", 0, 0},
        {"web.external-url", FLAG_STRING, &flags->external_url, "URL",
            "Under which URL people reach the server.", 0, 0},
        {"web.cors.origin", FLAG_STRING, &flags->cors_origin, "REGEX",
            "Whose pages may use the server (default *: all may read).", 0, 0},
        {"log-level", FLAG_STRING, &flags->log_level, "LEVEL",
            "debug, info (the default), warn or error.", 0, 0},
        {"check-config", FLAG_BOOL, &flags->check_config, NULL,
            "Read the settings, say what is wrong, and end.", 0, 0},
        {"print-reference", FLAG_STRING, &flags->print_reference, "WHAT",
            "Print a table for the documents and end: configuration, http-api.", 0, 0},
        {"version", FLAG_BOOL, &flags->version, NULL, "Print the version and end.", 0, 0},
        {"help", FLAG_BOOL, &flags->help, NULL, "Print this and end.", 0, 0},
        {.name = NULL},
    };
    static_assert(sizeof(rows) / sizeof(rows[0]) <= SERVER_FLAGS_MAX, "room for every flag");
    memcpy(table, rows, sizeof(rows));
}

static void take_number(int64_t *member, int64_t value)
{
    *member = value >= 0 ? value : *member;
}

static void take_text(const char **member, const char *value)
{
    *member = value != NULL ? value : *member;
}

/* Names of --enable-feature a,b are added to those of the file. */
static int take_features(
    struct arena *arena, const struct flag_strings *flags, struct config_strings *features)
{
    size_t cap = features->count;
    for (size_t i = 0; i < flags->count; i++) {
        cap += strlen(flags->items[i]) + 1;
    }
    const char **items = arena_calloc(arena, cap, sizeof(*items));
    size_t count = features->count;
    if (items == NULL) {
        return arena_error(arena);
    }
    for (size_t i = 0; i < features->count; i++) {
        items[i] = features->items[i];
    }
    for (size_t i = 0; i < flags->count; i++) {
        struct str rest = str_of(flags->items[i]);
        while (rest.len > 0) {
            struct str name = str_trim(str_split(&rest, ','));
            items[count] = arena_strndup(arena, name.ptr, name.len);
            if (items[count++] == NULL) {
                return arena_error(arena);
            }
        }
    }
    *features = (struct config_strings){items, count};
    return 0;
}

static int take_flags(struct arena *arena, const struct server_flags *flags,
    struct server_config *config, struct err *e)
{
    take_text(&config->data, flags->data);
    take_text(&config->listen, flags->listen);
    take_text(&config->web.route_prefix, flags->route_prefix);
    take_text(&config->web.external_url, flags->external_url);
    take_text(&config->web.cors_origin, flags->cors_origin);
    config->web.admin_api = config->web.admin_api || flags->admin_api;
    take_number(&config->memory_limit, flags->memory_limit);
    take_number(&config->storage.retention_ms, flags->retention_ms);
    take_number(&config->storage.retention_bytes, flags->retention_bytes);
    take_number(&config->query.timeout_ms, flags->query_timeout_ms);
    take_number(&config->query.lookback_ms, flags->lookback_ms);
    take_number(&config->query.concurrency_max, flags->concurrency_max);
    take_number(&config->query.samples_max, flags->samples_max);
    take_number(&config->query.slow_ms, flags->slow_ms);
    take_number(&config->query.cache_bytes, flags->cache_bytes);
    if (flags->log_level != NULL &&
        log_level_parse(str_of(flags->log_level), &config->log_level) != 0) {
        return err_set(e, ERR_INVALID, -1,
            "flag --log-level: \"%s\" is not debug, info, warn or error", flags->log_level);
    }
    int status = take_features(arena, &flags->features, &config->features);
    return status != 0 ? err_set(e, status, -1, "%s", err_text(status)) : 0;
}

/* ---- Reading ---- */

static int check_prefix(const char *prefix, struct err *e)
{
    size_t length = strlen(prefix);
    if (length > 0 && (prefix[0] != '/' || prefix[length - 1] == '/')) {
        return err_set(e, ERR_INVALID, -1,
            "route prefix \"%s\": expected a path that begins with a slash and does not end in one",
            prefix);
    }
    return 0;
}

static int check_storage(
    struct arena *arena, const struct server_storage_config *storage, struct err *e)
{
    struct tsdb_retention_rule *rules = NULL;
    size_t count = 0;
    if (storage->disk_low_bytes < storage->disk_refuse_bytes) {
        return err_set(e, ERR_INVALID, -1,
            "storage.disk_low: expected at least disk_refuse (%lld bytes)",
            (long long)storage->disk_refuse_bytes);
    }
    return retention_rules_parse(arena, &storage->retention_rules, &rules, &count, e);
}

/* A prefix of "/" is none; one that is not given is the path of the external URL. */
static int settle_prefix(struct arena *arena, struct server_web_config *web, struct err *e)
{
    struct str rest = str_of(web->external_url);
    if (rest.len > 0 && !str_starts_with(rest, STR("http://")) &&
        !str_starts_with(rest, STR("https://"))) {
        return err_set(e, ERR_INVALID, -1,
            "external URL \"%s\": expected one that begins with http:// or https://",
            web->external_url);
    }
    if (strcmp(web->route_prefix, "/") == 0) {
        web->route_prefix = "";
        return 0;
    }
    if (web->route_prefix[0] == '\0' && rest.len > 0) {
        rest = str_skip(rest, str_starts_with(rest, STR("https://")) ? 8 : 7);
        ptrdiff_t slash = str_find(rest, '/');
        struct str path = slash >= 0 ? str_skip(rest, (size_t)slash) : STR("");
        while (path.len > 0 && path.ptr[path.len - 1] == '/') {
            path.len--;
        }
        web->route_prefix = arena_strndup(arena, path.ptr, path.len);
        if (web->route_prefix == NULL) {
            return err_set(e, ERR_NOMEM, -1, "%s", err_text(ERR_NOMEM));
        }
    }
    return check_prefix(web->route_prefix, e);
}

static int check_origin(const char *origin, struct err *e)
{
    struct regex *pattern = NULL;
    if (origin[0] == '\0' || strcmp(origin, "*") == 0) {
        return 0;
    }
    int status = regex_new(str_of(origin), &pattern, e);
    regex_free(pattern);
    return status != 0 ? err_prefix(e, "origin \"%s\"", origin) : 0;
}

static int check_strategy(const char *strategy, struct err *e)
{
    enum otlp_naming naming;
    if (!otlp_naming_parse(str_of(strategy), &naming)) {
        return err_set(e, ERR_INVALID, -1,
            "otlp.translation_strategy \"%s\": expected UnderscoreEscapingWithSuffixes, "
            "UnderscoreEscapingWithoutSuffixes, NoUTF8EscapingWithSuffixes or NoTranslation",
            strategy);
    }
    return 0;
}

int server_config_load(struct arena *arena, const char *path, const struct server_flags *flags,
    struct server_config *config_out, struct err *e)
{
    struct yaml_node *root = NULL;
    char *text = NULL;
    size_t size = 0;
    int status = 0;
    if (path != NULL) {
        status = vfs_read_file(vfs_posix(), path, YAML_FILE_BYTES_MAX, &text, &size);
        if (status != 0) {
            return err_set(
                e, status, -1, "cannot read the configuration %s: %s", path, err_text(status));
        }
        status = yaml_parse(arena, path, str_make(text, size), &root, e);
        mem_free(text);
    }
    struct server_config config = {0};
    if (status == 0) {
        status = config_read(arena, path, root, server_config_fields, &config, e);
    }
    if (status == 0 && flags != NULL) {
        status = take_flags(arena, flags, &config, e);
    }
    if (status == 0) {
        status = settle_prefix(arena, &config.web, e);
    }
    if (status == 0) {
        status = check_origin(config.web.cors_origin, e);
    }
    if (status == 0) {
        status = check_storage(arena, &config.storage, e);
    }
    if (status == 0) {
        status = check_features(&config.features, e);
    }
    if (status == 0) {
        struct tsdb_options unused = {0};
        status = tiers_config_apply(&config.storage.tiers, arena, &unused, e);
    }
    if (status == 0) {
        status = check_strategy(config.otlp.translation_strategy, e);
    }
    if (status == 0) {
        *config_out = config;
    }
    return status;
}

/* ---- Comparing ---- */

static bool same_list(const struct config_strings *a, const struct config_strings *b)
{
    bool same = a->count == b->count;
    for (size_t i = 0; same && i < a->count; i++) {
        same = strcmp(a->items[i], b->items[i]) == 0;
    }
    return same;
}

static bool same_member(const struct config_field *f, const void *a, const void *b)
{
    switch (f->kind) {
    case CONFIG_STRING:
        return strcmp(*(const char *const *)a, *(const char *const *)b) == 0;
    case CONFIG_STRING_LIST:
        return same_list(a, b);
    case CONFIG_BOOL:
        return *(const bool *)a == *(const bool *)b;
    case CONFIG_CUSTOM: /* enumerations, both of them */
        return memcmp(a, b, sizeof(int)) == 0;
    default:
        return *(const int64_t *)a == *(const int64_t *)b;
    }
}

static const char *first_difference(
    const struct config_field *fields, const void *before, const void *after);

/* Items of a list are compared in order. */
static bool same_objects(
    const struct config_field *f, const struct config_list *a, const struct config_list *b)
{
    bool same = a->count == b->count;
    for (size_t i = 0; same && i < a->count; i++) {
        same = first_difference(f->fields, (const char *)a->items + i * f->item_size,
                   (const char *)b->items + i * f->item_size) == NULL;
    }
    return same;
}

static const char *first_difference(
    const struct config_field *fields, const void *before, const void *after)
{
    for (const struct config_field *f = fields; f->key != NULL; f++) {
        const void *a = (const char *)before + f->offset, *b = (const char *)after + f->offset;
        if (f->kind == CONFIG_OBJECT && f->fields == limit_fields) {
            continue; /* all of them are live */
        }
        if (f->kind == CONFIG_OBJECT) {
            const char *inner = first_difference(f->fields, a, b);
            if (inner != NULL) {
                return inner;
            }
        } else if (f->kind == CONFIG_LIST) {
            if (!same_objects(f, a, b)) {
                return f->key;
            }
        } else if (!is_live(f) && !same_member(f, a, b)) {
            return f->key;
        }
    }
    return NULL;
}

const char *server_config_needs_restart(
    const struct server_config *before, const struct server_config *after)
{
    return first_difference(server_config_fields, before, after);
}

/* ---- Writing ---- */

/* In single quotes, which YAML reads as they are but for the quote itself. */
static void write_text(struct strbuf *out, const char *text)
{
    strbuf_add_char(out, '\'');
    for (; *text != '\0'; text++) {
        strbuf_add_c(out, *text == '\'' ? "'" : "");
        strbuf_add_char(out, *text);
    }
    strbuf_add_char(out, '\'');
}

static void write_list(struct strbuf *out, const struct config_strings *list)
{
    strbuf_add_char(out, '[');
    for (size_t i = 0; i < list->count; i++) {
        strbuf_add_c(out, i > 0 ? ", " : "");
        write_text(out, list->items[i]);
    }
    strbuf_add_char(out, ']');
}

static void write_member(struct strbuf *out, const struct config_field *f, const void *member)
{
    switch (f->kind) {
    case CONFIG_STRING:
        write_text(out, *(const char *const *)member);
        break;
    case CONFIG_STRING_LIST:
        write_list(out, member);
        break;
    case CONFIG_BOOL:
        strbuf_add_c(out, *(const bool *)member ? "true" : "false");
        break;
    case CONFIG_DURATION:
        duration_write(*(const int64_t *)member, out);
        break;
    case CONFIG_CUSTOM:
        strbuf_add_c(out, f->read == read_wal_sync
                              ? wal_sync_word(*(const enum wal_sync_policy *)member)
                              : level_words[*(const enum log_level *)member]);
        break;
    default:
        strbuf_add_i64(out, *(const int64_t *)member);
        break;
    }
    strbuf_add_char(out, '\n');
}

/* Tables in tables are as deep as the program's own. */
static void write_fields(
    struct strbuf *out, const struct config_field *fields, const void *config, int depth);

static void write_objects(
    struct strbuf *out, const struct config_field *f, const struct config_list *list, int depth)
{
    strbuf_add_c(out, list->count == 0 ? " []\n" : "\n");
    for (size_t i = 0; i < list->count; i++) {
        strbuf_addf(out, "%*s-\n", 2 * depth + 2, "");
        write_fields(out, f->fields, (const char *)list->items + i * f->item_size, depth + 2);
    }
}

static void write_fields(
    struct strbuf *out, const struct config_field *fields, const void *config, int depth)
{
    for (const struct config_field *f = fields; f->key != NULL; f++) {
        const void *member = (const char *)config + f->offset;
        strbuf_addf(out, "%*s%s:", 2 * depth, "", f->key);
        if (f->kind == CONFIG_OBJECT) {
            strbuf_add_char(out, '\n');
            write_fields(out, f->fields, member, depth + 1);
        } else if (f->kind == CONFIG_LIST) {
            write_objects(out, f, member, depth);
        } else {
            strbuf_add_char(out, ' ');
            write_member(out, f, member);
        }
    }
}

void server_config_write(const struct server_config *config, struct strbuf *out)
{
    write_fields(out, server_config_fields, config, 0);
}
