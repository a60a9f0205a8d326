/* The decoder of remote write from inside: what 1.0 and 2.0 share. Private to base/wire. */
#ifndef SONDE_WIRE_REMOTE_WRITE_DECODER_H
#define SONDE_WIRE_REMOTE_WRITE_DECODER_H

#include "base/hash.h"
#include "protobuf_wire.h"
#include "wire/remote_write2.h"

struct remote_write_symbol {
    struct str text;
    uint64_t metadata_mark; /* what was handed out for a metric of this name; 0 = nothing yet */
};

/* What is wrong with the references of a series. */
enum reference_fault { REFERENCES_GOOD, REFERENCES_ODD, REFERENCES_OUTSIDE, REFERENCES_TOO_MANY };

struct remote_write_decoder {
    const uint8_t *begin;
    struct decbuf in;
    struct arena *arena;
    struct arena scratch; /* histograms, exemplars and split labels of the current item */
    struct str series;    /* 1.0: the current TimeSeries, for remote_write_labels */

    struct sample *samples;
    size_t sample_cap;
    struct label *labels;
    size_t label_cap;
    struct remote_write_histogram *histograms;
    size_t histogram_cap;
    struct remote_write_exemplar *exemplars;
    size_t exemplar_cap;

    /* 2.0 only. */
    bool by_reference;
    struct remote_write_symbol *symbols;
    struct hash128 *hashes; /* of the symbols, apart: they are what a known series needs */
    size_t symbol_count, symbol_cap, hash_cap;
    uint32_t *references; /* of the current series: name, value, name, value … */
    size_t reference_count, reference_cap;
    struct hash128 *key; /* their hashes in order: labels_bytes */
    size_t key_cap;
    enum reference_fault fault;
    uint32_t faulty_reference;
};

/* Appends to the arrays of the current item; 0, ERR_CORRUPT, ERR_LIMIT, ERR_NOMEM. */
int remote_write_add_sample(
    struct remote_write_decoder *d, struct str bytes, struct remote_write_item *item);
int remote_write_add_histogram(
    struct remote_write_decoder *d, struct str bytes, struct remote_write_item *item);
/* Room for one more exemplar, counted in; NULL with the status. */
struct remote_write_exemplar *remote_write_new_exemplar(
    struct remote_write_decoder *d, struct remote_write_item *item, int *status_out);
/* All samples that come now and have the form that senders write; stops at the first other field. */
int remote_write_take_plain_samples(
    struct remote_write_decoder *d, struct decbuf *in, struct remote_write_item *item);
/* The sentence for a status of decoding a series: 0 stays 0. */
int remote_write_series_status(
    const struct remote_write_item *item, int status, bool cut_short, struct err *e);
int remote_write_malformed(struct err *e, const struct remote_write_item *item, const char *what);
/* An empty item at this offset. */
void remote_write_begin_item(struct remote_write_item *item, size_t offset);
/* Of 2.0, in remote_write2_decode.c. */
int remote_write2_next(
    struct remote_write_decoder *d, struct remote_write_item *item_out, struct err *e);
int remote_write2_labels(
    struct remote_write_decoder *d, struct remote_write_item *item, struct err *e);

#endif
