/* Service level objectives as first-class things: read from files, evaluated live, asked about any past
 * moment, tried on stored history before they are relied on.
 *
 *   slo_open     the journal of exclusions, tiers' states and versions; no thread yet
 *   slo_load     the objectives of all files; again at each reload
 *   slo_start    from here on each is evaluated each step
 *   slo_close
 *
 * An objective counts events in steps of a minute (by default). At the end of each step, SLO_DELAY_MS later so
 * that samples have arrived, its budget, burn rates and tiers are worked out from the counts of its window.
 * A tier that burns is an alert of its own, sent to the sink with the SLO block; results are written as
 * series `slo_*` for dashboards.
 *
 * Writers of answers append JSON; they may be called from any thread, and answer about definitions as they
 * were when the call began.
 */
#ifndef SONDE_QUERY_SLO_H
#define SONDE_QUERY_SLO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/json.h"
#include "base/str.h"
#include "base/strbuf.h"
#include "base/vfs.h"
#include "model/labels.h"
#include "query/alert.h"
#include "query/engine.h"
#include "tsdb/appender.h"
#include "tsdb/querier.h"

#define SLO_DELAY_MS ((int64_t)10 * 1000)
/* Longest back-test, and most points of a history. */
#define SLO_BACKTEST_MS_MAX (INT64_C(100) * 86400 * 1000)
#define SLO_HISTORY_POINTS_MAX 11000

struct slo_manager;

struct slo_options {
    struct engine_options engine; /* an own one is made of it, which knows `anchored` */
    struct querier_source *reads;
    struct appender_source *writes;       /* NULL: no series are written */
    struct vfs *fs;                       /* NULL = vfs_posix() */
    struct clock *clock;                  /* NULL = clock_real() */
    const char *data_path;                /* has slo.journal; NULL: nothing is kept */
    struct alert_sink *sink;              /* NULL: nobody is told */
    const struct labels *external_labels; /* put on alerts when they are told; NULL = none */
    const char *external_url;             /* where links lead; NULL = "" */
};

/* Text of the options is copied. Errors of the journal; ERR_NOMEM. */
int slo_open(const struct slo_options *options, struct slo_manager **manager_out, struct err *e);
/* Accepts NULL. */
void slo_close(struct slo_manager *m);

/* Reads the files that match the patterns (glob(7)). Objectives that are as they were go on; of changed
 * ones the version counts up. On failure everything stays as it was. ERR_INVALID "FILE:LINE:COLUMN: …",
 * ERR_NOT_FOUND for a pattern without wildcards that names no file, ERR_LIMIT, ERR_IO, ERR_NOMEM. */
int slo_load(struct slo_manager *m, const char *const *patterns, size_t count, struct err *e);
/* The same in two steps, for a reload that changes more than objectives: what may be refused is refused by the
 * first, which changes nothing. The second has the set in any case; ERR_NOMEM: everything stays as it was. */
struct slo_set;
int slo_read(struct slo_manager *m, const char *const *patterns, size_t count,
    struct slo_set **set_out, struct err *e);
int slo_use(struct slo_manager *m, struct slo_set *set, struct err *e);
/* Accepts NULL. */
void slo_set_unref(struct slo_set *set);
/* Begins to evaluate in a thread of its own. Once. */
int slo_start(struct slo_manager *m, struct err *e);
/* For tests and tools, in place of slo_start: evaluates what is due at `now_ms`; how many. */
size_t slo_run_due(struct slo_manager *m, int64_t now_ms);
size_t slo_count(struct slo_manager *m);
/* Counters of evaluations and failures, for /metrics. */
void slo_write_metrics(struct slo_manager *m, struct strbuf *out);

/* ---- Answers ---- */

/* The list of GET /api/v1/slos as a JSON array: all objectives, or the one named, at `time_ms` (INT64_MIN: as
 * last evaluated). ERR_NOT_FOUND, errors of the engine. */
int slo_write_list(struct slo_manager *m, struct str name, int64_t time_ms, struct json_writer *out,
    struct err *e);
/* Budget, burn and events at each step of [start_ms, end_ms]. ERR_INVALID for too many points. */
int slo_write_history(struct slo_manager *m, struct str name, int64_t start_ms, int64_t end_ms,
    int64_t step_ms, struct json_writer *out, struct err *e);
/* Every alert of every tier there would have been in [start_ms, end_ms]. */
int slo_write_backtest(struct slo_manager *m, struct str name, int64_t start_ms, int64_t end_ms,
    struct json_writer *out, struct err *e);
/* The same for the objectives of a file's text that is not in force, each with what it says at end_ms. */
int slo_write_preview(struct slo_manager *m, struct str text, int64_t start_ms, int64_t end_ms,
    struct json_writer *out, struct err *e);
int slo_write_exclusions(
    struct slo_manager *m, struct str name, struct json_writer *out, struct err *e);
/* The definition in force as OpenSLO v1. */
int slo_write_openslo(struct slo_manager *m, struct str name, struct strbuf *out, struct err *e);

/* ---- Exclusions ---- */

/* From the JSON of a request: start, end (RFC 3339 or seconds), reason, author, and repeat (once, daily,
 * weekly), until, timezone where it repeats. Durable when it returns 0; the id is in `*id_out`. */
int slo_add_exclusion(
    struct slo_manager *m, struct str name, struct str json, uint64_t *id_out, struct err *e);
/* The removal, too, says who and why in the log. ERR_NOT_FOUND. */
int slo_remove_exclusion(struct slo_manager *m, struct str name, uint64_t id, struct str author,
    struct str reason, struct err *e);

/* ---- Tools ---- */

/* Reads one file and says what it would do: objectives, tiers with factors and detection times, what was
 * repaired, warnings. ERR_INVALID with a sentence. */
int slo_check_file(
    struct vfs *fs, struct str name, struct str text, struct strbuf *report, struct err *e);

#endif
