/* Service discovery: where targets are learned from while the agent runs.
 *
 * Each entry of a *_sd_configs list is run by a discoverer, which keeps groups of targets up to date.
 * Entries that say the same are run once, whichever jobs they stand in, and go on over a reload. A
 * target is a label set: __address__, labels of its group, and __meta_* labels named as Prometheus
 * names them. What is done with it is its job's business.
 *
 * A source that fails keeps what it gave before: the error is said in the log and counted.
 *
 * All functions are for the loop's thread.
 */
#ifndef SONDE_DISCOVERY_DISCOVERY_H
#define SONDE_DISCOVERY_DISCOVERY_H

#include <stdbool.h>

#include "base/err.h"
#include "discovery/discovery_config.h"
#include "model/labels.h"

/* Entries that say different things. */
#define DISCOVERERS_MAX 1024

struct discovery;

int discovery_new(const struct discovery_options *options, struct discovery **discovery_out);
/* Cancels what is under way. Accepts NULL. */
void discovery_free(struct discovery *d);

/* Rules over several settings of a job. ERR_INVALID with a sentence. */
int discovery_check(const struct discovery_configs *configs, struct err *e);

/* A reload in two parts. The first starts what is new in the configurations of all jobs; nothing ends
 * yet. ERR_LIMIT, ERR_NOMEM: what was started is stopped again. The second ends what nobody wants
 * any more (`accept`), or what the first part started. */
int discovery_prepare(
    struct discovery *d, const struct discovery_configs *const *jobs, size_t count, struct err *e);
void discovery_settle(struct discovery *d, bool accept);

/* Does what is due; milliseconds until the next call is due. */
int64_t discovery_step(struct discovery *d);
/* Whether targets have changed since the last call that said so. */
bool discovery_take_changed(struct discovery *d);

/* Calls `visit` for each target of a job, in a steady order; stops when it returns non-zero and hands
 * that back. The labels are borrowed until the next step. */
int discovery_each(const struct discovery *d, const struct discovery_configs *configs,
    int (*visit)(void *context, const struct labels *target), void *context);

/* Of all entries of a kind. */
struct discovery_statistics {
    const char *kind;
    uint64_t entries, failing; /* failing: the last answer was not good */
    uint64_t targets;
    uint64_t updates, failures; /* answers taken, and not */
};
/* How many kinds there are, and the index-th. */
size_t discovery_kind_count(void);
void discovery_statistics(
    const struct discovery *d, size_t kind_index, struct discovery_statistics *out);

#endif
