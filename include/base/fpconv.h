/* Doubles to text without the locale: shortest form that reads back to the same bits. */
#ifndef SONDE_BASE_FPCONV_H
#define SONDE_BASE_FPCONV_H

#include <stddef.h>

#include "base/strbuf.h"

/* Longest output, terminating zero included. */
#define FP_TEXT_MAX 40

/* As Prometheus prints sample values in JSON and expositions (Go's strconv 'f', shortest; NaN,
 * +Inf, -Inf; never an exponent in JSON results below 1e21, see fpconv.c). Returns the length. */
size_t fp_format(double value, char *text);
/* Go's 'g' shortest with exponent from 1e21 up and below 1e-6: label values such as le="0.005",
 * `count_values`, and PromQL printing. Returns the length. */
size_t fp_format_short(double value, char *text);
void strbuf_add_double(struct strbuf *b, double value);

#endif
