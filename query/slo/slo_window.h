/* The window an objective is measured over: the last 30 days, or this calendar month in Berlin. */
#ifndef SONDE_QUERY_SLO_WINDOW_H
#define SONDE_QUERY_SLO_WINDOW_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/str.h"
#include "base/strbuf.h"
#include "base/zone.h"

enum slo_unit { SLO_MINUTE, SLO_HOUR, SLO_DAY, SLO_WEEK, SLO_MONTH, SLO_QUARTER, SLO_YEAR };

struct slo_window {
    bool calendar;
    int64_t count; /* of units */
    enum slo_unit unit;
    const struct zone *zone; /* of a calendar window; borrowed. NULL = UTC */
    struct civil_time start; /* of a calendar window: one of its beginnings, on the wall clock */
};

/* OpenSLO's duration shorthand: a number and m h d w M Q Y. ERR_INVALID with a sentence. */
int slo_window_parse(struct str text, struct slo_window *window_out, struct err *e);
/* The same, back: "30d", "1M". */
void slo_window_write(const struct slo_window *window, struct strbuf *out);

/* The length that tiers reckon with: of a month 30 days, of a quarter 90, of a year 365. */
int64_t slo_window_period_ms(const struct slo_window *window);
/* Where the window that holds `time_ms` begins: events after it and up to `time_ms` count. */
int64_t slo_window_start_ms(const struct slo_window *window, int64_t time_ms);
/* Where a calendar window ends that holds `time_ms`; of a rolling window `time_ms`. */
int64_t slo_window_end_ms(const struct slo_window *window, int64_t time_ms);

#endif
