/* What was decided over traces, so that late spans follow it: two generations of 64-bit prints of trace ids,
 * of which the older is forgotten when the younger is full. A print stands for its trace: another one has
 * the same with a chance of one in 2^59 for each that is remembered. Private to agent/spans; one thread.
 */
#ifndef SONDE_SPANS_DECISION_CACHE_H
#define SONDE_SPANS_DECISION_CACHE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "model/span.h"

#define DECISION_DROPPED 0 /* other outcomes are 1 to DECISION_MAX */
#define DECISION_MAX 31

struct decision_cache;

/* `max`: decisions of both generations together. */
int decision_cache_new(size_t max, struct decision_cache **cache_out);
/* Accepts NULL. */
void decision_cache_free(struct decision_cache *c);
/* Without memory it is not remembered. */
void decision_cache_put(struct decision_cache *c, struct trace_id id, unsigned outcome);
/* Whether the trace was decided, and how. */
bool decision_cache_get(const struct decision_cache *c, struct trace_id id, unsigned *outcome_out);
size_t decision_cache_count(const struct decision_cache *c);

#endif
