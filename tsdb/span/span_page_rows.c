/* The traces of a page, and the columns that every span has: each is read when it is first asked for. */
#include <stdlib.h>

#include "span/span_page_private.h"

/* ---- Traces ---- */

static int by_id(const void *left, const void *right)
{
    return trace_id_cmp(
        ((const struct span_page_trace *)left)->id, ((const struct span_page_trace *)right)->id);
}

static int read_runs(struct span_page *page)
{
    uint32_t count = page->info.traces, row = 0;
    struct str plain;
    int status = span_page_glance(page, SPAN_SECTION_TRACES, &plain);
    if (status != 0) {
        return status;
    }
    struct decbuf in = decbuf_of(plain.ptr, plain.len);
    struct span_page_trace *traces = arena_alloc(&page->arena, count * sizeof(*traces));
    uint64_t *starts = arena_alloc(&page->arena, count * sizeof(*starts));
    if (traces == NULL || starts == NULL) {
        return ERR_NOMEM;
    }
    for (uint32_t i = 0; i < count; i++) {
        struct str id = decbuf_bytes(&in, TRACE_ID_BYTES);
        if (in.failed) {
            return ERR_CORRUPT;
        }
        traces[i].id = trace_id_from_bytes((const uint8_t *)id.ptr);
    }
    uint64_t start = 0;
    for (uint32_t i = 0; i < count; i++) {
        uint64_t spans = decbuf_uvarint(&in);
        start += (uint64_t)decbuf_svarint(&in);
        if (in.failed || spans == 0 || spans > page->info.rows - row ||
            trace_id_is_zero(traces[i].id)) {
            return ERR_CORRUPT;
        }
        traces[i].first = row;
        traces[i].count = (uint32_t)spans;
        starts[i] = start * page->time_unit;
        row += (uint32_t)spans;
    }
    if (row != page->info.rows || decbuf_left(&in) != 0) {
        return ERR_CORRUPT;
    }
    page->trace_starts = starts;
    page->traces = traces;
    return 0;
}

int span_page_runs(struct span_page *page, const struct span_page_trace **traces_out)
{
    int status = page->traces == NULL ? read_runs(page) : 0;
    *traces_out = page->traces;
    return status;
}

static int sort_traces(struct span_page *page)
{
    const struct span_page_trace *runs;
    uint32_t count = page->info.traces;
    int status = span_page_runs(page, &runs);
    if (status != 0) {
        return status;
    }
    struct span_page_trace *sorted = arena_dup(&page->arena, runs, count * sizeof(*sorted));
    if (sorted == NULL) {
        return ERR_NOMEM;
    }
    qsort(sorted, count, sizeof(*sorted), by_id);
    for (uint32_t i = 1; i < count; i++) {
        if (trace_id_eq(sorted[i].id, sorted[i - 1].id)) {
            return ERR_CORRUPT;
        }
    }
    page->traces_by_id = sorted;
    return 0;
}

int span_page_traces(struct span_page *page, const struct span_page_trace **traces_out)
{
    int status = page->traces_by_id == NULL ? sort_traces(page) : 0;
    *traces_out = page->traces_by_id;
    return status;
}

int span_page_find(struct span_page *page, struct trace_id id, struct span_page_trace *trace_out)
{
    const struct span_page_trace *traces;
    int status = span_page_traces(page, &traces);
    if (status != 0) {
        return status;
    }
    const struct span_page_trace key = {.id = id};
    const struct span_page_trace *found =
        bsearch(&key, traces, page->info.traces, sizeof(*traces), by_id);
    if (found != NULL) {
        *trace_out = *found;
    }
    return found != NULL;
}

/* ---- Columns that every span has ---- */

static int read_starts(struct span_page *page)
{
    struct str plain;
    const struct span_page_trace *traces;
    int status = span_page_runs(page, &traces);
    status = status == 0 ? span_page_glance(page, SPAN_SECTION_STARTS, &plain) : status;
    if (status != 0) {
        return status;
    }
    uint64_t *starts = arena_alloc(&page->arena, page->info.rows * sizeof(*starts));
    struct decbuf in = decbuf_of(plain.ptr, plain.len);
    if (starts == NULL) {
        return ERR_NOMEM;
    }
    for (uint32_t t = 0; t < page->info.traces; t++) {
        for (uint32_t i = 0; i < traces[t].count; i++) {
            starts[traces[t].first + i] =
                page->trace_starts[t] + page_uvarint(&in) * page->time_unit;
        }
    }
    page->columns.start_ns = starts;
    return in.failed || decbuf_left(&in) != 0 ? ERR_CORRUPT : 0;
}

/* As span_duration_ns: what ends before it starts took no time. */
static int show_durations(struct span_page *page, const int64_t *exact)
{
    uint64_t *shown = arena_alloc(&page->arena, page->info.rows * sizeof(*shown));
    int status = shown == NULL ? ERR_NOMEM : span_page_columns_of(page, SPAN_PAGE_STARTS, NULL);
    for (uint32_t i = 0; status == 0 && i < page->info.rows; i++) {
        uint64_t start = page->columns.start_ns[i], end = start + (uint64_t)exact[i];
        shown[i] = end > start ? end - start : 0;
    }
    page->columns.duration_ns = shown;
    return status;
}

static int read_durations(struct span_page *page)
{
    struct str plain;
    int status = span_page_glance(page, SPAN_SECTION_DURATIONS, &plain);
    if (status != 0) {
        return status;
    }
    int64_t *exact = arena_alloc(&page->arena, page->info.rows * sizeof(*exact));
    struct decbuf in = decbuf_of(plain.ptr, plain.len);
    if (exact == NULL) {
        return ERR_NOMEM;
    }
    uint64_t all = 0;
    for (uint32_t i = 0; i < page->info.rows; i++) {
        exact[i] = (int64_t)((uint64_t)page_svarint(&in) * page->time_unit);
        all |= (uint64_t)exact[i];
    }
    if (in.failed || decbuf_left(&in) != 0) {
        return ERR_CORRUPT;
    }
    page->durations = exact;
    /* Mostly all spans end after they start, and before time is over: nothing has to be looked at again. */
    if (all <= INT64_MAX && all <= UINT64_MAX - page->info.start_max_ns) {
        page->columns.duration_ns = (const uint64_t *)exact;
        return 0;
    }
    return show_durations(page, exact);
}

static int read_kinds(struct span_page *page)
{
    struct str plain;
    uint32_t rows = page->info.rows;
    int status = span_page_glance(page, SPAN_SECTION_KINDS, &plain);
    if (status != 0) {
        return status;
    }
    uint8_t *kinds = arena_alloc(&page->arena, rows), *statuses = arena_alloc(&page->arena, rows);
    if (kinds == NULL || statuses == NULL) {
        return ERR_NOMEM;
    }
    if (plain.len != rows) {
        return ERR_CORRUPT;
    }
    for (uint32_t i = 0; i < rows; i++) {
        kinds[i] = (uint8_t)plain.ptr[i] & 15;
        statuses[i] = (uint8_t)plain.ptr[i] >> 4;
        if (kinds[i] >= SPAN_KIND_COUNT || statuses[i] >= SPAN_STATUS_COUNT) {
            return ERR_CORRUPT;
        }
    }
    page->columns.kind = kinds;
    page->columns.status = statuses;
    return 0;
}

int span_page_count(struct span_page *page, uint32_t what, uint32_t *count_out)
{
    struct str plain;
    int status = span_page_section(page, what, &plain);
    struct decbuf in = decbuf_of(plain.ptr, plain.len);
    uint64_t count = status == 0 ? decbuf_uvarint(&in) : 0;
    *count_out = (uint32_t)count;
    return status != 0                                          ? status
           : in.failed || count == 0 || count > page->info.rows ? ERR_CORRUPT
                                                                : 0;
}

/* The section `what`: indexes of `count` things. */
static int read_pool_indexes(
    struct span_page *page, uint32_t what, uint32_t count, const uint16_t **indexes_out)
{
    struct str plain = STR("");
    uint16_t *indexes = NULL;
    int status = span_page_glance(page, what, &plain);
    struct decbuf in = decbuf_of(plain.ptr, plain.len);
    status = status == 0 ? span_page_indexes(page, &in, page->info.rows, count, &indexes) : status;
    *indexes_out = indexes;
    return status == 0 && decbuf_left(&in) != 0 ? ERR_CORRUPT : status;
}

static int read_of_resource(struct span_page *page)
{
    int status = span_page_read_resources(page);
    page->columns.resource_count = page->resource_count;
    return status == 0 ? read_pool_indexes(page, SPAN_SECTION_OF_RESOURCE, page->resource_count,
                             &page->columns.resource)
                       : status;
}

static int read_of_scope(struct span_page *page)
{
    struct span_page_columns *c = &page->columns;
    int status = span_page_count(page, SPAN_SECTION_SCOPES, &c->scope_count);
    return status == 0 ? read_pool_indexes(page, SPAN_SECTION_OF_SCOPE, c->scope_count, &c->scope)
                       : status;
}

static int read_names(struct span_page *page)
{
    struct str plain;
    struct page_texts names;
    int status = span_page_glance(page, SPAN_SECTION_NAMES, &plain);
    struct decbuf in = decbuf_of(plain.ptr, plain.len);
    status = status == 0 ? span_page_texts(page, &in, page->info.rows, &names) : status;
    if (status == 0) {
        page->columns.name = names.codes;
        page->columns.names = names.texts;
        page->columns.name_count = names.text_count;
    }
    return status == 0 && decbuf_left(&in) != 0 ? ERR_CORRUPT : status;
}

int span_page_pools(struct span_page *page, uint32_t *resources_out, uint32_t *scopes_out)
{
    int status = span_page_read_resources(page);
    *resources_out = page->resource_count;
    return status == 0 ? span_page_count(page, SPAN_SECTION_SCOPES, scopes_out) : status;
}

int span_page_columns_of(
    struct span_page *page, unsigned which, struct span_page_columns *columns_out)
{
    static const struct {
        unsigned which;
        int (*read)(struct span_page *page);
    } readers[] = {{SPAN_PAGE_STARTS, read_starts}, {SPAN_PAGE_DURATIONS, read_durations},
        {SPAN_PAGE_KINDS, read_kinds}, {SPAN_PAGE_NAMES, read_names},
        {SPAN_PAGE_OF_RESOURCE, read_of_resource}, {SPAN_PAGE_OF_SCOPE, read_of_scope}};
    for (size_t i = 0; i < sizeof(readers) / sizeof(readers[0]); i++) {
        if ((which & ~page->columns_read & readers[i].which) != 0) {
            int status = readers[i].read(page);
            if (status != 0) {
                return status;
            }
            page->columns_read |= readers[i].which;
        }
    }
    if (columns_out != NULL) {
        *columns_out = page->columns;
    }
    return 0;
}

int span_page_columns(struct span_page *page, struct span_page_columns *columns_out)
{
    return span_page_columns_of(page,
        SPAN_PAGE_STARTS | SPAN_PAGE_DURATIONS | SPAN_PAGE_KINDS | SPAN_PAGE_NAMES |
            SPAN_PAGE_OF_RESOURCE | SPAN_PAGE_OF_SCOPE,
        columns_out);
}
