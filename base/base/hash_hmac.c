/* HMAC-SHA256 from nettle; the one file that includes it. */
#include <nettle/hmac.h>

#include "base/hash.h"

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
