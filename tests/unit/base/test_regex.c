/* Matching, expansion and hints of regular expressions. Expected values follow RE2's syntax page,
 * Go's Regexp.Expand, and the definition of a hint: hints are also checked against RE2 itself. */
#include "support/support.h"

#include "base/mem.h"
#include "base/regex.h"

static struct regex *compiled(const char *pattern)
{
    struct regex *r = NULL;
    struct err e = ERR_INIT;
    if (regex_new(str_of(pattern), &r, &e) != 0) {
        fail_msg("%s: %s", pattern, e.message);
    }
    return r;
}

static void test_matches(void **state)
{
    static const struct {
        const char *pattern, *text;
        bool expected;
    } cases[] = {
        {"", "", true},
        {"", "a", false},
        {"a", "a", true},
        {"a", "ab", false},
        {"a", "ba", false},
        {"a|ab", "ab", true},
        {".*", "", true},
        {".*", "line\nline", true},
        {".+", "", false},
        {".+", "\n", true},
        {"a.c", "a\nc", true},
        {"5..", "503", true},
        {"5..", "5033", false},
        {"^foo$", "foo", true},
        {"(?i)FOO", "foo", true},
        {"foo|bar.*", "barn", true},
        {"foo|bar.*", "foon", false},
        {"gr[üö]n", "grün", true},
        {"ü+", "üü", true},
        {"a\\.b", "axb", false},
        {"a^b", "ab", false},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct regex *r = compiled(cases[i].pattern);
        bool got = regex_matches(r, str_of(cases[i].text));
        if (got != cases[i].expected) {
            fail_msg("\"%s\" on \"%s\": got %d, expected %d", cases[i].pattern, cases[i].text, got,
                cases[i].expected);
        }
        regex_free(r);
    }
}

static void test_errors(void **state)
{
    static const struct {
        const char *pattern, *sentence;
    } cases[] = {
        {"a(", "missing )"},
        {"*", "no argument for repetition operator"},
        {"[z-a]", "invalid character class range"},
        {"\\1", "invalid escape sequence"},
        {"a**", "bad repetition operator"},
        {"\xff", "invalid UTF-8"},
        {"a)(b", "unexpected )"},
        {"(?<=a)b", "invalid perl operator: (?<"},
        {"(?<!a)b", "invalid perl operator: (?<"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct regex *r = NULL;
        struct err e = ERR_INIT;
        int status = regex_new(str_of(cases[i].pattern), &r, &e);
        if (status != ERR_INVALID || r != NULL) {
            fail_msg("\"%s\": got %d, expected %d", cases[i].pattern, status, ERR_INVALID);
        }
        if (strstr(e.message, cases[i].sentence) == NULL) {
            fail_msg("\"%s\": \"%s\" lacks \"%s\"", cases[i].pattern, e.message, cases[i].sentence);
        }
    }
}

static void test_limits(void **state)
{
    struct regex *r = NULL;
    struct err e = ERR_INIT;
    char *text = mem_alloc(REGEX_PATTERN_MAX + 1);
    assert_non_null(text);
    memset(text, 'a', REGEX_PATTERN_MAX + 1);
    assert_int_equal(regex_new(str_make(text, REGEX_PATTERN_MAX + 1), &r, &e), ERR_LIMIT);
    assert_int_equal(regex_new(str_make(text, REGEX_PATTERN_MAX), &r, &e), 0);
    assert_int_equal(regex_hints(r)->literal_count, 1);
    regex_free(r);
    mem_free(text);
    r = NULL;
    assert_int_equal(regex_new(STR("((a{100}){100}){100}"), &r, &e), ERR_INVALID);
    assert_int_equal(regex_new(STR("((\\pL{10}){10}){10}"), &r, &e), ERR_LIMIT);
    assert_null(r);
}

/* A pattern that takes exponential time in engines that go back. */
static void test_linear_time(void **state)
{
    struct regex *r = compiled("(a*)*(a*)*b");
    char text[4096];
    memset(text, 'a', sizeof(text));
    assert_false(regex_matches(r, str_make(text, sizeof(text))));
    regex_free(r);
}

static void test_hints(void **state)
{
    static const struct {
        const char *pattern;
        const char *literals; /* joined by commas; NULL = none */
        const char *prefix;
    } cases[] = {
        {"", "", ""},
        {"literal", "literal", "literal"},
        {"a|b|c", "a,b,c", ""},
        {"c|b|a|b", "a,b,c", ""},
        {"x(y|z)", "xy,xz", "x"},
        {"x(?:y|z)w", "xyw,xzw", "x"},
        {"(?P<name>x|y)1", "x1,y1", ""},
        {"((a|b)(c|d))", "ac,ad,bc,bd", ""},
        {"node-[0-2]", "node-0,node-1,node-2", "node-"},
        {"node-[ac-d]", "node-a,node-c,node-d", "node-"},
        {"[]a]", "],a", ""},
        {"[a-]", "-,a", ""},
        {"[\\-\\]]", "-,]", ""},
        {"10\\.0\\.0\\.1:9100", "10.0.0.1:9100", "10.0.0.1:9100"},
        {"colou?r", "color,colour", "colo"},
        {"colou??r", "color,colour", "colo"},
        {"(ab)?", ",ab", ""},
        {"^foo$", "foo", "foo"},
        {"^foo$|^bar$", "bar,foo", ""},
        {"a|", ",a", ""},
        {"grün|grau", "grau,grün", "gr"},
        {"foo.*", NULL, "foo"},
        {"foo.*|foobar", NULL, "foo"},
        {"foo.*|bar", NULL, ""},
        {"foo+", NULL, "foo"},
        {"foo*", NULL, "fo"},
        {"foü?", "fo,foü", "fo"},
        {"(foo)+", NULL, "foo"},
        {"(foo){2}", NULL, ""},
        {"ab{2,3}c", NULL, "a"},
        {"ü*", NULL, ""},
        {"5..", NULL, "5"},
        {"web-\\d+", NULL, "web-"},
        {"web-[^a]", NULL, "web-"},
        {"web-[\\w.]+x", NULL, "web-"},
        {"api-(v1|v2)/.*", NULL, "api-v"},
        {".*", NULL, ""},
        {".*foo", NULL, ""},
        {"a^b", NULL, "a"},
        {"a$b", NULL, "a"},
        {"(^a)", NULL, ""},
        /* Not understood for certain: no hints at all. */
        {"(?i)foo", NULL, ""},
        {"foo(?i:bar)", NULL, ""},
        {"\\Qa|b\\E", NULL, ""},
        {"\\x41", NULL, ""},
        {"foo\\pN", NULL, ""},
        {"foo[[:alpha:]]", NULL, ""},
        {"foo{", NULL, ""},
        {"gr[üö]n", NULL, ""},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct regex *r = compiled(cases[i].pattern);
        const struct regex_hints *hints = regex_hints(r);
        struct strbuf joined = STRBUF_INIT;
        for (size_t j = 0; j < hints->literal_count; j++) {
            strbuf_add_c(&joined, j > 0 ? "," : "");
            strbuf_add_str(&joined, hints->literals[j]);
        }
        bool none = cases[i].literals == NULL;
        if (none != (hints->literal_count == 0) ||
            (!none && !str_eq_c(strbuf_str(&joined), cases[i].literals)) ||
            !str_eq_c(hints->prefix, cases[i].prefix)) {
            fail_msg("\"%s\": literals %zu \"%.*s\" prefix \"%.*s\", expected \"%s\" and \"%s\"",
                cases[i].pattern, hints->literal_count, STR_ARG(strbuf_str(&joined)),
                STR_ARG(hints->prefix), none ? "(none)" : cases[i].literals, cases[i].prefix);
        }
        strbuf_release(&joined);
        regex_free(r);
    }
}

static void test_hint_flags(void **state)
{
    static const struct {
        const char *pattern;
        bool everything, nonempty, empty;
    } cases[] = {
        {".*", true, false, true},
        {".+", false, true, false},
        {"", false, false, true},
        {"a*", false, false, true},
        {"a", false, false, false},
        {".*a", false, false, false},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct regex *r = compiled(cases[i].pattern);
        const struct regex_hints *hints = regex_hints(r);
        if (hints->matches_everything != cases[i].everything ||
            hints->matches_any_nonempty != cases[i].nonempty ||
            hints->matches_empty != cases[i].empty) {
            fail_msg("\"%s\": got %d %d %d", cases[i].pattern, hints->matches_everything,
                hints->matches_any_nonempty, hints->matches_empty);
        }
        regex_free(r);
    }
}

/* A list at the limit is a set of literals, one beyond it keeps only the prefix. */
static void test_literal_limit(void **state)
{
    for (size_t extra = 0; extra < 2; extra++) {
        struct strbuf pattern = STRBUF_INIT;
        for (size_t i = 0; i < REGEX_LITERALS_MAX + extra; i++) {
            strbuf_addf(&pattern, "%shost-%04zu", i > 0 ? "|" : "", i);
        }
        struct regex *r = compiled(pattern.data);
        assert_int_equal(regex_hints(r)->literal_count, extra == 0 ? REGEX_LITERALS_MAX : 0);
        assert_true(str_starts_with(regex_hints(r)->prefix, STR("host-")));
        assert_true(regex_matches(r, STR("host-0777")));
        assert_false(regex_matches(r, STR("host-7777")));
        regex_free(r);
        strbuf_release(&pattern);
    }
}

/* Random patterns: whatever the hints claim must agree with RE2, which a capturing expansion runs
 * without looking at hints. */
static void test_hints_agree_with_re2(void **state)
{
    static const char pieces[][8] = {"a", "b", "ab", "|", "|", "(", ")", "?", "*", "+", ".", "[ab]",
        "[^a]", "\\.", "{2}", "^", "$", "(?:", "[a-c]", "\\d", "ü"};
    static const char letters[][4] = {"a", "b", "c", ".", "ü", "1"};
    uint64_t random = test_seed();
    size_t accepted = 0;
    for (size_t round = 0; round < 20000; round++) {
        struct strbuf pattern = STRBUF_INIT;
        size_t length = 1 + test_random(&random) % 8;
        for (size_t i = 0; i < length; i++) {
            strbuf_add_c(&pattern, pieces[test_random(&random) % (sizeof(pieces) / 8)]);
        }
        struct regex *r = NULL;
        if (regex_new(strbuf_str(&pattern), &r, NULL) == 0) {
            accepted++;
            for (size_t t = 0; t < 12; t++) {
                struct strbuf text = STRBUF_INIT, ignored = STRBUF_INIT;
                size_t size = test_random(&random) % 5;
                strbuf_reserve(&text, 1);
                for (size_t i = 0; i < size; i++) {
                    strbuf_add_c(&text, letters[test_random(&random) % 6]);
                }
                bool expected = regex_expand(r, strbuf_str(&text), STR(""), &ignored) == 1;
                if (regex_matches(r, strbuf_str(&text)) != expected) {
                    fail_msg("\"%s\" on \"%s\": RE2 says %d", pattern.data, text.data, expected);
                }
                strbuf_release(&text);
                strbuf_release(&ignored);
            }
            regex_free(r);
        }
        strbuf_release(&pattern);
    }
    assert_true(accepted > 1000);
}

static void test_expand(void **state)
{
    static const struct {
        const char *pattern, *text, *replacement, *expected; /* NULL = no match */
    } cases[] = {
        {"(.*):(\\d+)", "host:9100", "$1", "host"},
        {"(.*):(\\d+)", "host:9100", "${1}-${2}", "host-9100"},
        {"(.*):(\\d+)", "host:9100", "$2$1", "9100host"},
        {"(.*):(\\d+)", "host:9100", "$0", "host:9100"},
        {"(.*):(\\d+)", "host", "$1", NULL},
        {"(.*)", "a", "$1x", ""}, /* the group named "1x" */
        {"(.*)", "a", "${1}x", "ax"},
        {"(.*)", "a", "$01", ""}, /* a number has no leading zero */
        {"(.*)", "a", "$9", ""},
        {"(.*)", "a", "$99999999999999999999", ""},
        {"(.*)", "a", "$$1", "$1"},
        {"(.*)", "a", "1$", "1$"},
        {"(.*)", "a", "$-$1", "$-a"},
        {"(.*)", "a", "${1", "${1"},
        {"(.*)", "a", "${}", "${}"},
        {"(?P<host>.*):.*", "h:1", "$host", "h"},
        {"(?P<host>.*):.*", "h:1", "${host}s", "hs"},
        {"(?P<host>.*):.*", "h:1", "$hosts", ""},
        {"(?<host>.*):(?P<port>.*)", "h:1", "$port$host", "1h"},
        {"(?<a>x)[(?<b>](?<c>y)", "x<y", "$a$c", "xy"},
        {"[](?<](?<c>y)", "]y", "$c", "y"},
        {"[^](?<](?<c>y)", "ay", "$c", "y"},
        {"\\((?<c>y)", "(y", "$c", "y"},
        {"\\Q(?<c>\\E(?<c>y)", "(?<c>y", "$c", "y"},
        {"(a)|(b)", "b", "<$1$2>", "<b>"},
        {"fixed", "fixed", "other", "other"},
        {"(a)(b)(c)(d)(e)(f)(g)(h)(i)(j)(k)(l)(m)(n)(o)(p)(q)", "abcdefghijklmnopq", "$17$16",
            "qp"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct regex *r = compiled(cases[i].pattern);
        struct strbuf out = STRBUF_INIT;
        int got = regex_expand(r, str_of(cases[i].text), str_of(cases[i].replacement), &out);
        if (got != (cases[i].expected != NULL) ||
            (got == 1 && !str_eq_c(strbuf_str(&out), cases[i].expected))) {
            fail_msg("\"%s\" on \"%s\" to \"%s\": got %d \"%.*s\", expected \"%s\"",
                cases[i].pattern, cases[i].text, cases[i].replacement, got,
                STR_ARG(strbuf_str(&out)),
                cases[i].expected != NULL ? cases[i].expected : "(no match)");
        }
        strbuf_release(&out);
        regex_free(r);
    }
    struct regex *r = compiled("(a)(?P<x>b)");
    assert_int_equal(regex_group_count(r), 2);
    regex_free(r);
}

/* Expected texts by Go's documentation of Regexp.ReplaceAllString. */
static void test_anywhere(void **state)
{
    (void)state;
    static const struct {
        const char *pattern, *text, *replacement, *expected;
        bool found;
    } table[] = {
        {"a", "banana", "o", "bonono", true},
        {"^a", "banana", "o", "banana", false},
        {"a*", "baaau", "x", "xbxux", true},
        {"", "ab", "-", "-a-b-", true},
        {"a(x*)b", "-ab-axxb-", "T", "-T-T-", true},
        {"a(x*)b", "-ab-axxb-", "${1}W", "-W-xxW-", true},
        {"a(?P<n>x*)b", "-ab-axxb-", "$n", "--xx-", true},
        {"a.c", "a\nc", "x", "a\nc", false},
        {"(?s)a.c", "a\nc", "x", "x", true},
        {"x*", "\xc3\xa9", "-", "-\xc3\xa9-", true},
        {"(.*):(.*)", "host:9100", "$1", "host", true},
        {"z", "", "x", "", false},
    };
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        struct regex *r = NULL;
        struct err e = ERR_INIT;
        if (regex_new_unanchored(str_of(table[i].pattern), &r, &e) != 0) {
            fail_msg("%s", e.message);
        }
        struct strbuf out = STRBUF_INIT;
        assert_int_equal(
            regex_replace_all(r, str_of(table[i].text), str_of(table[i].replacement), &out), 0);
        strbuf_add_char(&out, '\0');
        assert_string_equal(out.data, table[i].expected);
        assert_int_equal(regex_found(r, str_of(table[i].text)), table[i].found);
        strbuf_release(&out);
        regex_free(r);
    }
    struct regex *r = NULL;
    assert_int_equal(regex_new_unanchored(STR("a)(b"), &r, NULL), ERR_INVALID);
}

/* Each allocation of a compilation fails in turn. */
static void test_memory_short(void **state)
{
    bool struck = true;
    for (uint64_t n = 1; struck; n++) {
        struct regex *r = NULL;
        mem_fail_nth(n);
        int status = regex_new(STR("x(y|z)+[ab]"), &r, NULL);
        struck = !mem_fail_pending();
        mem_fail_nth(0);
        assert_int_equal(status, struck ? ERR_NOMEM : 0);
        regex_free(r);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_matches),
        cmocka_unit_test(test_errors),
        cmocka_unit_test(test_limits),
        cmocka_unit_test(test_linear_time),
        cmocka_unit_test(test_hints),
        cmocka_unit_test(test_hint_flags),
        cmocka_unit_test(test_literal_limit),
        cmocka_unit_test(test_hints_agree_with_re2),
        cmocka_unit_test(test_expand),
        cmocka_unit_test(test_anywhere),
        cmocka_unit_test(test_memory_short),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
