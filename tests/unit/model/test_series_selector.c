/* Selectors: what they accept, what they match, what they complain about. */
#include "model/series_selector.h"

#include <string.h>

#include "support/support.h"

static void test_matching(void **state)
{
    static const struct label labels[] = {
        {{"__name__", 8}, {"up", 2}}, {{"job", 3}, {"a\"b", 3}}, {{"zone", 4}, {"z1", 2}}};
    static const struct {
        const char *text;
        bool matches;
    } rows[] = {
        {"up", true},
        {"down", false},
        {" up {} ", true},
        {"up{zone=\"z1\"}", true},
        {"{zone!=\"z1\"}", false},
        {"{zone=~\"z.\", __name__=\"up\",}", true},
        {"{zone=~\"z\"}", false}, /* the whole value */
        {"{zone!~'y.*'}", true},
        {"{job=\"a\\\"b\"}", true},
        {"{absent=\"\"}", true},
        {"{absent!=\"\"}", false},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct series_selector s;
        struct err e = ERR_INIT;
        if (series_selector_parse(str_of(rows[i].text), &s, &e) != 0) {
            fail_msg("%s: %s", rows[i].text, e.message);
        }
        if (series_selector_matches(&s, labels, 3) != rows[i].matches) {
            fail_msg("%s: matches is not %d", rows[i].text, rows[i].matches);
        }
        series_selector_release(&s);
    }
}

static void test_complaints(void **state)
{
    static const struct {
        const char *text, *complaint;
    } rows[] = {
        {"", "no condition at all"},
        {"{}", "no condition at all"},
        {"up{", "character 4: expected a label name"},
        {"up{a}", "character 5: expected =, !=, =~ or !~"},
        {"up{a=b}", "character 6: expected a string in quotes"},
        {"up{a=\"b}", "the string does not end"},
        {"up{a=\"b\" c=\"d\"}", "expected , or }"},
        {"up[5m]", "character 3: unexpected text"},
        {"{a=~\"(\"}", "("},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct series_selector s;
        struct err e = ERR_INIT;
        int status = series_selector_parse(str_of(rows[i].text), &s, &e);
        if (status != ERR_INVALID || strstr(e.message, rows[i].complaint) == NULL) {
            fail_msg("%s: %d \"%s\", expected \"%s\"", rows[i].text, status, e.message,
                rows[i].complaint);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_matching),
        cmocka_unit_test(test_complaints),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
