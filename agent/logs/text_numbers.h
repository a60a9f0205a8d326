/* A bounded set of texts, each with a number from 0: what series are keyed by instead of texts. */
#ifndef SONDE_LOGS_TEXT_NUMBERS_H
#define SONDE_LOGS_TEXT_NUMBERS_H

#include <stdint.h>

#include "base/str.h"

struct text_numbers;

int text_numbers_new(uint32_t texts_max, struct text_numbers **numbers_out);
void text_numbers_free(struct text_numbers *n);
/* The number of `text`, which is copied when it is new. ERR_LIMIT when there is no room for another,
 * ERR_NOMEM. */
int text_numbers_of(struct text_numbers *n, struct str text, uint32_t *number_out);
struct str text_numbers_text(const struct text_numbers *n, uint32_t number);

#endif
