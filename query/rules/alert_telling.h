/* The alerts of a rule on their way out: which are due, and as what they are told. */
#ifndef SONDE_QUERY_ALERT_TELLING_H
#define SONDE_QUERY_ALERT_TELLING_H

#include "query/alert.h"
#include "rules/rule_eval.h"

struct alert_telling {
    struct alert_sink *sink;
    const struct labels *external_labels; /* put on alerts that have not got them; NULL = none */
    struct str external_url;
    int64_t at_ms;
    int64_t interval_ms; /* of the group */
};

/* Sends the alerts that are due. Returns how many were not taken: they are due again at the next
 * evaluation. */
size_t alerts_tell(const struct alert_telling *telling, struct rule_run *rule);

/* "http://host/graph?g0.expr=…&g0.tab=1", where the expression of an alert is looked at. */
void alert_generator_url(struct str external_url, struct str expr, struct strbuf *out);

#endif
