/* Durations: Prometheus' own grammar, from its documentation of the configuration file. */
#include "model/duration.h"
#include "support/support.h"

static void test_accepted(void **state)
{
    static const struct {
        const char *text;
        int64_t milliseconds;
        const char *canonical;
    } cases[] = {{"0", 0, "0s"}, {"0w", 0, "0s"}, {"0s", 0, "0s"}, {"324ms", 324, "324ms"},
        {"3s", 3000, "3s"}, {"5m", 300000, "5m"}, {"1h", 3600000, "1h"}, {"4d", 345600000, "4d"},
        {"4d1h", 349200000, "4d1h"}, {"14d", 1209600000, "2w"}, {"3w", 1814400000, "3w"},
        {"3w2d1h", 1990800000, "23d1h"}, {"10y", 315360000000, "10y"}, {"90m", 5400000, "1h30m"},
        {"1h30m", 5400000, "1h30m"}, {"1m500ms", 60500, "1m500ms"}};
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        int64_t milliseconds = -1;
        struct err e = ERR_INIT;
        assert_int_equal(duration_parse(str_of(cases[i].text), &milliseconds, &e), 0);
        assert_int_equal(milliseconds, cases[i].milliseconds);
        struct strbuf out = STRBUF_INIT;
        duration_write(milliseconds, &out);
        assert_string_equal(strbuf_str(&out).ptr, cases[i].canonical);
        strbuf_release(&out);
    }
}

static void test_refused(void **state)
{
    static const struct {
        const char *text;
        int code;
    } cases[] = {{"", ERR_INVALID}, {"1", ERR_INVALID}, {"1y1m1d", ERR_INVALID},
        {"-1w", ERR_INVALID}, {"1.5d", ERR_INVALID}, {"d", ERR_INVALID}, {"1h1h", ERR_INVALID},
        {"1s ", ERR_INVALID}, {"294y", ERR_RANGE}, {"200y10400w", ERR_RANGE},
        {"107675d", ERR_RANGE}, {"9223372036854775808s", ERR_RANGE}};
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        int64_t milliseconds = -1;
        struct err e = ERR_INIT;
        assert_int_equal(duration_parse(str_of(cases[i].text), &milliseconds, &e), cases[i].code);
        assert_int_equal(e.code, cases[i].code);
        assert_int_equal(milliseconds, -1);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_accepted),
        cmocka_unit_test(test_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
