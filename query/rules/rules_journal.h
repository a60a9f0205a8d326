/* The states of all alerts on disk: `rules.journal`. Evaluations collect what changed, then commit it,
 * before anybody is told. Any number of groups may collect at a time; commits go one by one.
 *
 * Keys and values of the journal, numbers little-endian:
 *
 *   'a' rule (16 bytes) labels (16 bytes)   the alert, as alert_states.h writes it. `rule` is a hash of file,
 *                                           group, name, labels and its rank among equals; `labels` one of
 *                                           the alert's
 *                                           (an inactive one that never fired was dropped while it was
 *                                           pending: its series may still have to be ended)
 *   'g' group (16 bytes)                    version u8 1, then i64: the time of its last evaluation that
 *                                           changed something, or of one a minute later at most while
 *                                           alerts are active
 */
#ifndef SONDE_QUERY_RULES_JOURNAL_H
#define SONDE_QUERY_RULES_JOURNAL_H

#include "base/err.h"
#include "base/hash.h"
#include "base/strbuf.h"
#include "base/vfs.h"
#include "rules/alert_states.h"

struct rules_journal;

/* Opens or makes the file, and logs damage that was survived. Errors of journal_open. */
int rules_journal_open(
    struct vfs *fs, const char *path, struct rules_journal **journal_out, struct err *e);
/* Accepts NULL. */
void rules_journal_close(struct rules_journal *j);

/* ---- What was there when it was opened, until it is settled ---- */

/* Adds the rule's alerts to its states, and will not give them again. ERR_NOMEM. Records that make no sense
 * are left out; they are logged. */
int rules_journal_restore(
    struct rules_journal *j, struct hash128 rule, struct alert_states *states);
/* When the group was evaluated last; false: nothing is known of it. */
bool rules_journal_group(const struct rules_journal *j, struct hash128 group, int64_t *at_ms_out);
/* Everything that was wanted is restored: deletes the alerts of rules that are no more. */
int rules_journal_settle(struct rules_journal *j, struct err *e);

/* ---- Changes ---- */

/* Of one evaluation. Zeroed is not enough: STATE_CHANGES_INIT. Errors stick until the commit. */
struct state_changes {
    struct strbuf bytes; /* kind, key, value: sized */
};
#define STATE_CHANGES_INIT                                                                         \
    {                                                                                              \
        .bytes = STRBUF_INIT                                                                       \
    }
void state_changes_release(struct state_changes *c);
bool state_changes_empty(const struct state_changes *c);
void state_changes_put(
    struct state_changes *c, struct hash128 rule, const struct alert_instance *instance);
void state_changes_delete(
    struct state_changes *c, struct hash128 rule, const struct alert_instance *instance);
void state_changes_group(struct state_changes *c, struct hash128 group, int64_t at_ms);
void state_changes_delete_group(struct state_changes *c, struct hash128 group);

/* All of `from` behind those of `to`; `from` is empty then. */
void state_changes_append(struct state_changes *to, struct state_changes *from);

/* All of them are durable, and the list is empty; or none is, and they stay in it to be tried again. From
 * any thread. */
int rules_journal_commit(struct rules_journal *j, struct state_changes *c, struct err *e);

#endif
