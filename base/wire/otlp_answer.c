/* Answers to OTLP: ExportMetricsServiceResponse and google.rpc.Status.
 *
 *   ExportMetricsServiceResponse{partial_success 1{rejected_data_points 1, error_message 2}}
 *   Status{code 1, message 2}
 */
#include "base/json.h"
#include "protobuf_wire.h"
#include "wire/otlp_metrics.h"
#include "wire/otlp_traces.h"
#include "wire/otlp_writer.h"

static void write_response_json(
    const char *rejected_key, uint64_t rejected, struct str message, struct strbuf *out)
{
    struct json_writer json;
    json_init(&json, out);
    json_begin_object(&json);
    if (rejected != 0 || message.len != 0) {
        char digits[24];
        struct strbuf text = STRBUF_INIT;
        strbuf_add_u64(&text, rejected);
        size_t size = text.size < sizeof(digits) ? text.size : 0;
        memcpy(digits, text.data != NULL ? text.data : "", size);
        strbuf_release(&text);
        json_key(&json, "partialSuccess");
        json_begin_object(&json);
        json_key(&json, rejected_key); /* 64 bits are text in protobuf's JSON */
        json_string(&json, str_make(digits, size));
        json_key(&json, "errorMessage");
        json_string(&json, message);
        json_end(&json);
    }
    json_end(&json);
}

/* Both responses have the same numbers in protobuf, and different names in JSON. */
static void write_response(
    bool json, const char *rejected_key, uint64_t rejected, struct str message, struct strbuf *out)
{
    if (json) {
        write_response_json(rejected_key, rejected, message, out);
        return;
    }
    strbuf_add_c(out, ""); /* so that there is a buffer, if an empty one */
    if (rejected == 0 && message.len == 0) {
        return;
    }
    size_t size = (rejected != 0 ? 1 + uvarint_size(rejected) : 0) +
                  (message.len != 0 ? 1 + uvarint_size(message.len) + message.len : 0);
    protobuf_put_key(out, 1, PROTOBUF_BYTES);
    strbuf_add_uvarint(out, size);
    if (rejected != 0) {
        protobuf_put_varint(out, 1, rejected);
    }
    if (message.len != 0) {
        protobuf_put_bytes(out, 2, message);
    }
}

void otlp_write_response(bool json, uint64_t rejected, struct str message, struct strbuf *out)
{
    write_response(json, "rejectedDataPoints", rejected, message, out);
}

void otlp_write_traces_response(
    bool json, uint64_t rejected, struct str message, struct strbuf *out)
{
    write_response(json, "rejectedSpans", rejected, message, out);
}

void otlp_write_status(bool json, int code, struct str message, struct strbuf *out)
{
    if (!json) {
        protobuf_put_varint(out, 1, (uint64_t)code);
        protobuf_put_bytes(out, 2, message);
        return;
    }
    struct json_writer writer;
    json_init(&writer, out);
    json_begin_object(&writer);
    json_key(&writer, "code");
    json_integer(&writer, code);
    json_key(&writer, "message");
    json_string(&writer, message);
    json_end(&writer);
}

void otlp_read_response(struct str body, uint64_t *rejected_out)
{
    struct decbuf in = decbuf_of(body.ptr, body.len);
    struct protobuf_field outer, inner;
    *rejected_out = 0;
    while (protobuf_next(&in, &outer)) {
        if (!protobuf_is(&outer, 1, PROTOBUF_BYTES)) {
            continue;
        }
        struct decbuf partial = decbuf_of(outer.bytes.ptr, outer.bytes.len);
        while (protobuf_next(&partial, &inner)) {
            if (protobuf_is(&inner, 1, PROTOBUF_VARINT)) {
                *rejected_out = inner.value;
            }
        }
    }
}
