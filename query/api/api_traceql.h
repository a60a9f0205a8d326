/* What questions about traces share: their cost, their times, what they are written into. */
#ifndef SONDE_QUERY_API_TRACEQL_H
#define SONDE_QUERY_API_TRACEQL_H

#include "api/api_request.h"
#include "base/arena.h"
#include "base/err.h"
#include "trace/trace_budget.h"
#include "trace/traceql.h"
#include "tsdb/span_store.h"

/* What is there now; NULL with ERR_CLOSED when traces are not kept. */
int api_open_spans(struct api_request *r, struct span_view **view_out, struct err *e);
/* The server's limit of time; ends when the client leaves or the server stops. */
void api_trace_budget(struct api_request *r, struct trace_budget *budget_out);
/* Seconds or, from 10^17 on, nanoseconds since 1970, or RFC 3339; absent: left as it is. ERR_INVALID with a sentence. */
int api_trace_time(struct api_request *r, const char *name, uint64_t *ns, struct err *e);
/* A number from 1 to `most`; absent: left as it is, and more is cut. */
int api_trace_count(
    struct api_request *r, const char *name, size_t most, size_t *count, struct err *e);
/* "1.2s"; absent: left as it is. */
int api_trace_duration(struct api_request *r, const char *name, uint64_t *ns, struct err *e);

/* What an answer lacks, for formats that have no place for it: a header, Warning: 299 sonde "…". Before it is sent. */
void api_trace_warn(struct api_request *r, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* A list of names that is not whole. */
void api_trace_warn_names(struct api_request *r, bool cut);
/* Spans of large traces that are left out, parts of the store that cannot be read: told if there are any. */
void api_trace_say_missing(struct api_request *r, uint64_t left_out, bool damaged);

/* An answer without an envelope. */
struct api_plain {
    struct strbuf body;
    struct json_writer json;
};
void api_plain_begin(struct api_plain *a);
/* Sends it, or, with a status, the error of `e`. */
void api_plain_send(struct api_request *r, struct api_plain *a, int status, struct err *e);

#endif
