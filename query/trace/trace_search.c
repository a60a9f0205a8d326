#include "trace/trace_search.h"

#include "trace/trace_question.h"
#include "trace/trace_remote.h"

static void write_question(const struct trace_query *q, struct strbuf *out)
{
    trace_question_begin(out);
    trace_question_text(out, "resource.service.name", q->service);
    trace_question_text(out, "name", q->operation);
    if (q->remote.len > 0) {
        trace_remote_condition(out, q->remote);
    }
    if (q->kind != SPAN_KIND_UNSPECIFIED) {
        strbuf_addf(out, " && kind = %s", span_kind_name(q->kind));
    }
    trace_question_durations(out, q->duration_min_ns, q->duration_max_ns);
    for (size_t i = 0; i < q->tag_count; i++) {
        if (q->tags[i].value.ptr != NULL) {
            trace_question_tag(out, q->tags[i].key, q->tags[i].value);
        } else {
            trace_question_key(out, q->tags[i].key);
        }
    }
    trace_question_end(out);
}

int trace_search(struct span_view *view, const struct trace_query *query, size_t limit,
    struct arena *arena, struct trace_hits *hits_out, struct err *e)
{
    struct trace_budget unbounded = {0};
    const struct traceql_query *parsed;
    struct strbuf text;
    strbuf_init(&text, TRACEQL_BYTES_MAX);
    write_question(query, &text);
    int status = strbuf_error(&text);
    status = status == 0 ? traceql_parse(strbuf_str(&text), arena, &parsed, e) : status;
    strbuf_release(&text);
    if (status != 0) {
        return e->code != 0 ? status : err_set(e, status, -1, "%s", err_text(status));
    }
    return traceql_search(view, parsed, query->start_ns, query->end_ns, limit,
        query->budget != NULL ? query->budget : &unbounded, arena, hits_out, e);
}
