/* Layouts of Go's package time: a layout is text with pieces of the reference time in it.
 *
 * Which piece stands where is found as Go finds it: the longest piece at each byte, "Jan" only when no small
 * letter follows, "05" alone a second, ".000" a fraction of as many digits, ".999" the same without zeros at
 * its end.
 */
#include "go_time.h"

#include <stdio.h>

#include "base/civil.h"
#include "base/zone.h"

enum piece {
    PIECE_NONE,
    PIECE_LONG_MONTH,
    PIECE_MONTH,
    PIECE_NUMBER_MONTH,
    PIECE_ZERO_MONTH,
    PIECE_LONG_WEEKDAY,
    PIECE_WEEKDAY,
    PIECE_DAY,
    PIECE_SPACE_DAY,
    PIECE_ZERO_DAY,
    PIECE_SPACE_YEAR_DAY,
    PIECE_ZERO_YEAR_DAY,
    PIECE_HOUR,
    PIECE_HOUR_12,
    PIECE_ZERO_HOUR_12,
    PIECE_MINUTE,
    PIECE_ZERO_MINUTE,
    PIECE_SECOND,
    PIECE_ZERO_SECOND,
    PIECE_LONG_YEAR,
    PIECE_YEAR,
    PIECE_NOON,
    PIECE_SMALL_NOON,
    PIECE_ZONE,
    PIECE_Z_HHMM,
    PIECE_Z_HHMMSS,
    PIECE_Z_HH,
    PIECE_Z_HH_MM,
    PIECE_Z_HH_MM_SS,
    PIECE_HHMM,
    PIECE_HHMMSS,
    PIECE_HH,
    PIECE_HH_MM,
    PIECE_HH_MM_SS,
    PIECE_FRACTION,      /* .000 */
    PIECE_FRACTION_FREE, /* .999 */
};

/* Longer texts before those they begin with. */
static const struct {
    const char *text;
    enum piece piece;
} pieces[] = {
    {"January", PIECE_LONG_MONTH},
    {"Jan", PIECE_MONTH},
    {"Monday", PIECE_LONG_WEEKDAY},
    {"Mon", PIECE_WEEKDAY},
    {"MST", PIECE_ZONE},
    {"002", PIECE_ZERO_YEAR_DAY},
    {"01", PIECE_ZERO_MONTH},
    {"02", PIECE_ZERO_DAY},
    {"03", PIECE_ZERO_HOUR_12},
    {"04", PIECE_ZERO_MINUTE},
    {"05", PIECE_ZERO_SECOND},
    {"06", PIECE_YEAR},
    {"15", PIECE_HOUR},
    {"1", PIECE_NUMBER_MONTH},
    {"2006", PIECE_LONG_YEAR},
    {"2", PIECE_DAY},
    {"__2", PIECE_SPACE_YEAR_DAY},
    {"_2", PIECE_SPACE_DAY},
    {"3", PIECE_HOUR_12},
    {"4", PIECE_MINUTE},
    {"5", PIECE_SECOND},
    {"PM", PIECE_NOON},
    {"pm", PIECE_SMALL_NOON},
    {"-070000", PIECE_HHMMSS},
    {"-07:00:00", PIECE_HH_MM_SS},
    {"-0700", PIECE_HHMM},
    {"-07:00", PIECE_HH_MM},
    {"-07", PIECE_HH},
    {"Z070000", PIECE_Z_HHMMSS},
    {"Z07:00:00", PIECE_Z_HH_MM_SS},
    {"Z0700", PIECE_Z_HHMM},
    {"Z07:00", PIECE_Z_HH_MM},
    {"Z07", PIECE_Z_HH},
};

static const char *const months[] = {"January", "February", "March", "April", "May", "June", "July",
    "August", "September", "October", "November", "December"};
static const char *const weekdays[] = {
    "Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"};

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* ".000" or ",999" with no digit behind; its length, else 0. */
static size_t fraction_at(struct str s, enum piece *piece_out)
{
    if (s.len < 2 || (s.ptr[0] != '.' && s.ptr[0] != ',') || (s.ptr[1] != '0' && s.ptr[1] != '9')) {
        return 0;
    }
    size_t n = 1;
    while (n < s.len && s.ptr[n] == s.ptr[1]) {
        n++;
    }
    if (n < s.len && is_digit(s.ptr[n])) {
        return 0;
    }
    *piece_out = s.ptr[1] == '0' ? PIECE_FRACTION : PIECE_FRACTION_FREE;
    return n;
}

/* The piece a layout begins with, and its length; PIECE_NONE and 1 for a byte of text. */
static enum piece piece_at(struct str layout, size_t *length_out)
{
    enum piece piece = PIECE_NONE;
    *length_out = fraction_at(layout, &piece);
    if (*length_out > 0) {
        return piece;
    }
    if (str_starts_with(layout, STR("_2006"))) {
        *length_out = 1; // an underscore, then the year
        return PIECE_NONE;
    }
    for (size_t i = 0; i < sizeof(pieces) / sizeof(pieces[0]); i++) {
        struct str text = str_of(pieces[i].text);
        if (!str_starts_with(layout, text)) {
            continue;
        }
        bool word = pieces[i].piece == PIECE_MONTH || pieces[i].piece == PIECE_WEEKDAY;
        char after = layout.len > text.len ? layout.ptr[text.len] : '\0';
        if (word && after >= 'a' && after <= 'z') {
            continue;
        }
        *length_out = text.len;
        return pieces[i].piece;
    }
    *length_out = 1;
    return PIECE_NONE;
}

/* ---- Writing ---- */

static bool is_z(enum piece p)
{
    return p >= PIECE_Z_HHMM && p <= PIECE_Z_HH_MM_SS;
}

static void write_offset(enum piece p, int32_t offset, struct strbuf *out)
{
    if (is_z(p) && offset == 0) {
        strbuf_add_char(out, 'Z');
        return;
    }
    int seconds = offset < 0 ? -offset : offset;
    bool colon =
        p == PIECE_HH_MM || p == PIECE_Z_HH_MM || p == PIECE_HH_MM_SS || p == PIECE_Z_HH_MM_SS;
    bool with_minutes = p != PIECE_HH && p != PIECE_Z_HH;
    bool with_seconds =
        p == PIECE_HHMMSS || p == PIECE_Z_HHMMSS || p == PIECE_HH_MM_SS || p == PIECE_Z_HH_MM_SS;
    strbuf_addf(out, "%c%02d", offset < 0 ? '-' : '+', seconds / 3600);
    if (with_minutes) {
        strbuf_addf(out, "%s%02d", colon ? ":" : "", seconds / 60 % 60);
    }
    if (with_seconds) {
        strbuf_addf(out, "%s%02d", colon ? ":" : "", seconds % 60);
    }
}

static void write_fraction(struct str piece, bool free_end, int32_t nanoseconds, struct strbuf *out)
{
    char digits[16];
    (void)snprintf(digits, sizeof(digits), "%09d", nanoseconds);
    size_t count = piece.len - 1 < 9 ? piece.len - 1 : 9;
    while (free_end && count > 0 && digits[count - 1] == '0') {
        count--;
    }
    if (free_end && count == 0) {
        return;
    }
    strbuf_add_char(out, piece.ptr[0]);
    strbuf_add(out, digits, count);
}

static void write_piece(enum piece p, struct str text, const struct template_time *t,
    const struct civil_time *c, struct zone_offset offset, struct strbuf *out)
{
    int hour_12 = c->hour % 12 == 0 ? 12 : c->hour % 12;
    switch (p) {
    case PIECE_LONG_MONTH:
        strbuf_add_c(out, months[c->month - 1]);
        break;
    case PIECE_MONTH:
        strbuf_addf(out, "%.3s", months[c->month - 1]);
        break;
    case PIECE_NUMBER_MONTH:
        strbuf_addf(out, "%d", c->month);
        break;
    case PIECE_ZERO_MONTH:
        strbuf_addf(out, "%02d", c->month);
        break;
    case PIECE_LONG_WEEKDAY:
        strbuf_add_c(out, weekdays[c->weekday]);
        break;
    case PIECE_WEEKDAY:
        strbuf_addf(out, "%.3s", weekdays[c->weekday]);
        break;
    case PIECE_DAY:
        strbuf_addf(out, "%d", c->day);
        break;
    case PIECE_SPACE_DAY:
        strbuf_addf(out, "%2d", c->day);
        break;
    case PIECE_ZERO_DAY:
        strbuf_addf(out, "%02d", c->day);
        break;
    case PIECE_SPACE_YEAR_DAY:
        strbuf_addf(out, "%3d", c->year_day);
        break;
    case PIECE_ZERO_YEAR_DAY:
        strbuf_addf(out, "%03d", c->year_day);
        break;
    case PIECE_HOUR:
        strbuf_addf(out, "%02d", c->hour);
        break;
    case PIECE_HOUR_12:
        strbuf_addf(out, "%d", hour_12);
        break;
    case PIECE_ZERO_HOUR_12:
        strbuf_addf(out, "%02d", hour_12);
        break;
    case PIECE_MINUTE:
        strbuf_addf(out, "%d", c->minute);
        break;
    case PIECE_ZERO_MINUTE:
        strbuf_addf(out, "%02d", c->minute);
        break;
    case PIECE_SECOND:
        strbuf_addf(out, "%d", c->second);
        break;
    case PIECE_ZERO_SECOND:
        strbuf_addf(out, "%02d", c->second);
        break;
    case PIECE_LONG_YEAR:
        strbuf_addf(out, "%04lld", (long long)c->year);
        break;
    case PIECE_YEAR:
        strbuf_addf(out, "%02lld", (long long)(c->year < 0 ? -c->year : c->year) % 100);
        break;
    case PIECE_NOON:
        strbuf_add_c(out, c->hour >= 12 ? "PM" : "AM");
        break;
    case PIECE_SMALL_NOON:
        strbuf_add_c(out, c->hour >= 12 ? "pm" : "am");
        break;
    case PIECE_ZONE:
        strbuf_add_c(out, offset.abbreviation);
        break;
    case PIECE_FRACTION:
    case PIECE_FRACTION_FREE:
        write_fraction(text, p == PIECE_FRACTION_FREE, t->nanoseconds, out);
        break;
    case PIECE_NONE:
        strbuf_add_str(out, text);
        break;
    default:
        write_offset(p, offset.seconds, out);
    }
}

void go_write_time(const struct template_time *t, struct str layout, struct strbuf *out)
{
    struct zone_offset offset = {.abbreviation = "UTC"};
    if (t->zone != NULL) {
        offset = zone_at(t->zone, t->seconds);
    }
    struct civil_time c = civil_from_seconds(t->seconds + offset.seconds);
    while (layout.len > 0) {
        size_t length = 0;
        enum piece p = piece_at(layout, &length);
        write_piece(p, str_make(layout.ptr, length), t, &c, offset, out);
        layout = str_skip(layout, length);
    }
}

/* ---- Reading ---- */

struct reader {
    struct str rest;
    struct civil_time c;
    int32_t nanoseconds, offset;
    bool afternoon, morning, bad;
};

static int take_number(struct reader *r, size_t least, size_t most, int low, int high)
{
    int value = 0;
    size_t n = 0;
    while (n < most && n < r->rest.len && is_digit(r->rest.ptr[n])) {
        value = value * 10 + (r->rest.ptr[n++] - '0');
    }
    r->bad |= n < least || value < low || value > high;
    r->rest = str_skip(r->rest, n);
    return value;
}

static bool take_text(struct reader *r, struct str text)
{
    bool found = str_starts_with(r->rest, text);
    r->rest = found ? str_skip(r->rest, text.len) : r->rest;
    return found;
}

/* One of `count` names, whole or its first three letters; its index. */
static int take_name(struct reader *r, const char *const *names, int count, bool whole)
{
    for (int i = 0; i < count; i++) {
        struct str name = str_of(names[i]);
        if (take_text(r, whole ? name : str_make(name.ptr, 3))) {
            return i;
        }
    }
    r->bad = true;
    return 0;
}

static void take_offset(struct reader *r, enum piece p)
{
    if (is_z(p) && take_text(r, STR("Z"))) {
        r->offset = 0;
        return;
    }
    bool negative = take_text(r, STR("-"));
    r->bad |= !negative && !take_text(r, STR("+"));
    bool colon =
        p == PIECE_HH_MM || p == PIECE_Z_HH_MM || p == PIECE_HH_MM_SS || p == PIECE_Z_HH_MM_SS;
    int seconds = take_number(r, 2, 2, 0, 24) * 3600;
    if (p != PIECE_HH && p != PIECE_Z_HH) {
        r->bad |= colon && !take_text(r, STR(":"));
        seconds += take_number(r, 2, 2, 0, 59) * 60;
    }
    if (p == PIECE_HHMMSS || p == PIECE_Z_HHMMSS || p == PIECE_HH_MM_SS || p == PIECE_Z_HH_MM_SS) {
        r->bad |= colon && !take_text(r, STR(":"));
        seconds += take_number(r, 2, 2, 0, 59);
    }
    r->offset = negative ? -seconds : seconds;
}

/* A fraction: its digits may be fewer or more than the layout shows only where it shows nines, or where a
 * second has one that the layout does not show at all. */
static void take_fraction(struct reader *r, size_t digits, bool free_end)
{
    if (r->rest.len == 0 || (r->rest.ptr[0] != '.' && r->rest.ptr[0] != ',')) {
        r->bad |= !free_end;
        return;
    }
    r->rest = str_skip(r->rest, 1);
    size_t n = 0;
    int32_t value = 0;
    while (n < r->rest.len && is_digit(r->rest.ptr[n])) {
        value = n < 9 ? value * 10 + (r->rest.ptr[n] - '0') : value;
        n++;
    }
    r->bad |= n == 0 || (!free_end && n != digits);
    for (size_t i = n; i < 9; i++) {
        value *= 10;
    }
    r->nanoseconds = value;
    r->rest = str_skip(r->rest, n);
}

static void take_space(struct reader *r)
{
    while (take_text(r, STR(" "))) {
    }
}

static void take_second(struct reader *r, size_t least, struct str layout_after)
{
    enum piece next;
    r->c.second = take_number(r, least, 2, 0, 59);
    bool shown = fraction_at(layout_after, &next) > 0;
    bool there = r->rest.len > 1 && (r->rest.ptr[0] == '.' || r->rest.ptr[0] == ',') &&
                 is_digit(r->rest.ptr[1]);
    if (!shown && there) {
        take_fraction(r, 0, true);
    }
}

static void take_zone(struct reader *r)
{
    size_t n = 0;
    while (n < r->rest.len && n < 5 && r->rest.ptr[n] >= 'A' && r->rest.ptr[n] <= 'Z') {
        n++;
    }
    r->bad |= n < 3;
    r->rest = str_skip(r->rest, n);
}

static void take_noon(struct reader *r, bool small)
{
    r->afternoon = take_text(r, str_of(small ? "pm" : "PM"));
    r->morning = !r->afternoon && take_text(r, str_of(small ? "am" : "AM"));
    r->bad |= !r->afternoon && !r->morning;
}

static void take_piece(struct reader *r, enum piece p, struct str text, struct str layout_after)
{
    switch (p) {
    case PIECE_LONG_MONTH:
    case PIECE_MONTH:
        r->c.month = take_name(r, months, 12, p == PIECE_LONG_MONTH) + 1;
        break;
    case PIECE_NUMBER_MONTH:
    case PIECE_ZERO_MONTH:
        r->c.month = take_number(r, p == PIECE_ZERO_MONTH ? 2 : 1, 2, 1, 12);
        break;
    case PIECE_LONG_WEEKDAY:
    case PIECE_WEEKDAY:
        (void)take_name(r, weekdays, 7, p == PIECE_LONG_WEEKDAY); // must be there, says nothing
        break;
    case PIECE_SPACE_DAY:
    case PIECE_DAY:
    case PIECE_ZERO_DAY:
        take_space(r);
        r->c.day = take_number(r, p == PIECE_ZERO_DAY ? 2 : 1, 2, 1, 31);
        break;
    case PIECE_SPACE_YEAR_DAY:
    case PIECE_ZERO_YEAR_DAY:
        take_space(r);
        r->c.month = 1;
        r->c.day = take_number(r, p == PIECE_ZERO_YEAR_DAY ? 3 : 1, 3, 1, 366);
        break;
    case PIECE_HOUR:
        r->c.hour = take_number(r, 1, 2, 0, 23);
        break;
    case PIECE_HOUR_12:
    case PIECE_ZERO_HOUR_12:
        r->c.hour = take_number(r, p == PIECE_HOUR_12 ? 1 : 2, 2, 1, 12);
        break;
    case PIECE_MINUTE:
    case PIECE_ZERO_MINUTE:
        r->c.minute = take_number(r, p == PIECE_MINUTE ? 1 : 2, 2, 0, 59);
        break;
    case PIECE_SECOND:
    case PIECE_ZERO_SECOND:
        take_second(r, p == PIECE_SECOND ? 1 : 2, layout_after);
        break;
    case PIECE_LONG_YEAR:
        r->c.year = take_number(r, 4, 4, 0, 9999);
        break;
    case PIECE_YEAR:
        r->c.year = take_number(r, 2, 2, 0, 99);
        r->c.year += r->c.year >= 69 ? 1900 : 2000;
        break;
    case PIECE_NOON:
    case PIECE_SMALL_NOON:
        take_noon(r, p == PIECE_SMALL_NOON);
        break;
    case PIECE_ZONE:
        take_zone(r);
        break;
    case PIECE_FRACTION:
    case PIECE_FRACTION_FREE:
        take_fraction(r, text.len - 1, p == PIECE_FRACTION_FREE);
        break;
    case PIECE_NONE:
        r->bad |= !take_text(r, text);
        break;
    default:
        take_offset(r, p);
    }
}

int go_parse_time(struct str layout, struct str text, struct template_time *time_out, struct err *e)
{
    struct reader r = {.rest = text, .c = {.year = 0, .month = 1, .day = 1}};
    for (struct str left = layout; left.len > 0 && !r.bad;) {
        size_t length = 0;
        enum piece p = piece_at(left, &length);
        struct str piece = str_make(left.ptr, length);
        left = str_skip(left, length);
        take_piece(&r, p, piece, left);
    }
    if (r.bad || r.rest.len > 0) {
        return err_set(e, ERR_INVALID, -1, "parsing time \"%.*s\" as \"%.*s\": cannot parse",
            STR_ARG(text), STR_ARG(layout));
    }
    if (r.afternoon && r.c.hour < 12) {
        r.c.hour += 12;
    } else if (r.morning && r.c.hour == 12) {
        r.c.hour = 0;
    }
    if (r.c.day > 31 ? r.c.day > 365 + civil_is_leap(r.c.year)
                     : r.c.day > civil_days_in_month(r.c.year, r.c.month)) {
        return err_set(
            e, ERR_INVALID, -1, "parsing time \"%.*s\": day out of range", STR_ARG(text));
    }
    *time_out = (struct template_time){
        .seconds = civil_to_seconds(&r.c) - r.offset, .nanoseconds = r.nanoseconds};
    return 0;
}
