/* Series as tests of rules and scripts of queries write them: labels, and values such as
 * `1+2x3 _ stale {{count:1 sum:2}}x4`, one for each interval. Prometheus' notation. */
#ifndef SONDE_PROMQL_SERIES_NOTATION_H
#define SONDE_PROMQL_SERIES_NOTATION_H

#include "base/arena.h"
#include "base/err.h"
#include "model/histogram.h"
#include "model/labels.h"

enum notation_value_kind { NOTATION_OMITTED, NOTATION_FLOAT, NOTATION_HISTOGRAM };

struct notation_value {
    enum notation_value_kind kind;
    double number; /* a stale marker is one */
    const struct histogram *histogram;
};

struct notation_series {
    const struct labels *labels; /* released with the arena */
    const struct notation_value *values;
    size_t count;
};

/* One line: `name{label="value"} values…`. All of it goes to `arena`. */
int notation_series_parse(
    struct str line, struct arena *arena, struct notation_series *series_out, struct err *e);
/* "1h30m", "5", "0". */
int notation_duration_parse(struct str text, int64_t *ms_out);
/* A string literal with its quotes. False when it is none. */
bool notation_string_parse(struct str text, struct arena *arena, struct str *string_out);

#endif
