/* The parser: what is accepted and how it is grouped (seen in the canonical text, where every pair of
 * parentheses of the input survives), and the sentence and place of each kind of error. Expected
 * sentences are those of Prometheus 3.14. */
#include "support/support.h"

#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "query/promql.h"

static int parse(const char *text, struct promql_features features, struct arena *arena,
    struct expr **expr_out, struct err *e)
{
    return promql_parse(str_of(text), features, arena, expr_out, e);
}

struct error_row {
    const char *text, *error;
};

static const struct error_row error_rows[] = {
    // Lexing.
    {"", "unknown position: parse error: no expression found in input"},
    {"# nothing\n", "1:1: parse error: no expression found in input"},
    {".", "1:1: parse error: unexpected character: '.'"},
    {"2.5.", "1:1: parse error: bad number or duration syntax: \"2.5.\""},
    {"100..4", "1:1: parse error: bad number or duration syntax: \"100..\""},
    {"0deadbeef", "1:1: parse error: bad number or duration syntax: \"0de\""},
    {"1 !~ 1", "1:3: parse error: unexpected character after '!': '~'"},
    {"1 =~ 1", "1:3: parse error: unexpected character after '=': '~'"},
    {"(1))", "1:5: parse error: unexpected right parenthesis ')'"},
    {"((1)", "1:5: parse error: unclosed left parenthesis"},
    {"a}", "1:2: parse error: unexpected character: '}'"},
    {"{", "1:2: parse error: unexpected end of input inside braces"},
    {"a{b:c=\"d\"}", "1:4: parse error: unexpected character inside braces: ':'"},
    {"a{b!c}", "1:4: parse error: unexpected character after '!' inside braces: 'c'"},
    {"a{{", "1:3: parse error: unexpected left brace '{'"},
    {"'\\q'", "1:1: parse error: unknown escape sequence U+0071 'q'"},
    {"\"\\x.\"", "1:1: parse error: illegal character U+002E '.' in escape sequence"},
    {"\"\\", "1:1: parse error: escape sequence not terminated"},
    {"\"\\ud800\"", "1:1: parse error: escape sequence is an invalid Unicode code point"},
    {"\"open", "1:1: parse error: unterminated quoted string"},
    {"`open", "1:1: parse error: unterminated raw string"},
    {"\"\xff\"", "1:1: parse error: invalid UTF-8 rune"},
    {"a]", "1:2: parse error: unexpected right bracket ']'"},
    {"a[5m", "1:5: parse error: unclosed left bracket"},
    {"a[", "1:3: parse error: unexpected end of input in duration expression"},
    {"a[5m x]", "1:6: parse error: unexpected character: 'x', expected ':'"},
    {"a[\"5m\"]", "1:3: parse error: unexpected character in duration expression: '\"'"},
    {"a[:5m]", "1:4: parse error: unexpected colon before duration in duration expression"},
    {"a[5m:1m:1m]", "1:8: parse error: unexpected colon ':'"},
    // Structure.
    {"1+", "1:3: parse error: unexpected end of input"},
    {"*1", "1:1: parse error: unexpected <op:*>"},
    {"1 2", "1:3: parse error: unexpected number \"2\""},
    {"a - on(b) ignoring(c) d", "1:11: parse error: unexpected <ignoring>"},
    {"a + group_left(b) c", "1:5: parse error: unexpected <group_left>"},
    {"sum some", "1:5: parse error: unexpected identifier \"some\""},
    {"sum(=)", "1:5: parse error: unexpected \"=\" in aggregation"},
    {"sum(rate(a[5m]) b)", "1:17: parse error: unexpected identifier \"b\" in aggregation"},
    {"sum by (a) b", "1:12: parse error: unexpected identifier \"b\" in aggregation"},
    {"sum(a) by b",
        "1:11: parse error: unexpected identifier \"b\" in grouping opts, expected \"(\""},
    {"sum(a) by (,)", "1:12: parse error: unexpected \",\" in grouping opts, expected label"},
    {"sum(a) by (b c)",
        "1:14: parse error: unexpected identifier \"c\" in grouping opts, expected \",\" or \")\""},
    {"sum(a) by (b) by (c)", "1:15: parse error: unexpected <by>"},
    {"sum()", "1:1: parse error: no arguments for aggregate expression provided"},
    {"topk(a)", "1:1: parse error: wrong number of arguments for aggregate expression provided, "
                "expected 2, got 1"},
    {"rate(a[5m],)", "1:11: parse error: trailing commas not allowed in function call args"},
    {"nothing(a)", "1:1: parse error: unknown function with name \"nothing\""},
    {"Rate(a[5m])", "1:1: parse error: unknown function with name \"Rate\""},
    {"a{b}",
        "1:4: parse error: unexpected \"}\" in label matching, expected label matching operator"},
    {"a{b=c}", "1:5: parse error: unexpected identifier \"c\" in label matching, expected string"},
    {"a{,}", "1:3: parse error: unexpected \",\" in label matching, expected identifier or \"}\""},
    {"a{b=\"c\" d=\"e\"}",
        "1:9: parse error: unexpected identifier \"d\" in label matching, expected \",\" or \"}\""},
    {"a[]", "1:3: parse error: unexpected \"]\" in subquery or range selector, expected number, "
            "duration, step(), or range()"},
    {"a[5m 3m]", "1:6: parse error: unexpected duration \"3m\" in subquery or range, expected "
                 "\":\" or \"]\""},
    {"a[5m:1m 1m]",
        "1:9: parse error: unexpected duration \"1m\" in subquery selector, expected \"]\""},
    {"a[0]", "1:3: parse error: duration must be greater than 0"},
    {"a[5m-]", "1:6: parse error: unexpected \"]\" in subquery or range selector, expected number, "
               "duration, step(), or range()"},
    {"a[1m/0]", "1:5: parse error: division by zero"},
    {"a[1m%0]", "1:5: parse error: modulo by zero"},
    {"a[9.5e10]", "1:3: parse error: duration out of range"},
    {"a[5m1h]", "1:3: parse error: not a valid duration string: \"5m1h\""},
    {"(a + b)[5m]", "1:8: parse error: ranges only allowed for vector selectors"},
    {"a offset 1m[5m]", "1:12: parse error: no offset modifiers allowed before range"},
    {"a @ 1 [5m]", "1:7: parse error: no @ modifiers allowed before range"},
    {"a offset", "1:9: parse error: unexpected end of input in offset, expected number, duration, "
                 "step(), or range()"},
    {"a offset 1m offset 2m", "1:1: parse error: offset may not be set multiple times"},
    {"1 offset 1m",
        "1:1: parse error: offset modifier must be preceded by an instant vector selector "
        "or range vector selector or a subquery"},
    {"a @", "1:4: parse error: unexpected end of input in @, expected timestamp"},
    {"a @ 1 @ 2", "1:1: parse error: @ <timestamp> may not be set multiple times"},
    {"a @ NaN", "1:1: parse error: timestamp out of bounds for @ modifier: NaN"},
    {"a @ -Inf", "1:1: parse error: timestamp out of bounds for @ modifier: -Inf"},
    {"rate(a[1m]) @ 5",
        "1:1: parse error: @ modifier must be preceded by an instant vector selector "
        "or range vector selector or a subquery"},
    {"a anchored smoothed",
        "1:1: parse error: anchored and smoothed modifiers cannot be used together"},
    {"a[5m:1m] anchored", "1:1: parse error: anchored modifier is not supported for subqueries"},
    {"sum(a) smoothed", "1:1: parse error: smoothed modifier not implemented"},
    // Lines are counted.
    {"sum(\n  a +\n)", "3:1: parse error: unexpected \")\" in aggregation"},
};

static void test_errors(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(error_rows) / sizeof(error_rows[0]); i++) {
        struct arena arena;
        arena_init(&arena, 0);
        struct expr *expr;
        struct err e = ERR_INIT;
        /* MetricsQL takes more than PromQL: trailing commas, words in brackets. */
        struct promql_features features = PROMQL_FEATURES_ALL;
        features.metricsql = false;
        int status = parse(error_rows[i].text, features, &arena, &expr, &e);
        if (status != ERR_INVALID || strcmp(e.message, error_rows[i].error) != 0) {
            fail_msg("%s\n  wanted %s\n  got    %s (%d)", error_rows[i].text, error_rows[i].error,
                e.message, status);
        }
        arena_release(&arena);
    }
}

/* Text in, and the kinds of the tree in a short notation: (op left right), -x, f(...), v selector, m
 * matrix, q subquery, n number, s string, p paren. */
static void write_shape(const struct expr *x, struct strbuf *out)
{
    switch (x->kind) {
    case EXPR_NUMBER:
        strbuf_addf(out, "%g", x->number.value);
        break;
    case EXPR_STRING:
        strbuf_addf(out, "'%.*s'", STR_ARG(x->string));
        break;
    case EXPR_SELECTOR:
        strbuf_add_str(out, x->selector.name);
        strbuf_add_c(out, x->selector.when.offset_ms != 0 ? "<off>" : "");
        strbuf_add_c(out, x->selector.when.offset_expr != NULL ? "<offx>" : "");
        strbuf_add_c(out, x->selector.when.at != AT_NONE ? "<at>" : "");
        break;
    case EXPR_MATRIX:
        write_shape(x->matrix.selector, out);
        strbuf_addf(out, "[%lld]", (long long)x->matrix.range_ms);
        break;
    case EXPR_SUBQUERY:
        write_shape(x->subquery.expr, out);
        strbuf_addf(
            out, "[%lld:%lld]", (long long)x->subquery.range_ms, (long long)x->subquery.step_ms);
        break;
    case EXPR_CALL:
        strbuf_addf(out, "%s{", x->call.function->name);
        for (size_t i = 0; i < x->call.argument_count; i++) {
            strbuf_add_c(out, i > 0 ? " " : "");
            write_shape(x->call.arguments[i], out);
        }
        strbuf_add_c(out, "}");
        break;
    case EXPR_AGGREGATE:
        strbuf_addf(out, "%s{", aggregate_op_text(x->aggregate.op));
        write_shape(x->aggregate.expr, out);
        strbuf_add_c(out, "}");
        break;
    case EXPR_BINARY:
        strbuf_add_c(out, "(");
        write_shape(x->binary.left, out);
        strbuf_addf(out, " %s ", binary_op_text(x->binary.op));
        write_shape(x->binary.right, out);
        strbuf_add_c(out, ")");
        break;
    case EXPR_UNARY:
        strbuf_add_c(out, x->unary.negative ? "-" : "+");
        write_shape(x->unary.expr, out);
        break;
    case EXPR_PAREN:
        write_shape(x->paren, out);
        break;
    default:
        strbuf_add_c(out, "?");
    }
}

static const char *const shape_rows[][2] = {
    {"1 + 2 * 3 ^ 4 ^ 5", "(1 + (2 * (3 ^ (4 ^ 5))))"},
    {"1 - 2 - 3", "((1 - 2) - 3)"},
    {"8 / 4 % 3 * 2", "(((8 / 4) % 3) * 2)"},
    {"-1 ^ 2", "-(1 ^ 2)"},
    {"-a * 3", "(-a * 3)"},
    {"2 ^ -a ^ 3", "(2 ^ -(a ^ 3))"},
    {"2 ^ -a * 3", "((2 ^ -a) * 3)"},
    {"- - 1", "1"},
    {"a or b and c", "(a or (b and c))"},
    {"a and b unless c", "((a and b) unless c)"},
    {"a > 1 and b < 2", "((a > 1) and (b < 2))"},
    {"a == b + c", "(a == (b + c))"},
    {"a atan2 b + c", "((a atan2 b) + c)"},
    {"a </ 1 + 2", "(a </ (1 + 2))"},
    {"(a + b) * c", "((a + b) * c)"},
    {"-a offset 5m", "-a<off>"},
    {"a + b offset 5m", "(a + b<off>)"},
    {"a @ 3 + b", "(a<at> + b)"},
    {"a offset 100 + 2", "(a<off> + 2)"},
    {"a offset -2 ^ 2", "(a<off> ^ 2)"},
    {"a offset (100 + 2)", "a<offx>"},
    {"a offset (4) * 2", "a<offx>"},
    {"a offset -(4) * 2", "(a<offx> * 2)"},
    {"a offset step() * 2", "(a<offx> * 2)"},
    {"a offset - -4", "a<off>"},
    {"-rate(a[5m])", "-rate{a[300000]}"},
    {"sum(a) by (b) / sum by (b) (c)", "(sum{a} / sum{c})"},
    {"max_over_time(rate(a[5m])[1h:30s])", "max_over_time{rate{a[300000]}[3600000:30000]}"},
    {"a[1h:]", "a[3600000:0]"},
    {"a[1.5]", "a[1500]"},
    {"a[1h30m]", "a[5400000]"},
    {"a[0x10]", "a[16000]"},
    {"1e3", "1000"},
    {"1_000", "1000"},
    {"0x1F", "31"},
    {"010", "8"},
    {".5", "0.5"},
    {"2.", "2"},
    {"5m", "300"},
    {"1d12h", "129600"},
    {"Inf", "inf"},
    {"-iNf", "-inf"},
    {"nan", "nan"},
    // Keywords are names where nothing else fits.
    {"sum", "sum"},
    {"sum + by", "(sum + by)"},
    {"offset", "offset"},
    {"offset offset 5m", "offset<off>"},
    {"start", "start"},
    {"step() + range", "(step{} + range)"},
    {"fill + fill_left", "(fill + fill_left)"},
    {"and and or", "(and and or)"},
    {"SUM(a) BY (b)", "sum{a}"},
    {"a UNLESS b", "(a unless b)"},
    {"sum by (sum, by, on, offset, bool) (a)", "sum{a}"},
    {"job:a:rate5m", "job:a:rate5m"},
    {":a", ":a"},
    {"{\"a.b\"}", ""},
    {"{'a b'=\"c\", \"d\"}", ""},
    {"a # comment\n + # another\n b", "(a + b)"},
    {"`\\n`", "'\\n'"},
    {"\"\\x41\\101\\u0041\\U00000041\"", "'AAAA'"},
    {"'it\\'s'", "'it's'"},
    {"start() + end()", "(start{} + end{})"},
    {"max_of(1, 2)", "max_of{1 2}"},
    {"a + on(b) group_left fill(1) c", "(a + c)"},
};

static void test_shapes(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(shape_rows) / sizeof(shape_rows[0]); i++) {
        struct arena arena;
        arena_init(&arena, 0);
        struct expr *expr;
        struct err e = ERR_INIT;
        struct strbuf shape = STRBUF_INIT;
        if (parse(shape_rows[i][0], PROMQL_FEATURES_ALL, &arena, &expr, &e) != 0) {
            fail_msg("%s: %s", shape_rows[i][0], e.message);
        }
        write_shape(expr, &shape);
        const char *got = shape.data != NULL ? shape.data : "";
        if (strcmp(got, shape_rows[i][1]) != 0) {
            fail_msg("%s\n  wanted %s\n  got    %s", shape_rows[i][0], shape_rows[i][1], got);
        }
        strbuf_release(&shape);
        arena_release(&arena);
    }
}

/* What needs a feature is refused without it. */
static void test_features(void **state)
{
    (void)state;
    static const char *const rows[][2] = {
        {"limitk(1, a)", "1:1: parse error: limitk() is experimental and must be enabled with "
                         "--enable-feature=promql-experimental-functions"},
        {"mad_over_time(a[5m])", "1:1: parse error: function \"mad_over_time\" is not enabled"},
        {"a anchored", "1:1: parse error: anchored modifier is experimental and not enabled"},
        {"a + fill(1) b",
            "1:1: parse error: binop fill modifiers are experimental and not enabled"},
        {"a[5m+1m]", "1:3: parse error: experimental duration expression is not enabled"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct arena arena;
        arena_init(&arena, 0);
        struct expr *expr;
        struct err e = ERR_INIT;
        assert_int_equal(parse(rows[i][0], PROMQL_FEATURES_ALL, &arena, &expr, &e), 0);
        assert_int_equal(
            parse(rows[i][0], (struct promql_features){0}, &arena, &expr, &e), ERR_INVALID);
        assert_string_equal(e.message, rows[i][1]);
        arena_release(&arena);
    }
}

static void test_depth_is_limited(void **state)
{
    (void)state;
    static const struct {
        const char *open, *middle, *close;
    } rows[] = {{"(", "1", ")"}, {"-", "a", ""}, {"", "a", "+a"}, {"sum(", "a", ")"},
        {"a[(", "1", ")]"}, {"1^", "1", ""}, {"", "a[1m]", "[1m:]"}};
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct strbuf text = STRBUF_INIT;
        for (int k = 0; k < 10000; k++) {
            strbuf_add_c(&text, rows[i].open);
        }
        strbuf_add_c(&text, rows[i].middle);
        for (int k = 0; k < 10000; k++) {
            strbuf_add_c(&text, rows[i].close);
        }
        struct arena arena;
        arena_init(&arena, 0);
        struct expr *expr;
        struct err e = ERR_INIT;
        int status = promql_parse(strbuf_str(&text), PROMQL_FEATURES_ALL, &arena, &expr, &e);
        if (status != ERR_LIMIT && status != ERR_INVALID) {
            fail_msg("%s…: %d %s", rows[i].open, status, e.message);
        }
        arena_release(&arena);
        strbuf_release(&text);
    }
    struct err e = ERR_INIT;
    struct expr *expr;
    struct arena arena;
    arena_init(&arena, 0);
    struct str huge = {"", PROMQL_BYTES_MAX + 1};
    assert_int_equal(promql_parse(huge, PROMQL_FEATURES_ALL, &arena, &expr, &e), ERR_LIMIT);
    arena_release(&arena);
}

/* Every allocation may fail; nothing leaks and the error says so. */
static void test_memory_shortage(void **state)
{
    (void)state;
    const char *text = "sum by (a, b) (rate(x{a=~\"b|c\", d!=\"e\"}[5m] offset -step())) "
                       "/ on (a) group_left (b) max_over_time(y[1h:1m]) + fill(3) \"s\"";
    for (uint64_t n = 1;; n++) {
        struct arena arena;
        arena_init(&arena, 0);
        struct expr *expr;
        struct err e = ERR_INIT;
        mem_fail_nth(n);
        int status = parse(text, PROMQL_FEATURES_ALL, &arena, &expr, &e);
        bool pending = mem_fail_pending();
        mem_fail_nth(0);
        arena_release(&arena);
        if (pending) {
            assert_int_equal(status, ERR_INVALID); // "s" is no vector
            break;
        }
        assert_true(status == ERR_NOMEM || status == ERR_INVALID);
    }
}

static void test_selector_alone(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        size_t matchers; /* 0 = refused */
    } rows[] = {{"up", 1}, {"{job=\"a\"}", 1}, {"up{job=~\"a|b\", x!=\"\"}", 3}, {"{\"up\"}", 1},
        {"up offset 5m", 0}, {"up[5m]", 0}, {"{}", 0}, {"{a=~\".*\"}", 0}, {"sum(up)", 0}, {"", 0},
        {"1", 0}};
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct arena arena;
        arena_init(&arena, 0);
        struct expr *expr = NULL;
        struct err e = ERR_INIT;
        int status = promql_parse_selector(str_of(rows[i].text), &arena, &expr, &e);
        if (status != (rows[i].matchers == 0 ? ERR_INVALID : 0)) {
            fail_msg("%s: %d %s", rows[i].text, status, e.message);
        }
        if (status == 0) {
            assert_int_equal(expr->selector.matcher_count, rows[i].matchers);
        }
        arena_release(&arena);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_errors),
        cmocka_unit_test(test_shapes),
        cmocka_unit_test(test_features),
        cmocka_unit_test(test_depth_is_limited),
        cmocka_unit_test(test_memory_shortage),
        cmocka_unit_test(test_selector_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
