/* Sizes and durations back to text, for the sentences of config.c and flags.c. */
#ifndef SONDE_BASE_CONFIG_UNITS_H
#define SONDE_BASE_CONFIG_UNITS_H

#include <stdint.h>

#include "base/config.h"
#include "base/strbuf.h"

/* "1h30m"; "0s" for 0. */
void config_write_duration(int64_t milliseconds, struct strbuf *out);
/* The largest unit of 1024 that divides it: "64MiB", "1000". */
void config_write_bytes(int64_t bytes, struct strbuf *out);
/* "1s to 1h": min and max of a row that has them. */
void config_write_limits(const struct config_field *field, struct strbuf *out);

#endif
