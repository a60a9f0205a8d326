/* Which alerts need not be told because another one fires. Pure: an index of the alerts that fire and
 * match the source side of a rule, built anew when alerts have changed.
 *
 * As in Alertmanager: `equal` labels that are absent on both sides are equal; an alert that matches both sides
 * of a rule is not inhibited by another that does so too, or the two would silence each other.
 */
#ifndef SONDE_QUERY_INHIBITION_H
#define SONDE_QUERY_INHIBITION_H

#include "alert/alert_item.h"
#include "alert/alerting_config.h"

struct inhibition_source {
    uint64_t equal_hash;
    const struct alert_item *item; /* borrowed until the index is built anew */
};

struct inhibition_rule_index {
    struct inhibition_source *sources; /* by equal_hash */
    size_t count, cap;
};

struct inhibition_index {
    struct inhibition_rule_index *rules; /* one for each of the configuration */
    size_t rule_count;
};

/* Sources of one rule. */
#define INHIBITION_SOURCES_MAX ((size_t)1 << 20)

/* Empty, for a configuration. 0 or ERR_NOMEM. */
int inhibition_index_begin(struct inhibition_index *index, const struct alerting_config *config);
/* Adds one that fires. 0, ERR_NOMEM, ERR_LIMIT. */
int inhibition_index_add(struct inhibition_index *index, const struct alerting_config *config,
    const struct alert_item *item);
void inhibition_index_finish(struct inhibition_index *index);
void inhibition_index_release(struct inhibition_index *index);
/* The one that inhibits alerts of these labels at the time, or NULL. */
const struct alert_item *inhibition_of(const struct inhibition_index *index,
    const struct alerting_config *config, const struct labels *labels, int64_t now_ms);

#endif
