/* Reading and writing of times. */
#include "alert/rfc3339.h"

#include "base/civil.h"

/* `count` digits. */
static bool take_number(struct str *rest, size_t count, int *value_out)
{
    int value = 0;
    for (size_t i = 0; i < count; i++) {
        if (rest->len == 0 || rest->ptr[0] < '0' || rest->ptr[0] > '9') {
            return false;
        }
        value = value * 10 + (rest->ptr[0] - '0');
        *rest = str_skip(*rest, 1);
    }
    *value_out = value;
    return true;
}

static bool take_char(struct str *rest, const char *any_of)
{
    if (rest->len == 0 || rest->ptr[0] == '\0' || strchr(any_of, rest->ptr[0]) == NULL) {
        return false;
    }
    *rest = str_skip(*rest, 1);
    return true;
}

static bool take_fraction(struct str *rest, int *ms_out)
{
    int scale = 100, digit;
    *ms_out = 0;
    if (!take_char(rest, ".,")) {
        return true;
    }
    bool any = false;
    while (take_number(rest, 1, &digit)) {
        *ms_out += digit * scale;
        scale /= 10;
        any = true;
    }
    return any;
}

static bool take_zone(struct str *rest, int *minutes_out)
{
    int hours, minutes;
    if (take_char(rest, "Zz")) {
        *minutes_out = 0;
        return true;
    }
    bool west = rest->len > 0 && rest->ptr[0] == '-';
    if (!take_char(rest, "+-") || !take_number(rest, 2, &hours) || !take_char(rest, ":") ||
        !take_number(rest, 2, &minutes) || hours > 23 || minutes > 59) {
        return false;
    }
    *minutes_out = (hours * 60 + minutes) * (west ? -1 : 1);
    return true;
}

int rfc3339_parse(struct str text, int64_t *time_ms_out)
{
    int year, ms, zone;
    struct civil_time t = {0};
    struct str rest = text;
    bool good = take_number(&rest, 4, &year) && take_char(&rest, "-") &&
                take_number(&rest, 2, &t.month) && take_char(&rest, "-") &&
                take_number(&rest, 2, &t.day) && take_char(&rest, "Tt ") &&
                take_number(&rest, 2, &t.hour) && take_char(&rest, ":") &&
                take_number(&rest, 2, &t.minute) && take_char(&rest, ":") &&
                take_number(&rest, 2, &t.second) && take_fraction(&rest, &ms) &&
                take_zone(&rest, &zone) && rest.len == 0;
    if (!good || t.month < 1 || t.month > 12 || t.day < 1 ||
        t.day > civil_days_in_month(year, t.month) || t.hour > 23 || t.minute > 59 ||
        t.second > 60) {
        return ERR_INVALID;
    }
    t.year = year;
    *time_ms_out = year <= 1 ? 0 : (civil_to_seconds(&t) - (int64_t)zone * 60) * 1000 + ms;
    return 0;
}

void rfc3339_write(struct strbuf *out, int64_t time_ms)
{
    if (time_ms == 0) {
        strbuf_add_c(out, "0001-01-01T00:00:00Z");
        return;
    }
    int64_t rest = time_ms % 1000;
    rest = rest < 0 ? rest + 1000 : rest;
    struct civil_time t = civil_from_seconds((time_ms - rest) / 1000);
    strbuf_addf(out, "%04lld-%02d-%02dT%02d:%02d:%02d", (long long)t.year, t.month, t.day, t.hour,
        t.minute, t.second);
    if (rest != 0) {
        strbuf_addf(out, ".%03d", (int)rest);
    }
    strbuf_add_char(out, 'Z');
}
