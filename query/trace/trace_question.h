/* Questions of simple forms (Jaeger's, Zipkin's, Tempo's tags) as text in TraceQL: there is one search. */
#ifndef SONDE_QUERY_TRACE_QUESTION_H
#define SONDE_QUERY_TRACE_QUESTION_H

#include <stdint.h>

#include "base/str.h"
#include "base/strbuf.h"

/* { a && b … }: begin, any number of conditions, end. Errors stick in the buffer. */
void trace_question_begin(struct strbuf *out);
void trace_question_end(struct strbuf *out);

/* A field that is compared as text: "resource.service.name", "name". Empty values ask nothing. */
void trace_question_text(struct strbuf *out, const char *field, struct str value);
/* 0: no bound. */
void trace_question_durations(struct strbuf *out, uint64_t min_ns, uint64_t max_ns);
/* An attribute of the span, its resource or one of its events whose value reads as the text, whatever its type: "200"
 * finds the integer 200. Besides what Jaeger shows as tags: error, span.kind, otel.status_code (OK, ERROR),
 * otel.scope.name, otel.scope.version, event. */
void trace_question_tag(struct strbuf *out, struct str key, struct str value);
/* The attribute is there, or an event of that name: an annotation. */
void trace_question_key(struct strbuf *out, struct str key);

#endif
