/* Reading time intervals, and asking them. */
#include "alert/time_interval.h"

#include <limits.h>
#include <strings.h>

#include "base/civil.h"

enum { MINUTES_A_DAY = 24 * 60 };

/* ---- Asking ---- */

static bool any_holds(const struct time_ranges *ranges, int64_t value)
{
    bool held = ranges->count == 0;
    for (size_t i = 0; !held && i < ranges->count; i++) {
        held = value >= ranges->items[i].begin && value <= ranges->items[i].end;
    }
    return held;
}

/* Of the day's minutes the last of a range is not in it. */
static bool time_holds(const struct time_ranges *times, int minute)
{
    bool held = times->count == 0;
    for (size_t i = 0; !held && i < times->count; i++) {
        held = minute >= times->items[i].begin && minute < times->items[i].end;
    }
    return held;
}

static int clamp(int value, int days)
{
    return value < 1 ? 1 : value > days ? days : value;
}

static bool day_holds(const struct time_ranges *ranges, const struct civil_time *t)
{
    bool held = ranges->count == 0;
    int days = civil_days_in_month(t->year, t->month);
    for (size_t i = 0; !held && i < ranges->count; i++) {
        int begin = ranges->items[i].begin, end = ranges->items[i].end;
        begin = begin < 0 ? days + begin + 1 : begin;
        end = end < 0 ? days + end + 1 : end;
        /* The 31st of a short month is not its last day; what only reaches out of the month is cut. */
        held =
            begin <= days && end >= 1 && t->day >= clamp(begin, days) && t->day <= clamp(end, days);
    }
    return held;
}

bool time_interval_contains(const struct time_interval *interval, int64_t time_ms)
{
    int64_t seconds = time_ms / 1000 - (time_ms % 1000 < 0);
    struct civil_time t =
        interval->zone != NULL ? zone_civil(interval->zone, seconds) : civil_from_seconds(seconds);
    return time_holds(&interval->times, t.hour * 60 + t.minute) &&
           any_holds(&interval->weekdays, t.weekday) && day_holds(&interval->days, &t) &&
           any_holds(&interval->months, t.month) && any_holds(&interval->years, t.year);
}

/* ---- Reading ---- */

static const char *const weekday_names[] = {
    "sunday", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday", NULL};
static const char *const month_names[] = {"january", "february", "march", "april", "may", "june",
    "july", "august", "september", "october", "november", "december", NULL};

/* What ranges of one kind are made of. */
struct range_kind {
    const char *what;
    const char *const *names; /* NULL: numbers only */
    int first_name;           /* number of names[0] */
    int min, max;
    bool numbers;
};

static const struct range_kind weekday_kind = {
    "a weekday like monday, or a range like monday:friday", weekday_names, 0, 0, 6, false};
static const struct range_kind month_kind = {
    "a month like march or 3, or a range like march:june", month_names, 1, 1, 12, true};
static const struct range_kind year_kind = {
    "a year, or a range like 2026:2028", NULL, 0, 1, 9999, true};
static const struct range_kind day_kind = {
    "a day of the month, 1 to 31 or -31 to -1 from its end, or a range like 1:5", NULL, 0, -31, 31,
    true};

static bool read_point(const struct range_kind *kind, struct str text, int *value_out)
{
    int64_t number;
    text = str_trim(text);
    for (int i = 0; kind->names != NULL && kind->names[i] != NULL; i++) {
        if (text.len == strlen(kind->names[i]) &&
            strncasecmp(text.ptr, kind->names[i], text.len) == 0) {
            *value_out = i + kind->first_name;
            return true;
        }
    }
    if (!kind->numbers || str_to_i64(text, &number) != 0 || number < kind->min ||
        number > kind->max || (number == 0 && kind->min < 0)) {
        return false;
    }
    *value_out = (int)number;
    return true;
}

static int begin_ranges(struct config_reader *r, const struct yaml_node *node,
    struct time_ranges *ranges, const char *what)
{
    if (node->kind != YAML_SEQUENCE || node->count > TIME_RANGES_MAX) {
        return config_fail(
            r, node, "expected a list of at most %d ranges, each %s", TIME_RANGES_MAX, what);
    }
    ranges->items = arena_calloc(r->arena, node->count + 1, sizeof(*ranges->items));
    ranges->count = node->count;
    return ranges->items != NULL ? 0 : arena_error(r->arena);
}

static int read_ranges(struct config_reader *r, const struct yaml_node *node,
    struct time_ranges *ranges, const struct range_kind *kind)
{
    int status = begin_ranges(r, node, ranges, kind->what);
    for (size_t i = 0; status == 0 && i < ranges->count; i++) {
        const struct yaml_node *item = node->entries[i].value;
        struct time_range *range = &ranges->items[i];
        struct str last = item->text;
        struct str first = str_split(&last, ':');
        bool good = item->kind == YAML_SCALAR && read_point(kind, first, &range->begin);
        range->end = range->begin;
        good = good && (last.ptr == NULL || read_point(kind, last, &range->end));
        if (!good) {
            return config_fail(r, item, "expected %s", kind->what);
        }
        bool mixed = (range->begin < 0) != (range->end < 0);
        if (range->begin > range->end && !mixed) {
            return config_fail(r, item, "the range ends before it begins");
        }
        if (range->begin < 0 && range->end > 0) {
            return config_fail(
                r, item, "a range that begins from the end of the month ends there too");
        }
    }
    return status;
}

static int read_weekdays(struct config_reader *r, const struct yaml_node *node, void *member)
{
    return read_ranges(r, node, member, &weekday_kind);
}

static int read_days(struct config_reader *r, const struct yaml_node *node, void *member)
{
    return read_ranges(r, node, member, &day_kind);
}

static int read_months(struct config_reader *r, const struct yaml_node *node, void *member)
{
    return read_ranges(r, node, member, &month_kind);
}

static int read_years(struct config_reader *r, const struct yaml_node *node, void *member)
{
    return read_ranges(r, node, member, &year_kind);
}

/* "09:00" -> 540 */
static bool read_minute(const struct yaml_node *node, int *minute_out)
{
    uint64_t hours, minutes;
    if (node == NULL || node->kind != YAML_SCALAR) {
        return false;
    }
    struct str rest = node->text;
    struct str first = str_split(&rest, ':');
    if (first.len != 2 || rest.len != 2 || str_to_u64(first, &hours) != 0 ||
        str_to_u64(rest, &minutes) != 0 || minutes > 59 || hours * 60 + minutes > MINUTES_A_DAY) {
        return false;
    }
    *minute_out = (int)(hours * 60 + minutes);
    return true;
}

static int read_times(struct config_reader *r, const struct yaml_node *node, void *member)
{
    static const char what[] = "like {start_time: '09:00', end_time: '17:00'}, at most 24:00";
    struct time_ranges *ranges = member;
    int status = begin_ranges(r, node, ranges, what);
    for (size_t i = 0; status == 0 && i < ranges->count; i++) {
        const struct yaml_node *item = node->entries[i].value;
        struct time_range *range = &ranges->items[i];
        if (item->kind != YAML_MAPPING || item->count != 2 ||
            !read_minute(yaml_get(item, "start_time"), &range->begin) ||
            !read_minute(yaml_get(item, "end_time"), &range->end)) {
            return config_fail(r, item, "expected a range of times, %s", what);
        }
        if (range->begin >= range->end) {
            return config_fail(r, item, "start_time must be before end_time");
        }
    }
    return status;
}

static void free_zone(void *zone)
{
    zone_free(zone);
}

static int read_location(struct config_reader *r, const struct yaml_node *node, void *member)
{
    struct zone *zone = NULL;
    struct err e = ERR_INIT;
    if (node->kind != YAML_SCALAR || zone_open(NULL, node->text, &zone, &e) != 0) {
        return config_fail(
            r, node, "location: expected a time zone like Europe/Berlin: %s", e.message);
    }
    int status = arena_on_release(r->arena, free_zone, zone);
    if (status != 0) {
        zone_free(zone);
        return status;
    }
    *(const struct zone **)member = zone;
    return 0;
}

#define ROW(name, member, function, text)                                                          \
    {                                                                                              \
        .key = (name), .kind = CONFIG_CUSTOM, .offset = offsetof(struct time_interval, member),    \
        .read = (function), .help = (text)                                                         \
    }
const struct config_field time_interval_fields[] = {
    ROW("times", times, read_times, "Times of day"),
    ROW("weekdays", weekdays, read_weekdays, "Days of the week"),
    ROW("days_of_month", days, read_days, "Days of the month, negative ones from its end"),
    ROW("months", months, read_months, "Months, by name or number"),
    ROW("years", years, read_years, "Years"),
    ROW("location", zone, read_location, "Time zone of the IANA database; UTC by default"),
    {.key = NULL},
};
