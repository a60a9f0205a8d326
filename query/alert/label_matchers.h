/* Matchers as Alertmanager's file and API write them: `severity=~"page|ticket"`, or several of them,
 * `{team="sre", severity!=info}`. All must match.
 *
 * Both of Alertmanager's grammars are read: the classic one (names of letters, digits, `_` and `:`;
 * values with or without quotes) and the one for any UTF-8 (quoted names too). In quotes `\n`, `\"` and
 * `\\` are escapes and any other backslash is itself, which regular expressions need.
 */
#ifndef SONDE_QUERY_LABEL_MATCHERS_H
#define SONDE_QUERY_LABEL_MATCHERS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "base/str.h"
#include "base/strbuf.h"
#include "model/labels.h"
#include "model/matcher.h"

/* Of one set. */
#define LABEL_MATCHERS_MAX 128
/* Of the text of one set. */
#define LABEL_MATCHERS_BYTES_MAX ((size_t)64 << 10)

struct label_matchers {
    struct matcher **items; /* owned; sorted by name once label_matchers_sort was called */
    size_t count, cap;
};

/* Adds what `text` lists to the set. ERR_INVALID with the position of what is wrong, ERR_LIMIT, ERR_NOMEM: the
 * set may have grown, and is still to be released. */
int label_matchers_parse(struct label_matchers *set, struct str text, struct err *e);
/* Adds one. */
int label_matchers_add(struct label_matchers *set, enum matcher_type type, struct str name,
    struct str value, struct err *e);
void label_matchers_sort(struct label_matchers *set);
/* The set is empty after. */
void label_matchers_release(struct label_matchers *set);
/* An empty set matches everything. */
bool label_matchers_match(const struct label_matchers *set, const struct labels *labels);
/* Sorted sets only. */
bool label_matchers_eq(const struct label_matchers *a, const struct label_matchers *b);
/* `{a="b",c=~"d"}`. */
void label_matchers_write(const struct label_matchers *set, struct strbuf *out);

#endif
