/* A rule of stream aggregation as a configuration file has it. */
#ifndef SONDE_INTAKE_STREAM_RULE_H
#define SONDE_INTAKE_STREAM_RULE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/config.h"

#define STREAM_OUTPUTS_MAX 16
#define STREAM_QUANTILES_MAX 16

/* One rule as a configuration file has it; read with stream_rule_fields. */
struct stream_rule {
    struct config_strings match; /* selectors; any of them; none: all series */
    int64_t interval_ms, dedup_interval_ms;
    struct config_strings by, without, outputs;
    bool keep_metric_names; /* with one output: the name stays as it is */
};

extern const struct config_field stream_rule_fields[];

#endif
