/* Pipelines: a recursive descent, one function a rule.
 *
 *   query      pipeline [| metrics] [with (hints)]             traceql_parser_metrics.c
 *   pipeline   stage {| stage}
 *   stage      spansets · scalar op scalar · by(…) · coalesce() · select(…)
 *   spansets   related {&& or || related}             from the left
 *   related    filter {structural operator filter}    from the left
 *   filter     { [expression] } · ( pipeline )
 */
#include "trace/traceql_parser.h"

#include <stdarg.h>
#include <string.h>

#include "trace/traceql_value.h"

/* ---- Tokens ---- */

int traceql_parser_advance(struct traceql_parser *p)
{
    p->taken = p->token.end;
    return traceql_lexer_next(&p->lexer, &p->token, p->e);
}

int traceql_parser_fail(struct traceql_parser *p, size_t position, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    (void)err_vset(p->e, ERR_INVALID, (int64_t)position, format, arguments);
    va_end(arguments);
    return err_prefix(p->e, "TraceQL, character %zu", position + 1);
}

int traceql_parser_expected(struct traceql_parser *p, const char *what)
{
    size_t length = p->token.end - p->token.position;
    if (p->token.kind == TRACEQL_TOKEN_END) {
        return traceql_parser_fail(p, p->token.position, "expected %s, not the end", what);
    }
    return traceql_parser_fail(p, p->token.position, "expected %s, not %.*s", what,
        (int)(length < 64 ? length : 64), p->lexer.text.ptr + p->token.position);
}

bool traceql_parser_at(const struct traceql_parser *p, enum traceql_token_kind kind)
{
    return p->token.kind == kind;
}

bool traceql_parser_at_word(const struct traceql_parser *p, const char *word)
{
    return p->token.kind == TRACEQL_TOKEN_WORD && str_eq_c(p->token.text, word);
}

bool traceql_parser_at_operator(const struct traceql_parser *p, enum traceql_operator op)
{
    return p->token.kind == TRACEQL_TOKEN_OPERATOR && p->token.op == op;
}

int traceql_parser_take(struct traceql_parser *p, enum traceql_token_kind kind, const char *what)
{
    return p->token.kind == kind ? traceql_parser_advance(p) : traceql_parser_expected(p, what);
}

static int take_open(struct traceql_parser *p)
{
    return traceql_parser_take(p, TRACEQL_TOKEN_LEFT_PAREN, "\"(\"");
}

static int take_close(struct traceql_parser *p)
{
    return traceql_parser_take(p, TRACEQL_TOKEN_RIGHT_PAREN, "\")\"");
}

int traceql_parser_enter(struct traceql_parser *p)
{
    return ++p->depth > TRACEQL_DEPTH_MAX
               ? err_set(p->e, ERR_LIMIT, (int64_t)p->token.position,
                     "TraceQL: more than %d levels in one another", TRACEQL_DEPTH_MAX)
               : 0;
}

int traceql_parser_node(struct traceql_parser *p, size_t size, void **node_out)
{
    if (++p->nodes > TRACEQL_NODES_MAX) {
        return err_set(p->e, ERR_LIMIT, (int64_t)p->token.position,
            "TraceQL: more than %d conditions and operators", TRACEQL_NODES_MAX);
    }
    *node_out = arena_calloc(p->arena, 1, size);
    int status = *node_out == NULL ? arena_error(p->arena) : 0;
    return status != 0 ? err_set(p->e, status, -1, "%s", err_text(status)) : 0;
}

/* ---- Sets of spans ---- */

static int parse_pipeline(struct traceql_parser *p, const struct traceql_stage **stages_out);
static int parse_spansets(struct traceql_parser *p, const struct traceql_spanset **spanset_out);

static int make_spanset(
    struct traceql_parser *p, struct traceql_spanset from, const struct traceql_spanset **out)
{
    void *node;
    int status = traceql_parser_node(p, sizeof(from), &node);
    if (status == 0) {
        *(struct traceql_spanset *)node = from;
        *out = node;
    }
    return status;
}

int traceql_parser_filter(struct traceql_parser *p, const struct traceql_expr **expr_out)
{
    size_t position = p->token.position;
    *expr_out = NULL;
    int status = traceql_parser_take(p, TRACEQL_TOKEN_LEFT_BRACE, "\"{\"");
    if (status == 0 && !traceql_parser_at(p, TRACEQL_TOKEN_RIGHT_BRACE)) {
        status = traceql_parser_expr(p, expr_out);
        if (status == 0 && (*expr_out)->type != TRACEQL_BOOL && (*expr_out)->type != TRACEQL_ANY) {
            return traceql_parser_fail(p, position, "braces want a condition, true or false");
        }
    }
    return status == 0 ? traceql_parser_take(p, TRACEQL_TOKEN_RIGHT_BRACE, "an operator or \"}\"")
                       : status;
}

static int parse_filter(struct traceql_parser *p, const struct traceql_spanset **spanset_out)
{
    struct traceql_spanset made = {.kind = TRACEQL_SPANSET_FILTER};
    int status = traceql_parser_filter(p, &made.expr);
    return status == 0 ? make_spanset(p, made, spanset_out) : status;
}

/* ( … ): a pipeline, or spansets only, which need no stages of their own. */
static int parse_group(struct traceql_parser *p, const struct traceql_spanset **spanset_out)
{
    const struct traceql_stage *stages;
    int status = traceql_parser_enter(p);
    status = status == 0 ? traceql_parser_advance(p) : status;
    status = status == 0 ? parse_pipeline(p, &stages) : status;
    if (status == 0 && traceql_parser_at_function(p)) {
        return traceql_parser_fail(p, p->token.position,
            "series are made at the end of a query, without parentheses: arithmetic of series is "
            "not supported");
    }
    status = status == 0 ? take_close(p) : status;
    if (status != 0) {
        return status;
    }
    p->depth--;
    if (stages->next == NULL && stages->kind == TRACEQL_STAGE_SPANSET) {
        *spanset_out = stages->spanset;
        return 0;
    }
    return make_spanset(p,
        (struct traceql_spanset){.kind = TRACEQL_SPANSET_PIPELINE, .stages = stages}, spanset_out);
}

static int parse_one_set(struct traceql_parser *p, const struct traceql_spanset **spanset_out)
{
    if (traceql_parser_at(p, TRACEQL_TOKEN_LEFT_BRACE)) {
        return parse_filter(p, spanset_out);
    }
    return traceql_parser_at(p, TRACEQL_TOKEN_LEFT_PAREN) ? parse_group(p, spanset_out)
                                                          : traceql_parser_expected(p, "\"{\"");
}

static bool is_structural(const struct traceql_token *t)
{
    return t->kind == TRACEQL_TOKEN_OPERATOR &&
           (t->op == TRACEQL_GT || t->op == TRACEQL_LT || t->op == TRACEQL_NRE ||
               t->op >= TRACEQL_DESCENDANT);
}

static bool is_join(const struct traceql_token *t)
{
    return t->kind == TRACEQL_TOKEN_OPERATOR && (t->op == TRACEQL_AND || t->op == TRACEQL_OR);
}

static int parse_joined(struct traceql_parser *p, bool joins(const struct traceql_token *),
    int parse_side(struct traceql_parser *, const struct traceql_spanset **),
    const struct traceql_spanset **spanset_out)
{
    const struct traceql_spanset *left = NULL, *right = NULL;
    int status = parse_side(p, &left);
    while (status == 0 && joins(&p->token)) {
        enum traceql_operator op = p->token.op;
        status = traceql_parser_advance(p);
        status = status == 0 ? parse_side(p, &right) : status;
        if (status == 0) {
            const struct traceql_spanset made = {
                .kind = TRACEQL_SPANSET_OPERATION, .op = op, .left = left, .right = right};
            status = make_spanset(p, made, &left);
        }
    }
    *spanset_out = left;
    return status;
}

static int parse_related(struct traceql_parser *p, const struct traceql_spanset **spanset_out)
{
    return parse_joined(p, is_structural, parse_one_set, spanset_out);
}

static int parse_spansets(struct traceql_parser *p, const struct traceql_spanset **spanset_out)
{
    return parse_joined(p, is_join, parse_related, spanset_out);
}

/* ---- Lists of fields ---- */

int traceql_parser_fields(
    struct traceql_parser *p, const struct traceql_field **fields, size_t *count_out)
{
    int status = take_open(p);
    for (*count_out = 0; status == 0;) {
        if (*count_out == TRACEQL_FIELDS_MAX) {
            return traceql_parser_fail(
                p, p->token.position, "a list of more than %d fields", TRACEQL_FIELDS_MAX);
        }
        status = traceql_parser_field(p, &fields[(*count_out)++]);
        if (status != 0 || !traceql_parser_at(p, TRACEQL_TOKEN_COMMA)) {
            break;
        }
        status = traceql_parser_advance(p);
    }
    return status == 0 ? take_close(p) : status;
}

/* ---- Stages ---- */

struct str traceql_parser_text_since(const struct traceql_parser *p, size_t begun)
{
    return str_make(p->lexer.text.ptr + begun, p->taken - begun);
}

bool traceql_parser_at_order(const struct traceql_parser *p)
{
    return p->token.kind == TRACEQL_TOKEN_OPERATOR && p->token.op >= TRACEQL_EQ &&
           p->token.op <= TRACEQL_GE;
}

static int parse_by(struct traceql_parser *p, struct traceql_stage *s)
{
    size_t begun = p->token.position;
    int status = traceql_parser_advance(p);
    status = status == 0 ? take_open(p) : status;
    status = status == 0 ? traceql_parser_expr(p, &s->expr) : status;
    status = status == 0 ? take_close(p) : status;
    s->text = traceql_parser_text_since(p, begun);
    return status;
}

static int parse_select(struct traceql_parser *p, struct traceql_stage *s)
{
    const struct traceql_field **fields =
        arena_calloc(p->arena, TRACEQL_FIELDS_MAX, sizeof(*fields));
    if (fields == NULL) {
        return err_set(p->e, arena_error(p->arena), -1, "%s", err_text(arena_error(p->arena)));
    }
    int status = traceql_parser_advance(p);
    s->fields = fields;
    return status == 0 ? traceql_parser_fields(p, fields, &s->field_count) : status;
}

static int parse_stage(struct traceql_parser *p, struct traceql_stage *s)
{
    bool scalar;
    if (traceql_parser_at_word(p, "by")) {
        s->kind = TRACEQL_STAGE_BY;
        return parse_by(p, s);
    }
    if (traceql_parser_at_word(p, "select")) {
        s->kind = TRACEQL_STAGE_SELECT;
        return parse_select(p, s);
    }
    if (traceql_parser_at_word(p, "coalesce")) {
        s->kind = TRACEQL_STAGE_COALESCE;
        int status = traceql_parser_advance(p);
        status = status == 0 ? take_open(p) : status;
        return status == 0 ? take_close(p) : status;
    }
    int status = traceql_parser_at_scalar(p, &scalar);
    if (status != 0) {
        return status;
    }
    s->kind = scalar ? TRACEQL_STAGE_SCALAR : TRACEQL_STAGE_SPANSET;
    return scalar ? traceql_parser_scalar_filter(p, s) : parse_spansets(p, &s->spanset);
}

/* ---- The whole ---- */

/* Ends in front of a function of metrics, which only the outermost pipeline may have. */
static int parse_pipeline(struct traceql_parser *p, const struct traceql_stage **stages_out)
{
    const struct traceql_stage **link = stages_out;
    int status = 0;
    *stages_out = NULL;
    while (status == 0) {
        void *node;
        status = traceql_parser_node(p, sizeof(struct traceql_stage), &node);
        struct traceql_stage *stage = status == 0 ? node : NULL;
        status = status == 0 ? parse_stage(p, stage) : status;
        if (status != 0) {
            break;
        }
        *link = stage;
        link = &stage->next;
        if (!traceql_parser_at(p, TRACEQL_TOKEN_PIPE)) {
            break;
        }
        status = traceql_parser_advance(p);
        if (status == 0 && traceql_parser_at_function(p)) {
            break;
        }
    }
    return status;
}

/* with (most_recent=true, …) */
static int skip_hints(struct traceql_parser *p)
{
    int status = traceql_parser_advance(p);
    status = status == 0 ? take_open(p) : status;
    while (status == 0) {
        struct traceql_value unused;
        status = traceql_parser_take(p, TRACEQL_TOKEN_WORD, "the name of a hint");
        if (status == 0 && !traceql_parser_at_operator(p, TRACEQL_EQ)) {
            return traceql_parser_expected(p, "\"=\"");
        }
        status = status == 0 ? traceql_parser_advance(p) : status;
        status = status == 0 ? traceql_parser_literal(p, &unused) : status;
        if (status != 0 || !traceql_parser_at(p, TRACEQL_TOKEN_COMMA)) {
            break;
        }
        status = traceql_parser_advance(p);
    }
    return status == 0 ? take_close(p) : status;
}

static int parse_query(struct traceql_parser *p, struct traceql_query *query)
{
    int status = traceql_parser_advance(p);
    status = status == 0 ? parse_pipeline(p, &query->stages) : status;
    if (status == 0 && traceql_parser_at_function(p)) {
        status = traceql_parser_metrics(p, &query->metrics);
    }
    while (status == 0 && traceql_parser_at_word(p, "with")) {
        status = skip_hints(p);
    }
    if (status == 0 && !traceql_parser_at(p, TRACEQL_TOKEN_END)) {
        status = traceql_parser_expected(p, "\"|\" or the end");
    }
    return status;
}

static int begin(struct traceql_parser *p, struct str text, struct arena *arena, struct err *e)
{
    if (text.len > TRACEQL_BYTES_MAX) {
        return err_set(e, ERR_LIMIT, -1, "TraceQL: more than %d bytes", TRACEQL_BYTES_MAX);
    }
    /* The tree's names are slices of it. */
    char *copy = arena_strndup(arena, text.len > 0 ? text.ptr : "", text.len);
    if (copy == NULL) {
        return err_set(e, arena_error(arena), -1, "%s", err_text(arena_error(arena)));
    }
    p->lexer = (struct traceql_lexer){.text = str_make(copy, text.len), .arena = arena};
    p->arena = arena;
    p->e = e;
    return 0;
}

int traceql_parse(
    struct str text, struct arena *arena, const struct traceql_query **query_out, struct err *e)
{
    struct err unused = ERR_INIT;
    struct traceql_parser *p = arena_calloc(arena, 1, sizeof(*p));
    struct traceql_query *query = arena_calloc(arena, 1, sizeof(*query));
    e = e != NULL ? e : &unused;
    if (p == NULL || query == NULL) {
        return err_set(e, arena_error(arena), -1, "%s", err_text(arena_error(arena)));
    }
    int status = begin(p, text, arena, e);
    status = status == 0 ? parse_query(p, query) : status;
    if (status != 0) {
        return e->code != 0 ? status : err_set(e, status, -1, "%s", err_text(status));
    }
    query->fields = p->fields;
    query->field_count = p->field_count;
    *query_out = query;
    return 0;
}

int traceql_parse_field(
    struct str text, struct arena *arena, const struct traceql_field **field_out, struct err *e)
{
    struct err unused = ERR_INIT;
    struct traceql_parser *p = arena_calloc(arena, 1, sizeof(*p));
    e = e != NULL ? e : &unused;
    if (p == NULL) {
        return err_set(e, arena_error(arena), -1, "%s", err_text(arena_error(arena)));
    }
    int status = begin(p, text, arena, e);
    status = status == 0 ? traceql_parser_advance(p) : status;
    status = status == 0 ? traceql_parser_field(p, field_out) : status;
    if (status == 0 && !traceql_parser_at(p, TRACEQL_TOKEN_END)) {
        status = traceql_parser_expected(p, "the end");
    }
    return status != 0 && e->code == 0 ? err_set(e, status, -1, "%s", err_text(status)) : status;
}
