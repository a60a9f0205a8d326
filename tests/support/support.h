/* What every test includes first: cmocka with its required headers, and a seed that is printed. */
#ifndef SONDE_TESTS_SUPPORT_H
#define SONDE_TESTS_SUPPORT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

/* The seed of this run: SONDE_SEED from the environment, else 1. Printed on first use, so that a
 * failure names what repeats it. */
uint64_t test_seed(void);

/* splitmix64: a random stream from a seed. */
uint64_t test_random(uint64_t *state);

#endif
