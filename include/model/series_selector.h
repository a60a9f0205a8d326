/* Which series a rule is for: `name{label="value", other=~"pattern"}`, the selector of PromQL without
 * its ranges. An immutable object; one thread. */
#ifndef SONDE_MODEL_SERIES_SELECTOR_H
#define SONDE_MODEL_SERIES_SELECTOR_H

#include <stdbool.h>
#include <stddef.h>

#include "model/matcher.h"

#define SERIES_SELECTOR_MATCHERS_MAX 64

struct series_selector {
    struct matcher *matchers[SERIES_SELECTOR_MATCHERS_MAX];
    size_t count;
};

/* ERR_INVALID with a sentence and the position in the text; ERR_LIMIT, ERR_NOMEM. */
int series_selector_parse(struct str text, struct series_selector *out, struct err *e);
void series_selector_release(struct series_selector *s);
/* Labels in any order. */
bool series_selector_matches(
    const struct series_selector *s, const struct label *labels, size_t count);

#endif
