/* A segment as text, for people: sonde tsdb dump. */
#include "base/fpconv.h"
#include "base/mem.h"
#include "wal/wal.h"
#include "wal/wal_decode.h"
#include "wal/wal_scan.h"
#include "wire/zstd_codec.h"

struct dump {
    struct strbuf *out;
    bool with_samples;
};

static void add_labels(struct strbuf *out, const struct label *labels, size_t count)
{
    strbuf_add_char(out, '{');
    for (size_t i = 0; i < count; i++) {
        strbuf_addf(out, "%s%.*s=\"%.*s\"", i > 0 ? ", " : "", STR_ARG(labels[i].name),
            STR_ARG(labels[i].value));
    }
    strbuf_add_char(out, '}');
}

static int dump_target(void *context, uint32_t target, const struct label *labels, size_t count)
{
    struct dump *d = context;
    strbuf_addf(d->out, "  target %u ", target);
    add_labels(d->out, labels, count);
    strbuf_add_char(d->out, '\n');
    return 0;
}

static int dump_shape(void *context, uint32_t shape, const struct label *labels, size_t count)
{
    struct dump *d = context;
    strbuf_addf(d->out, "  shape %u ", shape);
    add_labels(d->out, labels, count);
    strbuf_add_char(d->out, '\n');
    return 0;
}

static int dump_columns(
    void *context, uint32_t target, uint32_t first, const struct column *columns, uint32_t count)
{
    struct dump *d = context;
    strbuf_addf(d->out, "  columns of target %u:", target);
    for (uint32_t i = 0; i < count; i++) {
        strbuf_addf(d->out, " %u=%s%u", first + i,
            columns[i].kind == COLUMN_HISTOGRAM ? "histogram " : "", columns[i].shape);
    }
    strbuf_add_char(d->out, '\n');
    return 0;
}

static int dump_row(void *context, uint64_t lsn, uint32_t target, int64_t t_ms,
    const uint32_t *columns, const double *values, size_t count)
{
    struct dump *d = context;
    strbuf_addf(d->out, "  row of target %u at %lld: %zu cells\n", target, (long long)t_ms, count);
    for (size_t i = 0; d->with_samples && i < count; i++) {
        strbuf_addf(d->out, "    %u ", columns[i]);
        strbuf_add_double(d->out, values[i]);
        strbuf_add_char(d->out, '\n');
    }
    return 0;
}

static int dump_histogram(
    void *context, uint64_t lsn, uint32_t target, int64_t t_ms, uint32_t column, struct str bytes)
{
    struct dump *d = context;
    strbuf_addf(d->out, "  histogram of target %u column %u at %lld: %zu bytes\n", target, column,
        (long long)t_ms, bytes.len);
    return 0;
}

static int dump_metadata(void *context, uint64_t lsn, struct str metric, enum metric_type type,
    struct str help, struct str unit)
{
    struct dump *d = context;
    strbuf_addf(d->out, "  metadata %.*s %s \"%.*s\" %.*s\n", STR_ARG(metric),
        metric_type_name(type), STR_ARG(help), STR_ARG(unit));
    return 0;
}

static int dump_exemplar(void *context, uint64_t lsn, uint32_t target, uint32_t column,
    int64_t t_ms, double value, const struct label *labels, size_t count)
{
    struct dump *d = context;
    strbuf_addf(
        d->out, "  exemplar of target %u column %u at %lld ", target, column, (long long)t_ms);
    add_labels(d->out, labels, count);
    strbuf_add_char(d->out, ' ');
    strbuf_add_double(d->out, value);
    strbuf_add_char(d->out, '\n');
    return 0;
}

static int dump_frame(struct wal_decoder *decoder, struct zstd_codec *zstd,
    const struct wal_frame *frame, struct strbuf *plain, struct strbuf *out)
{
    struct wal_replay_statistics statistics = {0};
    struct str records = frame->payload;
    strbuf_addf(out, "frame at %zu: lsn %llu, %zu bytes, %u plain\n", frame->offset,
        (unsigned long long)frame->lsn, frame->payload.len, frame->plain_size);
    if (frame->payload.len != frame->plain_size) {
        strbuf_reset(plain);
        if (zstd_decode(zstd, frame->payload, WAL_FRAME_PLAIN_MAX, plain) != 0) {
            strbuf_add_c(out, "  damaged: does not decompress\n");
            return 0;
        }
        records = strbuf_str(plain);
    }
    int status = wal_decode_frame(decoder, frame->lsn, records, &statistics);
    if (status == ERR_CORRUPT) {
        strbuf_add_c(out, "  damaged: the record above is the last whole one\n");
        return 0;
    }
    return status;
}

int wal_segment_dump(
    struct vfs *fs, const char *path, bool with_samples, struct strbuf *out, struct err *e)
{
    struct dump d = {out, with_samples};
    const struct wal_handler handler = {&d, NULL, dump_target, dump_shape, dump_columns, dump_row,
        dump_histogram, dump_metadata, dump_exemplar};
    struct wal_decoder *decoder = NULL;
    struct zstd_codec *zstd = NULL;
    struct strbuf plain = STRBUF_INIT;
    char *bytes = NULL;
    size_t size = 0;
    struct wal_scan scan;
    struct wal_frame frame;
    int status = wal_decoder_new(&handler, &decoder);
    if (status == 0) {
        status = zstd_codec_new(&zstd);
    }
    if (status == 0) {
        status = vfs_read_file(fs, path, WAL_SEGMENT_BYTES_MAX, &bytes, &size);
    }
    if (status == 0) {
        status = wal_scan_begin(&scan, bytes, size);
    }
    while (status == 0 && wal_scan_next(&scan, &frame)) {
        status = dump_frame(decoder, zstd, &frame, &plain, out);
    }
    if (status == 0) {
        strbuf_addf(out, "%s%llu damaged gaps, %zu bytes behind the last whole frame\n",
            scan.header_damaged ? "the header is damaged; " : "", (unsigned long long)scan.skipped,
            size - scan.good_end);
        status = strbuf_error(out);
    }
    if (status != 0) {
        err_set(e, status, -1, "%s: cannot be dumped: %s", path, err_text(status));
    }
    mem_free(bytes);
    strbuf_release(&plain);
    zstd_codec_free(zstd);
    wal_decoder_free(decoder);
    return status;
}
