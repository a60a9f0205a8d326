/* A trace as Jaeger's query service writes it (model/json of Jaeger's API, version 1). */
#ifndef SONDE_QUERY_JAEGER_JSON_H
#define SONDE_QUERY_JAEGER_JSON_H

#include "base/json.h"
#include "tsdb/span_store.h"

/* {"traceID":…,"spans":[…],"processes":{…},"warnings":null}. The trace has at least one span: one without
 * any makes Grafana's plugin fail. 0 or ERR_NOMEM; errors of the writer stick in its buffer. */
int jaeger_write_trace(const struct span_trace *trace, struct json_writer *json);

#endif
