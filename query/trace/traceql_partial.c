/* A query that is being typed: `{ resource.service.name = "cart" && span.http.` is asked for names of attributes, and
 * those of the cart are wanted.
 *
 * What counts are the conditions of the first braces that can be read by themselves, as far as && joins them. With || or
 * further braces nothing is known of the span that is being described: then it may be any.
 */
#include "base/strbuf.h"
#include "trace/traceql_lexer.h"

struct gathering {
    struct strbuf whole; /* { true && … */
    struct arena *arena;
    bool any; /* nothing is known */
};

/* A condition that can be read by itself joins the others. */
static int keep_condition(struct gathering *g, struct str condition)
{
    const struct traceql_query *query;
    struct err unused = ERR_INIT;
    struct strbuf text;
    if (condition.len == 0) {
        return 0;
    }
    strbuf_init(&text, TRACEQL_BYTES_MAX);
    strbuf_add_c(&text, "{ ");
    strbuf_add_str(&text, condition);
    strbuf_add_c(&text, " }");
    int status = strbuf_error(&text);
    status = status == 0 ? traceql_parse(strbuf_str(&text), g->arena, &query, &unused) : status;
    if (status == 0) {
        strbuf_add_c(&g->whole, " && (");
        strbuf_add_str(&g->whole, condition);
        strbuf_add_char(&g->whole, ')');
    }
    strbuf_release(&text);
    return status == ERR_NOMEM ? status : 0;
}

/* Up to the closing brace, the end, or what is no token. */
static int gather(struct gathering *g, struct traceql_lexer *lexer)
{
    struct traceql_token t;
    struct err unused = ERR_INIT;
    size_t begun = lexer->at;
    int depth = 0, status = 0;
    while (status == 0 && !g->any && traceql_lexer_next(lexer, &t, &unused) == 0) {
        bool ends = t.kind == TRACEQL_TOKEN_END || t.kind == TRACEQL_TOKEN_RIGHT_BRACE;
        bool joins = t.kind == TRACEQL_TOKEN_OPERATOR && t.op == TRACEQL_AND;
        depth += t.kind == TRACEQL_TOKEN_LEFT_PAREN;
        depth -= t.kind == TRACEQL_TOKEN_RIGHT_PAREN;
        if (ends || (joins && depth == 0)) {
            struct str condition = str_make(lexer->text.ptr + begun, t.position - begun);
            status = keep_condition(g, str_trim(condition));
            begun = t.end;
        }
        g->any |= depth == 0 && t.kind == TRACEQL_TOKEN_OPERATOR && t.op == TRACEQL_OR;
        if (ends) {
            g->any |= t.kind == TRACEQL_TOKEN_RIGHT_BRACE &&
                      traceql_lexer_next(lexer, &t, &unused) == 0 && t.kind != TRACEQL_TOKEN_END;
            break;
        }
    }
    return status;
}

int traceql_parse_partial(
    struct str text, struct arena *arena, const struct traceql_query **query_out, struct err *e)
{
    struct err unused = ERR_INIT;
    struct gathering g = {.arena = arena};
    struct traceql_token t = {.kind = TRACEQL_TOKEN_END};
    struct traceql_lexer lexer = {.text = text, .arena = arena};
    if (text.len > 0 && traceql_parse(text, arena, query_out, &unused) == 0) {
        return 0;
    }
    strbuf_init(&g.whole, 2 * TRACEQL_BYTES_MAX);
    strbuf_add_c(&g.whole, "{ true");
    int status = 0;
    g.any = text.len > TRACEQL_BYTES_MAX || traceql_lexer_next(&lexer, &t, &unused) != 0 ||
            t.kind != TRACEQL_TOKEN_LEFT_BRACE;
    if (!g.any) {
        status = gather(&g, &lexer);
    }
    strbuf_add_c(&g.whole, " }");
    status = status == 0 ? strbuf_error(&g.whole) : status;
    /* Together they may be more than a query may be. */
    bool whole = status == 0 && !g.any &&
                 traceql_parse(strbuf_str(&g.whole), arena, query_out, &unused) == 0;
    strbuf_release(&g.whole);
    if (status != 0 && status != ERR_LIMIT) {
        return err_set(e, status, -1, "%s", err_text(status));
    }
    return whole ? 0 : traceql_parse(STR("{}"), arena, query_out, e);
}
