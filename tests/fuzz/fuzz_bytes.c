/* The bounded cursor: whatever the bytes and the order of reads, it never leaves its input, and a
 * cursor that failed stays failed. The first bytes of the input choose the reads. */
#include <assert.h>

#include "base/bytes.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    size_t choices = size < 16 ? size : 16;
    struct decbuf d = decbuf_of(data + choices, size - choices);
    for (size_t i = 0; i < choices; i++) {
        bool failed = d.failed;
        switch (data[i] % 7) {
        case 0:
            (void)decbuf_u8(&d);
            break;
        case 1:
            (void)decbuf_le16(&d);
            break;
        case 2:
            (void)decbuf_le32(&d);
            break;
        case 3:
            (void)decbuf_le64(&d);
            break;
        case 4:
            (void)decbuf_uvarint(&d);
            break;
        case 5:
            (void)decbuf_svarint(&d);
            break;
        default: {
            struct str s = decbuf_sized(&d);
            assert(s.len == 0 ||
                   (s.ptr >= (const char *)data && s.ptr + s.len <= (const char *)d.end));
            break;
        }
        }
        assert(!failed || d.failed);
        assert(decbuf_left(&d) <= size);
    }
    return 0;
}
