/* Reading a page: its directory, its sections, the columns that every span has. Bytes come from a disk:
 * nothing is believed that was not checked. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "base/mem.h"
#include "span/span_page_private.h"

/* ---- Directory ---- */

static int corrupt(struct err *e, const char *what)
{
    return err_set(e, ERR_CORRUPT, -1, "a page of spans is corrupt: %s", what);
}

static int read_header(struct span_page *page, struct err *e)
{
    struct decbuf in = decbuf_of(page->bytes.ptr, page->bytes.len);
    struct str magic = decbuf_bytes(&in, 8);
    uint32_t version = decbuf_le32(&in);
    page->info.rows = decbuf_le32(&in);
    page->info.traces = decbuf_le32(&in);
    page->section_count = decbuf_le32(&in);
    page->info.start_min_ns = decbuf_le64(&in);
    page->info.start_max_ns = decbuf_le64(&in);
    page->info.duration_max_ns = decbuf_le64(&in);
    page->time_unit = decbuf_le32(&in);
    uint32_t size = decbuf_le32(&in);
    (void)decbuf_le32(&in);
    uint32_t checksum = decbuf_le32(&in);
    if (in.failed || !str_eq_c(magic, SPAN_PAGE_MAGIC)) {
        return corrupt(e, "it does not begin like one");
    }
    if (version != SPAN_PAGE_VERSION) {
        return err_set(e, ERR_INVALID, 8, "a page of spans has version %u, this program reads %d",
            version, SPAN_PAGE_VERSION);
    }
    size_t directory = (size_t)page->section_count * SPAN_PAGE_ENTRY_SIZE;
    if (page->section_count > SPAN_PAGE_SECTIONS_MAX || decbuf_left(&in) < directory ||
        size != page->bytes.len) {
        return corrupt(e, "it is cut off");
    }
    struct strbuf covered = STRBUF_INIT;
    strbuf_add(&covered, page->bytes.ptr, SPAN_PAGE_HEADER_SIZE - 4);
    strbuf_add(&covered, in.p, directory);
    int status = strbuf_error(&covered);
    bool good = status == 0 && checksum32(covered.data, covered.size) == checksum;
    strbuf_release(&covered);
    if (status != 0) {
        return err_set(e, status, -1, "%s", err_text(status)); /* no memory is no damage */
    }
    if (!good) {
        return corrupt(e, "the checksum of its directory is wrong");
    }
    bool sound = page->info.rows > 0 && page->info.rows <= SPAN_PAGE_ROWS_MAX &&
                 page->info.traces > 0 && page->info.traces <= page->info.rows &&
                 (page->time_unit == 1 || page->time_unit == 1000 || page->time_unit == 1000000);
    return sound ? 0 : corrupt(e, "its header makes no sense");
}

static int read_directory(struct span_page *page, struct err *e)
{
    struct decbuf in = decbuf_of(page->bytes.ptr, page->bytes.len);
    (void)decbuf_bytes(&in, SPAN_PAGE_HEADER_SIZE);
    page->sections = arena_calloc(&page->arena, page->section_count, sizeof(*page->sections));
    if (page->sections == NULL) {
        return err_set(e, ERR_NOMEM, -1, "%s", err_text(ERR_NOMEM));
    }
    uint64_t offset = SPAN_PAGE_HEADER_SIZE + (uint64_t)page->section_count * SPAN_PAGE_ENTRY_SIZE;
    for (uint32_t i = 0; i < page->section_count; i++) {
        struct page_section *s = &page->sections[i];
        s->what = decbuf_le32(&in);
        s->stored = decbuf_le32(&in);
        s->size = decbuf_le32(&in);
        s->checksum = decbuf_le32(&in);
        s->offset = offset;
        offset += s->stored;
        if ((i > 0 && s->what <= page->sections[i - 1].what) || s->size > SPAN_SECTION_BYTES_MAX ||
            s->stored > s->size || s->what >= SPAN_PAGE_SECTIONS_MAX) {
            return corrupt(e, "its directory makes no sense");
        }
    }
    return offset == page->bytes.len ? 0 : corrupt(e, "its sections do not fill it");
}

int span_page_open(struct str bytes, struct span_page **page_out, struct err *e)
{
    struct span_page *page = mem_calloc(1, sizeof(*page));
    if (page == NULL) {
        return err_set(e, ERR_NOMEM, -1, "%s", err_text(ERR_NOMEM));
    }
    page->bytes = bytes;
    arena_init(&page->arena, 0);
    int status = zstd_codec_new(&page->codec);
    if (status != 0) {
        (void)err_set(e, status, -1, "%s", err_text(status));
    }
    status = status == 0 ? read_header(page, e) : status;
    status = status == 0 ? read_directory(page, e) : status;
    if (status == 0) {
        status = span_page_read_keys(page);
        if (status != 0) {
            (void)corrupt(e, "the keys of its attributes");
        }
    }
    if (status != 0) {
        span_page_close(page);
        return status;
    }
    *page_out = page;
    return 0;
}

void span_page_close(struct span_page *page)
{
    if (page != NULL) {
        zstd_codec_free(page->codec);
        arena_release(&page->arena);
        mem_free(page);
    }
}

struct span_page_info span_page_info(const struct span_page *page)
{
    return page->info;
}

/* ---- Sections ---- */

static struct page_section *find_section(struct span_page *page, uint32_t what)
{
    uint32_t low = 0, high = page->section_count;
    while (low < high) {
        uint32_t middle = (low + high) / 2;
        if (page->sections[middle].what < what) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low < page->section_count && page->sections[low].what == what ? &page->sections[low]
                                                                         : NULL;
}

static int decompress(struct span_page *page, struct page_section *s, struct str stored)
{
    struct strbuf plain;
    strbuf_init(&plain, s->size + 1u);
    int status = zstd_decode(page->codec, stored, s->size, &plain);
    if (status == 0 && plain.size != s->size) {
        status = ERR_CORRUPT;
    }
    if (status == 0) {
        s->plain = str_make(arena_dup(&page->arena, plain.data, plain.size), plain.size);
        status = s->plain.ptr == NULL ? ERR_NOMEM : 0;
    }
    strbuf_release(&plain);
    return status == ERR_LIMIT ? ERR_CORRUPT : status;
}

int span_page_section(struct span_page *page, uint32_t what, struct str *plain_out)
{
    struct page_section *s = find_section(page, what);
    *plain_out = STR("");
    if (s == NULL) {
        return 0;
    }
    if (!s->is_read) {
        struct str stored = str_make(page->bytes.ptr + s->offset, s->stored);
        if (checksum32(stored.ptr, stored.len) != s->checksum) {
            return ERR_CORRUPT;
        }
        s->plain = stored;
        if (s->stored != s->size) {
            int status = decompress(page, s, stored);
            if (status != 0) {
                return status;
            }
        }
        s->is_read = true;
    }
    *plain_out = s->plain;
    return 0;
}

int span_page_numbers(struct span_page *page, struct decbuf *in, uint32_t count, uint64_t limit,
    uint32_t **numbers_out)
{
    uint32_t *numbers = arena_alloc(&page->arena, count * sizeof(*numbers));
    if (numbers == NULL) {
        return ERR_NOMEM;
    }
    uint64_t most = 0;
    for (uint32_t i = 0; i < count; i++) {
        uint64_t number = page_uvarint(in);
        most = number > most ? number : most;
        numbers[i] = (uint32_t)number;
    }
    if (in->failed || most > UINT32_MAX || (limit > 0 && count > 0 && most >= limit)) {
        return ERR_CORRUPT;
    }
    *numbers_out = numbers;
    return 0;
}

int span_page_texts(
    struct span_page *page, struct decbuf *in, uint32_t count, struct page_texts *texts_out)
{
    uint64_t distinct = decbuf_uvarint(in);
    bool plain = distinct == 0;
    uint64_t stored = plain ? count : distinct;
    if (in->failed || stored > count) {
        return ERR_CORRUPT;
    }
    struct str *texts = arena_calloc(&page->arena, (size_t)stored, sizeof(*texts));
    uint32_t *codes = NULL;
    if (texts == NULL) {
        return ERR_NOMEM;
    }
    for (uint64_t i = 0; i < stored; i++) {
        texts[i] = decbuf_sized(in);
    }
    if (in->failed) {
        return ERR_CORRUPT;
    }
    int status = 0;
    if (plain) {
        codes = arena_alloc(&page->arena, count * sizeof(*codes));
        status = codes == NULL ? ERR_NOMEM : 0;
        for (uint32_t i = 0; status == 0 && i < count; i++) {
            codes[i] = i;
        }
    } else {
        status = span_page_numbers(page, in, count, distinct, &codes);
    }
    *texts_out = (struct page_texts){texts, codes, (uint32_t)stored};
    return status;
}

int span_page_sparse(struct span_page *page, uint32_t what, struct page_sparse *sparse_out)
{
    struct str plain;
    *sparse_out = (struct page_sparse){.count = 0};
    int status = span_page_section(page, what, &plain);
    if (status != 0 || plain.len == 0) {
        return status;
    }
    struct decbuf in = decbuf_of(plain.ptr, plain.len);
    uint64_t count = decbuf_uvarint(&in), row = 0;
    if (in.failed || count > page->info.rows) {
        return ERR_CORRUPT;
    }
    uint32_t *rows = arena_alloc(&page->arena, (size_t)count * sizeof(*rows));
    struct str *items = arena_alloc(&page->arena, (size_t)count * sizeof(*items));
    if (rows == NULL || items == NULL) {
        return ERR_NOMEM;
    }
    for (uint64_t i = 0; i < count; i++) {
        uint64_t step = decbuf_uvarint(&in);
        items[i] = decbuf_sized(&in);
        if (in.failed || step >= page->info.rows || (i > 0 && step == 0) ||
            row + step >= page->info.rows) {
            return ERR_CORRUPT;
        }
        row += step;
        rows[i] = (uint32_t)row;
    }
    *sparse_out = (struct page_sparse){rows, items, (uint32_t)count};
    return decbuf_left(&in) == 0 ? 0 : ERR_CORRUPT;
}

/* ---- Traces ---- */

static int by_id(const void *left, const void *right)
{
    return trace_id_cmp(
        ((const struct span_page_trace *)left)->id, ((const struct span_page_trace *)right)->id);
}

static int check_ids(const struct span_page *page)
{
    const struct span_page_trace *traces = page->traces_by_id;
    for (uint32_t i = 0; i < page->info.traces; i++) {
        if (trace_id_is_zero(traces[i].id) ||
            (i > 0 && trace_id_eq(traces[i].id, traces[i - 1].id))) {
            return ERR_CORRUPT;
        }
    }
    return 0;
}

static int read_traces(struct span_page *page)
{
    uint32_t count = page->info.traces, row = 0;
    struct str plain;
    int status = span_page_section(page, SPAN_SECTION_TRACES, &plain);
    if (status != 0) {
        return status;
    }
    struct decbuf in = decbuf_of(plain.ptr, plain.len);
    struct span_page_trace *traces = arena_alloc(&page->arena, count * sizeof(*traces));
    struct span_page_trace *sorted = arena_alloc(&page->arena, count * sizeof(*sorted));
    uint64_t *starts = arena_alloc(&page->arena, count * sizeof(*starts));
    if (traces == NULL || sorted == NULL || starts == NULL) {
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
        if (in.failed || spans == 0 || spans > page->info.rows - row) {
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
    memcpy(sorted, traces, count * sizeof(*sorted));
    qsort(sorted, count, sizeof(*sorted), by_id);
    page->traces_by_id = sorted;
    page->trace_starts = starts;
    page->traces = traces;
    status = check_ids(page);
    if (status != 0) {
        page->traces = NULL;
    }
    return status;
}

int span_page_traces(struct span_page *page, const struct span_page_trace **traces_out)
{
    int status = page->traces == NULL ? read_traces(page) : 0;
    if (status == 0) {
        *traces_out = page->traces_by_id;
    }
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

static int read_starts(struct span_page *page, struct span_page_columns *columns)
{
    struct str plain;
    const struct span_page_trace *traces;
    int status = span_page_traces(page, &traces);
    status = status == 0 ? span_page_section(page, SPAN_SECTION_STARTS, &plain) : status;
    if (status != 0) {
        return status;
    }
    uint64_t *starts = arena_alloc(&page->arena, page->info.rows * sizeof(*starts));
    struct decbuf in = decbuf_of(plain.ptr, plain.len);
    if (starts == NULL) {
        return ERR_NOMEM;
    }
    for (uint32_t t = 0; t < page->info.traces; t++) {
        for (uint32_t i = 0; i < page->traces[t].count; i++) {
            starts[page->traces[t].first + i] =
                page->trace_starts[t] + page_uvarint(&in) * page->time_unit;
        }
    }
    columns->start_ns = starts;
    return in.failed || decbuf_left(&in) != 0 ? ERR_CORRUPT : 0;
}

static int read_durations(struct span_page *page, struct span_page_columns *columns)
{
    struct str plain;
    int status = span_page_section(page, SPAN_SECTION_DURATIONS, &plain);
    if (status != 0) {
        return status;
    }
    int64_t *exact = arena_alloc(&page->arena, page->info.rows * sizeof(*exact));
    uint64_t *shown = arena_alloc(&page->arena, page->info.rows * sizeof(*shown));
    struct decbuf in = decbuf_of(plain.ptr, plain.len);
    if (exact == NULL || shown == NULL) {
        return ERR_NOMEM;
    }
    for (uint32_t i = 0; i < page->info.rows; i++) {
        exact[i] = (int64_t)((uint64_t)page_svarint(&in) * page->time_unit);
        /* As span_duration_ns: what ends before it starts took no time. */
        uint64_t start = columns->start_ns[i], end = start + (uint64_t)exact[i];
        shown[i] = end > start ? end - start : 0;
    }
    page->durations = exact;
    columns->duration_ns = shown;
    return in.failed || decbuf_left(&in) != 0 ? ERR_CORRUPT : 0;
}

static int read_kinds(struct span_page *page, struct span_page_columns *columns)
{
    struct str plain;
    uint32_t rows = page->info.rows;
    int status = span_page_section(page, SPAN_SECTION_KINDS, &plain);
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
    columns->kind = kinds;
    columns->status = statuses;
    return 0;
}

/* The number that a section begins with: how many resources or scopes there are. */
static int read_count(struct span_page *page, uint32_t what, uint32_t *count_out)
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

static int read_indexes(struct span_page *page, uint32_t what, uint32_t limit, const uint32_t **out)
{
    struct str plain;
    uint32_t *numbers = NULL;
    int status = span_page_section(page, what, &plain);
    struct decbuf in = decbuf_of(plain.ptr, plain.len);
    status = status == 0 ? span_page_numbers(page, &in, page->info.rows, limit, &numbers) : status;
    *out = numbers;
    return status == 0 && decbuf_left(&in) != 0 ? ERR_CORRUPT : status;
}

static int read_names(struct span_page *page, struct span_page_columns *columns)
{
    struct str plain;
    struct page_texts names;
    int status = span_page_section(page, SPAN_SECTION_NAMES, &plain);
    struct decbuf in = decbuf_of(plain.ptr, plain.len);
    status = status == 0 ? span_page_texts(page, &in, page->info.rows, &names) : status;
    if (status == 0) {
        columns->name = names.codes;
        columns->names = names.texts;
        columns->name_count = names.text_count;
    }
    return status == 0 && decbuf_left(&in) != 0 ? ERR_CORRUPT : status;
}

int span_page_pools(struct span_page *page, uint32_t *resources_out, uint32_t *scopes_out)
{
    int status = read_count(page, SPAN_SECTION_RESOURCES, resources_out);
    return status == 0 ? read_count(page, SPAN_SECTION_SCOPES, scopes_out) : status;
}

int span_page_columns(struct span_page *page, struct span_page_columns *columns_out)
{
    if (page->columns == NULL) {
        struct span_page_columns *c = arena_calloc(&page->arena, 1, sizeof(*c));
        int status = c == NULL ? ERR_NOMEM : read_starts(page, c);
        status = status == 0 ? read_durations(page, c) : status;
        status = status == 0 ? read_kinds(page, c) : status;
        status = status == 0 ? read_names(page, c) : status;
        status =
            status == 0 ? read_count(page, SPAN_SECTION_RESOURCES, &c->resource_count) : status;
        status = status == 0 ? read_count(page, SPAN_SECTION_SCOPES, &c->scope_count) : status;
        if (status == 0) {
            status = read_indexes(page, SPAN_SECTION_OF_RESOURCE, c->resource_count, &c->resource);
        }
        if (status == 0) {
            status = read_indexes(page, SPAN_SECTION_OF_SCOPE, c->scope_count, &c->scope);
        }
        if (status != 0) {
            return status;
        }
        page->columns = c;
    }
    *columns_out = *page->columns;
    return 0;
}
