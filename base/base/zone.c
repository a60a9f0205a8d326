/* Time zones from compiled files of the IANA database, the TZif format of RFC 8536:
 *
 *   header   "TZif", version byte, 15 bytes 0, six big-endian 32-bit counts: of UT/local indicators, of
 *            standard/wall indicators, leap seconds, transitions, local time types, characters of names
 *   data     transition times (4 bytes each in the first block, 8 in the second), one type index each,
 *            types {int32 offset, uint8 daylight saving, uint8 name index}, names, leap seconds,
 *            indicators
 *   version 2 and later: a second header and block with 64-bit times, then "\n" RULE "\n"
 *
 * The rule is POSIX' TZ string ("CET-1CEST,M3.5.0,M10.5.0/3") and speaks for all times after the last
 * transition. Leap seconds and indicators are stepped over: POSIX time has none.
 */
#include "base/zone.h"

#include <string.h>

#include "base/bytes.h"
#include "base/mem.h"

#define HEADER_BYTES 44
#define TYPE_BYTES 6
#define TRANSITIONS_MAX 8192
#define TYPES_MAX 256
#define NAME_CHARACTERS_MAX 1024
/* Offsets of a day and more are refused: RFC 8536 says -25 h < offset < 26 h. */
#define OFFSET_SECONDS_MAX (26 * 3600)

struct local_type {
    int32_t offset;
    bool daylight_saving;
    char abbreviation[ZONE_ABBREVIATION_BYTES_MAX];
};

enum rule_day { DAY_JULIAN, DAY_OF_YEAR, DAY_OF_MONTH };

/* One of the two changes of a year. */
struct rule_change {
    enum rule_day kind;
    int month, week, day;
    int32_t seconds; /* of the wall clock, from midnight; may be negative or beyond a day */
};

struct zone {
    char name[ZONE_NAME_BYTES_MAX + 1];
    size_t transition_count, type_count;
    int64_t *times;
    uint8_t *type_of;
    struct local_type *types;
    bool has_rule, rule_has_daylight_saving;
    struct local_type standard, daylight;
    struct rule_change begin, end; /* of daylight saving */
};

/* Disk is little-endian in this house; this format is not ours. */
static uint32_t get_be32(const uint8_t *p)
{
    return __builtin_bswap32(get_le32(p));
}

static uint64_t get_be64(const uint8_t *p)
{
    return __builtin_bswap64(get_le64(p));
}

/* ---- The rule ---- */

struct rule_text {
    struct str rest;
    bool bad;
};

static bool take_char(struct rule_text *r, char c)
{
    if (r->rest.len == 0 || r->rest.ptr[0] != c) {
        return false;
    }
    r->rest = str_skip(r->rest, 1);
    return true;
}

static int take_number(struct rule_text *r, int most)
{
    int value = 0;
    size_t digits = 0;
    while (r->rest.len > 0 && r->rest.ptr[0] >= '0' && r->rest.ptr[0] <= '9' && digits < 4) {
        value = value * 10 + (r->rest.ptr[0] - '0');
        r->rest = str_skip(r->rest, 1);
        digits++;
    }
    r->bad |= digits == 0 || value > most;
    return value;
}

/* [+-]hh[:mm[:ss]] */
static int32_t take_time(struct rule_text *r)
{
    bool negative = take_char(r, '-');
    if (!negative) {
        (void)take_char(r, '+'); // a plus says nothing
    }
    int32_t seconds = take_number(r, 167) * 3600;
    if (take_char(r, ':')) {
        seconds += take_number(r, 59) * 60;
        if (take_char(r, ':')) {
            seconds += take_number(r, 59);
        }
    }
    return negative ? -seconds : seconds;
}

static void take_name(struct rule_text *r, struct local_type *type)
{
    bool quoted = take_char(r, '<');
    size_t length = 0;
    while (length < r->rest.len) {
        char c = r->rest.ptr[length];
        bool letter = (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
        bool other = quoted && (c == '+' || c == '-' || (c >= '0' && c <= '9'));
        if (!letter && !other) {
            break;
        }
        length++;
    }
    if (length == 0 || length >= sizeof(type->abbreviation)) {
        r->bad = true;
        return;
    }
    memcpy(type->abbreviation, r->rest.ptr, length);
    type->abbreviation[length] = '\0';
    r->rest = str_skip(r->rest, length);
    r->bad |= quoted && !take_char(r, '>');
}

static struct rule_change take_change(struct rule_text *r)
{
    struct rule_change change = {.seconds = 2 * 3600};
    r->bad |= !take_char(r, ',');
    if (take_char(r, 'M')) {
        change.kind = DAY_OF_MONTH;
        change.month = take_number(r, 12);
        r->bad |= !take_char(r, '.');
        change.week = take_number(r, 5);
        r->bad |= !take_char(r, '.');
        change.day = take_number(r, 6);
        r->bad |= change.month == 0 || change.week == 0;
    } else {
        change.kind = take_char(r, 'J') ? DAY_JULIAN : DAY_OF_YEAR;
        change.day = take_number(r, 365);
        r->bad |= change.kind == DAY_JULIAN && change.day == 0;
    }
    if (take_char(r, '/')) {
        change.seconds = take_time(r);
    }
    return change;
}

static bool parse_rule(struct zone *z, struct str text)
{
    struct rule_text r = {.rest = text};
    take_name(&r, &z->standard);
    z->standard.offset = -take_time(&r);
    if (!r.bad && r.rest.len > 0) {
        z->rule_has_daylight_saving = true;
        take_name(&r, &z->daylight);
        z->daylight.daylight_saving = true;
        z->daylight.offset = z->standard.offset + 3600;
        if (r.rest.len > 0 && r.rest.ptr[0] != ',') {
            z->daylight.offset = -take_time(&r);
        }
        z->begin = take_change(&r);
        z->end = take_change(&r);
    }
    z->has_rule = !r.bad && r.rest.len == 0;
    return z->has_rule;
}

/* Seconds since 1970 on the wall clock at which a change comes in `year`. */
static int64_t change_in(const struct rule_change *change, int64_t year)
{
    int64_t day = civil_days(year, 1, 1);
    if (change->kind == DAY_JULIAN) {
        /* Day 60 is the first of March in every year. */
        day += change->day - 1 + (change->day >= 60 && civil_is_leap(year));
    } else if (change->kind == DAY_OF_YEAR) {
        day += change->day;
    } else {
        int64_t first = civil_days(year, change->month, 1);
        int weekday = (int)(((first + 4) % 7 + 7) % 7);
        int in_month = (change->day - weekday + 7) % 7 + 7 * (change->week - 1);
        if (in_month >= civil_days_in_month(year, change->month)) {
            in_month -= 7;
        }
        day = first + in_month;
    }
    return day * CIVIL_DAY_SECONDS + change->seconds;
}

static const struct local_type *type_by_rule(const struct zone *z, int64_t seconds)
{
    if (!z->rule_has_daylight_saving) {
        return &z->standard;
    }
    int64_t year = civil_from_seconds(seconds + z->standard.offset).year;
    int64_t begin = change_in(&z->begin, year) - z->standard.offset;
    int64_t end = change_in(&z->end, year) - z->daylight.offset;
    bool in = begin < end ? seconds >= begin && seconds < end : seconds >= begin || seconds < end;
    return in ? &z->daylight : &z->standard;
}

/* ---- The file ---- */

struct counts {
    uint32_t utc, standard, leaps, transitions, types, characters;
};

static int read_header(struct str bytes, struct counts *c, uint8_t *version)
{
    if (bytes.len < HEADER_BYTES || memcmp(bytes.ptr, "TZif", 4) != 0) {
        return ERR_CORRUPT;
    }
    const uint8_t *p = (const uint8_t *)bytes.ptr;
    *version = p[4];
    *c = (struct counts){get_be32(p + 20), get_be32(p + 24), get_be32(p + 28), get_be32(p + 32),
        get_be32(p + 36), get_be32(p + 40)};
    bool fits = c->transitions <= TRANSITIONS_MAX && c->types >= 1 && c->types <= TYPES_MAX &&
                c->characters >= 1 && c->characters <= NAME_CHARACTERS_MAX &&
                c->leaps <= TRANSITIONS_MAX && c->utc <= TYPES_MAX && c->standard <= TYPES_MAX;
    return fits ? 0 : ERR_CORRUPT;
}

static size_t block_bytes(const struct counts *c, size_t time_bytes)
{
    return (size_t)c->transitions * (time_bytes + 1) + (size_t)c->types * TYPE_BYTES +
           c->characters + (size_t)c->leaps * (time_bytes + 4) + c->utc + c->standard;
}

static int read_type(struct local_type *type, const uint8_t *p, const char *names, size_t size)
{
    type->offset = (int32_t)get_be32(p);
    type->daylight_saving = p[4] != 0;
    if (type->offset <= -OFFSET_SECONDS_MAX || type->offset >= OFFSET_SECONDS_MAX || p[5] >= size) {
        return ERR_CORRUPT;
    }
    size_t length = strnlen(names + p[5], size - p[5]);
    if (length >= sizeof(type->abbreviation)) {
        return ERR_CORRUPT;
    }
    memcpy(type->abbreviation, names + p[5], length);
    type->abbreviation[length] = '\0';
    return 0;
}

static int read_block(struct zone *z, struct str bytes, const struct counts *c, size_t time_bytes)
{
    if (bytes.len < block_bytes(c, time_bytes)) {
        return ERR_CORRUPT;
    }
    z->times = mem_calloc(c->transitions + 1, sizeof(*z->times));
    z->type_of = mem_calloc(c->transitions + 1, 1);
    z->types = mem_calloc(c->types, sizeof(*z->types));
    if (z->times == NULL || z->type_of == NULL || z->types == NULL) {
        return ERR_NOMEM;
    }
    z->transition_count = c->transitions;
    z->type_count = c->types;
    const uint8_t *p = (const uint8_t *)bytes.ptr;
    const uint8_t *indexes = p + (size_t)c->transitions * time_bytes;
    for (size_t i = 0; i < c->transitions; i++) {
        z->times[i] = time_bytes == 8 ? (int64_t)get_be64(p + i * 8) : (int32_t)get_be32(p + i * 4);
        z->type_of[i] = indexes[i];
        if (indexes[i] >= c->types || (i > 0 && z->times[i] <= z->times[i - 1])) {
            return ERR_CORRUPT;
        }
    }
    const uint8_t *types = indexes + c->transitions;
    const char *names = (const char *)types + (size_t)c->types * TYPE_BYTES;
    for (size_t i = 0; i < c->types; i++) {
        int status = read_type(&z->types[i], types + i * TYPE_BYTES, names, c->characters);
        if (status != 0) {
            return status;
        }
    }
    return 0;
}

static int read_file(struct zone *z, struct str bytes)
{
    struct counts c;
    uint8_t version = 0;
    int status = read_header(bytes, &c, &version);
    if (status != 0 || version < '2') {
        return status != 0 ? status : read_block(z, str_skip(bytes, HEADER_BYTES), &c, 4);
    }
    bytes = str_skip(bytes, HEADER_BYTES + block_bytes(&c, 4));
    status = read_header(bytes, &c, &version);
    if (status == 0) {
        status = read_block(z, str_skip(bytes, HEADER_BYTES), &c, 8);
    }
    if (status != 0) {
        return status;
    }
    struct str footer = str_skip(bytes, HEADER_BYTES + block_bytes(&c, 8));
    if (footer.len < 2 || footer.ptr[0] != '\n' || footer.ptr[footer.len - 1] != '\n') {
        return ERR_CORRUPT;
    }
    struct str rule = str_make(footer.ptr + 1, footer.len - 2);
    return rule.len == 0 || parse_rule(z, rule) ? 0 : ERR_CORRUPT;
}

/* ---- Public ---- */

static int zone_new(struct str name, struct zone **zone_out, struct err *e)
{
    struct zone *z = mem_calloc(1, sizeof(*z));
    if (z == NULL) {
        return err_set(e, ERR_NOMEM, -1, "%s", err_text(ERR_NOMEM));
    }
    memcpy(z->name, name.ptr, name.len);
    *zone_out = z;
    return 0;
}

static bool is_universal(struct str name)
{
    return name.len == 0 || str_eq_c(name, "UTC");
}

/* Letters, digits and _ + - in parts between slashes: nothing that leads out of the directory. */
static bool is_name(struct str name)
{
    bool begins = true;
    for (size_t i = 0; i < name.len; i++) {
        char c = name.ptr[i];
        bool word = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                    c == '_' || c == '+' || c == '-';
        if (!word && (c != '/' || begins)) {
            return false;
        }
        begins = c == '/';
    }
    return name.len > 0 && name.len <= ZONE_NAME_BYTES_MAX && !begins;
}

int zone_parse(struct str name, struct str bytes, struct zone **zone_out, struct err *e)
{
    struct zone *z = NULL;
    if (name.len > ZONE_NAME_BYTES_MAX) {
        return err_set(e, ERR_INVALID, -1, "the name of a time zone is too long");
    }
    int status = zone_new(name, &z, e);
    if (status != 0) {
        return status;
    }
    status = read_file(z, bytes);
    if (status != 0) {
        zone_free(z);
        return err_set(
            e, status, -1, "the file of time zone \"%.*s\": %s", STR_ARG(name), err_text(status));
    }
    *zone_out = z;
    return 0;
}

int zone_open(struct vfs *fs, struct str name, struct zone **zone_out, struct err *e)
{
    if (is_universal(name)) {
        return zone_new(STR("UTC"), zone_out, e);
    }
    if (!is_name(name)) {
        return err_set(e, ERR_INVALID, -1,
            "\"%.*s\" is no time zone: \"UTC\" or a name like \"Europe/Berlin\" is",
            (int)(name.len < ZONE_NAME_BYTES_MAX ? name.len : ZONE_NAME_BYTES_MAX), name.ptr);
    }
    char path[sizeof(ZONE_DIRECTORY) + 1 + ZONE_NAME_BYTES_MAX];
    (void)snprintf(path, sizeof(path), "%s/%.*s", ZONE_DIRECTORY, STR_ARG(name)); // fits by is_name
    char *bytes = NULL;
    size_t size = 0;
    int status =
        vfs_read_file(fs != NULL ? fs : vfs_posix(), path, ZONE_FILE_BYTES_MAX, &bytes, &size);
    if (status != 0) {
        return err_set(e, status, -1, "unknown time zone \"%.*s\": %s: %s", STR_ARG(name), path,
            err_text(status));
    }
    status = zone_parse(name, str_make(bytes, size), zone_out, e);
    mem_free(bytes);
    return status;
}

void zone_free(struct zone *z)
{
    if (z != NULL) {
        mem_free(z->times);
        mem_free(z->type_of);
        mem_free(z->types);
        mem_free(z);
    }
}

const char *zone_name(const struct zone *z)
{
    return z->name;
}

/* Before the first transition: RFC 8536 says type 0. */
static const struct local_type *type_at(const struct zone *z, int64_t seconds)
{
    size_t low = 0, high = z->transition_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (z->times[middle] <= seconds) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    if (low == z->transition_count && z->has_rule) {
        return type_by_rule(z, seconds);
    }
    return &z->types[low == 0 ? 0 : z->type_of[low - 1]];
}

struct zone_offset zone_at(const struct zone *z, int64_t seconds)
{
    if (z->type_count == 0) {
        return (struct zone_offset){.abbreviation = "UTC"};
    }
    const struct local_type *type = type_at(z, seconds);
    return (struct zone_offset){type->offset, type->daylight_saving, type->abbreviation};
}

struct civil_time zone_civil(const struct zone *z, int64_t seconds)
{
    return civil_from_seconds(seconds + zone_at(z, seconds).seconds);
}

int64_t zone_seconds(const struct zone *z, const struct civil_time *t)
{
    /* The offset before any near change, and the one after it: a moment is right when the offset that
     * leads to it holds there. */
    int64_t wall = civil_to_seconds(t);
    int32_t before = zone_at(z, wall - CIVIL_DAY_SECONDS).seconds;
    int32_t after = zone_at(z, wall + CIVIL_DAY_SECONDS).seconds;
    int64_t first = wall - before, second = wall - after;
    if (zone_at(z, first).seconds == before) {
        return first;
    }
    return zone_at(z, second).seconds == after ? second : first;
}
