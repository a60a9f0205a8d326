/* One segment of the queue: records one behind the other. Private to agent/ship.
 *
 * File <first sequence, 16 hex digits>.queue; a record, little-endian:
 *   0   4  QUEUE_RECORD_MAGIC
 *   4   4  checksum32 of the bytes from offset 8 to the end of the payload
 *   8   4  payload length, > 0
 *  12   4  samples in it
 *  16   8  sequence, 1 to QUEUE_SEQUENCE_MAX; grows by one from record to record
 *  24   8  lowest sample time, ms
 *  32   4  highest sample time - lowest, saturated
 *  36   2  kind of payload: 1 remote write 1.0, snappy; 2 OTLP TracesData, gzip
 *  38   2  format version, 1
 *  40  ..  payload
 * A record is good when it lies in the file and its checksum holds. Behind a bad one the next magic
 * with a good checksum is searched.
 */
#ifndef SONDE_SHIP_QUEUE_SEGMENT_H
#define SONDE_SHIP_QUEUE_SEGMENT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/strbuf.h"
#include "base/vfs.h"
#include "ship/queue.h"

#define QUEUE_RECORD_MAGIC 0x31514453u /* "SDQ1" */
#define QUEUE_RECORD_HEADER 40u
#define QUEUE_RECORD_VERSION 1u
#define QUEUE_SEQUENCE_MAX ((uint64_t)1 << 62)
#define QUEUE_SUFFIX ".queue"
#define QUEUE_PATH_MAX 4096

struct queue_segment {
    uint64_t first_sequence;
    uint64_t end_sequence; /* behind the last record */
    uint64_t bytes;
    uint64_t samples;
    int64_t min_t, max_t; /* min_t > max_t when empty */
};

int queue_segment_path(char *buffer, const char *directory, uint64_t first_sequence);

/* The segment has one more record. */
void queue_segment_count(struct queue_segment *s, const struct queue_record *record);

/* Header and payload onto `out`. */
void queue_record_encode(
    struct strbuf *out, enum queue_cargo cargo, const struct queue_record *record);

/* A record found in a segment's bytes. */
struct queue_found {
    struct queue_record record; /* payload points into the bytes */
    size_t offset, end;
};

/* The first good record at or behind `offset`; false when there is none. `found->offset` - `offset`
 * bytes were damaged. */
bool queue_segment_find(struct str bytes, size_t offset, struct queue_found *found);

/* Reads the record at `offset` of a file into `buffer`. 1; 0 at the end of the file; ERR_CORRUPT when
 * there is no good record just there; ERR_IO. */
int queue_segment_read(struct vfs *fs, struct vfs_file *file, uint64_t offset,
    struct strbuf *buffer, struct queue_found *found);

#endif
