/* Compression of replies, the rule for other origins, and the sentences of refusals. */
#include "http_reply.h"

#include "base/gzip.h"
#include "http_match.h"
#include "http_params.h"

enum {
    /* Replies up to this are not worth compressing. */
    GZIP_BYTES_MIN = 1024,
    /* Answers of queries come out at level 3 a few bytes smaller, for twice the time. */
    GZIP_LEVEL = 1,
    /* How much of a method a sentence quotes. */
    METHOD_QUOTE_MAX = 32,
};

bool http_reply_is_compressible(const char *content_type, size_t size)
{
    return size > GZIP_BYTES_MIN && content_type != NULL &&
           http_is_compressible(str_of(content_type));
}

bool http_reply_compress(struct strbuf *body)
{
    struct strbuf packed;
    strbuf_init(&packed, 0);
    if (gzip_encode(strbuf_str(body), GZIP_LEVEL, &packed) != 0 || packed.size >= body->size) {
        strbuf_release(&packed);
        return false;
    }
    strbuf_release(body);
    *body = packed;
    return true;
}

struct str http_reply_allowed_origin(
    const struct regex *pattern, struct str origin, struct str method)
{
    if (pattern == NULL) {
        bool reads =
            str_eq_c(method, "GET") || str_eq_c(method, "HEAD") || str_eq_c(method, "OPTIONS");
        return reads ? STR("*") : STR("");
    }
    return origin.len > 0 && regex_matches(pattern, origin) ? origin : STR("");
}

void http_reply_refusal(
    unsigned status, struct str method, const char *allowed, size_t body_max, struct strbuf *out)
{
    switch (status) {
    case 400:
        strbuf_addf(out,
            "The request has more than %d parameters, or says in two ways how long it is.\n",
            HTTP_PARAMS_MAX);
        break;
    case 401:
        strbuf_add_c(out, "Unauthorized: name and password are wanted.\n");
        break;
    case 404:
        strbuf_add_c(out, "There is nothing at this path.\n");
        break;
    case 405:
        method.len = method.len < METHOD_QUOTE_MAX ? method.len : METHOD_QUOTE_MAX;
        strbuf_addf(
            out, "%.*s is not answered at this path; it takes %s.\n", STR_ARG(method), allowed);
        break;
    case 413:
        strbuf_addf(out, "The body is larger than the %zu bytes accepted.\n", body_max);
        break;
    default:
        strbuf_add_c(out, "The server has no room for this request now; try again later.\n");
        break;
    }
}
