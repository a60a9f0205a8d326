/* Reading a block's footer and pages; the header of this module has the bytes. */
#include "span/span_block.h"

#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/hash.h"
#include "base/mem.h"
#include "span/value_filter.h"

bool span_block_name_parse(const char *name, uint64_t *number_out)
{
    char *end = NULL;
    unsigned long long number = strtoull(name, &end, 16);
    if (end != name + SPAN_BLOCK_NAME_DIGITS || strcmp(end, ".spans") != 0) {
        return false;
    }
    *number_out = number;
    return true;
}

static int corrupt(const struct span_block *b, struct err *e, const char *what)
{
    return err_set(e, ERR_CORRUPT, -1, "%s: %s", b->path, what);
}

static int read_header(struct span_block *b, struct err *e)
{
    uint8_t header[SPAN_BLOCK_HEADER_SIZE];
    int status = vfs_pread_exact(b->fs, b->file, 0, header, sizeof(header));
    if (status != 0 && status != ERR_CORRUPT) {
        return err_set(e, status, -1, "%s: %s", b->path, err_text(status));
    }
    if (status != 0 || memcmp(header, SPAN_BLOCK_MAGIC, 8) != 0 ||
        get_le32(header + 12) != checksum32(header, 12)) {
        return corrupt(b, e, "does not begin like a block of spans");
    }
    if (get_le32(header + 8) != SPAN_BLOCK_VERSION) {
        return err_set(e, ERR_INVALID, 8,
            "%s: version %u of blocks of spans, this program reads %d", b->path,
            get_le32(header + 8), SPAN_BLOCK_VERSION);
    }
    return 0;
}

/* The footer's bytes. */
static int load_footer(struct span_block *b, uint32_t *size_out, struct err *e)
{
    uint8_t trailer[SPAN_BLOCK_TRAILER_SIZE];
    if (b->file_bytes < SPAN_BLOCK_HEADER_SIZE + SPAN_BLOCK_TRAILER_SIZE) {
        return corrupt(b, e, "is cut off");
    }
    uint64_t end = b->file_bytes - SPAN_BLOCK_TRAILER_SIZE;
    int status = vfs_pread_exact(b->fs, b->file, end, trailer, sizeof(trailer));
    if (status != 0) {
        return err_set(e, status, -1, "%s: %s", b->path, err_text(status));
    }
    uint32_t size = get_le32(trailer);
    if (memcmp(trailer + 8, SPAN_BLOCK_TRAILER_MAGIC, 8) != 0 ||
        size > end - SPAN_BLOCK_HEADER_SIZE || size > SPAN_BLOCK_FOOTER_MAX) {
        return corrupt(b, e, "does not end like a block of spans");
    }
    b->footer = mem_alloc(size);
    status = b->footer == NULL ? ERR_NOMEM
                               : vfs_pread_exact(b->fs, b->file, end - size, b->footer, size);
    if (status != 0) {
        return err_set(e, status, -1, "%s: %s", b->path, err_text(status));
    }
    if (checksum32(b->footer, size) != get_le32(trailer + 4)) {
        return corrupt(b, e, "the checksum of its footer is wrong");
    }
    *size_out = size;
    return 0;
}

static void read_page(struct decbuf *in, struct span_block_page *page)
{
    page->size = (uint32_t)decbuf_uvarint(in);
    page->info.rows = (uint32_t)decbuf_uvarint(in);
    page->info.traces = (uint32_t)decbuf_uvarint(in);
    page->info.start_min_ns = decbuf_le64(in);
    page->info.start_max_ns = decbuf_le64(in);
    page->info.duration_max_ns = decbuf_le64(in);
    page->bloom = decbuf_sized(in);
    page->filter_size = (uint32_t)decbuf_uvarint(in);
}

static int read_footer(struct span_block *b, uint32_t size, struct err *e)
{
    struct decbuf in = decbuf_of(b->footer, size);
    b->level = (uint32_t)decbuf_uvarint(&in);
    b->retention_mark = decbuf_uvarint(&in);
    b->covered = decbuf_uvarint(&in);
    uint64_t replaced = decbuf_uvarint(&in);
    if (replaced > SPAN_BLOCK_REPLACED_MAX) {
        return corrupt(b, e, "its footer makes no sense");
    }
    b->replaced_count = (uint32_t)replaced;
    for (uint32_t i = 0; i < b->replaced_count; i++) {
        b->replaced[i] = decbuf_uvarint(&in);
    }
    uint64_t pages = decbuf_uvarint(&in);
    if (in.failed || pages == 0 || pages > SPAN_BLOCK_PAGES_MAX) {
        return corrupt(b, e, "its footer makes no sense");
    }
    b->pages = mem_calloc((size_t)pages, sizeof(*b->pages));
    if (b->pages == NULL) {
        return err_set(e, ERR_NOMEM, -1, "%s", err_text(ERR_NOMEM));
    }
    uint64_t offset = SPAN_BLOCK_HEADER_SIZE;
    b->start_min_ns = UINT64_MAX;
    for (uint64_t i = 0; i < pages; i++) {
        struct span_block_page *page = &b->pages[i];
        read_page(&in, page);
        page->offset = offset;
        offset += (uint64_t)page->size + page->filter_size;
        if (in.failed || page->bloom.len == 0 || page->info.rows == 0 ||
            page->filter_size <= VALUE_FILTER_CHECKSUM) {
            return corrupt(b, e, "its footer makes no sense");
        }
        b->rows += page->info.rows;
        b->traces += page->info.traces;
        b->start_min_ns =
            page->info.start_min_ns < b->start_min_ns ? page->info.start_min_ns : b->start_min_ns;
        b->start_max_ns =
            page->info.start_max_ns > b->start_max_ns ? page->info.start_max_ns : b->start_max_ns;
    }
    b->page_count = (uint32_t)pages;
    bool fills = offset == b->file_bytes - SPAN_BLOCK_TRAILER_SIZE - size;
    return decbuf_left(&in) == 0 && fills ? 0 : corrupt(b, e, "its pages do not fill it");
}

int span_block_open(struct vfs *fs, const char *path, struct span_block **block_out, struct err *e)
{
    struct span_block *b = mem_calloc(1, sizeof(*b));
    char *copy = mem_strdup(path);
    uint32_t footer = 0;
    if (b == NULL || copy == NULL) {
        mem_free(b);
        mem_free(copy);
        return err_set(e, ERR_NOMEM, -1, "%s", err_text(ERR_NOMEM));
    }
    b->fs = fs;
    b->path = copy;
    int status = vfs_open(fs, path, VFS_READ, &b->file);
    status = status == 0 ? vfs_size(fs, b->file, &b->file_bytes) : status;
    if (status != 0) {
        (void)err_set(e, status, -1, "%s: %s", path, err_text(status));
    }
    status = status == 0 ? read_header(b, e) : status;
    status = status == 0 ? load_footer(b, &footer, e) : status;
    status = status == 0 ? read_footer(b, footer, e) : status;
    if (status != 0) {
        span_block_close(b);
        return status;
    }
    *block_out = b;
    return 0;
}

void span_block_close(struct span_block *block)
{
    if (block != NULL) {
        vfs_close(block->fs, block->file);
        mem_free(block->pages);
        mem_free(block->footer);
        mem_free(block->path);
        mem_free(block);
    }
}

int span_block_read(const struct span_block *block, uint32_t page, struct strbuf *bytes)
{
    const struct span_block_page *p = &block->pages[page];
    strbuf_reset(bytes);
    char *room = strbuf_reserve(bytes, p->size);
    if (room == NULL) {
        return strbuf_error(bytes);
    }
    int status = vfs_pread_exact(block->fs, block->file, p->offset, room, p->size);
    if (status == 0) {
        strbuf_commit(bytes, p->size);
    }
    return status;
}

int span_block_read_filter(
    const struct span_block *block, uint32_t page, struct strbuf *bytes, struct str *bits_out)
{
    const struct span_block_page *p = &block->pages[page];
    strbuf_reset(bytes);
    char *room = strbuf_reserve(bytes, p->filter_size);
    if (room == NULL) {
        return strbuf_error(bytes);
    }
    int status = vfs_pread_exact(block->fs, block->file, p->offset + p->size, room, p->filter_size);
    size_t size = p->filter_size - VALUE_FILTER_CHECKSUM;
    if (status == 0 && checksum32(room, size) != get_le32((const uint8_t *)room + size)) {
        status = ERR_CORRUPT;
    }
    *bits_out = str_make(room, size);
    return status;
}
