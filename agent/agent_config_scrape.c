/* Settings of what is scraped: the host's own metrics and jobs, with the defaults of all. */
#include "agent_config_private.h"

#include <stddef.h>
#include <string.h>

#include "base/yaml.h"
#include "discovery/discovery.h"

enum { DAY_MS = 24 * 3600 * 1000, BODY_SIZE_DEFAULT = 64 << 20 };

#define LIMIT_ROW(type, name, member, text)                                                        \
    {                                                                                              \
        .key = (name), .kind = CONFIG_INTEGER, .offset = offsetof(struct type, member),            \
        .default_text = "0", .max = 100000000, .help = (text)                                      \
    }

/* Settings of Prometheus that global and each job have. */
#define COMMON_IGNORED                                                                             \
    AGENT_CONFIG_IGNORED("scrape_failure_log_file",                                                \
        "Accepted, without effect: a failure is on the page of targets"),                          \
        AGENT_CONFIG_IGNORED(                                                                      \
            "keep_dropped_targets", "Accepted, without effect: 1000 are remembered"),              \
        AGENT_CONFIG_IGNORED(                                                                      \
            "metric_name_validation_scheme", "Accepted, without effect: names may be any UTF-8"),  \
        AGENT_CONFIG_IGNORED(                                                                      \
            "metric_name_escaping_scheme", "Accepted, without effect: names come as they are"),    \
        AGENT_CONFIG_IGNORED("convert_classic_histograms_to_nhcb",                                 \
            "Accepted, without effect: classic histograms stay what they are"),                    \
        AGENT_CONFIG_IGNORED(                                                                      \
            "extra_scrape_metrics", "Accepted, without effect: see /metrics of the agent")

/* What Prometheus' file called a setting before, and what vmagent calls it: another key of the same member. */
#define ALIAS_CLASSIC(type)                                                                        \
    {                                                                                              \
        .key = "scrape_classic_histograms", .kind = CONFIG_BOOL,                                   \
        .offset = offsetof(type, classic_histograms), .default_text = "false",                     \
        .help = "The same as always_scrape_classic_histograms"                                     \
    }
#define VMAGENT_RULES_REFUSED                                                                      \
    "write the rules into the jobs; rules for all that is sent are remote_write's "                \
    "write_relabel_configs"
#define VMAGENT_PROXY_REFUSED                                                                      \
    "write name and password into proxy_url, as http://NAME:PASSWORD@HOST:PORT"

const struct config_field agent_global_fields[] = {
    {.key = "scrape_interval",
        .kind = CONFIG_DURATION,
        .offset = offsetof(struct agent_global, scrape_interval_ms),
        .default_text = "15s",
        .min = 100,
        .max = DAY_MS,
        .help = "How often targets are scraped"},
    {.key = "scrape_timeout",
        .kind = CONFIG_DURATION,
        .offset = offsetof(struct agent_global, scrape_timeout_ms),
        .default_text = "10s",
        .min = 10,
        .max = DAY_MS,
        .help = "How long a scrape may take; never longer than its interval"},
    {.key = "evaluation_interval",
        .kind = CONFIG_DURATION,
        .offset = offsetof(struct agent_global, evaluation_interval_ms),
        .default_text = "1m",
        .max = DAY_MS,
        .help = "Accepted, without effect: the agent evaluates no rules"},
    {.key = "external_labels",
        .kind = CONFIG_STRING_MAP,
        .offset = offsetof(struct agent_global, external_labels),
        .help = "Labels added to every series that has none of that name"},
    LIMIT_ROW(agent_global, "sample_limit", sample_limit, "Of jobs that set none"),
    LIMIT_ROW(agent_global, "label_limit", label_limit, "Of jobs that set none"),
    LIMIT_ROW(agent_global, "label_name_length_limit", label_name_limit, "Of jobs that set none"),
    LIMIT_ROW(agent_global, "label_value_length_limit", label_value_limit, "Of jobs that set none"),
    LIMIT_ROW(agent_global, "target_limit", target_limit, "Of jobs that set none"),
    {.key = "body_size_limit",
        .kind = CONFIG_BYTES,
        .offset = offsetof(struct agent_global, body_size_limit),
        .default_text = "64MiB",
        .max = (int64_t)1 << 30,
        .help = "Of jobs that set none; 0 = 64MiB"},
    {.key = "scrape_protocols",
        .kind = CONFIG_STRING_LIST,
        .offset = offsetof(struct agent_global, protocols),
        .help = "Of jobs that set none"},
    {.key = "scrape_native_histograms",
        .kind = CONFIG_BOOL,
        .offset = offsetof(struct agent_global, native_histograms),
        .default_text = "false",
        .help = "Of jobs that set none"},
    {.key = "always_scrape_classic_histograms",
        .kind = CONFIG_BOOL,
        .offset = offsetof(struct agent_global, classic_histograms),
        .default_text = "false",
        .help = "Of jobs that set none"},
    ALIAS_CLASSIC(struct agent_global),
    COMMON_IGNORED,
    AGENT_CONFIG_REFUSED("relabel_configs", VMAGENT_RULES_REFUSED),
    AGENT_CONFIG_REFUSED("metric_relabel_configs", VMAGENT_RULES_REFUSED),
    AGENT_CONFIG_IGNORED(
        "query_log_file", "Accepted, without effect: the agent answers no queries"),
    AGENT_CONFIG_IGNORED(
        "rule_query_offset", "Accepted, without effect: the agent evaluates no rules"),
    {.key = NULL},
};

const struct config_field agent_host_fields[] = {
    {.key = "enabled",
        .kind = CONFIG_BOOL,
        .offset = offsetof(struct agent_host, enabled),
        .default_text = "true",
        .help = "Collect this host's own metrics"},
    {.key = "interval",
        .kind = CONFIG_DURATION,
        .offset = offsetof(struct agent_host, interval_ms),
        .default_text = "5s",
        .min = 100,
        .max = DAY_MS,
        .help = "How often"},
    {.key = "job",
        .kind = CONFIG_STRING,
        .offset = offsetof(struct agent_host, job),
        .default_text = "node",
        .help = "Label job of these metrics"},
    {.key = "instance",
        .kind = CONFIG_STRING,
        .offset = offsetof(struct agent_host, instance),
        .default_text = "",
        .help = "Label instance of these metrics and the agent's own; the host's name when empty"},
    {.key = "collectors",
        .kind = CONFIG_STRING_LIST,
        .offset = offsetof(struct agent_host, collectors),
        .help = "Switches: a collector's name turns it on, no-NAME off, no-all all off"},
    {.key = "settings",
        .kind = CONFIG_STRING_MAP,
        .offset = offsetof(struct agent_host, settings),
        .help = "Settings of collectors by name; see the table of them"},
    {.key = "proc_path",
        .kind = CONFIG_STRING,
        .offset = offsetof(struct agent_host, proc_path),
        .default_text = "/proc",
        .help = "Where the host's /proc is mounted"},
    {.key = "sys_path",
        .kind = CONFIG_STRING,
        .offset = offsetof(struct agent_host, sys_path),
        .default_text = "/sys",
        .help = "Where the host's /sys is mounted"},
    {.key = "root_path",
        .kind = CONFIG_STRING,
        .offset = offsetof(struct agent_host, root_path),
        .default_text = "/",
        .help = "Where the host's root directory is mounted"},
    {.key = "udev_path",
        .kind = CONFIG_STRING,
        .offset = offsetof(struct agent_host, udev_path),
        .default_text = "/run/udev/data",
        .help = "Where the host's udev database is mounted"},
    {.key = NULL},
};

static const struct config_field static_fields[] = {
    {.key = "targets",
        .kind = CONFIG_STRING_LIST,
        .offset = offsetof(struct agent_static, targets),
        .required = true,
        .help = "Addresses as host:port"},
    {.key = "labels",
        .kind = CONFIG_STRING_MAP,
        .offset = offsetof(struct agent_static, labels),
        .help = "Labels of these targets"},
    {.key = NULL},
};

/* params: {name: [value, …], …} */
static int read_parameters(struct config_reader *reader, const struct yaml_node *node, void *member)
{
    struct agent_parameters *parameters = member;
    if (node->kind != YAML_MAPPING) {
        return config_fail(reader, node, "params must be names with lists of values");
    }
    parameters->items = arena_calloc(reader->arena, node->count, sizeof(*parameters->items));
    for (size_t i = 0; parameters->items != NULL && i < node->count; i++) {
        const struct yaml_node *values = node->entries[i].value;
        struct agent_parameter *p = &parameters->items[parameters->count++];
        if (values->kind != YAML_SEQUENCE) {
            return config_fail(reader, values, "params.%.*s must be a list of values",
                STR_ARG(node->entries[i].key->text));
        }
        p->name = node->entries[i].key->text.ptr;
        p->values.items = arena_calloc(reader->arena, values->count, sizeof(char *));
        for (size_t k = 0; p->values.items != NULL && k < values->count; k++) {
            if (values->entries[k].value->kind != YAML_SCALAR) {
                return config_fail(
                    reader, values->entries[k].value, "params.%s must be a list of words", p->name);
            }
            p->values.items[p->values.count++] = values->entries[k].value->text.ptr;
        }
        if (p->values.items == NULL) {
            return config_fail(reader, values, "out of memory");
        }
    }
    return parameters->items != NULL || node->count == 0
               ? 0
               : config_fail(reader, node, "out of memory");
}

const struct config_field agent_scrape_fields[] = {
    {.key = "job_name",
        .kind = CONFIG_STRING,
        .offset = offsetof(struct agent_scrape, job_name),
        .required = true,
        .help = "Label job of these targets"},
    {.key = "scrape_interval",
        .kind = CONFIG_DURATION,
        .offset = offsetof(struct agent_scrape, interval_ms),
        .max = DAY_MS,
        .help = "As global.scrape_interval when not set"},
    {.key = "scrape_timeout",
        .kind = CONFIG_DURATION,
        .offset = offsetof(struct agent_scrape, timeout_ms),
        .max = DAY_MS,
        .help = "As global.scrape_timeout when not set"},
    {.key = "metrics_path",
        .kind = CONFIG_STRING,
        .offset = offsetof(struct agent_scrape, metrics_path),
        .default_text = "/metrics",
        .help = "Path of the exposition"},
    {.key = "scheme",
        .kind = CONFIG_STRING,
        .offset = offsetof(struct agent_scrape, scheme),
        .default_text = "http",
        .help = "http or https"},
    {.key = "honor_labels",
        .kind = CONFIG_BOOL,
        .offset = offsetof(struct agent_scrape, honor_labels),
        .default_text = "false",
        .help = "Labels of the exposition win over those of the target"},
    {.key = "honor_timestamps",
        .kind = CONFIG_BOOL,
        .offset = offsetof(struct agent_scrape, honor_timestamps),
        .default_text = "true",
        .help = "Believe timestamps in the exposition"},
    LIMIT_ROW(agent_scrape, "sample_limit", sample_limit,
        "More samples fail the scrape; 0 = the global one, or none"),
    LIMIT_ROW(agent_scrape, "label_limit", label_limit,
        "A series of more labels fails the scrape; 0 = the global one, or none"),
    LIMIT_ROW(agent_scrape, "label_name_length_limit", label_name_limit,
        "A longer label name fails the scrape, in bytes; 0 = the global one, or none"),
    LIMIT_ROW(agent_scrape, "label_value_length_limit", label_value_limit,
        "A longer label value fails the scrape, in bytes; 0 = the global one, or none"),
    LIMIT_ROW(agent_scrape, "native_histogram_bucket_limit", bucket_limit,
        "A native histogram of more buckets fails the scrape; 0 = none"),
    LIMIT_ROW(agent_scrape, "target_limit", target_limit,
        "With more targets every scrape of the job fails; 0 = the global one, or none"),
    {.key = "track_timestamps_staleness",
        .kind = CONFIG_BOOL,
        .offset = offsetof(struct agent_scrape, track_timestamps),
        .default_text = "false",
        .help = "Series that bring their own timestamps end with stale markers, too"},
    {.key = "scrape_native_histograms",
        .kind = CONFIG_BOOL,
        .offset = offsetof(struct agent_scrape, native_histograms),
        .default_text = "false",
        .help = "Ask for protobuf first, which alone has native histograms"},
    {.key = "always_scrape_classic_histograms",
        .kind = CONFIG_BOOL,
        .offset = offsetof(struct agent_scrape, classic_histograms),
        .default_text = "false",
        .help = "Take the classic buckets of native histograms, too"},
    {.key = "fallback_scrape_protocol",
        .kind = CONFIG_STRING,
        .offset = offsetof(struct agent_scrape, fallback_protocol),
        .default_text = "PrometheusText0.0.4",
        .help = "Format of an answer that does not say its own: PrometheusText0.0.4, "
                "PrometheusText1.0.0, OpenMetricsText0.0.1, OpenMetricsText1.0.0, "
                "PrometheusProto; none = such an answer fails the scrape"},
    {.key = "body_size_limit",
        .kind = CONFIG_BYTES,
        .offset = offsetof(struct agent_scrape, body_size_limit),
        .default_text = "0",
        .max = (int64_t)1 << 30,
        .help = "A larger body fails the scrape; 0 = the global one"},
    {.key = "scrape_protocols",
        .kind = CONFIG_STRING_LIST,
        .offset = offsetof(struct agent_scrape, protocols),
        .help = "Formats to ask for; PrometheusProto in the first place is as "
                "scrape_native_histograms, the others are asked for in their usual order"},
    ALIAS_CLASSIC(struct agent_scrape),
    {.key = "max_scrape_size",
        .kind = CONFIG_BYTES,
        .offset = offsetof(struct agent_scrape, body_size_limit),
        .default_text = "0",
        .max = (int64_t)1 << 30,
        .help = "The same as body_size_limit, as vmagent calls it"},
    AGENT_CONFIG_REFUSED("headers", "write http_headers: {NAME: {values: [VALUE]}}"),
    AGENT_CONFIG_REFUSED("proxy_headers", VMAGENT_PROXY_REFUSED),
    AGENT_CONFIG_REFUSED("proxy_basic_auth", VMAGENT_PROXY_REFUSED),
    AGENT_CONFIG_REFUSED("proxy_authorization", VMAGENT_PROXY_REFUSED),
    AGENT_CONFIG_REFUSED("proxy_bearer_token", VMAGENT_PROXY_REFUSED),
    AGENT_CONFIG_REFUSED("proxy_bearer_token_file", VMAGENT_PROXY_REFUSED),
    AGENT_CONFIG_REFUSED("proxy_oauth2", VMAGENT_PROXY_REFUSED),
    AGENT_CONFIG_REFUSED("proxy_tls_config", VMAGENT_PROXY_REFUSED),
    COMMON_IGNORED,
    AGENT_CONFIG_IGNORED(
        "enable_compression", "Accepted, without effect: bodies are asked for compressed"),
    AGENT_CONFIG_IGNORED("native_histogram_min_bucket_factor",
        "Accepted, without effect: histograms keep their resolution"),
    AGENT_CONFIG_IGNORED("stream_parse", "Accepted, without effect: bodies are parsed as they are"),
    AGENT_CONFIG_IGNORED(
        "no_stale_markers", "Accepted, without effect: series end with stale markers"),
    AGENT_CONFIG_IGNORED(
        "series_limit", "Accepted, without effect: see sample_limit and memory_max"),
    AGENT_CONFIG_IGNORED(
        "scrape_offset", "Accepted, without effect: targets are spread over the interval"),
    AGENT_CONFIG_IGNORED(
        "scrape_align_interval", "Accepted, without effect: targets are spread over the interval"),
    AGENT_CONFIG_IGNORED("relabel_debug", "Accepted, without effect: see sonde check relabel"),
    AGENT_CONFIG_IGNORED(
        "metric_relabel_debug", "Accepted, without effect: see sonde check relabel"),
    AGENT_CONFIG_IGNORED(
        "disable_compression", "Accepted, without effect: bodies are asked for compressed"),
    AGENT_CONFIG_IGNORED("disable_keepalive", "Accepted, without effect: connections are kept"),
    HTTP_PROFILE_FIELDS(struct agent_scrape),
    {.key = "static_configs",
        .kind = CONFIG_LIST,
        .offset = offsetof(struct agent_scrape, static_configs),
        .fields = static_fields,
        .item_size = sizeof(struct agent_static),
        .help = "Targets by address"},
    DISCOVERY_FIELDS(struct agent_scrape),
    {.key = "params",
        .kind = CONFIG_CUSTOM,
        .offset = offsetof(struct agent_scrape, params),
        .read = read_parameters,
        .help = "Query parameters of the request: names with lists of values"},
    {.key = "relabel_configs",
        .kind = CONFIG_LIST,
        .offset = offsetof(struct agent_scrape, relabel_configs),
        .fields = relabel_fields,
        .item_size = sizeof(struct relabel_rule),
        .help = "Rules that rewrite or drop targets before they are scraped"},
    {.key = "metric_relabel_configs",
        .kind = CONFIG_LIST,
        .offset = offsetof(struct agent_scrape, metric_relabel_configs),
        .fields = relabel_fields,
        .item_size = sizeof(struct relabel_rule),
        .help = "Rules that rewrite or drop series after a scrape"},
    {.key = NULL},
};

/* ---- Rules over several settings ---- */

bool agent_config_fallback(const char *name, enum exposition_format *format_out, bool *none_out)
{
    static const struct {
        const char *name;
        enum exposition_format format;
    } rows[] = {{"none", EXPOSITION_TEXT}, {"PrometheusText0.0.4", EXPOSITION_TEXT},
        {"PrometheusText1.0.0", EXPOSITION_TEXT}, {"OpenMetricsText0.0.1", EXPOSITION_OPENMETRICS},
        {"OpenMetricsText1.0.0", EXPOSITION_OPENMETRICS}, {"PrometheusProto", EXPOSITION_PROTOBUF}};
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        if (strcmp(name, rows[i].name) == 0) {
            *format_out = rows[i].format;
            *none_out = i == 0;
            return true;
        }
    }
    return false;
}

static int check_rules(const struct agent_config_place *place, const char *key,
    const struct config_list *rules, struct err *e)
{
    struct relabel *relabel = NULL;
    int status = agent_config_relabel(place, key, rules, &relabel, e);
    relabel_unref(relabel);
    return status;
}

/* Fills in the global defaults; a timeout is never longer than its interval. */
static int finish_times(const struct agent_global *global, struct agent_scrape *s,
    const struct agent_config_place *place, struct err *e)
{
    bool own_timeout = s->timeout_ms != 0;
    s->interval_ms = s->interval_ms ? s->interval_ms : global->scrape_interval_ms;
    s->timeout_ms = own_timeout ? s->timeout_ms : global->scrape_timeout_ms;
    if (s->timeout_ms > s->interval_ms && own_timeout) {
        return agent_config_fail(place, "scrape_timeout", e,
            "job \"%s\": scrape_timeout is longer than scrape_interval", s->job_name);
    }
    s->timeout_ms = s->timeout_ms < s->interval_ms ? s->timeout_ms : s->interval_ms;
    return 0;
}

static void inherit(int64_t *limit, int64_t global)
{
    *limit = *limit != 0 ? *limit : global;
}

static bool is_named(const struct agent_config_place *place, const char *key)
{
    return place->node != NULL && yaml_get(place->node, key) != NULL;
}

/* What a job does not say is as in global. */
static void finish_limits(
    const struct agent_global *g, struct agent_scrape *s, const struct agent_config_place *place)
{
    inherit(&s->sample_limit, g->sample_limit);
    inherit(&s->label_limit, g->label_limit);
    inherit(&s->label_name_limit, g->label_name_limit);
    inherit(&s->label_value_limit, g->label_value_limit);
    inherit(&s->target_limit, g->target_limit);
    inherit(&s->body_size_limit, g->body_size_limit);
    inherit(&s->body_size_limit, BODY_SIZE_DEFAULT);
    if (!is_named(place, "scrape_native_histograms")) {
        s->native_histograms = g->native_histograms;
    }
    if (!is_named(place, "always_scrape_classic_histograms") &&
        !is_named(place, "scrape_classic_histograms")) {
        s->classic_histograms = g->classic_histograms;
    }
    if (s->protocols.count == 0) {
        s->protocols = g->protocols;
    }
}

/* Each is one that is known. */
static int check_protocols(
    struct agent_scrape *s, const struct agent_config_place *place, struct err *e)
{
    enum exposition_format format;
    bool none;
    for (size_t i = 0; i < s->protocols.count; i++) {
        if (!agent_config_fallback(s->protocols.items[i], &format, &none) || none) {
            return agent_config_fail(place, "scrape_protocols", e,
                "job \"%s\": scrape_protocols \"%s\"; accepted: PrometheusText0.0.4, "
                "PrometheusText1.0.0, OpenMetricsText0.0.1, OpenMetricsText1.0.0, PrometheusProto",
                s->job_name, s->protocols.items[i]);
        }
    }
    s->native_histograms =
        s->native_histograms ||
        (s->protocols.count > 0 && strcmp(s->protocols.items[0], "PrometheusProto") == 0);
    return 0;
}

int agent_config_finish_scrape(const struct agent_config *config, struct agent_scrape *s,
    const struct agent_config_place *place, struct err *e)
{
    struct err why = ERR_INIT;
    enum exposition_format format;
    bool none;
    int status = finish_times(&config->global, s, place, e);
    finish_limits(&config->global, s, place);
    status = status == 0 ? check_protocols(s, place, e) : status;
    if (status != 0) {
        return status;
    }
    if (strcmp(s->scheme, "http") != 0 && strcmp(s->scheme, "https") != 0) {
        return agent_config_fail(place, "scheme", e,
            "job \"%s\": scheme \"%s\"; accepted: http, https", s->job_name, s->scheme);
    }
    if (http_profile_check(&s->profile, &why) != 0 || discovery_check(&s->discovery, &why) != 0) {
        return agent_config_fail(place, NULL, e, "job \"%s\": %s", s->job_name, why.message);
    }
    if (!agent_config_fallback(s->fallback_protocol, &format, &none)) {
        return agent_config_fail(place, "fallback_scrape_protocol", e,
            "job \"%s\": fallback_scrape_protocol \"%s\"; accepted: PrometheusText0.0.4, "
            "PrometheusText1.0.0, OpenMetricsText0.0.1, OpenMetricsText1.0.0, PrometheusProto, "
            "none",
            s->job_name, s->fallback_protocol);
    }
    if (s->metrics_path[0] != '/') {
        return agent_config_fail(
            place, "metrics_path", e, "job \"%s\": metrics_path must begin with /", s->job_name);
    }
    status = check_rules(place, "relabel_configs", &s->relabel_configs, e);
    return status == 0 ? check_rules(place, "metric_relabel_configs", &s->metric_relabel_configs, e)
                       : status;
}
