/* How long which series are kept, as the configuration says it: "<selector>: <duration>", for example
 * `{job="debug"}: 2d` or `up: 0`. The first rule that matches a series counts; 0 = for ever.
 */
#ifndef SONDE_QUERY_SERVER_RETENTION_RULES_H
#define SONDE_QUERY_SERVER_RETENTION_RULES_H

#include "base/arena.h"
#include "base/config.h"
#include "base/err.h"
#include "tsdb/tsdb.h"

/* As many as the store takes. */
#define RETENTION_RULES_TEXT_MAX 63

/* Rules and matchers live in `arena`. ERR_INVALID with a sentence that quotes the rule. */
int retention_rules_parse(struct arena *arena, const struct config_strings *texts,
    struct tsdb_retention_rule **rules_out, size_t *count_out, struct err *e);

#endif
