/* Remote write 2.0: the message of io.prometheus.write.v2.Request, both ways
 * (https://prometheus.io/docs/specs/prw/remote_write_spec_2_0/). Field numbers: Request{symbols 4,
 * timeseries 5}, TimeSeries{labels_refs 1, samples 2, histograms 3, exemplars 4, metadata 5},
 * Sample{value 1, timestamp 2, start_timestamp 3}, Exemplar{labels_refs 1, value 2, timestamp 3},
 * Metadata{type 1, help_ref 3, unit_ref 4}; histograms are those of 1.0.
 *
 * Texts stand once in a table of symbols, the first of which is empty; labels are pairs of indexes
 * into it. Start timestamps are read over: the store has no place for them.
 */
#ifndef SONDE_WIRE_REMOTE_WRITE2_H
#define SONDE_WIRE_REMOTE_WRITE2_H

#include <stddef.h>
#include <stdint.h>

#include "wire/remote_write.h"

/* As Content-Type names the two messages. */
#define REMOTE_WRITE_MESSAGE_NAME "prometheus.WriteRequest"
#define REMOTE_WRITE2_MESSAGE_NAME "io.prometheus.write.v2.Request"

/* Symbols of one message. */
#define REMOTE_WRITE2_SYMBOLS_MAX ((size_t)1 << 22)

/* A decoder for remote_write_next and remote_write_labels. Symbols are hashed once, with `key_seed`;
 * two messages decoded with one secret seed give one series the same labels_bytes, whatever indexes
 * they used. A series whose references lead nowhere is an item without labels_bytes, of which
 * remote_write_labels complains (ERR_INVALID). ERR_CORRUPT, ERR_LIMIT, ERR_NOMEM with a sentence. */
int remote_write2_decoder_new(struct str message, uint64_t key_seed, struct arena *arena,
    struct remote_write_decoder **decoder_out, struct err *e);

/* ---- Encoding ---- */

/* One series as it is to be sent: labels sorted by name, and samples or histograms, at least one.
 * METRIC_TYPE_UNKNOWN and empty texts: no metadata. */
struct remote_write2_series {
    const struct label *labels;
    size_t label_count;
    const struct sample *samples;
    size_t sample_count;
    const struct remote_write_histogram *histograms;
    size_t histogram_count;
    const struct remote_write_exemplar *exemplars;
    size_t exemplar_count;
    enum metric_type type;
    struct str help, unit;
};

/* Collects one message; kept and reused by its owner, one thread at a time. */
struct remote_write2_encoder;

int remote_write2_encoder_new(struct remote_write2_encoder **encoder_out);
/* Accepts NULL. */
void remote_write2_encoder_free(struct remote_write2_encoder *encoder);
/* Begins a new message and keeps the memory. */
void remote_write2_encoder_reset(struct remote_write2_encoder *encoder);
/* Texts are copied. Errors stick. */
void remote_write2_encoder_add(
    struct remote_write2_encoder *encoder, const struct remote_write2_series *series);
/* Bytes the message has so far. */
size_t remote_write2_encoder_size(const struct remote_write2_encoder *encoder);
/* Appends the message. 0, ERR_LIMIT (REMOTE_WRITE_MESSAGE_MAX, or too many symbols), ERR_NOMEM. */
int remote_write2_encoder_finish(const struct remote_write2_encoder *encoder, struct strbuf *out);

#endif
