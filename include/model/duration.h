/* Durations as the field writes them: 1h30m, 5m, 250ms, 1y2w3d. */
#ifndef SONDE_MODEL_DURATION_H
#define SONDE_MODEL_DURATION_H

#include <stdint.h>

#include "base/err.h"
#include "base/str.h"
#include "base/strbuf.h"

/* Prometheus' grammar: units y w d h m s ms, each at most once, in that order (y = 365 d), "0" alone
 * allowed. 0; ERR_INVALID with a sentence; ERR_RANGE when it does not fit int64 nanoseconds, the
 * limit Prometheus has. `e` may be NULL. */
int duration_parse(struct str text, int64_t *milliseconds_out, struct err *e);
/* The shortest form that reads back: 90 min -> "1h30m", 0 -> "0s". Negative gets a '-'. */
void duration_write(int64_t milliseconds, struct strbuf *out);

#endif
