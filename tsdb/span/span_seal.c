/* Sealing: rows of all pagers are put together by trace, in a table of their ids; traces are sorted by their
 * first start, and each one's rows by start. Only traces are sorted as a whole, of which there are a tenth as
 * many, and no span is copied. A row costs 16 bytes while this is done, a trace 56.
 */
#include "span/span_seal.h"

#include <stdlib.h>

#include "base/hash.h"
#include "base/mem.h"

/* Rows of one block. */
#define SEAL_ROWS_MAX ((size_t)1 << 28)
enum {
    /* Different spans of one trace, id and start among which a repeated one is found. */
    COPIES_MAX = 64,
    /* Rows of a trace that are sorted while they are listed: more are worth a call of qsort. */
    INSERTED_MAX = 32,
};

struct seal_row {
    const struct span_pager_row *row;
    uint32_t source;
    uint32_t next; /* of its trace, in order of coming: index + 1, 0 = the last */
};

struct seal_trace {
    struct trace_id id;
    uint64_t start_ns, latest_ns;
    uint32_t first, last, count; /* of its rows */
};

struct seal {
    const struct span_sources *sources;
    struct seal_row *rows;
    struct seal_trace *traces;
    uint32_t *slots; /* of `traces`: open addressing, index + 1 */
    size_t row_count, trace_count, slot_count;
    uint64_t seed;
    struct seal_row *ordered; /* the rows of the trace that is being written */
    size_t ordered_cap;
    struct span_block_writer *writer;
    uint64_t spans;
};

/* ---- Traces ---- */

static int by_u64(uint64_t a, uint64_t b)
{
    return a < b ? -1 : a > b;
}

static int by_start(const void *left, const void *right)
{
    const struct seal_trace *a = left, *b = right;
    int order = by_u64(a->start_ns, b->start_ns);
    return order != 0 ? order : trace_id_cmp(a->id, b->id);
}

static int reserve(struct seal *s)
{
    size_t count = 0;
    for (size_t i = 0; i < s->sources->count; i++) {
        count += s->sources->items[i]->pager->row_count;
    }
    if (count > SEAL_ROWS_MAX) {
        return ERR_LIMIT;
    }
    s->slot_count = 16;
    while (s->slot_count < 2 * count) {
        s->slot_count *= 2;
    }
    s->rows = mem_calloc(count, sizeof(*s->rows));
    s->traces = mem_calloc(count, sizeof(*s->traces));
    s->slots = mem_calloc(s->slot_count, sizeof(*s->slots));
    s->seed = hash_seed_random();
    return s->rows == NULL || s->traces == NULL || s->slots == NULL ? ERR_NOMEM : 0;
}

/* The trace of an id, a new one if need be. */
static struct seal_trace *find_trace(struct seal *s, const struct span_pager_row *row)
{
    struct trace_id id = row->trace_id;
    size_t slot = (size_t)hash_mix64(id.low ^ hash_mix64(id.high ^ s->seed)) & (s->slot_count - 1);
    for (; s->slots[slot] != 0; slot = (slot + 1) & (s->slot_count - 1)) {
        struct seal_trace *t = &s->traces[s->slots[slot] - 1];
        if (trace_id_eq(t->id, id)) {
            return t;
        }
    }
    struct seal_trace *t = &s->traces[s->trace_count++];
    *t = (struct seal_trace){.id = id, .start_ns = UINT64_MAX};
    s->slots[slot] = (uint32_t)s->trace_count;
    return t;
}

static void list_row(struct seal *s, uint32_t source, const struct span_pager_row *row)
{
    struct seal_trace *t = find_trace(s, row);
    uint32_t index = (uint32_t)s->row_count++;
    s->rows[index] = (struct seal_row){row, source, 0};
    if (t->count++ == 0) {
        t->first = index;
    } else {
        s->rows[t->last].next = index + 1;
    }
    t->last = index;
    t->start_ns = row->start_ns < t->start_ns ? row->start_ns : t->start_ns;
    t->latest_ns = row->start_ns > t->latest_ns ? row->start_ns : t->latest_ns;
}

static int list_traces(struct seal *s)
{
    int status = reserve(s);
    for (size_t i = 0; status == 0 && i < s->sources->count; i++) {
        const struct span_pager *p = s->sources->items[i]->pager;
        for (size_t r = 0; r < p->row_count; r++) {
            list_row(s, (uint32_t)i, &p->rows[r]);
        }
    }
    if (status == 0 && s->trace_count > 0) {
        qsort(s->traces, s->trace_count, sizeof(*s->traces), by_start);
    }
    return status;
}

/* ---- Rows of a trace ---- */

/* By start, then id, then as they came. */
static int by_row_start(const void *left, const void *right)
{
    const struct seal_row *a = left, *b = right;
    int order = by_u64(a->row->start_ns, b->row->start_ns);
    order = order != 0 ? order : by_u64(a->row->span_id, b->row->span_id);
    order = order != 0 ? order : by_u64(a->source, b->source);
    return order != 0 ? order : by_u64(a->row->number, b->row->number);
}

static int order_rows(struct seal *s, const struct seal_trace *t)
{
    int status = mem_array_grow(
        (void **)&s->ordered, &s->ordered_cap, t->count, sizeof(*s->ordered), SEAL_ROWS_MAX);
    uint32_t count = 0;
    for (uint32_t at = t->first + 1; status == 0 && at != 0; at = s->rows[at - 1].next) {
        struct seal_row row = s->rows[at - 1];
        uint32_t place = count++;
        for (; t->count <= INSERTED_MAX && place > 0 &&
               by_row_start(&s->ordered[place - 1], &row) > 0;
             place--) {
            s->ordered[place] = s->ordered[place - 1];
        }
        s->ordered[place] = row;
    }
    if (status == 0 && count > INSERTED_MAX) {
        qsort(s->ordered, count, sizeof(*s->ordered), by_row_start);
    }
    return status;
}

/* ---- Spans ---- */

/* A row as a walker hands it out, as far as a pager looks at it. */
static void span_of(const struct seal *s, const struct seal_row *at, struct otlp_span *span,
    struct span_resource *resource, struct span_scope *scope)
{
    const struct span_pager *p = s->sources->items[at->source]->pager;
    const struct span_pager_row *row = at->row;
    const struct span_pager_message *of_resource = &p->resources.items[row->resource];
    const struct span_pager_message *of_scope = &p->scopes.items[row->scope];
    resource->schema_url = of_resource->schema_url;
    scope->schema_url = of_scope->schema_url;
    *span = (struct otlp_span){.span = {.trace_id = row->trace_id,
                                   .span_id = row->span_id,
                                   .start_ns = row->start_ns,
                                   .end_ns = row->end_ns},
        .resource = resource,
        .scope = scope,
        .raw = str_make(row->raw, row->size),
        .resource_raw = of_resource->message,
        .scope_raw = of_scope->message};
}

/* Was the same span, with the same resource, among the rows before? Those of its id and start are its
 * neighbours. */
static bool came_before(const struct seal *s, size_t at, const struct otlp_span *span)
{
    size_t end = at > COPIES_MAX ? at - COPIES_MAX : 0;
    for (size_t i = at; i > end; i--) {
        struct otlp_span other;
        struct span_resource resource = {0};
        struct span_scope scope = {0};
        const struct span_pager_row *row = s->ordered[i - 1].row;
        if (row->span_id != span->span.span_id || row->start_ns != span->span.start_ns) {
            break;
        }
        span_of(s, &s->ordered[i - 1], &other, &resource, &scope);
        if (str_eq(other.raw, span->raw) && str_eq(other.resource_raw, span->resource_raw)) {
            return true;
        }
    }
    return false;
}

static int write_trace(struct seal *s, const struct seal_trace *trace)
{
    int status = order_rows(s, trace);
    status = status == 0 ? span_block_writer_begin_trace(s->writer, trace->count) : status;
    for (size_t i = 0; status == 0 && i < trace->count; i++) {
        struct otlp_span span;
        struct span_resource resource = {0};
        struct span_scope scope = {0};
        span_of(s, &s->ordered[i], &span, &resource, &scope);
        if (!came_before(s, i, &span)) {
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
        status = t->latest_ns >= oldest_ns ? write_trace(s, t) : 0;
    }
    return status;
}

int span_seal(const struct span_sources *sources, struct vfs *fs, const char *path,
    const struct span_block_options *options, uint64_t oldest_ns, uint64_t *spans_out,
    struct err *e)
{
    struct seal s = {.sources = sources};
    int status = list_traces(&s);
    status = status == 0 ? span_block_writer_open(fs, path, options, &s.writer, e) : status;
    status = status == 0 ? write_traces(&s, oldest_ns) : status;
    if (status == 0 && s.spans > 0) {
        status = span_block_writer_finish(s.writer, e);
    } else {
        span_block_writer_cancel(s.writer);
    }
    mem_free(s.rows);
    mem_free(s.traces);
    mem_free(s.slots);
    mem_free(s.ordered);
    if (status != 0) {
        return e->code != 0 ? status : err_set(e, status, -1, "%s: %s", path, err_text(status));
    }
    *spans_out = s.spans;
    return 0;
}
