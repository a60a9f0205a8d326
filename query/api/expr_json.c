/* Trees of expressions as JSON: an object for each node, with `type` and what belongs to the kind; keys in
 * alphabetical order, as Go's encoder writes maps. */
#include "api/expr_json.h"

#include <assert.h>

#include "base/fpconv.h"

/* Levels of JSON that one level of the tree takes: a call's object and the list of its arguments; what a
 * leaf has below it: the list of matchers and one of them. */
enum { LEVELS_OF_NODE = 2, LEVELS_OF_LEAF = 3 };

bool expr_json_fits(const struct expr *expr, unsigned above)
{
    return above + LEVELS_OF_NODE * expr->depth + LEVELS_OF_LEAF <= JSON_DEPTH_MAX;
}

static void write_text(struct json_writer *json, const char *key, const char *value)
{
    json_key(json, key);
    json_cstring(json, value);
}

static void write_number(struct json_writer *json, const char *key, int64_t value)
{
    json_key(json, key);
    json_integer(json, value);
}

static void write_bool(struct json_writer *json, const char *key, bool value)
{
    json_key(json, key);
    json_bool(json, value);
}

static void write_child(struct json_writer *json, const char *key, const struct expr *child)
{
    json_key(json, key);
    if (child != NULL) {
        expr_json_write(json, child);
    } else {
        json_null(json);
    }
}

static void write_names(
    struct json_writer *json, const char *key, const struct str *names, size_t count)
{
    json_key(json, key);
    json_begin_array(json);
    for (size_t i = 0; i < count; i++) {
        json_string(json, names[i]);
    }
    json_end(json);
}

/* ---- Selectors ---- */

static void write_matchers(struct json_writer *json, const struct expr_selector *s)
{
    static const char *const types[] = {"=", "!=", "=~", "!~"};
    json_key(json, "matchers");
    json_begin_array(json);
    for (size_t i = 0; i < s->matcher_count; i++) {
        json_begin_object(json);
        json_key(json, "name");
        json_string(json, s->matchers[i]->name);
        write_text(json, "type", types[s->matchers[i]->type]);
        json_key(json, "value");
        json_string(json, s->matchers[i]->value);
        json_end(json);
    }
    json_end(json);
}

static void write_start_or_end(struct json_writer *json, const struct expr_when *when)
{
    json_key(json, "startOrEnd");
    if (when->at == AT_START || when->at == AT_END) {
        json_cstring(json, when->at == AT_START ? "start" : "end");
    } else {
        json_null(json);
    }
}

static void write_timestamp(struct json_writer *json, const struct expr_when *when)
{
    json_key(json, "timestamp");
    if (when->at == AT_TIME) {
        json_integer(json, when->at_ms);
    } else {
        json_null(json);
    }
}

/* A range selector too, when `range_ms` is not negative. */
static void write_selector(
    struct json_writer *json, const struct expr_selector *s, int64_t range_ms)
{
    write_bool(json, "anchored", s->anchored);
    write_matchers(json, s);
    json_key(json, "name");
    json_string(json, s->name);
    write_number(json, "offset", s->when.offset_ms);
    if (range_ms >= 0) {
        write_number(json, "range", range_ms);
    }
    write_bool(json, "smoothed", s->smoothed);
    write_start_or_end(json, &s->when);
    write_timestamp(json, &s->when);
    write_text(json, "type", range_ms >= 0 ? "matrixSelector" : "vectorSelector");
}

static void write_subquery(struct json_writer *json, const struct expr_subquery *s)
{
    write_child(json, "expr", s->expr);
    write_number(json, "offset", s->when.offset_ms);
    write_number(json, "range", s->range_ms);
    write_start_or_end(json, &s->when);
    write_number(json, "step", s->step_ms);
    write_timestamp(json, &s->when);
    write_text(json, "type", "subquery");
}

/* ---- Operations ---- */

static void write_fill(struct json_writer *json, const char *key, bool has, double value)
{
    json_key(json, key);
    if (has) {
        json_double(json, value);
    } else {
        json_null(json);
    }
}

static void write_matching(struct json_writer *json, const struct vector_matching *m)
{
    static const char *const cardinalities[] = {
        [MATCH_ONE_TO_ONE] = "one-to-one",
        [MATCH_MANY_TO_ONE] = "many-to-one",
        [MATCH_ONE_TO_MANY] = "one-to-many",
        [MATCH_MANY_TO_MANY] = "many-to-many",
    };
    json_begin_object(json);
    write_text(json, "card", cardinalities[m->cardinality]);
    json_key(json, "fillValues");
    json_begin_object(json);
    write_fill(json, "lhs", m->has_fill_left, m->fill_left);
    write_fill(json, "rhs", m->has_fill_right, m->fill_right);
    json_end(json);
    write_names(json, "include", m->include, m->include_count);
    write_names(json, "labels", m->labels, m->label_count);
    write_bool(json, "on", m->on);
    json_end(json);
}

static void write_binary(struct json_writer *json, const struct expr_binary *b)
{
    write_bool(json, "bool", b->return_bool);
    write_child(json, "lhs", b->left);
    json_key(json, "matching");
    if (b->vector_matching) {
        write_matching(json, &b->matching);
    } else {
        json_null(json);
    }
    write_text(json, "op", binary_op_text(b->op));
    write_child(json, "rhs", b->right);
    write_text(json, "type", "binaryExpr");
}

static void write_aggregate(struct json_writer *json, const struct expr_aggregate *a)
{
    write_child(json, "expr", a->expr);
    write_names(json, "grouping", a->grouping, a->grouping_count);
    write_text(json, "op", aggregate_op_text(a->op));
    write_child(json, "param", a->parameter);
    write_text(json, "type", "aggregation");
    write_bool(json, "without", a->without);
}

static void write_function(struct json_writer *json, const struct promql_function *f)
{
    json_begin_object(json);
    json_key(json, "argTypes");
    json_begin_array(json);
    for (size_t i = 0; f->arguments[i] != '\0'; i++) {
        json_cstring(json, promql_type_name(promql_function_argument_type(f, i)));
    }
    json_end(json);
    write_text(json, "name", f->name);
    write_text(json, "returnType", f->result == 's' ? "scalar" : "vector");
    write_number(json, "variadic", f->variadic);
    json_end(json);
}

static void write_call(struct json_writer *json, const struct expr_call *c)
{
    json_key(json, "args");
    json_begin_array(json);
    for (size_t i = 0; i < c->argument_count; i++) {
        expr_json_write(json, c->arguments[i]);
    }
    json_end(json);
    json_key(json, "func");
    write_function(json, c->function);
    write_text(json, "type", "call");
}

static void write_literal(struct json_writer *json, double value)
{
    char text[FP_PLAIN_TEXT_MAX];
    write_text(json, "type", "numberLiteral");
    json_key(json, "val");
    json_string(json, str_make(text, fp_format_plain(value, text)));
}

void expr_json_write(struct json_writer *json, const struct expr *expr)
{
    json_begin_object(json);
    switch (expr->kind) {
    case EXPR_NUMBER:
        write_literal(json, expr->number.value);
        break;
    case EXPR_STRING:
        write_text(json, "type", "stringLiteral");
        json_key(json, "val");
        json_string(json, expr->string);
        break;
    case EXPR_SELECTOR:
        write_selector(json, &expr->selector, -1);
        break;
    case EXPR_MATRIX:
        write_selector(json, &expr->matrix.selector->selector, expr->matrix.range_ms);
        break;
    case EXPR_SUBQUERY:
        write_subquery(json, &expr->subquery);
        break;
    case EXPR_CALL:
        write_call(json, &expr->call);
        break;
    case EXPR_AGGREGATE:
        write_aggregate(json, &expr->aggregate);
        break;
    case EXPR_BINARY:
        write_binary(json, &expr->binary);
        break;
    case EXPR_UNARY:
        write_child(json, "expr", expr->unary.expr);
        write_text(json, "op", expr->unary.negative ? "-" : "+");
        write_text(json, "type", "unaryExpr");
        break;
    case EXPR_PAREN:
        write_child(json, "expr", expr->paren);
        write_text(json, "type", "parenExpr");
        break;
    case EXPR_DURATION:
        assert(!"durations are no part of a value");
        break;
    }
    json_end(json);
}
