/* Calls of MetricsQL that become several expressions with `or` between them, told apart by a label.
 *
 *   quantiles("l", p, q, v)                 quantile(p, v) and quantile(q, v), by the label l
 *   quantiles_over_time("l", p, q, m)       likewise
 *   rollup(m)                               min_, max_ and avg_over_time(m), by the label rollup
 *   rollup_rate(m)                          rollup_rate(m, "min") and the others likewise
 *   aggr_over_time(("f", "g", …), m)        f(m) and g(m), by the label rollup
 *
 * And a list in parentheses, (a, b, …), which is union(a, b, …), a function.
 */
#include "base/fpconv.h"
#include "base/mem.h"
#include "metricsql.h"

static struct expr *join_or(struct parser *p, struct expr *sum, struct expr *more)
{
    return sum == NULL ? more : metricsql_make_binary(p, BINARY_OR, sum, more);
}

/* ("label", phi, …, operand): one expression a phi, which is a number. */
static struct expr *read_quantiles(struct parser *p, struct expr *call, bool over_time)
{
    const struct expr_call *c = &call->call;
    struct expr *all = NULL;
    struct expr_aggregate grouping = {.grouping_count = 0};
    if (!over_time && !metricsql_read_grouping(p, &grouping)) {
        return NULL;
    }
    bool good = c->argument_count >= 3 && c->arguments[0]->kind == EXPR_STRING;
    if (good &&
        !metricsql_charge_copies(p, c->arguments[c->argument_count - 1], c->argument_count - 2)) {
        return NULL;
    }
    for (size_t i = 1; good && i + 1 < c->argument_count; i++) {
        struct expr *phi = c->arguments[i], *one;
        good = phi->kind == EXPR_NUMBER;
        if (!good) {
            break;
        }
        if (over_time) {
            one = metricsql_make_call(p, call, FUNCTION_QUANTILE_OVER_TIME, 2);
            if (one != NULL) {
                one->call.arguments[0] = phi;
                one->call.arguments[1] = c->arguments[c->argument_count - 1];
                one = parser_set_depth(p, one, one->call.arguments[1], NULL) ? one : NULL;
            }
        } else {
            one = metricsql_make_aggregate(
                p, call, &grouping, AGGREGATE_QUANTILE, phi, c->arguments[c->argument_count - 1]);
        }
        char number[FP_PLAIN_TEXT_MAX];
        size_t size = fp_format_plain(phi->number.value, number);
        char *text = arena_strndup(p->arena, number, size);
        if (one == NULL || text == NULL) {
            return one == NULL ? NULL : parser_fail_code(p, arena_error(p->arena));
        }
        all = join_or(
            p, all, metricsql_set_label(p, one, c->arguments[0]->string, str_make(text, size)));
        if (all == NULL) {
            return NULL;
        }
    }
    return good ? metricsql_make_paren(p, all)
                : metricsql_fail_arguments(
                      p, call, "(\"label\", number, …, vector or range vector)");
}

/* rollup(m) and its kin: one expression for each number they tell, told apart by the label `rollup`; with one
 * of the numbers as second argument, that one without the label. */
struct rollup_row {
    const char *name;
    enum function_id
        ids[4]; /* one a number; takes its name as second argument if all are the same */
    const char *numbers[4];
};

static const struct rollup_row *rollup_find(struct str name)
{
#define SAME(id)                                                                                   \
    {                                                                                              \
        id, id, id, id                                                                             \
    }
    static const struct rollup_row rows[] = {
        {"rollup", {FUNCTION_MIN_OVER_TIME, FUNCTION_MAX_OVER_TIME, FUNCTION_AVG_OVER_TIME},
            {"min", "max", "avg"}},
        {"rollup_candlestick", SAME(FUNCTION_ROLLUP_CANDLESTICK), {"open", "close", "low", "high"}},
        {"rollup_delta", SAME(FUNCTION_ROLLUP_DELTA), {"min", "max", "avg"}},
        {"rollup_deriv", SAME(FUNCTION_ROLLUP_DERIV), {"min", "max", "avg"}},
        {"rollup_increase", SAME(FUNCTION_ROLLUP_INCREASE), {"min", "max", "avg"}},
        {"rollup_rate", SAME(FUNCTION_ROLLUP_RATE), {"min", "max", "avg"}},
        {"rollup_scrape_interval", SAME(FUNCTION_ROLLUP_SCRAPE_INTERVAL), {"min", "max", "avg"}},
    };
#undef SAME
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        if (str_eq_c(name, rows[i].name)) {
            return &rows[i];
        }
    }
    return NULL;
}

static struct expr *rollup_number(
    struct parser *p, struct expr *call, const struct rollup_row *row, size_t number)
{
    bool same = row->ids[0] == row->ids[1];
    struct expr *one = metricsql_make_call(p, call, row->ids[number], same ? 2 : 1);
    if (one == NULL) {
        return NULL;
    }
    one->call.arguments[0] = call->call.arguments[0];
    if (same) {
        one->call.arguments[1] = metricsql_make_string(p, call, str_of(row->numbers[number]));
    }
    return p->code == 0 && parser_set_depth(p, one, one->call.arguments[0], NULL) ? one : NULL;
}

static struct expr *read_rollup(struct parser *p, struct expr *call, const struct rollup_row *row)
{
    const struct expr_call *c = &call->call;
    size_t count = row->numbers[3] != NULL ? 4 : 3;
    for (size_t i = 0; c->argument_count == 2 && metricsql_are_strings(c, 1) && i < count; i++) {
        if (str_eq_c(c->arguments[1]->string, row->numbers[i])) {
            return rollup_number(p, call, row, i);
        }
    }
    if (c->argument_count != 1) {
        return metricsql_fail_arguments(p, call,
            count == 3
                ? "(range vector) or (range vector, \"min\", \"max\" or \"avg\")"
                : "(range vector) or (range vector, \"open\", \"close\", \"low\" or \"high\")");
    }
    struct expr *all = NULL;
    bool ok = metricsql_charge_copies(p, c->arguments[0], count);
    for (size_t i = 0; ok && i < count; i++) {
        struct expr *one = rollup_number(p, call, row, i);
        all = one != NULL ? join_or(p, all,
                                metricsql_set_label(p, one, STR("rollup"), str_of(row->numbers[i])))
                          : NULL;
        ok = all != NULL;
    }
    return ok ? metricsql_make_paren(p, all) : NULL;
}

/* ---- union ---- */

struct expr *metricsql_paren_list(struct parser *p, struct expr *first)
{
    struct parser_list list = {0};
    struct expr *one = first, *call = NULL;
    if (!parser_at(p, TOKEN_COMMA)) {
        return first;
    }
    while (
        one != NULL && parser_list_add(p, &list, &one, sizeof(one)) && parser_at(p, TOKEN_COMMA)) {
        parser_advance(p);
        if (p->code == 0 && parser_at(p, TOKEN_RIGHT_PAREN)) {
            break; // a trailing comma
        }
        one = p->code == 0 ? parse_expression(p, 1) : NULL;
    }
    if (p->code == 0 && list.count > 1) {
        call = metricsql_make_call(p, first, FUNCTION_UNION, 0);
    }
    if (call == NULL) {
        mem_free(list.items);
        return p->code == 0 ? first : NULL;
    }
    call->position.end = p->last_end;
    call->call.argument_count = list.count;
    call->call.arguments = (struct expr **)parser_list_take(p, &list, sizeof(struct expr *));
    bool good = call->call.arguments != NULL;
    for (size_t i = 0; good && i < call->call.argument_count; i++) {
        good = parser_set_depth(p, call, call->call.arguments[i], NULL);
    }
    return good ? call : NULL;
}

/* ---- aggr_over_time ---- */

/* One function that takes a range vector and nothing else. */
static struct expr *over_time(
    struct parser *p, struct expr *call, struct str name, struct expr *range)
{
    const struct promql_function *f = promql_function_find(name);
    f = f != NULL ? f : metricsql_function_find(name);
    if (f == NULL || strcmp(f->arguments, "m") != 0 || f->result != PROMQL_VECTOR) {
        return parser_fail_quoted(p, call->position.start,
            "aggr_over_time knows no function of a range vector with name ", name, "");
    }
    struct expr *one = metricsql_make_call(p, call, f->id, 1);
    if (one == NULL) {
        return NULL;
    }
    one->call.arguments[0] = range;
    return parser_set_depth(p, one, range, NULL) ? one : NULL;
}

/* "f", or ("f", "g", …): names onto the list. */
static bool read_names(struct parser *p, struct parser_list *names)
{
    bool several = parser_at(p, TOKEN_LEFT_PAREN);
    if (several) {
        parser_advance(p);
    }
    do {
        struct expr *name = p->code == 0 ? parse_expression(p, 1) : NULL;
        if (name == NULL || !parser_list_add(p, names, &name->string, sizeof(name->string))) {
            return false;
        }
        if (name->kind != EXPR_STRING) {
            (void)parser_fail(
                p, name->position.start, "aggr_over_time expects names of functions as strings");
            return false;
        }
        if (!several || !parser_at(p, TOKEN_COMMA)) {
            break;
        }
        parser_advance(p);
    } while (p->code == 0);
    return p->code == 0 && (!several || parser_expect(p, TOKEN_RIGHT_PAREN));
}

static struct expr *join_functions(
    struct parser *p, struct expr *call, const struct parser_list *names, struct expr *range)
{
    const struct str *items = names->items;
    struct expr *all = NULL;
    if (!metricsql_charge_copies(p, range, names->count)) {
        return NULL;
    }
    for (size_t i = 0; i < names->count; i++) {
        struct expr *one = over_time(p, call, items[i], range);
        all = one != NULL ? join_or(p, all, metricsql_set_label(p, one, STR("rollup"), items[i]))
                          : NULL;
        if (all == NULL) {
            return NULL;
        }
    }
    return metricsql_make_paren(p, all);
}

struct expr *metricsql_aggr_over_time(struct parser *p, struct expr *call)
{
    struct parser_list names = {0};
    struct expr *range = NULL, *all = NULL;
    parser_advance(p);
    if (p->code == 0 && read_names(p, &names) && parser_expect(p, TOKEN_COMMA)) {
        range = parse_expression(p, 1);
    }
    if (range != NULL && parser_expect(p, TOKEN_RIGHT_PAREN)) {
        all = join_functions(p, call, &names, range);
    }
    mem_free(names.items);
    return all;
}

/* ---- By name ---- */

struct expr *metricsql_union_call(
    struct parser *p, struct expr *call, struct str name, bool *known_out)
{
    const struct rollup_row *rollup = rollup_find(name);
    *known_out = true;
    if (rollup != NULL) {
        return read_rollup(p, call, rollup);
    }
    if (str_eq_c(name, "quantiles") || str_eq_c(name, "quantiles_over_time")) {
        return read_quantiles(p, call, str_eq_c(name, "quantiles_over_time"));
    }
    *known_out = false;
    return NULL;
}
