/* Queries of indicators -> expressions that count the events of one step. */
#ifndef SONDE_QUERY_SLO_EXPRESSION_H
#define SONDE_QUERY_SLO_EXPRESSION_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/str.h"

enum slo_expression {
    SLO_COUNTER, /* counts: rate and increase become exact increases, bare selectors too */
    SLO_GAUGE,   /* counts that are gauges: bare selectors are summed over the step */
    SLO_VALUE,   /* looked at as it is, at the end of the step */
};

/* `{{.window}}` in `query` stands for the step. The text is in `arena`. ERR_INVALID with a sentence. */
int slo_expression(struct arena *arena, struct str query, enum slo_expression kind, int64_t step_ms,
    struct str *text_out, struct err *e);

#endif
