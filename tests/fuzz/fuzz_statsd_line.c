/* Any bytes as a line of StatsD: slices stay inside the line, and what is accepted has numbers. */
#include <assert.h>
#include <math.h>
#include <stddef.h>
#include <stdint.h>

#include "receive/statsd_line.h"

static int is_inside(struct str part, const char *begin, size_t size)
{
    return part.len == 0 || (part.ptr >= begin && part.ptr + part.len <= begin + size);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct statsd_line line;
    const char *text = (const char *)data;
    if (statsd_line_parse(str_make(text, size), &line) != 0) {
        return 0;
    }
    assert(line.name.len > 0 && is_inside(line.name, text, size));
    assert(line.rate > 0 && line.rate <= 1);
    assert(line.tag_count <= STATSD_TAGS_MAX);
    for (size_t i = 0; i < line.tag_count; i++) {
        assert(line.tags[i].name.len > 0 && is_inside(line.tags[i].name, text, size));
        assert(is_inside(line.tags[i].value, text, size));
    }
    struct str values = line.values;
    double value;
    bool relative;
    int more = line.kind == STATSD_SET ? 0 : 1;
    while (more > 0) {
        more = statsd_line_next(&values, &value, &relative);
        assert(more >= 0 && (more == 0 || isfinite(value)));
    }
    return 0;
}
