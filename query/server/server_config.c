/* The configuration: features, flags, the file, and the rules that span several settings. */
#include "server/server_config.h"

#include <assert.h>

#include "base/http_server.h"
#include "base/mem.h"
#include "base/regex.h"
#include "base/vfs.h"
#include "base/yaml.h"
#include "model/duration.h"
#include "server/retention_rules.h"
#include "wire/otlp_translate.h"

#define DAY_MS ((int64_t)24 * 3600 * 1000)
#define YEAR_MS (365 * DAY_MS)

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
        {"otlp-grpc-listen", FLAG_STRING, &flags->otlp_grpc_listen, "ADDRESS:PORT",
            "Where to take OTLP over gRPC (default 127.0.0.1:4317; \"\": nowhere).", 0, 0},
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
        {"rules", FLAG_STRINGS, &flags->rules, "GLOB",
            "Rule files, as Prometheus has them; may be given several times.", 0, 0},
        {"slo", FLAG_STRINGS, &flags->slo, "GLOB",
            "Files of service level objectives, OpenSLO v1 or Sloth; may be given several times.",
            0, 0},
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
        {"web.enable-lifecycle", FLAG_BOOL, &flags->lifecycle, NULL,
            "Allow stopping the server over HTTP.", 0, 0},
        {"web.external-url", FLAG_STRING, &flags->external_url, "URL",
            "Under which URL people reach the server.", 0, 0},
        {"web.cors.origin", FLAG_STRING, &flags->cors_origin, "REGEX",
            "Whose pages may use the server (default *: all may read).", 0, 0},
        {"web.config.file", FLAG_STRING, &flags->web_config, "FILE",
            "TLS, passwords and headers, in Prometheus' format.", 0, 0},
        {"alerting", FLAG_STRING, &flags->alerting, "FILE",
            "Alertmanager's configuration: who is told of alerts.", 0, 0},
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

/* The patterns of flags come behind those of the file. */
static int take_patterns(
    struct arena *arena, const struct flag_strings *flags, struct config_strings *patterns)
{
    const char **items = arena_calloc(arena, patterns->count + flags->count + 1, sizeof(*items));
    size_t count = 0;
    if (items == NULL) {
        return arena_error(arena);
    }
    for (size_t i = 0; i < patterns->count; i++) {
        items[count++] = patterns->items[i];
    }
    for (size_t i = 0; i < flags->count; i++) {
        items[count++] = flags->items[i];
    }
    *patterns = (struct config_strings){items, count};
    return 0;
}

static int take_flags(struct arena *arena, const struct server_flags *flags,
    struct server_config *config, struct err *e)
{
    take_text(&config->data, flags->data);
    take_text(&config->listen, flags->listen);
    take_text(&config->otlp.grpc_listen, flags->otlp_grpc_listen);
    take_text(&config->web.route_prefix, flags->route_prefix);
    take_text(&config->web.external_url, flags->external_url);
    take_text(&config->web.cors_origin, flags->cors_origin);
    take_text(&config->alerting.config_file, flags->alerting);
    take_text(&config->web.config_file, flags->web_config);
    config->web.admin_api = config->web.admin_api || flags->admin_api;
    config->web.lifecycle = config->web.lifecycle || flags->lifecycle;
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
    status = status != 0 ? status : take_patterns(arena, &flags->rules, &config->rules);
    status = status != 0 ? status : take_patterns(arena, &flags->slo, &config->slo);
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

static int check_traces(
    struct arena *arena, const struct server_traces_config *traces, struct err *e)
{
    struct span_retention_rule *rules = NULL;
    size_t count = 0;
    return retention_services_parse(arena, &traces->retention_services, &rules, &count, e);
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
    if (status == 0 && config.web.config_file != NULL && config.web.config_file[0] != '\0') {
        status = http_server_check_web_config(config.web.config_file, e);
    }
    if (status == 0) {
        status = check_storage(arena, &config.storage, e);
    }
    if (status == 0) {
        status = check_traces(arena, &config.traces, e);
    }
    if (status == 0) {
        status = check_features(&config.features, e);
    }
    if (status == 0) {
        struct tsdb_options unused = {0};
        status = tiers_config_apply(&config.storage.tiers, arena, &unused, e);
    }
    if (status == 0) {
        status = otlp_settings_check(&config.otlp.metrics, e);
        if (status != 0) {
            (void)err_prefix(e, "otlp"); /* gives back its code */
        }
    }
    if (status == 0) {
        status = notification_check(&config.alerting, e);
    }
    if (status == 0) {
        *config_out = config;
    }
    return status;
}
