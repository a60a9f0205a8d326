/* The tables of tiers, and their rules made ready; see the header. */
#include "server/tier_config.h"

#include "query/promql.h"

#define DAY_MS ((int64_t)24 * 3600 * 1000)
#define YEAR_MS (365 * DAY_MS)

#define TIER(member) offsetof(struct tier_config, member)
/* The two differ in their defaults alone. */
#define TIER_FIELDS(retention, sketch)                                                             \
    {                                                                                              \
        {.key = "enabled",                                                                         \
            .kind = CONFIG_BOOL,                                                                   \
            .offset = TIER(enabled),                                                               \
            .default_text = "true",                                                                \
            .help = "Is the tier made at all?"},                                                   \
            {.key = "retention",                                                                   \
                .kind = CONFIG_DURATION,                                                           \
                .offset = TIER(retention_ms),                                                      \
                .default_text = retention,                                                         \
                .min = 0,                                                                          \
                .max = 1000 * YEAR_MS,                                                             \
                .help = "Files whose buckets are all older are dropped; 0 keeps them for ever."},  \
            {.key = "sketches",                                                                    \
                .kind = CONFIG_BOOL,                                                               \
                .offset = TIER(sketches),                                                          \
                .default_text = sketch,                                                            \
                .help = "Keep the distribution of what is no counter, for quantile_over_time."},   \
            {0},                                                                                   \
    }

static const struct config_field five_minute_fields[] = TIER_FIELDS("180d", "false");
static const struct config_field one_hour_fields[] = TIER_FIELDS("5y", "true");

#define RULE(member) offsetof(struct tier_rule_config, member)
static const struct config_field rule_fields[] = {
    {.key = "match",
        .kind = CONFIG_STRING,
        .offset = RULE(match),
        .required = true,
        .help = "A selector; the first rule that matches a series counts."},
    {.key = "five_minutes",
        .kind = CONFIG_OBJECT,
        .offset = RULE(five_minutes),
        .fields = five_minute_fields,
        .help = "Instead of the tier's own settings."},
    {.key = "one_hour",
        .kind = CONFIG_OBJECT,
        .offset = RULE(one_hour),
        .fields = one_hour_fields,
        .help = "Likewise."},
    {0},
};

#define TIERS(member) offsetof(struct tiers_config, member)
const struct config_field tiers_config_fields[] = {
    {.key = "five_minutes",
        .kind = CONFIG_OBJECT,
        .offset = TIERS(five_minutes),
        .fields = five_minute_fields,
        .help = "Buckets of five minutes."},
    {.key = "one_hour",
        .kind = CONFIG_OBJECT,
        .offset = TIERS(one_hour),
        .fields = one_hour_fields,
        .help = "Buckets of an hour."},
    {.key = "rules",
        .kind = CONFIG_LIST,
        .offset = TIERS(rules),
        .fields = rule_fields,
        .item_size = sizeof(struct tier_rule_config),
        .help = "Series that are kept otherwise, from when they are set."},
    {0},
};

static struct tsdb_tier_options options_of(const struct tier_config *c)
{
    return (struct tsdb_tier_options){
        .enabled = c->enabled, .sketches = c->sketches, .retention_ms = c->retention_ms};
}

static int make_rule(const struct tier_rule_config *config, struct arena *arena,
    struct tsdb_tier_rule *rule_out, struct err *e)
{
    struct expr *selector = NULL;
    int status = promql_parse_selector(str_of(config->match), arena, &selector, e);
    if (status != 0) {
        err_prefix(e, "storage.tiers.rules: match \"%s\"", config->match);
        return status;
    }
    *rule_out = (struct tsdb_tier_rule){.matchers = selector->selector.matchers,
        .matcher_count = selector->selector.matcher_count,
        .tiers = {options_of(&config->five_minutes), options_of(&config->one_hour)}};
    return 0;
}

int tiers_config_apply(const struct tiers_config *config, struct arena *arena,
    struct tsdb_options *options, struct err *e)
{
    const struct tier_rule_config *items = config->rules.items;
    size_t count = config->rules.count;
    if (count > TIER_RULES_MAX) {
        return err_set(e, ERR_LIMIT, -1, "storage.tiers.rules: %zu rules, %d are accepted", count,
            TIER_RULES_MAX);
    }
    struct tsdb_tier_rule *rules = arena_calloc(arena, count + 1, sizeof(*rules));
    int status = rules != NULL ? 0 : arena_error(arena);
    if (status != 0) {
        return err_set(e, status, -1, "%s", err_text(status));
    }
    for (size_t i = 0; status == 0 && i < count; i++) {
        status = make_rule(&items[i], arena, &rules[i], e);
    }
    options->tiers[TSDB_TIER_5M] = options_of(&config->five_minutes);
    options->tiers[TSDB_TIER_1H] = options_of(&config->one_hour);
    options->tier_rules = rules;
    options->tier_rule_count = count;
    return status;
}
