/* Zstandard frames. The wrapper of libzstd; the one file that includes it is
 * base/wire/zstd_codec.c. A context may be kept by its owner, one thread at a time. */
#ifndef SONDE_WIRE_ZSTD_CODEC_H
#define SONDE_WIRE_ZSTD_CODEC_H

#include <stddef.h>

#include "base/str.h"
#include "base/strbuf.h"

struct zstd_codec;

int zstd_codec_new(struct zstd_codec **codec_out);
void zstd_codec_free(struct zstd_codec *codec);
/* Appends one frame that states its content size. 0, ERR_NOMEM, ERR_LIMIT. */
int zstd_encode(struct zstd_codec *codec, struct str plain, int level, struct strbuf *out);
/* Appends the content of one frame; its announced size must be there and within `limit`.
 * 0, ERR_CORRUPT, ERR_LIMIT, ERR_NOMEM. */
int zstd_decode(struct zstd_codec *codec, struct str frame, size_t limit, struct strbuf *out);

#endif
