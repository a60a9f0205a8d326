/* The Histogram message of remote write 1.0; private to base/wire. */
#ifndef SONDE_WIRE_REMOTE_WRITE_HISTOGRAM_H
#define SONDE_WIRE_REMOTE_WRITE_HISTOGRAM_H

#include "base/arena.h"
#include "base/str.h"
#include "wire/remote_write.h"

/* 0, ERR_CORRUPT, ERR_LIMIT, ERR_NOMEM. The histogram lives in `arena`. */
int remote_write_decode_histogram(
    struct str bytes, struct arena *arena, struct remote_write_histogram *histogram_out);

#endif
