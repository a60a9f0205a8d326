/* Conditions on labels. */
#include "base/mem.h"
#include "model/matcher.h"
#include "support/fault_loop.h"
#include "support/support.h"

static void test_conditions(void **state)
{
    static const struct {
        enum matcher_type type;
        const char *pattern, *value;
        bool expected;
    } rows[] = {
        {MATCHER_EQUAL, "a", "a", true},
        {MATCHER_EQUAL, "a", "ab", false},
        {MATCHER_EQUAL, "", "", true}, /* absent */
        {MATCHER_EQUAL, "", "a", false},
        {MATCHER_NOT_EQUAL, "a", "a", false},
        {MATCHER_NOT_EQUAL, "a", "", true},
        {MATCHER_NOT_EQUAL, "", "", false},
        /* Patterns are anchored at both ends. */
        {MATCHER_REGEX, "a", "ab", false},
        {MATCHER_REGEX, "a", "ba", false},
        {MATCHER_REGEX, "a|b", "b", true},
        {MATCHER_REGEX, "a|b", "ab", false},
        {MATCHER_REGEX, "a.*", "abc", true},
        {MATCHER_REGEX, ".*", "", true},
        {MATCHER_REGEX, ".+", "", false},
        {MATCHER_REGEX, "", "", true},
        {MATCHER_REGEX, "", "a", false},
        {MATCHER_REGEX, "a.c", "a\nc", true}, /* a dot takes a line end, as in Prometheus 3 */
        {MATCHER_NOT_REGEX, "a.*", "abc", false},
        {MATCHER_NOT_REGEX, "a.*", "", true},
        {MATCHER_NOT_REGEX, ".+", "", true},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct matcher *m = NULL;
        assert_int_equal(matcher_new(rows[i].type, STR("l"), str_of(rows[i].pattern), &m, NULL), 0);
        if (matcher_matches(m, str_of(rows[i].value)) != rows[i].expected) {
            fail_msg("type %d pattern \"%s\" value \"%s\": expected %d", rows[i].type,
                rows[i].pattern, rows[i].value, rows[i].expected);
        }
        matcher_free(m);
    }
}

static void test_all_conditions_on_one_set(void **state)
{
    const struct label pairs[] = {{STR("__name__"), STR("up")}, {STR("job"), STR("node")}};
    const struct labels *l = NULL;
    struct matcher *m[3] = {NULL, NULL, NULL};
    assert_int_equal(labels_new(pairs, 2, &l, NULL), 0);
    assert_int_equal(matcher_new(MATCHER_EQUAL, STR("__name__"), STR("up"), &m[0], NULL), 0);
    assert_int_equal(matcher_new(MATCHER_REGEX, STR("job"), STR("n.*"), &m[1], NULL), 0);
    assert_int_equal(matcher_new(MATCHER_EQUAL, STR("env"), STR("prod"), &m[2], NULL), 0);
    const struct matcher *const all[] = {m[0], m[1], m[2]};
    assert_true(matchers_match(all, 0, l));
    assert_true(matchers_match(all, 2, l));
    assert_false(matchers_match(all, 3, l));
    for (size_t i = 0; i < 3; i++) {
        matcher_free(m[i]);
    }
    labels_unref(l);
}

static void test_prints_as_promql(void **state)
{
    static const struct {
        enum matcher_type type;
        const char *name, *value, *expected;
    } rows[] = {
        {MATCHER_EQUAL, "job", "a", "job=\"a\""},
        {MATCHER_NOT_EQUAL, "job", "a\"b\\c\n", "job!=\"a\\\"b\\\\c\\n\""},
        {MATCHER_REGEX, "job", "a.*", "job=~\"a.*\""},
        {MATCHER_NOT_REGEX, "job", "\\d", "job!~\"\\\\d\""},
        {MATCHER_EQUAL, "http.status", "1", "\"http.status\"=\"1\""},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct matcher *m = NULL;
        struct strbuf out = STRBUF_INIT;
        assert_int_equal(
            matcher_new(rows[i].type, str_of(rows[i].name), str_of(rows[i].value), &m, NULL), 0);
        matcher_write(m, &out);
        assert_string_equal(out.data, rows[i].expected);
        strbuf_release(&out);
        matcher_free(m);
    }
}

static void test_bad_patterns_are_refused(void **state)
{
    static const char *const patterns[] = {"(", "[a", "*", "a**", "\\", "(?<n>", "a{2,1}"};
    for (size_t i = 0; i < sizeof(patterns) / sizeof(patterns[0]); i++) {
        struct matcher *m = NULL;
        struct err e = ERR_INIT;
        int status = matcher_new(MATCHER_REGEX, STR("l"), str_of(patterns[i]), &m, &e);
        if (status != ERR_INVALID || m != NULL || e.message[0] == '\0') {
            matcher_free(m);
            fail_msg("\"%s\": %d \"%s\"", patterns[i], status, e.message);
        }
        /* As a literal it is a value like any other. */
        assert_int_equal(matcher_new(MATCHER_EQUAL, STR("l"), str_of(patterns[i]), &m, &e), 0);
        matcher_free(m);
    }
}

static int make(void *context, struct vfs *fs)
{
    struct matcher *m = NULL;
    struct err e = ERR_INIT;
    int status = matcher_new(MATCHER_REGEX, STR("job"), STR("a|b"), &m, &e);
    matcher_free(m);
    return status;
}

static void test_each_failing_allocation(void **state)
{
    struct fault_scenario scenario = {.name = "matcher", .run = make};
    fault_loop(&scenario, FAULT_ALLOCATION);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_conditions),
        cmocka_unit_test(test_all_conditions_on_one_set),
        cmocka_unit_test(test_prints_as_promql),
        cmocka_unit_test(test_bad_patterns_are_refused),
        cmocka_unit_test(test_each_failing_allocation),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
