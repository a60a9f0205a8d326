/* Any bytes as the data of a chunk, the first one being its encoding; and as a framed chunk. What
 * decodes has ascending times, and floats encode to a chunk that decodes to the same again. */
#include <assert.h>
#include <string.h>

#include "tsdb/chunk.h"
#include "block/chunk_file.h"

static void check_floats(const struct chunk_samples *s)
{
    struct strbuf out = STRBUF_INIT;
    struct chunk_samples again;
    struct arena arena;
    arena_init(&arena, 0);
    size_t count = s->count < CHUNK_SAMPLES_MAX ? s->count : CHUNK_SAMPLES_MAX;
    xor_chunk_encode(s->times, s->values, count, &out);
    assert(xor_chunk_decode(strbuf_str(&out), &arena, &again) == 0);
    assert(again.count == count);
    assert(memcmp(again.times, s->times, count * sizeof(*s->times)) == 0);
    assert(memcmp(again.values, s->values, count * sizeof(*s->values)) == 0);
    arena_release(&arena);
    strbuf_release(&out);
}

static void check_histograms(const struct chunk_samples *s)
{
    for (size_t i = 0; i < s->count; i++) {
        const struct histogram *h = s->histograms[i];
        static volatile double kept;
        for (size_t j = 0; j < h->positive.count; j++) {
            kept = h->positive.counts[j];
        }
        for (size_t j = 0; j < h->negative.count; j++) {
            kept = h->negative.counts[j];
        }
        (void)kept;
    }
    size_t fit = histogram_chunk_fit(s->histograms, s->count);
    assert(fit >= 1 && fit <= CHUNK_SAMPLES_MAX);
    struct strbuf out = STRBUF_INIT;
    struct chunk_samples again;
    struct arena arena;
    arena_init(&arena, 0);
    enum chunk_encoding encoding = histogram_chunk_encoding(s->histograms, fit);
    histogram_chunk_encode(encoding, CHUNK_RESET_UNKNOWN, s->times, s->histograms, fit, &out);
    assert(histogram_chunk_decode(encoding, strbuf_str(&out), &arena, &again) == 0);
    assert(again.count == fit && memcmp(again.times, s->times, fit * sizeof(*s->times)) == 0);
    arena_release(&arena);
    strbuf_release(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct chunk_samples s;
    struct arena arena;
    unsigned encoding = 0;
    struct str bytes = str_make((const char *)data, size), framed;
    size_t frame_size = 0;
    if (size == 0) {
        return 0;
    }
    if (chunk_frame_decode(bytes, &encoding, &framed, &frame_size) == 0) {
        assert(frame_size <= size && framed.len < frame_size);
    }
    arena_init(&arena, (size_t)1 << 28);
    if (chunk_decode(data[0], str_skip(bytes, 1), &arena, &s) == 0) {
        assert(s.count > 0 && (s.values != NULL) != (s.histograms != NULL));
        for (size_t i = 1; i < s.count; i++) {
            assert(s.times[i - 1] < s.times[i]);
        }
        if (s.values != NULL) {
            check_floats(&s);
        } else {
            check_histograms(&s);
        }
    }
    arena_release(&arena);
    return 0;
}
