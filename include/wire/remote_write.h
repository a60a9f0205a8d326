/* Remote write 1.0: the message of prometheus.WriteRequest, both ways. Hand-written: this is the hot
 * path of ingest (protobuf-c is its oracle in tests). Field numbers: WriteRequest{timeseries 1,
 * metadata 3}, TimeSeries{labels 1, samples 2, exemplars 3, histograms 4}, Label{name 1, value 2},
 * Sample{value 1, timestamp 2}.
 *
 * Decoding pulls one series at a time out of an uncompressed message and hands out slices into it. A
 * decoder of remote write 2.0 (wire/remote_write2.h) gives the same items.
 */
#ifndef SONDE_WIRE_REMOTE_WRITE_H
#define SONDE_WIRE_REMOTE_WRITE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/str.h"
#include "base/strbuf.h"
#include "model/histogram.h"
#include "model/labels.h"
#include "model/sample.h"

/* Limits of one message. */
#define REMOTE_WRITE_COMPRESSED_MAX ((size_t)32 << 20)
#define REMOTE_WRITE_MESSAGE_MAX ((size_t)128 << 20)

enum remote_write_item_kind { REMOTE_WRITE_SERIES, REMOTE_WRITE_METADATA };

struct remote_write_exemplar {
    const struct label *labels;
    size_t label_count;
    double value;
    int64_t t_ms;
};

struct remote_write_histogram {
    int64_t t_ms;
    const struct histogram *histogram;
};

/* One item of the message. Slices and arrays are the decoder's: valid until the next call. */
struct remote_write_item {
    enum remote_write_item_kind kind;
    /* Series. `labels_bytes` is a ready key for "have I seen this series": equal bytes mean equal
     * labels. In 1.0 the run of encoded label fields, in 2.0 the hashes of the labels' symbols. ptr
     * NULL when there is none: labels that were not contiguous, or refer to nothing. */
    struct str labels_bytes;
    const struct label *labels; /* decoded on demand by remote_write_labels; NULL before */
    size_t label_count;
    const struct sample *samples;
    size_t sample_count;
    const struct remote_write_histogram *histograms;
    size_t histogram_count;
    const struct remote_write_exemplar *exemplars;
    size_t exemplar_count;
    /* Metadata: of an item of that kind, and of a series of 2.0 that brings its own. In 2.0 every
     * series may say the same; it is handed out with the first series of a metric only. */
    bool has_metadata;
    enum metric_type type;
    struct str metric_family, help, unit;
    /* Byte offset of the item in the message, for error sentences. */
    size_t offset;
};

struct remote_write_decoder;

/* `message` is borrowed. The decoder lives in `arena`. */
int remote_write_decoder_new(
    struct str message, struct arena *arena, struct remote_write_decoder **decoder_out);
/* 1 and an item, 0 at the end, ERR_CORRUPT with the offset in `e`, ERR_LIMIT, ERR_NOMEM. The labels
 * of a series are skipped over, not decoded. */
int remote_write_next(
    struct remote_write_decoder *d, struct remote_write_item *item_out, struct err *e);
/* Decodes the labels of the item that `remote_write_next` gave last into item->labels. Checks what
 * the specification asks of a sender: sorted names, no duplicates, no empty names, valid UTF-8,
 * __name__ present; ERR_INVALID with a sentence naming the series. (Unsorted labels are sorted and
 * accepted, as Prometheus' receiver does; duplicates are refused.) */
int remote_write_labels(
    struct remote_write_decoder *d, struct remote_write_item *item, struct err *e);

/* The same rules for labels that came another way: sorts, leaves empty values out. ERR_INVALID. */
int remote_write_check_labels(struct label *labels, size_t *count, struct err *e);

/* ---- Encoding ---- */

/* The encoded label fields of a series (field 1 of TimeSeries, repeated), to be kept and reused. */
void remote_write_encode_labels(const struct label *labels, size_t count, struct strbuf *out);
/* Such a run into its labels, slices of it. 0, ERR_CORRUPT, ERR_LIMIT (more than `cap`). */
int remote_write_decode_labels(
    struct str labels_bytes, struct label *labels, size_t cap, size_t *count_out);
/* The value of a label in such a run; empty when it is absent. */
struct str remote_write_find_label(struct str labels_bytes, struct str name);
/* One TimeSeries with encoded labels and its samples, as a field of WriteRequest. */
void remote_write_encode_series(
    struct str labels_bytes, const struct sample *samples, size_t sample_count, struct strbuf *out);
/* A series of any content. */
struct remote_write_series {
    struct str labels_bytes; /* of remote_write_encode_labels */
    const struct sample *samples;
    size_t sample_count;
    const struct remote_write_histogram *histograms;
    size_t histogram_count;
    const struct remote_write_exemplar *exemplars;
    size_t exemplar_count;
};
/* One TimeSeries with all it has, as a field of WriteRequest. `scratch` is emptied and used. */
void remote_write_encode_whole_series(
    const struct remote_write_series *series, struct strbuf *scratch, struct strbuf *out);
/* One sample as field 2 of the TimeSeries that `out` holds. */
void remote_write_encode_sample(const struct sample *sample, struct strbuf *out);
/* One native histogram as field `field` of the message that `out` holds. `scratch` is emptied and used. */
void remote_write_encode_histogram(uint32_t field, const struct remote_write_histogram *histogram,
    struct strbuf *scratch, struct strbuf *out);
void remote_write_encode_metadata(enum metric_type type, struct str metric_family, struct str help,
    struct str unit, struct strbuf *out);

#endif
