/* The tables of settings. */
#include "spans/spans_config.h"

#include <stddef.h>

enum { MINUTE_MS = 60000, DAY_MS = 24 * 3600 * 1000 };

static const struct config_field queue_fields[] = {
    {.key = "max_size",
        .kind = CONFIG_BYTES,
        .offset = offsetof(struct spans_queue_config, size_max),
        .default_text = "1GiB",
        .min = (int64_t)1 << 20,
        .max = (int64_t)1 << 42,
        .help = "Bytes on disk; the oldest go first"},
    {.key = "max_age",
        .kind = CONFIG_DURATION,
        .offset = offsetof(struct spans_queue_config, age_max_ms),
        .default_text = "1d",
        .min = MINUTE_MS,
        .max = (int64_t)366 * DAY_MS,
        .help = "Spans that wait longer are not worth sending"},
    {.key = NULL},
};

const struct config_field spans_fields[] = {
    {.key = "queue",
        .kind = CONFIG_OBJECT,
        .offset = offsetof(struct spans_config, queue),
        .fields = queue_fields,
        .help = "Spans waiting on disk; `queue.min_free` holds for them, too"},
    {.key = NULL},
};
