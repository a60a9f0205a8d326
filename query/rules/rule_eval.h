/* One rule, evaluated once: its expression's answer becomes samples, or alerts and their samples. The same
 * code for live evaluation, unit tests and replay. */
#ifndef SONDE_QUERY_RULE_EVAL_H
#define SONDE_QUERY_RULE_EVAL_H

#include "base/hash.h"
#include "base/lock.h"
#include "query/engine.h"
#include "query/rule_definition.h"
#include "rules/alert_states.h"
#include "rules/group_writes.h"
#include "rules/rule_series.h"
#include "rules/rule_texts.h"

/* A rule and all that lives from one evaluation to the next. Zeroed, then `definition` set. */
struct rule_run {
    const struct rule_definition *definition;
    struct rule_texts *texts; /* of an alerting rule */
    struct hash128 key;       /* names the rule in the journal */
    struct rule_series series;
    /* Below: read by those who show rules, under the group's lock. */
    struct alert_states states;
    enum rule_health health;
    char *last_error; /* NULL: none */
    int64_t evaluated_at_ms, evaluation_ns;
};

/* Owned members go; the struct is the caller's. */
void rule_run_release(struct rule_run *r);

/* What an evaluation is made with. */
struct rule_world {
    struct engine *engine;
    struct querier_source *source; /* the group's view */
    const struct engine_query_options *query;
    struct clock *clock;
    struct vfs *fs;
    const struct labels *external_labels; /* NULL = none */
    struct str external_url, path_prefix;
    struct lock *lock; /* held while states change; NULL: nobody else looks */
};

struct rule_evaluation {
    int64_t at_ms;           /* of the group */
    int64_t query_offset_ms; /* queries and samples are so much earlier */
    size_t limit;
    struct group_writes *writes;
    /* Told each change of an alert; see struct alert_step. May be NULL. */
    void (*changed)(void *context, const struct alert_instance *instance, enum alert_change change);
    void *context;
    /* Between the step and the samples: may set active_at_ms of alerts that began. May be NULL. */
    void (*began)(void *context, struct rule_run *rule);
    size_t samples; /* out: written, ends of series not counted */
};

/* 0, or an error whose sentence is the rule's last error: the query's; ERR_INVALID "rule result is not a
 * vector or scalar", equal label sets; ERR_LIMIT; ERR_EXISTS. Then nothing is written of the rule, except
 * after ERR_EXISTS, where what another rule wrote already is left out. */
int rule_run_evaluate(struct rule_run *r, const struct rule_world *world,
    struct rule_evaluation *evaluation, struct err *e);

#endif
