/* Rules of retention of traces: how long what has a span of some services is kept (span_store.h). */
#ifndef SONDE_TSDB_SPAN_RULE_H
#define SONDE_TSDB_SPAN_RULE_H

#include <stddef.h>
#include <stdint.h>

#include "base/str.h"

#define SPAN_RETENTION_RULES_MAX 64

/* The first rule that matches a service counts for it, instead of what is kept of all. A trace is kept whole, as
 * long as the longest of what applies to it: each of its services, its errors. */
struct span_retention_rule {
    struct str services; /* an anchored pattern of service names (base/regex.h) */
    int64_t keep_ms;     /* 0 = for ever */
};

#endif
