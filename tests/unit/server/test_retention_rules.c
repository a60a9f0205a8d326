/* Rules of retention as the configuration says them. */
#include "server/retention_rules.h"

#include <string.h>

#include "support/support.h"

#define HOUR INT64_C(3600000)

static const struct {
    const char *text;
    const char *matchers; /* NULL: refused */
    int64_t keep_ms;
    const char *error;
} cases[] = {
    {"{job=\"debug\"}: 2d", "job=\"debug\"", 48 * HOUR, NULL},
    {"up:1h30m", "__name__=\"up\"", 90 * 60000, NULL},
    {"up{a=\"b:c\"} : 0", "a=\"b:c\" __name__=\"up\"", 0, NULL},
    {"job:requests:rate5m: 1w", "__name__=\"job:requests:rate5m\"", 168 * HOUR, NULL},
    {"up", NULL, 0, "expected a selector, a colon and a duration"},
    {": 2d", NULL, 0, "expected a selector, a colon and a duration"},
    {"up:", NULL, 0, "expected a selector, a colon and a duration"},
    {"up{: 2d", NULL, 0, "storage.retention_rules: \"up{: 2d\": "},
    {"{}: 2d", NULL, 0, "storage.retention_rules: \"{}: 2d\": "},
    {"up: soon", NULL, 0, "storage.retention_rules: \"up: soon\": "},
};

static void test_rules(void **state)
{
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct arena arena;
        struct err e = ERR_INIT;
        struct tsdb_retention_rule *rules = NULL;
        size_t count = 0;
        const char *items[] = {cases[i].text};
        const struct config_strings texts = {items, 1};
        arena_init(&arena, 0);
        int status = retention_rules_parse(&arena, &texts, &rules, &count, &e);
        if ((status == 0) != (cases[i].matchers != NULL)) {
            fail_msg("%s: %d %s", cases[i].text, status, e.message);
        }
        if (status != 0) {
            if (strstr(e.message, cases[i].error) == NULL) {
                fail_msg("%s: %s", cases[i].text, e.message);
            }
            arena_release(&arena);
            continue;
        }
        struct strbuf written = STRBUF_INIT;
        for (size_t m = 0; m < rules[0].matcher_count; m++) {
            strbuf_add_c(&written, m > 0 ? " " : "");
            matcher_write(rules[0].matchers[m], &written);
        }
        assert_int_equal(count, 1);
        assert_string_equal(written.data, cases[i].matchers);
        assert_int_equal(rules[0].keep_ms, cases[i].keep_ms);
        strbuf_release(&written);
        arena_release(&arena);
    }
}

static void test_too_many(void **state)
{
    const char *items[RETENTION_RULES_TEXT_MAX + 1];
    struct arena arena;
    struct err e = ERR_INIT;
    struct tsdb_retention_rule *rules = NULL;
    size_t count = 0;
    for (size_t i = 0; i <= RETENTION_RULES_TEXT_MAX; i++) {
        items[i] = "up: 1d";
    }
    arena_init(&arena, 0);
    struct config_strings texts = {items, RETENTION_RULES_TEXT_MAX};
    assert_int_equal(retention_rules_parse(&arena, &texts, &rules, &count, &e), 0);
    assert_int_equal(count, RETENTION_RULES_TEXT_MAX);
    texts.count++;
    assert_int_equal(retention_rules_parse(&arena, &texts, &rules, &count, &e), ERR_LIMIT);
    arena_release(&arena);
}

static void test_services(void **state)
{
    static const struct {
        const char *text, *services; /* services NULL: refused */
        int64_t keep_ms;
        const char *error;
    } texts_of[] = {
        {"checkout|cart: 90d", "checkout|cart", 90 * 24 * HOUR, NULL},
        {"debug-.*:1h", "debug-.*", HOUR, NULL},
        {"a:b : 0", "a:b", 0, NULL},
        {"checkout", NULL, 0, "traces.retention_services: \"checkout\": expected a pattern"},
        {": 2d", NULL, 0, "expected a pattern of services, a colon and a duration"},
        {"a(: 2d", NULL, 0, "traces.retention_services: \"a(: 2d\": "},
        {"a: soon", NULL, 0, "traces.retention_services: \"a: soon\": "},
    };
    for (size_t i = 0; i < sizeof(texts_of) / sizeof(texts_of[0]); i++) {
        struct arena arena;
        struct err e = ERR_INIT;
        struct span_retention_rule *rules = NULL;
        size_t count = 0;
        const char *items[] = {texts_of[i].text};
        const struct config_strings texts = {items, 1};
        arena_init(&arena, 0);
        int status = retention_services_parse(&arena, &texts, &rules, &count, &e);
        bool right = texts_of[i].services == NULL
                         ? status != 0 && strstr(e.message, texts_of[i].error) != NULL
                         : status == 0 && count == 1 && rules[0].keep_ms == texts_of[i].keep_ms &&
                               str_eq_c(rules[0].services, texts_of[i].services);
        if (!right) {
            fail_msg("%s: %d %s", texts_of[i].text, status, e.message);
        }
        arena_release(&arena);
    }
    (void)state;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rules),
        cmocka_unit_test(test_services),
        cmocka_unit_test(test_too_many),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
