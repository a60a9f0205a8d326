/* How long traces are kept: pure functions over the rules and a moment.
 *
 * A trace is kept whole, and as long as the longest that applies to it says: of each of its services the first
 * rule that matches, else the retention of all; with an error that of errors, too. Its time counts from the
 * start of its latest span.
 *
 * Blocks are not looked into each time: the mark of a block says which spans of time had passed for all of it
 * when it was written, and under which rules. When another has passed since, or the rules are others, it is
 * written anew without what is due.
 */
#ifndef SONDE_TSDB_SPAN_RETENTION_H
#define SONDE_TSDB_SPAN_RETENTION_H

#include <stdbool.h>

#include "base/err.h"
#include "tsdb/span_rule.h"
#include "wire/otlp_traces.h"

struct regex;

struct span_retention {
    int64_t retention_ms, errors_ms; /* errors_ms 0: errors are as all others */
    struct compiled_rule {
        struct regex *services;
        int64_t keep_ms; /* INT64_MAX = for ever */
    } * rules;
    size_t rule_count;
    uint32_t policy; /* a checksum of all of it, not 0 */
};

struct span_retention_rules {
    int64_t retention_ms;
    int64_t errors_ms; /* of traces with an error; 0 = as all others */
    const struct span_retention_rule *rules;
    size_t rule_count;
};

/* ERR_INVALID with a sentence for a pattern that cannot be read, ERR_LIMIT, ERR_NOMEM. Released by the caller
 * in any case. */
int span_retention_init(
    struct span_retention *r, const struct span_retention_rules *rules, struct err *e);
void span_retention_release(struct span_retention *r);

/* What starts before this is due at `now_ms` when it is kept for `keep_ms`. */
uint64_t span_retention_start_ns(int64_t now_ms, int64_t keep_ms);
/* No trace is kept longer. */
int64_t span_retention_longest_ms(const struct span_retention *r);

/* The mark of a block that is written now, whose latest span starts at `start_max_ns`. */
uint64_t span_retention_mark(const struct span_retention *r, int64_t now_ms, uint64_t start_max_ns);
/* Has more than the mark says passed for all of a block? */
bool span_retention_is_due(
    const struct span_retention *r, int64_t now_ms, uint64_t mark, uint64_t start_max_ns);

/* The rules at a moment. */
struct span_keep {
    const struct span_retention *retention;
    int64_t now_ms;
};
/* Is a trace, or what is there of it, still to be kept? */
bool span_keep_wants(const struct span_keep *keep, const struct otlp_span *spans, size_t count);

#endif
