/* Merging: the traces of all pages are listed and sorted by their first start, which is the order of a
 * block; then each is put together from the pages that have parts of it. Pages are in that order too, so
 * only few are open at a time: the list costs 40 bytes a trace and page, the open pages a few MB each.
 */
#include "span/span_gather.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

enum {
    /* Pages that are open at a time. */
    OPEN_MAX = 24,
    /* Parts of traces in one merge. */
    PARTS_MAX = 1 << 26,
    /* A trace with more spans, or in as many pages as may be open, is written part by part, each sorted
     * in itself. */
    SORTED_SPANS_MAX = 65536,
};

/* ---- Order ---- */

static int by_start(const void *left, const void *right)
{
    const struct span *a = &((const struct otlp_span *)left)->span;
    const struct span *b = &((const struct otlp_span *)right)->span;
    if (a->start_ns != b->start_ns) {
        return a->start_ns < b->start_ns ? -1 : 1;
    }
    return a->span_id < b->span_id ? -1 : a->span_id > b->span_id;
}

static int same_bytes(const struct otlp_span *a, const struct otlp_span *b, bool *same_out)
{
    struct strbuf left = STRBUF_INIT, right = STRBUF_INIT;
    otlp_span_encode(&a->span, &left);
    otlp_span_encode(&b->span, &right);
    int status = strbuf_error(&left) != 0 ? strbuf_error(&left) : strbuf_error(&right);
    *same_out = status == 0 && str_eq(strbuf_str(&left), strbuf_str(&right)) &&
                str_eq(a->resource_raw, b->resource_raw);
    strbuf_release(&left);
    strbuf_release(&right);
    return status;
}

int span_gather_order(struct otlp_span *spans, size_t count, size_t *count_out)
{
    size_t kept = 0;
    if (count > 1) {
        qsort(spans, count, sizeof(*spans), by_start);
    }
    for (size_t i = 0; i < count; i++) {
        bool same = false;
        for (size_t k = kept; k > 0 && !same && by_start(&spans[k - 1], &spans[i]) == 0; k--) {
            int status = same_bytes(&spans[k - 1], &spans[i], &same);
            if (status != 0) {
                return status;
            }
        }
        if (!same) {
            spans[kept++] = spans[i];
        }
    }
    *count_out = kept;
    return 0;
}

/* ---- Parts of traces ---- */

struct part_of_trace {
    struct trace_id id;
    uint64_t start_ns; /* of its first span in this page, then of the whole trace */
    uint32_t page;     /* among all pages of all sources */
    uint32_t first, count;
};

struct merge {
    const struct span_sources *sources;
    struct merge_page {
        uint32_t source, page;
        struct span_page *open; /* NULL: closed */
        uint64_t used;          /* clock of the last use */
        bool damaged;
    } * pages;
    uint32_t page_count, open_count;
    uint64_t clock;
    struct part_of_trace *parts;
    size_t part_count, part_cap;
    struct span_block_writer *writer;
    struct arena arena; /* of one trace */
    struct strbuf raw;
    struct span_unpacker unpacker;
    struct span_keep keep;
    uint64_t spans, damaged;
};

static void close_oldest(struct merge *m)
{
    struct merge_page *oldest = NULL;
    for (uint32_t i = 0; i < m->page_count; i++) {
        struct merge_page *p = &m->pages[i];
        if (p->open != NULL && (oldest == NULL || p->used < oldest->used)) {
            oldest = p;
        }
    }
    span_page_close(oldest->open);
    oldest->open = NULL;
    m->open_count--;
}

static int open_page(struct merge *m, uint32_t number, struct span_page **page_out)
{
    struct merge_page *p = &m->pages[number];
    struct err e = ERR_INIT;
    p->used = ++m->clock;
    if (p->open == NULL) {
        if (m->open_count == OPEN_MAX) {
            close_oldest(m);
        }
        int status =
            span_source_open(m->sources->items[p->source], p->page, &m->unpacker, &p->open, &e);
        if (status != 0) {
            return status;
        }
        m->open_count++;
    }
    *page_out = p->open;
    return 0;
}

static int note_damage(struct merge *m, uint32_t number, int status)
{
    if (status != ERR_CORRUPT && status != ERR_INVALID) {
        return status;
    }
    const struct merge_page *p = &m->pages[number];
    m->damaged += !p->damaged && span_source_note_damage(m->sources->items[p->source], p->page);
    m->pages[number].damaged = true;
    return 0;
}

static int list_page(struct merge *m, uint32_t number)
{
    struct span_page *page;
    const struct span_page_trace *traces;
    struct span_page_columns columns;
    int status = open_page(m, number, &page);
    status = status == 0 ? span_page_traces(page, &traces) : status;
    status = status == 0 ? span_page_columns(page, &columns) : status;
    if (status != 0) {
        return note_damage(m, number, status);
    }
    uint32_t count = span_page_info(page).traces;
    status = mem_array_grow(
        (void **)&m->parts, &m->part_cap, m->part_count + count, sizeof(*m->parts), PARTS_MAX);
    for (uint32_t i = 0; status == 0 && i < count; i++) {
        m->parts[m->part_count++] = (struct part_of_trace){traces[i].id,
            columns.start_ns[traces[i].first], number, traces[i].first, traces[i].count};
    }
    return status;
}

static int by_id(const void *left, const void *right)
{
    const struct part_of_trace *a = left, *b = right;
    int order = trace_id_cmp(a->id, b->id);
    return order != 0 ? order : a->page < b->page ? -1 : a->page > b->page;
}

static int by_trace_start(const void *left, const void *right)
{
    const struct part_of_trace *a = left, *b = right;
    if (a->start_ns != b->start_ns) {
        return a->start_ns < b->start_ns ? -1 : 1;
    }
    return by_id(left, right);
}

/* Lists all traces, in the order of the block. */
static int list_parts(struct merge *m)
{
    int status = 0;
    for (uint32_t i = 0; status == 0 && i < m->page_count; i++) {
        status = list_page(m, i);
    }
    if (status != 0 || m->part_count == 0) {
        return status;
    }
    qsort(m->parts, m->part_count, sizeof(*m->parts), by_id);
    for (size_t i = 0, first = 0; i < m->part_count; i++) {
        first = trace_id_eq(m->parts[i].id, m->parts[first].id) ? first : i;
        uint64_t start = m->parts[i].start_ns;
        m->parts[first].start_ns =
            start < m->parts[first].start_ns ? start : m->parts[first].start_ns;
    }
    for (size_t i = 1; i < m->part_count; i++) {
        if (trace_id_eq(m->parts[i].id, m->parts[i - 1].id)) {
            m->parts[i].start_ns = m->parts[i - 1].start_ns;
        }
    }
    qsort(m->parts, m->part_count, sizeof(*m->parts), by_trace_start);
    return 0;
}

/* ---- Writing ---- */

static int write_spans(struct merge *m, struct otlp_span *spans, size_t count)
{
    int status = span_gather_order(spans, count, &count);
    status = status == 0 ? span_block_writer_begin_trace(m->writer, count) : status;
    for (size_t i = 0; status == 0 && i < count; i++) {
        strbuf_reset(&m->raw);
        otlp_span_encode(&spans[i].span, &m->raw);
        spans[i].raw = strbuf_str(&m->raw);
        status = strbuf_error(&m->raw);
        status = status == 0 ? span_block_writer_add(m->writer, &spans[i]) : status;
        m->spans += status == 0;
    }
    return status;
}

/* Parts [first, end) are a trace's. */
static int write_trace(struct merge *m, size_t first, size_t end)
{
    size_t total = 0, have = 0;
    for (size_t i = first; i < end; i++) {
        total += m->parts[i].count;
    }
    /* Spans borrow from open pages, so that all of a trace's have to fit among them. */
    bool whole = total <= SORTED_SPANS_MAX && end - first < OPEN_MAX;
    size_t cap = whole ? total : SPAN_PAGE_ROWS_MAX;
    struct otlp_span *spans = arena_alloc(&m->arena, cap * sizeof(*spans));
    int status = spans == NULL ? ERR_NOMEM : 0;
    for (size_t i = first; status == 0 && i < end; i++) {
        const struct part_of_trace *part = &m->parts[i];
        struct span_page *page;
        if (!whole && have > 0) {
            status = write_spans(m, spans, have);
            have = 0;
        }
        status = status == 0 ? open_page(m, part->page, &page) : status;
        if (status == 0) {
            status = span_page_spans(page, part->first, part->count, &m->arena, spans + have);
        }
        if (status == 0) {
            have += part->count;
        } else {
            status = note_damage(m, part->page, status);
        }
    }
    bool wanted = status == 0 && have > 0 && (!whole || span_keep_wants(&m->keep, spans, have));
    return wanted ? write_spans(m, spans, have) : status;
}

static int write_traces(struct merge *m)
{
    int status = 0;
    size_t first = 0;
    for (size_t i = 1; status == 0 && i <= m->part_count; i++) {
        if (i == m->part_count || !trace_id_eq(m->parts[i].id, m->parts[first].id)) {
            status = write_trace(m, first, i);
            arena_release(&m->arena);
            first = i;
        }
    }
    return status;
}

static int list_pages(struct merge *m)
{
    uint32_t count = 0;
    for (size_t i = 0; i < m->sources->count; i++) {
        count += span_source_pages(m->sources->items[i]);
    }
    m->pages = mem_calloc(count, sizeof(*m->pages));
    for (size_t i = 0; m->pages != NULL && i < m->sources->count; i++) {
        for (uint32_t p = 0; p < span_source_pages(m->sources->items[i]); p++) {
            m->pages[m->page_count++] = (struct merge_page){.source = (uint32_t)i, .page = p};
        }
    }
    return m->pages == NULL ? ERR_NOMEM : 0;
}

/* Blocks that are damaged get a second name, under which they stay when what is left of them is elsewhere. */
static int keep_damaged(const struct merge *m)
{
    int status = 0;
    for (uint32_t i = 0; status == 0 && i < m->page_count; i++) {
        const struct span_block *block = m->sources->items[m->pages[i].source]->block;
        struct strbuf aside = STRBUF_INIT;
        if (!m->pages[i].damaged) {
            continue;
        }
        strbuf_addf(&aside, "%s" SPAN_BLOCK_DAMAGED, block->path);
        status = strbuf_error(&aside);
        status = status == 0 ? vfs_link(block->fs, block->path, aside.data) : status;
        status = status == ERR_EXISTS ? 0 : status;
        strbuf_release(&aside);
    }
    return status;
}

int span_gather_merge(const struct span_sources *sources, struct vfs *fs, const char *path,
    const struct span_block_options *options, const struct span_keep *keep, uint64_t *spans_out,
    uint64_t *damaged_out, struct err *e)
{
    struct merge m = {.sources = sources, .keep = *keep};
    strbuf_init(&m.raw, SPAN_PAGE_BYTES_MAX * 2);
    arena_init(&m.arena, 0);
    span_unpacker_init(&m.unpacker);
    int status = list_pages(&m);
    status = status == 0 ? list_parts(&m) : status;
    status = status == 0 ? span_block_writer_open(fs, path, options, &m.writer, e) : status;
    status = status == 0 ? write_traces(&m) : status;
    status = status == 0 ? keep_damaged(&m) : status;
    if (status == 0 && m.spans > 0) {
        status = span_block_writer_finish(m.writer, e);
    } else {
        span_block_writer_cancel(m.writer);
    }
    for (uint32_t i = 0; i < m.page_count; i++) {
        span_page_close(m.pages[i].open);
    }
    mem_free(m.pages);
    mem_free(m.parts);
    strbuf_release(&m.raw);
    span_unpacker_release(&m.unpacker);
    arena_release(&m.arena);
    *damaged_out = m.damaged;
    if (status != 0) {
        return e->code != 0 ? status : err_set(e, status, -1, "%s: %s", path, err_text(status));
    }
    *spans_out = m.spans;
    return 0;
}
