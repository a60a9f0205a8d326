/* Regular expressions: RE2 syntax and Go's "(?<name>", linear time on any pattern and text. The one
 * file that includes RE2 is base/base/regex_shim.cc.
 *
 * Compiled patterns are immutable and may be shared between threads.
 */
#ifndef SONDE_BASE_REGEX_H
#define SONDE_BASE_REGEX_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "base/str.h"
#include "base/strbuf.h"

struct regex;

/* Longest pattern, and RE2's memory budget for one program. */
#define REGEX_PATTERN_MAX ((size_t)64 << 10)
#define REGEX_MEMORY_MAX ((size_t)8 << 20)

/* Fully anchored, dot matches newline: `^(?s:pattern)$`, as matchers and relabelling read patterns.
 * ERR_INVALID with RE2's sentence, ERR_LIMIT for one too large, ERR_NOMEM. */
int regex_new(struct str pattern, struct regex **regex_out, struct err *e);
/* As Go's regexp.MustCompile reads a pattern: it may match anywhere, and the dot stops at the end of a
 * line. For regex_found and regex_replace_all; has no hints. */
int regex_new_unanchored(struct str pattern, struct regex **regex_out, struct err *e);
void regex_free(struct regex *r);
bool regex_matches(const struct regex *r, struct str text);
/* Number of capturing groups. */
size_t regex_group_count(const struct regex *r);
/* Matches `text` and expands `$1`, `${1}`, `${name}`, `$$` of `replacement` (Go's Regexp.Expand
 * rules: `$name` takes the longest run of letters, digits and underscores; unknown groups are
 * empty) onto `out`. Returns 1 when it matched, 0 when not. */
int regex_expand(
    const struct regex *r, struct str text, struct str replacement, struct strbuf *out);

/* Of an unanchored pattern: it matches somewhere in `text`. */
bool regex_found(const struct regex *r, struct str text);
/* Of an unanchored pattern: `text` with every match replaced by the expansion of `replacement`, onto `out`
 * (Go's Regexp.ReplaceAllString: no empty match right after another match). 0 or ERR_NOMEM. */
int regex_replace_all(
    const struct regex *r, struct str text, struct str replacement, struct strbuf *out);

/* What an index can use instead of running the pattern over every value. Filled at compile time. */
struct regex_hints {
    /* When count > 0 the pattern matches exactly these strings and no others: "a|b|c", "x(y|z)",
     * "literal". At most REGEX_LITERALS_MAX. */
    const struct str *literals;
    size_t literal_count;
    /* Every match begins with this (may be empty). */
    struct str prefix;
    /* ".*" and ".+" exactly. */
    bool matches_everything;
    bool matches_any_nonempty;
    bool matches_empty; /* the pattern matches "" */
};

#define REGEX_LITERALS_MAX 1024

/* Borrowed from `r`. */
const struct regex_hints *regex_hints(const struct regex *r);

#endif
