/* Tree -> canonical text, the form Prometheus prints: lower-case keywords, one space around
 * operators, matchers in order of their text, durations in their shortest form.
 *
 * Text printed and parsed again gives an equal tree. Two literals are the exceptions by nature: a
 * label matcher on the name prints as the name where it stood there, and a signed number is one
 * literal.
 */
#include <math.h>

#include "base/fpconv.h"
#include "base/mem.h"
#include "model/duration.h"
#include "model/labels.h"
#include "query/promql.h"

/* Lines longer than this are split by promql_write_pretty. */
#define PRETTY_WIDTH 100

/* ---- Pieces ---- */

static void write_labels(const struct str *labels, size_t count, struct strbuf *out)
{
    for (size_t i = 0; i < count; i++) {
        if (i > 0) {
            strbuf_add_c(out, ", ");
        }
        if (label_name_is_classic(labels[i])) {
            strbuf_add_str(out, labels[i]);
        } else {
            promql_write_quoted(labels[i], out);
        }
    }
}

static void write_number(double value, struct strbuf *out)
{
    if (isnan(value)) {
        strbuf_add_c(out, "NaN");
    } else if (isinf(value)) {
        strbuf_add_c(out, value < 0 ? "-Inf" : "+Inf");
    } else {
        char text[FP_PLAIN_TEXT_MAX];
        size_t length = fp_format_plain(value, text);
        strbuf_add(out, text, length);
    }
}

static void write_when(const struct expr_when *when, const char *extended, struct strbuf *out)
{
    strbuf_add_c(out, extended);
    if (when->at == AT_TIME) {
        int64_t ms = when->at_ms;
        uint64_t magnitude = ms < 0 ? 0 - (uint64_t)ms : (uint64_t)ms;
        strbuf_addf(out, " @ %s%llu.%03u", ms < 0 ? "-" : "",
            (unsigned long long)(magnitude / 1000), (unsigned)(magnitude % 1000));
    } else if (when->at != AT_NONE) {
        strbuf_add_c(out, when->at == AT_START ? " @ start()" : " @ end()");
    }
    if (when->offset_expr != NULL) {
        strbuf_add_c(out, " offset ");
        promql_write(when->offset_expr, out);
    } else if (when->offset_ms != 0) {
        strbuf_add_c(out, " offset ");
        duration_write(when->offset_ms, out);
    }
}

static const char *extended_text(const struct expr_selector *s)
{
    return s->anchored ? " anchored" : s->smoothed ? " smoothed" : "";
}

/* ---- Selectors ---- */

static bool is_name_matcher(const struct expr_selector *s, const struct matcher *m)
{
    return m->type == MATCHER_EQUAL && m->value.len > 0 && str_eq(m->value, s->name) &&
           str_eq_c(m->name, LABEL_METRIC_NAME);
}

struct matcher_text {
    size_t begin, length;
    const struct strbuf *buffer;
};

static int compare_matcher_text(const void *left, const void *right)
{
    const struct matcher_text *a = left, *b = right;
    return str_cmp(str_make(a->buffer->data + a->begin, a->length),
        str_make(b->buffer->data + b->begin, b->length));
}

/* The matchers in braces, in order of their text. `texts` has room for all. */
static void write_matchers(
    const struct expr_selector *s, struct matcher_text *texts, struct strbuf *out)
{
    struct strbuf buffer = STRBUF_INIT;
    size_t count = 0;
    for (size_t i = 0; i < s->matcher_count; i++) {
        if (!is_name_matcher(s, s->matchers[i])) {
            size_t begin = buffer.size;
            matcher_write(s->matchers[i], &buffer);
            texts[count++] = (struct matcher_text){begin, buffer.size - begin, &buffer};
        }
    }
    if (count > 0 && strbuf_error(&buffer) == 0) {
        qsort(texts, count, sizeof(*texts), compare_matcher_text);
        strbuf_add_char(out, '{');
        for (size_t i = 0; i < count; i++) {
            strbuf_add_c(out, i > 0 ? "," : "");
            strbuf_add(out, buffer.data + texts[i].begin, texts[i].length);
        }
        strbuf_add_char(out, '}');
    }
    if (strbuf_error(&buffer) != 0) {
        out->error = strbuf_error(&buffer);
    }
    strbuf_release(&buffer);
}

/* Name and matchers, without modifiers. */
static void write_selector_body(const struct expr_selector *s, struct strbuf *out)
{
    strbuf_add_str(out, s->name);
    struct matcher_text *texts = mem_calloc(s->matcher_count + 1, sizeof(*texts));
    if (texts == NULL) {
        out->error = ERR_NOMEM;
        return;
    }
    write_matchers(s, texts, out);
    mem_free(texts);
}

static void write_range(int64_t ms, const struct expr *expr, struct strbuf *out)
{
    if (expr != NULL) {
        promql_write(expr, out);
    } else {
        duration_write(ms, out);
    }
}

static void write_matrix(const struct expr_matrix *m, struct strbuf *out)
{
    const struct expr_selector *s = &m->selector->selector;
    write_selector_body(s, out);
    strbuf_add_char(out, '[');
    write_range(m->range_ms, m->range_expr, out);
    strbuf_add_char(out, ']');
    write_when(&s->when, extended_text(s), out);
}

/* An instant selector has @ before anchored, as Prometheus prints it. */
static void write_selector(const struct expr_selector *s, struct strbuf *out)
{
    write_selector_body(s, out);
    struct expr_when at = s->when, offset = s->when;
    at.offset_expr = NULL;
    at.offset_ms = 0;
    offset.at = AT_NONE;
    write_when(&at, "", out);
    write_when(&offset, extended_text(s), out);
}

static void write_subquery_suffix(const struct expr_subquery *s, struct strbuf *out)
{
    strbuf_add_char(out, '[');
    write_range(s->range_ms, s->range_expr, out);
    strbuf_add_char(out, ':');
    if (s->step_ms != 0 || s->step_expr != NULL) {
        write_range(s->step_ms, s->step_expr, out);
    }
    strbuf_add_char(out, ']');
    write_when(&s->when, "", out);
}

/* ---- Operators ---- */

static void write_fill(const struct vector_matching *m, struct strbuf *out)
{
    if (m->has_fill_left && m->has_fill_right && m->fill_left == m->fill_right) {
        strbuf_add_c(out, " fill (");
        write_number(m->fill_left, out);
        strbuf_add_char(out, ')');
        return;
    }
    if (m->has_fill_left) {
        strbuf_add_c(out, " fill_left (");
        write_number(m->fill_left, out);
        strbuf_add_char(out, ')');
    }
    if (m->has_fill_right) {
        strbuf_add_c(out, " fill_right (");
        write_number(m->fill_right, out);
        strbuf_add_char(out, ')');
    }
}

/* Operator, bool and matching: what stands between the two sides, without the spaces outside. */
static void write_operator(const struct expr_binary *b, struct strbuf *out)
{
    strbuf_add_c(out, binary_op_text(b->op));
    if (b->return_bool) {
        strbuf_add_c(out, " bool");
    }
    const struct vector_matching *m = &b->matching;
    bool grouped = m->cardinality == MATCH_MANY_TO_ONE || m->cardinality == MATCH_ONE_TO_MANY;
    if (!b->vector_matching) {
        return;
    }
    if (m->label_count > 0 || m->on || grouped) {
        strbuf_add_c(out, m->on ? " on (" : " ignoring (");
        write_labels(m->labels, m->label_count, out);
        strbuf_add_char(out, ')');
    }
    if (grouped) {
        strbuf_add_c(out, m->cardinality == MATCH_MANY_TO_ONE ? " group_left (" : " group_right (");
        write_labels(m->include, m->include_count, out);
        strbuf_add_char(out, ')');
    }
    write_fill(m, out);
}

static void write_aggregate_head(const struct expr_aggregate *a, struct strbuf *out)
{
    strbuf_add_c(out, aggregate_op_text(a->op));
    if (a->without || a->grouping_count > 0) {
        strbuf_add_c(out, a->without ? " without (" : " by (");
        write_labels(a->grouping, a->grouping_count, out);
        strbuf_add_c(out, ") ");
    }
}

static void write_duration_operands(const struct expr_duration *d, struct strbuf *out)
{
    static const char *const texts[] = {"+", "-", "*", "/", "%", "^"};
    switch (d->op) {
    case DURATION_STEP:
        strbuf_add_c(out, "step()");
        return;
    case DURATION_RANGE:
        strbuf_add_c(out, "range()");
        return;
    case DURATION_MIN_OF:
    case DURATION_MAX_OF:
        strbuf_add_c(out, d->op == DURATION_MIN_OF ? "min_of(" : "max_of(");
        promql_write(d->left, out);
        strbuf_add_c(out, ", ");
        promql_write(d->right, out);
        strbuf_add_char(out, ')');
        return;
    default:
        break;
    }
    if (d->left == NULL) {
        strbuf_add_c(out, d->op == DURATION_SUB ? "-" : "");
        promql_write(d->right, out);
        return;
    }
    promql_write(d->left, out);
    strbuf_addf(out, " %s ", texts[d->op]);
    promql_write(d->right, out);
}

static void write_duration(const struct expr_duration *d, struct strbuf *out)
{
    strbuf_add_c(out, d->wrapped ? "(" : "");
    write_duration_operands(d, out);
    strbuf_add_c(out, d->wrapped ? ")" : "");
}

/* ---- All of it ---- */

static void write_call(const struct expr_call *call, struct strbuf *out)
{
    strbuf_addf(out, "%s(", call->function->name);
    for (size_t i = 0; i < call->argument_count; i++) {
        strbuf_add_c(out, i > 0 ? ", " : "");
        promql_write(call->arguments[i], out);
    }
    strbuf_add_char(out, ')');
}

static void write_aggregate(const struct expr_aggregate *a, struct strbuf *out)
{
    write_aggregate_head(a, out);
    strbuf_add_char(out, '(');
    if (a->parameter != NULL) {
        promql_write(a->parameter, out);
        strbuf_add_c(out, ", ");
    }
    promql_write(a->expr, out);
    strbuf_add_char(out, ')');
}

/* Behind a call, or behind the parenthesis around an operator. */
static void write_keep_names(const struct expr *expr, struct strbuf *out)
{
    bool said = expr->keep_name && (expr->kind == EXPR_CALL || expr->kind == EXPR_BINARY);
    strbuf_add_c(out, said ? " keep_metric_names" : "");
}

void promql_write(const struct expr *expr, struct strbuf *out)
{
    switch (expr->kind) {
    case EXPR_NUMBER:
        if (expr->number.is_duration) {
            duration_write((int64_t)round(expr->number.value * 1000), out);
        } else {
            write_number(expr->number.value, out);
        }
        break;
    case EXPR_STRING:
        promql_write_quoted(expr->string, out);
        break;
    case EXPR_SELECTOR:
        write_selector(&expr->selector, out);
        break;
    case EXPR_MATRIX:
        write_matrix(&expr->matrix, out);
        break;
    case EXPR_SUBQUERY:
        promql_write(expr->subquery.expr, out);
        write_subquery_suffix(&expr->subquery, out);
        break;
    case EXPR_CALL:
        write_call(&expr->call, out);
        write_keep_names(expr, out);
        break;
    case EXPR_AGGREGATE:
        write_aggregate(&expr->aggregate, out);
        break;
    case EXPR_BINARY:
        promql_write(expr->binary.left, out);
        strbuf_add_char(out, ' ');
        write_operator(&expr->binary, out);
        strbuf_add_char(out, ' ');
        promql_write(expr->binary.right, out);
        break;
    case EXPR_UNARY:
        strbuf_add_char(out, expr->unary.negative ? '-' : '+');
        promql_write(expr->unary.expr, out);
        break;
    case EXPR_PAREN:
        strbuf_add_char(out, '(');
        promql_write(expr->paren, out);
        strbuf_add_char(out, ')');
        write_keep_names(expr->paren->kind == EXPR_BINARY ? expr->paren : expr, out);
        break;
    case EXPR_DURATION:
        write_duration(&expr->duration, out);
        break;
    }
}

/* ---- Over several lines ---- */

static void indent(int level, struct strbuf *out)
{
    for (int i = 0; i < level; i++) {
        strbuf_add_c(out, "  ");
    }
}

static bool needs_split(const struct expr *expr)
{
    struct strbuf line = STRBUF_INIT;
    promql_write(expr, &line);
    bool split = line.size > PRETTY_WIDTH;
    strbuf_release(&line);
    return split;
}

static void write_pretty(const struct expr *expr, int level, struct strbuf *out);

/* The one argument, or several a line each, between the parentheses that stand on lines alone. */
static void write_pretty_block(
    const struct expr *const *items, size_t count, int level, struct strbuf *out)
{
    strbuf_add_c(out, "(\n");
    for (size_t i = 0; i < count; i++) {
        write_pretty(items[i], level + 1, out);
        strbuf_add_c(out, i + 1 < count ? ",\n" : "\n");
    }
    indent(level, out);
    strbuf_add_char(out, ')');
}

/* A sign stands right before its operand, whose own indentation is cut. */
static void write_pretty_unary(const struct expr *expr, int level, struct strbuf *out)
{
    struct strbuf operand = STRBUF_INIT;
    write_pretty(expr->unary.expr, level, &operand);
    indent(level, out);
    strbuf_add_char(out, expr->unary.negative ? '-' : '+');
    strbuf_add_str(out, str_trim(strbuf_str(&operand)));
    strbuf_release(&operand);
}

static void write_pretty_binary(const struct expr_binary *b, int level, struct strbuf *out)
{
    write_pretty(b->left, level + 1, out);
    strbuf_add_char(out, '\n');
    indent(level, out);
    write_operator(b, out);
    strbuf_add_char(out, '\n');
    write_pretty(b->right, level + 1, out);
}

static void write_pretty(const struct expr *expr, int level, struct strbuf *out)
{
    bool split = needs_split(expr);
    if (expr->kind == EXPR_UNARY) {
        write_pretty_unary(expr, level, out);
        return;
    }
    if (split && expr->kind == EXPR_BINARY) {
        write_pretty_binary(&expr->binary, level, out);
        return;
    }
    if (split && expr->kind == EXPR_SUBQUERY) {
        write_pretty(expr->subquery.expr, level, out);
        write_subquery_suffix(&expr->subquery, out);
        return;
    }
    indent(level, out);
    if (split && expr->kind == EXPR_AGGREGATE) {
        const struct expr_aggregate *a = &expr->aggregate;
        const struct expr *items[] = {a->parameter, a->expr};
        write_aggregate_head(a, out);
        bool with = a->parameter != NULL;
        write_pretty_block(with ? items : items + 1, with ? 2 : 1, level, out);
    } else if (split && expr->kind == EXPR_CALL) {
        strbuf_add_c(out, expr->call.function->name);
        write_pretty_block((const struct expr *const *)expr->call.arguments,
            expr->call.argument_count, level, out);
        write_keep_names(expr, out);
    } else if (split && expr->kind == EXPR_PAREN) {
        const struct expr *inner = expr->paren;
        write_pretty_block(&inner, 1, level, out);
        write_keep_names(inner->kind == EXPR_BINARY ? inner : expr, out);
    } else {
        promql_write(expr, out);
    }
}

void promql_write_pretty(const struct expr *expr, struct strbuf *out)
{
    write_pretty(expr, 0, out);
}
