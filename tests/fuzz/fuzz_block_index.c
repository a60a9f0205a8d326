/* Any bytes as the index of a Prometheus block. The checksums of sections would hide what is behind
 * them, so those of the table of contents, of symbols and of the lists of postings are put right in a
 * copy; series keep theirs. What opens can be walked to its end or says what is corrupt. */
#include <assert.h>

#include "base/mem.h"
#include "block/big_endian.h"
#include "block/block_index.h"
#include "tsdb/crc32c.h"

enum { CONTENTS_SIZE = 52 };

static uint8_t *section_at(uint8_t *bytes, size_t size, uint64_t at, uint32_t *length_out)
{
    if (at > size || size - at < 8 || get_be32(bytes + at) > size - at - 8) {
        return NULL;
    }
    *length_out = get_be32(bytes + at);
    return bytes + at + 4;
}

static void mend_section(uint8_t *bytes, size_t size, uint64_t at)
{
    uint32_t length = 0;
    uint8_t *content = section_at(bytes, size, at, &length);
    if (content != NULL) {
        put_be32(content + length, crc32c(0, content, length));
    }
}

/* The postings of all series, where the first entry of the table says. */
static void mend_postings(uint8_t *bytes, size_t size, uint64_t table)
{
    uint32_t length = 0;
    uint8_t *content = section_at(bytes, size, table, &length);
    if (content != NULL) {
        struct decbuf d = decbuf_of(content, length);
        (void)decbuf_be32(&d);
        (void)decbuf_uvarint(&d);
        (void)decbuf_sized(&d);
        (void)decbuf_sized(&d);
        mend_section(bytes, size, decbuf_uvarint(&d));
    }
}

/* A series is a uvarint length, the content and its checksum. */
static void mend_series(uint8_t *bytes, size_t size)
{
    for (size_t at = 16; at < size; at += 16) {
        struct decbuf d = decbuf_of(bytes + at, size - at);
        struct str content = decbuf_sized(&d);
        if (!d.failed && content.len > 0 && decbuf_left(&d) >= 4) {
            put_be32(bytes + (d.p - bytes), crc32c(0, content.ptr, content.len));
        }
    }
}

static void mend(uint8_t *bytes, size_t size)
{
    if (size < CONTENTS_SIZE + 5) {
        return;
    }
    uint8_t *contents = bytes + size - CONTENTS_SIZE;
    mend_series(bytes, size - CONTENTS_SIZE);
    mend_section(bytes, size, get_be64(contents));
    mend_postings(bytes, size, get_be64(contents + 40));
    mend_section(bytes, size, get_be64(contents + 40));
    put_be32(contents + 48, crc32c(0, contents, 48));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint8_t *bytes = mem_dup(data, size);
    struct block_index index;
    struct err e = ERR_INIT;
    assert(bytes != NULL);
    mend(bytes, size);
    int status = block_index_open(&index, str_make((const char *)bytes, size), &e);
    if (status != 0) {
        assert(e.code == status && e.message[0] != '\0');
    } else {
        const struct block_series *series = NULL;
        uint32_t count = 0;
        while ((status = block_index_next(&index, &series, &e)) == 1) {
            count++;
            for (size_t i = 0; i < series->label_count; i++) {
                assert(series->labels[i].value.len > 0);
                assert(i == 0 || str_cmp(series->labels[i - 1].name, series->labels[i].name) < 0);
            }
            for (size_t i = 0; i < series->chunk_count; i++) {
                assert(series->chunks[i].min_t <= series->chunks[i].max_t);
            }
        }
        assert(status != 0 || count == block_index_series_count(&index));
        block_index_release(&index);
    }
    mem_free(bytes);
    return 0;
}
