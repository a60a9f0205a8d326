/* The tables of settings; those of OTLP are named as the server's are. */
#include "receive/receive_config.h"

#include <stddef.h>

#include "wire/otlp_delta.h"
#include "wire/otlp_names.h"

#define OTLP(member) offsetof(struct receive_otlp_config, member)

static const struct config_field otlp_fields[] = {
    {.key = "translation_strategy",
        .kind = CONFIG_STRING,
        .offset = OTLP(translation_strategy),
        .default_text = "UnderscoreEscapingWithSuffixes",
        .help = "How names become Prometheus': UnderscoreEscapingWithSuffixes, "
                "UnderscoreEscapingWithoutSuffixes, NoUTF8EscapingWithSuffixes, NoTranslation"},
    {.key = "promote_resource_attributes",
        .kind = CONFIG_STRING_LIST,
        .offset = OTLP(promoted),
        .help = "Resource attributes that become labels of every series; '*' is all of them"},
    {.key = "keep_identifying_resource_attributes",
        .kind = CONFIG_BOOL,
        .offset = OTLP(keep_identifying),
        .default_text = "false",
        .help = "service.name, service.namespace and service.instance.id in target_info, too"},
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
        .max = 10000000,
        .help = "Series of delta temporality whose totals are kept; more are refused"},
    {.key = NULL},
};

static const struct config_field statsd_fields[] = {
    {.key = "listen",
        .kind = CONFIG_STRING,
        .offset = offsetof(struct receive_statsd_config, listen),
        .default_text = "",
        .help = "UDP address, e.g. 127.0.0.1:8125; not at all when empty"},
    {.key = "socket",
        .kind = CONFIG_STRING,
        .offset = offsetof(struct receive_statsd_config, socket),
        .default_text = "",
        .help = "Path of a Unix datagram socket; none when empty"},
    {.key = "interval",
        .kind = CONFIG_DURATION,
        .offset = offsetof(struct receive_statsd_config, interval_ms),
        .default_text = "10s",
        .min = 100,
        .max = 60000,
        .help = "How often what was added up is handed on"},
    {.key = "max_series",
        .kind = CONFIG_INTEGER,
        .offset = offsetof(struct receive_statsd_config, series_max),
        .default_text = "10000",
        .min = 1,
        .max = 1000000,
        .help = "Series that are added up; lines of more are refused"},
    {.key = NULL},
};

static const struct config_field graphite_fields[] = {
    {.key = "listen",
        .kind = CONFIG_STRING,
        .offset = offsetof(struct receive_graphite_config, listen),
        .default_text = "",
        .help = "TCP address, e.g. 127.0.0.1:2003; not at all when empty"},
    {.key = NULL},
};

const struct config_field receive_fields[] = {
    {.key = "otlp",
        .kind = CONFIG_OBJECT,
        .offset = offsetof(struct receive_config, otlp),
        .fields = otlp_fields,
        .help = "OTLP over HTTP, on --otlp-listen"},
    {.key = "statsd",
        .kind = CONFIG_OBJECT,
        .offset = offsetof(struct receive_config, statsd),
        .fields = statsd_fields,
        .help = "StatsD and DogStatsD"},
    {.key = "graphite",
        .kind = CONFIG_OBJECT,
        .offset = offsetof(struct receive_config, graphite),
        .fields = graphite_fields,
        .help = "Graphite's plaintext protocol"},
    {.key = NULL},
};

int receive_config_check(const struct receive_config *config, const char *file, struct err *e)
{
    enum otlp_naming naming;
    if (!otlp_naming_parse(str_of(config->otlp.translation_strategy), &naming)) {
        return err_set(e, ERR_INVALID, -1,
            "%s: receive: translation_strategy \"%s\"; accepted: UnderscoreEscapingWithSuffixes, "
            "UnderscoreEscapingWithoutSuffixes, NoUTF8EscapingWithSuffixes, NoTranslation",
            file, config->otlp.translation_strategy);
    }
    return 0;
}
