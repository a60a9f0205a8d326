/* The one door through which spans enter the agent, whatever protocol they come by.
 *
 *   int64_t wait_ms;
 *   if (door->admit(door, &wait_ms) != 0)                       answer busy, take nothing
 *   status = door->take(door, SPAN_OTLP_HTTP, message, &taken, &e);
 *   if (status == 0)                                            answer success; taken.refused > 0: in part
 *
 * A receiver hands in one request's spans as the bytes of OTLP's TracesData (the same bytes as an
 * ExportTraceServiceRequest, protobuf, without compression). What came as JSON, Zipkin or Thrift was
 * turned into that form before (wire/otlp_traces.h). Spans are not encoded anew behind the door: what
 * goes out are slices of the message, so attributes, events and unknown fields pass as they came.
 *
 * Behind the door, in this order, each only when configured but for the last:
 *
 *   span metrics, service graph    exact, of every span, written through intake/intake.h
 *   tail sampling                  a window of traces in memory, then keep or drop
 *   shipping                       the queue on disk, then each destination's address for traces
 *
 * What success promises:
 *   - without tail sampling the spans are in the queue on disk: a kill of the process does not lose
 *     them, a power cut at most the last second;
 *   - with tail sampling they are in the window, in memory: a kill loses at most what the window holds,
 *     which is what came within its decision time; an orderly stop decides and queues all of it;
 *   - counts of span metrics are in memory until the next interval writes them.
 * A request that is answered with an error has left nothing behind, except that a message of more than
 * one record (SPAN_RECORD_BYTES_MAX) may be in the queue in part; repeated, it comes to the server
 * twice, which changes nothing there: a span's identity is its trace and span id. A request that was
 * taken, but whose answer was lost, is counted twice by the metrics when it is repeated.
 *
 * One thread, the loop's: other threads post what they have to it.
 */
#ifndef SONDE_SPANS_SPAN_INTAKE_H
#define SONDE_SPANS_SPAN_INTAKE_H

#include <stdint.h>

#include "base/err.h"
#include "base/str.h"

/* How spans came: label `protocol` of the accounts. */
enum span_protocol {
    SPAN_OTLP_HTTP,
    SPAN_OTLP_GRPC,
    SPAN_ZIPKIN,
    SPAN_JAEGER,
    SPAN_PROTOCOL_COUNT,
};

/* "otlp_http" … */
const char *span_protocol_name(enum span_protocol protocol);

/* What became of a request that was taken. */
struct span_taken {
    uint64_t spans;   /* taken */
    uint64_t refused; /* left out for good: the sender must not send them again */
    struct str why; /* a sentence for the sender when some were refused, else empty; borrowed until
                       * the next call */
};

struct span_intake {
    /* May a request be taken? Asked before anything is decoded. 0, or ERR_BUSY and when to come again
     * (at least INTAKE_RETRY_AFTER_MS). Counted as refused by reason "busy". */
    int (*admit)(
        struct span_intake *self, enum span_protocol protocol, int64_t *retry_after_ms_out);
    /* One request's spans; the message is borrowed for the call. An empty message is taken. 0, or with
     * a sentence, and then nothing is taken:
     *   ERR_CORRUPT   malformed protobuf: the sender must not repeat it
     *   ERR_LIMIT     larger than OTLP_TRACES_MAX, values nested too deep: likewise
     *   ERR_BUSY      no room in the window: repeat after INTAKE_RETRY_AFTER_MS
     *   ERR_NO_SPACE  the queue does not take it, ERR_NOMEM: likewise
     * Spans are refused alone, counted by reason, for ids that are none, for texts beyond
     * OTLP_TEXT_BYTES_MAX, and when one is larger than SPAN_BYTES_MAX. */
    int (*take)(struct span_intake *self, enum span_protocol protocol, struct str message,
        struct span_taken *taken_out, struct err *e);
};

/* One span as it is encoded, with its resource and scope. */
#define SPAN_BYTES_MAX ((size_t)4 << 20)
/* One request to a destination before it is compressed; a larger message is cut between spans. */
#define SPAN_RECORD_BYTES_MAX ((size_t)4 << 20)

#endif
