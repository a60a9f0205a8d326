/* Keys and signatures. Secrets are wiped where they were. */
#include "alert/webhook_signature.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/hash.h"
#include "base/http_profile.h"

int webhook_key_parse(struct str secret, struct webhook_key *key_out, struct err *e)
{
    struct strbuf bytes;
    struct str text = str_trim(secret);
    if (str_starts_with(text, STR("whsec_"))) {
        text = str_skip(text, 6);
    }
    strbuf_init(&bytes, HTTP_SECRET_BYTES_MAX);
    int status = strbuf_add_unbase64(&bytes, text);
    if (status != 0 || bytes.size < WEBHOOK_SECRET_BYTES_MIN ||
        bytes.size > WEBHOOK_SECRET_BYTES_MAX) {
        status = err_set(e, ERR_INVALID, -1,
            "a signing secret is whsec_ and %d to %d bytes in base64; make one with: echo "
            "whsec_$(head -c 32 /dev/urandom | base64)",
            WEBHOOK_SECRET_BYTES_MIN, WEBHOOK_SECRET_BYTES_MAX);
    } else {
        memcpy(key_out->bytes, bytes.data, bytes.size);
        key_out->size = bytes.size;
    }
    http_secret_release(&bytes);
    return status;
}

void webhook_sign(const struct webhook_key *keys, size_t count, const char *id,
    int64_t timestamp_seconds, struct str body, struct strbuf *out)
{
    char timestamp[32];
    (void)snprintf(timestamp, sizeof(timestamp), ".%" PRId64 ".", timestamp_seconds);
    const struct str parts[] = {str_of(id), str_of(timestamp), body};
    for (size_t i = 0; i < count; i++) {
        uint8_t sum[HASH_SHA256_SIZE];
        struct str key = str_make((const char *)keys[i].bytes, keys[i].size);
        hash_hmac_sha256(key, parts, sizeof(parts) / sizeof(parts[0]), sum);
        strbuf_add_c(out, i > 0 ? " v1," : "v1,");
        strbuf_add_base64(out, str_make((const char *)sum, sizeof(sum)));
    }
}
