/* Alertmanager's two grammars of matchers. */
#include "alert/label_matchers.h"

#include "support/support.h"

static void check(const char *text, const char *wanted)
{
    struct label_matchers set = {0};
    struct err e = ERR_INIT;
    struct strbuf got = STRBUF_INIT;
    if (label_matchers_parse(&set, str_of(text), &e) != 0) {
        fail_msg("%s: %s", text, e.message);
    }
    label_matchers_sort(&set);
    label_matchers_write(&set, &got);
    if (!str_eq_c(strbuf_str(&got), wanted)) {
        fail_msg("%s: got %s, wanted %s", text, got.data, wanted);
    }
    /* What is written reads back to the same set. */
    struct label_matchers again = {0};
    assert_int_equal(label_matchers_parse(&again, strbuf_str(&got), &e), 0);
    label_matchers_sort(&again);
    assert_true(label_matchers_eq(&set, &again));
    label_matchers_release(&set);
    label_matchers_release(&again);
    strbuf_release(&got);
}

static void test_forms(void **state)
{
    (void)state;
    check("foo=bar", "{foo=\"bar\"}");
    check("{foo=bar}", "{foo=\"bar\"}");
    check(" { foo = \"bar\" , } ", "{foo=\"bar\"}");
    check("{}", "{}");
    check("", "{}");
    check("foo=", "{foo=\"\"}");
    check("foo!=\"\"", "{foo!=\"\"}");
    check("b=~\"x|y\",a!~z.*", "{a!~\"z.*\",b=~\"x|y\"}");
    check("foo=bar baz", "{foo=\"bar baz\"}");
    check("foo=a=b", "{foo=\"a=b\"}");
    check("{foo=~a{2}}", "{foo=~\"a{2}\"}");
    check("foo=\"a,b\",c=d", "{c=\"d\",foo=\"a,b\"}");
    check("foo=\"a\\\"b\\\\c\\nd\"", "{foo=\"a\\\"b\\\\c\\nd\"}");
    check("foo=~\"\\d+\"", "{foo=~\"\\\\d+\"}");
    check("{\"service.name\"=\"api\"}", "{\"service.name\"=\"api\"}");
    check("foo=\xf0\x9f\x99\x82", "{foo=\"\xf0\x9f\x99\x82\"}");
    check("\xce\xa3=x", "{\"\xce\xa3\"=\"x\"}");
}

static void test_refused(void **state)
{
    (void)state;
    static const char *const bad[] = {"foo", "=bar", "{foo=bar", "foo=\"bar", "foo=ba\"r",
        "foo==~[", "foo=~\"[\"", "foo=bar,,", ",", "\"\"=x", "foo=\"a\"b", "foo=\xff", "foo<bar",
        "fo}o=bar"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct label_matchers set = {0};
        struct err e = ERR_INIT;
        int status = label_matchers_parse(&set, str_of(bad[i]), &e);
        label_matchers_release(&set);
        if (strcmp(bad[i], "foo==~[") == 0) {
            assert_int_equal(status, 0); /* equal to the text "=~[" */
        } else if (status != ERR_INVALID || e.message[0] == '\0') {
            fail_msg("%s: status %d, %s", bad[i], status, e.message);
        }
    }
}

static void test_limit(void **state)
{
    (void)state;
    struct strbuf text = STRBUF_INIT;
    for (int i = 0; i <= LABEL_MATCHERS_MAX; i++) {
        strbuf_addf(&text, "a%d=b,", i);
    }
    struct label_matchers set = {0};
    assert_int_equal(label_matchers_parse(&set, strbuf_str(&text), NULL), ERR_LIMIT);
    assert_int_equal(set.count, LABEL_MATCHERS_MAX);
    label_matchers_release(&set);
    strbuf_release(&text);
}

static void test_match(void **state)
{
    (void)state;
    const struct label pairs[] = {{STR("team"), STR("sre")}, {STR("severity"), STR("page")}};
    const struct labels *labels = NULL;
    assert_int_equal(labels_new(pairs, 2, &labels, NULL), 0);
    static const struct {
        const char *text;
        bool wanted;
    } rows[] = {{"", true}, {"team=sre", true}, {"team=sre,severity=ticket", false},
        {"severity=~pa.*", true}, {"severity=~pa", false}, {"absent=", true}, {"absent!=", false},
        {"team!~\"a|b\"", true}};
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct label_matchers set = {0};
        assert_int_equal(label_matchers_parse(&set, str_of(rows[i].text), NULL), 0);
        if (label_matchers_match(&set, labels) != rows[i].wanted) {
            fail_msg("%s: wanted %d", rows[i].text, rows[i].wanted);
        }
        label_matchers_release(&set);
    }
    labels_unref(labels);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_forms),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_limit),
        cmocka_unit_test(test_match),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
