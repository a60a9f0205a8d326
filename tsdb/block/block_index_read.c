/* Reading an index that others wrote. */
#include <string.h>

#include "base/mem.h"
#include "block/big_endian.h"
#include "block/block_index.h"
#include "tsdb/crc32c.h"

enum { MAGIC_SIZE = 5, CONTENTS_SIZE = 52, CRC_SIZE = 4, SERIES_ALIGNMENT = 16, VERSION = 2 };

static const uint32_t MAGIC = 0xbaaad700;

/* Bytes [at, at + size), NULL when they are not all there. */
static const uint8_t *slice(const struct block_index *index, uint64_t at, uint64_t size)
{
    if (at > index->bytes.len || size > index->bytes.len - at) {
        return NULL;
    }
    return (const uint8_t *)index->bytes.ptr + at;
}

/* The content of the section at an offset. */
static int section(
    const struct block_index *index, uint64_t at, const char *name, struct str *out, struct err *e)
{
    const uint8_t *head = slice(index, at, 4);
    uint64_t size = head != NULL ? get_be32(head) : 0;
    const uint8_t *content = slice(index, at, 4 + size + CRC_SIZE);
    if (head == NULL || content == NULL) {
        return err_set(
            e, ERR_CORRUPT, (int64_t)at, "index: the section of %s goes beyond the file", name);
    }
    content += 4;
    if (get_be32(content + size) != crc32c(0, content, (size_t)size)) {
        return err_set(e, ERR_CORRUPT, (int64_t)at, "index: the checksum of the %s is wrong", name);
    }
    *out = str_make((const char *)content, (size_t)size);
    return 0;
}

/* ---- Opening ---- */

static int read_symbols(struct block_index *index, uint64_t at, struct err *e)
{
    struct str content;
    int status = section(index, at, "symbols", &content, e);
    if (status != 0) {
        return status;
    }
    struct decbuf d = decbuf_of(content.ptr, content.len);
    uint32_t count = decbuf_be32(&d);
    if (count > decbuf_left(&d)) {
        return err_set(e, ERR_CORRUPT, (int64_t)at, "index: %u symbols cannot be there", count);
    }
    index->symbols = mem_calloc((size_t)count + 1, sizeof(*index->symbols));
    if (index->symbols == NULL) {
        return err_set(e, ERR_NOMEM, -1, "out of memory for the symbols of an index");
    }
    for (uint32_t i = 0; i < count; i++) {
        index->symbols[i] = (uint64_t)((const char *)d.p - index->bytes.ptr);
        (void)decbuf_sized(&d);
    }
    index->symbol_count = count;
    return d.failed ? err_set(e, ERR_CORRUPT, (int64_t)at, "index: a symbol is cut off") : 0;
}

/* Finds the postings of all series: name and value are empty. */
static int find_postings(struct block_index *index, uint64_t at, uint64_t *found_out, struct err *e)
{
    struct str content;
    int status = section(index, at, "postings offsets", &content, e);
    if (status != 0) {
        return status;
    }
    struct decbuf d = decbuf_of(content.ptr, content.len);
    uint32_t count = decbuf_be32(&d);
    for (uint32_t i = 0; i < count && !d.failed; i++) {
        uint64_t keys = decbuf_uvarint(&d);
        struct str name = decbuf_sized(&d), value = decbuf_sized(&d);
        uint64_t offset = decbuf_uvarint(&d);
        if (!d.failed && keys == 2 && name.len == 0 && value.len == 0) {
            *found_out = offset;
            return 0;
        }
    }
    return err_set(e, ERR_CORRUPT, (int64_t)at, "index: there are no postings of all series");
}

static int read_postings(struct block_index *index, uint64_t at, struct err *e)
{
    uint64_t all = 0;
    struct str content;
    int status = find_postings(index, at, &all, e);
    if (status == 0) {
        status = section(index, all, "postings", &content, e);
    }
    if (status != 0) {
        return status;
    }
    if (content.len < 4 || (content.len - 4) / 4 != get_be32((const uint8_t *)content.ptr) ||
        content.len % 4 != 0) {
        return err_set(e, ERR_CORRUPT, (int64_t)all, "index: the list of all series is damaged");
    }
    index->postings = str_skip(content, 4);
    return 0;
}

int block_index_open(struct block_index *index, struct str bytes, struct err *e)
{
    *index = (struct block_index){.bytes = bytes};
    const uint8_t *p = (const uint8_t *)bytes.ptr;
    if (bytes.len < MAGIC_SIZE + CONTENTS_SIZE || get_be32(p) != MAGIC) {
        return err_set(e, ERR_CORRUPT, 0, "this is not the index of a block");
    }
    if (p[4] != VERSION) {
        return err_set(
            e, ERR_UNSUPPORTED, 4, "the index has format %u; this program reads %d", p[4], VERSION);
    }
    const uint8_t *contents = p + bytes.len - CONTENTS_SIZE;
    if (get_be32(contents + 48) != crc32c(0, contents, 48)) {
        return err_set(e, ERR_CORRUPT, (int64_t)bytes.len - CONTENTS_SIZE,
            "index: the checksum of its table of contents is wrong");
    }
    index->series_at = get_be64(contents + 8);
    index->series_end = bytes.len - CONTENTS_SIZE;
    int status = read_symbols(index, get_be64(contents), e);
    if (status == 0) {
        status = read_postings(index, get_be64(contents + 40), e);
    }
    if (status != 0) {
        block_index_release(index);
    }
    return status;
}

void block_index_release(struct block_index *index)
{
    mem_free(index->symbols);
    mem_free(index->series.labels);
    mem_free(index->series.chunks);
    *index = (struct block_index){.symbols = NULL};
}

uint32_t block_index_series_count(const struct block_index *index)
{
    return (uint32_t)(index->postings.len / 4);
}

/* ---- Series ---- */

static int symbol(const struct block_index *index, uint64_t number, struct str *out)
{
    if (number >= index->symbol_count) {
        return ERR_CORRUPT;
    }
    uint64_t at = index->symbols[number];
    struct decbuf d = decbuf_of(index->bytes.ptr + at, index->bytes.len - (size_t)at);
    *out = decbuf_sized(&d);
    return d.failed ? ERR_CORRUPT : 0;
}

static int read_labels(struct block_index *index, struct decbuf *d)
{
    struct block_series *s = &index->series;
    uint64_t count = decbuf_uvarint(d);
    if (count > LABELS_COUNT_MAX || count > decbuf_left(d)) {
        return ERR_CORRUPT;
    }
    int status = mem_array_grow((void **)&s->labels, &index->label_cap, (size_t)count,
        sizeof(*s->labels), LABELS_COUNT_MAX);
    s->label_count = (size_t)count;
    for (size_t i = 0; status == 0 && i < count; i++) {
        uint64_t name = decbuf_uvarint(d), value = decbuf_uvarint(d);
        status = symbol(index, name, &s->labels[i].name);
        if (status == 0) {
            status = symbol(index, value, &s->labels[i].value);
        }
        if (status == 0 && (s->labels[i].name.len == 0 || s->labels[i].value.len == 0 ||
                               (i > 0 && str_cmp(s->labels[i - 1].name, s->labels[i].name) >= 0))) {
            status = ERR_CORRUPT; /* INV-5 */
        }
    }
    return status;
}

/* A chunk, counted from the one before (zeros for the first). */
static int read_chunk(
    struct decbuf *d, const struct block_chunk *before, struct block_chunk *chunk_out)
{
    struct block_chunk c;
    if (before == NULL) {
        c.min_t = decbuf_svarint(d);
    } else {
        c.min_t = (int64_t)((uint64_t)before->max_t + decbuf_uvarint(d));
    }
    c.max_t = (int64_t)((uint64_t)c.min_t + decbuf_uvarint(d));
    c.reference =
        before == NULL ? decbuf_uvarint(d) : before->reference + (uint64_t)decbuf_svarint(d);
    *chunk_out = c;
    return d->failed || c.max_t < c.min_t ? ERR_CORRUPT : 0;
}

static int read_chunks(struct block_index *index, struct decbuf *d)
{
    struct block_series *s = &index->series;
    uint64_t count = decbuf_uvarint(d);
    if (count > decbuf_left(d)) {
        return ERR_CORRUPT;
    }
    int status = mem_array_grow((void **)&s->chunks, &index->chunk_cap, (size_t)count,
        sizeof(*s->chunks), BLOCK_CHUNKS_MAX);
    s->chunk_count = (size_t)count;
    for (size_t i = 0; status == 0 && i < count; i++) {
        status = read_chunk(d, i > 0 ? &s->chunks[i - 1] : NULL, &s->chunks[i]);
    }
    return status == 0 && (d->failed || decbuf_left(d) != 0) ? ERR_CORRUPT : status;
}

static int read_series(struct block_index *index, uint64_t at)
{
    if (at < index->series_at || at >= index->series_end) {
        return ERR_CORRUPT;
    }
    struct decbuf d = decbuf_of(index->bytes.ptr + at, (size_t)(index->series_end - at));
    struct str content = decbuf_sized(&d);
    struct str crc = decbuf_bytes(&d, CRC_SIZE);
    if (d.failed || get_be32((const uint8_t *)crc.ptr) != crc32c(0, content.ptr, content.len)) {
        return ERR_CORRUPT;
    }
    d = decbuf_of(content.ptr, content.len);
    int status = read_labels(index, &d);
    return status == 0 ? read_chunks(index, &d) : status;
}

int block_index_next(
    struct block_index *index, const struct block_series **series_out, struct err *e)
{
    if (index->next >= block_index_series_count(index)) {
        return 0;
    }
    uint32_t reference = get_be32((const uint8_t *)index->postings.ptr + 4 * index->next++);
    uint64_t at = (uint64_t)reference * SERIES_ALIGNMENT;
    index->series.reference = reference;
    int status = read_series(index, at);
    if (status != 0) {
        return err_set(e, status, (int64_t)at, "index: the series at %llu: %s",
            (unsigned long long)at, err_text(status));
    }
    *series_out = &index->series;
    return 1;
}
