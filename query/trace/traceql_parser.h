/* What the files of the parser share: the token in hand, and what makes nodes. */
#ifndef SONDE_QUERY_TRACEQL_PARSER_H
#define SONDE_QUERY_TRACEQL_PARSER_H

#include "trace/traceql_lexer.h"

struct traceql_parser {
    struct traceql_lexer lexer;
    struct traceql_token token; /* the next one, not taken yet */
    size_t taken;               /* where the one taken last ended */
    struct arena *arena;
    struct err *e;
    unsigned depth, nodes, aggregates;
    /* Fields of conditions, each once. */
    const struct traceql_field *fields[TRACEQL_NODES_MAX];
    size_t field_count;
};

/* All return 0 or an error that is in p->e. */
int traceql_parser_advance(struct traceql_parser *p);
int traceql_parser_fail(struct traceql_parser *p, size_t position, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* "expected …, not …" at the token in hand. */
int traceql_parser_expected(struct traceql_parser *p, const char *what);
bool traceql_parser_at(const struct traceql_parser *p, enum traceql_token_kind kind);
bool traceql_parser_at_word(const struct traceql_parser *p, const char *word);
bool traceql_parser_at_operator(const struct traceql_parser *p, enum traceql_operator op);
int traceql_parser_take(struct traceql_parser *p, enum traceql_token_kind kind, const char *what);
/* One level of parentheses or operands deeper; leave it with p->depth--. */
int traceql_parser_enter(struct traceql_parser *p);
/* Zeroed memory for a node, which is counted. */
int traceql_parser_node(struct traceql_parser *p, size_t size, void **node_out);

/* An attribute or an intrinsic field. */
int traceql_parser_field(struct traceql_parser *p, const struct traceql_field **field_out);
/* The text of what was taken since `begun`. */
struct str traceql_parser_text_since(const struct traceql_parser *p, size_t begun);
/* = != < <= > >= */
bool traceql_parser_at_order(const struct traceql_parser *p);
/* Whether what comes is compared: an aggregate, a number, perhaps in parentheses. */
int traceql_parser_at_scalar(struct traceql_parser *p, bool *is_out);
/* avg(duration) > 2 * min(duration) */
int traceql_parser_scalar_filter(struct traceql_parser *p, struct traceql_stage *stage);
/* ( field, … ), at most TRACEQL_FIELDS_MAX. */
int traceql_parser_fields(
    struct traceql_parser *p, const struct traceql_field **fields, size_t *count_out);
/* { condition }; NULL: { } */
int traceql_parser_filter(struct traceql_parser *p, const struct traceql_expr **expr_out);
/* A function of series, and what is done with them. */
bool traceql_parser_at_function(const struct traceql_parser *p);
int traceql_parser_metrics(struct traceql_parser *p, const struct traceql_metrics **metrics_out);
/* A field expression, up to what cannot belong to it. */
int traceql_parser_expr(struct traceql_parser *p, const struct traceql_expr **expr_out);
/* A number, duration, text, status, kind or bool, with its sign. */
int traceql_parser_literal(struct traceql_parser *p, struct traceql_value *value_out);

#endif
