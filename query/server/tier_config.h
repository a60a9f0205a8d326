/* Settings of downsampled tiers: which are kept, for how long, and for which series otherwise. */
#ifndef SONDE_QUERY_SERVER_TIER_CONFIG_H
#define SONDE_QUERY_SERVER_TIER_CONFIG_H

#include "base/arena.h"
#include "base/config.h"
#include "base/err.h"
#include "tsdb/tsdb.h"

struct tier_config {
    bool enabled, sketches;
    int64_t retention_ms; /* 0 = for ever */
};

/* One entry of `rules`. */
struct tier_rule_config {
    const char *match; /* a selector */
    struct tier_config five_minutes, one_hour;
};

struct tiers_config {
    struct tier_config five_minutes, one_hour;
    struct config_list rules; /* struct tier_rule_config */
};

#define TIER_RULES_MAX 64

extern const struct config_field tiers_config_fields[];

/* Fills in the options of the store. Rules live in `arena`, for as long as the store is open. ERR_INVALID
 * with a sentence for a selector that is none, ERR_LIMIT for too many rules. */
int tiers_config_apply(const struct tiers_config *config, struct arena *arena,
    struct tsdb_options *options, struct err *e);

#endif
