/* Standard Webhooks' signatures: a receiver that knows the secret can tell that a message is ours, when it
 * was sent, and that nobody changed it.
 *
 *   webhook-id         the delivery's id, the same over all attempts
 *   webhook-timestamp  seconds since 1970, of the attempt
 *   webhook-signature  "v1," and base64 of HMAC-SHA256 over "id.timestamp.body"; one for each secret in
 *                      use, with a space between, so that secrets can be changed without a gap
 */
#ifndef SONDE_QUERY_WEBHOOK_SIGNATURE_H
#define SONDE_QUERY_WEBHOOK_SIGNATURE_H

#include <stdint.h>

#include "base/err.h"
#include "base/strbuf.h"

#define WEBHOOK_SECRET_BYTES_MIN 24
#define WEBHOOK_SECRET_BYTES_MAX 64

struct webhook_key {
    uint8_t bytes[WEBHOOK_SECRET_BYTES_MAX];
    size_t size;
};

/* "whsec_" and base64 of 24 to 64 bytes; the prefix may be missing. ERR_INVALID with a sentence that does not
 * show the secret. */
int webhook_key_parse(struct str secret, struct webhook_key *key_out, struct err *e);
/* Appends the value of webhook-signature. */
void webhook_sign(const struct webhook_key *keys, size_t count, const char *id,
    int64_t timestamp_seconds, struct str body, struct strbuf *out);

#endif
