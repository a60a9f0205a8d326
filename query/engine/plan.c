/* From the checked tree to operators. */
#include "explain.h"
#include "operator.h"

typedef int (*planner)(struct query *q, const struct expr *expr, const struct grid *grid,
    struct operator_node **op_out);

/* Which file evaluates a function that gives an instant vector. */
static planner planner_of(const struct expr *expr)
{
    const struct expr_call *call = &expr->call;
    switch (call->function->id) {
    case FUNCTION_ABSENT:
    case FUNCTION_ABSENT_OVER_TIME:
        return plan_absent;
    case FUNCTION_VECTOR:
        return plan_scalar;
    case FUNCTION_LABEL_JOIN:
    case FUNCTION_LABEL_REPLACE:
        return plan_label_function;
    case FUNCTION_LABEL_KEEP:
    case FUNCTION_LABEL_LOWERCASE:
    case FUNCTION_LABEL_MAP:
    case FUNCTION_LABEL_MATCH:
    case FUNCTION_LABEL_MISMATCH:
    case FUNCTION_LABEL_TRANSFORM:
    case FUNCTION_LABEL_UPPERCASE:
    case FUNCTION_LABEL_VALUE:
    case FUNCTION_LABELS_EQUAL:
        return plan_label_edit;
    case FUNCTION_BUCKETS_LIMIT:
    case FUNCTION_PROMETHEUS_BUCKETS:
        return plan_buckets;
    case FUNCTION_BITMAP_AND:
    case FUNCTION_BITMAP_OR:
    case FUNCTION_BITMAP_XOR:
        return plan_elementwise;
    case FUNCTION_SORT:
    case FUNCTION_SORT_DESC:
    case FUNCTION_SORT_BY_LABEL:
    case FUNCTION_SORT_BY_LABEL_DESC:
        return plan_sort;
    case FUNCTION_INFO:
        return plan_info;
    case FUNCTION_HISTOGRAM_QUANTILE:
    case FUNCTION_HISTOGRAM_QUANTILES:
    case FUNCTION_HISTOGRAM_FRACTION:
        return plan_histogram_quantile;
    case FUNCTION_TIMESTAMP:
        return call->arguments[0]->kind == EXPR_SELECTOR ? plan_timestamp : plan_elementwise;
    case FUNCTION_UNION:
        return plan_union;
    case FUNCTION_DEFAULT:
        return plan_default;
    default:
        break;
    }
    for (size_t i = 0; i < call->argument_count; i++) {
        if (call->arguments[i]->type == PROMQL_MATRIX) {
            return plan_range_function;
        }
    }
    return call->function->id > FUNCTION_COUNT ? plan_whole_series : plan_elementwise;
}

static planner planner_of_binary(const struct expr *expr)
{
    if (!expr->binary.vector_matching) {
        return plan_binary;
    }
    return binary_op_is_set(expr->binary.op) ? plan_set : plan_join;
}

static planner planner_of_aggregate(const struct expr *expr)
{
    if (aggregate_op_chooses_series(expr->aggregate.op)) {
        return plan_choose_series;
    }
    switch (expr->aggregate.op) {
    case AGGREGATE_TOPK:
    case AGGREGATE_BOTTOMK:
    case AGGREGATE_LIMITK:
    case AGGREGATE_LIMIT_RATIO:
        return plan_aggregate_select;
    case AGGREGATE_COUNT_VALUES:
        return plan_count_values;
    default:
        return plan_aggregate;
    }
}

static int build(struct query *q, const struct expr *expr, const struct grid *grid,
    struct operator_node **op_out)
{
    if (expr->type == PROMQL_SCALAR) {
        return plan_scalar(q, expr, grid, op_out);
    }
    switch (expr->kind) {
    case EXPR_PAREN:
        return plan_build(q, expr->paren, grid, op_out);
    case EXPR_SELECTOR:
        return plan_selector(q, expr, grid, op_out);
    case EXPR_UNARY:
        return expr->unary.negative ? plan_negate(q, expr, grid, op_out)
                                    : plan_build(q, expr->unary.expr, grid, op_out);
    case EXPR_CALL:
        return planner_of(expr)(q, expr, grid, op_out);
    case EXPR_BINARY:
        return planner_of_binary(expr)(q, expr, grid, op_out);
    case EXPR_AGGREGATE:
        return planner_of_aggregate(expr)(q, expr, grid, op_out);
    default:
        return query_fail(q, ERR_INTERNAL, "expression has no instant value");
    }
}

int plan_build(struct query *q, const struct expr *expr, const struct grid *grid,
    struct operator_node **op_out)
{
    if (q->explain == NULL || expr->kind == EXPR_PAREN) {
        return build(q, expr, grid, op_out);
    }
    struct explain_node *node;
    struct explain_mark mark;
    int status = explain_begin(q, expr, &node, &mark);
    if (status != 0) {
        return status;
    }
    status = build(q, expr, grid, op_out);
    explain_planned(q, node, &mark);
    if (status == 0 && (*op_out)->explained == NULL) {
        (*op_out)->explained = node;
    }
    return status;
}

/* May this expression hand out a series in parts? Joins and what works on labels may. */
static bool may_split(const struct expr *expr)
{
    switch (expr->kind) {
    case EXPR_PAREN:
        return may_split(expr->paren);
    case EXPR_UNARY:
        return may_split(expr->unary.expr);
    case EXPR_BINARY:
        return expr->binary.vector_matching || may_split(expr->binary.left) ||
               may_split(expr->binary.right);
    case EXPR_AGGREGATE:
        return expr->aggregate.op >= AGGREGATE_TOPK && may_split(expr->aggregate.expr);
    case EXPR_CALL:
        for (size_t i = 0; i < expr->call.argument_count; i++) {
            enum function_id id = expr->call.function->id;
            if (id > FUNCTION_COUNT || id == FUNCTION_LABEL_JOIN || id == FUNCTION_LABEL_REPLACE ||
                id == FUNCTION_INFO ||
                (expr->call.arguments[i]->type == PROMQL_VECTOR &&
                    may_split(expr->call.arguments[i]))) {
                return true;
            }
        }
        return false;
    default:
        return false;
    }
}

int plan_whole(struct query *q, const struct expr *expr, const struct grid *grid,
    struct operator_node **op_out)
{
    struct operator_node *op;
    int status = plan_build(q, expr, grid, &op);
    if (status != 0 || !may_split(expr)) {
        *op_out = status == 0 ? op : NULL;
        return status;
    }
    struct series_store *store = arena_alloc(&q->arena, sizeof(*store));
    if (store == NULL) {
        return query_fail_memory(q, &q->arena);
    }
    series_store_init(store, q, grid);
    status = series_store_drain(store, op);
    if (status == 0) {
        status = series_store_merge(store);
    }
    return status != 0 ? status : plan_stored(q, expr, grid, store, op_out);
}
