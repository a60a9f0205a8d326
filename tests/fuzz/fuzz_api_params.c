/* Times, durations, limits and escaped names as strangers send them: parsers end, results keep their
 * bounds, refusals have a sentence. */
#include <assert.h>

#include "api/api_params.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str text = str_make((const char *)data, size);
    struct arena arena;
    struct err e = ERR_INIT;
    struct str name;
    int64_t number;
    size_t limit;
    arena_init(&arena, 0);
    if (api_parse_time(text, &number, &e) == 0) {
        assert(number >= API_TIME_MIN && number <= API_TIME_MAX);
    } else {
        assert(e.message[0] != '\0');
    }
    if (api_parse_duration(text, &number, &e) != 0) {
        assert(e.message[0] != '\0');
    }
    (void)api_parse_limit(text, &limit, &e); /* any count will do */
    assert(api_unescape_name(text, &arena, &name) == 0);
    assert(name.len <= text.len);
    arena_release(&arena);
    return 0;
}
