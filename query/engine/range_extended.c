/* rate, increase and delta of anchored and smoothed ranges.
 *
 * anchored: from the newest sample at or before the window's start to the last one in it, as they are.
 * smoothed: from the value at the window's start to the value at its end, both on the straight line
 * between the samples around them. Neither extrapolates.
 */
#include "range.h"

/* Where the samples that count begin and end (inclusive). False when there are none. A window has all samples
 * of the lookback before it, so the search for its start goes backwards: windows are often shorter. */
static bool find_ends(const int64_t *times, size_t count, const struct window *w, bool smoothed,
    size_t *first_out, size_t *last_out)
{
    size_t first = count - 1, last = count - 1;
    while (first > 0 && times[first] > w->start) {
        first--;
    }
    if (smoothed) {
        while (last > 0 && times[last - 1] >= w->end) {
            last--;
        }
    }
    *first_out = first;
    *last_out = last;
    return times[last] > w->start && !(smoothed && times[first] > w->end);
}

/* What resets hid between the values at the ends and the samples [first, last] strictly inside. */
static double hidden_by_resets(
    const double *values, size_t first, size_t last_plus_one, double left, double right)
{
    double hidden = 0, before = left;
    for (size_t i = first; i < last_plus_one; i++) {
        hidden += values[i] < before ? before : 0;
        before = values[i];
    }
    return right < before ? hidden + before : hidden;
}

static void extended_floats(struct range_operator *op, const struct window *w, bool counter,
    bool per_second, struct range_value *out)
{
    const int64_t *t = w->float_times;
    const double *v = w->floats;
    bool smoothed = op->selector->smoothed;
    size_t first, last;
    if (!find_ends(t, w->float_count, w, smoothed, &first, &last)) {
        return;
    }
    double left = v[first], right = v[last];
    if (smoothed && t[first] < w->start) {
        left = interpolate_float(t[first], v[first], t[first + 1], v[first + 1], w->start, counter);
    }
    if (smoothed && last > 0 && t[last] > w->end) {
        right = interpolate_float(t[last - 1], v[last - 1], t[last], v[last], w->end, counter);
    }
    double result = right - left;
    if (counter) {
        size_t from = first + (t[first] <= w->start), until = last + (t[last] < w->end);
        result += hidden_by_resets(v, from, until, left, right);
    }
    range_set_float(out, per_second ? result / ((double)op->range_ms / 1000) : result);
}

/* ---- Histograms ---- */

static int check_window(const struct histogram_line *line, const struct window *w, size_t first,
    size_t last, bool *ok_out)
{
    bool custom = histogram_is_custom(w->histograms[first]);
    for (size_t i = first; i <= last; i++) {
        const struct histogram *h = w->histograms[i];
        if (histogram_is_custom(h) != custom) {
            *ok_out = false;
            return annotate_mixed_buckets(line);
        }
        if (line->counter && h->reset_hint == HISTOGRAM_GAUGE) {
            int status = annotate_not_counter(line);
            if (status != 0) {
                return status;
            }
        }
    }
    return 0;
}

/* The histograms at the ends; NULL when they do not mix. */
static int find_edges(const struct range_operator *op, const struct histogram_line *line,
    const struct window *w, size_t first, size_t last, const struct histogram *edges[2])
{
    const int64_t *t = w->histogram_times;
    const struct histogram *const *h = w->histograms;
    bool smoothed = op->selector->smoothed;
    edges[0] = h[first];
    edges[1] = h[last];
    int status = 0;
    if (smoothed && t[first] < w->start) {
        status = interpolate_histogram(
            line, t[first], h[first], t[first + 1], h[first + 1], w->start, &edges[0]);
    }
    if (status == 0 && edges[0] != NULL && smoothed && last > 0 && t[last] > w->end) {
        status = interpolate_histogram(
            line, t[last - 1], h[last - 1], t[last], h[last], w->end, &edges[1]);
    }
    return status;
}

static int detect(const struct histogram_line *line, const struct histogram *now,
    const struct histogram *before, bool *reset_out)
{
    int status = histogram_detect_reset(now, before, line->arena, reset_out);
    return status == 0 ? 0 : query_fail_memory(line->query, line->arena);
}

/* Adds what resets hid between the edges. The first sample is the left edge; the last is never
 * compared by itself, since the right edge inherits its hint. */
static int add_hidden(const struct range_operator *op, const struct histogram_line *line,
    const struct window *w, size_t first, size_t last, const struct histogram *const edges[2],
    struct histogram_sum *sum, bool *ok_out)
{
    const struct histogram *before = edges[0];
    size_t from = first + 1;
    int status = 0;
    bool reset = false;
    if (op->selector->smoothed && w->histogram_times[first] < w->start && first < last) {
        status = detect(line, w->histograms[first + 1], w->histograms[first], &reset);
        if (status == 0 && reset) {
            before = w->histograms[first + 1]; // that reset is in the left edge already
            from++;
        }
    }
    if (status != 0 || from > last) {
        return status;
    }
    for (size_t i = from; i <= last && status == 0 && *ok_out; i++) {
        const struct histogram *now = i < last ? w->histograms[i] : edges[1];
        status = detect(line, now, before, &reset);
        if (status == 0 && reset) {
            status = line_add(line, sum, before, 1, ok_out);
        }
        before = now;
    }
    return status;
}

static int extended_histograms(struct range_operator *op, const struct window *w, bool counter,
    bool per_second, struct range_value *out)
{
    struct histogram_line line = range_line(op, counter);
    const struct histogram *edges[2];
    size_t first, last;
    bool ok = true;
    if (!find_ends(
            w->histogram_times, w->histogram_count, w, op->selector->smoothed, &first, &last)) {
        return 0;
    }
    int status = check_window(&line, w, first, last, &ok);
    if (status == 0 && ok) {
        status = find_edges(op, &line, w, first, last, edges);
    }
    if (status != 0 || !ok || edges[0] == NULL || edges[1] == NULL) {
        return status;
    }
    if (!counter &&
        (edges[0]->reset_hint != HISTOGRAM_GAUGE || edges[1]->reset_hint != HISTOGRAM_GAUGE)) {
        status = annotate_not_gauge(&line);
    }
    struct histogram_sum sum;
    if (status == 0 && histogram_sum_init(&sum, edges[1], op->scratch) != 0) {
        status = query_fail_memory(op->node.query, op->scratch);
    }
    if (status == 0) {
        status = line_add(&line, &sum, edges[0], -1, &ok);
    }
    if (status == 0 && ok && counter) {
        status = add_hidden(op, &line, w, first, last, edges, &sum, &ok);
    }
    if (status != 0 || !ok) {
        return status;
    }
    if (per_second) {
        histogram_sum_divide(&sum, (double)op->range_ms / 1000);
    }
    sum.reset_hint = HISTOGRAM_GAUGE;
    const struct histogram *result = histogram_sum_take(&sum, op->scratch);
    if (result == NULL) {
        return query_fail_memory(op->node.query, op->scratch);
    }
    range_set_histogram(out, result);
    return 0;
}

int range_extended_rate(struct range_operator *op, const struct window *w, bool counter,
    bool per_second, struct range_value *out)
{
    if (w->histogram_count > 0) {
        return extended_histograms(op, w, counter, per_second, out);
    }
    extended_floats(op, w, counter, per_second, out);
    return 0;
}
