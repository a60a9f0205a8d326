/* The table of a rule of stream aggregation. */
#include "intake/stream_rule.h"

#include <stddef.h>

enum { DAY_MS = 24 * 3600 * 1000 };

const struct config_field stream_rule_fields[] = {
    {.key = "match",
        .kind = CONFIG_STRING_LIST,
        .offset = offsetof(struct stream_rule, match),
        .help = "Selectors of the series that are aggregated, any of them; all series when empty"},
    {.key = "interval",
        .kind = CONFIG_DURATION,
        .offset = offsetof(struct stream_rule, interval_ms),
        .required = true,
        .min = 100,
        .max = DAY_MS,
        .help = "How often results are sent"},
    {.key = "dedup_interval",
        .kind = CONFIG_DURATION,
        .offset = offsetof(struct stream_rule, dedup_interval_ms),
        .default_text = "0s",
        .max = DAY_MS,
        .help = "Of each series the last sample of such an interval counts alone; 0s = all count"},
    {.key = "by",
        .kind = CONFIG_STRING_LIST,
        .offset = offsetof(struct stream_rule, by),
        .help = "Labels that results keep"},
    {.key = "without",
        .kind = CONFIG_STRING_LIST,
        .offset = offsetof(struct stream_rule, without),
        .help = "Labels that results lose; they keep all others"},
    {.key = "outputs",
        .kind = CONFIG_STRING_LIST,
        .offset = offsetof(struct stream_rule, outputs),
        .help = "sum_samples, count_samples, count_series, min, max, avg, last, increase, total, "
                "rate_sum, rate_avg, quantiles(0.5, 0.99); none with dedup_interval: the samples "
                "themselves, thinned out"},
    {.key = "keep_metric_names",
        .kind = CONFIG_BOOL,
        .offset = offsetof(struct stream_rule, keep_metric_names),
        .default_text = "false",
        .help = "Results keep the name of the metric; for rules of one output"},
    {.key = NULL},
};
