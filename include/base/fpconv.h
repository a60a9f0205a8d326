/* Doubles to text without the locale: the shortest digits that read back to the same bits, laid out
 * in one of the three ways of Go's strconv that the field's formats show. NaN, +Inf and -Inf are
 * written so. Each function returns the length; the text is zero-terminated.
 */
#ifndef SONDE_BASE_FPCONV_H
#define SONDE_BASE_FPCONV_H

#include <stddef.h>

#include "base/strbuf.h"

/* Longest output, terminating zero included. */
#define FP_TEXT_MAX 40
/* The same for fp_format_plain: a sign, "0.", 323 zeros and 17 digits. */
#define FP_PLAIN_TEXT_MAX 352

/* As Prometheus prints sample values in JSON: decimals, and an exponent below 1e-6 and from 1e21 up
 * ("1000000", "0.000001", "1e-07", "1e+21"). */
size_t fp_format(double value, char *text);
/* 'g': an exponent below 1e-4 and from 1e6 on, as expositions, le="…" and PromQL have it when they
 * are printed ("999999", "1e+06", "0.0001", "1e-05"). */
size_t fp_format_short(double value, char *text);
/* 'f': never an exponent, as the labels that count_values makes. `text` has FP_PLAIN_TEXT_MAX. */
size_t fp_format_plain(double value, char *text);
/* fp_format. */
void strbuf_add_double(struct strbuf *b, double value);

#endif
