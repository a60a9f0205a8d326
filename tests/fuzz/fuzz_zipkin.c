/* Zipkin's spans of arbitrary bytes, as JSON (first byte odd) or protobuf: what is accepted is a message of OTLP
 * that the walker takes, with sound ids in every span. */
#include <assert.h>

#include "wire/otlp_traces.h"
#include "wire/zipkin.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct strbuf message = STRBUF_INIT;
    if (size < 1) {
        return 0;
    }
    struct str input = str_make((const char *)data + 1, size - 1);
    int status = data[0] % 2 == 1
                     ? zipkin_from_json(input, 1700000000000000000, &message, NULL)
                     : zipkin_from_protobuf(input, 1700000000000000000, &message, NULL);
    if (status == 0) {
        struct otlp_traces *walker = NULL;
        struct otlp_span span;
        status = otlp_traces_new(&walker);
        assert(status == 0);
        status = otlp_traces_begin(walker, strbuf_str(&message), NULL);
        assert(status == 0);
        while ((status = otlp_traces_next(walker, &span)) == 1) {
            assert(span.span.start_ns <= span.span.end_ns);
        }
        assert(status == 0);
        assert(otlp_traces_faults(walker, OTLP_SPAN_TRACE_ID) == 0);
        assert(otlp_traces_faults(walker, OTLP_SPAN_ID) == 0);
        otlp_traces_free(walker);
    }
    strbuf_release(&message);
    return 0;
}
