/* Records out: remembers what the current segment has defined and the previous cells of every
 * target. Private to tsdb/wal; one thread. */
#ifndef SONDE_WAL_WAL_ENCODE_H
#define SONDE_WAL_WAL_ENCODE_H

#include <stddef.h>
#include <stdint.h>

#include "base/strbuf.h"
#include "wal/wal.h"

/* Previous cells of one target. */
struct wal_baseline {
    uint32_t segment; /* epoch in which this is valid; another one = nothing defined yet */
    uint32_t defined; /* columns defined in this segment */
    uint32_t cap;     /* of `cells` */
    uint32_t rows;    /* written in this segment */
    int64_t t_ms;
    double *cells;
};

struct wal_encoder {
    struct wal_dictionary *dictionary;
    uint32_t segment; /* epoch, counts up from 1 */
    struct wal_baseline *targets;
    size_t target_cap;
    uint32_t *shapes; /* epoch in which a shape was defined */
    size_t shape_cap;
    struct strbuf codes, tail; /* of the row being written */
    int error;                 /* sticky until wal_encoder_restart */
    uint64_t memory;
};

void wal_encoder_init(struct wal_encoder *w, struct wal_dictionary *dictionary);
void wal_encoder_release(struct wal_encoder *w);
/* Forgets all definitions and previous cells: a new segment begins. */
void wal_encoder_restart(struct wal_encoder *w);

/* Each appends records to `out`, definitions first where they are due. Errors stick in `w->error` or
 * in `out`. */
void wal_encode_row(struct wal_encoder *w, struct strbuf *out, uint32_t target, int64_t t_ms,
    const uint32_t *columns, const double *values, size_t count);
void wal_encode_histogram(struct wal_encoder *w, struct strbuf *out, uint32_t target, int64_t t_ms,
    uint32_t column, struct str bytes);
void wal_encode_metadata(
    struct strbuf *out, struct str metric, enum metric_type type, struct str help, struct str unit);
void wal_encode_exemplar(struct wal_encoder *w, struct strbuf *out, uint32_t target,
    uint32_t column, int64_t t_ms, double value, const struct label *labels, size_t count);

#endif
