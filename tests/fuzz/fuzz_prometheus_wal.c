/* Any bytes as a segment of Prometheus' log, its checksums put right in a copy, and as one record.
 * Whatever comes out of it fits the limits. */
#include <assert.h>

#include "base/mem.h"
#include "block/big_endian.h"
#include "tsdb/crc32c.h"
#include "block/prometheus_wal.h"

enum { PAGE_SIZE = 32768, FRAGMENT_HEADER = 7 };

static int on_series(void *context, uint64_t reference, const struct label *labels, size_t count)
{
    size_t *seen = context;
    (void)reference;
    assert(count <= LABELS_COUNT_MAX);
    for (size_t i = 0; i < count; i++) {
        *seen += labels[i].name.len + labels[i].value.len;
    }
    return 0;
}

static int on_histogram(void *context, uint64_t reference, int64_t t_ms, const struct histogram *h)
{
    size_t *seen = context;
    (void)reference, (void)t_ms;
    assert(h->positive.count <= HISTOGRAM_BUCKETS_MAX && h->custom_count <= HISTOGRAM_BUCKETS_MAX);
    for (size_t i = 0; i < h->negative.count; i++) {
        *seen += h->negative.counts[i] > 1;
    }
    (void)histogram_validate(h, NULL);
    return 0;
}

static int on_exemplar(void *context, uint64_t reference, int64_t t_ms, double value,
    const struct label *labels, size_t count)
{
    (void)t_ms, (void)value;
    return on_series(context, reference, labels, count);
}

/* Fragment after fragment, as the reader will walk them. */
static void mend(uint8_t *bytes, size_t size)
{
    size_t at = 0;
    while (at < size) {
        size_t page_left = PAGE_SIZE - at % PAGE_SIZE;
        size_t left = size - at < page_left ? size - at : page_left;
        if ((bytes[at] & 7) == 0) {
            at += page_left;
            continue;
        }
        size_t length = left >= FRAGMENT_HEADER ? get_be16(bytes + at + 1) : 0;
        if (left < FRAGMENT_HEADER || length > left - FRAGMENT_HEADER) {
            return;
        }
        put_be32(bytes + at + 3, crc32c(0, bytes + at + FRAGMENT_HEADER, length));
        at += FRAGMENT_HEADER + length;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    size_t seen = 0;
    const struct prometheus_wal_handler handler = {
        .context = &seen, .series = on_series, .histogram = on_histogram, .exemplar = on_exemplar};
    struct prometheus_wal_counts counts = {.records = 0};
    struct arena arena;
    uint8_t *bytes = mem_dup(data, size);
    assert(bytes != NULL);
    arena_init(&arena, (size_t)1 << 28);
    (void)prometheus_wal_record(str_make((const char *)data, size), &handler, &arena, &counts);
    mend(bytes, size);
    (void)prometheus_wal_segment(str_make((const char *)bytes, size), &handler, &arena, &counts);
    arena_release(&arena);
    mem_free(bytes);
    return 0;
}
