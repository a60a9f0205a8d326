/* Settings of sampling: the part `traces.sampling` of the agent's file. */
#ifndef SONDE_SPANS_SAMPLING_CONFIG_H
#define SONDE_SPANS_SAMPLING_CONFIG_H

#include <stdbool.h>
#include <stdint.h>

#include "base/config.h"

#define SAMPLING_POLICIES_MAX 16

/* All conditions that are set must hold of a trace; a policy with none takes every trace. */
struct sampling_policy_config {
    const char *name;
    bool error;
    int64_t latency_ms;      /* 0: not asked */
    double latency_quantile; /* 0: not asked */
    int64_t rare;            /* 0: not asked */
    struct config_map attributes;
    double percent;
    int64_t spans_per_second_max; /* 0: no limit */
    bool drop;
};

struct sampling_config {
    struct config_list policies; /* struct sampling_policy_config; none: everything is kept */
    int64_t wait_ms, wait_after_root_ms;
    int64_t window_bytes_max, trace_bytes_max, decisions_max;
};

extern const struct config_field sampling_fields[];

#endif
