/* The manager from inside: what its files share. */
#ifndef SONDE_QUERY_RULES_MANAGER_H
#define SONDE_QUERY_RULES_MANAGER_H

#include <pthread.h>
#include <stdatomic.h>

#include "base/workpool.h"
#include "query/rules.h"
#include "rules/rule_group.h"

/* Groups that wait for a thread. */
#define RULES_QUEUE_MAX 1024

/* Series of a group that is no more; they end when renamed rules have had time to take them over. */
struct retired_series {
    struct rule_series series;
    int64_t ended_at_ms; /* the time of the stale markers */
    int64_t due_ms;
};

struct rules {
    struct rules_environment env;
    struct promql_features features;
    char *external_url, *data_path; /* data_path NULL: states are not kept */
    int64_t catch_up_ms;
    unsigned threads;
    atomic_bool canceled; /* closing: queries and threads end */
    bool started;
    pthread_t scheduler;
    struct workpool *pool;

    struct lock lock; /* guards all below, and busy, leaving, due_ms of groups */
    struct lock_condition changed;
    struct rule_group **groups; /* by file and name */
    size_t group_count;
    struct retired_series *retired;
    size_t retired_count, retired_cap;
    bool loading;  /* one load at a time; the loader alone reads and changes what follows */
    bool restored; /* the journal has been read */
};

/* ---- Namespaces: rule files written over HTTP, in rules_written.c ---- */

/* "<data>/rules/<name>.yml", where the name has %XX for all but letters, digits, '_', '-' and inner dots. */
int rules_namespace_path(const struct rules *r, struct str namespace, struct strbuf *path);
/* Calls back for each namespace that has a file; the name lives for the call. */
int rules_each_namespace(struct rules *r,
    int (*callback)(void *context, struct str namespace, const char *path), void *context);

#endif
