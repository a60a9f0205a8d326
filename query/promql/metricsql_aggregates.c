/* Aggregations of MetricsQL that are others in another coat, read as those. by (…) or without (…) stands behind
 * them; each below is for by (g), and without (g) is read alike.
 *
 *   any(v)        limitk by (g) (1, v)
 *   distinct(v)   count by (g) (count_values by (g) ("distinct", v))
 *   geomean(v)    exp(avg by (g) (ln(v)))
 *   mad(v)        quantile by (g) (0.5, abs(v - on (g) group_left quantile by (g) (0.5, v)))
 *   median(v)     quantile by (g) (0.5, v)
 *   share(v)      v / on (g) group_left sum by (g) (v)
 *   sum2(v)       sum by (g) (v ^ 2)
 *   zscore(v)     (v - on (g) group_left avg by (g) (v)) / on (g) group_left stddev by (g) (v)
 */
#include "metricsql.h"

/* What count_values writes values to. */
#define DISTINCT_LABEL "distinct"

bool metricsql_read_grouping(struct parser *p, struct expr_aggregate *grouping_out)
{
    *grouping_out = (struct expr_aggregate){.grouping_count = 0};
    return !parser_at_grouping(p) || parse_aggregate_modifier(p, grouping_out);
}

struct expr *metricsql_make_aggregate(struct parser *p, struct expr *place,
    const struct expr_aggregate *grouping, enum aggregate_op op, struct expr *parameter,
    struct expr *operand)
{
    if (operand == NULL || (parameter == NULL && aggregate_op_parameter(op) != 0)) {
        return NULL;
    }
    struct expr *expr =
        parser_node(p, EXPR_AGGREGATE, PROMQL_VECTOR, place->position.start, place->position.end);
    if (expr == NULL) {
        return NULL;
    }
    expr->aggregate = *grouping;
    expr->aggregate.op = op;
    expr->aggregate.parameter = parameter;
    expr->aggregate.expr = operand;
    return parser_set_depth(p, expr, operand, parameter) ? expr : NULL;
}

/* An aggregation being read. */
struct reading {
    struct parser *p;
    struct expr *call, *operand;
    struct expr_aggregate grouping;
};

static struct expr *aggregate(
    const struct reading *r, enum aggregate_op op, struct expr *parameter, struct expr *operand)
{
    return metricsql_make_aggregate(r->p, r->call, &r->grouping, op, parameter, operand);
}

static struct expr *number(const struct reading *r, double value)
{
    return metricsql_make_number(r->p, r->call, value);
}

static struct expr *function(const struct reading *r, enum function_id id, struct expr *argument)
{
    struct expr *call = argument != NULL ? metricsql_make_call(r->p, r->call, id, 1) : NULL;
    if (call == NULL) {
        return NULL;
    }
    call->call.arguments[0] = argument;
    return parser_set_depth(r->p, call, argument, NULL) ? call : NULL;
}

/* An operand as it may stand beside an operator. */
static struct expr *wrapped(const struct reading *r, struct expr *expr)
{
    bool bare = expr == NULL || (expr->kind != EXPR_BINARY && expr->kind != EXPR_UNARY);
    return bare ? expr : metricsql_make_paren(r->p, expr);
}

/* Each series with the number of its group. */
static struct expr *with_group(
    const struct reading *r, struct expr *each, enum binary_op op, struct expr *group)
{
    struct expr *expr = metricsql_make_binary(r->p, op, wrapped(r, each), group);
    if (expr != NULL) {
        expr->binary.matching = (struct vector_matching){
            .cardinality = MATCH_MANY_TO_ONE,
            .on = !r->grouping.without,
            .labels = r->grouping.grouping,
            .label_count = r->grouping.grouping_count,
        };
    }
    return expr;
}

static struct expr *median(const struct reading *r, struct expr *operand)
{
    return aggregate(r, AGGREGATE_QUANTILE, number(r, 0.5), operand);
}

/* Values become labels, which go away with the second grouping. */
static struct expr *distinct(const struct reading *r)
{
    struct expr *name = metricsql_make_string(r->p, r->call, STR(DISTINCT_LABEL));
    struct expr *values = aggregate(r, AGGREGATE_COUNT_VALUES, name, r->operand);
    struct expr *count = aggregate(r, AGGREGATE_COUNT, NULL, values);
    if (count == NULL || !r->grouping.without) {
        return count;
    }
    size_t labels = r->grouping.grouping_count;
    struct str *all = arena_calloc(r->p->arena, labels + 1, sizeof(*all));
    if (all == NULL) {
        return parser_fail_code(r->p, arena_error(r->p->arena));
    }
    for (size_t i = 0; i < labels; i++) {
        all[i] = r->grouping.grouping[i];
    }
    all[labels] = STR(DISTINCT_LABEL);
    count->aggregate.grouping = all;
    count->aggregate.grouping_count = labels + 1;
    return count;
}

enum aggregation { ANY, DISTINCT, GEOMEAN, MAD, MEDIAN, SHARE, SUM2, ZSCORE };

static struct expr *build(const struct reading *r, enum aggregation aggregation)
{
    struct expr *v = r->operand;
    switch (aggregation) {
    case ANY:
        return aggregate(r, AGGREGATE_LIMITK, number(r, 1), v);
    case DISTINCT:
        return distinct(r);
    case GEOMEAN:
        return function(
            r, FUNCTION_EXP, aggregate(r, AGGREGATE_AVG, NULL, function(r, FUNCTION_LN, v)));
    case MAD:
        return median(r, function(r, FUNCTION_ABS, with_group(r, v, BINARY_SUB, median(r, v))));
    case MEDIAN:
        return median(r, v);
    case SHARE:
        return metricsql_make_paren(
            r->p, with_group(r, v, BINARY_DIV, aggregate(r, AGGREGATE_SUM, NULL, v)));
    case SUM2:
        return aggregate(r, AGGREGATE_SUM, NULL,
            metricsql_make_binary(r->p, BINARY_POW, wrapped(r, v), number(r, 2)));
    default:
        v = with_group(r, v, BINARY_SUB, aggregate(r, AGGREGATE_AVG, NULL, r->operand));
        return metricsql_make_paren(
            r->p, with_group(r, v, BINARY_DIV, aggregate(r, AGGREGATE_STDDEV, NULL, r->operand)));
    }
}

struct expr *metricsql_aggregate_call(
    struct parser *p, struct expr *call, struct str name, bool *known_out)
{
    static const struct {
        const char *name;
        enum aggregation aggregation;
        size_t copies; /* of the operand */
    } rows[] = {
        {"any", ANY, 1},
        {"distinct", DISTINCT, 1},
        {"geomean", GEOMEAN, 1},
        {"mad", MAD, 2},
        {"median", MEDIAN, 1},
        {"share", SHARE, 2},
        {"sum2", SUM2, 1},
        {"zscore", ZSCORE, 3},
    };
    struct reading r = {.p = p, .call = call};
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        if (!str_eq_c(name, rows[i].name)) {
            continue;
        }
        *known_out = true;
        if (call->call.argument_count != 1) {
            return metricsql_fail_arguments(p, call, "(vector)");
        }
        r.operand = call->call.arguments[0];
        bool ok = (rows[i].copies == 1 || metricsql_charge_copies(p, r.operand, rows[i].copies)) &&
                  metricsql_read_grouping(p, &r.grouping);
        return ok ? build(&r, rows[i].aggregation) : NULL;
    }
    *known_out = false;
    return NULL;
}
