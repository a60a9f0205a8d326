/* The starts of the spans of a message (TracesData.resource_spans.scope_spans.spans.start_time_unix_nano), down
 * four levels and past everything else: a few nanoseconds a field. */
#include "protobuf_wire.h"
#include "wire/otlp_traces.h"

enum { LEVEL_SPAN = 3 };

struct starts {
    uint64_t least_ns, greatest_ns;
};

/* Of the last of its fields, as decoders of protobuf read it. */
static int look_at_span(struct str span, struct starts *starts)
{
    struct decbuf in = decbuf_of(span.ptr, span.len);
    struct protobuf_field f;
    uint64_t start_ns = 0;
    while (protobuf_next(&in, &f)) {
        start_ns = protobuf_is(&f, 7, PROTOBUF_FIXED64) ? f.value : start_ns;
    }
    starts->least_ns = start_ns < starts->least_ns ? start_ns : starts->least_ns;
    starts->greatest_ns = start_ns > starts->greatest_ns ? start_ns : starts->greatest_ns;
    return in.failed ? ERR_CORRUPT : 0;
}

/* Messages at `level` hold those of the next in a field of their own. */
static int look(struct str message, int level, struct starts *starts)
{
    static const uint32_t fields[LEVEL_SPAN] = {1, 2, 2};
    struct decbuf in = decbuf_of(message.ptr, message.len);
    struct protobuf_field f;
    int status = 0;
    while (status == 0 && protobuf_next(&in, &f)) {
        if (protobuf_is(&f, fields[level], PROTOBUF_BYTES)) {
            status = level + 1 == LEVEL_SPAN ? look_at_span(f.bytes, starts)
                                             : look(f.bytes, level + 1, starts);
        }
    }
    return in.failed ? ERR_CORRUPT : status;
}

int otlp_traces_starts(struct str message, uint64_t *least_ns_out, uint64_t *greatest_ns_out)
{
    struct starts starts = {UINT64_MAX, 0};
    int status = look(message, 0, &starts);
    if (status == 0) {
        *least_ns_out = starts.least_ns;
        *greatest_ns_out = starts.greatest_ns;
    }
    return status;
}
