/* Names of the protocols. */
#include "spans/span_intake.h"

const char *span_protocol_name(enum span_protocol protocol)
{
    static const char *const names[SPAN_PROTOCOL_COUNT] = {
        [SPAN_OTLP_HTTP] = "otlp_http",
        [SPAN_OTLP_GRPC] = "otlp_grpc",
        [SPAN_ZIPKIN] = "zipkin",
        [SPAN_JAEGER] = "jaeger",
    };
    return names[protocol];
}
