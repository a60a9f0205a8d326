/* How long what is kept, as the configuration says it: "<what>: <duration>". Of series what is a selector, for
 * example `{job="debug"}: 2d` or `up: 0`, of spans a pattern of services, `checkout|cart: 90d`. The first rule
 * that matches a series, or a service, counts; 0 = for ever.
 */
#ifndef SONDE_QUERY_SERVER_RETENTION_RULES_H
#define SONDE_QUERY_SERVER_RETENTION_RULES_H

#include "base/arena.h"
#include "base/config.h"
#include "base/err.h"
#include "tsdb/span_rule.h"
#include "tsdb/tsdb.h"

/* As many as the store takes. */
#define RETENTION_RULES_TEXT_MAX 63

/* Rules and matchers live in `arena`. ERR_INVALID with a sentence that quotes the rule. */
int retention_rules_parse(struct arena *arena, const struct config_strings *texts,
    struct tsdb_retention_rule **rules_out, size_t *count_out, struct err *e);

/* The same of traces.retention_services; texts are borrowed. */
int retention_services_parse(struct arena *arena, const struct config_strings *texts,
    struct span_retention_rule **rules_out, size_t *count_out, struct err *e);

#endif
