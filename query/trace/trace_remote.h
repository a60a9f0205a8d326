/* The service on the other side of a span's call: the first of these attributes of the span that is a text and not
 * empty. peer.service, server.address, net.peer.name, db.name, db.namespace, messaging.destination.name.
 */
#ifndef SONDE_QUERY_TRACE_REMOTE_H
#define SONDE_QUERY_TRACE_REMOTE_H

#include "base/strbuf.h"
#include "model/span.h"
#include "trace/trace_budget.h"
#include "trace/trace_names.h"

/* Empty when nothing names it. */
struct str trace_remote_service(struct attributes attributes);
/* One condition of a question (trace_question.h). */
void trace_remote_condition(struct strbuf *out, struct str name);
/* What the spans of a service call, in order; as trace_services. */
int trace_remote_names(struct span_view *view, struct str service, struct trace_budget *budget,
    struct arena *arena, struct trace_names *names_out, struct err *e);

#endif
