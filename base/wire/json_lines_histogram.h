/* Native histograms in lines of JSON. Private to json_lines.c; the form is told in wire/json_lines.h. */
#ifndef SONDE_WIRE_JSON_LINES_HISTOGRAM_H
#define SONDE_WIRE_JSON_LINES_HISTOGRAM_H

#include <jansson.h>
#include <stdbool.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/strbuf.h"
#include "model/histogram.h"

/* A valid histogram in `arena`. ERR_INVALID with what is wrong, ERR_NOMEM, ERR_LIMIT. */
int json_lines_read_histogram(
    const json_t *value, struct arena *arena, const struct histogram **out, struct err *e);
void json_lines_write_histogram(const struct histogram *h, struct strbuf *out);

/* Numbers as lines have them, with null and text for what JSON lacks; in json_lines.c. */
bool json_lines_read_number(const json_t *value, double *value_out);
void json_lines_write_number(double value, struct strbuf *out);

#endif
