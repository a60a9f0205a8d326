/* The printer: canonical text of each construct, the same again after parsing it, and the form over
 * several lines. */
#include "support/support.h"

#include <string.h>

#include "query/promql.h"

/* In, out; out NULL = unchanged. */
static const char *const rows[][2] = {
    {"sum by() (a{b=\"c\"})", "sum(a{b=\"c\"})"},
    {"sum(a) without ()", "sum without () (a)"},
    {"sum by(b,\"c.d\") (a)", "sum by (b, \"c.d\") (a)"},
    {"TOPK(5,a)", "topk(5, a)"},
    {"a-on()b", "a - on () b"},
    {"a - ignoring() b", "a - b"},
    {"a - ignoring() group_left b", "a - ignoring () group_left () b"},
    {"a - on(b) group_right(x,y) c", "a - on (b) group_right (x, y) c"},
    {"a + fill_left(5) fill_right(5) b", "a + fill (5) b"},
    {"a + fill_right(-1) b", "a + fill_right (-1) b"},
    {"up>bool 0", "up > bool 0"},
    {"a offset 60s", "a offset 1m"},
    {"a offset -7m", NULL},
    {"a[90s]offset 1m", "a[1m30s] offset 1m"},
    {"a[1h:5m] @ 1.5 offset 1m", "a[1h:5m] @ 1.500 offset 1m"},
    {"a[5m] anchored @ start() offset 1m", NULL},
    {"a smoothed", NULL},
    {"a @ -0.001", NULL},
    {"{__name__=\"a\"}", NULL},
    {"a{c=\"1\",b=\"2\"}", "a{b=\"2\",c=\"1\"}"},
    {"a{b=~\"c\",b!~\"d\",b!=\"e\"}", "a{b!=\"e\",b!~\"d\",b=~\"c\"}"},
    {"{\"a.b\"=\"c\"}", NULL},
    {"{\"a.b\"}", "{__name__=\"a.b\"}"},
    {"'it\\'s \\u263a\\n'", "\"it's \u263a\\n\""},
    {"0x10", "16"},
    {"1e-7", "0.0000001"},
    {"1e20", "100000000000000000000"},
    {"-5m", NULL},
    {"+Inf", NULL},
    {"a[step()]", NULL},
    {"a offset +(5)", "a offset (5)"},
    {"a[200-min_of(-step()^+range(),1)]", "a[200 - min_of(-step() ^ range(), 1)]"},
    {"a[(5m):(1m)]", NULL},
    {"-(a+b)", "-(a + b)"},
    {"histogram_quantile(0.9,sum by(le)(rate(a[5m])))",
        "histogram_quantile(0.9, sum by (le) (rate(a[5m])))"},
};

static void print(const char *text, struct strbuf *out, bool pretty)
{
    struct arena arena;
    arena_init(&arena, 0);
    struct expr *expr;
    struct err e = ERR_INIT;
    if (promql_parse(str_of(text), PROMQL_FEATURES_ALL, &arena, &expr, &e) != 0) {
        fail_msg("%s: %s", text, e.message);
    }
    strbuf_reset(out);
    (pretty ? promql_write_pretty : promql_write)(expr, out);
    assert_int_equal(strbuf_error(out), 0);
    arena_release(&arena);
}

static void test_canonical(void **state)
{
    (void)state;
    struct strbuf once = STRBUF_INIT, twice = STRBUF_INIT;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const char *wanted = rows[i][1] != NULL ? rows[i][1] : rows[i][0];
        print(rows[i][0], &once, false);
        if (strcmp(once.data, wanted) != 0) {
            fail_msg("%s\n  wanted %s\n  got    %s", rows[i][0], wanted, once.data);
        }
        print(once.data, &twice, false);
        assert_string_equal(once.data, twice.data);
    }
    strbuf_release(&once);
    strbuf_release(&twice);
}

static void test_pretty(void **state)
{
    (void)state;
    static const char *const cases[][2] = {
        {"sum(a)", "sum(a)"},
        {"sum by(job) "
         "(rate(a_metric_with_a_rather_long_name_total{job=\"somewhere\",instance=\"elsewhere\"}"
         "[5m])) / -sum(b)",
            "  sum by (job) (\n"
            "    "
            "rate(a_metric_with_a_rather_long_name_total{instance=\"elsewhere\",job=\"somewhere\"}["
            "5m])\n"
            "  )\n"
            "/\n"
            "  -sum(b)"},
        {"topk(3, label_replace(a_metric_with_a_long_name_total, \"destination\", \"$1\", "
         "\"source_label\", \"(.*)-something\"))",
            "topk(\n"
            "  3,\n"
            "  label_replace(\n"
            "    a_metric_with_a_long_name_total,\n"
            "    \"destination\",\n"
            "    \"$1\",\n"
            "    \"source_label\",\n"
            "    \"(.*)-something\"\n"
            "  )\n"
            ")"},
        {"max_over_time((a_metric_with_a_long_name_total{instance=\"elsewhere\"} > "
         "b_metric_with_a_very_much_longer_name_total)[1h:5m])",
            "max_over_time(\n"
            "  (\n"
            "    a_metric_with_a_long_name_total{instance=\"elsewhere\"} > "
            "b_metric_with_a_very_much_longer_name_total\n"
            "  )[1h:5m]\n"
            ")"},
    };
    struct strbuf out = STRBUF_INIT;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        print(cases[i][0], &out, true);
        if (strcmp(out.data, cases[i][1]) != 0) {
            fail_msg("%s\nwanted\n%s\ngot\n%s", cases[i][0], cases[i][1], out.data);
        }
    }
    strbuf_release(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_canonical),
        cmocka_unit_test(test_pretty),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
