/* Series of the script language: labels, and values such as `1+2x3 _ stale {{count:1 sum:2}}x4`. */
#ifndef SONDE_TESTS_PROMQL_VALUES_H
#define SONDE_TESTS_PROMQL_VALUES_H

#include "base/arena.h"
#include "base/err.h"
#include "model/histogram.h"
#include "model/labels.h"

enum script_value_kind { SCRIPT_OMITTED, SCRIPT_FLOAT, SCRIPT_HISTOGRAM };

struct script_value {
    enum script_value_kind kind;
    double number; /* a stale marker is one */
    const struct histogram *histogram;
};

struct script_series {
    const struct labels *labels; /* released with the arena */
    const struct script_value *values;
    size_t count;
};

/* One line: `name{label="value"} values…`. All of it goes to `arena`. */
int script_series_parse(
    struct str line, struct arena *arena, struct script_series *series_out, struct err *e);
/* "1h30m", "5", "0". */
int script_duration_parse(struct str text, int64_t *ms_out);
/* A string literal with its quotes. False when it is none. */
bool script_string_parse(struct str text, struct arena *arena, struct str *string_out);

#endif
