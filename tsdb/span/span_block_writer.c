/* Writing a block: page after page as spans come, then what the footer remembers of each. */
#include <stdio.h>
#include <string.h>

#include "base/bytes.h"
#include "base/hash.h"
#include "base/mem.h"
#include "span/span_block.h"
#include "span/span_pager.h"

enum { PATH_BYTES_MAX = 4096 };

struct span_block_writer {
    struct vfs *fs;
    struct vfs_file *file;
    char path[PATH_BYTES_MAX], path_new[PATH_BYTES_MAX];
    struct span_block_options options;
    struct span_pager *pager;
    struct strbuf page, footer;
    struct span_page_made made; /* the page that was written last */
    uint32_t page_count;
};

int span_block_writer_open(struct vfs *fs, const char *path,
    const struct span_block_options *options, struct span_block_writer **writer_out, struct err *e)
{
    struct span_block_writer *w = mem_calloc(1, sizeof(*w));
    uint8_t header[SPAN_BLOCK_HEADER_SIZE];
    if (w == NULL) {
        return err_set(e, ERR_NOMEM, -1, "%s", err_text(ERR_NOMEM));
    }
    w->fs = fs;
    w->options = *options;
    snprintf(w->path, sizeof(w->path), "%s", path);
    int length = snprintf(w->path_new, sizeof(w->path_new), "%s.new", path);
    strbuf_init(&w->page, (size_t)1 << 30);
    strbuf_init(&w->footer, SPAN_BLOCK_FOOTER_MAX);
    strbuf_init(&w->made.bloom, SPAN_BLOCK_FOOTER_MAX);
    strbuf_init(&w->made.filter, SPAN_BLOCK_FOOTER_MAX);
    memcpy(header, SPAN_BLOCK_MAGIC, 8);
    put_le32(header + 8, SPAN_BLOCK_VERSION);
    put_le32(header + 12, checksum32(header, 12));
    int status = length >= PATH_BYTES_MAX ? ERR_INVALID : span_pager_new(&w->pager);
    if (status == 0) {
        w->pager->in_order = options->in_order;
        (void)vfs_remove(fs, w->path_new); /* of a crash */
        status = vfs_open(fs, w->path_new, VFS_CREATE, &w->file);
    }
    status = status == 0 ? vfs_append(fs, w->file, header, sizeof(header)) : status;
    if (status != 0) {
        (void)err_set(e, status, -1, "%s: %s", w->path_new, err_text(status));
        span_block_writer_cancel(w);
        return status;
    }
    *writer_out = w;
    return 0;
}

static void release(struct span_block_writer *w)
{
    vfs_close(w->fs, w->file);
    span_pager_free(w->pager);
    strbuf_release(&w->page);
    strbuf_release(&w->footer);
    strbuf_release(&w->made.bloom);
    strbuf_release(&w->made.filter);
    mem_free(w);
}

void span_block_writer_cancel(struct span_block_writer *writer)
{
    if (writer != NULL) {
        bool made = writer->file != NULL;
        vfs_close(writer->fs, writer->file);
        writer->file = NULL;
        if (made) {
            (void)vfs_remove(writer->fs, writer->path_new); /* the next start removes it else */
        }
        release(writer);
    }
}

/* ---- Pages ---- */

/* Remembers a page that was written. */
static int add_to_footer(struct span_block_writer *w)
{
    const struct span_page_info *info = &w->made.info;
    strbuf_add_uvarint(&w->footer, w->page.size);
    strbuf_add_uvarint(&w->footer, info->rows);
    strbuf_add_uvarint(&w->footer, info->traces);
    strbuf_add_le64(&w->footer, info->start_min_ns);
    strbuf_add_le64(&w->footer, info->start_max_ns);
    strbuf_add_le64(&w->footer, info->duration_max_ns);
    strbuf_add_sized(&w->footer, strbuf_str(&w->made.bloom));
    strbuf_add_uvarint(&w->footer, w->made.filter.size);
    return strbuf_error(&w->footer);
}

static int end_page(struct span_block_writer *w)
{
    if (span_pager_rows(w->pager) == 0) {
        return 0;
    }
    if (w->page_count == SPAN_BLOCK_PAGES_MAX) {
        return ERR_LIMIT;
    }
    strbuf_reset(&w->page);
    strbuf_reset(&w->made.bloom);
    strbuf_reset(&w->made.filter);
    int status = span_pager_write(w->pager, w->options.compression, &w->page, &w->made);
    status = status == 0 ? vfs_append(w->fs, w->file, w->page.data, w->page.size) : status;
    if (status == 0) {
        status = vfs_append(w->fs, w->file, w->made.filter.data, w->made.filter.size);
    }
    status = status == 0 ? add_to_footer(w) : status;
    w->page_count++;
    span_pager_reset(w->pager);
    return status;
}

int span_block_writer_begin_trace(struct span_block_writer *writer, size_t spans)
{
    bool fits = span_pager_rows(writer->pager) + spans <= SPAN_PAGE_ROWS_MAX;
    return fits ? 0 : end_page(writer);
}

static int add(struct span_block_writer *w, const struct otlp_span *span)
{
    return w->options.borrow ? span_pager_borrow(w->pager, span) : span_pager_add(w->pager, span);
}

int span_block_writer_add(struct span_block_writer *writer, const struct otlp_span *span)
{
    int status = add(writer, span);
    if (status == ERR_LIMIT && span_pager_rows(writer->pager) > 0) {
        status = end_page(writer);
        status = status == 0 ? add(writer, span) : status;
    }
    return status;
}

/* ---- The end ---- */

static void write_tail(struct span_block_writer *w, struct strbuf *tail)
{
    strbuf_add_uvarint(tail, w->options.level);
    strbuf_add_uvarint(tail, w->options.retention_mark);
    strbuf_add_uvarint(tail, w->options.covered);
    strbuf_add_uvarint(tail, w->options.replaced_count);
    for (uint32_t i = 0; i < w->options.replaced_count; i++) {
        strbuf_add_uvarint(tail, w->options.replaced[i]);
    }
    strbuf_add_uvarint(tail, w->page_count);
    strbuf_add_str(tail, strbuf_str(&w->footer));
    if (strbuf_error(tail) == 0) {
        uint32_t size = (uint32_t)tail->size, checksum = checksum32(tail->data, tail->size);
        strbuf_add_le32(tail, size);
        strbuf_add_le32(tail, checksum);
        strbuf_add(tail, SPAN_BLOCK_TRAILER_MAGIC, 8);
    }
}

int span_block_writer_finish(struct span_block_writer *writer, struct err *e)
{
    struct span_block_writer *w = writer;
    struct strbuf tail;
    strbuf_init(&tail, SPAN_BLOCK_FOOTER_MAX);
    int status = end_page(w);
    if (status == 0) {
        write_tail(w, &tail);
        status = strbuf_error(&tail);
    }
    status = status == 0 ? vfs_append(w->fs, w->file, tail.data, tail.size) : status;
    status = status == 0 ? vfs_sync(w->fs, w->file) : status;
    status = status == 0 ? vfs_rename(w->fs, w->path_new, w->path) : status;
    strbuf_release(&tail);
    if (status != 0) {
        (void)err_set(e, status, -1, "%s: %s", w->path_new, err_text(status));
        span_block_writer_cancel(w);
        return status;
    }
    status = vfs_sync_parent(w->fs, w->path);
    if (status != 0) {
        /* It may or may not be there after a power cut: nothing it replaces may go. */
        (void)vfs_remove(w->fs, w->path);
        (void)err_set(e, status, -1, "%s: %s", w->path, err_text(status));
    }
    release(w);
    return status;
}
