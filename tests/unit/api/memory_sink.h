/* A store of plain arrays behind the store's writing interface: what was committed goes into a
 * memory_store, and what was asked is counted. Its limits are set by the test. */
#ifndef SONDE_TESTS_MEMORY_SINK_H
#define SONDE_TESTS_MEMORY_SINK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "support/memory_store.h"
#include "tsdb/appender.h"

struct memory_sink;

/* What a test sets, and what it reads. */
struct memory_sink_state {
    int64_t min_t, max_t; /* accepted times */
    size_t series_max;
    int open_status, commit_status;      /* what open and commit give instead of working */
    enum commit_durability durability;   /* of the last commit */
    unsigned commits, rollbacks, opened; /* opened: appenders now open */
    unsigned lookups, known, made;       /* lookups, those that were known, calls of series */
    unsigned metadata;
    uint64_t lost;        /* samples of refused series */
    char lost_metric[32]; /* of the last of them */
};

struct memory_sink *memory_sink_new(struct memory_store *store);
void memory_sink_free(struct memory_sink *sink);
struct memory_sink_state *memory_sink_state(struct memory_sink *sink);
struct appender_source *memory_sink_source(struct memory_sink *sink);

#endif
