/* When a route is mute or active: Alertmanager's time intervals. All members of an interval must hold;
 * of one member's ranges, any. A member without ranges holds always.
 */
#ifndef SONDE_QUERY_TIME_INTERVAL_H
#define SONDE_QUERY_TIME_INTERVAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/config.h"
#include "base/zone.h"

/* First to last, both included; of times of day, minutes since midnight without the last. */
struct time_range {
    int begin, end;
};

/* Ranges of one member. */
#define TIME_RANGES_MAX 64

struct time_ranges {
    struct time_range *items;
    size_t count;
};

struct time_interval {
    struct time_ranges times;    /* minutes, 0 … 1440 */
    struct time_ranges weekdays; /* Sunday is 0 */
    struct time_ranges days;     /* of the month; negative ones count from its end, -1 the last */
    struct time_ranges months;   /* 1 … 12 */
    struct time_ranges years;
    const struct zone *zone; /* NULL: UTC */
};

bool time_interval_contains(const struct time_interval *interval, int64_t time_ms);

/* Rows for reading one from YAML; zones are freed with the reader's arena. */
extern const struct config_field time_interval_fields[];

#endif
