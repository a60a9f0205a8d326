/* Functions of MetricsQL over ranges that tell how the samples of a window lie: how much they climb and fall, how
 * old and how far apart they are, their most frequent value, the area below them. Only samples of the window
 * count, where VictoriaMetrics takes the one before it, too. Histograms and NaN are left out.
 */
#include <math.h>
#include <stdlib.h>

#include "kahan.h"
#include "range.h"

/* The window without NaN; enough for what is below. */
struct shape {
    size_t count;
    int64_t first_t, last_t;
    double first, last, least, greatest;
    double sum, sum_lost, squares, squares_lost, logarithms;
    double climbed, fallen;
    size_t climbs, falls;
    double area; /* each sample holds until the next, the last one until the window's end */
};

static void shape_add(struct shape *s, int64_t t, double v)
{
    if (s->count == 0) {
        s->first_t = t;
        s->first = s->least = s->greatest = v;
    } else {
        s->climbed += v > s->last ? v - s->last : 0;
        s->climbs += v > s->last;
        s->fallen += v < s->last ? s->last - v : 0;
        s->falls += v < s->last;
        s->area += s->last * ((double)(t - s->last_t) / 1000);
    }
    s->least = v < s->least ? v : s->least;
    s->greatest = v > s->greatest ? v : s->greatest;
    kahan_add(v, &s->sum, &s->sum_lost);
    kahan_add(v * v, &s->squares, &s->squares_lost);
    s->logarithms += log(v);
    s->last_t = t;
    s->last = v;
    s->count++;
}

static int compare_doubles(const void *left, const void *right)
{
    double a = *(const double *)left, b = *(const double *)right;
    return (a > b) - (a < b);
}

/* The most frequent value, the least of several. */
static double mode_of(double *values, size_t count)
{
    qsort(values, count, sizeof(*values), compare_doubles);
    double mode = values[0];
    for (size_t begin = 0, most = 0; begin < count;) {
        size_t end = begin + 1;
        while (end < count && values[end] == values[begin]) {
            end++;
        }
        if (end - begin > most) {
            most = end - begin;
            mode = values[begin];
        }
        begin = end;
    }
    return mode;
}

/* How far the last value is from the mean, in standard deviations. */
static double score_of(const double *values, const struct shape *s)
{
    double mean = (s->sum + s->sum_lost) / (double)s->count, sum = 0, lost = 0;
    for (size_t i = 0; i < s->count; i++) {
        kahan_add((values[i] - mean) * (values[i] - mean), &sum, &lost);
    }
    double distance = s->last - mean;
    return distance == 0 ? 0 : distance / sqrt((sum + lost) / (double)s->count);
}

/* False when so few samples have no such number. */
static bool shape_value(const struct range_operator *op, const struct window *w,
    const struct shape *s, double *value_out)
{
    double seconds = (double)(s->last_t - s->first_t) / 1000;
    switch (op->row->id) {
    case FUNCTION_ASCENT_OVER_TIME:
        *value_out = s->climbed;
        return true;
    case FUNCTION_DESCENT_OVER_TIME:
        *value_out = s->fallen;
        return true;
    case FUNCTION_INCREASES_OVER_TIME:
        *value_out = (double)s->climbs;
        return true;
    case FUNCTION_DECREASES_OVER_TIME:
        *value_out = (double)s->falls;
        return true;
    case FUNCTION_GEOMEAN_OVER_TIME:
        *value_out = exp(s->logarithms / (double)s->count);
        return true;
    case FUNCTION_INTEGRATE:
        *value_out = s->area + s->last * ((double)(w->end - s->last_t) / 1000);
        return true;
    case FUNCTION_LAG:
        *value_out = (double)(w->end - s->last_t) / 1000;
        return true;
    case FUNCTION_LIFETIME:
        *value_out = seconds;
        return s->count > 1;
    case FUNCTION_MODE_OVER_TIME:
        *value_out = mode_of(op->values, s->count);
        return true;
    case FUNCTION_RANGE_OVER_TIME:
        *value_out = s->greatest - s->least;
        return true;
    case FUNCTION_RATE_OVER_SUM:
        *value_out = (s->sum + s->sum_lost) / ((double)op->range_ms / 1000);
        return true;
    case FUNCTION_SCRAPE_INTERVAL:
        *value_out = seconds / (double)(s->count - 1);
        return s->count > 1;
    case FUNCTION_SUM2_OVER_TIME:
        *value_out = s->squares + s->squares_lost;
        return true;
    default:
        *value_out = score_of(op->values, s);
        return true;
    }
}

int range_shape(struct range_operator *op, const struct window *w, struct range_value *out)
{
    struct shape s = {0};
    int status = range_reserve_values(op, w->float_count);
    for (size_t i = 0; status == 0 && i < w->float_count; i++) {
        if (!isnan(w->floats[i])) {
            op->values[s.count] = w->floats[i];
            shape_add(&s, w->float_times[i], w->floats[i]);
        }
    }
    double value;
    if (s.count > 0 && shape_value(op, w, &s, &value)) {
        range_set_float(out, value);
    }
    return status;
}
