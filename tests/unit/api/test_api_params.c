/* Times, durations, limits and escaped names. Expected values are arithmetic and Go's time.Parse; the
 * sentences are those of Prometheus' API. */
#include "support/support.h"

#include "api/api_params.h"

static void test_times(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int64_t time_ms;
    } cases[] = {
        {"0", 0},
        {"1", 1000},
        {"-1.5", -1500},
        {"1435781430.781", 1435781430781},
        {"1435781430.7814", 1435781430781},
        {"1435781430.7816", 1435781430782},
        {"1.7e9", 1700000000000},
        {"1700000000000", 1700000000000000}, /* milliseconds taken for seconds: Grafana's probe */
        {"1970-01-01T00:00:00Z", 0},
        {"2015-07-01T20:10:51.781Z", 1435781451781},
        {"2015-07-01T20:10:51.7819999Z", 1435781451781},
        {"2015-07-01T22:10:51.781+02:00", 1435781451781},
        {"2015-07-01T14:40:51.781-05:30", 1435781451781},
        {"2000-02-29T12:00:00Z", 951825600000},
        {"1969-12-31T23:59:59.999Z", -1},
        {"0001-01-01T00:00:00Z", -62135596800000},
        {"9999-12-31T23:59:59Z", 253402300799000},
        {"-292273086-05-16T16:47:06Z", API_TIME_MIN},
        {"292277025-08-18T07:12:54.999999999Z", API_TIME_MAX},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        int64_t time_ms = 0;
        struct err e = ERR_INIT;
        if (api_parse_time(str_of(cases[i].text), &time_ms, &e) != 0 ||
            time_ms != cases[i].time_ms) {
            fail_msg("%s: %lld instead of %lld (%s)", cases[i].text, (long long)time_ms,
                (long long)cases[i].time_ms, e.message);
        }
    }
}

static void test_bad_times(void **state)
{
    (void)state;
    static const char *const cases[] = {"", "now", "12:00", "2015-07-01", "2015-07-01T20:10:51",
        "2015-13-01T00:00:00Z", "2015-00-01T00:00:00Z", "2015-02-29T00:00:00Z",
        "2015-07-32T00:00:00Z", "2015-07-01T24:00:00Z", "2015-07-01T23:60:00Z",
        "2015-07-01T23:59:60Z", "2015-07-01T23:59:59.Z", "2015-07-01T23:59:59Z ",
        "2015-07-01T23:59:59+2:00", "2015-07-01t23:59:59z", "NaN", "Inf", "-Inf", "1e300",
        "9007199254740993000", "1s", "0x10"};
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        int64_t time_ms = 7;
        struct err e = ERR_INIT;
        char expected[128];
        snprintf(expected, sizeof(expected), "cannot parse \"%s\" to a valid timestamp", cases[i]);
        if (api_parse_time(str_of(cases[i]), &time_ms, &e) != ERR_INVALID) {
            fail_msg("\"%s\" was taken for %lld", cases[i], (long long)time_ms);
        }
        assert_string_equal(e.message, expected);
    }
}

static void test_durations(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int64_t milliseconds;
        const char *error;
    } cases[] = {
        {"15", 15000, NULL},
        {"0.5", 500, NULL},
        {"0.0004", 0, NULL},
        {"-3", -3000, NULL},
        {"1e3", 1000000, NULL},
        {"5m", 300000, NULL},
        {"1h30m", 5400000, NULL},
        {"250ms", 250, NULL},
        {"9223372035", 9223372035000, NULL},
        {"", 0, "cannot parse \"\" to a valid duration"},
        {"foo", 0, "cannot parse \"foo\" to a valid duration"},
        {"1m1h", 0, "cannot parse \"1m1h\" to a valid duration"},
        {"1e30", 0, "cannot parse \"1e30\" to a valid duration. It overflows int64"},
        {"NaN", 0, "cannot parse \"NaN\" to a valid duration. It overflows int64"},
        {"a\"b", 0, "cannot parse \"a\\\"b\" to a valid duration"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        int64_t milliseconds = 0;
        struct err e = ERR_INIT;
        int status = api_parse_duration(str_of(cases[i].text), &milliseconds, &e);
        assert_int_equal(status, cases[i].error != NULL ? ERR_INVALID : 0);
        assert_int_equal(milliseconds, cases[i].milliseconds);
        assert_string_equal(e.message, cases[i].error != NULL ? cases[i].error : "");
    }
}

static void test_limits(void **state)
{
    (void)state;
    size_t limit = 9;
    struct err e = ERR_INIT;
    assert_int_equal(api_parse_limit(STR("0"), &limit, &e), 0);
    assert_int_equal(limit, 0);
    assert_int_equal(api_parse_limit(STR("40000"), &limit, &e), 0);
    assert_int_equal(limit, 40000);
    assert_int_equal(api_parse_limit(STR("-1"), &limit, &e), ERR_INVALID);
    assert_string_equal(e.message, "limit must be non-negative");
    assert_int_equal(api_parse_limit(STR("ten"), &limit, &e), ERR_INVALID);
    assert_string_equal(e.message, "\"ten\" is not a whole number");
    assert_int_equal(api_parse_limit(STR("99999999999999999999"), &limit, &e), ERR_INVALID);
    assert_int_equal(limit, 40000);
}

/* The examples of Prometheus' escaping scheme document, and what is not well escaped. */
static void test_escaped_names(void **state)
{
    (void)state;
    static const struct {
        const char *escaped, *name;
    } cases[] = {
        {"job", "job"},
        {"U__http_2e_status", "http.status"},
        {"U__a__b", "a_b"},
        {"U__my_2e_dotted__name", "my.dotted_name"},
        {"U__a_20_b_F0_", "a b\xc3\xb0"},
        {"U__a_20__F0_", "a \xc3\xb0"},
        {"U___1F600_", "\xf0\x9f\x98\x80"},
        {"U__", ""},
        {"U__a_", "U__a_"},
        {"U__a_2e", "U__a_2e"},
        {"U__a_zz_", "U__a_zz_"},
        {"U__a_d800_", "U__a_d800_"},
        {"U__a_110000_", "U__a_110000_"},
        {"U__a_1234567_", "U__a_1234567_"},
        {"u__a", "u__a"},
    };
    struct arena arena;
    arena_init(&arena, 0);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct str name;
        assert_int_equal(api_unescape_name(str_of(cases[i].escaped), &arena, &name), 0);
        if (!str_eq_c(name, cases[i].name)) {
            fail_msg("%s: %.*s instead of %s", cases[i].escaped, STR_ARG(name), cases[i].name);
        }
    }
    arena_release(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_times),
        cmocka_unit_test(test_bad_times),
        cmocka_unit_test(test_durations),
        cmocka_unit_test(test_limits),
        cmocka_unit_test(test_escaped_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
