/* Spans of a message that go on together: to one record of the queue. Slices, nothing is copied before the
 * record is written. Private to agent/spans; one thread.
 */
#ifndef SONDE_SPANS_SPAN_BATCH_H
#define SONDE_SPANS_SPAN_BATCH_H

#include <stddef.h>
#include <stdint.h>

#include "base/strbuf.h"
#include "spans/span_intake.h"
#include "spans/span_metrics.h"
#include "wire/otlp_traces.h"

/* More spans than this do not fit in SPAN_RECORD_BYTES_MAX: two ids alone take 28 bytes. */
#define SPAN_BATCH_ITEMS_MAX (SPAN_RECORD_BYTES_MAX / 28 + 1)

/* What spans of one resource and scope share. */
struct span_group {
    struct str resource_raw, scope_raw, resource_schema, scope_schema;
    uint64_t resource_number, scope_number;
};

struct span_item {
    struct str raw;
    uint32_t group; /* index */
    struct span_metrics_place place;
    struct trace_id trace_id;
    uint64_t span_id;
    double seconds, weight; /* how long it took, how many it stands for */
    uint64_t start_ns, end_ns;
    bool is_root, has_state;
    uint64_t randomness, marks; /* for sampling */
};

struct span_batch {
    struct span_item *items;
    size_t count, cap;
    struct span_group *groups;
    size_t group_count, group_cap;
    size_t bytes; /* about what the record will have before compression */
};

/* Memory stays for the next message. */
void span_batch_reset(struct span_batch *b);
void span_batch_release(struct span_batch *b);
/* What one more span would add. */
size_t span_batch_cost(const struct span_batch *b, const struct otlp_span *span);
/* Its slices are borrowed from the message. ERR_NOMEM, ERR_LIMIT. */
int span_batch_add(
    struct span_batch *b, const struct otlp_span *span, struct span_metrics_place place);
/* All of them as TracesData onto `message`, whose error sticks. */
void span_batch_encode(const struct span_batch *b, struct strbuf *message);

#endif
