/* Answers of Tempo's search, as Grafana's plugin decodes them: strictly, so that nothing may be added. */
#ifndef SONDE_QUERY_TEMPO_JSON_H
#define SONDE_QUERY_TEMPO_JSON_H

#include "base/json.h"
#include "trace/traceql_evaluate.h"

/* One trace of an answer: {"traceID", "rootServiceName", "rootTraceName", "startTimeUnixNano", "durationMs",
 * "spanSets", "serviceStats"}, with at most `spans_max` spans of each set. Nothing is written when the query leaves no
 * set. 0, ERR_NOMEM or the arena's; errors of the writer stick in its buffer. */
int tempo_write_hit(const struct traceql_query *query, const struct span_trace *trace,
    size_t spans_max, struct arena *arena, struct json_writer *json);

#endif
