/* Functions over range vectors: the window of samples they look at, and the rows of the functions.
 *
 * A function is called for each step of each series with the window of that step. Windows only move
 * forward, so a function may keep state between calls for one series; `begin` is called first. */
#ifndef SONDE_QUERY_ENGINE_RANGE_H
#define SONDE_QUERY_ENGINE_RANGE_H

#include "interpolate.h"
#include "operator.h"
#include "samples.h"
#include "windows.h"

struct window {
    /* Samples of (start, end]; with anchored and smoothed also those around it. */
    const int64_t *float_times;
    const double *floats;
    size_t float_count;
    const int64_t *histogram_times;
    const struct histogram *const *histograms;
    size_t histogram_count;
    /* Positions of the windows in the arrays of the series. */
    size_t first_float, first_histogram;
    int64_t start, end;
    int64_t t; /* of the step */
    size_t step;
};

struct range_value {
    enum sample_kind kind; /* absent unless set */
    double value;
    const struct histogram *histogram; /* in `scratch`, or of the window */
};

struct range_operator;

/* 0 or an error. */
typedef int (*range_step)(
    struct range_operator *op, const struct window *w, struct range_value *out);

/* All steps of a series that has only floats, in one loop, into op->out. 0 or an error. */
typedef int (*range_series)(struct range_operator *op);

struct range_row {
    enum function_id id;
    range_step step;
    range_series floats; /* NULL where step by step will do */
    bool keeps_name;
    bool anchored, smoothed; /* takes these modifiers */
};

struct range_operator {
    struct operator_node node;
    const struct range_row *row;
    const struct expr *argument;          /* the range vector */
    const struct expr *annotated;         /* the first argument, which annotations point at */
    const struct expr_selector *selector; /* of a matrix selector; NULL for a subquery */
    const struct expr_when *when;
    int64_t range_ms;
    const double *scalars[2]; /* other arguments, a value a step */
    /* Where series come from: a selector, or the expression of a subquery. */
    struct series_set *set;
    struct time_extent extent; /* what is read of each series */
    size_t next;
    struct operator_node *child;
    struct grid inner;
    const struct labels *labels; /* of the series at hand, with its name */
    bool drop_name;
    struct str judged_name, judged_type; /* of the series judged last; see range.c */
    struct samples samples;
    struct windows windows; /* where those of all steps lie in the floats */
    struct arena *scratch;  /* of histograms of the series handed out */
    struct arena_mark mark;
    struct step_series *out;
    /* Work space of functions, grown as needed. */
    double *values;
    size_t values_cap;
    size_t *positions; /* a queue of sample positions */
    size_t positions_cap, queue_begin, queue_end, queue_next;
    bool absent_mode; /* absent_over_time: all series were consumed */
    bool long_window; /* range_is_long */
};

/* The line of histogram arithmetic of the series at hand. */
struct histogram_line range_line(struct range_operator *op, bool counter);
/* Room for `count` numbers in op->values. */
int range_reserve_values(struct range_operator *op, size_t count);
/* Makes `h` (in op->scratch) the step's value. */
void range_set_histogram(struct range_value *out, const struct histogram *h);
static inline void range_set_float(struct range_value *out, double value)
{
    out->kind = SAMPLE_FLOAT;
    out->value = value;
}

/* Positions of the samples of (after, until], going on from where they were. */
struct span {
    size_t begin, end;
    size_t begin_stride, end_stride;
};

static inline void span_move(
    struct span *span, const int64_t *times, size_t count, int64_t after, int64_t until)
{
    size_t begin = times_advance(times, count, span->begin, span->begin_stride, after);
    size_t end = times_advance(times, count, span->end, span->end_stride, until);
    *span = (struct span){begin, end, begin - span->begin, end - span->end};
}

/* What is known of the samples of a window, whatever their kind. */
struct range_extent {
    int64_t first_t, last_t;
    size_t count;
    double first, increase; /* of the value, or of the histogram's count */
};

/* The increase between samples made to stand for the whole window, a second or not. */
double range_extrapolate(const struct range_operator *op, const struct range_extent *x,
    const struct window *w, bool counter, bool per_second);

/* One long window of a rate, an increase or a delta, from what the store knows of its runs without
 * decoding them (range_long.c). Is that worth a try for this operator? */
bool range_is_long(const struct range_operator *op);
/* Evaluates the only step of a series into op->out. False in *known_out: it has what summaries cannot
 * tell, and is to be loaded. False in *any_out: it has no samples. 0 or an error. */
int range_evaluate_long(
    struct range_operator *op, struct series *series, bool *known_out, bool *any_out);

/* A warning for a quantile outside [0, 1]. */
int range_judge_quantile(struct range_operator *op, double q);
/* Series of a tier (range_tier.c): the same functions over buckets, all steps. 1 when it is done; 0 when
 * the function wants samples, and the last ones of buckets have to do; or an error. */
int range_tier(struct range_operator *op);

/* The functions. */
int range_rate_floats(struct range_operator *op);
int range_increase_floats(struct range_operator *op);
int range_delta_floats(struct range_operator *op);
int range_irate_floats(struct range_operator *op);
int range_idelta_floats(struct range_operator *op);
int range_sum_floats(struct range_operator *op);
int range_avg_floats(struct range_operator *op);
int range_rate(struct range_operator *op, const struct window *w, struct range_value *out);
int range_increase(struct range_operator *op, const struct window *w, struct range_value *out);
int range_delta(struct range_operator *op, const struct window *w, struct range_value *out);
int range_irate(struct range_operator *op, const struct window *w, struct range_value *out);
int range_idelta(struct range_operator *op, const struct window *w, struct range_value *out);
int range_changes(struct range_operator *op, const struct window *w, struct range_value *out);
int range_resets(struct range_operator *op, const struct window *w, struct range_value *out);
/* rate, increase and delta with anchored or smoothed (range_extended.c). */
int range_extended_rate(struct range_operator *op, const struct window *w, bool counter,
    bool per_second, struct range_value *out);
/* rate, increase and delta of histograms (range_histogram.c): the increase alone. `*increase_out` is
 * NULL when there is none. */
int range_histogram_increase(struct range_operator *op, const struct window *w, bool counter,
    struct histogram **increase_out);

int range_sum(struct range_operator *op, const struct window *w, struct range_value *out);
int range_avg(struct range_operator *op, const struct window *w, struct range_value *out);
int range_sum_histograms(
    struct range_operator *op, const struct window *w, struct range_value *out);
int range_avg_histograms(
    struct range_operator *op, const struct window *w, struct range_value *out);
int range_min(struct range_operator *op, const struct window *w, struct range_value *out);
int range_max(struct range_operator *op, const struct window *w, struct range_value *out);
int range_ts_of_min(struct range_operator *op, const struct window *w, struct range_value *out);
int range_ts_of_max(struct range_operator *op, const struct window *w, struct range_value *out);
int range_count(struct range_operator *op, const struct window *w, struct range_value *out);
int range_present(struct range_operator *op, const struct window *w, struct range_value *out);
int range_first(struct range_operator *op, const struct window *w, struct range_value *out);
int range_last(struct range_operator *op, const struct window *w, struct range_value *out);
int range_ts_of_first(struct range_operator *op, const struct window *w, struct range_value *out);
int range_ts_of_last(struct range_operator *op, const struct window *w, struct range_value *out);
int range_stddev(struct range_operator *op, const struct window *w, struct range_value *out);
int range_stdvar(struct range_operator *op, const struct window *w, struct range_value *out);
int range_mad(struct range_operator *op, const struct window *w, struct range_value *out);
int range_quantile(struct range_operator *op, const struct window *w, struct range_value *out);
/* Of MetricsQL (range_rollup.c, range_shape.c, range_compare.c). */
int range_rollup(struct range_operator *op, const struct window *w, struct range_value *out);
int range_candlestick(struct range_operator *op, const struct window *w, struct range_value *out);
int range_shape(struct range_operator *op, const struct window *w, struct range_value *out);
int range_sum_eq(struct range_operator *op, const struct window *w, struct range_value *out);
int range_sum_gt(struct range_operator *op, const struct window *w, struct range_value *out);
int range_sum_le(struct range_operator *op, const struct window *w, struct range_value *out);
int range_count_eq(struct range_operator *op, const struct window *w, struct range_value *out);
int range_count_gt(struct range_operator *op, const struct window *w, struct range_value *out);
int range_count_le(struct range_operator *op, const struct window *w, struct range_value *out);
int range_count_ne(struct range_operator *op, const struct window *w, struct range_value *out);
int range_share_eq(struct range_operator *op, const struct window *w, struct range_value *out);
int range_share_gt(struct range_operator *op, const struct window *w, struct range_value *out);
int range_share_le(struct range_operator *op, const struct window *w, struct range_value *out);
int range_distinct(struct range_operator *op, const struct window *w, struct range_value *out);
int range_deriv(struct range_operator *op, const struct window *w, struct range_value *out);
int range_predict_linear(
    struct range_operator *op, const struct window *w, struct range_value *out);
int range_smoothing(struct range_operator *op, const struct window *w, struct range_value *out);

/* The q-quantile of `count` values, which are sorted in place (NaN first), by linear rank. */
double quantile_of(double q, double *values, size_t count);

#endif
