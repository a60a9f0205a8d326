/* Reading and writing of moments. */
#include "base/rfc3339.h"

#include <stdio.h>

#include "base/civil.h"
#include "base/err.h"

enum { YEAR_DIGITS = 4, PLACE_DIGITS = 2 };

/* Exactly `count` digits. */
static bool take_number(struct str *rest, int count, int *number_out)
{
    int number = 0;
    for (int i = 0; i < count; i++) {
        if (rest->len == 0 || rest->ptr[0] < '0' || rest->ptr[0] > '9') {
            return false;
        }
        number = number * 10 + (rest->ptr[0] - '0');
        *rest = str_skip(*rest, 1);
    }
    *number_out = number;
    return true;
}

static bool take_char(struct str *rest, char wanted)
{
    if (rest->len == 0 || rest->ptr[0] != wanted) {
        return false;
    }
    *rest = str_skip(*rest, 1);
    return true;
}

/* "2026-11-22" */
static bool take_date(struct str *rest, struct civil_time *t)
{
    int year = 0;
    bool good = take_number(rest, YEAR_DIGITS, &year) && take_char(rest, '-') &&
                take_number(rest, PLACE_DIGITS, &t->month) && take_char(rest, '-') &&
                take_number(rest, PLACE_DIGITS, &t->day);
    t->year = year;
    return good && t->month >= 1 && t->month <= 12 && t->day >= 1 &&
           t->day <= civil_days_in_month(t->year, t->month);
}

/* ".5", or nothing. */
static bool take_fraction(struct str *rest, int *ms_out)
{
    int weight = 100, digit;
    *ms_out = 0;
    if (!take_char(rest, '.') && !take_char(rest, ',')) {
        return true;
    }
    bool any = false;
    while (take_number(rest, 1, &digit)) {
        *ms_out += digit * weight;
        weight /= 10;
        any = true;
    }
    return any;
}

/* "12:34:56.789" */
static bool take_clock(struct str *rest, struct civil_time *t, int *ms_out)
{
    return take_number(rest, PLACE_DIGITS, &t->hour) && take_char(rest, ':') &&
           take_number(rest, PLACE_DIGITS, &t->minute) && take_char(rest, ':') &&
           take_number(rest, PLACE_DIGITS, &t->second) && take_fraction(rest, ms_out) &&
           t->hour < 24 && t->minute < 60 && t->second < 60;
}

/* "Z", "+02:00" */
static bool take_zone(struct str *rest, int *minutes_out)
{
    int hours, minutes;
    *minutes_out = 0;
    if (take_char(rest, 'Z')) {
        return true;
    }
    int sign = take_char(rest, '-') ? -1 : take_char(rest, '+') ? 1 : 0;
    if (sign == 0 || !take_number(rest, PLACE_DIGITS, &hours) || !take_char(rest, ':') ||
        !take_number(rest, PLACE_DIGITS, &minutes) || hours > 23 || minutes > 59) {
        return false;
    }
    *minutes_out = sign * (hours * 60 + minutes);
    return true;
}

int rfc3339_parse(struct str text, int64_t *time_ms_out)
{
    struct civil_time t = {0};
    int ms = 0, zone = 0;
    if (!take_date(&text, &t) || !take_char(&text, 'T') || !take_clock(&text, &t, &ms) ||
        !take_zone(&text, &zone) || text.len > 0) {
        return ERR_INVALID;
    }
    *time_ms_out = (civil_to_seconds(&t) - (int64_t)zone * 60) * 1000 + ms;
    return 0;
}

size_t rfc3339_format(int64_t time_ms, char text_out[RFC3339_TEXT_MAX])
{
    int ms = (int)(time_ms % 1000);
    ms = ms < 0 ? ms + 1000 : ms;
    struct civil_time t = civil_from_seconds(time_ms / 1000 - (time_ms % 1000 < 0));
    size_t length = (size_t)snprintf(text_out, RFC3339_TEXT_MAX, "%04lld-%02d-%02dT%02d:%02d:%02d",
        (long long)t.year, t.month, t.day, t.hour, t.minute, t.second);
    if (ms != 0) {
        length += (size_t)snprintf(text_out + length, RFC3339_TEXT_MAX - length, ".%03d", ms);
        while (text_out[length - 1] == '0') {
            length--;
        }
    }
    text_out[length++] = 'Z';
    text_out[length] = '\0';
    return length;
}

void rfc3339_json(struct json_writer *w, int64_t time_ms)
{
    char text[RFC3339_TEXT_MAX];
    json_string(w, str_make(text, rfc3339_format(time_ms, text)));
}
