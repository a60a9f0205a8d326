/* Sizes, durations and limits as text, for config.c and flags.c. */
#ifndef SONDE_BASE_UNITS_H
#define SONDE_BASE_UNITS_H

#include <stdint.h>

#include "base/str.h"
#include "base/strbuf.h"

enum units_kind { UNITS_NUMBER, UNITS_DURATION, UNITS_BYTES };

/* 0, ERR_INVALID, or ERR_RANGE for what int64_t cannot hold. */
int units_parse(enum units_kind kind, struct str text, int64_t *value_out);
/* "17", "1h30m", "64MiB": the form that reads back. */
void units_write(enum units_kind kind, int64_t value, struct strbuf *out);
/* "1s to 1h". */
void units_write_limits(enum units_kind kind, int64_t min, int64_t max, struct strbuf *out);
/* What a sentence calls it: "a duration such as 15s or 1h30m". */
const char *units_wanted(enum units_kind kind);

#endif
