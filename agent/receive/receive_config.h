/* Settings of the receivers: the part `receive` of the agent's file. */
#ifndef SONDE_RECEIVE_RECEIVE_CONFIG_H
#define SONDE_RECEIVE_RECEIVE_CONFIG_H

#include <stdbool.h>
#include <stdint.h>

#include "base/config.h"
#include "base/err.h"
#include "wire/otlp_settings.h"

struct receive_statsd_config {
    const char *listen, *socket; /* "" = not at all */
    int64_t interval_ms, series_max;
};

struct receive_graphite_config {
    const char *listen; /* "" = not at all */
};

struct receive_jaeger_config {
    const char *compact_listen, *binary_listen; /* "" = not at all */
};

struct receive_config {
    struct otlp_settings otlp;
    struct receive_statsd_config statsd;
    struct receive_graphite_config graphite;
    struct receive_jaeger_config jaeger;
    int64_t body_max; /* 0 = RECEIVE_BODY_MAX_DEFAULT */
};

extern const struct config_field receive_fields[];

/* Rules that the tables cannot say. ERR_INVALID, with the name of the file in the sentence. */
int receive_config_check(const struct receive_config *config, const char *file, struct err *e);

#endif
