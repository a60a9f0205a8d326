/* How long alerts have been waiting, taken from ALERTS_FOR_STATE: for stores that come from Prometheus, and
 * for rules the journal knows nothing of. */
#ifndef SONDE_QUERY_RULE_IMPORT_H
#define SONDE_QUERY_RULE_IMPORT_H

#include "rules/rule_eval.h"
#include "rules/rules_journal.h"

/* Moves active_at_ms of the alerts that began at `at_ms`, as Prometheus restores them: a rule that waits for
 * less than RULES_GRACE_MS, and series that ended or whose last sample is older than RULES_OUTAGE_MS, are
 * left alone; the time that nobody evaluated does not count as waited; what is left to wait is at least
 * RULES_GRACE_MS, unless the alert had been firing. Changes are made under `lock` and noted (`changes`
 * may be NULL). Errors of the store. */
int rule_import(struct rule_run *rule, struct querier *snapshot, int64_t at_ms, struct lock *lock,
    struct state_changes *changes);

/* The arithmetic: when an alert whose last sample says `active_s` at `last_ms` has been active since. */
int64_t rule_import_active_at(int64_t active_s, int64_t last_ms, int64_t hold_ms, int64_t at_ms);

#endif
