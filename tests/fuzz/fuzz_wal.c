/* Any bytes as a segment of the write-ahead log, and, since checksums and compression hide them from
 * chance, as the plain records of a frame. Whatever is handed on obeys the rules of wal.h. */
#include <assert.h>

#include "wal/wal_decode.h"
#include "wal/wal_scan.h"

static void check_labels(const struct label *labels, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        assert(labels[i].name.len > 0 && labels[i].value.len > 0);
        assert(i == 0 || str_cmp(labels[i - 1].name, labels[i].name) < 0);
    }
}

static int on_labels(void *context, uint32_t id, const struct label *labels, size_t count)
{
    check_labels(labels, count);
    return 0;
}

static int on_columns(
    void *context, uint32_t target, uint32_t first, const struct column *columns, uint32_t count)
{
    assert(count > 0);
    return 0;
}

static int on_row(void *context, uint64_t lsn, uint32_t target, int64_t t_ms,
    const uint32_t *columns, const double *values, size_t count)
{
    static volatile double kept; /* reads every value, so that the sanitizers see it */
    assert(count > 0);
    for (size_t i = 0; i < count; i++) {
        assert(i == 0 || columns[i - 1] < columns[i]);
        kept = values[i];
    }
    (void)kept;
    return 0;
}

static int on_exemplar(void *context, uint64_t lsn, uint32_t target, uint32_t column, int64_t t_ms,
    double value, const struct label *labels, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        assert(labels[i].name.len > 0);
    }
    return 0;
}

static void scan(const uint8_t *data, size_t size)
{
    struct wal_scan s;
    struct wal_frame frame;
    if (wal_scan_begin(&s, data, size) != 0) {
        return;
    }
    size_t end = 0;
    while (wal_scan_next(&s, &frame)) {
        assert(frame.offset >= end);
        end = frame.offset + frame.payload.len;
        assert(end <= size);
    }
    assert(s.good_end <= size);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct wal_handler handler = {.target = on_labels,
        .shape = on_labels,
        .columns = on_columns,
        .row = on_row,
        .exemplar = on_exemplar};
    struct wal_decoder *d = NULL;
    struct wal_replay_statistics statistics = {0};
    struct str plain = str_make((const char *)data, size);
    scan(data, size);
    assert(wal_decoder_new(&handler, &d) == 0);
    int first = wal_decode_frame(d, 1, plain, &statistics);
    (void)wal_decode_frame(d, 2, plain, &statistics); /* over what the first left behind */
    struct wal_replay_statistics again = {0}, before = {0};
    wal_decoder_restart(d);
    assert(wal_decode_frame(d, 1, plain, &again) == first);
    wal_decoder_restart(d);
    (void)wal_decode_frame(d, 1, plain, &before);
    assert(again.rows == before.rows && again.samples == before.samples);
    wal_decoder_free(d);
    return 0;
}
