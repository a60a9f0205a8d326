/* An open page from inside. */
#ifndef SONDE_TSDB_SPAN_PAGE_PRIVATE_H
#define SONDE_TSDB_SPAN_PAGE_PRIVATE_H

#include "base/bytes.h"
#include "span/span_page_format.h"
#include "wire/zstd_codec.h"

/* A section of the directory; `plain` once it has been read. */
struct page_section {
    uint32_t what, stored, size, checksum;
    uint64_t offset;
    bool is_read;
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
    const uint32_t *rows;
    const struct str *items;
    uint32_t count;
};

struct page_shape {
    const uint32_t *columns;
    uint32_t count;
};

struct span_page {
    struct str bytes;
    struct arena arena; /* everything read, until the page is closed */
    struct zstd_codec *codec;
    struct span_page_info info;
    uint32_t time_unit;
    struct page_section *sections; /* in the order of the directory, which is that of `what` */
    uint32_t section_count;

    /* Each is read when it is first asked for; NULL until then. */
    struct span_page_trace *traces; /* in the order of rows */
    struct span_page_trace *traces_by_id;
    uint64_t *trace_starts;
    const struct span_page_columns *columns;
    const int64_t *durations;
    const uint64_t *span_ids, *parent_ids;
    struct span_resource *resources;
    struct span_scope *scopes;
    struct str *resources_raw, *scopes_raw;
    struct span_page_column *attributes; /* key and kind known from the beginning */
    bool *attribute_read;
    uint32_t attribute_count;
    const struct page_shape *shapes;
    const uint32_t *of_shape;
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

/* The bytes of a section, checked and decompressed; empty when the page has none. ERR_CORRUPT … */
int span_page_section(struct span_page *page, uint32_t what, struct str *plain_out);
/* `count` varints, each below `limit` (0 = any). */
int span_page_numbers(struct span_page *page, struct decbuf *in, uint32_t count, uint64_t limit,
    uint32_t **numbers_out);
int span_page_texts(
    struct span_page *page, struct decbuf *in, uint32_t count, struct page_texts *texts_out);
int span_page_sparse(struct span_page *page, uint32_t what, struct page_sparse *sparse_out);
/* Resources, scopes and the columns of ids that only whole spans need. */
int span_page_read_ids(struct span_page *page);
int span_page_read_pools(struct span_page *page);
/* Keys and kinds, when the page is opened. */
int span_page_read_keys(struct span_page *page);

#endif
