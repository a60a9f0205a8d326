/* Jaeger's Thrift of arbitrary bytes, as a batch (first byte odd) or a datagram: what is accepted is a message of
 * OTLP that the walker takes; what is refused leaves nothing behind. */
#include <assert.h>

#include "wire/jaeger_thrift.h"
#include "wire/otlp_traces.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct strbuf message = STRBUF_INIT;
    if (size < 1) {
        return 0;
    }
    struct str input = str_make((const char *)data + 1, size - 1);
    int status = data[0] % 2 == 1 ? jaeger_from_batch(input, &message, NULL)
                                  : jaeger_from_datagram(input, &message, NULL);
    assert(status == 0 || message.size == 0);
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
        otlp_traces_free(walker);
    }
    strbuf_release(&message);
    return 0;
}
