/* Checking blocks and segments of the log, and showing them to people. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/frame_log.h"
#include "base/mem.h"
#include "span/span_block.h"
#include "span/span_files.h"
#include "span/span_log.h"
#include "span/span_page_private.h"
#include "span/trace_bloom.h"

enum { PATH_BYTES_MAX = 4096 };

static const char *base_name(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash != NULL ? slash + 1 : path;
}

/* ---- Pages ---- */

/* Reads everything of a page: a status, ERR_CORRUPT for what cannot be. */
static int read_page(
    struct span_page *page, struct arena *arena, const struct otlp_span **spans_out)
{
    struct span_page_info info = span_page_info(page);
    struct span_page_column column;
    struct otlp_span *spans = arena_alloc(arena, info.rows * sizeof(*spans));
    int status = spans == NULL ? arena_error(arena) : 0;
    for (uint32_t i = 0; status == 0 && i < span_page_column_count(page); i++) {
        status = span_page_column(page, i, &column);
    }
    status = status == 0 ? span_page_spans(page, 0, info.rows, arena, spans) : status;
    *spans_out = spans;
    return status;
}

/* Does the footer say of a page what the page holds? */
static const char *compare_footer(
    const struct span_block_page *of_footer, struct span_page *page, const struct otlp_span *spans)
{
    struct span_page_info info = span_page_info(page);
    const struct span_page_trace *traces = NULL;
    uint64_t least = UINT64_MAX, greatest = 0, longest = 0;
    bool listed = span_page_traces(page, &traces) == 0;
    for (uint32_t i = 0; listed && i < info.traces; i++) {
        listed = trace_bloom_has(of_footer->bloom, traces[i].id);
    }
    for (uint32_t i = 0; i < info.rows; i++) {
        uint64_t start = spans[i].span.start_ns, duration = span_duration_ns(&spans[i].span);
        least = start < least ? start : least;
        greatest = start > greatest ? start : greatest;
        longest = duration > longest ? duration : longest;
    }
    const struct span_page_info *known = &of_footer->info;
    bool equal = known->rows == info.rows && known->traces == info.traces &&
                 known->start_min_ns == info.start_min_ns &&
                 known->start_max_ns == info.start_max_ns &&
                 known->duration_max_ns == info.duration_max_ns;
    return !listed  ? "its filter lacks a trace"
           : !equal ? "the footer says otherwise"
           : least != info.start_min_ns || greatest != info.start_max_ns ? "its times are others"
           : longest != info.duration_max_ns ? "its durations are others"
                                             : NULL;
}

static int verify_page(
    const struct span_block *block, uint32_t number, struct strbuf *report, uint64_t *problems)
{
    struct strbuf bytes;
    struct span_page *page = NULL;
    struct arena arena;
    struct err e = ERR_INIT;
    const struct otlp_span *spans = NULL;
    const char *text = "a section or a span cannot be read";
    arena_init(&arena, 0);
    strbuf_init(&bytes, STRBUF_LIMIT_DEFAULT);
    int status = span_block_read(block, number, &bytes);
    if (status == 0) {
        status = span_page_open(strbuf_str(&bytes), &page, &e);
        text = status != 0 ? e.message : text;
    }
    status = status == 0 ? read_page(page, &arena, &spans) : status;
    if (status == 0) {
        struct strbuf filter;
        struct str bits;
        strbuf_init(&filter, STRBUF_LIMIT_DEFAULT);
        status = span_block_read_filter(block, number, &filter, &bits);
        strbuf_release(&filter);
        text = status == ERR_CORRUPT ? "the filter of its values is damaged" : text;
    }
    if (status == 0) {
        text = compare_footer(&block->pages[number], page, spans);
        status = text != NULL ? ERR_CORRUPT : 0;
    }
    if (status == ERR_CORRUPT || status == ERR_INVALID) {
        strbuf_addf(report, "%s: page %u: %s\n", block->path, number, text);
        (*problems)++;
        status = 0;
    }
    span_page_close(page);
    strbuf_release(&bytes);
    arena_release(&arena);
    return status;
}

static int verify_block(struct vfs *fs, const char *path, struct strbuf *report, uint64_t *problems)
{
    struct span_block *block = NULL;
    struct err e = ERR_INIT;
    int status = span_block_open(fs, path, &block, &e);
    if (status == ERR_CORRUPT || status == ERR_INVALID) {
        strbuf_addf(report, "%s\n", e.message);
        (*problems)++;
        status = 0;
    }
    for (uint32_t i = 0; status == 0 && block != NULL && i < block->page_count; i++) {
        status = verify_page(block, i, report, problems);
    }
    span_block_close(block);
    return status;
}

/* ---- Segments ---- */

struct messages {
    struct otlp_traces *walker;
    struct strbuf *out; /* of a dump; NULL when only looking */
    bool with_spans;
    uint64_t unreadable;
};

static void write_span(const struct otlp_span *span, struct strbuf *out)
{
    strbuf_add_c(out, "  ");
    trace_id_write(span->span.trace_id, out);
    strbuf_add_char(out, ' ');
    span_id_write(span->span.span_id, out);
    strbuf_addf(out, " start %" PRIu64 " ns, %" PRIu64 " ns, %s, %s, ", span->span.start_ns,
        span_duration_ns(&span->span), span_kind_name(span->span.kind),
        span_status_name(span->span.status));
    strbuf_addf(out, "%.*s: %.*s, %zu attributes\n", STR_ARG(span_resource_service(span->resource)),
        STR_ARG(span->span.name), span->span.attributes.count);
}

static int on_message(void *context, struct str message)
{
    struct messages *m = context;
    struct otlp_span span;
    struct strbuf lines = STRBUF_INIT;
    uint64_t count = 0;
    int more;
    int status = otlp_traces_begin(m->walker, message, NULL);
    if (status == ERR_CORRUPT || status == ERR_LIMIT) {
        m->unreadable++;
        return 0;
    }
    if (status != 0) {
        return status;
    }
    while ((more = otlp_traces_next(m->walker, &span)) == 1) {
        count++;
        if (m->with_spans) {
            write_span(&span, &lines);
        }
    }
    if (m->out != NULL) {
        strbuf_addf(m->out, "message: %zu bytes, %" PRIu64 " spans\n", message.len, count);
        strbuf_add_str(m->out, strbuf_str(&lines));
    }
    strbuf_release(&lines);
    return more;
}

static int verify_segment(
    struct vfs *fs, const char *path, struct strbuf *report, uint64_t *problems)
{
    struct messages m = {.out = NULL};
    struct span_log_report found = {0};
    int status = otlp_traces_new(&m.walker);
    status = status == 0 ? span_log_read(fs, path, on_message, &m, &found) : status;
    if (status == 0 && found.damaged_bytes > 0) {
        strbuf_addf(report, "%s: %" PRIu64 " bytes in front of whole messages are damaged\n", path,
            found.damaged_bytes);
        (*problems)++;
    }
    if (status == 0 && m.unreadable > 0) {
        strbuf_addf(report, "%s: %" PRIu64 " messages cannot be read\n", path, m.unreadable);
        (*problems)++;
    }
    otlp_traces_free(m.walker);
    return status;
}

int span_file_verify(
    struct vfs *fs, const char *path, struct strbuf *report, uint64_t *problem_count_out)
{
    uint64_t number = 0, problems = 0;
    int status = span_block_name_parse(base_name(path), &number)
                     ? verify_block(fs, path, report, &problems)
                     : verify_segment(fs, path, report, &problems);
    *problem_count_out = problems;
    return status == 0 ? strbuf_error(report) : status;
}

/* ---- Dump ---- */

static int dump_spans(struct span_page *page, struct strbuf *out)
{
    struct arena arena;
    const struct otlp_span *spans = NULL;
    arena_init(&arena, 0);
    int status = read_page(page, &arena, &spans);
    for (uint32_t i = 0; status == 0 && i < span_page_info(page).rows; i++) {
        write_span(&spans[i], out);
    }
    arena_release(&arena);
    return status;
}

static int dump_page(const struct span_block *block, uint32_t number, bool with_spans,
    struct strbuf *out, struct err *e)
{
    const struct span_block_page *p = &block->pages[number];
    struct strbuf bytes;
    struct span_page *page = NULL;
    strbuf_addf(out,
        "page %u: offset %" PRIu64 ", %u bytes, %u spans of %u traces, starts %" PRIu64
        " .. %" PRIu64 " ns, longest %" PRIu64 " ns\n",
        number, p->offset, p->size, p->info.rows, p->info.traces, p->info.start_min_ns,
        p->info.start_max_ns, p->info.duration_max_ns);
    if (!with_spans) {
        return 0;
    }
    strbuf_init(&bytes, STRBUF_LIMIT_DEFAULT);
    int status = span_block_read(block, number, &bytes);
    status = status == 0 ? span_page_open(strbuf_str(&bytes), &page, e) : status;
    status = status == 0 ? dump_spans(page, out) : status;
    span_page_close(page);
    strbuf_release(&bytes);
    return status;
}

static int dump_block(
    struct vfs *fs, const char *path, bool with_spans, struct strbuf *out, struct err *e)
{
    struct span_block *block = NULL;
    int status = span_block_open(fs, path, &block, e);
    if (status != 0) {
        return status;
    }
    strbuf_addf(out, "%s: level %u, covers segments of the log up to %" PRIu64 "\n", path,
        block->level, block->covered);
    for (uint32_t i = 0; i < block->replaced_count; i++) {
        strbuf_addf(out, "replaces %016" PRIx64 "\n", block->replaced[i]);
    }
    for (uint32_t i = 0; status == 0 && i < block->page_count; i++) {
        status = dump_page(block, i, with_spans, out, e);
    }
    span_block_close(block);
    return status;
}

static int dump_segment(struct vfs *fs, const char *path, bool with_spans, struct strbuf *out)
{
    struct messages m = {.out = out, .with_spans = with_spans};
    struct span_log_report found = {0};
    int status = otlp_traces_new(&m.walker);
    status = status == 0 ? span_log_read(fs, path, on_message, &m, &found) : status;
    if (status == 0 && found.damaged_bytes > 0) {
        strbuf_addf(out, "%" PRIu64 " bytes are damaged\n", found.damaged_bytes);
    }
    otlp_traces_free(m.walker);
    return status;
}

int span_file_dump(
    struct vfs *fs, const char *path, bool with_spans, struct strbuf *out, struct err *e)
{
    uint64_t number = 0;
    struct err local = ERR_INIT;
    e = e != NULL ? e : &local;
    int status = span_block_name_parse(base_name(path), &number)
                     ? dump_block(fs, path, with_spans, out, e)
                     : dump_segment(fs, path, with_spans, out);
    status = status == 0 ? strbuf_error(out) : status;
    return status == 0 || e->code == status
               ? status
               : err_set(e, status, -1, "%s: %s", path, err_text(status));
}

/* ---- Statistics ---- */

struct sizes {
    uint64_t spans, traces, bytes, log_bytes;
    uint64_t ids, times, attributes, others; /* of sections */
};

struct survey {
    struct vfs *fs;
    const char *directory;
    struct strbuf *out;
    struct err *e;
    struct sizes total;
};

static void add_section(struct sizes *s, const struct page_section *section)
{
    bool is_id = section->what == SPAN_SECTION_TRACES || section->what == SPAN_SECTION_SPAN_IDS ||
                 section->what == SPAN_SECTION_PARENTS || section->what == SPAN_SECTION_PARENT_IDS;
    bool is_time = section->what == SPAN_SECTION_STARTS || section->what == SPAN_SECTION_DURATIONS;
    bool is_attribute =
        section->what >= SPAN_SECTION_VALUES || section->what == SPAN_SECTION_MORE ||
        section->what == SPAN_SECTION_SHAPES || section->what == SPAN_SECTION_OF_SHAPE ||
        section->what == SPAN_SECTION_COLUMNS;
    *(is_id            ? &s->ids
        : is_time      ? &s->times
        : is_attribute ? &s->attributes
                       : &s->others) += section->stored;
}

static int add_block(struct survey *s, const char *path, struct sizes *sizes)
{
    struct span_block *block = NULL;
    struct strbuf bytes;
    strbuf_init(&bytes, STRBUF_LIMIT_DEFAULT);
    int status = span_block_open(s->fs, path, &block, s->e);
    for (uint32_t i = 0; status == 0 && i < block->page_count; i++) {
        struct span_page *page = NULL;
        status = span_block_read(block, i, &bytes);
        status = status == 0 ? span_page_open(strbuf_str(&bytes), &page, s->e) : status;
        for (uint32_t k = 0; status == 0 && k < page->section_count; k++) {
            add_section(sizes, &page->sections[k]);
        }
        span_page_close(page);
    }
    if (status == 0) {
        sizes->spans = block->rows;
        sizes->traces = block->traces;
        sizes->bytes = block->file_bytes;
    }
    span_block_close(block);
    strbuf_release(&bytes);
    return status;
}

static double per_span(uint64_t bytes, const struct sizes *s)
{
    return s->spans > 0 ? (double)bytes / (double)s->spans : 0;
}

static void write_sizes(const char *name, const struct sizes *s, struct strbuf *out)
{
    strbuf_addf(out,
        "%-24s %14" PRIu64 " bytes %14" PRIu64 " spans %12" PRIu64
        " traces %8.2f B/span: ids %.2f, times %.2f, attributes %.2f, others %.2f\n",
        name, s->bytes, s->spans, s->traces, per_span(s->bytes, s), per_span(s->ids, s),
        per_span(s->times, s), per_span(s->attributes, s), per_span(s->others, s));
}

static int on_file(void *context, const char *name)
{
    struct survey *s = context;
    char path[PATH_BYTES_MAX];
    uint64_t number = 0;
    int written = snprintf(path, sizeof(path), "%s/%s", s->directory, name);
    if (written <= 0 || written >= PATH_BYTES_MAX) {
        return ERR_LIMIT;
    }
    if (!span_block_name_parse(name, &number)) {
        uint64_t size = 0;
        struct vfs_file *file = NULL;
        int status = vfs_open(s->fs, path, VFS_READ, &file);
        status = status == 0 ? vfs_size(s->fs, file, &size) : status;
        vfs_close(s->fs, file);
        s->total.log_bytes += size;
        return status;
    }
    struct sizes sizes = {0};
    int status = add_block(s, path, &sizes);
    if (status == 0) {
        write_sizes(name, &sizes, s->out);
        s->total.spans += sizes.spans;
        s->total.traces += sizes.traces;
        s->total.bytes += sizes.bytes;
        s->total.ids += sizes.ids;
        s->total.times += sizes.times;
        s->total.attributes += sizes.attributes;
        s->total.others += sizes.others;
    }
    return status;
}

int span_files_stats(struct vfs *fs, const char *directory, struct strbuf *out, struct err *e)
{
    struct err local = ERR_INIT;
    struct survey s = {fs, directory, out, e != NULL ? e : &local, {0}};
    int status = span_files_each(fs, directory, on_file, &s);
    if (status == 0 && s.total.bytes + s.total.log_bytes > 0) {
        write_sizes("all blocks of spans", &s.total, out);
        strbuf_addf(out, "%-24s %14" PRIu64 " bytes\n", "log of spans", s.total.log_bytes);
    }
    return status == 0 || s.e->code == status
               ? status
               : err_set(s.e, status, -1, "%s: %s", directory, err_text(status));
}
