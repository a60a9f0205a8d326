/* Functions of MetricsQL over ranges that compare samples with a number, a number a step: how many fit, and
 * which share of them, what they sum up to; and how many different values there are. NaN fits nothing and is not counted. */
#include <math.h>
#include <stdlib.h>

#include "kahan.h"
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

enum fitting { FITTING_COUNT, FITTING_SHARE, FITTING_SUM };

static int compare_window(struct range_operator *op, const struct window *w,
    enum comparison comparison, enum fitting wanted, struct range_value *out)
{
    size_t fitting = 0, all = 0;
    double sum = 0, lost = 0;
    double limit = op->scalars[0][w->step];
    for (size_t i = 0; i < w->float_count; i++) {
        bool number = !isnan(w->floats[i]);
        all += number;
        if (number && fits(comparison, w->floats[i], limit)) {
            fitting++;
            kahan_add(w->floats[i], &sum, &lost);
        }
    }
    if (all > 0) {
        range_set_float(out, wanted == FITTING_SUM     ? sum + lost
                             : wanted == FITTING_SHARE ? (double)fitting / (double)all
                                                       : (double)fitting);
    }
    return 0;
}

int range_count_eq(struct range_operator *op, const struct window *w, struct range_value *out)
{
    return compare_window(op, w, COMPARE_EQ, FITTING_COUNT, out);
}

int range_count_gt(struct range_operator *op, const struct window *w, struct range_value *out)
{
    return compare_window(op, w, COMPARE_GT, FITTING_COUNT, out);
}

int range_count_le(struct range_operator *op, const struct window *w, struct range_value *out)
{
    return compare_window(op, w, COMPARE_LE, FITTING_COUNT, out);
}

int range_count_ne(struct range_operator *op, const struct window *w, struct range_value *out)
{
    return compare_window(op, w, COMPARE_NE, FITTING_COUNT, out);
}

int range_sum_eq(struct range_operator *op, const struct window *w, struct range_value *out)
{
    return compare_window(op, w, COMPARE_EQ, FITTING_SUM, out);
}

int range_sum_gt(struct range_operator *op, const struct window *w, struct range_value *out)
{
    return compare_window(op, w, COMPARE_GT, FITTING_SUM, out);
}

int range_sum_le(struct range_operator *op, const struct window *w, struct range_value *out)
{
    return compare_window(op, w, COMPARE_LE, FITTING_SUM, out);
}

int range_share_eq(struct range_operator *op, const struct window *w, struct range_value *out)
{
    return compare_window(op, w, COMPARE_EQ, FITTING_SHARE, out);
}

int range_share_gt(struct range_operator *op, const struct window *w, struct range_value *out)
{
    return compare_window(op, w, COMPARE_GT, FITTING_SHARE, out);
}

int range_share_le(struct range_operator *op, const struct window *w, struct range_value *out)
{
    return compare_window(op, w, COMPARE_LE, FITTING_SHARE, out);
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
