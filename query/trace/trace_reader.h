/* One trace after the other out of a view, without keeping the pages of all of them in memory. */
#ifndef SONDE_QUERY_TRACE_READER_H
#define SONDE_QUERY_TRACE_READER_H

#include "tsdb/span_store.h"

/* Pages that are kept open for the traces to come. */
enum { TRACE_READER_PAGES_MAX = 32 };

struct trace_reader {
    const struct span_view *view; /* borrowed */
    struct span_view *pages;      /* NULL until a trace is read */
    bool damaged;                 /* parts could not be read, as far as views were released */
};

static inline void trace_reader_init(struct trace_reader *reader, const struct span_view *view)
{
    *reader = (struct trace_reader){.view = view};
}
void trace_reader_release(struct trace_reader *reader);
/* As span_view_trace, but texts live until the next call only. */
int trace_reader_read(struct trace_reader *reader, struct trace_id id, struct arena *arena,
    struct span_trace *trace_out, struct err *e);

#endif
