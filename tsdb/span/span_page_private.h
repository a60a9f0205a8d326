/* An open page from inside. */
#ifndef SONDE_TSDB_SPAN_PAGE_PRIVATE_H
#define SONDE_TSDB_SPAN_PAGE_PRIVATE_H

#include "base/bytes.h"
#include "base/strbuf.h"
#include "base/vfs.h"
#include "span/span_page_format.h"
#include "span/span_resource_pool.h"
#include "wire/zstd_codec.h"

/* What reading sections takes besides the page: pages that one thread reads share one. */
struct span_unpacker {
    struct zstd_codec *codec;
    struct span_resource_pool *resources; /* of the store, where pages share theirs; or NULL */
    struct strbuf stored, plain;
};
void span_unpacker_init(struct span_unpacker *unpacker);
void span_unpacker_release(struct span_unpacker *unpacker);

/* Where a page is in a file, which is open as long as the page. */
struct span_page_place {
    struct vfs *fs;
    struct vfs_file *file;
    uint64_t offset;
    uint32_t size;
};
/* As span_page_open, of bytes that are read section by section, when they are asked for. The unpacker is lent
 * until the page is closed, or given another one. ERR_IO, too. */
int span_page_open_at(const struct span_page_place *place, struct span_unpacker *unpacker,
    struct span_page **page_out, struct err *e);
/* For the calls to come; NULL: there are none until the next. */
void span_page_lend(struct span_page *page, struct span_unpacker *unpacker);
/* Reads every section and compares its checksum: 0, ERR_CORRUPT, ERR_IO, ERR_NOMEM. */
int span_page_check(struct span_page *page);
/* Bytes of memory it holds. */
size_t span_page_memory(const struct span_page *page);

/* A section of the directory; `plain` once it has been read to be kept. */
struct page_section {
    uint32_t what, stored, size, checksum;
    uint64_t offset;
    bool is_kept;
    struct str plain;
};

/* A list of texts with a code for each value. */
struct page_texts {
    const struct str *texts;
    const uint32_t *codes;
    uint32_t text_count;
};

/* What a sparse section says, by row: the k-th of `count` entries is of rows[k]. */
struct page_sparse {
    const uint16_t *rows;
    const struct str *items;
    uint32_t count;
};

struct page_shape {
    const uint16_t *columns;
    uint32_t count;
};

struct span_page {
    struct str bytes;             /* all of it, or */
    struct span_page_place place; /* where it is; no file: in `bytes` */
    uint32_t size;
    struct arena arena; /* everything read, until the page is closed */
    struct span_unpacker *unpacker;
    struct span_unpacker own; /* of a page in memory */
    struct span_page_info info;
    uint32_t time_unit;
    struct page_section *sections; /* in the order of the directory, which is that of `what` */
    uint32_t section_count;

    /* Each is read when it is first asked for; 0, NULL until then. */
    uint32_t resource_count;
    struct span_page_trace *traces; /* in the order of rows */
    struct span_page_trace *traces_by_id;
    uint64_t *trace_starts;
    struct span_page_columns columns; /* those of them that were read: */
    unsigned columns_read;            /* enum span_page_which */
    const int64_t *durations; /* as they came: those of spans that end before they start, too */
    const uint64_t *span_ids, *parent_ids;
    const struct span_resource **resources;
    struct span_scope *scopes;
    struct str *resources_raw, *scopes_raw;
    struct span_page_column *attributes; /* key and kind known from the beginning */
    bool *attribute_read;
    uint32_t attribute_count;
    const struct page_shape *shapes;
    const uint16_t *of_shape;
    uint32_t shape_count;
    /* The shapes that have a column, as often as they do: those of column c are
     * shapes_of_columns[first_shape[c]] until those of the next. */
    const uint32_t *shapes_of_columns, *first_shape;
    bool rare_read;
    struct page_sparse more, events, links, messages, states, counts;
};

/* As decbuf_uvarint: most numbers of a page are of one or two bytes. */
static inline uint64_t page_uvarint(struct decbuf *in)
{
    const uint8_t *p = in->p;
    if (in->end - p >= 2) {
        if (p[0] < 0x80) {
            in->p = p + 1;
            return p[0];
        }
        if (p[1] < 0x80) {
            in->p = p + 2;
            return (uint64_t)(p[0] & 0x7f) | (uint64_t)p[1] << 7;
        }
    }
    return decbuf_uvarint(in);
}

static inline int64_t page_svarint(struct decbuf *in)
{
    return zigzag_decode(page_uvarint(in));
}

/* The bytes of a section, checked and decompressed; empty when the page has none. They live as long as the page.
 * ERR_CORRUPT, ERR_IO, ERR_NOMEM. */
int span_page_section(struct span_page *page, uint32_t what, struct str *plain_out);
/* The same, good until the next section is read: for what becomes numbers. */
int span_page_glance(struct span_page *page, uint32_t what, struct str *plain_out);
/* `count` varints, each below `limit` (0 = any). */
int span_page_numbers(struct span_page *page, struct decbuf *in, uint32_t count, uint64_t limit,
    uint32_t **numbers_out);
/* The same of a limit that is at most SPAN_PAGE_ROWS_MAX. */
int span_page_indexes(struct span_page *page, struct decbuf *in, uint32_t count, uint32_t limit,
    uint16_t **indexes_out);
/* Texts are copied. */
int span_page_texts(
    struct span_page *page, struct decbuf *in, uint32_t count, struct page_texts *texts_out);
int span_page_sparse(struct span_page *page, uint32_t what, struct page_sparse *sparse_out);
/* Resources, scopes and the columns of ids that only whole spans need. */
int span_page_read_ids(struct span_page *page);
int span_page_read_resources(struct span_page *page);
int span_page_read_scopes(struct span_page *page);
/* The number that a section begins with: how many scopes there are, or resources. */
int span_page_count(struct span_page *page, uint32_t what, uint32_t *count_out);
/* Keys and kinds, when the page is opened. */
int span_page_read_keys(struct span_page *page);

#endif
