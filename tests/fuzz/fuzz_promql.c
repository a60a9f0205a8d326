/* Any text: parsing ends, and what was accepted prints to text that parses to the same text again. */
#include <assert.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include "query/promql.h"

#define FUZZ_ARENA_BYTES ((size_t)64 << 20)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena arena;
    arena_init(&arena, FUZZ_ARENA_BYTES);
    struct expr *expr, *again;
    struct err e = ERR_INIT;
    struct str text = str_make((const char *)data, size);
    if (promql_parse(text, PROMQL_FEATURES_ALL, &arena, &expr, &e) == 0) {
        struct strbuf once = STRBUF_INIT, twice = STRBUF_INIT;
        promql_write(expr, &once);
        if (once.size < PROMQL_BYTES_MAX) {
            if (promql_parse(strbuf_str(&once), PROMQL_FEATURES_ALL, &arena, &again, &e) != 0) {
                abort();
            }
            promql_write(again, &twice);
            if (!str_eq(strbuf_str(&once), strbuf_str(&twice))) {
                abort();
            }
        }
        strbuf_release(&once);
        strbuf_release(&twice);
    }
    arena_release(&arena);
    return 0;
}
