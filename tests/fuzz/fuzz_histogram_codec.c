/* Any bytes as an encoded histogram: what is decoded encodes to something that decodes to the same,
 * and can be walked and printed. */
#include <assert.h>
#include <math.h>

#include "model/histogram.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena arena;
    struct histogram *h = NULL, *again = NULL;
    struct strbuf bytes = STRBUF_INIT, text = STRBUF_INIT;
    arena_init(&arena, 64 << 20);
    int status = histogram_decode(str_make((const char *)data, size), &arena, &h);
    assert(status == 0 ? h != NULL : h == NULL);
    if (status == 0) {
        struct histogram_walk walk;
        struct histogram_bucket bucket;
        size_t buckets = 0;
        histogram_encode(h, &bytes);
        assert(strbuf_error(&bytes) == 0);
        assert(histogram_decode(strbuf_str(&bytes), &arena, &again) == 0);
        assert(histogram_eq(h, again));
        histogram_walk_begin(&walk, h);
        while (histogram_walk_next(&walk, &bucket)) {
            buckets++;
        }
        assert(buckets <= h->positive.count + h->negative.count + 1);
        histogram_write(h, &text);
        (void)histogram_validate(h, NULL); /* may refuse it, but must not fall over it */
    }
    strbuf_release(&bytes);
    strbuf_release(&text);
    arena_release(&arena);
    return 0;
}
