/* Sizes and durations as people write them: "64MiB", "1h30m", and back for help texts.
 *
 *   bytes    = number [ unit ]      number with at most one point, unit in any case:
 *              B · k M G T P E = 1000ⁿ · Ki Mi Gi … = 1024ⁿ, each with an optional trailing B
 *   duration = "0" | 1*( digits unit ), units y w d h m s ms from large to small, each at most
 *              once, as Prometheus has it; a year is 365 days. Durations are never negative.
 */
#include "units.h"

#include <math.h>

#include "base/err.h"

/* 1000ⁿ or 1024ⁿ of a unit; 0 when it is none. */
static double unit_factor(struct str unit)
{
    static const char letters[] = "kmgtpe";
    if (unit.len > 0 && (unit.ptr[unit.len - 1] | 0x20) == 'b') {
        unit.len--;
    }
    if (unit.len == 0) {
        return 1;
    }
    bool binary = unit.len == 2 && (unit.ptr[1] | 0x20) == 'i';
    const char *letter = memchr(letters, unit.ptr[0] | 0x20, sizeof(letters) - 1);
    if (letter == NULL || (unit.len != 1 && !binary)) {
        return 0;
    }
    return pow(binary ? 1024 : 1000, (double)(letter - letters + 1));
}

static int parse_bytes(struct str text, int64_t *bytes_out)
{
    text = str_trim(text);
    size_t digits = 0;
    while (digits < text.len &&
           ((text.ptr[digits] >= '0' && text.ptr[digits] <= '9') || text.ptr[digits] == '.')) {
        digits++;
    }
    struct str number = str_make(text.ptr, digits);
    double factor = unit_factor(str_trim(str_skip(text, digits)));
    if (digits == 0 || factor == 0) {
        return ERR_INVALID;
    }
    uint64_t whole;
    if (factor == 1) {
        int status = str_to_u64(number, &whole);
        if (status == 0 && whole <= INT64_MAX) {
            *bytes_out = (int64_t)whole;
        }
        return status != 0 ? status : whole <= INT64_MAX ? 0 : ERR_RANGE;
    }
    double value;
    if (str_to_double(number, &value) != 0) {
        return ERR_INVALID;
    }
    /* 2^63 is the first double that does not fit. */
    if (value * factor >= 9223372036854775808.0) {
        return ERR_RANGE;
    }
    *bytes_out = llround(value * factor);
    return 0;
}

static const struct {
    const char *unit;
    int64_t milliseconds;
} duration_units[] = {
    {"y", 365LL * 86400 * 1000},
    {"w", 7LL * 86400 * 1000},
    {"d", 86400LL * 1000},
    {"h", 3600LL * 1000},
    {"m", 60LL * 1000},
    {"s", 1000},
    {"ms", 1},
};

enum { DURATION_UNITS = sizeof(duration_units) / sizeof(duration_units[0]) };

/* Takes one "15s" off the front; the unit must be after `*unit`, which moves on. */
static int take_part(struct str *rest, size_t *unit, int64_t *total)
{
    size_t digits = 0;
    while (digits < rest->len && rest->ptr[digits] >= '0' && rest->ptr[digits] <= '9') {
        digits++;
    }
    uint64_t count;
    int status = str_to_u64(str_make(rest->ptr, digits), &count);
    if (status != 0) {
        return status;
    }
    *rest = str_skip(*rest, digits);
    size_t letters = 0;
    while (letters < rest->len && rest->ptr[letters] >= 'a' && rest->ptr[letters] <= 'z') {
        letters++;
    }
    struct str name = str_make(rest->ptr, letters);
    while (*unit < DURATION_UNITS && !str_eq_c(name, duration_units[*unit].unit)) {
        ++*unit;
    }
    if (*unit == DURATION_UNITS) {
        return ERR_INVALID;
    }
    int64_t part;
    if (count > INT64_MAX ||
        __builtin_mul_overflow((int64_t)count, duration_units[*unit].milliseconds, &part) ||
        __builtin_add_overflow(*total, part, total)) {
        return ERR_RANGE;
    }
    ++*unit;
    *rest = str_skip(*rest, letters);
    return 0;
}

static int parse_duration(struct str text, int64_t *milliseconds_out)
{
    struct str rest = str_trim(text);
    if (rest.len == 0) {
        return ERR_INVALID;
    }
    size_t unit = 0;
    int64_t total = 0;
    if (!str_eq_c(rest, "0")) {
        while (rest.len > 0) {
            int status = take_part(&rest, &unit, &total);
            if (status != 0) {
                return status;
            }
        }
    }
    *milliseconds_out = total;
    return 0;
}

static void write_duration(int64_t milliseconds, struct strbuf *out)
{
    if (milliseconds <= 0) {
        strbuf_add_c(out, milliseconds == 0 ? "0s" : "");
        return;
    }
    for (size_t i = 0; i < DURATION_UNITS; i++) {
        int64_t count = milliseconds / duration_units[i].milliseconds;
        if (count > 0) {
            strbuf_addf(out, "%lld%s", (long long)count, duration_units[i].unit);
            milliseconds -= count * duration_units[i].milliseconds;
        }
    }
}

static void write_bytes(int64_t bytes, struct strbuf *out)
{
    static const char *const units[] = {"", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
    size_t unit = 0;
    while (bytes != 0 && bytes % 1024 == 0 && unit + 1 < sizeof(units) / sizeof(units[0])) {
        bytes /= 1024;
        unit++;
    }
    strbuf_addf(out, "%lld%s", (long long)bytes, units[unit]);
}

int units_parse(enum units_kind kind, struct str text, int64_t *value_out)
{
    switch (kind) {
    case UNITS_DURATION:
        return parse_duration(text, value_out);
    case UNITS_BYTES:
        return parse_bytes(text, value_out);
    default:
        return str_to_i64(text, value_out);
    }
}

void units_write(enum units_kind kind, int64_t value, struct strbuf *out)
{
    switch (kind) {
    case UNITS_DURATION:
        write_duration(value, out);
        break;
    case UNITS_BYTES:
        write_bytes(value, out);
        break;
    default:
        strbuf_add_i64(out, value);
        break;
    }
}

void units_write_limits(enum units_kind kind, int64_t min, int64_t max, struct strbuf *out)
{
    units_write(kind, min, out);
    strbuf_add_c(out, " to ");
    units_write(kind, max, out);
}

const char *units_wanted(enum units_kind kind)
{
    static const char *const wanted[] = {
        [UNITS_NUMBER] = "a whole number",
        [UNITS_DURATION] = "a duration such as 15s or 1h30m",
        [UNITS_BYTES] = "a size such as 64MiB or 10GB",
    };
    return wanted[kind];
}
