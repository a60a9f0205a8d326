/* Moments as RFC 3339 has them: "2026-11-22T08:30:00.5+01:00". What JSON, logs and parameters are written and read
 * with, in Go's dialect, since what talks to us is mostly written in it. Pure functions.
 */
#ifndef SONDE_BASE_RFC3339_H
#define SONDE_BASE_RFC3339_H

#include <stddef.h>
#include <stdint.h>

#include "base/json.h"
#include "base/str.h"

/* Room for any moment, with the zero. */
#define RFC3339_TEXT_MAX 40
/* Go's zero time, "0001-01-01T00:00:00Z": what its programs write where there never was a moment. */
#define RFC3339_GO_ZERO_MS INT64_C(-62135596800000)

/* Milliseconds since 1970; what is finer is cut. A capital T, 'Z' or an offset of at most 23:59, a fraction after
 * '.' or ',', no leap seconds. ERR_INVALID for everything else. */
int rfc3339_parse(struct str text, int64_t *time_ms_out);
/* In UTC, with as many decimals as there are, down to milliseconds; what is beyond CIVIL_SECONDS_MAX is written as
 * that. Returns the length. */
size_t rfc3339_format(int64_t time_ms, char text_out[RFC3339_TEXT_MAX]);
/* The same as a JSON string. */
void rfc3339_json(struct json_writer *w, int64_t time_ms);

#endif
