/* The word somebody probably meant. Private to base/base. */
#ifndef SONDE_BASE_NEAREST_H
#define SONDE_BASE_NEAREST_H

#include <stddef.h>

#include "base/str.h"

/* Edits that turn `a` into `b`: insert, drop, change, or swap two neighbours. SIZE_MAX when one is
 * longer than NEAREST_WORD_MAX. */
#define NEAREST_WORD_MAX 63
size_t nearest_distance(struct str a, struct str b);
/* True when `distance` is small enough for "did you mean". */
bool nearest_is_close(struct str word, size_t distance);

#endif
