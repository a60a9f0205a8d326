/* Which service calls which: of the service graph's series where agents count calls, else of the spans that are kept. */
#ifndef SONDE_QUERY_API_CALLS_H
#define SONDE_QUERY_API_CALLS_H

#include "api/api_request.h"
#include "base/err.h"
#include "trace/trace_calls.h"

/* Parameters of Jaeger and Zipkin: endTs (now) and lookback (a day), milliseconds; in the request's arena. */
int api_read_calls(struct api_request *r, struct trace_calls *calls_out, struct err *e);

#endif
