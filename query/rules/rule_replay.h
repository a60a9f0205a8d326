/* Rules over stored history: the live evaluation, called for each time of the past. Alerts begin with no
 * state; for, keep_firing_for, limit, templates and ends of series are what they are live. */
#ifndef SONDE_QUERY_RULE_REPLAY_H
#define SONDE_QUERY_RULE_REPLAY_H

#include "rules/rule_group.h"

struct rule_replay_options {
    struct engine *engine;
    struct querier_source *reads;
    struct appender_source *writes; /* NULL: nothing is written, and groups do not see each other */
    int64_t interval_ms;            /* of groups that name none; 0 = RULES_INTERVAL_MS_DEFAULT */
    int64_t start_ms, end_ms;       /* both included */
    /* Told each change of an alert, in order of time. May be NULL. */
    void (*changed)(void *context, const struct rule_definition *rule,
        const struct alert_instance *instance, enum alert_change change, int64_t at_ms);
    void *context;
};

struct rule_replay_counts {
    size_t groups;
    uint64_t evaluations; /* of groups */
    uint64_t failures;    /* of rules */
};

/* Evaluates each group at its own times, all groups in order of time. ERR_INVALID a template does not parse,
 * an end before the start; ERR_NOMEM. */
int rule_replay(const struct rule_replay_options *options, struct rule_file *const *files,
    size_t file_count, struct rule_replay_counts *counts_out, struct err *e);

#endif
