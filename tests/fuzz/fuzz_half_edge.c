/* Any bytes as a message with halves of calls: what is read is within its limits, and written again reads
 * the same. */
#include <assert.h>

#include "wire/half_edge.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct half_edge_reader reader;
    struct half_edge half, again;
    struct half_edge_encoder *encoder = NULL;
    struct arena arena;
    arena_init(&arena, (size_t)64 << 20);
    assert(half_edge_encoder_new(&encoder) == 0);
    half_edge_reader_init(&reader, str_make((const char *)data, size), &arena);
    while (half_edge_reader_next(&reader, &half) == 1) {
        struct half_edge_reader second;
        struct strbuf message = STRBUF_INIT;
        assert(half.service.len <= HALF_EDGES_TEXT_BYTES_MAX && half.weight > 0);
        assert(half_edge_encoder_add(encoder, &half) == 0);
        half_edge_encoder_finish(encoder, &message);
        half_edge_reader_init(&second, strbuf_str(&message), &arena);
        assert(half_edge_reader_next(&second, &again) == 1);
        assert(str_eq(again.service, half.service) && str_eq(again.peer, half.peer));
        assert(again.span_id == half.span_id && again.weight == half.weight);
        strbuf_release(&message);
    }
    half_edge_encoder_free(encoder);
    arena_release(&arena);
    return 0;
}
