/* Names to choose from: the services there are, and the operations of one. */
#ifndef SONDE_QUERY_TRACE_NAMES_H
#define SONDE_QUERY_TRACE_NAMES_H

#include <stddef.h>

#include "base/arena.h"
#include "base/err.h"
#include "model/span.h"
#include "tsdb/span_store.h"

/* Pages that are looked at, the newest ones; and names of one answer. */
enum { TRACE_NAMES_PAGES_MAX = 512, TRACE_NAMES_MAX = 10000 };

struct trace_name {
    struct str name;
    enum span_kind kind; /* of an operation; a name comes once for each kind it has */
};

struct trace_names {
    const struct trace_name *items; /* by name, then kind */
    size_t count;
    bool cut; /* there are more: names beyond TRACE_NAMES_MAX, or pages that were not looked at */
};

/* In `arena`. */
int trace_services(
    struct span_view *view, struct arena *arena, struct trace_names *names_out, struct err *e);
/* Of a service; an empty one means all. */
int trace_operations(struct span_view *view, struct str service, struct arena *arena,
    struct trace_names *names_out, struct err *e);

#endif
