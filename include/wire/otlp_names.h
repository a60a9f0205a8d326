/* The names that OTLP's metrics and attributes get as series: Prometheus' translation strategies. */
#ifndef SONDE_WIRE_OTLP_NAMES_H
#define SONDE_WIRE_OTLP_NAMES_H

#include <stdbool.h>

#include "base/arena.h"
#include "base/str.h"
#include "wire/otlp_metrics.h"

/* Prometheus' translation strategies, by their names in its configuration. */
enum otlp_naming {
    OTLP_UNDERSCORES_WITH_SUFFIXES,    /* UnderscoreEscapingWithSuffixes, the default */
    OTLP_UNDERSCORES_WITHOUT_SUFFIXES, /* UnderscoreEscapingWithoutSuffixes */
    OTLP_UTF8_WITH_SUFFIXES,           /* NoUTF8EscapingWithSuffixes */
    OTLP_UTF8,                         /* NoTranslation */
};

/* By that name; false when it is none of them. */
bool otlp_naming_parse(struct str name, enum otlp_naming *naming_out);
const char *otlp_naming_name(enum otlp_naming naming);

/* The name of a metric (without _bucket and the like), and of a label. 0, ERR_INVALID for an empty
 * name, ERR_NOMEM, ERR_LIMIT. */
int otlp_metric_name(const struct otlp_metric *metric, enum otlp_naming naming, struct arena *arena,
    struct str *name_out);
int otlp_label_name(
    struct str attribute, enum otlp_naming naming, struct arena *arena, struct str *name_out);

#endif
