/* Moments: values are those of Go's time package and of `date -u`. */
#include "base/rfc3339.h"

#include "base/err.h"
#include "support/support.h"

static void test_parse(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int64_t time_ms;
    } cases[] = {
        {"1970-01-01T00:00:00Z", 0},
        {"2026-11-22T08:30:00Z", 1795336200000},
        {"2026-11-22T08:30:00.5Z", 1795336200500},
        {"2026-11-22T08:30:00,25Z", 1795336200250},
        {"2026-11-22T08:30:00.1239999Z", 1795336200123},
        {"2026-11-22T09:30:00+01:00", 1795336200000},
        {"2026-11-21T23:00:00-09:30", 1795336200000},
        {"2026-11-22T08:30:00-00:00", 1795336200000},
        {"2024-02-29T00:00:00Z", 1709164800000},
        {"1969-12-31T23:59:59.999Z", -1},
        {"0001-01-01T00:00:00Z", RFC3339_GO_ZERO_MS},
        {"0000-01-01T00:00:00Z", -62167219200000},
        {"9999-12-31T23:59:59Z", 253402300799000},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        int64_t found = 0;
        int status = rfc3339_parse(str_of(cases[i].text), &found);
        if (status != 0 || found != cases[i].time_ms) {
            fail_msg("%s: %d, %lld, not %lld", cases[i].text, status, (long long)found,
                (long long)cases[i].time_ms);
        }
    }
}

static void test_refused(void **state)
{
    (void)state;
    static const char *const texts[] = {"", "2026-11-22", "2026-11-22T08:30:00",
        "2026-11-22 08:30:00Z", "2026-11-22t08:30:00Z", "2026-11-22T08:30:00z",
        "2026-11-22T08:30:00Z ", " 2026-11-22T08:30:00Z", "2026-11-22T08:30Z",
        "2026-11-22T8:30:00Z", "2026-13-01T00:00:00Z", "2026-00-01T00:00:00Z",
        "2026-02-29T00:00:00Z", "2026-11-00T00:00:00Z", "2026-11-22T24:00:00Z",
        "2026-11-22T23:60:00Z", "2026-11-22T23:59:60Z", "2026-11-22T08:30:00.Z",
        "2026-11-22T08:30:00+0100", "2026-11-22T08:30:00+24:00", "2026-11-22T08:30:00+01:60",
        "-026-11-22T08:30:00Z", "12026-11-22T08:30:00Z"};
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        int64_t unused = 7;
        if (rfc3339_parse(str_of(texts[i]), &unused) != ERR_INVALID || unused != 7) {
            fail_msg("\"%s\" was taken for %lld", texts[i], (long long)unused);
        }
    }
}

static void test_format(void **state)
{
    (void)state;
    static const struct {
        int64_t time_ms;
        const char *text;
    } cases[] = {
        {0, "1970-01-01T00:00:00Z"},
        {1795336200000, "2026-11-22T08:30:00Z"},
        {1795336200500, "2026-11-22T08:30:00.5Z"},
        {1795336200010, "2026-11-22T08:30:00.01Z"},
        {1795336200123, "2026-11-22T08:30:00.123Z"},
        {-1, "1969-12-31T23:59:59.999Z"},
        {RFC3339_GO_ZERO_MS, "0001-01-01T00:00:00Z"},
        {INT64_MAX, "292278994-08-17T07:12:55.807Z"},
        {INT64_MIN + 808, "-292275055-05-16T16:47:05Z"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char text[RFC3339_TEXT_MAX];
        size_t length = rfc3339_format(cases[i].time_ms, text);
        assert_string_equal(text, cases[i].text);
        assert_int_equal(length, strlen(text));
    }
}

static void test_round_trip(void **state)
{
    (void)state;
    uint64_t seed = test_seed();
    for (int i = 0; i < 100000; i++) {
        char text[RFC3339_TEXT_MAX];
        int64_t time_ms = -62167219200000 + (int64_t)(test_random(&seed) % 315569520000000),
                back = 0;
        size_t length = rfc3339_format(time_ms, text);
        if (rfc3339_parse(str_make(text, length), &back) != 0 || back != time_ms) {
            fail_msg("%lld is %s, which is %lld", (long long)time_ms, text, (long long)back);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_parse),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_format),
        cmocka_unit_test(test_round_trip),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
