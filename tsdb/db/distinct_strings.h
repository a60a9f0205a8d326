/* The smallest strings of a list in order, each once: what a lookup with a limit answers.
 *
 * Values come in the order of their making, ten thousand of them where a hundred are wanted, and most begin
 * alike ("host-00042"). So they are compared by eight bytes after what all have in common, and what lies behind
 * the last one wanted is never put in order.
 */
#ifndef SONDE_DB_DISTINCT_STRINGS_H
#define SONDE_DB_DISTINCT_STRINGS_H

#include <stddef.h>

#include "base/str.h"

/* Moves the `enough` smallest (bytewise) distinct strings of `items`, or all when they are fewer, to the
 * front, ascending; what is behind them is of no use any more. 0 and how many they are, or ERR_NOMEM with
 * nothing changed. */
int distinct_strings(struct str *items, size_t count, size_t enough, size_t *kept_out);

#endif
