/* Label sets: order, uniqueness, absence, text, builder. */
#include <string.h>

#include "base/mem.h"
#include "model/labels.h"
#include "support/support.h"

static const struct labels *make(const char *const *names_values, size_t pair_count)
{
    struct label pairs[64];
    for (size_t i = 0; i < pair_count; i++) {
        pairs[i] = (struct label){str_of(names_values[2 * i]), str_of(names_values[2 * i + 1])};
    }
    const struct labels *l = NULL;
    assert_int_equal(labels_new(pairs, pair_count, &l, NULL), 0);
    return l;
}

static void assert_text(const struct labels *l, const char *expected)
{
    struct strbuf out = STRBUF_INIT;
    labels_write(l, &out);
    assert_string_equal(strbuf_str(&out).ptr, expected);
    strbuf_release(&out);
}

static void test_sorted_and_equal_in_any_order(void **state)
{
    const char *const forward[] = {"__name__", "up", "instance", "a:1", "job", "node"};
    const char *const backward[] = {"job", "node", "instance", "a:1", "__name__", "up"};
    const struct labels *a = make(forward, 3), *b = make(backward, 3);
    assert_true(labels_eq(a, b));
    assert_int_equal(labels_hash(a), labels_hash(b));
    assert_int_equal(labels_cmp(a, b), 0);
    assert_text(b, "up{instance=\"a:1\", job=\"node\"}");
    labels_unref(a);
    labels_unref(b);
}

static void test_empty_values_are_absent(void **state)
{
    const char *const pairs[] = {"a", "", "b", "x"};
    const struct labels *l = make(pairs, 2);
    assert_int_equal(labels_count(l), 1);
    assert_false(labels_has(l, STR("a")));
    assert_int_equal(labels_get(l, STR("a")).len, 0);
    assert_true(str_eq(labels_get(l, STR("b")), STR("x")));
    labels_unref(l);
    const char *const none[] = {"a", ""};
    assert_ptr_equal(make(none, 1), labels_empty());
}

static void test_refuses_duplicates_and_empty_names(void **state)
{
    struct label twice[] = {{STR("a"), STR("1")}, {STR("b"), STR("2")}, {STR("a"), STR("3")}};
    struct label nameless[] = {{STR(""), STR("1")}};
    const struct labels *l = NULL;
    struct err e = ERR_INIT;
    assert_int_equal(labels_new(twice, 3, &l, &e), ERR_INVALID);
    assert_non_null(strstr(e.message, "\"a\""));
    assert_int_equal(labels_new(nameless, 1, &l, &e), ERR_INVALID);
    assert_null(l);
}

static void test_limits(void **state)
{
    static struct label many[LABELS_COUNT_MAX + 1];
    static char names[LABELS_COUNT_MAX + 1][8];
    for (size_t i = 0; i <= LABELS_COUNT_MAX; i++) {
        snprintf(names[i], sizeof(names[i]), "n%05zu", i);
        many[i] = (struct label){str_of(names[i]), STR("v")};
    }
    const struct labels *l = NULL;
    assert_int_equal(labels_new(many, LABELS_COUNT_MAX + 1, &l, NULL), ERR_LIMIT);
    assert_int_equal(labels_new(many, LABELS_COUNT_MAX, &l, NULL), 0);
    assert_int_equal(labels_count(l), LABELS_COUNT_MAX);
    labels_unref(l);
}

static void test_order_of_results(void **state)
{
    const char *const a1[] = {"a", "1"}, *const a2[] = {"a", "2"}, *const b1[] = {"b", "1"};
    const char *const a1b1[] = {"a", "1", "b", "1"};
    const struct labels *sorted[] = {
        labels_empty(), make(a1, 1), make(a1b1, 2), make(a2, 1), make(b1, 1)};
    for (size_t i = 0; i < 5; i++) {
        for (size_t k = 0; k < 5; k++) {
            int order = labels_cmp(sorted[i], sorted[k]);
            assert_int_equal((order > 0) - (order < 0), (i > k) - (i < k));
        }
    }
    for (size_t i = 0; i < 5; i++) {
        labels_unref(sorted[i]);
    }
}

static void test_text_quotes_what_needs_it(void **state)
{
    const char *const utf8[] = {"__name__", "my.metric", "a b", "x\"y\\z\n"};
    const struct labels *l = make(utf8, 2);
    assert_text(l, "{\"my.metric\", \"a b\"=\"x\\\"y\\\\z\\n\"}");
    labels_unref(l);
    const char *const bare[] = {"__name__", "up"};
    l = make(bare, 1);
    assert_text(l, "up");
    labels_unref(l);
    assert_text(labels_empty(), "{}");
}

static void test_restrict(void **state)
{
    const char *const pairs[] = {"__name__", "m", "a", "1", "b", "2", "c", "3"};
    const struct str names[] = {STR("a"), STR("c"), STR("zz")};
    const struct labels *l = make(pairs, 4), *by = NULL, *without = NULL;
    assert_int_equal(labels_restrict(l, names, 3, true, &by), 0);
    assert_int_equal(labels_restrict(l, names, 3, false, &without), 0);
    assert_text(by, "{a=\"1\", c=\"3\"}");
    assert_text(without, "m{b=\"2\"}");
    assert_int_equal(labels_restrict_hash(l, names, 3, true), labels_hash(by));
    assert_int_equal(labels_restrict_hash(l, names, 3, false), labels_hash(without));
    labels_unref(by);
    labels_unref(without);
    labels_unref(l);
}

static void test_builder_sets_replaces_and_deletes(void **state)
{
    struct labels_builder b;
    labels_builder_init(&b);
    char names[200][8];
    for (size_t i = 0; i < 200; i++) { /* beyond the inline room */
        snprintf(names[i], sizeof(names[i]), "n%03zu", 199 - i);
        labels_builder_set(&b, str_of(names[i]), STR("v"));
    }
    labels_builder_set(&b, STR("n005"), STR("w"));
    labels_builder_set(&b, STR("n006"), STR(""));
    labels_builder_delete(&b, STR("n007"));
    const struct labels *l = NULL;
    assert_int_equal(labels_builder_finish(&b, &l), 0);
    assert_int_equal(labels_count(l), 198);
    assert_true(str_eq(labels_get(l, STR("n005")), STR("w")));
    assert_false(labels_has(l, STR("n006")));
    assert_true(str_eq(labels_at(l, 0).name, STR("n000")));
    labels_unref(l);
    labels_builder_release(&b);
}

static void test_failing_allocations_unwind(void **state)
{
    struct label pairs[40];
    char names[40][8];
    for (size_t i = 0; i < 40; i++) {
        snprintf(names[i], sizeof(names[i]), "n%zu", i);
        pairs[i] = (struct label){str_of(names[i]), STR("v")};
    }
    for (uint64_t nth = 1;; nth++) {
        const struct labels *l = NULL;
        mem_fail_nth(nth);
        int status = labels_new(pairs, 40, &l, NULL);
        bool untouched = mem_fail_pending();
        mem_fail_nth(0);
        assert_true(status == 0 || (status == ERR_NOMEM && l == NULL));
        labels_unref(l);
        if (untouched) {
            break;
        }
    }
}

static void test_classic_names(void **state)
{
    static const struct {
        const char *name;
        bool label, metric;
    } cases[] = {{"up", true, true}, {"_a9", true, true}, {"9a", false, false}, {"", false, false},
        {"a:b", false, true}, {"a.b", false, false}, {"\xc3\xa9", false, false}};
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        assert_int_equal(label_name_is_classic(str_of(cases[i].name)), cases[i].label);
        assert_int_equal(metric_name_is_classic(str_of(cases[i].name)), cases[i].metric);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sorted_and_equal_in_any_order),
        cmocka_unit_test(test_empty_values_are_absent),
        cmocka_unit_test(test_refuses_duplicates_and_empty_names),
        cmocka_unit_test(test_limits),
        cmocka_unit_test(test_order_of_results),
        cmocka_unit_test(test_text_quotes_what_needs_it),
        cmocka_unit_test(test_restrict),
        cmocka_unit_test(test_builder_sets_replaces_and_deletes),
        cmocka_unit_test(test_failing_allocations_unwind),
        cmocka_unit_test(test_classic_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
