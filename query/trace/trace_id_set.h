/* Traces that have been dealt with. */
#ifndef SONDE_QUERY_TRACE_ID_SET_H
#define SONDE_QUERY_TRACE_ID_SET_H

#include <stdbool.h>
#include <stddef.h>

#include "model/span.h"

/* Of one question. */
#define TRACE_ID_SET_MAX ((size_t)1 << 22)

struct trace_id_set {
    struct trace_id *slots; /* zero ids are free ones */
    size_t size, count;     /* size is a power of two */
};

/* 1: it is new; 0: it was there; ERR_LIMIT with TRACE_ID_SET_MAX in it, ERR_NOMEM. */
int trace_id_set_add(struct trace_id_set *set, struct trace_id id);
void trace_id_set_release(struct trace_id_set *set);

#endif
