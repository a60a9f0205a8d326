/* Recording and alerting rules: Prometheus' rule files, evaluated again and again.
 *
 *   rules_open     reads the journal of states; no thread yet
 *   rules_load     the groups of all files; again at each reload
 *   rules_start    from here on groups are evaluated when they are due
 *   rules_close
 *
 * A group is evaluated each interval, at times spread by a hash of its file and name: its times are
 * k · interval + hash mod interval, the same after every restart. One evaluation has one time and reads
 * one snapshot of the store, on top of which its rules, in their order, see what the rules before them
 * gave; all of it is committed at once, or none of it. Groups run beside each other in a lane of their
 * own, which queries cannot starve.
 *
 * A group that is late skips what it missed, and the skipped evaluations are counted; with
 * `catch_up_ms` those that are not older are made up for first, each at its own time.
 *
 * States of alerts outlive a crash: changes are in `rules.journal` before anybody is told, and are
 * exactly restored. Rules the journal knows nothing of take ALERTS_FOR_STATE from the store, as
 * Prometheus does. Pending alerts that were not evaluated for longer than RULES_OUTAGE_MS begin anew.
 *
 * Functions may be called from any thread, unless they say otherwise.
 */
#ifndef SONDE_QUERY_RULES_H
#define SONDE_QUERY_RULES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/str.h"
#include "base/strbuf.h"
#include "base/vfs.h"
#include "model/labels.h"
#include "query/alert.h"
#include "query/engine.h"
#include "query/rule_definition.h"
#include "tsdb/appender.h"
#include "tsdb/querier.h"

#define RULES_THREADS_DEFAULT 2

/* ---- The manager ---- */

struct rules;

struct rules_options {
    struct engine *engine;
    struct promql_features features; /* the engine's */
    struct querier_source *reads;
    struct appender_source *writes;
    struct vfs *fs;      /* NULL = vfs_posix() */
    struct clock *clock; /* NULL = clock_real() */
    const char
        *data_path; /* has rules.journal; NULL: states are not kept. Copied, as all text here */
    struct alert_sink *sink;              /* NULL: nobody is told */
    const struct labels *external_labels; /* put on alerts when they are told; NULL = none */
    const char *external_url;             /* where links lead; NULL = "" */
    int64_t interval_ms;               /* of groups that name none; 0 = RULES_INTERVAL_MS_DEFAULT */
    int64_t query_offset_ms;           /* of groups that name none */
    int64_t catch_up_ms;               /* 0: missed evaluations are skipped */
    unsigned threads;                  /* 0 = RULES_THREADS_DEFAULT */
    struct engine_query_options query; /* limits of each query */
};

/* ERR_LOCKED, ERR_INVALID, ERR_IO … of the journal; ERR_NOMEM. */
int rules_open(const struct rules_options *options, struct rules **rules_out, struct err *e);
/* Ends the evaluations under way and the threads. Accepts NULL. */
void rules_close(struct rules *r);

/* Reads the files that match the patterns (glob(7)) and puts their groups in force: those that are as
 * they were go on untouched; of the others rules of the same name and labels keep their alerts. On
 * failure everything stays as it was. ERR_INVALID "FILE:LINE:COLUMN: …", ERR_NOT_FOUND for a pattern
 * without wildcards that names no file, ERR_LIMIT, ERR_IO, ERR_NOMEM. */
int rules_load(struct rules *r, const char *const *patterns, size_t count, struct err *e);

/* Begins to evaluate. Once. ERR_NOMEM, ERR_LIMIT when a thread cannot be made. */
int rules_start(struct rules *r, struct err *e);

/* For tests and tools, instead of rules_start: evaluates in this thread each group that is due at
 * `now_ms`, in the order of their names; counts them. The first call only sets the times. */
size_t rules_run_due(struct rules *r, int64_t now_ms);

/* ---- Groups written over HTTP, in namespaces, beside those of files ---- */

/* A namespace is kept as a rule file below the data directory, and its name is the `file` of its groups.
 * At most so many bytes. */
#define RULES_NAMESPACE_BYTES_MAX 128

/* Writes a group, as YAML; one of its name is replaced. ERR_INVALID; ERR_UNSUPPORTED without a data
 * directory; ERR_IO, ERR_NO_SPACE, ERR_NOMEM: nothing has changed. */
int rules_write_group(struct rules *r, struct str namespace, struct str yaml, struct err *e);
/* ERR_NOT_FOUND. With its last group a namespace goes. */
int rules_delete_group(struct rules *r, struct str namespace, struct str group, struct err *e);
int rules_delete_namespace(struct rules *r, struct str namespace, struct err *e);
/* As Mimir answers: a mapping of namespaces to lists of groups; of one namespace when it is named; or one
 * group. Empty slices name nothing. ERR_NOT_FOUND, except for all namespaces. */
int rules_write_yaml(
    struct rules *r, struct str namespace, struct str group, struct strbuf *out, struct err *e);

/* ---- What is shown ---- */

struct rule_alert {
    const struct labels *labels, *annotations;
    bool firing; /* or pending */
    double value;
    int64_t active_at_ms;
    int64_t keep_firing_since_ms; /* INT64_MIN: not kept */
};

struct rule_status {
    const struct rule_definition *definition;
    enum rule_health health;
    struct str last_error;
    int64_t evaluated_at_ms; /* wall clock; INT64_MIN: never */
    int64_t evaluation_ns;   /* how long the last one took */
    const struct rule_alert *alerts;
    size_t alert_count;
};

struct rule_group_status {
    const struct rule_group_definition *definition;
    int64_t interval_ms; /* in force */
    int64_t evaluated_at_ms, evaluation_ns;
    uint64_t iterations, missed;
    uint64_t evaluations, failures; /* of rules */
    uint64_t samples;               /* of the last evaluation */
    const struct rule_status *rules;
    size_t rule_count;
};

/* Is any alerting rule in force? */
bool rules_have_alerts(struct rules *r);
/* The manager's own metrics, as lines of the text format. */
void rules_write_metrics(struct rules *r, struct strbuf *out);
/* All groups as they are now, by file and name, each of one moment. In `arena`, which holds references to
 * what it points to. */
int rules_status(
    struct rules *r, struct arena *arena, struct rule_group_status **groups_out, size_t *count_out);

#endif
