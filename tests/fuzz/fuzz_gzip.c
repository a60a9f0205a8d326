/* Any bytes as a gzip or zlib body: within the limit, or an error and nothing appended. */
#include <assert.h>

#include "base/err.h"
#include "base/gzip.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct strbuf out = STRBUF_INIT;
    int status = gzip_decode(str_make((const char *)data, size), 1 << 20, &out);
    assert(out.size <= 1 << 20);
    assert(status == 0 || out.size == 0);
    assert(status == 0 || status == ERR_CORRUPT || status == ERR_LIMIT);
    strbuf_release(&out);
    return 0;
}
