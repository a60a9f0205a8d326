/* Functions that are a mistake in this house. Forced into every C file by the build, so that a use
 * is a compile error that names its replacement instead of a remark in a review.
 *
 * Unbounded copies and formats, hidden global state, the locale, temporary names that race. The
 * allocator itself is watched by tests/structure: only base/base/mem.c may call malloc and friends.
 */
#ifndef SONDE_BASE_BANNED_H
#define SONDE_BASE_BANNED_H

/* The headers that declare them come first, or poisoning would break the declarations. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#if defined(__GNUC__) && !defined(SONDE_ALLOW_BANNED)
#pragma GCC poison strcpy strcat strncpy strncat sprintf vsprintf gets strtok
#pragma GCC poison localtime gmtime ctime asctime strerror
#pragma GCC poison atoi atol atof system tmpnam mktemp
#endif

#endif
