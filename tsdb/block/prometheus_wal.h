/* The write-ahead log of a Prometheus: what its head holds and no block does yet. Read only.
 *
 * Directory: segments 00000000, 00000001 .. and at most one checkpoint.NNNNNNNN that counts, the newest:
 * a directory of segments that stand for all up to number NNNNNNNN. `wbl` is the same for samples that
 * came out of order. Numbers are big-endian; uvarint and svarint (zigzag) as in base/bytes.h.
 *
 *   segment   pages of 32 KiB, the last one possibly cut off
 *   page      fragments; a byte 0 where one would begin says that the rest is zeros
 *   fragment  u8 type: bits 0-2: 1 whole record, 2 first, 3 middle, 4 last piece; bit 3: the record is
 *             snappy, bit 4: zstd; u16 length, u32 CRC-32C of the data, data
 *   record    u8 type, and to the end of the record
 *     1 series      u64 reference, uvarint n, n x (string name, string value)
 *     2 samples     u64 reference, i64 time, then: svarint reference - that one, svarint time - that
 *                   one, u64 bits of the value
 *     3 tombstones  u64 reference, svarint first time, svarint last time
 *     4 exemplars   as samples, each followed by labels as in series
 *     7, 9 histograms with integer counts; 8, 10 with float counts: u64 reference, i64 time, then:
 *                   svarint reference and time as in samples, u8 reset hint, svarint schema,
 *                   u64 bits of the zero threshold, zero count and count (uvarint, or u64 bits),
 *                   u64 bits of the sum, uvarint spans x (svarint offset, uvarint length) of both
 *                   sides, uvarint buckets x (svarint difference to the one before, or u64 bits) of
 *                   both sides; with schema -53 also uvarint n, n x u64 bits of bounds
 *     6 metadata    uvarint reference, u8 type (0 unknown, 1 counter, 2 gauge, 3 histogram, 4 gauge
 *                   histogram, 5 summary, 6 info, 7 state set), uvarint n, n x (string "UNIT" or "HELP",
 *                   string text); other names are passed over
 *   Others (5 marks of mapped chunks, 11 to 14 of newer versions) are counted and skipped.
 */
#ifndef SONDE_BLOCK_PROMETHEUS_WAL_H
#define SONDE_BLOCK_PROMETHEUS_WAL_H

#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/str.h"
#include "base/vfs.h"
#include "model/histogram.h"
#include "model/labels.h"
#include "model/sample.h"

/* Larger segments are refused; Prometheus begins another at 128 MiB. */
#define PROMETHEUS_WAL_SEGMENT_MAX ((size_t)1 << 30)
/* One record, decompressed. */
#define PROMETHEUS_WAL_RECORD_MAX ((size_t)256 << 20)

/* Called in the order of the log. Everything is borrowed for the call. Non-zero stops. Members may be
 * NULL. Labels are as they stand: in no order that can be relied on. */
struct prometheus_wal_handler {
    void *context;
    int (*series)(void *context, uint64_t reference, const struct label *labels, size_t count);
    int (*sample)(void *context, uint64_t reference, int64_t t_ms, double value);
    int (*histogram)(
        void *context, uint64_t reference, int64_t t_ms, const struct histogram *histogram);
    int (*exemplar)(void *context, uint64_t reference, int64_t t_ms, double value,
        const struct label *labels, size_t count);
    int (*tombstone)(void *context, uint64_t reference, int64_t min_t, int64_t max_t);
    int (*metadata)(
        void *context, uint64_t reference, enum metric_type type, struct str help, struct str unit);
};

struct prometheus_wal_counts {
    uint64_t segments, records;
    uint64_t skipped; /* records of types that carry samples we cannot read */
    uint64_t torn;    /* segments whose end is damaged: what follows in them is not read */
};

/* `directory` is wal or wbl; one that is not there is an empty one. ERR_IO, ERR_NOMEM, or what the
 * handler returned. Damage ends the log, as it does for Prometheus, and is counted. Adds to *counts. */
int prometheus_wal_read(struct vfs *fs, const char *directory,
    const struct prometheus_wal_handler *handler, struct prometheus_wal_counts *counts,
    struct err *e);

/* The records of one segment; 0, ERR_CORRUPT where it is damaged, or the handler's. `arena` is rewound
 * after each record. */
int prometheus_wal_segment(struct str bytes, const struct prometheus_wal_handler *handler,
    struct arena *arena, struct prometheus_wal_counts *counts);
/* One record; private to the two files of this module. */
int prometheus_wal_record(struct str record, const struct prometheus_wal_handler *handler,
    struct arena *arena, struct prometheus_wal_counts *counts);

#endif
