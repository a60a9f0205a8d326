/* The tree of an expression as the JSON that Prometheus 3's /api/v1/parse_query gives its page. */
#ifndef SONDE_QUERY_EXPR_JSON_H
#define SONDE_QUERY_EXPR_JSON_H

#include <stdbool.h>

#include "base/json.h"
#include "query/promql.h"

/* Whether the tree is shallow enough for a writer that stands `above` levels deep. */
bool expr_json_fits(const struct expr *expr, unsigned above);
/* Writes the tree; it must fit. */
void expr_json_write(struct json_writer *json, const struct expr *expr);

#endif
