/* Which spans of a page answer a question. */
#ifndef SONDE_QUERY_TRACE_FILTER_H
#define SONDE_QUERY_TRACE_FILTER_H

#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/str.h"
#include "tsdb/span_page.h"

/* Tags of one question. */
#define TRACE_TAGS_MAX 64

/* A key and the text of its value, whatever its type: "200" finds the integer 200. Attributes of the span
 * and of its resource are looked at, and besides what Jaeger shows as tags: `error`, `span.kind`,
 * `otel.status_code` (OK, ERROR), `otel.scope.name`, `otel.scope.version`. */
struct trace_tag {
    struct str key, value;
};

/* All of it has to be true of one span. */
struct trace_query {
    struct str service, operation; /* empty: any */
    const struct trace_tag *tags;
    size_t tag_count;          /* at most TRACE_TAGS_MAX */
    uint64_t start_ns, end_ns; /* of the span's start, both included */
    uint64_t duration_min_ns;  /* 0: any */
    uint64_t duration_max_ns;  /* 0: any */
};

/* A byte a row, 1 where the span matches, in `arena`; and how many do. ERR_CORRUPT, ERR_NOMEM, or the
 * arena's. */
int trace_filter_page(struct span_page *page, const struct trace_query *query, struct arena *arena,
    uint8_t **matches_out, uint32_t *count_out);

#endif
