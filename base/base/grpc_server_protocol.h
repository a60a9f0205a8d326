/* The texts of gRPC over HTTP/2: what stands in its headers, read and written. Private to the gRPC server. */
#ifndef SONDE_BASE_GRPC_SERVER_PROTOCOL_H
#define SONDE_BASE_GRPC_SERVER_PROTOCOL_H

#include <stdbool.h>
#include <stdint.h>

#include "base/grpc_server.h"
#include "base/str.h"
#include "base/strbuf.h"

/* A message on the wire: a flag (1: compressed), its length in 4 bytes, big endian, and its bytes. */
#define GRPC_PREFIX_BYTES 5
/* Of a sentence in grpc-message, before it is encoded; longer ones are cut. */
#define GRPC_SENTENCE_MAX 1024

/* "application/grpc", with or without "+proto" and parameters. */
bool grpc_is_content_type(struct str value);
/* grpc-timeout: 1 to 8 digits and one of H M S m u n. In milliseconds, rounded up; ERR_INVALID. */
int grpc_timeout_parse(struct str value, int64_t *ms_out);
/* Appends grpc-message: what is not printable ASCII, and the percent sign, as %XX. */
void grpc_sentence_encode(struct str sentence, struct strbuf *out);
/* Appends grpc-status-details-bin: google.rpc.Status with a RetryInfo, in base64 without padding. */
void grpc_retry_encode(
    enum grpc_status status, struct str sentence, int64_t retry_after_ms, struct strbuf *out);
void grpc_prefix_encode(size_t message_size, uint8_t prefix[GRPC_PREFIX_BYTES]);
/* False when the flag is neither 0 nor 1. */
bool grpc_prefix_decode(
    const uint8_t prefix[GRPC_PREFIX_BYTES], bool *compressed_out, size_t *size_out);

#endif
