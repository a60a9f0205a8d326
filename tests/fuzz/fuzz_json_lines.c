/* Any bytes as a line of JSON: refused with a sentence, or a series that is written and read again the
 * same. */
#include <assert.h>
#include <string.h>

#include "base/bytes.h"
#include "wire/json_lines.h"

static void encode(const struct json_line *line, struct strbuf *out)
{
    if (line->histograms != NULL) {
        json_line_encode_histograms(
            line->labels, line->label_count, line->times, line->histograms, line->count, out);
    } else {
        json_line_encode(
            line->labels, line->label_count, line->times, line->values, line->count, out);
    }
}

static void compare(const struct json_line *one, const struct json_line *two)
{
    assert(one->count == two->count && one->label_count == two->label_count);
    for (size_t i = 0; i < one->count; i++) {
        assert(one->times[i] == two->times[i]);
        if (one->histograms != NULL) {
            assert(histogram_eq(one->histograms[i], two->histograms[i]));
        } else {
            assert(double_bits(one->values[i]) == double_bits(two->values[i]));
        }
    }
    for (size_t i = 0; i < one->label_count; i++) {
        assert(str_eq(one->labels[i].name, two->labels[i].name));
        assert(str_eq(one->labels[i].value, two->labels[i].value));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena arena;
    struct json_line one, two;
    struct strbuf out = STRBUF_INIT;
    struct err e = ERR_INIT;
    arena_init(&arena, (size_t)64 << 20);
    int status = json_line_decode(str_make((const char *)data, size), 4, &arena, &one, &e);
    assert(status == 0 || (e.code == status && e.message[0] != '\0'));
    if (status == 0) {
        encode(&one, &out);
        assert(json_line_decode(str_trim(strbuf_str(&out)), 0, &arena, &two, &e) == 0);
        compare(&one, &two);
    }
    strbuf_release(&out);
    arena_release(&arena);
    return 0;
}
