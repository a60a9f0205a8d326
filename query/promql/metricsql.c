/* MetricsQL on top of PromQL, read only with the feature `metricsql`.
 *
 * Most of what people use of it is PromQL in another coat, and is read as that: the tree, and what
 * format_query prints, is PromQL.
 *
 *   median_over_time(m)            quantile_over_time(0.5, m)
 *   alias(v, "name")               label_replace of __name__
 *   label_set(v, "l", "text", …)   label_replace of each l
 *   label_del(v, "l", …)           label_replace of each l by nothing
 *   sum(v) by (l) limit n          limitk(n, sum by (l) (v))
 *   tmin_over_time(m)              ts_of_min_over_time(m), and others of another name
 *   label_copy(v, "from", "to", …) label_replace of each to, where from is not empty
 *   histogram_share(le, v)         histogram_fraction(-Inf, le, v)
 *   a if b, a ifnot b              a and b, a unless b
 *   a default b                    the function default(a, b); a number becomes vector(number)
 *
 * Aggregations are in metricsql_aggregates.c, what becomes several expressions in metricsql_unions.c.
 *
 * Operators: `if` and `ifnot` bind less than `or`, `default` less than these; all to the left. What is new
 * below that is in METRICSQL_FUNCTION_LIST and METRICSQL_AGGREGATE_LIST. Semantics of selectors, ranges and rates stay Prometheus'.
 */
#include "metricsql.h"

#include "base/fpconv.h"
#include <math.h>

static bool at_word(const struct parser *p, const char *word)
{
    return parser_at(p, TOKEN_IDENTIFIER) && str_eq_c(p->token.text, word);
}

/* ---- Building ---- */

struct expr *metricsql_make_call(
    struct parser *p, const struct expr *place, enum function_id id, size_t argument_count)
{
    struct expr *expr =
        parser_node(p, EXPR_CALL, PROMQL_VECTOR, place->position.start, place->position.end);
    if (expr == NULL) {
        return NULL;
    }
    expr->call.function = promql_function_at(id);
    expr->call.argument_count = argument_count;
    expr->call.arguments = arena_calloc(p->arena, argument_count, sizeof(struct expr *));
    return expr->call.arguments != NULL ? expr : parser_fail_code(p, arena_error(p->arena));
}

struct expr *metricsql_make_number(struct parser *p, const struct expr *place, double value)
{
    struct expr *expr =
        parser_node(p, EXPR_NUMBER, PROMQL_SCALAR, place->position.start, place->position.end);
    if (expr != NULL) {
        expr->number.value = value;
    }
    return expr;
}

struct expr *metricsql_make_string(struct parser *p, const struct expr *place, struct str text)
{
    struct expr *expr =
        parser_node(p, EXPR_STRING, PROMQL_STRING, place->position.start, place->position.end);
    if (expr != NULL) {
        expr->string = text;
    }
    return expr;
}

/* label_replace(operand, "label", "replacement", "source", "pattern") */
static struct expr *replace_label(struct parser *p, struct expr *operand, struct str label,
    struct str replacement, struct str source, const char *pattern)
{
    if (operand == NULL) {
        return NULL;
    }
    struct expr *call = metricsql_make_call(p, operand, FUNCTION_LABEL_REPLACE, 5);
    if (call == NULL) {
        return NULL;
    }
    call->call.arguments[0] = operand;
    const struct str texts[] = {label, replacement, source, str_of(pattern)};
    for (size_t i = 0; i < 4; i++) {
        call->call.arguments[i + 1] = metricsql_make_string(p, operand, texts[i]);
        if (call->call.arguments[i + 1] == NULL) {
            return NULL;
        }
    }
    return parser_set_depth(p, call, operand, NULL) ? call : NULL;
}

/* In replacements a dollar sign begins a reference; two stand for one. */
static bool escape_dollars(struct parser *p, struct str text, struct str *out)
{
    char *copy = arena_alloc(p->arena, text.len * 2 + 1);
    if (copy == NULL) {
        (void)parser_fail_code(p, arena_error(p->arena));
        return false;
    }
    size_t size = 0;
    for (size_t i = 0; i < text.len; i++) {
        copy[size++] = text.ptr[i];
        if (text.ptr[i] == '$') {
            copy[size++] = '$';
        }
    }
    *out = str_make(copy, size);
    return true;
}

struct expr *metricsql_set_label(
    struct parser *p, struct expr *operand, struct str label, struct str value)
{
    struct str replacement;
    return escape_dollars(p, value, &replacement)
               ? replace_label(p, operand, label, replacement, label, "(?s:.*)")
               : NULL;
}

/* a or b */
struct expr *metricsql_make_binary(
    struct parser *p, enum binary_op op, struct expr *left, struct expr *right)
{
    if (left == NULL || right == NULL) {
        return NULL;
    }
    struct expr *expr =
        parser_node(p, EXPR_BINARY, PROMQL_VECTOR, left->position.start, right->position.end);
    if (expr == NULL) {
        return NULL;
    }
    expr->binary.op = op;
    expr->binary.left = left;
    expr->binary.right = right;
    return parser_set_depth(p, expr, left, right) ? expr : NULL;
}

struct expr *metricsql_make_paren(struct parser *p, struct expr *inner)
{
    if (inner == NULL) {
        return NULL;
    }
    struct expr *expr =
        parser_node(p, EXPR_PAREN, inner->type, inner->position.start, inner->position.end);
    if (expr == NULL) {
        return NULL;
    }
    expr->paren = inner;
    return parser_set_depth(p, expr, inner, NULL) ? expr : NULL;
}

/* ---- Calls ---- */

struct expr *metricsql_fail_arguments(struct parser *p, const struct expr *call, const char *wanted)
{
    return parser_fail(p, call->position.start, "expected arguments %s", wanted);
}

bool metricsql_are_strings(const struct expr_call *c, size_t first)
{
    for (size_t i = first; i < c->argument_count; i++) {
        if (c->arguments[i]->kind != EXPR_STRING) {
            return false;
        }
    }
    return true;
}

/* histogram_share(le, v): the share of events up to le. */
static struct expr *read_histogram_share(struct parser *p, struct expr *call)
{
    if (call->call.argument_count != 2) {
        return metricsql_fail_arguments(p, call, "(number, vector)");
    }
    struct expr *share = metricsql_make_call(p, call, FUNCTION_HISTOGRAM_FRACTION, 3);
    struct expr *lowest = metricsql_make_number(p, call, -INFINITY);
    if (share == NULL || lowest == NULL) {
        return NULL;
    }
    share->call.arguments[0] = lowest;
    share->call.arguments[1] = call->call.arguments[0];
    share->call.arguments[2] = call->call.arguments[1];
    return parser_set_depth(p, share, share->call.arguments[1], share->call.arguments[2]) ? share
                                                                                          : NULL;
}

static struct expr *read_median(struct parser *p, struct expr *call)
{
    if (call->call.argument_count != 1) {
        return metricsql_fail_arguments(p, call, "(range vector)");
    }
    struct expr *quantile = metricsql_make_call(p, call, FUNCTION_QUANTILE_OVER_TIME, 2);
    struct expr *half = metricsql_make_number(p, call, 0.5);
    if (quantile == NULL || half == NULL) {
        return NULL;
    }
    quantile->call.arguments[0] = half;
    quantile->call.arguments[1] = call->call.arguments[0];
    return parser_set_depth(p, quantile, quantile->call.arguments[1], NULL) ? quantile : NULL;
}

static struct expr *read_alias(struct parser *p, struct expr *call)
{
    const struct expr_call *c = &call->call;
    if (c->argument_count != 2 || !metricsql_are_strings(c, 1)) {
        return metricsql_fail_arguments(p, call, "(vector, \"name\")");
    }
    return metricsql_set_label(p, c->arguments[0], STR(LABEL_METRIC_NAME), c->arguments[1]->string);
}

static struct expr *read_label_set(struct parser *p, struct expr *call)
{
    const struct expr_call *c = &call->call;
    if (c->argument_count < 3 || c->argument_count % 2 == 0 || !metricsql_are_strings(c, 1)) {
        return metricsql_fail_arguments(p, call, "(vector, \"label\", \"value\", …)");
    }
    struct expr *expr = c->arguments[0];
    for (size_t i = 1; i < c->argument_count; i += 2) {
        expr = metricsql_set_label(p, expr, c->arguments[i]->string, c->arguments[i + 1]->string);
    }
    return expr;
}

static struct expr *read_label_del(struct parser *p, struct expr *call)
{
    const struct expr_call *c = &call->call;
    if (c->argument_count < 2 || !metricsql_are_strings(c, 1)) {
        return metricsql_fail_arguments(p, call, "(vector, \"label\", …)");
    }
    struct expr *expr = c->arguments[0];
    for (size_t i = 1; i < c->argument_count; i++) {
        expr = metricsql_set_label(p, expr, c->arguments[i]->string, STR(""));
    }
    return expr;
}

/* Copies; a move deletes where it copied from, pair by pair. */
static struct expr *copy_labels(struct parser *p, struct expr *call, bool move)
{
    const struct expr_call *c = &call->call;
    if (c->argument_count < 3 || c->argument_count % 2 == 0 || !metricsql_are_strings(c, 1)) {
        return metricsql_fail_arguments(p, call, "(vector, \"from\", \"to\", …)");
    }
    struct expr *expr = c->arguments[0];
    for (size_t i = 1; i < c->argument_count; i += 2) {
        expr = replace_label(
            p, expr, c->arguments[i + 1]->string, STR("$1"), c->arguments[i]->string, "((?s:.+))");
        if (move && !str_eq(c->arguments[i]->string, c->arguments[i + 1]->string)) {
            expr = expr != NULL ? metricsql_set_label(p, expr, c->arguments[i]->string, STR(""))
                                : NULL;
        }
    }
    return expr;
}

static struct expr *read_label_copy(struct parser *p, struct expr *call)
{
    return copy_labels(p, call, false);
}

static struct expr *read_label_move(struct parser *p, struct expr *call)
{
    return copy_labels(p, call, true);
}

static int count_node(struct expr *expr, struct expr *parent, void *context)
{
    (void)expr, (void)parent;
    size_t *nodes = context;
    return ++*nodes > PROMQL_BYTES_MAX;
}

/* An expression that stands several times in the tree where it was written once: as many nodes as a text may
 * have bytes, else a few nested calls would be evaluated for ever. */
bool metricsql_charge_copies(struct parser *p, struct expr *expr, size_t copies)
{
    size_t nodes = 0;
    (void)promql_walk(expr, count_node, &nodes);
    p->expanded += nodes * copies;
    if (p->code == 0 && p->expanded > PROMQL_BYTES_MAX) {
        p->code = err_set(p->e, ERR_LIMIT, expr->position.start,
            "query expands to more than %zu expressions", PROMQL_BYTES_MAX);
    }
    return p->code == 0;
}

/* Functions that PromQL has under another name. */
static bool find_renamed(struct str name, enum function_id *id_out)
{
    static const struct {
        const char *name;
        enum function_id id;
    } rows[] = {
        {"changes_prometheus", FUNCTION_CHANGES},
        {"default_rollup", FUNCTION_LAST_OVER_TIME},
        {"delta_prometheus", FUNCTION_DELTA},
        {"increase_prometheus", FUNCTION_INCREASE},
        {"rate_prometheus", FUNCTION_RATE},
        {"tfirst_over_time", FUNCTION_TS_OF_FIRST_OVER_TIME},
        {"tlast_over_time", FUNCTION_TS_OF_LAST_OVER_TIME},
        {"tmax_over_time", FUNCTION_TS_OF_MAX_OVER_TIME},
        {"tmin_over_time", FUNCTION_TS_OF_MIN_OVER_TIME},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        if (str_eq_c(name, rows[i].name)) {
            *id_out = rows[i].id;
            return true;
        }
    }
    return false;
}

static struct expr *read_renamed(struct parser *p, struct expr *call, enum function_id id)
{
    if (call->call.argument_count != 1) {
        return metricsql_fail_arguments(p, call, "(range vector)");
    }
    struct expr *other = metricsql_make_call(p, call, id, 1);
    if (other == NULL) {
        return NULL;
    }
    other->call.arguments[0] = call->call.arguments[0];
    return parser_set_depth(p, other, other->call.arguments[0], NULL) ? other : NULL;
}

struct expr *metricsql_limit(struct parser *p, struct expr *aggregate)
{
    if (aggregate == NULL || !at_word(p, "limit")) {
        return aggregate;
    }
    parser_advance(p);
    if (p->code != 0) {
        return NULL;
    }
    if (!parser_at(p, TOKEN_NUMBER)) {
        return parser_unexpected_in(p, "aggregation", "number of series");
    }
    struct expr *number = parse_number(p);
    const struct expr_aggregate all = {.grouping_count = 0};
    return number != NULL
               ? metricsql_make_aggregate(p, aggregate, &all, AGGREGATE_LIMITK, number, aggregate)
               : NULL;
}

struct expr *metricsql_call(struct parser *p, struct expr *call, struct str name, bool *known_out)
{
    static const struct {
        const char *name;
        struct expr *(*read)(struct parser *p, struct expr *call);
    } rows[] = {
        {"alias", read_alias},
        {"histogram_share", read_histogram_share},
        {"label_copy", read_label_copy},
        {"label_del", read_label_del},
        {"label_move", read_label_move},
        {"label_set", read_label_set},
        {"median_over_time", read_median},
    };
    *known_out = true;
    enum function_id id;
    if (find_renamed(name, &id)) {
        return read_renamed(p, call, id);
    }
    struct expr *several = metricsql_union_call(p, call, name, known_out);
    if (*known_out) {
        return several;
    }
    *known_out = true;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        if (str_eq_c(name, rows[i].name)) {
            return rows[i].read(p, call);
        }
    }
    return metricsql_aggregate_call(p, call, name, known_out);
}

/* ---- Operators ---- */

void metricsql_read_aggregate(struct parser *p)
{
    enum aggregate_op op;
    if (parser_at(p, TOKEN_IDENTIFIER) && metricsql_aggregate_find(p->token.text, &op)) {
        p->token.kind = TOKEN_AGGREGATE;
        p->token.aggregate = op;
    }
}

bool metricsql_take_keep_names(struct parser *p)
{
    if (!at_word(p, "keep_metric_names")) {
        return false;
    }
    parser_advance(p);
    return p->code == 0;
}

/* Operators that bind less here than `and` does there get parentheses. */
static struct expr *wrap(struct parser *p, struct expr *expr)
{
    return expr != NULL && expr->kind == EXPR_BINARY ? metricsql_make_paren(p, expr) : expr;
}

static struct expr *read_conditions(struct parser *p, struct expr *left)
{
    while (left != NULL && (at_word(p, "if") || at_word(p, "ifnot"))) {
        struct expr_binary modifiers = {0};
        enum binary_op op = at_word(p, "if") ? BINARY_AND : BINARY_UNLESS;
        parser_advance(p);
        if (p->code != 0 || !parse_binary_modifiers(p, &modifiers)) {
            return NULL;
        }
        struct expr *right = parse_promql(p);
        left = metricsql_make_binary(p, op, wrap(p, left), wrap(p, right));
        if (left != NULL) {
            left->binary.matching = modifiers.matching;
            left->binary.return_bool = modifiers.return_bool;
        }
    }
    return left;
}

/* A number stands for a vector without labels. */
static struct expr *as_vector(struct parser *p, struct expr *expr)
{
    if (expr == NULL || expr->type != PROMQL_SCALAR) {
        return expr;
    }
    struct expr *vector = metricsql_make_call(p, expr, FUNCTION_VECTOR, 1);
    if (vector == NULL) {
        return NULL;
    }
    vector->call.arguments[0] = expr;
    return parser_set_depth(p, vector, expr, NULL) ? vector : NULL;
}

struct expr *metricsql_operators(struct parser *p, struct expr *left)
{
    left = read_conditions(p, left);
    while (left != NULL && at_word(p, "default")) {
        parser_advance(p);
        struct expr *right = p->code == 0 ? parse_promql(p) : NULL;
        right = as_vector(p, right != NULL ? read_conditions(p, right) : NULL);
        left = right != NULL ? as_vector(p, left) : NULL;
        struct expr *call = left != NULL ? metricsql_make_call(p, left, FUNCTION_DEFAULT, 2) : NULL;
        if (call == NULL) {
            return NULL;
        }
        call->position.end = right->position.end;
        call->call.arguments[0] = left;
        call->call.arguments[1] = right;
        left = parser_set_depth(p, call, left, right) ? call : NULL;
    }
    return left;
}
