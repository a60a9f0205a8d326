/* Target groups in JSON and YAML: what is taken, and which mistakes make the whole list bad. */
#include "discovery/group_list.h"

#include <string.h>

#include "support/support.h"

#define META "__meta_filepath=\"f\""

/* Each list as label sets, one a line; "!" and a part of the sentence for a bad one. */
static const struct {
    const char *text, *expected;
    bool json, yaml;
} rows[] = {
    {"[]", "", true, true},
    {"", "", false, true},
    {"[{\"targets\": [\"a:1\", \"b:2\"], \"labels\": {\"env\": \"x\"}}]",
        "{__address__=\"a:1\", " META ", env=\"x\"}\n{__address__=\"b:2\", " META ", env=\"x\"}\n",
        true, true},
    {"[{\"targets\": [\"a:1\"], \"labels\": {\"env\": \"x\"}}, {\"targets\": [\"b:2\"]}]",
        "{__address__=\"a:1\", " META ", env=\"x\"}\n{__address__=\"b:2\", " META "}\n", true,
        true},
    {"[{\"targets\": [\"a:1\"], \"labels\": {\"__meta_filepath\": \"own\"}}]",
        "{__address__=\"a:1\", __meta_filepath=\"own\"}\n", true, true},
    {"- targets: [a:1]\n  labels:\n    n: 1\n", "{__address__=\"a:1\", " META ", n=\"1\"}\n", false,
        true},
    {"[{\"labels\": {\"a\": \"b\"}}]", "", true, true},
    {"[{\"targets\": null, \"labels\": null}]", "", true, true},
    {"{}", "!not a list", true, true},
    {"[1]", "!group 1", true, true},
    {"[{\"targets\": \"a:1\"}]", "!group 1: targets must be a list", true, true},
    {"[{\"targets\": [\"a:1\"]}, {\"targets\": [[]]}]", "!group 2: targets must be a list", true,
        true},
    {"[{\"targets\": [\"a:1\"], \"label\": {}}]", "!unknown key", true, true},
    {"[{\"targets\": [\"a:1\"], \"labels\": {\"a-b\": \"c\"}}]", "!\"a-b\" is no label name", true,
        true},
    {"[{\"targets\": [\"a:1\"], \"labels\": [\"c\"]}]", "!labels must be", true, true},
    {"[{\"targets\": [\"a:1\"], \"labels\": {\"a\": 1}}]", "!labels must be", true, false},
    {"[{\"targets\": [\"a:1\"]", "!f:", true, true},
    {"[{\"targets\": [\"a:1\"]}] x", "!f:", true, true},
};

static void write_target(const struct labels *target, struct strbuf *out)
{
    strbuf_add_char(out, '{');
    for (size_t i = 0; i < labels_count(target); i++) {
        struct label label = labels_at(target, i);
        strbuf_addf(
            out, "%s%.*s=\"%.*s\"", i > 0 ? ", " : "", STR_ARG(label.name), STR_ARG(label.value));
    }
    strbuf_add_c(out, "}\n");
}

static void check(const char *format, const char *text, const char *expected, int status,
    const struct err *e, const struct target_list *list)
{
    struct strbuf got = STRBUF_INIT;
    if (status != 0) {
        strbuf_addf(&got, "!%s", e->message);
    }
    for (size_t i = 0; status == 0 && i < list->count; i++) {
        write_target(list->items[i], &got);
    }
    strbuf_add_char(&got, '\0');
    bool good = expected[0] == '!' ? status == ERR_INVALID && strstr(got.data, expected + 1) != NULL
                                   : strcmp(got.data, expected) == 0;
    if (!good) {
        fail_msg("%s %s\ngave     %s\nexpected %s", format, text, got.data, expected);
    }
    strbuf_release(&got);
}

static void test_lists(void **state)
{
    (void)state;
    struct label meta = {STR("__meta_filepath"), STR("f")};
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        if (rows[i].json) {
            struct err e = ERR_INIT;
            struct target_list list = {0};
            int status = group_list_parse_json(str_of(rows[i].text), "f", meta, &list, &e);
            check("JSON", rows[i].text, rows[i].expected, status, &e, &list);
            target_list_release(&list);
        }
        if (rows[i].yaml) {
            struct err e = ERR_INIT;
            struct target_list list = {0};
            int status = group_list_parse_yaml(str_of(rows[i].text), "f", meta, &list, &e);
            check("YAML", rows[i].text, rows[i].expected, status, &e, &list);
            target_list_release(&list);
        }
    }
}

static struct target_list one_target(const char *address)
{
    struct target_list list = {0};
    struct labels_builder b;
    labels_builder_init(&b);
    labels_builder_set(&b, STR("__address__"), str_of(address));
    target_list_add(&list, &b);
    labels_builder_release(&b);
    assert_int_equal(list.error, 0);
    return list;
}

static void test_groups(void **state)
{
    (void)state;
    struct target_groups g = {0};
    struct target_list b = one_target("b"), a = one_target("a"), again = one_target("b");
    assert_int_equal(target_groups_put(&g, STR("2"), &b), 0);
    assert_int_equal(target_groups_put(&g, STR("1"), &a), 0);
    assert_true(g.changed);
    assert_string_equal(g.items[0].source, "1");
    assert_int_equal(g.target_count, 2);
    g.changed = false;
    assert_int_equal(target_groups_put(&g, STR("2"), &again), 0);
    assert_false(g.changed);
    target_groups_remove(&g, STR("none"));
    assert_false(g.changed);
    target_groups_remove(&g, STR("1"));
    assert_true(g.changed);
    assert_int_equal(g.target_count, 1);
    target_groups_release(&g);
}

static void test_label_text(void **state)
{
    (void)state;
    struct arena arena;
    struct labels_builder b;
    arena_init(&arena, 0);
    labels_builder_init(&b);
    assert_true(meta_label(&b, &arena, "__meta_p_", STR("app.io/name-1"), STR("v")));
    assert_true(str_eq_c(labels_builder_get(&b, STR("__meta_p_app_io_name_1")), "v"));
    assert_true(str_eq_c(meta_address(&arena, STR("10.0.0.1"), 80), "10.0.0.1:80"));
    assert_true(str_eq_c(meta_address(&arena, STR("fe80::1"), 80), "[fe80::1]:80"));
    assert_true(str_eq_c(meta_number(&arena, 65535), "65535"));
    labels_builder_release(&b);
    arena_release(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lists),
        cmocka_unit_test(test_groups),
        cmocka_unit_test(test_label_text),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
