/* What makes series, at the end of a query.
 *
 *   metrics    function ( [field] {, number} ) [by ( fields )] {second}
 *              compare ( { expression } [, values [, start, end]] )
 *   second     | topk ( number ) · | bottomk ( number ) · op number
 */
#include "trace/traceql_parser.h"
#include "trace/traceql_value.h"

enum { COMPARE_VALUES_DEFAULT = 10, COMPARE_VALUES_MAX = 1000 };

static const struct {
    const char *word;
    enum traceql_function function;
    bool field; /* wants one */
} functions[] = {
    {"rate", TRACEQL_RATE, false},
    {"count_over_time", TRACEQL_COUNT_OVER_TIME, false},
    {"min_over_time", TRACEQL_MIN_OVER_TIME, true},
    {"max_over_time", TRACEQL_MAX_OVER_TIME, true},
    {"avg_over_time", TRACEQL_AVG_OVER_TIME, true},
    {"sum_over_time", TRACEQL_SUM_OVER_TIME, true},
    {"quantile_over_time", TRACEQL_QUANTILE_OVER_TIME, true},
    {"histogram_over_time", TRACEQL_HISTOGRAM_OVER_TIME, true},
    {"compare", TRACEQL_COMPARE, false},
};
enum { FUNCTIONS = sizeof(functions) / sizeof(functions[0]) };

static size_t find_function(const struct traceql_parser *p)
{
    size_t i = 0;
    while (i < FUNCTIONS && !traceql_parser_at_word(p, functions[i].word)) {
        i++;
    }
    return i;
}

bool traceql_parser_at_function(const struct traceql_parser *p)
{
    return find_function(p) < FUNCTIONS;
}

/* ---- Arguments ---- */

/* , 0.5, 0.99 */
static int parse_quantiles(struct traceql_parser *p, struct traceql_metrics *m)
{
    int status = 0;
    if (!traceql_parser_at(p, TRACEQL_TOKEN_COMMA)) {
        return traceql_parser_expected(p, "quantiles: \", 0.5, 0.99\"");
    }
    while (status == 0 && traceql_parser_at(p, TRACEQL_TOKEN_COMMA)) {
        struct traceql_value q;
        status = traceql_parser_advance(p);
        size_t position = p->token.position;
        status = status == 0 ? traceql_parser_literal(p, &q) : status;
        if (status != 0) {
            return status;
        }
        double number = q.type == TRACEQL_FLOAT ? q.number : (double)q.integer;
        if ((q.type != TRACEQL_FLOAT && q.type != TRACEQL_INT) || !(number >= 0 && number <= 1)) {
            return traceql_parser_fail(p, position, "a quantile is a number from 0 to 1");
        }
        if (m->quantile_count == TRACEQL_QUANTILES_MAX) {
            return traceql_parser_fail(
                p, position, "more than %d quantiles", TRACEQL_QUANTILES_MAX);
        }
        m->quantiles[m->quantile_count++] = number;
    }
    return status;
}

/* A whole number from 1 to `most`. */
static int parse_whole(struct traceql_parser *p, int64_t most, int64_t *number_out)
{
    struct traceql_value value;
    size_t position = p->token.position;
    int status = traceql_parser_literal(p, &value);
    if (status == 0 && (value.type != TRACEQL_INT || value.integer <= 0 || value.integer > most)) {
        return traceql_parser_fail(
            p, position, "expected a whole number above 0, at most %lld", (long long)most);
    }
    *number_out = status == 0 ? value.integer : 0;
    return status;
}

/* {…}, 10, start, end: times in nanoseconds since 1970. */
static int parse_selection(struct traceql_parser *p, struct traceql_metrics *m)
{
    int64_t numbers[] = {COMPARE_VALUES_DEFAULT, 0, 0};
    const int64_t most[] = {COMPARE_VALUES_MAX, INT64_MAX, INT64_MAX};
    size_t count = 0, position = p->token.position;
    int status = traceql_parser_filter(p, &m->selection);
    while (status == 0 && count < 3 && traceql_parser_at(p, TRACEQL_TOKEN_COMMA)) {
        status = traceql_parser_advance(p);
        position = p->token.position;
        status = status == 0 ? parse_whole(p, most[count], &numbers[count]) : status;
        count++;
    }
    if (status == 0 && (count == 2 || numbers[2] < numbers[1])) {
        return traceql_parser_fail(
            p, position, "compare() wants a start and an end that lies behind it, or neither");
    }
    m->values = numbers[0];
    m->start_ns = (uint64_t)numbers[1];
    m->end_ns = (uint64_t)numbers[2];
    return status;
}

static int parse_arguments(struct traceql_parser *p, struct traceql_metrics *m, bool field)
{
    int status = field ? traceql_parser_field(p, &m->field) : 0;
    if (status == 0 && m->function == TRACEQL_QUANTILE_OVER_TIME) {
        return parse_quantiles(p, m);
    }
    return status == 0 && m->function == TRACEQL_COMPARE ? parse_selection(p, m) : status;
}

/* ---- What is done with the series ---- */

/* | topk(10) */
static int parse_top(struct traceql_parser *p, struct traceql_second *s)
{
    int status = traceql_parser_advance(p);
    if (status != 0) {
        return status;
    }
    s->kind = traceql_parser_at_word(p, "bottomk") ? TRACEQL_SECOND_BOTTOM : TRACEQL_SECOND_TOP;
    if (s->kind == TRACEQL_SECOND_TOP && !traceql_parser_at_word(p, "topk")) {
        return traceql_parser_expected(p, "topk(…) or bottomk(…)");
    }
    status = traceql_parser_advance(p);
    status = status == 0 ? traceql_parser_take(p, TRACEQL_TOKEN_LEFT_PAREN, "\"(\"") : status;
    status = status == 0 ? parse_whole(p, INT64_MAX, &s->count) : status;
    return status == 0 ? traceql_parser_take(p, TRACEQL_TOKEN_RIGHT_PAREN, "\")\"") : status;
}

/* > 10, > 100ms */
static int parse_threshold(struct traceql_parser *p, struct traceql_second *s)
{
    struct traceql_value value;
    s->kind = TRACEQL_SECOND_COMPARE;
    s->op = p->token.op;
    int status = traceql_parser_advance(p);
    size_t position = p->token.position;
    status = status == 0 ? traceql_parser_literal(p, &value) : status;
    if (status == 0 && !traceql_value_number(value, &s->number)) {
        return traceql_parser_fail(p, position, "series are compared with a number");
    }
    return status;
}

static int parse_seconds(struct traceql_parser *p, struct traceql_metrics *m)
{
    int status = 0;
    while (
        status == 0 && (traceql_parser_at(p, TRACEQL_TOKEN_PIPE) || traceql_parser_at_order(p))) {
        if (m->second_count == TRACEQL_SECONDS_MAX) {
            return traceql_parser_fail(p, p->token.position,
                "more than %d stages behind a function of series", TRACEQL_SECONDS_MAX);
        }
        struct traceql_second *s = &m->seconds[m->second_count++];
        status = traceql_parser_at(p, TRACEQL_TOKEN_PIPE) ? parse_top(p, s) : parse_threshold(p, s);
    }
    bool arithmetic = status == 0 && traceql_parser_at(p, TRACEQL_TOKEN_OPERATOR) &&
                      p->token.op >= TRACEQL_ADD && p->token.op <= TRACEQL_POW;
    return arithmetic
               ? traceql_parser_fail(p, p->token.position, "arithmetic of series is not supported")
               : status;
}

int traceql_parser_metrics(struct traceql_parser *p, const struct traceql_metrics **metrics_out)
{
    void *node;
    size_t f = find_function(p);
    int status = traceql_parser_node(p, sizeof(struct traceql_metrics), &node);
    status = status == 0 ? traceql_parser_advance(p) : status;
    status = status == 0 ? traceql_parser_take(p, TRACEQL_TOKEN_LEFT_PAREN, "\"(\"") : status;
    if (status != 0) {
        return status;
    }
    struct traceql_metrics *m = node;
    m->function = functions[f].function;
    m->name = functions[f].word;
    *metrics_out = m;
    status = parse_arguments(p, m, functions[f].field);
    status = status == 0 ? traceql_parser_take(p, TRACEQL_TOKEN_RIGHT_PAREN, "\")\"") : status;
    if (status != 0 || m->function == TRACEQL_COMPARE) {
        return status; /* whose series have labels and order of their own */
    }
    if (traceql_parser_at_word(p, "by")) {
        status = traceql_parser_advance(p);
        status = status == 0 ? traceql_parser_fields(p, m->by, &m->by_count) : status;
    }
    return status == 0 ? parse_seconds(p, m) : status;
}
