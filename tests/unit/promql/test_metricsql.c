/* What MetricsQL is read as, and that without the feature it is not read. */
#include "support/support.h"

#include "query/promql.h"

static const struct {
    const char *text, *canonical; /* NULL: refused with the feature, too */
} rows[] = {
    {"median_over_time(a[5m])", "quantile_over_time(0.5, a[5m])"},
    {"a default 0", "default(a, vector(0))"},
    {"a + 1 default b default 2", "default(default(a + 1, b), vector(2))"},
    {"a or b if c", "(a or b) and c"},
    {"a ifnot on (i) b", "a unless on (i) b"},
    {"alias(a, \"b\")", "label_replace(a, \"__name__\", \"b\", \"__name__\", \"(?s:.*)\")"},
    {"median(a) by (i)", "quantile by (i) (0.5, a)"},
    {"abs(a) keep_metric_names", "abs(a) keep_metric_names"},
    {"(a * 2) keep_metric_names", "(a * 2) keep_metric_names"},
    {"range_quantile(0.5, a)", "range_quantile(0.5, a)"},
    {"label_del(a)", NULL},
    {"quantiles(\"l\", b, a)", NULL},
    {"a if", NULL},
    {"a default default", "default(a, default)"},
    {"rollup(a)", NULL},
};

static int parse(const char *text, bool metricsql, struct strbuf *out)
{
    struct arena arena;
    struct expr *expr;
    struct err e = ERR_INIT;
    struct promql_features features = PROMQL_FEATURES_DEFAULT;
    features.metricsql = metricsql;
    arena_init(&arena, 0);
    int status = promql_parse(str_of(text), features, &arena, &expr, &e);
    if (status == 0) {
        promql_write(expr, out);
    }
    arena_release(&arena);
    return status;
}

static void test_rows(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct strbuf first = STRBUF_INIT, second = STRBUF_INIT, without = STRBUF_INIT;
        int status = parse(rows[i].text, true, &first);
        if (rows[i].canonical == NULL) {
            assert_int_equal(status, ERR_INVALID);
        } else {
            assert_int_equal(status, 0);
            assert_string_equal(first.data, rows[i].canonical);
            assert_int_equal(parse(first.data, true, &second), 0);
            assert_string_equal(second.data, first.data);
        }
        assert_int_equal(parse(rows[i].text, false, &without), ERR_INVALID);
        strbuf_release(&first);
        strbuf_release(&second);
        strbuf_release(&without);
    }
}

static void test_tables(void **state)
{
    (void)state;
    for (int id = FUNCTION_COUNT + 1; id < FUNCTION_LIST_END; id++) {
        const struct promql_function *f = promql_function_at((enum function_id)id);
        assert_int_equal(f->id, id);
        assert_ptr_equal(metricsql_function_find(str_of(f->name)), f);
        assert_null(promql_function_find(str_of(f->name)));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rows),
        cmocka_unit_test(test_tables),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
