/* A block: pages of spans in a file, sorted by trace over all of them, with a footer that says which pages
 * are worth reading. Immutable once it has its name.
 *
 *   block      = header (page filter)* footer trailer
 *   header     0  8  "SPANBLCK"
 *              8  4  version, 3
 *             12  4  checksum32 of bytes 0 … 11
 *   footer     v level · v mark of retention (span_retention.h): what has been taken out, 0 nothing
 *              · v last segment of the log that it covers · v count of blocks that it replaces,
 *              v number of each · v pages, then for each:
 *              v bytes · v rows · v traces · le64 least start · le64 greatest start · le64 greatest
 *              duration · v size, the Bloom filter of its traces (trace_bloom.h) · v bytes of its filter
 *   trailer    0  4  bytes of the footer
 *              4  4  checksum32 of the footer
 *              8  8  "SPANFOOT"
 *
 *   filter     of the page's values (value_filter.h): read where a search wants some of them
 *
 * Pages follow each other from byte 16 on, each with its filter, and end where the footer begins. A trace's pages
 * follow each other. v is a varint. Numbers of blocks are their names; a block that another one replaces is not
 * used, and removed when it is seen, which is what makes a merge one act: the new block's name.
 */
#ifndef SONDE_TSDB_SPAN_BLOCK_H
#define SONDE_TSDB_SPAN_BLOCK_H

#include "base/vfs.h"
#include "tsdb/span_page.h"

#define SPAN_BLOCK_MAGIC "SPANBLCK"
#define SPAN_BLOCK_TRAILER_MAGIC "SPANFOOT"

enum {
    SPAN_BLOCK_VERSION = 3,
    SPAN_BLOCK_HEADER_SIZE = 16,
    SPAN_BLOCK_TRAILER_SIZE = 16,
    /* Pages of one block, and blocks that one replaces. */
    SPAN_BLOCK_PAGES_MAX = 4096,
    SPAN_BLOCK_REPLACED_MAX = 64,
};
/* A block's file is named by so many hex digits and ".spans". */
enum { SPAN_BLOCK_NAME_DIGITS = 16 };
/* What is damaged is kept under the block's name with this behind it, where somebody may look at it. */
#define SPAN_BLOCK_DAMAGED ".damaged"
bool span_block_name_parse(const char *name, uint64_t *number_out);

#define SPAN_BLOCK_FOOTER_MAX ((size_t)256 << 20)

struct span_block_page {
    uint64_t offset;
    uint32_t size, filter_size;
    struct span_page_info info;
    struct str bloom;
};

struct span_block {
    uint32_t level;
    uint64_t retention_mark; /* what of it was due when it was written, and is not there */
    uint64_t covered;        /* segments of the log up to this one */
    uint64_t replaced[SPAN_BLOCK_REPLACED_MAX];
    uint32_t replaced_count;
    struct span_block_page *pages;
    uint32_t page_count;
    uint64_t file_bytes;
    /* Of all pages. */
    uint64_t rows, traces, start_min_ns, start_max_ns;
    char *path;
    struct vfs *fs;
    struct vfs_file *file;
    char *footer; /* filters are slices of it */
};

/* Reads the footer and keeps the file open. ERR_CORRUPT with a sentence that names the file. */
int span_block_open(struct vfs *fs, const char *path, struct span_block **block_out, struct err *e);
void span_block_close(struct span_block *block);
/* Replaces `bytes` by the page's. ERR_IO, ERR_CORRUPT, ERR_NOMEM. */
int span_block_read(const struct span_block *block, uint32_t page, struct strbuf *bytes);

/* The bits of its filter. ERR_CORRUPT: it is damaged, and tells nothing. */
int span_block_read_filter(
    const struct span_block *block, uint32_t page, struct strbuf *bytes, struct str *bits_out);

/* ---- Writing ---- */

struct span_block_writer;

struct span_block_options {
    uint32_t level;
    uint64_t retention_mark;
    uint64_t covered;
    const uint64_t *replaced;
    uint32_t replaced_count;
    int compression; /* zstd's level */
    bool in_order;   /* all spans of a trace come by start, then id: pages need not be sorted */
    bool borrow;     /* spans stay where they are until the block is finished (span_pager_borrow) */
};

/* Writes to `path`.new; nothing is at `path` before span_block_writer_finish. */
int span_block_writer_open(struct vfs *fs, const char *path,
    const struct span_block_options *options, struct span_block_writer **writer_out, struct err *e);
/* The next `spans` are one trace's: they come into one page if they fit. Traces come by their first start,
 * then id. */
int span_block_writer_begin_trace(struct span_block_writer *writer, size_t spans);
int span_block_writer_add(struct span_block_writer *writer, const struct otlp_span *span);
/* Footer, sync, name; then the directory is synced. The writer is gone, whatever happens; on an error there
 * is no file. */
int span_block_writer_finish(struct span_block_writer *writer, struct err *e);
/* Forgets it and its file. Accepts NULL. */
void span_block_writer_cancel(struct span_block_writer *writer);

#endif
