/* Jaeger's Thrift of arbitrary bytes, as a batch (first byte odd) or a datagram: what is accepted is a message of
 * OTLP that the walker takes; what is refused leaves nothing behind. */
#include "fuzz/walk_taken.h"
#include "wire/jaeger_thrift.h"

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
        (void)walk_taken(strbuf_str(&message)); /* Jaeger's ids may be zero */
    }
    strbuf_release(&message);
    return 0;
}
