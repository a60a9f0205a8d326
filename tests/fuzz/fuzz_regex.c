/* The first line is a pattern, the rest a text. What the hints claim must agree with RE2, which an
 * expansion runs without looking at hints. */
#include <assert.h>

#include "base/regex.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str text = str_make((const char *)data, size);
    struct str pattern = str_split(&text, '\n');
    struct regex *r = NULL;
    if (text.ptr == NULL || !str_is_utf8(text) || pattern.len > 512 ||
        regex_new(pattern, &r, NULL) != 0) {
        return 0;
    }
    struct strbuf out = STRBUF_INIT;
    bool expected = regex_expand(r, text, STR("$1${2}$$"), &out) == 1;
    assert(regex_matches(r, text) == expected);
    const struct regex_hints *hints = regex_hints(r);
    assert(!expected || str_starts_with(text, hints->prefix));
    for (size_t i = 0; i < hints->literal_count; i++) {
        assert(regex_expand(r, hints->literals[i], STR(""), &out) == 1);
    }
    strbuf_release(&out);
    regex_free(r);
    return 0;
}
