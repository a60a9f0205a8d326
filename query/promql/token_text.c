/* How sentences of errors name tokens, in Prometheus' words. */
#include "lexer.h"
#include "literals.h"

/* Longest text of a token that is shown whole. */
#define TOKEN_SHOWN_MAX 10

static void describe_text(struct str text, struct strbuf *out)
{
    if (text.len <= TOKEN_SHOWN_MAX) {
        promql_write_quoted(text, out);
        return;
    }
    size_t shown = 0;
    for (int runes = 0; runes < TOKEN_SHOWN_MAX && shown < text.len; runes++) {
        size_t width;
        (void)rune_decode(str_skip(text, shown), &width);
        shown += width;
    }
    promql_write_quoted(str_make(text.ptr, shown), out);
    strbuf_add_c(out, "...");
}

void token_describe(const struct token *t, struct strbuf *out)
{
    switch (t->kind) {
    case TOKEN_EOF:
        strbuf_add_c(out, "end of input");
        break;
    case TOKEN_ERROR:
        strbuf_add_c(out, "error ");
        strbuf_add_str(out, t->text);
        break;
    case TOKEN_IDENTIFIER:
    case TOKEN_METRIC_IDENTIFIER:
        strbuf_add_c(out, t->kind == TOKEN_IDENTIFIER ? "identifier " : "metric identifier ");
        promql_write_quoted(t->text, out);
        break;
    case TOKEN_NUMBER:
        strbuf_add_c(out, "number ");
        describe_text(t->text, out);
        break;
    case TOKEN_DURATION:
        strbuf_add_c(out, "duration ");
        describe_text(t->text, out);
        break;
    case TOKEN_STRING:
        strbuf_add_c(out, "string ");
        describe_text(t->text, out);
        break;
    case TOKEN_BINARY:
    case TOKEN_EQL_REGEX:
    case TOKEN_NEQ_REGEX:
    case TOKEN_AT:
        strbuf_addf(out, "<op:%.*s>", STR_ARG(t->text));
        break;
    case TOKEN_AGGREGATE:
        strbuf_addf(out, "<aggr:%.*s>", STR_ARG(t->text));
        break;
    case TOKEN_KEYWORD:
        if (t->keyword < KEYWORD_START) {
            strbuf_addf(out, "<%.*s>", STR_ARG(t->text));
        } else {
            describe_text(t->text, out);
        }
        break;
    default:
        describe_text(t->text, out);
        break;
    }
}
