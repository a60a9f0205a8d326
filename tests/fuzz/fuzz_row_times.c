/* Row times: whatever the bytes, decoding stays inside them, what it answers increases, and survives
 * being encoded again where it is in range. The first two bytes are the row count. */
#include <assert.h>

#include "base/bytes.h"
#include "base/err.h"
#include "row/row_times.h"

static int64_t times[ROW_TIMES_MAX];
static int64_t again[ROW_TIMES_MAX];

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2) {
        return 0;
    }
    uint32_t count = get_le16(data) % ROW_TIMES_MAX + 1;
    if (row_times_decode(data + 2, size - 2, count, times) != 0) {
        return 0;
    }
    for (uint32_t i = 1; i < count; i++) {
        assert(times[i] > times[i - 1]);
    }
    struct strbuf bytes = STRBUF_INIT;
    int status = row_times_encode(times, count, &bytes);
    assert(status == 0 || status == ERR_INVALID);
    if (status == 0) {
        status = row_times_decode(bytes.data, bytes.size, count, again);
        assert(status == 0 && memcmp(times, again, count * sizeof(times[0])) == 0);
    }
    strbuf_release(&bytes);
    return 0;
}
