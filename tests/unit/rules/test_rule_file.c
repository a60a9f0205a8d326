/* Rule files: what is read, what is refused and where, and that what is written reads back. */
#include <string.h>

#include "rules/rule_file.h"
#include "support/support.h"

static const char good[] = "groups:\n"
                           "  - name: api\n"
                           "    interval: 30s\n"
                           "    limit: 10\n"
                           "    query_offset: 0s\n"
                           "    labels: {team: \"web\", zone: eu}\n"
                           "    rules:\n"
                           "      - record: job:requests:rate5m\n"
                           "        expr: sum by(job) (rate(requests_total[5m]))\n"
                           "        labels:\n"
                           "          zone: us\n"
                           "      - alert: Down\n"
                           "        expr: |\n"
                           "          up == 0\n"
                           "        for: 1h30m\n"
                           "        keep_firing_for: 5m\n"
                           "        labels: {severity: page}\n"
                           "        annotations:\n"
                           "          summary: \"{{ $labels.job }} is \\\"down\\\"\"\n"
                           "  - name: empty\n"
                           "    rules: []\n";

static struct rule_file *parse(const char *text)
{
    struct rule_file *file = NULL;
    struct err e = ERR_INIT;
    if (rule_file_parse("a.yml", str_of(text), PROMQL_FEATURES_DEFAULT, NULL, &file, &e) != 0) {
        fail_msg("%s", e.message);
    }
    return file;
}

static void check_label(
    const struct label *labels, size_t index, const char *name, const char *value)
{
    assert_true(str_eq_c(labels[index].name, name));
    assert_true(str_eq_c(labels[index].value, value));
}

static void test_all_fields_are_read(void **state)
{
    (void)state;
    struct rule_file *file = parse(good);
    size_t count;
    const struct rule_group_definition *groups = rule_file_groups(file, &count);
    assert_int_equal(count, 2);
    assert_true(str_eq_c(groups[0].name, "api"));
    assert_true(str_eq_c(groups[0].file, "a.yml"));
    assert_int_equal(groups[0].interval_ms, 30000);
    assert_int_equal(groups[0].limit, 10);
    assert_true(groups[0].has_query_offset);
    assert_int_equal(groups[0].query_offset_ms, 0);
    assert_int_equal(groups[0].rule_count, 2);
    const struct rule_definition *record = &groups[0].rules[0], *alert = &groups[0].rules[1];
    assert_false(record->alerting);
    assert_true(str_eq_c(record->name, "job:requests:rate5m"));
    assert_true(str_eq_c(record->expr, "sum by (job) (rate(requests_total[5m]))"));
    assert_int_equal(record->label_count, 2);
    check_label(record->labels, 0, "team", "web");
    check_label(record->labels, 1, "zone", "us"); /* the rule's own wins */
    assert_true(alert->alerting);
    assert_int_equal(alert->line, 12);
    assert_true(str_eq_c(alert->expr, "up == 0"));
    assert_int_equal(alert->for_ms, 5400000);
    assert_int_equal(alert->keep_firing_for_ms, 300000);
    assert_int_equal(alert->label_count, 3);
    check_label(alert->labels, 0, "severity", "page");
    check_label(alert->annotations, 0, "summary", "{{ $labels.job }} is \"down\"");
    assert_int_equal(groups[1].rule_count, 0);
    assert_false(groups[1].has_query_offset);
    rule_file_unref(file);
}

/* Places and sentences; the sentences about rules are Prometheus' own. */
static const struct {
    const char *text, *message;
} bad[] = {
    {"groups:\n- name: a\n  ruls: []\n", "a.yml:3:3: unknown key \"ruls\"; accepted here: rules"},
    {"gruops: []\n", "a.yml:1:1: unknown key \"gruops\"; accepted here: groups"},
    {"groups:\n- rules: []\n", "a.yml:2:3: Groupname must not be empty"},
    {"groups:\n- name: a\n- name: a\n", "a.yml:3:9: groupname: \"a\" is repeated in the same file"},
    {"groups:\n- name: a\n  rules:\n  - expr: up\n",
        "a.yml:4:5: one of 'record' or 'alert' must be set (group \"a\", rule 1)"},
    {"groups:\n- name: a\n  rules:\n  - record: r\n    alert: s\n    expr: up\n",
        "a.yml:5:12: only one of 'record' and 'alert' must be set (group \"a\", rule 1)"},
    {"groups:\n- name: a\n  rules:\n  - record: r\n",
        "a.yml:4:5: field 'expr' must be set in rule (group \"a\", rule 1, \"r\")"},
    {"groups:\n- name: a\n  rules:\n  - record: r\n    expr: sum(up\n",
        "a.yml:5:11: could not parse expression: 1:7: parse error: unclosed left parenthesis "
        "(group \"a\", rule 1, \"r\")"},
    {"groups:\n- name: a\n  rules:\n  - record: r\n    expr: up\n    for: 5m\n",
        "a.yml:6:10: invalid field 'for' in recording rule (group \"a\", rule 1, \"r\")"},
    {"groups:\n- name: a\n  rules:\n  - record: r\n    expr: up\n    annotations: {a: b}\n",
        "a.yml:6:18: invalid field 'annotations' in recording rule (group \"a\", rule 1, \"r\")"},
    {"groups:\n- name: a\n  rules:\n  - record: r{a=\"b\"}\n    expr: up\n",
        "a.yml:4:13: braces present in the recording rule name; should it be in expr?: r{a=\"b\"} "
        "(group \"a\", rule 1, \"r{a=\"b\"}\")"},
    {"groups:\n- name: a\n  rules:\n  - alert: r\n    expr: up\n    labels: {__name__: b}\n",
        "a.yml:6:13: invalid label name: \"__name__\" (group \"a\", rule 1, \"r\")"},
    {"groups:\n- name: a\n  interval: soon\n", "a.yml:3:13: interval: expected a duration"},
    {"groups:\n- name: a\n  rules: 5\n", "a.yml:3:10: rules: expected a list"},
    {"groups:\n- name: a\n  name: b\n", "a.yml:3:3: "},
};

static void test_refusals_name_the_place(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct rule_file *file = NULL;
        struct err e = ERR_INIT;
        int status =
            rule_file_parse("a.yml", str_of(bad[i].text), PROMQL_FEATURES_DEFAULT, NULL, &file, &e);
        if (status != ERR_INVALID ||
            strncmp(e.message, bad[i].message, strlen(bad[i].message)) != 0) {
            fail_msg("%s\ngave  %d %s\nwanted %s", bad[i].text, status, e.message, bad[i].message);
        }
        assert_null(file);
    }
}

static void test_all_problems_are_listed(void **state)
{
    (void)state;
    struct rule_file *file = NULL;
    struct strbuf problems = STRBUF_INIT;
    struct err e = ERR_INIT;
    const char *text = "groups:\n- name: a\n  rules:\n  - record: r\n  - alert: s\n    expr: (\n"
                       "- name: a\n- nam: b\n";
    assert_int_equal(
        rule_file_parse("a.yml", str_of(text), PROMQL_FEATURES_DEFAULT, &problems, &file, &e),
        ERR_INVALID);
    size_t lines = 0;
    for (size_t i = 0; i < problems.size; i++) {
        lines += problems.data[i] == '\n';
    }
    assert_int_equal(lines, 4);
    assert_non_null(strstr(problems.data, "a.yml:4:5: field 'expr' must be set"));
    assert_non_null(strstr(problems.data, "a.yml:6:11: could not parse expression"));
    assert_non_null(strstr(problems.data, "a.yml:7:9: groupname"));
    assert_non_null(strstr(problems.data, "a.yml:8:3: unknown key"));
    strbuf_release(&problems);
}

static void test_written_groups_read_back(void **state)
{
    (void)state;
    struct rule_file *file = parse(good), *again = NULL;
    struct strbuf text = STRBUF_INIT;
    size_t count, count_again;
    const struct rule_group_definition *groups = rule_file_groups(file, &count);
    strbuf_add_c(&text, "groups:\n");
    for (size_t i = 0; i < count; i++) {
        rule_group_write(&groups[i], 2, &text);
    }
    again = parse(text.data);
    const struct rule_group_definition *copies = rule_file_groups(again, &count_again);
    assert_int_equal(count_again, count);
    for (size_t i = 0; i < count; i++) {
        if (!rule_group_eq(&groups[i], &copies[i])) {
            fail_msg("not the same:\n%s", text.data);
        }
    }
    /* A difference is seen. */
    struct rule_group_definition other = groups[0];
    other.limit++;
    assert_false(rule_group_eq(&groups[0], &other));
    strbuf_release(&text);
    rule_file_unref(again);
    rule_file_unref(file);
}

static void test_an_empty_file_has_no_groups(void **state)
{
    (void)state;
    static const char *const texts[] = {"", "groups:\n", "groups: []\n", "# nothing\n"};
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        struct rule_file *file = parse(texts[i]);
        size_t count;
        (void)rule_file_groups(file, &count);
        assert_int_equal(count, 0);
        rule_file_unref(file);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_all_fields_are_read),
        cmocka_unit_test(test_refusals_name_the_place),
        cmocka_unit_test(test_all_problems_are_listed),
        cmocka_unit_test(test_written_groups_read_back),
        cmocka_unit_test(test_an_empty_file_has_no_groups)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
