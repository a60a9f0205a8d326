/* What a pattern gives away before it is run: the strings it matches, or what they all begin with.
 * Private to regex.c. */
#ifndef SONDE_BASE_REGEX_HINTS_H
#define SONDE_BASE_REGEX_HINTS_H

#include "base/arena.h"
#include "base/regex.h"

/* Fills literals and prefix of `hints_out` (nothing known: no literals, empty prefix) from a pattern
 * that RE2 accepts. `scratch` holds the result and everything on the way to it; its limit bounds the
 * work. 0 or ERR_NOMEM; a pattern too involved for the limits gives no hints, not an error. */
int regex_hints_parse(struct arena *scratch, struct str pattern, struct regex_hints *hints_out);

#endif
