/* Spans as Zipkin's API, version 2, has them (openzipkin/zipkin-api, zipkin2-api.yaml). */
#ifndef SONDE_QUERY_ZIPKIN_ANSWER_H
#define SONDE_QUERY_ZIPKIN_ANSWER_H

#include "base/json.h"
#include "tsdb/span_store.h"

/* [{"traceId":…,"id":…,"name":…}, …] */
void zipkin_write_trace(const struct span_trace *trace, struct json_writer *json);

#endif
