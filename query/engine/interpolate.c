/* Interpolation of histograms, and shared sentences; see interpolate.h. */
#include "interpolate.h"

int annotate_mixed_types(const struct histogram_line *line)
{
    return query_annotate(line->query, ANNOTATION_WARNING, line->expr,
        "encountered a mix of histograms and floats for metric name \"%.*s\"",
        STR_ARG(line->metric));
}

int annotate_mixed_buckets(const struct histogram_line *line)
{
    return query_annotate(line->query, ANNOTATION_WARNING, line->expr,
        "vector contains a mix of histograms with exponential and custom buckets schemas for "
        "metric name \"%.*s\"",
        STR_ARG(line->metric));
}

int annotate_not_counter(const struct histogram_line *line)
{
    return query_annotate(line->query, ANNOTATION_WARNING, line->expr,
        "this native histogram metric is not a counter: \"%.*s\"", STR_ARG(line->metric));
}

int annotate_not_gauge(const struct histogram_line *line)
{
    return query_annotate(line->query, ANNOTATION_WARNING, line->expr,
        "this native histogram metric is not a gauge: \"%.*s\"", STR_ARG(line->metric));
}

int annotate_ignored_in_range(const struct histogram_line *line)
{
    return query_annotate(line->query, ANNOTATION_INFO, line->expr,
        "ignored histograms in a range containing both floats and histograms for metric name "
        "\"%.*s\"",
        STR_ARG(line->metric));
}

int annotate_notes(struct query *q, const struct expr *expr, unsigned notes, const char *operation)
{
    int status = 0;
    if (notes & HISTOGRAM_NOTE_COLLISION) {
        status = query_annotate(q, ANNOTATION_WARNING, expr,
            "conflicting counter resets during histogram %s", operation);
    }
    if (status == 0 && (notes & HISTOGRAM_NOTE_RECONCILED)) {
        status = query_annotate(q, ANNOTATION_INFO, expr,
            "mismatched custom buckets were reconciled during %s", operation);
    }
    return status;
}

int line_add(const struct histogram_line *line, struct histogram_sum *sum,
    const struct histogram *h, double sign, bool *ok_out)
{
    unsigned notes = 0;
    int status = histogram_sum_add(sum, h, sign, &notes);
    *ok_out = status == 0;
    if (status == ERR_UNSUPPORTED) {
        return annotate_mixed_buckets(line);
    }
    if (status != 0) {
        return query_fail_memory(line->query, sum->arena);
    }
    // Counter resets are treated by who calls; only reconciled bounds are told.
    return annotate_notes(line->query, line->expr, notes & HISTOGRAM_NOTE_RECONCILED,
        sign < 0 ? "subtraction" : "addition");
}

/* h1 + (h2 - h1) * fraction */
static int interpolate_between(const struct histogram_line *line, const struct histogram *h1,
    const struct histogram *h2, double fraction, const struct histogram **result_out)
{
    struct histogram_sum sum;
    bool ok = true;
    int status = histogram_sum_init(&sum, h2, line->arena);
    if (status != 0) {
        return query_fail_memory(line->query, line->arena);
    }
    status = line_add(line, &sum, h1, -1, &ok);
    if (status == 0 && ok) {
        histogram_sum_multiply(&sum, fraction);
        status = line_add(line, &sum, h1, 1, &ok);
    }
    if (status != 0 || !ok) {
        return status;
    }
    *result_out = histogram_sum_take(&sum, line->arena);
    return *result_out != NULL ? 0 : query_fail_memory(line->query, line->arena);
}

int interpolate_histogram(const struct histogram_line *line, int64_t t1, const struct histogram *h1,
    int64_t t2, const struct histogram *h2, int64_t t, const struct histogram **result_out)
{
    *result_out = NULL;
    if (t == t1 || t == t2) {
        *result_out = t == t1 ? h1 : h2;
        return 0;
    }
    if (histogram_is_custom(h1) != histogram_is_custom(h2)) {
        return annotate_mixed_buckets(line);
    }
    double fraction = (double)(t - t1) / (double)(t2 - t1);
    bool reset = false;
    int status = line->counter ? histogram_detect_reset(h2, h1, line->arena, &reset) : 0;
    if (status == 0 && reset) {
        struct histogram *scaled;
        status = histogram_multiply(h2, fraction, line->arena, &scaled);
        if (status == 0) {
            *result_out = scaled;
            return 0;
        }
    }
    if (status != 0) {
        return query_fail_memory(line->query, line->arena);
    }
    return interpolate_between(line, h1, h2, fraction, result_out);
}
