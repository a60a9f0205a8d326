/* Sealing: all rows of all pagers are sorted by trace and start, then traces by their first start; spans go
 * over as the bytes that they are. A row costs 88 bytes while this is done. */
#include "span/span_seal.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

/* Rows of one block. */
#define SEAL_ROWS_MAX ((size_t)1 << 28)
/* Different spans of one trace, id and start among which a repeated one is found. */
enum { COPIES_MAX = 64 };

struct seal_row {
    struct trace_id id;
    uint64_t start_ns, span_id;
    uint32_t source, row;
};

/* A run of rows. */
struct seal_trace {
    struct trace_id id;
    uint64_t start_ns;
    size_t first, count;
};

struct seal {
    const struct span_sources *sources;
    struct seal_row *rows;
    struct seal_trace *traces;
    size_t row_count, trace_count;
    struct span_block_writer *writer;
    uint64_t spans;
};

/* ---- Order ---- */

static int by_u64(uint64_t a, uint64_t b)
{
    return a < b ? -1 : a > b;
}

static int by_trace(const void *left, const void *right)
{
    const struct seal_row *a = left, *b = right;
    int order = trace_id_cmp(a->id, b->id);
    order = order != 0 ? order : by_u64(a->start_ns, b->start_ns);
    order = order != 0 ? order : by_u64(a->span_id, b->span_id);
    order = order != 0 ? order : by_u64(a->source, b->source);
    return order != 0 ? order : by_u64(a->row, b->row);
}

static int by_start(const void *left, const void *right)
{
    const struct seal_trace *a = left, *b = right;
    int order = by_u64(a->start_ns, b->start_ns);
    return order != 0 ? order : trace_id_cmp(a->id, b->id);
}

static int list_rows(struct seal *s)
{
    size_t count = 0;
    for (size_t i = 0; i < s->sources->count; i++) {
        count += s->sources->items[i]->pager->row_count;
    }
    if (count > SEAL_ROWS_MAX) {
        return ERR_LIMIT;
    }
    s->rows = mem_calloc(count, sizeof(*s->rows));
    s->traces = mem_calloc(count, sizeof(*s->traces));
    if (s->rows == NULL || s->traces == NULL) {
        return ERR_NOMEM;
    }
    for (size_t i = 0; i < s->sources->count; i++) {
        const struct span_pager *p = s->sources->items[i]->pager;
        for (size_t r = 0; r < p->row_count; r++) {
            s->rows[s->row_count++] = (struct seal_row){p->rows[r].trace_id, p->rows[r].start_ns,
                p->rows[r].span_id, (uint32_t)i, (uint32_t)r};
        }
    }
    return 0;
}

static void list_traces(struct seal *s)
{
    qsort(s->rows, s->row_count, sizeof(*s->rows), by_trace);
    for (size_t i = 0; i < s->row_count; i++) {
        if (i == 0 || !trace_id_eq(s->rows[i].id, s->rows[i - 1].id)) {
            s->traces[s->trace_count++] =
                (struct seal_trace){s->rows[i].id, s->rows[i].start_ns, i, 0};
        }
        s->traces[s->trace_count - 1].count++;
    }
    qsort(s->traces, s->trace_count, sizeof(*s->traces), by_start);
}

/* ---- Spans ---- */

static struct str message_of(
    const struct span_pager *p, const struct span_pager_message *m, struct str *schema_url)
{
    *schema_url = str_make(p->bytes.data + m->offset + m->size, m->schema_url_size);
    return str_make(p->bytes.data + m->offset, m->size);
}

/* A row as a walker hands it out, as far as a pager looks at it. */
static void span_of(const struct seal *s, const struct seal_row *at, struct otlp_span *span,
    struct span_resource *resource, struct span_scope *scope)
{
    const struct span_pager *p = s->sources->items[at->source]->pager;
    const struct span_pager_row *row = &p->rows[at->row];
    *span = (struct otlp_span){.span = {.trace_id = row->trace_id,
                                   .span_id = row->span_id,
                                   .start_ns = row->start_ns,
                                   .end_ns = row->end_ns},
        .resource = resource,
        .scope = scope,
        .raw = str_make(p->bytes.data + row->offset, row->size)};
    span->resource_raw = message_of(p, &p->resources.items[row->resource], &resource->schema_url);
    span->scope_raw = message_of(p, &p->scopes.items[row->scope], &scope->schema_url);
}

/* Was the same span, with the same resource, among the rows before? Those of its id and start are its
 * neighbours. */
static bool came_before(const struct seal *s, size_t first, size_t at, const struct otlp_span *span)
{
    size_t end = at - first > COPIES_MAX ? at - COPIES_MAX : first;
    for (size_t i = at; i > end; i--) {
        struct otlp_span other;
        struct span_resource resource = {0};
        struct span_scope scope = {0};
        const struct seal_row *row = &s->rows[i - 1];
        if (row->span_id != s->rows[at].span_id || row->start_ns != s->rows[at].start_ns) {
            break;
        }
        span_of(s, row, &other, &resource, &scope);
        if (str_eq(other.raw, span->raw) && str_eq(other.resource_raw, span->resource_raw)) {
            return true;
        }
    }
    return false;
}

static int write_trace(struct seal *s, const struct seal_trace *trace)
{
    int status = span_block_writer_begin_trace(s->writer, trace->count);
    for (size_t i = trace->first; status == 0 && i < trace->first + trace->count; i++) {
        struct otlp_span span;
        struct span_resource resource = {0};
        struct span_scope scope = {0};
        span_of(s, &s->rows[i], &span, &resource, &scope);
        if (!came_before(s, trace->first, i, &span)) {
            status = span_block_writer_add(s->writer, &span);
            s->spans++;
        }
    }
    return status;
}

static int write_traces(struct seal *s, uint64_t oldest_ns)
{
    int status = 0;
    for (size_t i = 0; status == 0 && i < s->trace_count; i++) {
        const struct seal_trace *t = &s->traces[i];
        bool wanted = s->rows[t->first + t->count - 1].start_ns >= oldest_ns;
        status = wanted ? write_trace(s, t) : 0;
    }
    return status;
}

int span_seal(const struct span_sources *sources, struct vfs *fs, const char *path,
    const struct span_block_options *options, uint64_t oldest_ns, uint64_t *spans_out,
    struct err *e)
{
    struct seal s = {.sources = sources};
    int status = list_rows(&s);
    status = status == 0 ? span_block_writer_open(fs, path, options, &s.writer, e) : status;
    if (status == 0) {
        list_traces(&s);
        status = write_traces(&s, oldest_ns);
    }
    if (status == 0 && s.spans > 0) {
        status = span_block_writer_finish(s.writer, e);
    } else {
        span_block_writer_cancel(s.writer);
    }
    mem_free(s.rows);
    mem_free(s.traces);
    if (status != 0) {
        return e->code != 0 ? status : err_set(e, status, -1, "%s: %s", path, err_text(status));
    }
    *spans_out = s.spans;
    return 0;
}
