/* Settings of traces: the part `traces` of the agent's file. */
#ifndef SONDE_SPANS_SPANS_CONFIG_H
#define SONDE_SPANS_SPANS_CONFIG_H

#include <stdbool.h>
#include <stdint.h>

#include "base/config.h"
#include "base/err.h"

struct spans_queue_config {
    int64_t size_max, age_max_ms;
};

struct spans_config {
    struct spans_queue_config queue;
};

extern const struct config_field spans_fields[];

#endif
