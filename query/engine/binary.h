/* Binary operators on values. */
#ifndef SONDE_QUERY_ENGINE_BINARY_H
#define SONDE_QUERY_ENGINE_BINARY_H

#include "operator.h"

/* Between scalars; comparisons give 1 or 0. */
double binary_scalar(enum binary_op op, double left, double right);
/* Does a comparison hold? */
bool binary_compare(enum binary_op op, double left, double right);
/* + - * / % ^ atan2: they change what is measured, and the name goes. */
bool binary_changes_metric(enum binary_op op);

struct binary_value {
    enum sample_kind kind;
    double value;
    const struct histogram *histogram;
};

/* Between samples, not both floats. The result goes to `arena`. `keep_out` false: no result (a
 * comparison that does not hold, or operands that do not fit, which is annotated at `expr`, with
 * `fits_out` false). 0 or an error. */
int binary_histograms(struct query *q, const struct expr *expr, const struct binary_value *left,
    const struct binary_value *right, struct arena *arena, struct binary_value *result_out,
    bool *keep_out, bool *fits_out);

#endif
