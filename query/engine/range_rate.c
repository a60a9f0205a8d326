/* rate, increase, delta, irate, idelta, changes, resets.
 *
 * rate and its kin take the difference of the last and the first sample of the window, add what counter
 * resets hid, and extrapolate to the edges of the window: all the way when the first (last) sample is
 * within 1.1 mean spacings of the edge, else by half a spacing; a counter never to before its zero.
 * Resets are found once: their positions stand in op->positions when the series begins, and each window
 * adds up those that are inside it.
 */
#include <math.h>

#include "base/mem.h"
#include "pairs.h"
#include "range.h"

#define RESET_POSITIONS_MAX ((size_t)1 << 31)

/* Remembers the positions of the samples after which the counter fell, up to the window's end. */
static int find_resets(struct range_operator *op, const struct window *w)
{
    const double *floats = op->samples.floats;
    size_t end = w->first_float + w->float_count;
    size_t at = op->queue_next > 1 ? op->queue_next : 1;
    for (; at < end; at++) {
        if (floats[at] < floats[at - 1]) {
            int status = mem_array_grow((void **)&op->positions, &op->positions_cap,
                op->queue_end + 1, sizeof(*op->positions), RESET_POSITIONS_MAX);
            if (status != 0) {
                return query_fail(op->node.query, status, "%s", err_text(status));
            }
            op->positions[op->queue_end++] = at;
        }
    }
    op->queue_next = at;
    while (op->queue_begin < op->queue_end && op->positions[op->queue_begin] <= w->first_float) {
        op->queue_begin++;
    }
    return 0;
}

/* Difference of the ends, with what resets hid. */
static int float_increase(
    struct range_operator *op, const struct window *w, bool counter, double *increase_out)
{
    double increase = w->floats[w->float_count - 1] - w->floats[0];
    if (counter) {
        int status = find_resets(op, w);
        if (status != 0) {
            return status;
        }
        for (size_t i = op->queue_begin; i < op->queue_end; i++) {
            increase += op->samples.floats[op->positions[i] - 1];
        }
    }
    *increase_out = increase;
    return 0;
}

/* By how much an increase between samples grows to stand for the whole window. */
static inline double extrapolation(
    const struct range_extent *x, const struct window *w, bool counter)
{
    double to_start = (double)(x->first_t - w->start) / 1000;
    double to_end = (double)(w->end - x->last_t) / 1000;
    double sampled = (double)(x->last_t - x->first_t) / 1000;
    double spacing = sampled / (double)(x->count - 1);
    double threshold = spacing * 1.1;
    if (to_start >= threshold) {
        to_start = spacing / 2;
    }
    if (counter && x->increase > 0 && x->first >= 0) {
        double to_zero = sampled * (x->first / x->increase);
        to_start = to_zero < to_start ? to_zero : to_start;
    }
    if (to_end >= threshold) {
        to_end = spacing / 2;
    }
    return sampled != 0 ? (sampled + to_start + to_end) / sampled : 1;
}

double range_extrapolate(const struct range_operator *op, const struct range_extent *x,
    const struct window *w, bool counter, bool per_second)
{
    if (x->increase == 0) {
        return 0; // by whatever it would be multiplied; most counters stand still
    }
    double factor = extrapolation(x, w, counter);
    return x->increase * (per_second ? factor / ((double)op->range_ms / 1000) : factor);
}

/* Does any of a block of samples fall below the one before? */
enum { RESET_BLOCK = 32 };

static bool any_falls(const double *floats)
{
    mask_pair falls = {0, 0};
    for (int i = 0; i < RESET_BLOCK; i += 2) {
        falls |= pair_load(floats + i) < pair_load(floats + i - 1);
    }
    return (falls[0] | falls[1]) != 0;
}

/* All resets of the series into op->positions. */
static int find_all_resets(struct range_operator *op)
{
    const double *floats = op->samples.floats;
    size_t count = op->samples.float_count, i = 1;
    while (i < count) {
        if (count - i >= RESET_BLOCK && !any_falls(floats + i)) {
            i += RESET_BLOCK;
            continue;
        }
        size_t end = count - i >= RESET_BLOCK ? i + RESET_BLOCK : count;
        for (; i < end; i++) {
            if (!(floats[i] < floats[i - 1])) {
                continue;
            }
            int status = mem_array_grow((void **)&op->positions, &op->positions_cap,
                op->queue_end + 1, sizeof(*op->positions), RESET_POSITIONS_MAX);
            if (status != 0) {
                return query_fail(op->node.query, status, "%s", err_text(status));
            }
            op->positions[op->queue_end++] = i;
        }
    }
    return 0;
}

/* The increase of a window made to stand for all of it. A counter that began with more than twice what it grew by was at zero longer ago than the
 * window can reach. The arithmetic is that of extrapolation(), to the last bit. */
static inline double stretched(const struct step_windows *s, size_t step, double first,
    double increase, bool counter, double unit)
{
    if (increase == 0) {
        return 0; // by whatever it would be multiplied; most counters stand still
    }
    if (!counter || !(increase > 0 && first >= 0 && first < 2 * increase)) {
        return increase * s->factor[step];
    }
    double to_start = s->to_start[step];
    double to_zero = s->sampled[step] * (first / increase);
    to_start = to_zero < to_start ? to_zero : to_start;
    return increase * ((s->sampled[step] + to_start + s->to_end[step]) / s->sampled[step] / unit);
}

/* What resets after the first sample and up to the last of a window hid. `*reset` is the first of them,
 * going on from where it was. */
static double hidden_by_resets(
    const struct range_operator *op, size_t begin, size_t last, size_t *reset, double increase)
{
    while (*reset < op->queue_end && op->positions[*reset] <= begin) {
        (*reset)++;
    }
    for (size_t i = *reset; i < op->queue_end && op->positions[i] <= last; i++) {
        increase += op->samples.floats[op->positions[i] - 1];
    }
    return increase;
}

/* The same arithmetic as step by step, in one loop. */
static void stretch_all(struct range_operator *op, const struct step_windows *windows, bool counter)
{
    const struct step_windows s = *windows; // what is written below may be anything but this
    const double *floats = op->samples.floats;
    uint8_t *kinds = op->out->kinds;
    double *values = op->out->values, unit = op->windows.unit;
    size_t steps = op->node.grid->steps, reset = 0;
    bool any_resets = op->queue_end > 0;
    for (size_t step = 0; step < steps; step++) {
        size_t begin = s.begin[step], last = (size_t)s.end[step] - 1;
        if (s.end[step] < begin + 2) {
            continue;
        }
        double increase = floats[last] - floats[begin];
        if (any_resets) {
            increase = hidden_by_resets(op, begin, last, &reset, increase);
        }
        kinds[step] = SAMPLE_FLOAT;
        values[step] = stretched(&s, step, floats[begin], increase, counter, unit);
    }
}

static int rate_floats(struct range_operator *op, bool counter)
{
    const struct step_windows *s;
    int status =
        windows_find_factors(&op->windows, op->samples.float_times, op->samples.float_count, &s);
    if (status == 0 && counter) {
        status = find_all_resets(op);
    }
    if (status == 0) {
        stretch_all(op, s, counter);
    }
    return status;
}

int range_rate_floats(struct range_operator *op)
{
    return rate_floats(op, true);
}

int range_increase_floats(struct range_operator *op)
{
    return rate_floats(op, true);
}

int range_delta_floats(struct range_operator *op)
{
    return rate_floats(op, false);
}

static int float_rate(struct range_operator *op, const struct window *w, bool counter,
    bool per_second, struct range_value *out)
{
    if (w->float_count < 2) {
        return 0;
    }
    double increase;
    int status = float_increase(op, w, counter, &increase);
    if (status != 0) {
        return status;
    }
    const struct range_extent x = {
        .first_t = w->float_times[0],
        .last_t = w->float_times[w->float_count - 1],
        .count = w->float_count,
        .first = w->floats[0],
        .increase = increase,
    };
    double factor = extrapolation(&x, w, counter);
    if (per_second) {
        factor /= (double)op->range_ms / 1000;
    }
    range_set_float(out, increase * factor);
    return 0;
}

static int histogram_rate(struct range_operator *op, const struct window *w, bool counter,
    bool per_second, struct range_value *out)
{
    if (w->histogram_count < 2) {
        return 0;
    }
    struct histogram *increase;
    int status = range_histogram_increase(op, w, counter, &increase);
    if (status != 0 || increase == NULL) {
        return status;
    }
    const struct range_extent x = {
        .first_t = w->histogram_times[0],
        .last_t = w->histogram_times[w->histogram_count - 1],
        .count = w->histogram_count,
        .first = w->histograms[0]->count,
        .increase = increase->count,
    };
    double factor = extrapolation(&x, w, counter);
    if (per_second) {
        factor /= (double)op->range_ms / 1000;
    }
    struct histogram *scaled;
    status = histogram_multiply(increase, factor, op->scratch, &scaled);
    if (status != 0) {
        return query_fail_memory(op->node.query, op->scratch);
    }
    range_set_histogram(out, scaled);
    return 0;
}

static int any_rate(struct range_operator *op, const struct window *w, bool counter,
    bool per_second, struct range_value *out)
{
    if (w->float_count > 0 && w->histogram_count > 0) {
        struct histogram_line line = range_line(op, counter);
        return annotate_mixed_types(&line);
    }
    if (op->selector != NULL && (op->selector->anchored || op->selector->smoothed)) {
        return range_extended_rate(op, w, counter, per_second, out);
    }
    return w->histogram_count > 0 ? histogram_rate(op, w, counter, per_second, out)
                                  : float_rate(op, w, counter, per_second, out);
}

int range_rate(struct range_operator *op, const struct window *w, struct range_value *out)
{
    return any_rate(op, w, true, true, out);
}

int range_increase(struct range_operator *op, const struct window *w, struct range_value *out)
{
    return any_rate(op, w, true, false, out);
}

int range_delta(struct range_operator *op, const struct window *w, struct range_value *out)
{
    return any_rate(op, w, false, false, out);
}

/* ---- irate and idelta ---- */

/* One sample of a window, floats and histograms in one order. */
struct sample_at {
    int64_t t;
    double value;
    const struct histogram *histogram;
};

/* The last two samples of a window that has at least two. */
static void last_two(const struct window *w, struct sample_at two[2])
{
    size_t f = w->float_count, h = w->histogram_count;
    for (int i = 1; i >= 0; i--) {
        bool take_float = h == 0 || (f > 0 && w->float_times[f - 1] > w->histogram_times[h - 1]);
        if (take_float) {
            f--;
            two[i] = (struct sample_at){w->float_times[f], w->floats[f], NULL};
        } else {
            h--;
            two[i] = (struct sample_at){w->histogram_times[h], 0, w->histograms[h]};
        }
    }
}

static int instant_histogram(
    struct range_operator *op, const struct sample_at two[2], bool rate, struct range_value *out)
{
    struct histogram_line line = range_line(op, rate);
    const struct histogram *first = two[0].histogram, *last = two[1].histogram;
    bool gauges[2] = {first->reset_hint == HISTOGRAM_GAUGE, last->reset_hint == HISTOGRAM_GAUGE};
    int status = 0;
    if (rate && (gauges[0] || gauges[1])) {
        status = annotate_not_counter(&line);
    } else if (!rate && (!gauges[0] || !gauges[1])) {
        status = annotate_not_gauge(&line);
    }
    struct histogram_sum sum;
    if (status == 0 && histogram_sum_init(&sum, last, op->scratch) != 0) {
        status = query_fail_memory(op->node.query, op->scratch);
    }
    bool reset = false, ok = true;
    if (status == 0 && rate && histogram_detect_reset(last, first, op->scratch, &reset) != 0) {
        status = query_fail_memory(op->node.query, op->scratch);
    }
    if (status == 0 && !reset) {
        status = line_add(&line, &sum, first, -1, &ok);
    }
    if (status != 0 || !ok) {
        return status;
    }
    sum.reset_hint = HISTOGRAM_GAUGE;
    if (rate) {
        histogram_sum_divide(&sum, (double)(two[1].t - two[0].t) / 1000);
    }
    const struct histogram *result = histogram_sum_take(&sum, op->scratch);
    if (result == NULL) {
        return query_fail_memory(op->node.query, op->scratch);
    }
    range_set_histogram(out, result);
    return 0;
}

static int instant(
    struct range_operator *op, const struct window *w, bool rate, struct range_value *out)
{
    if (w->float_count + w->histogram_count < 2) {
        return 0;
    }
    struct sample_at two[2];
    last_two(w, two);
    int64_t interval = two[1].t - two[0].t;
    if (interval == 0) {
        return 0;
    }
    if ((two[0].histogram != NULL) != (two[1].histogram != NULL)) {
        struct histogram_line line = range_line(op, rate);
        return annotate_mixed_types(&line);
    }
    if (two[1].histogram != NULL) {
        return instant_histogram(op, two, rate, out);
    }
    double value = two[1].value;
    if (!rate || !(two[1].value < two[0].value)) {
        value -= two[0].value;
    }
    range_set_float(out, rate ? value / ((double)interval / 1000) : value);
    return 0;
}

/* The same of a series that has only floats. */
static int instant_floats(struct range_operator *op, bool rate)
{
    const int64_t *times = op->samples.float_times;
    const double *floats = op->samples.floats;
    const struct step_windows *s;
    int status = windows_find(&op->windows, times, op->samples.float_count, &s);
    for (size_t step = 0; status == 0 && step < op->node.grid->steps; step++) {
        if (s->end[step] < s->begin[step] + 2) {
            continue;
        }
        size_t last = s->end[step] - 1;
        double value = floats[last];
        if (!rate || !(value < floats[last - 1])) {
            value -= floats[last - 1];
        }
        double seconds = (double)(times[last] - times[last - 1]) / 1000;
        op->out->kinds[step] = SAMPLE_FLOAT;
        op->out->values[step] = rate ? value / seconds : value;
    }
    return status;
}

int range_irate_floats(struct range_operator *op)
{
    return instant_floats(op, true);
}

int range_idelta_floats(struct range_operator *op)
{
    return instant_floats(op, false);
}

int range_irate(struct range_operator *op, const struct window *w, struct range_value *out)
{
    return instant(op, w, true, out);
}

int range_idelta(struct range_operator *op, const struct window *w, struct range_value *out)
{
    return instant(op, w, false, out);
}

/* ---- changes and resets ---- */

/* Where counting begins: everything, or with `anchored` the newest sample at or before the window and
 * what follows. False when there is nothing after the window's start. */
static bool first_positions(
    const struct range_operator *op, const struct window *w, size_t *f_out, size_t *h_out)
{
    *f_out = *h_out = 0;
    if (op->selector == NULL || !op->selector->anchored) {
        return true;
    }
    size_t f = 0, h = 0; // how many lie at or before the start
    while (f < w->float_count && w->float_times[f] <= w->start) {
        f++;
    }
    while (h < w->histogram_count && w->histogram_times[h] <= w->start) {
        h++;
    }
    if (f == w->float_count && h == w->histogram_count) {
        return false;
    }
    bool float_anchor = f > 0 && (h == 0 || w->float_times[f - 1] >= w->histogram_times[h - 1]);
    *f_out = float_anchor ? f - 1 : f;
    *h_out = !float_anchor && h > 0 ? h - 1 : h;
    return true;
}

/* Does `now` differ from `before` in the way that is counted? */
typedef int (*pair_judge)(struct range_operator *op, const struct sample_at *before,
    const struct sample_at *now, bool *counts_out);

static int is_change(struct range_operator *op, const struct sample_at *before,
    const struct sample_at *now, bool *counts_out)
{
    (void)op;
    if ((before->histogram != NULL) != (now->histogram != NULL)) {
        *counts_out = true;
    } else if (now->histogram != NULL) {
        *counts_out = !histogram_equal(now->histogram, before->histogram);
    } else {
        *counts_out = now->value != before->value && !(isnan(now->value) && isnan(before->value));
    }
    return 0;
}

static int is_reset(struct range_operator *op, const struct sample_at *before,
    const struct sample_at *now, bool *counts_out)
{
    if ((before->histogram != NULL) != (now->histogram != NULL)) {
        *counts_out = true;
    } else if (now->histogram != NULL) {
        if (histogram_detect_reset(now->histogram, before->histogram, op->scratch, counts_out) !=
            0) {
            return query_fail_memory(op->node.query, op->scratch);
        }
    } else {
        *counts_out = now->value < before->value;
    }
    return 0;
}

static int count_pairs(
    struct range_operator *op, const struct window *w, pair_judge judge, struct range_value *out)
{
    size_t f, h, count = 0;
    if (!first_positions(op, w, &f, &h)) {
        return 0;
    }
    struct sample_at before = {0};
    bool has_before = false;
    while (f < w->float_count || h < w->histogram_count) {
        bool take_float = h == w->histogram_count ||
                          (f < w->float_count && w->float_times[f] < w->histogram_times[h]);
        struct sample_at now = take_float
                                   ? (struct sample_at){w->float_times[f], w->floats[f], NULL}
                                   : (struct sample_at){w->histogram_times[h], 0, w->histograms[h]};
        f += take_float;
        h += !take_float;
        if (has_before) {
            bool counts = false;
            int status = judge(op, &before, &now, &counts);
            if (status != 0) {
                return status;
            }
            count += counts;
        }
        before = now;
        has_before = true;
    }
    range_set_float(out, (double)count);
    return 0;
}

int range_changes(struct range_operator *op, const struct window *w, struct range_value *out)
{
    return count_pairs(op, w, is_change, out);
}

int range_resets(struct range_operator *op, const struct window *w, struct range_value *out)
{
    return count_pairs(op, w, is_reset, out);
}
