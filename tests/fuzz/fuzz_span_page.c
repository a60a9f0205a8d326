/* A page of spans of arbitrary bytes: opening and reading all of it never reads outside, and what is
 * accepted can be encoded again. Checksums would end most inputs, so they are set right first: those of
 * the sections, then that of the directory. */
#include <assert.h>

#include "base/bytes.h"
#include "base/hash.h"
#include "base/mem.h"
#include "span/span_page_format.h"

static void read_all(struct str bytes)
{
    struct span_page *page = NULL;
    struct arena arena;
    if (span_page_open(bytes, &page, NULL) != 0) {
        return;
    }
    uint32_t rows = span_page_info(page).rows;
    struct otlp_span *spans = mem_calloc(rows, sizeof(*spans));
    arena_init(&arena, (size_t)256 << 20);
    if (span_page_spans(page, 0, rows, &arena, spans) == 0) {
        struct strbuf again = STRBUF_INIT;
        for (uint32_t i = 0; i < rows; i++) {
            otlp_span_encode(&spans[i].span, &again);
        }
        strbuf_release(&again);
    }
    for (uint32_t i = 0; i < span_page_column_count(page); i++) {
        struct span_page_column column;
        (void)span_page_column(page, i, &column);
    }
    for (int which = SPAN_PAGE_EVENTS; which <= SPAN_PAGE_MESSAGES; which++) {
        struct span_page_extras extras;
        if (span_page_extra(page, (enum span_page_extra)which, &extras) == 0 && extras.count > 0) {
            assert(extras.rows[extras.count - 1] < rows);
        }
    }
    mem_free(spans);
    arena_release(&arena);
    span_page_close(page);
}

/* As far as header and directory are there and lead to sections. */
static void set_checksums(uint8_t *bytes, size_t size)
{
    uint64_t count = get_le32(bytes + 20);
    uint64_t offset = SPAN_PAGE_HEADER_SIZE + count * SPAN_PAGE_ENTRY_SIZE;
    if (count > SPAN_PAGE_SECTIONS_MAX || offset > size) {
        return;
    }
    for (uint64_t i = 0; i < count; i++) {
        uint8_t *entry = bytes + SPAN_PAGE_HEADER_SIZE + i * SPAN_PAGE_ENTRY_SIZE;
        uint64_t stored = get_le32(entry + 4);
        if (stored <= size - offset) {
            put_le32(entry + 12, checksum32(bytes + offset, (size_t)stored));
            offset += stored;
        }
    }
    struct strbuf covered = STRBUF_INIT;
    strbuf_add(&covered, bytes, SPAN_PAGE_HEADER_SIZE - 4);
    strbuf_add(&covered, bytes + SPAN_PAGE_HEADER_SIZE, (size_t)count * SPAN_PAGE_ENTRY_SIZE);
    put_le32(bytes + SPAN_PAGE_HEADER_SIZE - 4, checksum32(covered.data, covered.size));
    strbuf_release(&covered);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint8_t *copy = mem_dup(data, size);
    read_all(str_make((const char *)copy, size));
    if (size >= SPAN_PAGE_HEADER_SIZE) {
        put_le32(copy + 52, (uint32_t)size);
        set_checksums(copy, size);
        read_all(str_make((const char *)copy, size));
    }
    mem_free(copy);
    return 0;
}
