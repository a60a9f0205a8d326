#include "span/span_page_out.h"

#include "base/bytes.h"
#include "base/hash.h"
#include "span/span_page_format.h"

/* Sections shorter than this are stored as they are. */
enum { COMPRESS_BYTES_MIN = 64 };

int span_page_out_begin(struct span_page_out *p, int level)
{
    *p = (struct span_page_out){.level = level};
    strbuf_init(&p->entries, STRBUF_LIMIT_DEFAULT);
    strbuf_init(&p->body, STRBUF_LIMIT_DEFAULT);
    return zstd_codec_new(&p->codec);
}

void span_page_out_release(struct span_page_out *p)
{
    zstd_codec_free(p->codec);
    strbuf_release(&p->entries);
    strbuf_release(&p->body);
}

/* The bytes as they are stored: packed when that is shorter. */
static int put_body(struct span_page_out *p, const struct strbuf *bytes)
{
    size_t before = p->body.size;
    if (p->level > 0 && bytes->size >= COMPRESS_BYTES_MIN) {
        int status = zstd_encode(p->codec, strbuf_str(bytes), p->level, &p->body);
        if (status != 0) {
            return status;
        }
        if (p->body.size - before >= bytes->size) {
            strbuf_truncate(&p->body, before);
        }
    }
    if (p->body.size == before) {
        strbuf_add_str(&p->body, strbuf_str(bytes));
    }
    return strbuf_error(&p->body);
}

int span_page_out_section(struct span_page_out *p, uint32_t section, const struct strbuf *bytes)
{
    size_t before = p->body.size;
    int status = strbuf_error(bytes);
    if (status != 0 || bytes->size == 0) {
        return status;
    }
    status = put_body(p, bytes);
    if (status != 0) {
        return status;
    }
    size_t stored = p->body.size - before;
    strbuf_add_le32(&p->entries, section);
    strbuf_add_le32(&p->entries, (uint32_t)stored);
    strbuf_add_le32(&p->entries, (uint32_t)bytes->size);
    strbuf_add_le32(&p->entries, checksum32(p->body.data + before, stored));
    p->count++;
    return strbuf_error(&p->entries);
}

/* The last field of the header covers what is before it, and the directory. */
static int seal_header(uint8_t *header, const struct strbuf *entries)
{
    struct strbuf covered = STRBUF_INIT;
    strbuf_add(&covered, header, SPAN_PAGE_HEADER_SIZE - 4);
    strbuf_add_str(&covered, strbuf_str(entries));
    int status = strbuf_error(&covered);
    if (status == 0) {
        put_le32(header + SPAN_PAGE_HEADER_SIZE - 4, checksum32(covered.data, covered.size));
    }
    strbuf_release(&covered);
    return status;
}

int span_page_out_finish(const struct span_page_out *p, const struct span_page_info *info,
    uint32_t time_unit, struct strbuf *out)
{
    size_t begin = out->size;
    size_t size = SPAN_PAGE_HEADER_SIZE + p->entries.size + p->body.size;
    strbuf_add(out, SPAN_PAGE_MAGIC, 8);
    strbuf_add_le32(out, SPAN_PAGE_VERSION);
    strbuf_add_le32(out, info->rows);
    strbuf_add_le32(out, info->traces);
    strbuf_add_le32(out, p->count);
    strbuf_add_le64(out, info->start_min_ns);
    strbuf_add_le64(out, info->start_max_ns);
    strbuf_add_le64(out, info->duration_max_ns);
    strbuf_add_le32(out, time_unit);
    strbuf_add_le32(out, (uint32_t)size);
    strbuf_add_le32(out, 0);
    strbuf_add_le32(out, 0);
    strbuf_add_str(out, strbuf_str(&p->entries));
    int status = strbuf_error(out);
    status = status == 0 ? seal_header((uint8_t *)out->data + begin, &p->entries) : status;
    strbuf_add_str(out, strbuf_str(&p->body));
    status = status == 0 ? strbuf_error(out) : status;
    if (status != 0 && out->size > begin) {
        strbuf_truncate(out, begin);
    }
    return status;
}
