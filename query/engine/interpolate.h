/* Values between two samples, and the sentences of histogram arithmetic that several functions share. */
#ifndef SONDE_QUERY_ENGINE_INTERPOLATE_H
#define SONDE_QUERY_ENGINE_INTERPOLATE_H

#include "histogram_math.h"
#include "query.h"

/* On the straight line between two samples. A counter that fell began again at 0. */
static inline double interpolate_float(
    int64_t t1, double v1, int64_t t2, double v2, int64_t t, bool counter)
{
    if (counter && v2 < v1) {
        v1 = 0;
    }
    return v1 + (v2 - v1) * (double)(t - t1) / (double)(t2 - t1);
}

/* What histogram arithmetic is done for: where results go, and what annotations speak of. */
struct histogram_line {
    struct query *query;
    struct arena *arena;     /* of results */
    const struct expr *expr; /* that annotations point at */
    struct str metric;
    bool counter;
};

/* As above; *result_out is NULL, with a warning, when the histograms do not mix. */
int interpolate_histogram(const struct histogram_line *line, int64_t t1, const struct histogram *h1,
    int64_t t2, const struct histogram *h2, int64_t t, const struct histogram **result_out);

/* sum += sign * h, with an info when bounds were reconciled and a warning when the kinds do not mix,
 * which makes *ok_out false. */
int line_add(const struct histogram_line *line, struct histogram_sum *sum,
    const struct histogram *h, double sign, bool *ok_out);

/* The sentences. */
int annotate_mixed_types(const struct histogram_line *line);
int annotate_mixed_buckets(const struct histogram_line *line);
int annotate_not_counter(const struct histogram_line *line);
int annotate_not_gauge(const struct histogram_line *line);
int annotate_ignored_in_range(const struct histogram_line *line);
/* `operation`: addition, subtraction, aggregation. */
int annotate_notes(struct query *q, const struct expr *expr, unsigned notes, const char *operation);

#endif
