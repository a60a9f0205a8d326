/* MD5 from nettle; the one file that includes it. */
#include <nettle/md5.h>

#include "base/hash.h"

void hash_md5(const void *bytes, size_t size, uint8_t sum_out[HASH_MD5_SIZE])
{
    struct md5_ctx context;
    md5_init(&context);
    md5_update(&context, size, bytes);
    md5_digest(&context, HASH_MD5_SIZE, sum_out);
}
