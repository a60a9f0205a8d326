/* Any bytes as a line of Graphite: slices stay inside the line, times are times. */
#include <assert.h>
#include <stddef.h>
#include <stdint.h>

#include "receive/graphite_line.h"

static int is_inside(struct str part, const char *begin, size_t size)
{
    return part.len > 0 && part.ptr >= begin && part.ptr + part.len <= begin + size;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct graphite_line line;
    const char *text = (const char *)data;
    if (graphite_line_parse(str_make(text, size), &line) != 0) {
        return 0;
    }
    assert(is_inside(line.path, text, size));
    assert(line.t_ms >= 0 && (line.has_time || line.t_ms == 0));
    assert(line.tag_count <= GRAPHITE_TAGS_MAX);
    for (size_t i = 0; i < line.tag_count; i++) {
        assert(is_inside(line.tags[i].name, text, size));
        assert(is_inside(line.tags[i].value, text, size));
    }
    return 0;
}
