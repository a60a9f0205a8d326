/* Zipkin's spans of arbitrary bytes, as JSON (first byte odd) or protobuf: what is accepted is a message of OTLP
 * that the walker takes, with sound ids in every span. */
#include "fuzz/walk_taken.h"
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
        assert(walk_taken(strbuf_str(&message)) == 0);
    }
    strbuf_release(&message);
    return 0;
}
