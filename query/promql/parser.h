/* What the files of the parser share: the state, and how errors are raised.
 *
 * The parser is a recursive descent that climbs precedences; every function returns the node or NULL
 * after an error, which is sticky: the first one is the one reported, as in Prometheus.
 */
#ifndef SONDE_QUERY_PROMQL_PARSER_H
#define SONDE_QUERY_PROMQL_PARSER_H

#include "base/arena.h"
#include "base/err.h"
#include "lexer.h"
#include "query/promql.h"

struct template;

struct parser {
    struct lexer lexer;
    struct token token; /* the one to look at next */
    uint32_t last_end;  /* end of the token consumed last */
    struct str query;
    struct promql_features features;
    struct arena *arena;
    struct err *e;
    int code; /* 0 until the first error */
    unsigned depth;
    /* Where "unexpected …" is said to be ("aggregation", "offset") and what would do; NULL = plain.
     * Set by the construct being read, restored when it is complete. */
    const char *context;
    const char *expected;
    /* WITH templates: those known here, how many there are; and how much more than the text the tree got by
     * them and by functions of MetricsQL that say a thing twice. */
    const struct template *templates;
    unsigned template_count;
    size_t expanded;
};

/* The token at hand becomes the last one, the next is read. */
void parser_advance(struct parser *p);
static inline bool parser_at(const struct parser *p, enum token_kind kind)
{
    return p->token.kind == kind;
}
static inline bool parser_at_keyword(const struct parser *p, enum keyword keyword)
{
    return token_is_keyword(&p->token, keyword);
}

/* Raise the first error at a byte offset; later ones are ignored. Always return NULL / false, so
 * that callers can return them. */
void *parser_fail(struct parser *p, uint32_t position, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
void *parser_fail_quoted(
    struct parser *p, uint32_t position, const char *before, struct str text, const char *after);
/* "unexpected <token> in <context>, expected <expected>", with the context given or that of `p`. */
void *parser_unexpected(struct parser *p);
void *parser_unexpected_in(struct parser *p, const char *context, const char *expected);
void *parser_fail_code(struct parser *p, int code);
/* Behind an item of a list: takes a comma, leaves `closer`; false after anything else, which is told as unexpected. */
bool parser_separator(
    struct parser *p, enum token_kind closer, const char *context, const char *expected);

/* Consumes a token of this kind, or fails as unexpected. */
bool parser_expect(struct parser *p, enum token_kind kind);

/* A zeroed node of this kind at this place. */
struct expr *parser_node(
    struct parser *p, enum expr_kind kind, enum promql_type type, uint32_t start, uint32_t end);
/* Sets `depth` from the children (NULL allowed); false when the tree gets too deep. */
bool parser_set_depth(
    struct parser *p, struct expr *expr, const struct expr *a, const struct expr *b);
/* Guards recursion; each true is paired with parser_leave. */
bool parser_enter(struct parser *p);
void parser_leave(struct parser *p);

/* A growing list in scratch memory, copied into the arena at the end. */
struct parser_list {
    void *items;
    size_t count, cap;
};
bool parser_list_add(struct parser *p, struct parser_list *list, const void *item, size_t size);
const void *parser_list_take(struct parser *p, struct parser_list *list, size_t size);

/* parser.c */
struct expr *parse_expression(struct parser *p, int precedence);
/* Without the operators of MetricsQL. */
struct expr *parse_promql(struct parser *p);
/* [bool] [on|ignoring (…) [group_left|group_right [(…)]]] [fill…] */
bool parse_binary_modifiers(struct parser *p, struct expr_binary *binary);
/* ( label, "label", … ) */
bool parse_grouping(struct parser *p, const struct str **labels_out, size_t *count_out);
/* One of the labels (struct str), or all with the parenthesis that ends them. */
bool parse_grouping_item(struct parser *p, struct parser_list *labels);
bool parse_grouping_labels(struct parser *p, struct parser_list *labels);
/* NUMBER or DURATION -> EXPR_NUMBER in seconds. */
struct expr *parse_number(struct parser *p);
/* The value of a string token, which is consumed. */
bool parse_string_value(struct parser *p, struct str *value_out);

/* parser_selector.c */
struct expr *parse_selector(struct parser *p);
/* { … } behind a selector: it gets more matchers. */
struct expr *parse_more_matchers(struct parser *p, struct expr *selector);
/* [range], [range:step], offset, @, anchored, smoothed after `operand`. Consumes one of them. */
bool parser_at_modifier(const struct parser *p);
struct expr *parse_modifier(struct parser *p, struct expr *operand);

/* parser_duration.c: EXPR_NUMBER (seconds) or EXPR_DURATION. */
struct expr *parse_duration(struct parser *p);
struct expr *parse_offset_duration(struct parser *p);

/* parser_call.c */
struct expr *parse_call(struct parser *p);
struct expr *parse_aggregate(struct parser *p);
/* by (…) or without (…) */
bool parser_at_grouping(const struct parser *p);
bool parse_aggregate_modifier(struct parser *p, struct expr_aggregate *aggregate);

/* metricsql.c. A call that is another expression in another coat: that expression, or NULL after an error;
 * *known_out is false for all other names. The arguments are in `call`. */
struct expr *metricsql_call(struct parser *p, struct expr *call, struct str name, bool *known_out);
/* (a, b, …) with the first at hand: what all of them together are. */
struct expr *metricsql_paren_list(struct parser *p, struct expr *first);
/* aggr_over_time, whose first argument is no expression; with the parenthesis at hand. */
struct expr *metricsql_aggr_over_time(struct parser *p, struct expr *call);
/* The word at hand becomes an aggregation when it is one of MetricsQL. */
void metricsql_read_aggregate(struct parser *p);
/* `if`, `ifnot` and `default` behind an expression, lower than all other operators. */
struct expr *metricsql_operators(struct parser *p, struct expr *left);
/* `limit n` behind an aggregation, if it stands there. */
struct expr *metricsql_limit(struct parser *p, struct expr *aggregate);
/* Is `keep_metric_names` at hand? Consumes it. */
bool metricsql_take_keep_names(struct parser *p);

/* templates.c. The template the word at hand names, with a list of arguments or without; or NULL. */
const struct template *template_at(const struct parser *p, bool called);
/* The expression, the duration, the labels the word at hand stands for; with its arguments it is consumed. */
struct expr *template_expand(struct parser *p, const struct template *t);
struct expr *template_expand_duration(struct parser *p, const struct template *t);
bool template_expand_grouping(
    struct parser *p, const struct template *t, struct parser_list *labels);
/* WITH (name = …, …) expression: is it at hand, with the token after it? */
bool template_at_with(const struct parser *p, const struct token *after);
struct expr *template_read_with(struct parser *p);

/* checker.c: types and the rules that need them; false after an error. */
bool check_expression(struct parser *p, struct expr *expr);

#endif
