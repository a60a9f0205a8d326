/* Increase of native histograms over a window, and their sums and means. */
#include "range.h"

#include "kahan.h"

static int fail_memory(struct range_operator *op)
{
    return query_fail_memory(op->node.query, op->scratch);
}

/* ---- Increase ---- */

/* An empty histogram of the layout of another. */
static struct histogram empty_like(const struct histogram *h)
{
    return (struct histogram){
        .schema = h->schema, .custom_values = h->custom_values, .custom_count = h->custom_count};
}

/* Looks at all samples between the first and the last: the lowest schema, gauges, mixes. */
static int survey(const struct histogram_line *line, const struct window *w, bool custom,
    int32_t *schema, bool *ok_out)
{
    for (size_t i = 1; i + 1 < w->histogram_count && line->counter; i++) {
        const struct histogram *h = w->histograms[i];
        if (h->reset_hint == HISTOGRAM_GAUGE) {
            int status = annotate_not_counter(line);
            if (status != 0) {
                return status;
            }
        }
        *schema = h->schema < *schema ? h->schema : *schema;
        if (histogram_is_custom(h) != custom) {
            *ok_out = false;
            return annotate_mixed_buckets(line);
        }
    }
    return 0;
}

/* Adds what stood in the counter before each reset. `first` stands for the first sample. */
static int add_resets(struct range_operator *op, const struct histogram_line *line,
    const struct window *w, const struct histogram *first, struct histogram_sum *sum, bool *ok_out)
{
    const struct histogram *before = first;
    for (size_t i = 1; i < w->histogram_count; i++) {
        bool reset;
        if (histogram_detect_reset(w->histograms[i], before, op->scratch, &reset) != 0) {
            return fail_memory(op);
        }
        if (reset) {
            int status = line_add(line, sum, before, 1, ok_out);
            if (status != 0 || !*ok_out) {
                return status;
            }
        }
        before = w->histograms[i];
    }
    return 0;
}

static int judge_ends(
    const struct histogram_line *line, const struct histogram *first, const struct histogram *last)
{
    bool gauges[2] = {first->reset_hint == HISTOGRAM_GAUGE, last->reset_hint == HISTOGRAM_GAUGE};
    if (line->counter) {
        return gauges[0] || gauges[1] ? annotate_not_counter(line) : 0;
    }
    return 0;
}

/* The first sample, or nothing when the counter was reset right after it: then it does not matter, not
 * even when its buckets would not mix. */
static int effective_first(struct range_operator *op, const struct window *w, bool counter,
    struct histogram *nothing, const struct histogram **first_out)
{
    const struct histogram *first = w->histograms[0], *second = w->histograms[1];
    bool reset = false;
    if (counter && histogram_detect_reset(second, first, op->scratch, &reset) != 0) {
        return fail_memory(op);
    }
    if (reset) {
        *nothing = empty_like(second);
        first = nothing;
    }
    *first_out = first;
    return 0;
}

int range_histogram_increase(struct range_operator *op, const struct window *w, bool counter,
    struct histogram **increase_out)
{
    *increase_out = NULL;
    struct histogram_line line = range_line(op, counter);
    const struct histogram *first, *last = w->histograms[w->histogram_count - 1];
    struct histogram nothing;
    int status = judge_ends(&line, w->histograms[0], last);
    if (status == 0) {
        status = effective_first(op, w, counter, &nothing, &first);
    }
    if (status != 0) {
        return status;
    }
    bool custom = histogram_is_custom(first), ok = true;
    if (histogram_is_custom(last) != custom) {
        return annotate_mixed_buckets(&line);
    }
    int32_t schema = last->schema < first->schema ? last->schema : first->schema;
    status = survey(&line, w, custom, &schema, &ok);
    struct histogram_sum sum;
    if (status == 0 && ok && histogram_sum_init(&sum, last, op->scratch) != 0) {
        status = fail_memory(op);
    }
    if (status != 0 || !ok) {
        return status;
    }
    if (!custom) {
        histogram_sum_reduce(&sum, schema);
    }
    status = line_add(&line, &sum, first, -1, &ok);
    if (status == 0 && ok && counter) {
        status = add_resets(op, &line, w, first, &sum, &ok);
    } else if (status == 0 && ok &&
               (w->histograms[0]->reset_hint != HISTOGRAM_GAUGE ||
                   last->reset_hint != HISTOGRAM_GAUGE)) {
        status = annotate_not_gauge(&line);
    }
    if (status != 0 || !ok) {
        return status;
    }
    sum.reset_hint = HISTOGRAM_GAUGE;
    *increase_out = histogram_sum_take(&sum, op->scratch);
    return *increase_out != NULL ? 0 : fail_memory(op);
}

/* ---- Sums and means ---- */

/* Claims about resets that do not go together. */
struct hints_seen {
    bool reset, no_reset;
};

static void see_hint(struct hints_seen *seen, const struct histogram *h)
{
    seen->reset = seen->reset || h->reset_hint == HISTOGRAM_RESET_YES;
    seen->no_reset = seen->no_reset || h->reset_hint == HISTOGRAM_RESET_NO;
}

/* Adds with the notes of an aggregation. */
static int accumulate(struct range_operator *op, struct histogram_sum *sum,
    const struct histogram *h, unsigned *notes, bool *ok_out)
{
    int status = histogram_sum_add(sum, h, 1, notes);
    *ok_out = status == 0;
    if (status == ERR_UNSUPPORTED) {
        struct histogram_line line = range_line(op, false);
        return annotate_mixed_buckets(&line);
    }
    return status == 0 ? 0 : fail_memory(op);
}

static int finish(struct range_operator *op, const struct histogram_sum *sum,
    const struct hints_seen *seen, unsigned notes, struct range_value *out)
{
    unsigned told = notes & HISTOGRAM_NOTE_RECONCILED;
    told |= seen->reset && seen->no_reset ? HISTOGRAM_NOTE_COLLISION : 0;
    int status = annotate_notes(op->node.query, op->annotated, told, "aggregation");
    if (status != 0) {
        return status;
    }
    const struct histogram *result = histogram_sum_take(sum, op->scratch);
    if (result == NULL) {
        return fail_memory(op);
    }
    range_set_histogram(out, result);
    return 0;
}

int range_sum_histograms(struct range_operator *op, const struct window *w, struct range_value *out)
{
    struct histogram_sum sum;
    struct hints_seen seen = {0};
    unsigned notes = 0;
    if (histogram_sum_init(&sum, w->histograms[0], op->scratch) != 0) {
        return fail_memory(op);
    }
    see_hint(&seen, w->histograms[0]);
    for (size_t i = 1; i < w->histogram_count; i++) {
        bool ok;
        see_hint(&seen, w->histograms[i]);
        int status = accumulate(op, &sum, w->histograms[i], &notes, &ok);
        if (status != 0 || !ok) {
            return status;
        }
    }
    return finish(op, &sum, &seen, notes, out);
}

/* One more sample of a mean that is kept as a mean, since the sum would overflow. */
static int accumulate_mean(struct range_operator *op, struct histogram_sum *mean,
    const struct histogram *h, double count, unsigned *notes, bool *ok_out)
{
    struct histogram *part;
    histogram_sum_multiply(mean, (count - 1) / count);
    if (histogram_divide(h, count, op->scratch, &part) != 0) {
        return fail_memory(op);
    }
    return accumulate(op, mean, part, notes, ok_out);
}

int range_avg_histograms(struct range_operator *op, const struct window *w, struct range_value *out)
{
    struct histogram_sum sum, attempt;
    struct hints_seen seen = {0};
    unsigned notes = 0;
    bool is_mean = false;
    if (histogram_sum_init(&sum, w->histograms[0], op->scratch) != 0) {
        return fail_memory(op);
    }
    see_hint(&seen, w->histograms[0]);
    for (size_t i = 1; i < w->histogram_count; i++) {
        const struct histogram *h = w->histograms[i];
        double count = (double)(i + 1);
        bool ok = true;
        int status = 0;
        see_hint(&seen, h);
        if (!is_mean) {
            if (histogram_sum_copy(&sum, &attempt) != 0) {
                return fail_memory(op);
            }
            status = accumulate(op, &attempt, h, &notes, &ok);
            if (status != 0 || !ok) {
                return status;
            }
            if (!histogram_sum_overflows(&attempt)) {
                sum = attempt;
                continue;
            }
            is_mean = true;
            histogram_sum_divide(&sum, count - 1);
        }
        status = accumulate_mean(op, &sum, h, count, &notes, &ok);
        if (status != 0 || !ok) {
            return status;
        }
    }
    if (!is_mean) {
        histogram_sum_divide(&sum, (double)w->histogram_count);
    }
    return finish(op, &sum, &seen, notes, out);
}
