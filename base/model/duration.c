/* Durations: one table of units, largest first, both ways. */
#include "model/duration.h"

#include <stdbool.h>

static const struct unit {
    struct str name;
    int64_t milliseconds;
    bool exact_only; /* printing uses it only when nothing remains, as Prometheus does */
} units[] = {
    {{"y", 1}, 365LL * 24 * 3600 * 1000, true},
    {{"w", 1}, 7LL * 24 * 3600 * 1000, true},
    {{"d", 1}, 24LL * 3600 * 1000, false},
    {{"h", 1}, 3600 * 1000, false},
    {{"m", 1}, 60 * 1000, false},
    {{"s", 1}, 1000, false},
    {{"ms", 2}, 1, false},
};

enum { UNIT_COUNT = sizeof(units) / sizeof(units[0]) };

/* Go keeps durations in int64 nanoseconds; beyond that Prometheus answers "duration out of range". */
static const int64_t DURATION_MAX_MS = INT64_MAX / 1000000;

/* The unit at the start of `text`: its index, or UNIT_COUNT. "m" must not swallow "ms". */
static size_t find_unit(struct str text)
{
    if (str_starts_with(text, STR("ms"))) {
        return UNIT_COUNT - 1;
    }
    for (size_t i = 0; i + 1 < UNIT_COUNT; i++) {
        if (str_starts_with(text, units[i].name)) {
            return i;
        }
    }
    return UNIT_COUNT;
}

int duration_parse(struct str text, int64_t *milliseconds_out, struct err *e)
{
    struct str rest = text;
    if (text.len == 0) {
        return err_set(e, ERR_INVALID, 0, "empty duration string");
    }
    if (str_eq(text, STR("0"))) {
        *milliseconds_out = 0;
        return 0;
    }
    int64_t total = 0;
    size_t next_unit = 0;
    while (rest.len > 0) {
        size_t digits = 0;
        while (digits < rest.len && rest.ptr[digits] >= '0' && rest.ptr[digits] <= '9') {
            digits++;
        }
        int64_t value = 0, part = 0;
        int status = str_to_i64(str_make(rest.ptr, digits), &value);
        size_t unit = find_unit(str_skip(rest, digits));
        if (status == ERR_INVALID || unit == UNIT_COUNT || unit < next_unit) {
            return err_set(e, ERR_INVALID, (int64_t)(rest.ptr - text.ptr),
                "not a valid duration string: \"%.*s\" (accepted: 1h30m, 15s, 250ms, 7d)",
                STR_ARG(text));
        }
        if (status != 0 || __builtin_mul_overflow(value, units[unit].milliseconds, &part) ||
            __builtin_add_overflow(total, part, &total) || total > DURATION_MAX_MS) {
            return err_set(e, ERR_RANGE, 0, "duration out of range");
        }
        next_unit = unit + 1;
        rest = str_skip(rest, digits + units[unit].name.len);
    }
    *milliseconds_out = total;
    return 0;
}

void duration_write(int64_t milliseconds, struct strbuf *out)
{
    if (milliseconds == 0) {
        strbuf_add_c(out, "0s");
        return;
    }
    uint64_t rest = milliseconds < 0 ? 0 - (uint64_t)milliseconds : (uint64_t)milliseconds;
    if (milliseconds < 0) {
        strbuf_add_char(out, '-');
    }
    for (size_t i = 0; i < UNIT_COUNT; i++) {
        uint64_t unit = (uint64_t)units[i].milliseconds;
        if (rest < unit || (units[i].exact_only && rest % unit != 0)) {
            continue;
        }
        strbuf_add_u64(out, rest / unit);
        strbuf_add_str(out, units[i].name);
        rest %= unit;
    }
}
