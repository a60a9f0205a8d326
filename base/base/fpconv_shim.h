/* The C face of fpconv_shim.cc; private to base/base. */
#ifndef SONDE_BASE_FPCONV_SHIM_H
#define SONDE_BASE_FPCONV_SHIM_H

#ifdef __cplusplus
extern "C" {
#endif

/* 17 significant digits are the most a double needs; the library wants one byte more. */
#define FPCONV_DIGITS_MAX 18

/* The shortest decimal digits of a finite |value| that read back to it, without sign; the decimal
 * point stands after `*decimal_point` digits. Returns their number. */
int fpconv_shortest_digits(double value, char *digits, int *decimal_point);

/* Reads a decimal float, correctly rounded, infinity when it is too large; `*consumed` must equal `length` when the text is one. */
double fpconv_parse_decimal(const char *text, int length, int *consumed);

#ifdef __cplusplus
}
#endif

#endif
