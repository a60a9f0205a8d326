/* Cutting kernel text into lines, fields and numbers: what every parser of this room stands on.
 *
 * The kernel ends every line of its tables with a newline. A last line without one is therefore a
 * read that was cut short, and a number at its end may have lost digits: that is ERR_CORRUPT, not a
 * value. All functions are pure; slices borrow from the text they were cut from.
 */
#ifndef SONDE_PROCFS_FIELD_H
#define SONDE_PROCFS_FIELD_H

#include <stdbool.h>
#include <stdint.h>

#include "base/str.h"

/* The next line without its newline. 1, 0 at the end of the text, ERR_CORRUPT for a line that has no
 * newline. */
int field_next_line(struct str *rest, struct str *line_out);

/* The next run of bytes that are neither space nor tab; false when none is left. */
bool field_next(struct str *line, struct str *field_out);

/* The next field as a decimal number. ERR_CORRUPT when it is missing, no number or too large. */
int field_next_u64(struct str *line, uint64_t *value_out);

/* The next field as a hexadecimal number, with or without 0x. Same errors. */
int field_next_hex(struct str *line, uint64_t *value_out);

/* Up to `cap` decimal fields; ends at the end of the line. Number of fields, or ERR_CORRUPT when one
 * is no number. Fields beyond `cap` are left unread. */
int field_next_u64s(struct str *line, uint64_t *values, int cap);

/* Whole-slice forms: ERR_CORRUPT instead of the codes of base/str.h, because here a number that does
 * not parse is always a broken file. */
int field_u64(struct str field, uint64_t *value_out);
int field_hex(struct str field, uint64_t *value_out);
/* A decimal with sign, as a double: counters and the few values that may be negative. */
int field_number(struct str field, double *value_out);

/* Removes `prefix` from the front of `*s`; false (and nothing removed) when it is not there. */
bool field_take_prefix(struct str *s, struct str prefix);

#endif
