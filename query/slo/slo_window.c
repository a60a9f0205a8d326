/* Windows. A calendar window steps from its given start by whole units on the wall clock of its zone, so that
 * a month is a month and a day with a change of clocks has 23 or 25 hours. A moment right at a border belongs
 * to the window that ends there: events count in (start, end].
 */
#include "slo_window.h"

#include "slo_tier.h"

static const struct {
    char letter;
    int64_t ms;
} units[] = {
    [SLO_MINUTE] = {'m', INT64_C(60000)},
    [SLO_HOUR] = {'h', INT64_C(3600000)},
    [SLO_DAY] = {'d', INT64_C(86400000)},
    [SLO_WEEK] = {'w', INT64_C(604800000)},
    [SLO_MONTH] = {'M', INT64_C(2592000000)},
    [SLO_QUARTER] = {'Q', INT64_C(7776000000)},
    [SLO_YEAR] = {'Y', INT64_C(31536000000)},
};
#define UNIT_COUNT (sizeof(units) / sizeof(units[0]))

int slo_window_parse(struct str text, struct slo_window *window_out, struct err *e)
{
    uint64_t count = 0;
    size_t unit = 0;
    while (text.len > 0 && unit < UNIT_COUNT && units[unit].letter != text.ptr[text.len - 1]) {
        unit++;
    }
    bool right = text.len > 1 && unit < UNIT_COUNT &&
                 str_to_u64(str_make(text.ptr, text.len - 1), &count) == 0 && count > 0 &&
                 count <= (uint64_t)(SLO_PERIOD_MS_MAX / units[unit].ms);
    if (!right) {
        return err_set(e, ERR_INVALID, -1,
            "\"%.*s\" is no window: a number and one of m h d w M Q Y is, at most a year",
            (int)(text.len < 64 ? text.len : 64), text.ptr);
    }
    window_out->count = (int64_t)count;
    window_out->unit = (enum slo_unit)unit;
    return 0;
}

void slo_window_write(const struct slo_window *window, struct strbuf *out)
{
    strbuf_add_i64(out, window->count);
    strbuf_add_char(out, units[window->unit].letter);
}

int64_t slo_window_period_ms(const struct slo_window *window)
{
    return window->count * units[window->unit].ms;
}

static int64_t moment_of(const struct slo_window *w, const struct civil_time *t)
{
    return (w->zone != NULL ? zone_seconds(w->zone, t) : civil_to_seconds(t)) * 1000;
}

/* The beginning `index` windows after the given one. */
static int64_t begin_of(const struct slo_window *w, int64_t index)
{
    struct civil_time t = w->start;
    int64_t steps = index * w->count;
    switch (w->unit) {
    case SLO_MINUTE:
    case SLO_HOUR:
        return moment_of(w, &t) + steps * units[w->unit].ms;
    case SLO_DAY:
    case SLO_WEEK: {
        int64_t days = civil_days(t.year, t.month, t.day) + steps * (w->unit == SLO_WEEK ? 7 : 1);
        struct civil_time day = civil_from_seconds(days * CIVIL_DAY_SECONDS);
        t.year = day.year;
        t.month = day.month;
        t.day = day.day;
        return moment_of(w, &t);
    }
    default: {
        int64_t months = (t.year * 12 + t.month - 1) + steps * (w->unit == SLO_MONTH        ? 1
                                                                   : w->unit == SLO_QUARTER ? 3
                                                                                            : 12);
        t.year = months / 12 - (months % 12 < 0);
        t.month = (int)(months - t.year * 12) + 1;
        /* A window that begins on the 31st begins on the last day of shorter months. */
        int last = civil_days_in_month(t.year, t.month);
        t.day = t.day < last ? t.day : last;
        return moment_of(w, &t);
    }
    }
}

/* The last window that begins before `time_ms`. */
static int64_t index_at(const struct slo_window *w, int64_t time_ms)
{
    int64_t first = begin_of(w, 0);
    int64_t index = (time_ms - first) / slo_window_period_ms(w);
    while (begin_of(w, index) >= time_ms) {
        index--;
    }
    while (begin_of(w, index + 1) < time_ms) {
        index++;
    }
    return index;
}

int64_t slo_window_start_ms(const struct slo_window *window, int64_t time_ms)
{
    return window->calendar ? begin_of(window, index_at(window, time_ms))
                            : time_ms - slo_window_period_ms(window);
}

int64_t slo_window_end_ms(const struct slo_window *window, int64_t time_ms)
{
    return window->calendar ? begin_of(window, index_at(window, time_ms) + 1) : time_ms;
}
