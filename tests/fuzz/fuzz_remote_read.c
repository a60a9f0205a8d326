/* Any bytes as an uncompressed remote-read request: refused with a sentence, or matchers that can be used. */
#include <assert.h>

#include "wire/remote_read.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena arena;
    struct remote_read_request request;
    struct err e = ERR_INIT;
    arena_init(&arena, (size_t)64 << 20);
    int status = remote_read_decode(str_make((const char *)data, size), &arena, &request, &e);
    assert(status == 0 || (e.code == status && e.message[0] != '\0'));
    for (size_t i = 0; status == 0 && i < request.query_count; i++) {
        const struct remote_read_query *q = &request.queries[i];
        assert(q->matcher_count <= REMOTE_READ_MATCHERS_MAX);
        (void)matchers_match(q->matchers, q->matcher_count, labels_empty());
    }
    arena_release(&arena);
    return 0;
}
