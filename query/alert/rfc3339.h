/* Times as JSON has them: "2026-11-22T08:30:00.5+01:00". */
#ifndef SONDE_QUERY_RFC3339_H
#define SONDE_QUERY_RFC3339_H

#include <stdint.h>

#include "base/err.h"
#include "base/str.h"
#include "base/strbuf.h"

/* Milliseconds since 1970, what is finer is cut; Go's zero time, year 1, is 0. ERR_INVALID. */
int rfc3339_parse(struct str text, int64_t *time_ms_out);
/* In UTC, with milliseconds where there are any; 0 is Go's zero time. */
void rfc3339_write(struct strbuf *out, int64_t time_ms);

#endif
