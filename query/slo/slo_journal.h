/* What objectives must not forget: exclusions, states of tiers' alerts, versions of definitions. A map in memory
 * whose changes are durable in `slo.journal` once they are committed.
 *
 *   "x" id (8 bytes, big-endian)       an exclusion (slo_exclusion.h)
 *   "s" name 0 tier                     an alert (rules/alert_states.h)
 *   "t" name                           the last evaluation, i64 (ms), little-endian
 *   "v" name                            version u32, hash u64, since i64 (ms), little-endian
 *
 * One thread at a time.
 */
#ifndef SONDE_QUERY_SLO_JOURNAL_H
#define SONDE_QUERY_SLO_JOURNAL_H

#include <stdbool.h>

#include "base/err.h"
#include "base/str.h"
#include "base/vfs.h"

#define SLO_JOURNAL_ENTRIES_MAX 100000

struct slo_journal;

/* `path` NULL: nothing is durable. Errors of journal_open. */
int slo_journal_open(
    struct vfs *fs, const char *path, struct slo_journal **journal_out, struct err *e);
void slo_journal_close(struct slo_journal *j);

/* Borrowed until the next change. */
bool slo_journal_get(const struct slo_journal *j, struct str key, struct str *value_out);
/* The same value again is no change. Errors stick until the commit. */
void slo_journal_put(struct slo_journal *j, struct str key, struct str value);
void slo_journal_delete(struct slo_journal *j, struct str key);
int slo_journal_commit(struct slo_journal *j, struct err *e);
/* Calls `visit` for each key that begins with `prefix`. Nothing may be changed meanwhile. */
void slo_journal_each(const struct slo_journal *j, struct str prefix,
    void (*visit)(void *context, struct str key, struct str value), void *context);

#endif
