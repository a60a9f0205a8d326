/* Native histograms with custom buckets from series of classic ones, for load_with_nhcb. */
#ifndef SONDE_TESTS_PROMQL_CLASSIC_H
#define SONDE_TESTS_PROMQL_CLASSIC_H

#include "promql/series_notation.h"

/* The series made of those that end in _bucket, _sum and _count. Returns how many. */
size_t script_from_classic(const struct notation_series *series, size_t count, struct arena *arena,
    struct notation_series **made_out);

#endif
