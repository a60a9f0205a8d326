/* Durations as Go's time.ParseDuration reads them, which Jaeger's and Tempo's parameters are: "1.2s",
 * "100ms", "500us", "1h15m". */
#ifndef SONDE_QUERY_TRACE_DURATION_H
#define SONDE_QUERY_TRACE_DURATION_H

#include <stdint.h>

#include "base/str.h"

/* Not negative. ERR_INVALID; ERR_RANGE beyond 292 years. */
int trace_duration_parse(struct str text, uint64_t *ns_out);

#endif
