/* The alerts of one rule: what was true before and what an expression gives now, turned into what is true
 * now. A pure function of its arguments: no clock, no disk, no network. Live evaluation, tests of
 * rules, replay of stored history and the tiers of SLOs run the same step.
 *
 *   pending   the expression gave this label set, not yet for as long as `hold_ms`
 *   firing    it did; or it ended less than `keep_firing_ms` ago
 *   inactive  it was firing and ended; remembered ALERT_REMEMBERED_MS so that its end can be told again
 *
 * Semantics of Prometheus 3.14 (rules/alerting.go), decision by decision:
 *   - `hold_ms` 0 fires at the first result. A miss while pending forgets the alert at once.
 *   - A hold that was made longer than a firing alert has been active puts it back to pending.
 *   - A result during `keep_firing_ms` ends the keeping; the alert goes on as if nothing had happened.
 *   - A label set that comes back after its end is a new alert.
 *   - Two results of equal labels are an error, as are more active alerts than `limit`; the first leaves
 *     everything as it was, the second forgets all alerts of the rule without telling their end.
 *
 * One thread at a time.
 */
#ifndef SONDE_QUERY_ALERT_STATES_H
#define SONDE_QUERY_ALERT_STATES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/str.h"
#include "base/strbuf.h"
#include "model/labels.h"
#include "rules/labels_index.h"

/* A time that never was. */
#define ALERT_NEVER INT64_MIN
#define ALERT_REMEMBERED_MS ((int64_t)15 * 60 * 1000)
/* Alerts of one rule, remembered ones included. */
#define ALERT_STATES_MAX ((size_t)1 << 24)

enum alert_state { ALERT_INACTIVE, ALERT_PENDING, ALERT_FIRING };

/* "inactive", "pending", "firing". */
const char *alert_state_name(enum alert_state state);

struct alert_instance {
    const struct labels *labels;      /* the identity, `alertname` included; a reference is held */
    const struct labels *annotations; /* expanded, of the last result; a reference is held */
    enum alert_state state;
    double value; /* of the last result */
    int64_t active_at_ms;
    int64_t fired_at_ms;          /* ALERT_NEVER: not yet */
    int64_t resolved_at_ms;       /* ALERT_NEVER: active */
    int64_t keep_firing_since_ms; /* the first miss while firing; ALERT_NEVER: no miss */
    int64_t sent_at_ms;           /* told last; ALERT_NEVER: not yet (whoever tells keeps it) */
    int64_t believed_until_ms;    /* as it was told */
    bool seen;                    /* in the step under way */
};

/* Zeroed is empty. */
struct alert_states {
    struct alert_instance *items; /* in no order */
    size_t count, cap;
    struct labels_index index;
};

void alert_states_release(struct alert_states *s);
/* The alert of these labels, or NULL. Good until the next step. */
struct alert_instance *alert_states_find(const struct alert_states *s, const struct labels *labels);
/* Adds a copy, with references of its own; one of equal labels is replaced. ERR_NOMEM, ERR_LIMIT. */
int alert_states_put(struct alert_states *s, const struct alert_instance *instance);
/* The highest state of any alert. */
enum alert_state alert_states_highest(const struct alert_states *s);

/* ---- One step ---- */

/* An element of the expression's answer, after the rule's labels were put on. Borrowed. */
struct alert_result {
    const struct labels *labels;
    const struct labels *annotations;
    double value;
};

enum alert_change {
    ALERT_BEGAN, /* is pending now */
    ALERT_FIRED, /* pending -> firing; right after ALERT_BEGAN when there is nothing to wait for */
    ALERT_HELD_BACK, /* firing -> pending: the hold was made longer */
    ALERT_KEPT,      /* firing, and missed for the first time: keeps firing */
    ALERT_RETURNED,  /* was being kept, has a result again */
    ALERT_RESOLVED,  /* firing -> inactive */
    ALERT_DROPPED,   /* pending -> gone */
    ALERT_FORGOTTEN, /* inactive -> gone; or gone by the limit */
};

struct alert_step {
    int64_t at_ms;
    int64_t hold_ms;        /* for */
    int64_t keep_firing_ms; /* keep_firing_for */
    size_t limit;           /* of active alerts; 0 = none */
    const struct alert_result *results;
    size_t result_count;
    /* Told each change when it has been made; of what is gone, just before. May be NULL. */
    void (*changed)(void *context, const struct alert_instance *instance, enum alert_change change);
    void *context;
};

/* 0; ERR_INVALID two results of equal labels, ERR_NOMEM: nothing has changed; ERR_LIMIT "exceeded limit
 * of 2 with 3 alerts": there is no alert any more. `e` may be NULL. */
int alert_states_step(struct alert_states *s, const struct alert_step *step, struct err *e);

/* ---- Telling ---- */

/* Is it time to tell this alert to whoever notifies: firing or ended, and not told since it ended, or
 * not within ALERT_RESEND_MS (query/alert.h)? */
bool alert_instance_is_due(const struct alert_instance *i, int64_t at_ms);
/* Notes that it is told now, by a finder that repeats each `interval_ms`. */
void alert_instance_note_sent(struct alert_instance *i, int64_t at_ms, int64_t interval_ms);

/* ---- As series ---- */

/* ALERTS{alertname=…,alertstate=…} or, with `for_state`, ALERTS_FOR_STATE{alertname=…}. A new reference.
 * ERR_NOMEM, ERR_LIMIT. */
int alert_instance_series(
    const struct alert_instance *i, bool for_state, const struct labels **labels_out);

/* ---- As bytes ---- */

/* What outlives a crash: all but `seen`, when it was told, and until when that is believed. An alert that is
 * inactive and never fired was dropped while it was pending.
 *
 *   version    u8      1
 *   state      u8      enum alert_state
 *   value      u64     bits of the double, little-endian
 *   active     i64     milliseconds, little-endian, as are the next three; ALERT_NEVER as such
 *   fired, resolved, kept
 *   labels, annotations: each a count as varint, then for each pair name and value, each a length
 *              as varint and its bytes; names ascending
 */
void alert_instance_encode(const struct alert_instance *i, struct strbuf *out);
/* Adds an alert to the set; one of equal labels is replaced. ERR_CORRUPT for bytes that are no record of
 * this version, ERR_NOMEM, ERR_LIMIT: nothing was added. */
int alert_states_restore(struct alert_states *s, struct str record, struct err *e);

#endif
