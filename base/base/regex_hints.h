/* What a pattern gives away before it is run: the strings it matches, or what they all begin with.
 * Private to regex.c. */
#ifndef SONDE_BASE_REGEX_HINTS_H
#define SONDE_BASE_REGEX_HINTS_H

#include "base/arena.h"
#include "base/str.h"

struct regex_literals {
    struct str *items; /* sorted, unique; NULL when not exactly these strings match */
    size_t count;
    struct str prefix; /* of every match */
};

/* Fills `literals_out` (nothing known: no items, empty prefix) from a pattern that RE2 accepts; at
 * most `count_max` items. `scratch` holds the result and everything on the way to it; its limit
 * bounds the work. 0 or ERR_NOMEM; a pattern too involved for the limits gives nothing, not an
 * error. */
int regex_hints_parse(struct arena *scratch, struct str pattern, size_t count_max,
    struct regex_literals *literals_out);

#endif
