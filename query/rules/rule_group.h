/* A group of rules with what lives from one evaluation to the next. The evaluation itself is a function of
 * the group, the world and a time; who calls it, and when, is the manager's business, a test's or a
 * replay's. */
#ifndef SONDE_QUERY_RULE_GROUP_H
#define SONDE_QUERY_RULE_GROUP_H

#include "query/alert.h"
#include "query/rule_definition.h"
#include "rules/rule_eval.h"
#include "rules/rule_file.h"
#include "rules/rules_journal.h"
#include "tsdb/appender.h"

struct rules;

/* What all groups share; constant while they run. */
struct rules_environment {
    struct engine *engine;
    struct querier_source *reads;
    struct appender_source *writes; /* NULL: nothing is stored */
    struct clock *clock;
    struct vfs *fs;
    struct alert_sink *sink;              /* NULL: nobody is told */
    const struct labels *external_labels; /* NULL: none */
    struct str external_url, path_prefix;
    int64_t interval_ms, query_offset_ms; /* of groups that name none */
    struct engine_query_options query;
    struct rules_journal *journal; /* NULL: states are not kept */
    /* Told each change of an alert, beside the journal; may be NULL. */
    void (*changed)(void *context, const struct rule_definition *rule,
        const struct alert_instance *instance, enum alert_change change, int64_t at_ms);
    void *context;
};

/* The path_prefix of an external_url: "/prefix" of "http://host:9095/prefix", a slice of it. */
struct str rules_url_path(struct str url);

struct rule_group {
    struct rule_file *file; /* a reference, which keeps the definition */
    const struct rule_group_definition *definition;
    int64_t interval_ms, query_offset_ms;
    struct hash128 key;
    struct rule_run *rules;
    size_t rule_count;
    struct rule_series gone;      /* of rules that are no more: ended by the next evaluation */
    struct state_changes changes; /* not durable yet */
    struct state_changes
        later;           /* before the changes of the next evaluation: series are ended by then */
    bool journal_behind; /* `changes` are not all: every state has to be written */
    int64_t journaled_at_ms; /* what the journal says of the last evaluation */
    bool import;             /* takes ALERTS_FOR_STATE at its first evaluation */
    /* The manager's, under its lock. */
    struct rules *owner;
    bool written; /* over HTTP: the file is a namespace */
    bool busy, leaving;
    int64_t due_ms;
    struct lock lock; /* guards the members of rules that say so, and what follows */
    int64_t evaluated_at_ms, evaluation_ns;
    uint64_t iterations, missed, evaluations, failures, samples;
};

/* Takes a reference to the file. ERR_INVALID a template does not parse: "FILE:LINE: group …"; ERR_NOMEM. */
int rule_group_new(struct rule_file *file, const struct rule_group_definition *definition,
    const struct rules_environment *env, struct rule_group **group_out, struct err *e);
/* Accepts NULL. */
void rule_group_free(struct rule_group *g);

/* The last time of the group that is not after `now_ms`: k · interval + hash mod interval. */
int64_t rule_group_slot(const struct rule_group *g, int64_t now_ms);

/* Takes alerts and series of the rules of the same name and labels, the first from the first; what is left
 * of series is ended at the next evaluation, what is left of alerts is deleted from the journal then. */
int rule_group_take_over(struct rule_group *g, struct rule_group *from);
/* Takes what the journal knows. Pending alerts that were not evaluated for RULES_OUTAGE_MS begin anew. */
int rule_group_restore(struct rule_group *g, struct rules_journal *journal, int64_t now_ms);

/* One evaluation at `at_ms`. Never fails as a whole: what went wrong is each rule's last error. */
void rule_group_evaluate(struct rule_group *g, const struct rules_environment *env, int64_t at_ms);

#endif
