/* Any bytes as a query string: parameters within the input, or the limit. */
#include <assert.h>

#include "base/err.h"
#include "http_params.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena arena;
    arena_init(&arena, 0);
    struct http_params params = {0};
    int status = http_params_add(&arena, str_make((const char *)data, size), &params);
    assert(status == 0 || (status == ERR_LIMIT && params.count == 0));
    size_t total = 0;
    for (size_t i = 0; i < params.count; i++) {
        const struct http_param *p = &params.items[i];
        assert(p->name.ptr[p->name.len] == '\0' && p->value.ptr[p->value.len] == '\0');
        assert(http_params_find(&params, p->name, 0) != NULL);
        total += p->name.len + p->value.len;
    }
    assert(total <= size);
    arena_release(&arena);
    return 0;
}
