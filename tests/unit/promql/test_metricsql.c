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
    {"rollup(a[5m], \"max\")", "max_over_time(a[5m])"},
    {"rollup_rate(a[5m], \"max\")", "rollup_rate(a[5m], \"max\")"},
    {"sum(a,)", "sum(a)"},
    {"sum(a) by (i) limit 3 + 1", "limitk(3, sum by (i) (a)) + 1"},
    {"sum(a) limit", NULL},
    {"any(a) by (i)", "limitk by (i) (1, a)"},
    {"tmin_over_time(a[5m])", "ts_of_min_over_time(a[5m])"},
    {"tmin_over_time(a[5m], 1)", NULL},
    {"histogram_share(0.5, a)", "histogram_fraction(-Inf, 0.5, a)"},
    {"histogram_share(a)", NULL},
    {"(a, b + 1,)", "(union(a, b + 1))"},
    {"(a, )", "(a)"},
    {"(, a)", NULL},
    {"(a b)", NULL},
    {"aggr_over_time(\"rate\", a[5m])",
        "(label_replace(rate(a[5m]), \"rollup\", \"rate\", \"rollup\", \"(?s:.*)\"))"},
    {"aggr_over_time((\"rate\", b), a[5m])", NULL},
    {"aggr_over_time(\"sum\", a[5m])", NULL},
    {"aggr_over_time(\"rate\", a)", NULL},
    {"aggr_over_time(\"rate\")", NULL},
    {"default_rollup(a[5m])", "last_over_time(a[5m])"},
    {"label_map(a, \"l\", \"b\", \"c\")", "label_map(a, \"l\", \"b\", \"c\")"},
    {"label_map(a, \"l\")", NULL},
    {"label_keep(a)", NULL},
    {"sum2(a + b) by (i)", "sum by (i) ((a + b) ^ 2)"},
    {"distinct(a) without (i)",
        "count without (i, distinct) (count_values without (i) (\"distinct\", a))"},
    {"geomean(a)", "exp(avg(ln(a)))"},
    {"share(a) by (i) * 2", "(a / on (i) group_left () sum by (i) (a)) * 2"},
    {"zscore(a) without (i)",
        "((a - ignoring (i) group_left () avg without (i) (a)) / ignoring (i) group_left () "
        "stddev without (i) (a))"},
    {"mad(a, b)", NULL},
    {"sum(,a)", NULL},
    // Templates
    {"WITH (x = 5) a + x", "a + 5"},
    {"with (x = a + b, y = x * 2,) y - x", "((a + b) * 2) - (a + b)"},
    {"WITH () a", "a"},
    {"WITH (x = a) x{i=\"b\"}", "a{i=\"b\"}"},
    {"WITH (f = {i=\"b\", j!~\"c\"}) a{f, k=\"d\"} / {f}",
        "a{i=\"b\",j!~\"c\",k=\"d\"} / {i=\"b\",j!~\"c\"}"},
    {"WITH (f = {i=\"b\"}) f{k=\"d\"}", "{i=\"b\",k=\"d\"}"},
    {"WITH (v = \"b\") a{i=v, v=v}", "a{i=\"b\",v=\"b\"}"},
    {"WITH (w = 5m, s = 30s) rate(a[w]) + max_over_time(b[2*w:s] offset w)",
        "rate(a[5m]) + max_over_time(b[2 * 5m:30s] offset 5m)"},
    {"WITH (q(m, w) = sum(rate(m[w])) by (i)) q(a, 5m) / q(b{c=\"d\"}, 1h)",
        "sum by (i) (rate(a[5m])) / sum by (i) (rate(b{c=\"d\"}[1h]))"},
    {"WITH (s(l) = sum(a) by (l, k)) s((i, j)) + on (k) group_left (i) s(z)",
        "sum by (i, j, k) (a) + on (k) group_left (i) sum by (z, k) (a)"},
    {"WITH (l = (i, j)) a + on (l) b", "a + on (i, j) b"},
    {"WITH (one() = 1) one() + one", "1 + one"},
    {"WITH (f(x) = x + 1, g(x) = f(x * 2)) g(x)", "((x * 2) + 1)"},
    {"WITH (x = a, f(y) = x + y, x2 = b) WITH (x = c) f(x)", "(a + c)"},
    {"WITH (x = x + 1) x", "(x + 1)"}, // never itself: this is the metric
    {"WITH (x = y, y = 1) x", "y"},    // nor later ones
    {"WITH (rate = 5m) rate(rate[rate])", NULL},
    {"WITH (rate = 5m) rate(a[rate])", "rate(a[5m])"},
    {"WITH (x = WITH (y = a) y + y) x", "(a + a)"},
    {"(WITH (x = a) x) + x", "(a) + x"},
    {"WITH (x = 1, x = 2) x", NULL},
    {"WITH (x = ) x", NULL},
    {"WITH (x) x", NULL},
    {"WITH (x = (1) x", NULL},
    {"WITH (f(x) = x) f()", NULL},
    {"WITH (f(x) = x) f(1, 2)", NULL},
    {"WITH (f(x) = x + ) f(1)", NULL},
    {"WITH (x = 1) a{x}", NULL},
    {"WITH (x = a offset 5m) a{x}", NULL},
    {"WITH (x = 1) a{i=x}", NULL},
    {"WITH (x = a) sum(b[x])", NULL},
    {"WITH (x = a b) x", NULL},
    {"WITH (x = a) a{i=\"b\"}{j=\"c\"}", NULL},
    {"WITH (x = 1", NULL},
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
        if (status != (rows[i].canonical == NULL ? ERR_INVALID : 0)) {
            fail_msg("%s: %d", rows[i].text, status);
        }
        if (rows[i].canonical != NULL) {
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

/* Each doubles what the one before expands to. */
static void test_templates_end(void **state)
{
    (void)state;
    static const struct {
        int count, status;
    } cases[] = {{8, 0}, {40, ERR_LIMIT}, {256, ERR_LIMIT}, {257, ERR_LIMIT}};
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct strbuf text = STRBUF_INIT, out = STRBUF_INIT;
        strbuf_add_c(&text, "WITH (x0 = a");
        for (int k = 1; k < cases[i].count; k++) {
            strbuf_addf(&text, ", x%d = x%d + x%d", k, k - 1, k - 1);
        }
        strbuf_addf(&text, ") x%d", cases[i].count - 1);
        assert_int_equal(parse(text.data, true, &out), cases[i].status);
        strbuf_release(&text);
        strbuf_release(&out);
    }
}

/* So does each of these, by three. */
static void test_copies_end(void **state)
{
    (void)state;
    static const struct {
        int count, status;
    } cases[] = {{5, 0}, {40, ERR_LIMIT}};
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct strbuf text = STRBUF_INIT, out = STRBUF_INIT;
        for (int k = 0; k < cases[i].count; k++) {
            strbuf_add_c(&text, "rollup(");
        }
        strbuf_add_c(&text, "a[5m]");
        for (int k = 0; k < cases[i].count; k++) {
            strbuf_add_c(&text, k + 1 < cases[i].count ? ")[5m:]" : ")");
        }
        assert_int_equal(parse(text.data, true, &out), cases[i].status);
        strbuf_release(&text);
        strbuf_release(&out);
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
        cmocka_unit_test(test_templates_end),
        cmocka_unit_test(test_copies_end),
        cmocka_unit_test(test_tables),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
