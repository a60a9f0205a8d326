/* A condition on one label: = != =~ !~. A label that is absent has the empty value. Immutable and
 * shareable after it is made. */
#ifndef SONDE_MODEL_MATCHER_H
#define SONDE_MODEL_MATCHER_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "base/regex.h"
#include "base/str.h"
#include "model/labels.h"

enum matcher_type { MATCHER_EQUAL, MATCHER_NOT_EQUAL, MATCHER_REGEX, MATCHER_NOT_REGEX };

struct matcher {
    enum matcher_type type;
    struct str name;  /* zero-terminated copies, owned */
    struct str value; /* literal, or pattern */
    struct regex *regex;
};

/* Copies name and value. ERR_INVALID with the pattern's complaint, ERR_LIMIT, ERR_NOMEM. */
int matcher_new(enum matcher_type type, struct str name, struct str value,
    struct matcher **matcher_out, struct err *e);
void matcher_free(struct matcher *m);
/* Does a label of this value (empty = absent) satisfy the condition? */
bool matcher_matches(const struct matcher *m, struct str value);
/* All conditions on one set. */
bool matchers_match(const struct matcher *const *matchers, size_t count, const struct labels *l);
/* `name="value"`, as PromQL prints it. */
void matcher_write(const struct matcher *m, struct strbuf *out);

#endif
