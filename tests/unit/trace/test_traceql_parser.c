/* Texts against the trees that the grammar of TraceQL gives them (precedences of Tempo's expr.y), written with all
 * parentheses; and what is refused, with the place. */
#include "base/strbuf.h"
#include "support/support.h"
#include "trace/traceql_value.h"

/* ---- Trees as text ---- */

static void write_expr(const struct traceql_expr *e, struct strbuf *out)
{
    switch (e->node) {
    case TRACEQL_LITERAL:
        strbuf_add_c(out, e->literal.type == TRACEQL_STRING ? "'" : "");
        traceql_value_write(e->literal, out);
        strbuf_add_c(out, e->literal.type == TRACEQL_STRING ? "'" : "");
        break;
    case TRACEQL_FIELD:
        strbuf_add_str(out, e->field->text);
        break;
    case TRACEQL_BINARY:
        strbuf_add_char(out, '(');
        write_expr(e->left, out);
        strbuf_addf(out, " %s ", traceql_operator_text(e->op));
        write_expr(e->right, out);
        strbuf_add_char(out, ')');
        break;
    default:
        strbuf_add_c(out, e->node == TRACEQL_NOT      ? "not("
                          : e->node == TRACEQL_NEGATE ? "minus("
                          : e->node == TRACEQL_EXISTS ? "exists("
                                                      : "absent(");
        write_expr(e->left, out);
        strbuf_add_char(out, ')');
        break;
    }
}

static void write_stages(const struct traceql_stage *s, struct strbuf *out);

static void write_spanset(const struct traceql_spanset *s, struct strbuf *out)
{
    if (s->kind == TRACEQL_SPANSET_FILTER) {
        strbuf_add_char(out, '{');
        if (s->expr != NULL) {
            write_expr(s->expr, out);
        }
        strbuf_add_char(out, '}');
        return;
    }
    strbuf_add_char(out, '[');
    if (s->kind == TRACEQL_SPANSET_PIPELINE) {
        write_stages(s->stages, out);
    } else {
        write_spanset(s->left, out);
        strbuf_addf(out, " %s ", traceql_operator_text(s->op));
        write_spanset(s->right, out);
    }
    strbuf_add_char(out, ']');
}

static void write_fields(
    const struct traceql_field *const *fields, size_t count, struct strbuf *out)
{
    for (size_t i = 0; i < count; i++) {
        strbuf_add_c(out, i > 0 ? "," : "");
        strbuf_add_str(out, fields[i]->text);
    }
}

static void write_scalar(const struct traceql_scalar *s, struct strbuf *out)
{
    if (s->node == TRACEQL_SCALAR_LITERAL) {
        traceql_value_write(s->literal, out);
    } else if (s->node == TRACEQL_SCALAR_AGGREGATE) {
        strbuf_add_str(out, s->text);
    } else {
        strbuf_add_char(out, '(');
        write_scalar(s->left, out);
        strbuf_addf(out, " %s ", traceql_operator_text(s->op));
        write_scalar(s->right, out);
        strbuf_add_char(out, ')');
    }
}

static void write_stages(const struct traceql_stage *s, struct strbuf *out)
{
    for (; s != NULL; s = s->next) {
        if (s->kind == TRACEQL_STAGE_SPANSET) {
            write_spanset(s->spanset, out);
        } else if (s->kind == TRACEQL_STAGE_SELECT) {
            strbuf_add_c(out, "select ");
            write_fields(s->fields, s->field_count, out);
        } else if (s->kind == TRACEQL_STAGE_SCALAR) {
            write_scalar(s->left, out);
            strbuf_addf(out, " %s ", traceql_operator_text(s->op));
            write_scalar(s->right, out);
        } else {
            strbuf_add_str(out, s->kind == TRACEQL_STAGE_COALESCE ? STR("coalesce") : s->text);
        }
        strbuf_add_c(out, s->next != NULL ? " | " : "");
    }
}

static void write_query(const struct traceql_query *q, struct strbuf *out)
{
    const struct traceql_metrics *m = q->metrics;
    write_stages(q->stages, out);
    if (m == NULL) {
        return;
    }
    strbuf_addf(out, " | %s(", m->name);
    write_fields(&m->field, m->field != NULL, out);
    for (size_t i = 0; i < m->quantile_count; i++) {
        strbuf_addf(out, ";%g", m->quantiles[i]);
    }
    strbuf_add_c(out, ") by ");
    write_fields(m->by, m->by_count, out);
    for (size_t i = 0; i < m->second_count; i++) {
        const struct traceql_second *s = &m->seconds[i];
        if (s->kind == TRACEQL_SECOND_COMPARE) {
            strbuf_addf(out, " %s %g", traceql_operator_text(s->op), s->number);
        } else {
            strbuf_addf(out, " %s %lld", s->kind == TRACEQL_SECOND_TOP ? "top" : "bottom",
                (long long)s->count);
        }
    }
    if (m->function == TRACEQL_COMPARE) {
        strbuf_addf(out, " %lld %llu %llu ", (long long)m->values, (unsigned long long)m->start_ns,
            (unsigned long long)m->end_ns);
        write_expr(m->selection, out);
    }
}

static void check_trees(void **state)
{
    static const struct {
        const char *text, *tree;
    } cases[] = {
        {"{}", "{}"},
        {"{ true }", "{true}"},
        {"{ .a }", "{.a}"},
        {"{name=\"x\"}", "{(name = 'x')}"},
        {"{ span:name = `a\\b` }", "{(name = 'a\\b')}"},
        {"{ .a = \"q\\\"\\u00b5\\n\" }", "{(.a = 'q\"\xc2\xb5\n')}"},
        {"{ resource.service.name = \"a\" && span.b != 1 || event.c =~ \"x.*\" }",
            "{(((resource.service.name = 'a') && (span.b != 1)) || (event.c =~ 'x.*'))}"},
        {"{ .a = 1 || .b = 2 && .c = 3 }", "{(((.a = 1) || (.b = 2)) && (.c = 3))}"},
        {"{ .a = 1 || (.b = 2 && .c = 3) }", "{((.a = 1) || ((.b = 2) && (.c = 3)))}"},
        {"{ .a + .b * 2 ^ 3 ^ .c - 1 > -2 }", "{(((.a + (.b * (2 ^ (3 ^ .c)))) - 1) > -2)}"},
        {"{ -.a * 2 = 4 }", "{(minus((.a * 2)) = 4)}"},
        {"{ !.a && !(.b = 1) }", "{(not(.a) && not((.b = 1)))}"},
        {"{ .a != nil && nil = .b }", "{(exists(.a) && absent(.b))}"},
        {"{ nil = nil }", "{false}"},
        {"{ duration > 1.5s && duration <= 2h30m }",
            "{((duration > 1.5s) && (duration <= 2h30m0s))}"},
        {"{ duration > 1d }", "{(duration > 24h0m0s)}"},
        {"{ span:duration > 100us }", "{(duration > 100\xc2\xb5s)}"},
        {"{ status = error && kind = server }", "{((status = error) && (kind = server))}"},
        {"{ .x = 1e3 }", "{(.x = 1000)}"},
        {"{ .x = maxInt }", "{(.x = 9223372036854775807)}"},
        {"{ trace:rootService = \"a\" && trace:id = \"b\" }",
            "{((rootServiceName = 'a') && (trace:id = 'b'))}"},
        {"{ span.\"a key\".b=1 }", "{(span.\"a key\".b = 1)}"},
        {"{ .a-b/c=1 }", "{(.a-b/c = 1)}"},
        {"{} && {} || {}", "[[{} && {}] || {}]"},
        {"{} >> {} && {} > {}", "[[{} >> {}] && [{} > {}]]"},
        {"{.a=1} !>> {} &> {} ~ {}", "[[[{(.a = 1)} !>> {}] &> {}] ~ {}]"},
        {"({} !~ {}) << {}", "[[{} !~ {}] << {}]"},
        {"({} | count() > 2) && {}", "[[{} | count() > 2] && {}]"},
        {"{} | count() > 2", "{} | count() > 2"},
        {"{} | 2 < count()", "{} | 2 < count()"},
        {"{} | max(duration) - min(duration) > 2 * avg(duration) ^ 2 ^ 3 / 4 - -1",
            "{} | (max(duration) - min(duration)) > (((2 * (avg(duration) ^ (2 ^ 3))) / 4) - -1)"},
        {"{} | (count() + 1) * 2 = ((count()))", "{} | ((count() + 1) * 2) = count()"},
        {"{ parent.a = 1 && parent.span.b = parent.resource.service.name }",
            "{((parent.a = 1) && (parent.span.b = parent.resource.service.name))}"},
        {"{} | avg(duration) >= 1s | by(name) | coalesce() | select(.a, name) | {.b = 2}",
            "{} | avg(duration) >= 1s | by(name) | coalesce | select .a,name | {(.b = 2)}"},
        {"{} | rate() by (resource.service.name, name)",
            "{} | rate() by resource.service.name,name"},
        {"{} | quantile_over_time(duration, 0.5, .99) | topk(10)",
            "{} | quantile_over_time(duration;0.5;0.99) by  top 10"},
        {"{} | rate() by (name) > 10", "{} | rate() by name > 10"},
        {"{} | avg_over_time(duration) >= 1.5s | bottomk(2) != 0",
            "{} | avg_over_time(duration) by  >= 1.5 bottom 2 != 0"},
        {"{} | compare({ status = error })", "{} | compare() by  10 0 0 (status = error)"},
        {"{} | compare({ .a = 1 }, 5, 10, 20)", "{} | compare() by  5 10 20 (.a = 1)"},
        {"{ } | by(name) | count_over_time() by (status) with (sample=true)",
            "{} | by(name) | count_over_time() by status"},
        {"{} with (most_recent=true, x=0.1)", "{}"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const struct traceql_query *query;
        struct arena arena;
        struct strbuf tree = STRBUF_INIT;
        struct err e = ERR_INIT;
        arena_init(&arena, 0);
        if (traceql_parse(str_of(cases[i].text), &arena, &query, &e) != 0) {
            fail_msg("%s: %s", cases[i].text, e.message);
        }
        write_query(query, &tree);
        if (!str_eq_c(strbuf_str(&tree), cases[i].tree)) {
            fail_msg("%s:\n  %s\nbut\n  %s", cases[i].text, tree.data, cases[i].tree);
        }
        strbuf_release(&tree);
        arena_release(&arena);
    }
}

static void check_refusals(void **state)
{
    static const struct {
        const char *text;
        int64_t position;
        const char *says; /* a part of the sentence */
    } cases[] = {
        {"", 0, "expected \"{\", not the end"},
        {"{", 1, "a field or a value"},
        {"{ .a = }", 7, "a field or a value"},
        {"{ .a = 1", 8, "an operator or \"}\""},
        {"{ foo = 1 }", 2, "a field like"},
        {"{ . = 1 }", 3, "the name of an attribute"},
        {"{ duration = \"x\" }", 11, "does not fit"},
        {"{ status > 1 }", 9, "does not fit"},
        {"{ name + 1 = 2 }", 7, "does not fit"},
        {"{ name =~ .a }", 7, "a text in quotes"},
        {"{ name =~ \"(\" }", 7, "not a regular expression"},
        {"{ name > nil }", 7, "= and != only"},
        {"{ duration }", 0, "a condition"},
        {"{ !duration }", 2, "a condition behind it"},
        {"{ -name = 1 }", 2, "a number behind it"},
        {"{ .a = \"x }", 7, "a quote that is not closed"},
        {"{ .a = \"\\q\" }", 9, "an escape"},
        {"{ .a = 12abc }", 7, "a duration like"},
        {"{ .a = 99999999999999999999 }", 7, "64 bits"},
        {"{ .a ? 1 }", 5, "no meaning"},
        {"{ parent. = 1 }", 9, "the name of an attribute"},
        {"{ parent = 1 }", 2, "a field like"},
        {"{} | 1 + 1 = 2", 5, "expected count()"},
        {"{} | count() + > 1", 15, "a value"},
        {"{} | (count() > 2)", 14, "\")\""},
        {"({} | count()) > 2", 13, "a comparison"},
        {"{} | count()", 12, "a comparison"},
        {"{} | count() > \"x\"", 15, "compared with a number"},
        {"{} | avg(name) > 1", 5, "only numbers"},
        {"{} | sum() > 1", 9, "a field or a value"},
        {"{} {}", 3, "\"|\" or the end"},
        {"{} | rate", 9, "\"(\""},
        {"{} | rate() | rate()", 14, "topk"},
        {"({} | rate()) / ({} | rate())", 6, "arithmetic of series"},
        {"{} | rate() by (name) * 2", 22, "arithmetic of series"},
        {"{} | rate() && {}", 12, "\"|\" or the end"},
        {"{} | quantile_over_time(duration)", 32, "quantiles"},
        {"{} | quantile_over_time(duration, 2)", 34, "from 0 to 1"},
        {"{} | compare()", 13, "\"{\""},
        {"{} | compare({ duration })", 13, "a condition"},
        {"{} | compare({ .a }, 0)", 21, "above 0"},
        {"{} | compare({ .a }, 5, 10)", 24, "neither"},
        {"{} | compare({ .a }, 5, 10, 9)", 28, "neither"},
        {"{} | compare({ .a }) by (name)", 21, "\"|\" or the end"},
        {"{} | rate() > name", 14, "a value"},
        {"{} | rate() > \"x\"", 14, "with a number"},
        {"{} | rate() | topk(0)", 19, "above 0"},
        {"{} | by()", 8, "a field or a value"},
        {"{} | select(1)", 12, "a field like"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const struct traceql_query *query;
        struct arena arena;
        struct err e = ERR_INIT;
        arena_init(&arena, 0);
        int status = traceql_parse(str_of(cases[i].text), &arena, &query, &e);
        if (status != ERR_INVALID || e.position != cases[i].position ||
            strstr(e.message, cases[i].says) == NULL) {
            fail_msg("%s: %d at %lld: %s\nexpected %lld: %s", cases[i].text, status,
                (long long)e.position, e.message, (long long)cases[i].position, cases[i].says);
        }
        arena_release(&arena);
    }
}

static void check_partial(void **state)
{
    static const struct {
        const char *text, *tree;
    } cases[] = {
        {"", "{}"},
        {"{", "{true}"},
        {"{ .a = 1 }", "{(.a = 1)}"},
        {"{ .a = 1 && ", "{(true && (.a = 1))}"},
        {"{ && .a = 1 && && ", "{(true && (.a = 1))}"},
        {"{ .a = 1 && }", "{(true && (.a = 1))}"},
        {"{ .a = 1 && span.", "{(true && (.a = 1))}"},
        {"{ .a = 1 && .b = \"x", "{(true && (.a = 1))}"},
        {"{ .a = 1 && .b = && name =~ \"x.*\" }", "{((true && (.a = 1)) && (name =~ 'x.*'))}"},
        {"{ (.a = 1 || .b = 2) && .c = ", "{(true && ((.a = 1) || (.b = 2)))}"},
        {"{ (.a = 1 && .b = ", "{true}"},
        {"{ .a = 1 || .b = ", "{}"},
        {"{ .a = 1 && .b = 2 || ", "{}"},
        {"{ .a = 1 } >> { .b = ", "{}"},
        {"{ .a = 1 } | ", "{}"},
        {"nonsense", "{}"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const struct traceql_query *query;
        struct arena arena;
        struct strbuf tree = STRBUF_INIT;
        struct err e = ERR_INIT;
        arena_init(&arena, 0);
        assert_int_equal(traceql_parse_partial(str_of(cases[i].text), &arena, &query, &e), 0);
        write_query(query, &tree);
        if (!str_eq_c(strbuf_str(&tree), cases[i].tree)) {
            fail_msg("%s:\n  %s\nbut\n  %s", cases[i].text, tree.data, cases[i].tree);
        }
        strbuf_release(&tree);
        arena_release(&arena);
    }
}

/* Each limit holds, and what lies just below it does not fail. */
static void check_limits(void **state)
{
    (void)state;
    static const struct {
        const char *begin, *repeated, *end;
        int good, bad;
    } cases[] = {
        {"{ .a = 1", " && .a = 1", " }", 200, 1100},
        {"{ ", "!", ".a }", 60, 70},
        {"", "(", "", 0, 70},
        {"{} | select(.a", ", .a", ")", TRACEQL_FIELDS_MAX - 1, TRACEQL_FIELDS_MAX},
        {"{ .a = \"", "0123456789abcdef", "\" }", 4000, 4100},
        {"{}", " && {}", "", 500, 1100},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        for (int bad = 0; bad < 2; bad++) {
            const struct traceql_query *query;
            struct arena arena;
            struct strbuf text = STRBUF_INIT;
            struct err e = ERR_INIT;
            int times = bad ? cases[i].bad : cases[i].good;
            arena_init(&arena, 0);
            strbuf_add_c(&text, cases[i].begin);
            for (int k = 0; k < times; k++) {
                strbuf_add_c(&text, cases[i].repeated);
            }
            strbuf_add_c(&text, cases[i].end);
            int status = times == 0 ? 0 : traceql_parse(strbuf_str(&text), &arena, &query, &e);
            if ((status != 0) != (bad == 1) || (bad && e.message[0] == '\0')) {
                fail_msg("limit %zu, %d times: %d, %s", i, times, status, e.message);
            }
            strbuf_release(&text);
            arena_release(&arena);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(check_trees),
        cmocka_unit_test(check_refusals),
        cmocka_unit_test(check_partial),
        cmocka_unit_test(check_limits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
