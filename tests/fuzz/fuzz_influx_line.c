/* Any bytes as a line of InfluxDB: what is accepted has pairs that are sound, to the end. */
#include <assert.h>
#include <stddef.h>
#include <stdint.h>

#include "receive/influx_line.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct influx_line line;
    struct label pair;
    double value;
    int more;
    struct strbuf out = STRBUF_INIT;
    struct str text = {(const char *)data, size};
    influx_unescape(text, &out);
    assert(out.size <= size);
    strbuf_release(&out);
    if (influx_line_parse(text, &line) != 0) {
        return 0;
    }
    assert(line.measurement.len > 0 && line.fields.len > 0);
    while ((more = influx_next_pair(&line.tags, &pair)) > 0) {
        assert(pair.name.len > 0 && pair.value.len > 0);
    }
    assert(more == 0);
    while ((more = influx_next_pair(&line.fields, &pair)) > 0) {
        assert(influx_field_value(pair.value, &value) >= 0);
    }
    assert(more == 0);
    return 0;
}
