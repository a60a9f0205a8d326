/* The bytes of the write-ahead log. All numbers little-endian; uvarint and svarint (zigzag) as in
 * base/bytes.h; "sized" is a uvarint length and that many bytes.
 *
 * Segment file, <8 digits>.wal
 *   0   8  "SONDEWAL"
 *   8   4  format version, 1
 *  12   4  checksum32 of the 12 bytes before
 *  16  ..  frames, one behind the other
 *
 * Frame
 *   0   4  WAL_FRAME_MAGIC
 *   4   4  checksum32 of everything behind it: the rest of this header and the payload
 *   8   4  payload size in bytes, > 0
 *  12   4  plain size, > 0, at most WAL_FRAME_PLAIN_MAX
 *  16   8  LSN
 *  24  ..  payload: a zstd frame of `plain size` bytes, or the records themselves when the two
 *          sizes are equal
 * A frame is good when it lies in the file, its sizes keep the limits and its checksum holds.
 *
 * Records, to the end of the plain bytes: a type byte, then
 *   1 target     uvarint id, uvarint n, n × (sized name, sized value), sorted, values not empty
 *   2 shape      likewise
 *   3 columns    uvarint target, uvarint first, uvarint n > 0, n × uvarint (shape << 1 | kind);
 *                first = the number of columns defined so far
 *   4 row        uvarint target, u8 flags (1 = key), u8 counter,
 *                svarint time - previous time (key: the time itself),
 *                uvarint r > 0, r × (uvarint gap, uvarint length > 0): the columns that have a cell;
 *                changes: uvarint gap (cells with their previous value), then a cell that changed,
 *                and so on until all cells are passed;
 *                one uvarint code for each changed cell; then the bytes the codes ask for
 *                  code & 1 = 0: value = previous + zigzag_decode(code >> 1), both integers
 *                  code & 1 = 1: n = code >> 1 & 15 bytes (1..8), shifted left by code >> 5 bytes
 *                  (together at most 8), are the exclusive-or of the bits of value and previous
 *   5 histogram  uvarint target, svarint time, uvarint column, sized histogram_encode
 *   6 metadata   u8 type, sized metric, sized help, sized unit
 *   7 exemplar   uvarint target, uvarint column, svarint time, u64 bits of value,
 *                uvarint n, n × (sized name, sized value)
 *
 * A row is coded against the previous cells of its target in the same segment, +0 before the first.
 * The counter counts the target's rows in the segment modulo 256. A *key* row, every
 * WAL_KEY_INTERVAL-th, sets all previous cells of the target to +0 first. So when a damaged frame
 * took a row with it, the reader sees the counter jump and drops the target's rows up to its next
 * key, instead of adding differences to the wrong values.
 */
#ifndef SONDE_WAL_WAL_FORMAT_H
#define SONDE_WAL_WAL_FORMAT_H

#include <stdint.h>

#define WAL_SEGMENT_MAGIC "SONDEWAL"
#define WAL_SEGMENT_VERSION 1u
#define WAL_SEGMENT_HEADER_SIZE 16u

#define WAL_FRAME_MAGIC 0x31465753u /* "SWF1" */
#define WAL_FRAME_HEADER_SIZE 24u
#define WAL_FRAME_CHECKSUM_FROM 8u

#define WAL_SUFFIX ".wal"
#define WAL_SEQUENCE_DIGITS 8

/* Rows of a target between two that stand alone. */
#define WAL_KEY_INTERVAL 64u

enum wal_record_type {
    WAL_RECORD_TARGET = 1,
    WAL_RECORD_SHAPE = 2,
    WAL_RECORD_COLUMNS = 3,
    WAL_RECORD_ROW = 4,
    WAL_RECORD_HISTOGRAM = 5,
    WAL_RECORD_METADATA = 6,
    WAL_RECORD_EXEMPLAR = 7,
};

#define WAL_ROW_KEY 1u

#endif
