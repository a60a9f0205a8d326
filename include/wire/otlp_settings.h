/* How OTLP metrics become series, as a configuration file says it: the same rows for the server and the agent. */
#ifndef SONDE_WIRE_OTLP_SETTINGS_H
#define SONDE_WIRE_OTLP_SETTINGS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/config.h"
#include "base/err.h"
#include "wire/otlp_translate.h"

struct otlp_settings {
    const char *translation_strategy; /* one that otlp_naming_parse knows */
    struct config_strings promoted;
    bool keep_identifying, promote_scope;
    int64_t delta_series_max;
};

/* Rows of the table of a struct that has `struct otlp_settings member`. */
#define OTLP_SETTINGS_FIELDS(type, member)                                                         \
    {.key = "translation_strategy",                                                                \
        .kind = CONFIG_STRING,                                                                     \
        .offset = offsetof(type, member.translation_strategy),                                     \
        .default_text = "UnderscoreEscapingWithSuffixes",                                          \
        .help = "How names become Prometheus': UnderscoreEscapingWithSuffixes, "                   \
                "UnderscoreEscapingWithoutSuffixes, NoUTF8EscapingWithSuffixes, NoTranslation"},   \
        {.key = "promote_resource_attributes",                                                     \
            .kind = CONFIG_STRING_LIST,                                                            \
            .offset = offsetof(type, member.promoted),                                             \
            .help = "Resource attributes that become labels of every series; '*' is all of them"}, \
        {.key = "keep_identifying_resource_attributes",                                            \
            .kind = CONFIG_BOOL,                                                                   \
            .offset = offsetof(type, member.keep_identifying),                                     \
            .default_text = "false",                                                               \
            .help =                                                                                \
                "service.name, service.namespace and service.instance.id in target_info, too"},    \
        {.key = "promote_scope_metadata",                                                          \
            .kind = CONFIG_BOOL,                                                                   \
            .offset = offsetof(type, member.promote_scope),                                        \
            .default_text = "false",                                                               \
            .help = "Name, version and attributes of the scope as labels otel_scope_…"},           \
    {                                                                                              \
        .key = "max_delta_series", .kind = CONFIG_INTEGER,                                         \
        .offset = offsetof(type, member.delta_series_max), .default_text = "100000", .min = 1,     \
        .max = 100000000,                                                                          \
        .help = "Series of delta temporality whose totals are kept; points of others are refused"  \
    }

/* ERR_INVALID with a sentence that begins with the setting's name. */
int otlp_settings_check(const struct otlp_settings *settings, struct err *e);
/* What the translation is told, of settings that are good; borrows from them. */
struct otlp_translate_options otlp_settings_translate(const struct otlp_settings *settings);

#endif
