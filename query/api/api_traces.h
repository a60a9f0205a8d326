/* What the handlers of traces share. */
#ifndef SONDE_QUERY_API_TRACES_H
#define SONDE_QUERY_API_TRACES_H

#include "api/api_request.h"
#include "base/arena.h"
#include "base/err.h"
#include "tsdb/span_store.h"

/* A trace that was found, and what it lives in. */
struct api_trace {
    struct api_request *request;
    struct trace_id id;
    struct span_view *view;
    struct arena arena;
    struct span_trace trace; /* at least one span */
};

/* The trace that the path names. ERR_NOT_FOUND, ERR_INVALID for what is no id, or the store's. Close it in any case,
 * before the answer is sent: a header says what it lacks. */
int api_trace_open(struct api_request *r, struct api_trace *t, struct err *e);
void api_trace_close(struct api_trace *t);
/* Adds a trace to OTLP's JSON; a resource without attributes gets the name of an unknown service. */
void api_add_trace(struct otlp_json_encoder *encoder, const struct span_trace *trace);

#endif
