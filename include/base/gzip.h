/* gzip and zlib bodies, both ways. The wrapper of libdeflate (whole buffers) with zlib behind it
 * where the size is not known ahead. Decompression stops at its limit: a bomb is ERR_LIMIT.
 */
#ifndef SONDE_BASE_GZIP_H
#define SONDE_BASE_GZIP_H

#include <stddef.h>

#include "base/str.h"
#include "base/strbuf.h"

/* Appends to `out`, whose limit bounds the result. 0, ERR_CORRUPT, ERR_LIMIT, ERR_NOMEM. */
int gzip_decode(struct str compressed, size_t limit, struct strbuf *out);
/* Level 1..9. */
int gzip_encode(struct str plain, int level, struct strbuf *out);

#endif
