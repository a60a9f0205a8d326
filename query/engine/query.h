/* The state of one running query, and what every operator needs of it: memory, limits, labels it made,
 * annotations. A query belongs to one thread; other threads that work for it have a fork of it each
 * (query_fork). */
#ifndef SONDE_QUERY_ENGINE_QUERY_H
#define SONDE_QUERY_ENGINE_QUERY_H

#include "annotations.h"
#include "base/arena.h"
#include "crew.h"
#include "grid.h"
#include "query/engine.h"

struct engine {
    struct engine_options options; /* with defaults filled in */
    struct memory_budget memory;   /* of all queries */
    struct crew crew;              /* threads that help all queries */
};

struct query {
    const struct engine_options *options;
    struct crew *crew;
    struct str text;
    struct memory_budget *memory; /* all arenas of the query and its result are charged to it */
    struct memory_budget own_memory;
    struct arena arena; /* everything that lives as long as the query */
    struct querier *querier;
    struct selection *selections; /* found before evaluation (selection.c) */
    int64_t lookback_ms;
    uint64_t samples_max;
    int64_t timeout_ms;
    int64_t deadline_ns; /* monotonic */
    const atomic_bool *canceled;
    struct engine_watch *watch; /* or NULL */
    int64_t watched_ns;         /* when the watch was last asked */
    struct annotations annotations;
    struct engine_statistics statistics;
    uint64_t samples_live; /* in memory now */
    struct grid grid;      /* of the whole query */
    bool range_query;
    struct explain *explain; /* or NULL (explain.h) */
    struct err *e;
    /* Of a fork. */
    struct query *asking;       /* when it works in the thread of the query it was forked from */
    const atomic_bool *stopped; /* its work is not wanted any more */
};

/* A query for a part of the work of another, which may be done in another thread: the same limits and
 * the same memory, its own arena, labels, annotations, statistics and error. Errors go to `e`, and from
 * there to who takes what was done. The caller releases fork->arena, before the other query's. */
void query_fork(
    struct query *fork, const struct query *q, const atomic_bool *stopped, struct err *e);

/* Raise the query's error. Return the code. */
int query_fail(struct query *q, int code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* An allocation from the query's arena (or another of its arenas) failed. */
int query_fail_memory(struct query *q, const struct arena *arena);
/* Says whose memory was short where the store, working in an arena of the query, could only say that a
 * limit was reached. Returns the status. */
int query_judge_memory(struct query *q, int status);

/* Deadline and cancellation; shows the query to who watches it. Called at least once a series. 0,
 * ERR_TIMEOUT or ERR_CANCELED. */
int query_check(struct query *q);
/* Counts samples that were read; and those that are held, which are limited. */
void query_count_read(struct query *q, uint64_t count);
int query_hold_samples(struct query *q, uint64_t count);
void query_drop_samples(struct query *q, uint64_t count);

/* An arena for scratch memory, released with the query and counted with it. */
struct arena *query_scratch(struct query *q);

/* Keeps a reference that a labels function gave until the query ends. 0 or an error. */
int query_own_labels(struct query *q, const struct labels *labels);
/* The set without __name__, __type__ and __unit__; the same set when it has none of them. */
int query_drop_name(struct query *q, const struct labels *labels, const struct labels **labels_out);
/* The metric's name; empty when it has none. */
static inline struct str metric_name(const struct labels *labels)
{
    return labels_get(labels, STR(LABEL_METRIC_NAME));
}

/* {__name__="a", b="c"}: as sentences of errors show labels. */
void query_write_labels(const struct labels *labels, struct strbuf *out);

/* Adds an annotation that points at `expr`. */
int query_annotate(struct query *q, enum annotation_kind kind, const struct expr *expr,
    const char *format, ...) __attribute__((format(printf, 4, 5)));

#endif
