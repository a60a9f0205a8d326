/* The manager from inside: what its files share. */
#ifndef SONDE_QUERY_SLO_MANAGER_H
#define SONDE_QUERY_SLO_MANAGER_H

#include <pthread.h>
#include <stdatomic.h>

#include "base/lock.h"
#include "query/slo.h"
#include "slo_file.h"
#include "slo_journal.h"
#include "slo_run.h"

/* How far back missed evaluations are made up for. */
#define SLO_CATCH_UP_MS (INT64_C(24) * 3600 * 1000)

/* The files of one load, shared by the manager and by answers under way. */
struct slo_set {
    atomic_uint references;
    struct slo_file *files;
    size_t count, cap, definitions;
};

struct slo_set *slo_set_ref(struct slo_set *set);
/* NULL when there is none of this name. */
const struct slo_definition *slo_set_find(const struct slo_set *set, struct str name);

/* Exclusions as they are in the journal, with their zones; all in `arena`. */
struct slo_exclusions {
    struct arena arena;
    struct slo_exclusion *items;
    size_t count;
};

struct slo_manager {
    struct engine *engine;
    struct slo_store store;
    struct appender_source *writes;
    struct vfs *fs;
    struct clock *clock;
    struct alert_sink *sink;
    const struct labels *external_labels;
    char *external_url;
    atomic_bool closing;
    bool started;
    pthread_t thread;

    struct lock lock; /* guards all below; held while an objective is evaluated */
    struct lock_condition changed;
    struct slo_journal *journal;
    struct slo_set *set;
    struct slo_run *runs; /* one for each definition, in their order */
    size_t run_count;
    struct slo_exclusions exclusions; /* those in force */
    uint64_t evaluations, failures;
};

/* From the journal. ERR_NOMEM. Under the lock. */
int slo_exclusions_open(struct slo_manager *m, struct slo_exclusions *out);
void slo_exclusions_release(struct slo_exclusions *x);
/* The exclusions changed: marks every ledger anew. Under the lock. */
int slo_manager_exclude(struct slo_manager *m, struct err *e);

struct slo_version {
    uint32_t number;
    uint64_t hash;
    int64_t since_ms;
};
bool slo_version_find(
    const struct slo_manager *m, struct str name, struct slo_version *version_out);

/* ---- Telling (slo_tell.c) ---- */

/* Sends the alerts of an objective that are due. */
void slo_tell(struct slo_manager *m, struct slo_run *run);
/* One sentence: budget left and spent, pace, window, tier. */
void slo_write_message(const struct slo_run *run, size_t tier, struct strbuf *out);

/* ---- Series (slo_series.c) ---- */

/* Appends what the objective said last as series slo_*, and ALERTS. */
int slo_write_series(struct slo_manager *m, struct slo_run *run, struct err *e);

#endif
