/* The log of spans: messages as they came, until a block holds their spans.
 *
 *   segment  = frame*        file NUMBER.log, eight hex digits; numbers ascend
 *   frame      base/frame_log.h, marker "SPAN"; the payload is one zstd frame of an OTLP message
 *
 * A new segment begins whenever a block is begun, so that a durable block covers whole segments, which then
 * go. What is behind the last whole frame of a segment is a crash's and is left; damage in front of a whole
 * frame costs the messages it hit, and is counted.
 */
#ifndef SONDE_TSDB_SPAN_LOG_H
#define SONDE_TSDB_SPAN_LOG_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/str.h"
#include "base/strbuf.h"
#include "base/vfs.h"

/* A segment's file is named by so many hex digits and ".log". */
enum { SPAN_SEGMENT_NAME_DIGITS = 8 };
bool span_segment_name_parse(const char *name, uint64_t *number_out);

struct span_log;
struct zstd_codec;

/* One message that was read back; not 0 stops. */
typedef int (*span_log_replay)(void *context, struct str message);

struct span_log_report {
    uint64_t messages, damaged_bytes;
};

/* Opens the log in directory `path`, hands out every message of segments behind `covered`, removes the
 * others, and begins a new segment. */
int span_log_open(struct vfs *fs, const char *path, uint64_t covered, span_log_replay replay,
    void *context, struct span_log **log_out, struct span_log_report *report_out, struct err *e);
void span_log_close(struct span_log *log);
/* Hands out every message of one segment, which nobody writes to. */
int span_log_read(struct vfs *fs, const char *path, span_log_replay replay, void *context,
    struct span_log_report *report_out);
/* Packs a message into the payload of a frame: by any thread with a codec of its own, before the log is
 * asked. */
int span_log_pack(struct zstd_codec *codec, struct str message, struct strbuf *frame);
/* Appends a packed frame. A segment whose append failed takes no more: the next append begins another. */
int span_log_append(struct span_log *log, const struct strbuf *frame);
/* Syncs what was appended. A segment whose sync failed is not synced again. */
int span_log_sync(struct span_log *log);
/* Begins a new segment; the number of the last of those before it. */
int span_log_cut(struct span_log *log, uint64_t *covered_out);
/* Removes segments up to that number. */
void span_log_forget(struct span_log *log, uint64_t covered);
uint64_t span_log_bytes(const struct span_log *log);

#endif
