/* Functions of MetricsQL over ranges that compare samples with a number, a number a step: how many fit, and
 * which share of them; and how many different values there are. NaN fits nothing and is not counted. */
#include <math.h>
#include <stdlib.h>

#include "range.h"

enum comparison { COMPARE_EQ, COMPARE_NE, COMPARE_GT, COMPARE_LE };

static bool fits(enum comparison comparison, double value, double limit)
{
    switch (comparison) {
    case COMPARE_EQ:
        return value == limit;
    case COMPARE_NE:
        return value != limit;
    case COMPARE_GT:
        return value > limit;
    default:
        return value <= limit;
    }
}

static int compare_window(struct range_operator *op, const struct window *w,
    enum comparison comparison, bool share, struct range_value *out)
{
    size_t fitting = 0, all = 0;
    double limit = op->scalars[0][w->step];
    for (size_t i = 0; i < w->float_count; i++) {
        bool number = !isnan(w->floats[i]);
        all += number;
        fitting += number && fits(comparison, w->floats[i], limit);
    }
    if (all > 0) {
        range_set_float(out, share ? (double)fitting / (double)all : (double)fitting);
    }
    return 0;
}

int range_count_eq(struct range_operator *op, const struct window *w, struct range_value *out)
{
    return compare_window(op, w, COMPARE_EQ, false, out);
}

int range_count_gt(struct range_operator *op, const struct window *w, struct range_value *out)
{
    return compare_window(op, w, COMPARE_GT, false, out);
}

int range_count_le(struct range_operator *op, const struct window *w, struct range_value *out)
{
    return compare_window(op, w, COMPARE_LE, false, out);
}

int range_count_ne(struct range_operator *op, const struct window *w, struct range_value *out)
{
    return compare_window(op, w, COMPARE_NE, false, out);
}

int range_share_eq(struct range_operator *op, const struct window *w, struct range_value *out)
{
    return compare_window(op, w, COMPARE_EQ, true, out);
}

int range_share_gt(struct range_operator *op, const struct window *w, struct range_value *out)
{
    return compare_window(op, w, COMPARE_GT, true, out);
}

int range_share_le(struct range_operator *op, const struct window *w, struct range_value *out)
{
    return compare_window(op, w, COMPARE_LE, true, out);
}

static int compare_values(const void *left, const void *right)
{
    double a = *(const double *)left, b = *(const double *)right;
    return (a > b) - (a < b);
}

int range_distinct(struct range_operator *op, const struct window *w, struct range_value *out)
{
    int status = range_reserve_values(op, w->float_count);
    size_t count = 0, different = 0;
    for (size_t i = 0; status == 0 && i < w->float_count; i++) {
        if (!isnan(w->floats[i])) {
            op->values[count++] = w->floats[i];
        }
    }
    if (status != 0 || count == 0) {
        return status;
    }
    qsort(op->values, count, sizeof(*op->values), compare_values);
    for (size_t i = 0; i < count; i++) {
        different += i == 0 || op->values[i] != op->values[i - 1];
    }
    range_set_float(out, (double)different);
    return 0;
}
