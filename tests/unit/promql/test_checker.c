/* Types: each rule with its sentence, as Prometheus 3.14 words it; and a row of the function table for
 * each function, called rightly and wrongly. */
#include "support/support.h"

#include <string.h>

#include "query/promql.h"

static const char *const rows[][2] = {
    {"1 and 1", "1:1: parse error: set operator \"and\" not allowed in binary scalar expression"},
    {"a or 1", "1:1: parse error: set operator \"or\" not allowed in binary scalar expression"},
    {"1 == 1", "1:3: parse error: comparisons between scalars must use BOOL modifier"},
    {"a + bool b", "1:3: parse error: bool modifier can only be used on comparison operators"},
    {"a == on(b) 1", "1:1: parse error: vector matching only allowed between instant vectors"},
    {"1 + fill(2) b", "1:1: parse error: filling in missing series only allowed between instant "
                      "vectors"},
    {"a and fill(2) b",
        "1:1: parse error: filling in missing series not allowed for set operators"},
    {"a and on(b) group_left(c) d", "1:1: parse error: no grouping allowed for \"and\" operation"},
    {"a + on(b) group_left(b) c",
        "1:3: parse error: label \"b\" must not occur in ON and GROUP clause at once"},
    {"a + \"b\"",
        "1:5: parse error: binary expression must contain only scalar and instant vector types"},
    {"a[5m] + 1",
        "1:1: parse error: binary expression must contain only scalar and instant vector types"},
    {"-\"a\"", "1:1: parse error: unary expression only allowed on expressions of type scalar or "
               "instant vector, got \"string\""},
    {"-a[5m]", "1:1: parse error: unary expression only allowed on expressions of type scalar or "
               "instant vector, got \"range vector\""},
    {"{}", "1:1: parse error: vector selector must contain at least one non-empty matcher"},
    {"{a!=\"b\"}", "1:1: parse error: vector selector must contain at least one non-empty matcher"},
    {"a{__name__=\"b\"}", "1:1: parse error: metric name must not be set twice: \"a\" or \"b\""},
    {"topk(a, b)",
        "1:6: parse error: expected type scalar in aggregation parameter, got instant vector"},
    {"count_values(1, a)",
        "1:14: parse error: expected type string in aggregation parameter, got scalar"},
    {"sum(a[5m])", "1:5: parse error: expected type instant vector in aggregation expression, got "
                   "range vector"},
    {"a[5m][5m:]",
        "1:1: parse error: subquery is only allowed on instant vector, got matrix instead"},
    {"1[5m:]", "1:1: parse error: subquery is only allowed on instant vector, got scalar instead"},
    {"floor(1)",
        "1:7: parse error: expected type instant vector in call to function \"floor\", got "
        "scalar"},
    {"floor()", "1:1: parse error: expected 1 argument(s) in call to \"floor\", got 0"},
    {"hour(a, b)", "1:1: parse error: expected at most 1 argument(s) in call to \"hour\", got 2"},
    {"label_join(a, \"b\")",
        "1:1: parse error: expected at least 3 argument(s) in call to \"label_join\", got 2"},
    {"rate(a)", "1:6: parse error: expected type range vector in call to function \"rate\", got "
                "instant vector"},
    {"info(a, b)", "1:9: parse error: expected label selectors only, got vector selector instead"},
    {"info(a, {b=\"c\"} == 1)", "1:9: parse error: expected label selectors only"},
    {"info(a, 1)",
        "1:1: parse error: expected type instant vector in call to function \"info\", got scalar"},
};

static int parse(const char *text, struct err *e)
{
    struct arena arena;
    arena_init(&arena, 0);
    struct expr *expr;
    int status = promql_parse(str_of(text), PROMQL_FEATURES_ALL, &arena, &expr, e);
    arena_release(&arena);
    return status;
}

static void test_errors(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct err e = ERR_INIT;
        int status = parse(rows[i][0], &e);
        if (status != ERR_INVALID || strcmp(e.message, rows[i][1]) != 0) {
            fail_msg("%s\n  wanted %s\n  got    %s", rows[i][0], rows[i][1], e.message);
        }
    }
}

static const char *argument_text(enum promql_type type)
{
    switch (type) {
    case PROMQL_VECTOR:
        return "{a=\"b\"}";
    case PROMQL_MATRIX:
        return "a[5m]";
    case PROMQL_STRING:
        return "\"a\"";
    default:
        return "1";
    }
}

/* A call of a function with `count` arguments of the right types. */
static void write_call(const struct promql_function *f, size_t count, struct strbuf *out)
{
    strbuf_reset(out);
    strbuf_addf(out, "%s(", f->name);
    for (size_t i = 0; i < count; i++) {
        strbuf_addf(
            out, "%s%s", i > 0 ? ", " : "", argument_text(promql_function_argument_type(f, i)));
    }
    strbuf_add_c(out, ")");
}

static void test_every_function(void **state)
{
    (void)state;
    struct strbuf text = STRBUF_INIT;
    for (int id = 0; id < FUNCTION_COUNT; id++) {
        const struct promql_function *f = promql_function_at((enum function_id)id);
        if (id > 0) {
            // The table is searched by halves.
            assert_true(strcmp(promql_function_at((enum function_id)(id - 1))->name, f->name) < 0);
        }
        assert_ptr_equal(promql_function_find(str_of(f->name)), f);
        size_t listed = strlen(f->arguments);
        size_t least = f->variadic == 0 ? listed : listed - 1;
        size_t most = f->variadic == 0  ? listed
                      : f->variadic > 0 ? listed - 1 + (size_t)f->variadic
                                        : listed + 5;
        for (size_t count = 0; count <= most + 1; count++) {
            struct err e = ERR_INIT;
            bool right = count >= least && (count <= most || f->variadic < 0);
            if (count > 0 && listed == 0) {
                continue;
            }
            write_call(f, count, &text);
            int status = parse(text.data, &e);
            if (status != (right ? 0 : ERR_INVALID)) {
                fail_msg("%s: %d %s", text.data, status, e.message);
            }
        }
    }
    assert_int_equal(FUNCTION_COUNT, 90);
    assert_null(promql_function_find(STR("")));
    assert_null(promql_function_find(STR("zzz")));
    strbuf_release(&text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_errors),
        cmocka_unit_test(test_every_function),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
