/* What the API counts about itself. Counters live as long as the process, whatever API object moves
 * them; any thread. */
#ifndef SONDE_QUERY_API_METRICS_H
#define SONDE_QUERY_API_METRICS_H

#include <stddef.h>
#include <stdint.h>

#include "tsdb/appender.h"
#include "tsdb/span_store.h"

/* Rows of the route table, at most. */
#define API_ROUTES_MAX 128

enum api_timing {
    API_TIMING_NONE,
    API_TIMING_QUERY,  /* sonde_query_duration_seconds */
    API_TIMING_INGEST, /* sonde_ingest_duration_seconds */
};

/* Before requests come: the handler label of a row, and which histogram its durations go to. `path`
 * is borrowed for the life of the process. */
void api_metrics_add_route(size_t route, const char *path, enum api_timing timing);
void api_metrics_register(void);

/* An answer was given. */
void api_metrics_count(size_t route, unsigned status, int64_t took_ns);
/* A write was committed. */
void api_metrics_ingested(const struct append_counts *counts, uint64_t bytes);
/* Series of a write that were refused as such: bad labels, too many. */
void api_metrics_refused_series(uint64_t count);
/* Spans of a message that was taken otherwise. */
void api_metrics_refused_spans(const struct span_append_counts *counts);

#endif
