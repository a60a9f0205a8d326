/* MD5 and HMAC-SHA256 from nettle; the one file that includes it. */
#include <nettle/hmac.h>
#include <nettle/md5.h>
#include <string.h>

#include "base/hash.h"

void hash_md5(const void *bytes, size_t size, uint8_t sum_out[HASH_MD5_SIZE])
{
    struct md5_ctx context;
    md5_init(&context);
    md5_update(&context, size, bytes);
    md5_digest(&context, HASH_MD5_SIZE, sum_out);
}

void hash_hmac_sha256(
    struct str key, const struct str *parts, size_t count, uint8_t sum_out[HASH_SHA256_SIZE])
{
    struct hmac_sha256_ctx context;
    hmac_sha256_set_key(&context, key.len, (const uint8_t *)key.ptr);
    for (size_t i = 0; i < count; i++) {
        hmac_sha256_update(&context, parts[i].len, (const uint8_t *)parts[i].ptr);
    }
    hmac_sha256_digest(&context, HASH_SHA256_SIZE, sum_out);
    explicit_bzero(&context, sizeof(context)); /* it holds the key */
}
