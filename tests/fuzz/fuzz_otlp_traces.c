/* OTLP traces of arbitrary bytes. Protobuf: the walker stays inside, and a message that it takes,
 * encoded anew from what it handed out, is taken again and hands out as much. JSON (first byte odd): what
 * is accepted is a message that the walker takes. */
#include <assert.h>

#include "wire/otlp_traces.h"

static uint64_t walk(struct str message, struct strbuf *again)
{
    struct otlp_traces *walker = NULL;
    struct otlp_traces_encoder encoder;
    struct otlp_span span;
    uint64_t count = 0;
    int status = otlp_traces_new(&walker);
    assert(status == 0);
    if (otlp_traces_begin(walker, message, NULL) != 0) {
        otlp_traces_free(walker);
        return UINT64_MAX;
    }
    otlp_traces_encoder_init(&encoder, again);
    while ((status = otlp_traces_next(walker, &span)) == 1) {
        span.raw = span.resource_raw = span.scope_raw = str_make(NULL, 0);
        otlp_traces_encoder_add(&encoder, &span);
        count++;
    }
    assert(status == 0);
    otlp_traces_encoder_finish(&encoder);
    otlp_traces_free(walker);
    return count;
}

/* A message that was walked once. */
static void write_json(struct str message, struct strbuf *out)
{
    struct otlp_traces *walker;
    struct otlp_json_encoder encoder;
    struct json_writer writer;
    struct otlp_span span;
    int status = otlp_traces_new(&walker);
    assert(status == 0);
    status = otlp_traces_begin(walker, message, NULL);
    assert(status == 0);
    json_init(&writer, out);
    otlp_json_encoder_init(&encoder, &writer);
    while ((status = otlp_traces_next(walker, &span)) == 1) {
        otlp_json_encoder_add(&encoder, &span);
    }
    assert(status == 0);
    otlp_json_encoder_finish(&encoder);
    otlp_traces_free(walker);
}

static void try_message(struct str message)
{
    struct strbuf again = STRBUF_INIT, third = STRBUF_INIT, json = STRBUF_INIT;
    uint64_t count = walk(message, &again);
    if (count != UINT64_MAX && strbuf_error(&again) == 0) {
        uint64_t second = walk(strbuf_str(&again), &third);
        assert(second == count);
        assert(str_eq(strbuf_str(&again), strbuf_str(&third)));
        write_json(message, &json);
    }
    strbuf_release(&again);
    strbuf_release(&third);
    strbuf_release(&json);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 1) {
        return 0;
    }
    struct str input = str_make((const char *)data + 1, size - 1);
    if (data[0] % 2 == 0) {
        try_message(input);
        return 0;
    }
    struct strbuf message = STRBUF_INIT;
    if (otlp_traces_from_json(input, &message, NULL) == 0) {
        struct strbuf again = STRBUF_INIT;
        uint64_t count = walk(strbuf_str(&message), &again);
        assert(count != UINT64_MAX);
        strbuf_release(&again);
    }
    strbuf_release(&message);
    return 0;
}
