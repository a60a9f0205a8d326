/* Snappy block format, as remote write uses it. The wrapper of snappy; the one file that includes it
 * is base/wire/snappy_codec.c. The size announced in the header is checked against the limit before
 * anything is allocated. */
#ifndef SONDE_WIRE_SNAPPY_CODEC_H
#define SONDE_WIRE_SNAPPY_CODEC_H

#include <stddef.h>

#include "base/str.h"
#include "base/strbuf.h"

/* Appends. 0, ERR_CORRUPT, ERR_LIMIT (announced size > limit), ERR_NOMEM. */
int snappy_decode(struct str compressed, size_t limit, struct strbuf *out);
int snappy_encode(struct str plain, struct strbuf *out);

#endif
