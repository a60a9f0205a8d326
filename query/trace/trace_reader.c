/* A view of the same pages stands in for the one that is read, and is given up when it holds too many. */
#include "trace/trace_reader.h"

void trace_reader_release(struct trace_reader *reader)
{
    const char *const *sentences;
    if (reader->pages != NULL) {
        reader->damaged |= span_view_warnings(reader->pages, &sentences) > 0;
    }
    span_view_close(reader->pages);
    reader->pages = NULL;
}

int trace_reader_read(struct trace_reader *reader, struct trace_id id, struct arena *arena,
    struct span_trace *trace_out, struct err *e)
{
    int status = 0;
    if (reader->pages != NULL && span_view_open_pages(reader->pages) >= TRACE_READER_PAGES_MAX) {
        trace_reader_release(reader);
    }
    if (reader->pages == NULL) {
        status = span_view_again(reader->view, &reader->pages, e);
    }
    return status == 0 ? span_view_trace(reader->pages, id, arena, trace_out, e) : status;
}
