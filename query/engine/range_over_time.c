/* The *_over_time functions. Sums keep what rounding loses; minima and maxima keep a queue of the
 * samples that may still become the extreme, so that each sample is looked at once or twice however
 * much windows overlap. */
#include "base/fpconv.h"
#include "base/mem.h"
#include "kahan.h"
#include "range.h"

#define QUEUE_MAX ((size_t)1 << 31)

/* Histograms beside floats are left out, with an info. */
static int ignore_histograms(struct range_operator *op, const struct window *w)
{
    if (w->histogram_count == 0) {
        return 0;
    }
    struct histogram_line line = range_line(op, false);
    return annotate_ignored_in_range(&line);
}

static int refuse_mix(struct range_operator *op)
{
    struct histogram_line line = range_line(op, false);
    return annotate_mixed_types(&line);
}

/* ---- Sums and means ---- */

static double sum_of(const double *values, size_t count)
{
    double sum = 0, lost = 0;
    for (size_t i = 0; i < count; i++) {
        kahan_add(values[i], &sum, &lost);
    }
    return isinf(sum) ? sum : sum + lost;
}

/* The mean by its sum; by steps of the mean itself from where the sum would overflow. */
static double mean_of(const double *values, size_t count)
{
    double sum = values[0], mean = 0, lost = 0;
    bool is_mean = false;
    for (size_t i = 1; i < count; i++) {
        double n = (double)(i + 1);
        if (!is_mean) {
            double next = sum, next_lost = lost;
            kahan_add(values[i], &next, &next_lost);
            if (!isinf(next)) {
                sum = next;
                lost = next_lost;
                continue;
            }
            is_mean = true;
            mean = sum / (n - 1);
            lost /= n - 1;
        }
        double q = (n - 1) / n;
        mean *= q;
        lost *= q;
        kahan_add(values[i] / n, &mean, &lost);
    }
    return is_mean ? mean + lost : sum / (double)count + lost / (double)count;
}

int range_sum(struct range_operator *op, const struct window *w, struct range_value *out)
{
    if (w->float_count > 0 && w->histogram_count > 0) {
        return refuse_mix(op);
    }
    if (w->float_count == 0) {
        return range_sum_histograms(op, w, out);
    }
    range_set_float(out, sum_of(w->floats, w->float_count));
    return 0;
}

/* A number as an unevaluated sum of two, about 106 bits. */
struct wide {
    double high, low;
};

static inline struct wide wide_add(struct wide a, double b)
{
    double sum = a.high + b;
    double part = sum - a.high;
    double error = (a.high - (sum - part)) + (b - part);
    error += a.low;
    double high = sum + error;
    return (struct wide){high, error - (high - sum)};
}

static inline double wide_difference(struct wide a, struct wide b)
{
    double high = a.high - b.high;
    double part = high - a.high;
    double error = (a.high - (high - part)) + (-b.high - part);
    return high + (error + (a.low - b.low));
}

/* Sums (and means) of all windows from sums of prefixes: each sample is added once, however much windows
 * overlap. Prefixes have twice the precision of a double, so that what cancels out leaves no trace;
 * where that is not enough (infinities, NaN, magnitudes that would drown the rest) windows are added up
 * one by one. */
static bool prefix_sums(const double *values, size_t count, struct wide *prefixes)
{
    struct wide sum = {0, 0};
    double greatest = 0, least = INFINITY;
    prefixes[0] = sum;
    for (size_t i = 0; i < count; i++) {
        double magnitude = fabs(values[i]);
        greatest = magnitude > greatest || isnan(magnitude) ? magnitude : greatest;
        least = magnitude != 0 && magnitude < least ? magnitude : least;
        sum = wide_add(sum, values[i]);
        prefixes[i + 1] = sum;
    }
    return greatest < 1e290 && (greatest == 0 || (double)count * greatest < least * 1e15);
}

static int sum_floats(struct range_operator *op, bool mean)
{
    const struct samples *s = &op->samples;
    const struct step_windows *w;
    int status = windows_find(&op->windows, s->float_times, s->float_count, &w);
    if (status == 0) {
        status = range_reserve_values(op, 2 * (s->float_count + 1));
    }
    struct wide *prefixes = (struct wide *)op->values;
    bool exact = status == 0 && prefix_sums(s->floats, s->float_count, prefixes);
    for (size_t step = 0; status == 0 && step < op->node.grid->steps; step++) {
        size_t begin = w->begin[step], end = w->end[step], count = end - begin;
        if (count == 0) {
            continue;
        }
        double value;
        if (exact) {
            value = wide_difference(prefixes[end], prefixes[begin]);
            value = mean ? value / (double)count : value;
        } else {
            value = mean ? mean_of(s->floats + begin, count) : sum_of(s->floats + begin, count);
        }
        op->out->kinds[step] = SAMPLE_FLOAT;
        op->out->values[step] = value;
    }
    return status;
}

int range_sum_floats(struct range_operator *op)
{
    return sum_floats(op, false);
}

int range_avg_floats(struct range_operator *op)
{
    return sum_floats(op, true);
}

int range_avg(struct range_operator *op, const struct window *w, struct range_value *out)
{
    if (w->float_count > 0 && w->histogram_count > 0) {
        return refuse_mix(op);
    }
    if (w->float_count == 0) {
        return range_avg_histograms(op, w, out);
    }
    range_set_float(out, mean_of(w->floats, w->float_count));
    return 0;
}

/* ---- Extremes ---- */

/* Is `a` to be kept before `b`, which came later? NaN gives way to everything. */
typedef bool (*extreme_keeps)(double a, double b);

static bool keeps_max(double a, double b)
{
    return !isnan(a) && !(b > a);
}

static bool keeps_min(double a, double b)
{
    return !isnan(a) && !(b < a);
}

/* The latest of equals: what ts_of_max_over_time and ts_of_min_over_time tell. */
static bool keeps_last_max(double a, double b)
{
    return !isnan(a) && !(b >= a);
}

static bool keeps_last_min(double a, double b)
{
    return !isnan(a) && !(b <= a);
}

/* Positions whose values only get less extreme: the first is the window's extreme. */
static int extreme(
    struct range_operator *op, const struct window *w, extreme_keeps keeps, size_t *position_out)
{
    const double *floats = op->samples.floats;
    size_t end = w->first_float + w->float_count;
    size_t at = op->queue_next > w->first_float ? op->queue_next : w->first_float;
    for (; at < end; at++) {
        while (op->queue_end > op->queue_begin &&
               !keeps(floats[op->positions[op->queue_end - 1]], floats[at])) {
            op->queue_end--;
        }
        // A NaN behind anything else can only ever win when it is alone, and then it is re-read.
        int status = mem_array_grow((void **)&op->positions, &op->positions_cap, op->queue_end + 1,
            sizeof(*op->positions), QUEUE_MAX);
        if (status != 0) {
            return query_fail(op->node.query, status, "%s", err_text(status));
        }
        op->positions[op->queue_end++] = at;
    }
    op->queue_next = at;
    while (op->positions[op->queue_begin] < w->first_float) {
        op->queue_begin++;
    }
    *position_out = op->positions[op->queue_begin];
    return 0;
}

static int extreme_value(struct range_operator *op, const struct window *w, extreme_keeps keeps,
    bool time, struct range_value *out)
{
    if (w->float_count == 0) {
        return 0;
    }
    size_t position;
    int status = ignore_histograms(op, w);
    if (status == 0) {
        status = extreme(op, w, keeps, &position);
    }
    if (status == 0) {
        range_set_float(out,
            time ? (double)op->samples.float_times[position] / 1000 : op->samples.floats[position]);
    }
    return status;
}

int range_min(struct range_operator *op, const struct window *w, struct range_value *out)
{
    return extreme_value(op, w, keeps_min, false, out);
}

int range_max(struct range_operator *op, const struct window *w, struct range_value *out)
{
    return extreme_value(op, w, keeps_max, false, out);
}

int range_ts_of_min(struct range_operator *op, const struct window *w, struct range_value *out)
{
    return extreme_value(op, w, keeps_last_min, true, out);
}

int range_ts_of_max(struct range_operator *op, const struct window *w, struct range_value *out)
{
    return extreme_value(op, w, keeps_last_max, true, out);
}

/* ---- First, last, count ---- */

int range_count(struct range_operator *op, const struct window *w, struct range_value *out)
{
    (void)op;
    range_set_float(out, (double)(w->float_count + w->histogram_count));
    return 0;
}

int range_present(struct range_operator *op, const struct window *w, struct range_value *out)
{
    (void)op;
    (void)w;
    range_set_float(out, 1);
    return 0;
}

/* Is the float the one of the two at the front (or the back)? Both may be missing, not both. */
static bool first_is_float(const struct window *w)
{
    return w->histogram_count == 0 ||
           (w->float_count > 0 && w->float_times[0] < w->histogram_times[0]);
}

static bool last_is_float(const struct window *w)
{
    return w->histogram_count == 0 ||
           (w->float_count > 0 &&
               w->float_times[w->float_count - 1] > w->histogram_times[w->histogram_count - 1]);
}

int range_first(struct range_operator *op, const struct window *w, struct range_value *out)
{
    (void)op;
    if (first_is_float(w)) {
        range_set_float(out, w->floats[0]);
    } else {
        range_set_histogram(out, w->histograms[0]);
    }
    return 0;
}

int range_last(struct range_operator *op, const struct window *w, struct range_value *out)
{
    (void)op;
    if (last_is_float(w)) {
        range_set_float(out, w->floats[w->float_count - 1]);
    } else {
        range_set_histogram(out, w->histograms[w->histogram_count - 1]);
    }
    return 0;
}

int range_ts_of_first(struct range_operator *op, const struct window *w, struct range_value *out)
{
    (void)op;
    int64_t t = first_is_float(w) ? w->float_times[0] : w->histogram_times[0];
    range_set_float(out, (double)t / 1000);
    return 0;
}

int range_ts_of_last(struct range_operator *op, const struct window *w, struct range_value *out)
{
    (void)op;
    int64_t t = last_is_float(w) ? w->float_times[w->float_count - 1]
                                 : w->histogram_times[w->histogram_count - 1];
    range_set_float(out, (double)t / 1000);
    return 0;
}

/* ---- Spread ---- */

static double variance_of(const double *values, size_t count)
{
    double n = 0, mean = 0, mean_lost = 0, squares = 0, squares_lost = 0;
    for (size_t i = 0; i < count; i++) {
        n++;
        double delta = values[i] - (mean + mean_lost);
        kahan_add(delta / n, &mean, &mean_lost);
        kahan_add(delta * (values[i] - (mean + mean_lost)), &squares, &squares_lost);
    }
    return (squares + squares_lost) / n;
}

int range_stdvar(struct range_operator *op, const struct window *w, struct range_value *out)
{
    if (w->float_count == 0) {
        return 0;
    }
    range_set_float(out, variance_of(w->floats, w->float_count));
    return ignore_histograms(op, w);
}

int range_stddev(struct range_operator *op, const struct window *w, struct range_value *out)
{
    int status = range_stdvar(op, w, out);
    out->value = sqrt(out->value);
    return status;
}

/* NaN is less than everything. */
static int compare_values(const void *left, const void *right)
{
    double a = *(const double *)left, b = *(const double *)right;
    if (isnan(a) || isnan(b)) {
        return (isnan(b) != 0) - (isnan(a) != 0);
    }
    return (a > b) - (a < b);
}

static double quantile_of_sorted(double q, const double *sorted, size_t count)
{
    if (isnan(q)) {
        return NAN;
    }
    if (q < 0 || q > 1) {
        return q < 0 ? -INFINITY : INFINITY;
    }
    double rank = q * (double)(count - 1);
    size_t lower = (size_t)floor(rank);
    size_t upper = lower + 1 < count ? lower + 1 : count - 1;
    double weight = rank - floor(rank);
    return sorted[lower] * (1 - weight) + sorted[upper] * weight;
}

double quantile_of(double q, double *values, size_t count)
{
    if (count == 0) {
        return NAN;
    }
    qsort(values, count, sizeof(*values), compare_values);
    return quantile_of_sorted(q, values, count);
}

/* The window's floats in op->values. */
static int copy_values(struct range_operator *op, const struct window *w)
{
    int status = range_reserve_values(op, w->float_count);
    if (status == 0) {
        memcpy(op->values, w->floats, w->float_count * sizeof(*op->values));
    }
    return status;
}

int range_mad(struct range_operator *op, const struct window *w, struct range_value *out)
{
    if (w->float_count == 0) {
        return 0;
    }
    int status = ignore_histograms(op, w);
    if (status == 0) {
        status = copy_values(op, w);
    }
    if (status != 0) {
        return status;
    }
    for (size_t i = 0; i < w->float_count; i++) {
        if (isnan(op->values[i])) {
            range_set_float(out, NAN);
            return 0;
        }
    }
    double median = quantile_of(0.5, op->values, w->float_count);
    for (size_t i = 0; i < w->float_count; i++) {
        op->values[i] = fabs(op->values[i] - median);
    }
    range_set_float(out, quantile_of(0.5, op->values, w->float_count));
    return 0;
}

/* ---- Quantiles of sliding windows: the window is kept sorted, NaN first ---- */

/* Where a value is, or belongs. */
static size_t sorted_position(const double *sorted, size_t count, double value)
{
    size_t low = 0, high = count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (compare_values(&sorted[middle], &value) < 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

/* Brings op->values to the window [begin, end) of the series' floats; it held [from, to). */
static void slide_sorted(
    struct range_operator *op, size_t from, size_t to, size_t begin, size_t end)
{
    const double *floats = op->samples.floats;
    double *sorted = op->values;
    size_t count = to - from;
    if (begin >= to || (begin - from) + (end - to) > (end - begin) / 2) {
        count = end - begin;
        memcpy(sorted, floats + begin, count * sizeof(*sorted));
        qsort(sorted, count, sizeof(*sorted), compare_values);
        return;
    }
    for (size_t i = from; i < begin; i++) {
        size_t at = sorted_position(sorted, count, floats[i]);
        memmove(sorted + at, sorted + at + 1, (--count - at) * sizeof(*sorted));
    }
    for (size_t i = to; i < end; i++) {
        size_t at = sorted_position(sorted, count, floats[i]);
        memmove(sorted + at + 1, sorted + at, (count++ - at) * sizeof(*sorted));
        sorted[at] = floats[i];
    }
}

int range_judge_quantile(struct range_operator *op, double q)
{
    if (q >= 0 && q <= 1) {
        return 0;
    }
    char text[FP_TEXT_MAX];
    text[fp_format_short(q, text)] = '\0';
    return query_annotate(op->node.query, ANNOTATION_WARNING, op->annotated,
        "quantile value should be between 0 and 1, got %s", text);
}

int range_quantile(struct range_operator *op, const struct window *w, struct range_value *out)
{
    if (w->float_count == 0) {
        return 0;
    }
    double q = op->scalars[0][w->step];
    int status = range_judge_quantile(op, q);
    if (status == 0) {
        status = ignore_histograms(op, w);
    }
    if (status == 0) {
        status = range_reserve_values(op, op->samples.float_count);
    }
    if (status == 0) {
        // queue_begin and queue_end remember the window that is sorted.
        size_t end = w->first_float + w->float_count;
        slide_sorted(op, op->queue_begin, op->queue_end, w->first_float, end);
        op->queue_begin = w->first_float;
        op->queue_end = end;
        range_set_float(out, quantile_of_sorted(q, op->values, w->float_count));
    }
    return status;
}

/* ---- Trends ---- */

/* Least squares: slope, and value at `origin`. */
static void regress(
    const struct window *w, int64_t origin, double *slope_out, double *intercept_out)
{
    double x_sum = 0, x_lost = 0, y_sum = 0, y_lost = 0;
    double xy_sum = 0, xy_lost = 0, xx_sum = 0, xx_lost = 0;
    double n = (double)w->float_count;
    size_t equal = 0; // how many are as the first
    while (equal < w->float_count && w->floats[equal] == w->floats[0]) {
        equal++;
    }
    if (equal == w->float_count) {
        bool infinite = isinf(w->floats[0]);
        *slope_out = infinite ? NAN : 0;
        *intercept_out = infinite ? NAN : w->floats[0];
        return;
    }
    for (size_t i = 0; i < w->float_count; i++) {
        double x = (double)(w->float_times[i] - origin) / 1e3, y = w->floats[i];
        kahan_add(x, &x_sum, &x_lost);
        kahan_add(y, &y_sum, &y_lost);
        kahan_add(x * y, &xy_sum, &xy_lost);
        kahan_add(x * x, &xx_sum, &xx_lost);
    }
    x_sum += x_lost, y_sum += y_lost, xy_sum += xy_lost, xx_sum += xx_lost;
    double covariance = xy_sum - x_sum * y_sum / n;
    double variance = xx_sum - x_sum * x_sum / n;
    *slope_out = covariance / variance;
    *intercept_out = y_sum / n - *slope_out * x_sum / n;
}

/* Are there two floats? Histograms beside at least one are told of. */
static int enough_floats(struct range_operator *op, const struct window *w, bool *enough_out)
{
    *enough_out = w->float_count >= 2;
    return w->float_count > 0 ? ignore_histograms(op, w) : 0;
}

int range_deriv(struct range_operator *op, const struct window *w, struct range_value *out)
{
    bool enough;
    int status = enough_floats(op, w, &enough);
    if (status == 0 && enough) {
        double slope, intercept;
        regress(w, w->float_times[0], &slope, &intercept);
        range_set_float(out, slope);
    }
    return status;
}

int range_predict_linear(struct range_operator *op, const struct window *w, struct range_value *out)
{
    bool enough;
    int status = enough_floats(op, w, &enough);
    if (status == 0 && enough) {
        double slope, intercept;
        regress(w, w->t, &slope, &intercept);
        range_set_float(out, slope * op->scalars[0][w->step] + intercept);
    }
    return status;
}

/* Holt's linear method. */
static double smooth(const double *values, size_t count, double smoothing, double trend)
{
    double before = 0, now = values[0], slope = values[1] - values[0];
    for (size_t i = 1; i < count; i++) {
        double scaled = smoothing * values[i];
        if (i > 1) {
            slope = trend * (now - before) + (1 - trend) * slope;
        }
        double predicted = (1 - smoothing) * (now + slope);
        before = now;
        now = scaled + predicted;
    }
    return now;
}

int range_smoothing(struct range_operator *op, const struct window *w, struct range_value *out)
{
    double smoothing = op->scalars[0][w->step], trend = op->scalars[1][w->step];
    if (smoothing <= 0 || smoothing >= 1) {
        return query_fail(op->node.query, ERR_INTERNAL,
            "invalid smoothing factor. Expected: 0 < sf < 1, got: %f", smoothing);
    }
    if (trend <= 0 || trend >= 1) {
        return query_fail(op->node.query, ERR_INTERNAL,
            "invalid trend factor. Expected: 0 < tf < 1, got: %f", trend);
    }
    bool enough;
    int status = enough_floats(op, w, &enough);
    if (status == 0 && enough) {
        range_set_float(out, smooth(w->floats, w->float_count, smoothing, trend));
    }
    return status;
}
