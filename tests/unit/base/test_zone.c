/* Dates and zones. Offsets and names are those Python's zoneinfo gives for the same moments; dates are
 * counted by hand from the calendar's rule.
 */
#include "support/support.h"

#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "base/zone.h"

static void civil_dates(void **state)
{
    (void)state;
    static const struct {
        int64_t seconds;
        struct civil_time t;
    } table[] = {
        {0, {1970, 1, 1, 0, 0, 0, 4, 1}},
        {-1, {1969, 12, 31, 23, 59, 59, 3, 365}},
        {951782400, {2000, 2, 29, 0, 0, 0, 2, 60}},
        {1709251199, {2024, 2, 29, 23, 59, 59, 4, 60}},
        {1709251200, {2024, 3, 1, 0, 0, 0, 5, 61}},
        {4107542400, {2100, 3, 1, 0, 0, 0, 1, 60}},
        {-62135596800, {1, 1, 1, 0, 0, 0, 1, 1}},
    };
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        struct civil_time t = civil_from_seconds(table[i].seconds);
        assert_memory_equal(&t, &table[i].t, sizeof(t));
        assert_int_equal(civil_to_seconds(&t), table[i].seconds);
    }
    struct civil_time over = {.year = 2023, .month = 14, .day = 30, .hour = 25};
    assert_int_equal(civil_to_seconds(&over), 1709341200); // 2024-03-02T01:00:00Z
    struct civil_time under = {.year = 2024, .month = 3, .day = 0};
    assert_int_equal(civil_to_seconds(&under), 1709164800); // 2024-02-29
}

static void offsets(void **state)
{
    (void)state;
    static const struct {
        const char *zone;
        int64_t seconds;
        int32_t offset;
        const char *abbreviation;
    } table[] = {
        {"UTC", 1711846800, 0, "UTC"},
        {"Europe/Berlin", 0, 3600, "CET"},
        {"Europe/Berlin", 1711846799, 3600, "CET"},
        {"Europe/Berlin", 1711846800, 7200, "CEST"},
        {"Europe/Berlin", 1729990799, 7200, "CEST"},
        {"Europe/Berlin", 1729990800, 3600, "CET"},
        {"Europe/Berlin", 2500000000, 3600, "CET"},
        {"Europe/Berlin", 4102444800, 3600, "CET"},
        {"America/New_York", 1729990800, -14400, "EDT"},
        {"America/New_York", 4102444800, -18000, "EST"},
        {"Asia/Kolkata", 1782000000, 19800, "IST"},
        {"Australia/Lord_Howe", 1711846800, 39600, "+11"},
        {"Australia/Lord_Howe", 1782000000, 37800, "+1030"},
        {"Australia/Lord_Howe", 4102444800, 39600, "+11"},
        {"Europe/Dublin", 1782000000, 3600, "IST"},
        {"Europe/Dublin", 4102444800, 0, "GMT"},
    };
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        struct zone *z = NULL;
        struct err e = ERR_INIT;
        if (zone_open(NULL, str_of(table[i].zone), &z, &e) != 0) {
            fail_msg("%s", e.message);
        }
        struct zone_offset o = zone_at(z, table[i].seconds);
        if (o.seconds != table[i].offset || strcmp(o.abbreviation, table[i].abbreviation) != 0) {
            fail_msg("%s at %lld: %d %s, not %d %s", table[i].zone, (long long)table[i].seconds,
                o.seconds, o.abbreviation, table[i].offset, table[i].abbreviation);
        }
        zone_free(z);
    }
}

static int64_t at(const struct zone *z, int month, int day, int hour, int minute)
{
    struct civil_time t = {
        .year = 2026, .month = month, .day = day, .hour = hour, .minute = minute};
    return zone_seconds(z, &t);
}

static void wall_clock_to_moment(void **state)
{
    (void)state;
    struct zone *z = NULL;
    assert_int_equal(zone_open(NULL, STR("Europe/Berlin"), &z, NULL), 0);
    /* March of 2026 loses an hour, October gains one. */
    assert_int_equal((at(z, 4, 1, 0, 0) - at(z, 3, 1, 0, 0)) / 3600, 743);
    assert_int_equal((at(z, 11, 1, 0, 0) - at(z, 10, 1, 0, 0)) / 3600, 745);
    /* 02:30 of 29 March does not exist: half an hour after the jump, which is 01:00 UTC. */
    assert_int_equal(at(z, 3, 29, 2, 30), at(z, 3, 29, 3, 30));
    assert_int_equal(at(z, 3, 29, 3, 0) - at(z, 3, 29, 1, 59), 60);
    /* 02:30 of 25 October comes twice: the first is meant. */
    assert_int_equal(at(z, 10, 25, 2, 30) - at(z, 10, 25, 1, 30), 3600);
    assert_int_equal(at(z, 10, 25, 3, 0) - at(z, 10, 25, 2, 30), 5400);
    assert_string_equal(zone_name(z), "Europe/Berlin");
    zone_free(z);
}

static void refusals(void **state)
{
    (void)state;
    static const char *const names[] = {"../../etc/passwd", "/etc/passwd", "Europe//Berlin",
        "Europe/", "No/Where", "Europe", "zone.tab"};
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        struct zone *z = NULL;
        struct err e = ERR_INIT;
        if (zone_open(NULL, str_of(names[i]), &z, &e) == 0) {
            fail_msg("%s was taken", names[i]);
        }
        assert_true(e.message[0] != '\0');
    }
}

/* Every prefix, and every byte changed, of a real file: refused or taken, never read beyond its end. */
static void damaged_files(void **state)
{
    (void)state;
    char *bytes = NULL;
    size_t size = 0;
    assert_int_equal(vfs_read_file(vfs_posix(), ZONE_DIRECTORY "/Europe/Berlin",
                         ZONE_FILE_BYTES_MAX, &bytes, &size),
        0);
    for (size_t cut = 0; cut < size; cut++) {
        char *prefix = mem_dup(bytes, cut);
        struct zone *z = NULL;
        assert_int_not_equal(zone_parse(STR("x"), str_make(prefix, cut), &z, NULL), 0);
        mem_free(prefix);
    }
    for (size_t i = 0; i < size; i++) {
        bytes[i] = (char)(bytes[i] ^ 0xff);
        struct zone *z = NULL;
        if (zone_parse(STR("x"), str_make(bytes, size), &z, NULL) == 0) {
            struct civil_time t = zone_civil(z, INT64_C(1) << 40);
            (void)zone_seconds(z, &t);
            zone_free(z);
        }
        bytes[i] = (char)(bytes[i] ^ 0xff);
    }
    mem_free(bytes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(civil_dates),
        cmocka_unit_test(offsets),
        cmocka_unit_test(wall_clock_to_moment),
        cmocka_unit_test(refusals),
        cmocka_unit_test(damaged_files),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
