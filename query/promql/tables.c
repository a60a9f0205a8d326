/* The rows of promql.h as tables: functions, operators, names of types. */
#include <assert.h>
#include <stdlib.h>

#include "query/promql.h"

static enum promql_type type_of_letter(char letter)
{
    switch (letter) {
    case 'v':
        return PROMQL_VECTOR;
    case 'm':
        return PROMQL_MATRIX;
    case 's':
        return PROMQL_SCALAR;
    default:
        return PROMQL_STRING;
    }
}

/* Sorted by name, as the list is; promql_function_find relies on it and a test checks it. */
static const struct promql_function functions[] = {
#define X(name, text, arguments, variadic, result, experimental)                                   \
    {FUNCTION_##name, text, arguments, variadic, (result) == 's' ? PROMQL_SCALAR : PROMQL_VECTOR,  \
        experimental},
    PROMQL_FUNCTION_LIST(X)
#undef X
};

static const struct promql_function metricsql_functions[] = {
#define X(name, text, arguments, variadic, result, experimental)                                   \
    {FUNCTION_##name, text, arguments, variadic, (result) == 's' ? PROMQL_SCALAR : PROMQL_VECTOR,  \
        experimental},
    METRICSQL_FUNCTION_LIST(X)
#undef X
};
enum { METRICSQL_COUNT = sizeof(metricsql_functions) / sizeof(metricsql_functions[0]) };

static int compare_name(const void *key, const void *row)
{
    const struct str *name = key;
    const struct promql_function *function = row;
    return str_cmp(*name, str_of(function->name));
}

const struct promql_function *promql_function_find(struct str name)
{
    return bsearch(&name, functions, FUNCTION_COUNT, sizeof(functions[0]), compare_name);
}

const struct promql_function *metricsql_function_find(struct str name)
{
    return bsearch(
        &name, metricsql_functions, METRICSQL_COUNT, sizeof(metricsql_functions[0]), compare_name);
}

const struct promql_function *promql_function_at(enum function_id id)
{
    assert(id != FUNCTION_COUNT && id < FUNCTION_LIST_END);
    return id < FUNCTION_COUNT ? &functions[id] : &metricsql_functions[id - FUNCTION_COUNT - 1];
}

enum promql_type promql_function_argument_type(const struct promql_function *f, size_t index)
{
    size_t count = strlen(f->arguments);
    assert(count > 0);
    return type_of_letter(f->arguments[index < count ? index : count - 1]);
}

const char *binary_op_text(enum binary_op op)
{
    static const char *const texts[] = {
#define X(name, text) text,
        PROMQL_BINARY_LIST(X)
#undef X
    };
    return texts[op];
}

bool binary_op_is_comparison(enum binary_op op)
{
    return op >= BINARY_EQL && op <= BINARY_LTE;
}

bool binary_op_is_set(enum binary_op op)
{
    return op >= BINARY_AND;
}

struct aggregate_row {
    const char *text;
    char parameter;
    bool experimental;
};

static const struct aggregate_row aggregates[] = {
#define X(name, text, parameter, experimental) {text, parameter, experimental},
    PROMQL_AGGREGATE_LIST(X) METRICSQL_AGGREGATE_LIST(X)
#undef X
};

const char *aggregate_op_text(enum aggregate_op op)
{
    return aggregates[op].text;
}

bool metricsql_aggregate_find(struct str name, enum aggregate_op *op_out)
{
    for (int op = AGGREGATE_LIMIT_RATIO + 1; op < AGGREGATE_LIST_END; op++) {
        if (str_eq_c(name, aggregates[op].text)) {
            *op_out = (enum aggregate_op)op;
            return true;
        }
    }
    return false;
}

char aggregate_op_parameter(enum aggregate_op op)
{
    return aggregates[op].parameter;
}

bool aggregate_op_is_experimental(enum aggregate_op op)
{
    return aggregates[op].experimental;
}

const char *promql_type_name(enum promql_type type)
{
    static const char *const names[] = {"none", "scalar", "vector", "matrix", "string"};
    return names[type];
}

const char *promql_type_phrase(enum promql_type type)
{
    static const char *const phrases[] = {
        "none", "scalar", "instant vector", "range vector", "string"};
    return phrases[type];
}
