/* Answers of HTTP/1.x: whatever comes is read without harm, and how a body in chunks is cut on its way changes
 * nothing. The first byte says where it is cut. */
#include <assert.h>
#include <string.h>

#include "http_answer.h"

/* Head, then chunks of what is behind it, in two pieces. Returns what the chunks came to. */
static int read_chunks(struct str bytes, size_t cut, struct strbuf *body)
{
    struct http_chunks chunks = {0};
    struct str first = str_make(bytes.ptr, cut), rest = str_skip(bytes, cut);
    int result = http_chunks_take(&chunks, &first, body);
    return result == 0 ? http_chunks_take(&chunks, &rest, body) : result;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 1) {
        return 0;
    }
    struct str bytes = str_make((const char *)data + 1, size - 1);
    struct http_answer_head head;
    size_t at = 0;
    int64_t seconds;
    if (http_answer_read_head(bytes, &head, &at) == 1) {
        assert(at <= bytes.len && head.status >= 100 && head.status <= 999);
        struct str value = http_answer_header(head.text, "Retry-After");
        (void)http_date_read(value, &seconds);
        bytes = str_skip(bytes, at);
    }
    struct strbuf one = STRBUF_INIT, two = STRBUF_INIT;
    int whole = read_chunks(bytes, 0, &one);
    int pieces = read_chunks(bytes, bytes.len > 0 ? data[0] % bytes.len : 0, &two);
    assert(whole == pieces && one.size == two.size &&
           (one.size == 0 || memcmp(one.data, two.data, one.size) == 0));
    strbuf_release(&one);
    strbuf_release(&two);
    return 0;
}
