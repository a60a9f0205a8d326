/* The C face of fpconv_shim.cc; private to base/base. */
#ifndef SONDE_BASE_FPCONV_SHIM_H
#define SONDE_BASE_FPCONV_SHIM_H

#ifdef __cplusplus
extern "C" {
#endif

/* Reads a decimal float, correctly rounded, infinity when it is too large; `*consumed` must equal `length` when the text is one. */
double fpconv_parse_decimal(const char *text, int length, int *consumed);

#ifdef __cplusplus
}
#endif

#endif
