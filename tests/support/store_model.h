/* A store in plain arrays: what was written to the real one, to hold its answers against.
 *
 * Every write is remembered with the number of its commit and what became of it. A reader opened
 * after commit K sees, for each series and time, the last write of an acknowledged commit <= K. After
 * a crash the store may have lost commits that were not durable, and may show one that failed with the
 * disk: for each series and time the value must then be that of the last durable write or of one after
 * it.
 */
#ifndef SONDE_TESTS_STORE_MODEL_H
#define SONDE_TESTS_STORE_MODEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "model/histogram.h"
#include "model/labels.h"
#include "tsdb/tsdb.h"

struct model_write {
    int64_t t_ms;
    double value;
    uint32_t commit;
    bool histogram;
    bool failed;
    bool perhaps_deleted; /* a delete of it failed: a restart may show it or not */
    uint32_t deleted;     /* number of the delete that hid it, counted with the commits; 0 = none */
};

struct model_series {
    struct model_write *writes; /* in order of commit */
    size_t count, cap;
};

struct store_model {
    struct model_series *series;
    uint32_t series_count;
    uint32_t commit;        /* the last one that ended */
    uint32_t durable;       /* commits up to here survive a power cut */
    int64_t expired_before; /* older samples may be gone by retention; INT64_MIN = none */
    uint64_t operations;    /* samples written, and samples compared */
};

void store_model_init(struct store_model *m, uint32_t series_count);
void store_model_release(struct store_model *m);

/* ---- One transaction on both ---- */

struct model_txn {
    struct store_model *model;
    struct appender *appender;
    uint64_t key_seed;
};

/* 0, or the store's refusal. */
int model_begin(
    struct model_txn *t, struct store_model *m, struct appender_source *source, struct err *e);
/* A float, or for some series at some times a histogram made from the value. */
void model_append(struct model_txn *t, uint32_t series, int64_t t_ms, double value);
/* What the store said. */
int model_commit(struct model_txn *t, enum commit_durability durability, struct err *e);
void model_rollback(struct model_txn *t);

/* Deletes from both; takes a number like a commit does. A delete that succeeds is durable, and so is
 * all that was written before. What the store said. */
int model_delete(struct store_model *m, struct tsdb *db, const struct matcher *const *matchers,
    size_t count, int64_t min_t, int64_t max_t, struct err *e);

/* The newest acknowledged value of a series at a time; false when there is none. Deleted ones too. */
bool store_model_value(
    const struct store_model *m, uint32_t series, int64_t t_ms, struct model_write *out);

/* ---- Holding answers against it ---- */

/* Everything the querier shows of [min_t, max_t] must be what a reader after `commit` sees; fails the
 * test with a sentence otherwise. */
void store_model_check(
    struct store_model *m, struct querier *q, uint32_t commit, int64_t min_t, int64_t max_t);
/* All of the store, now. */
void store_model_check_now(struct store_model *m, struct tsdb *db);
/* After a crash: checks as said above; then what is there becomes what was written. */
void store_model_recover(struct store_model *m, struct tsdb *db, bool power_cut);

#endif
