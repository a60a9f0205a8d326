/* The query language: text -> checked tree -> text.
 *
 * The whole of PromQL as Prometheus 3.14 reads it, with the error sentences Prometheus gives
 * ("1:5: parse error: unexpected <op:*>"). Trees live in the arena they were parsed into and are
 * read-only after that: one tree may be evaluated from many threads. Positions are byte offsets in
 * the query text, so that warnings can point at the place they speak of.
 */
#ifndef SONDE_QUERY_PROMQL_H
#define SONDE_QUERY_PROMQL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/str.h"
#include "base/strbuf.h"
#include "model/matcher.h"

/* Longest query text. */
#define PROMQL_BYTES_MAX ((size_t)1 << 20)
/* Deepest tree, and deepest nesting while parsing. Everything that walks a tree may recurse this
 * far and no further. */
#define PROMQL_DEPTH_MAX 500
/* Arguments of one call, labels of one grouping, matchers of one selector. */
#define PROMQL_LIST_MAX 4096

enum promql_type {
    PROMQL_NONE,
    PROMQL_SCALAR,
    PROMQL_VECTOR,
    PROMQL_MATRIX,
    PROMQL_STRING,
};

/* What is accepted beyond the stable language. All off = Prometheus without feature flags, except
 * that duration expressions are on by default there. */
struct promql_features {
    bool experimental_functions; /* promql-experimental-functions: functions, limitk, limit_ratio */
    bool duration_expressions;   /* arithmetic in [..] and offset */
    bool extended_range_selectors; /* anchored, smoothed */
    bool fill_modifiers;           /* fill, fill_left, fill_right */
    bool
        metricsql; /* metricsql: functions and operators of MetricsQL; the experimental ones, too */
};

#define PROMQL_FEATURES_DEFAULT ((struct promql_features){.duration_expressions = true})
#define PROMQL_FEATURES_ALL ((struct promql_features){true, true, true, true, true})

/* ---- Operators ---- */

/* name, text */
#define PROMQL_BINARY_LIST(X)                                                                      \
    X(ADD, "+")                                                                                    \
    X(SUB, "-")                                                                                    \
    X(MUL, "*")                                                                                    \
    X(DIV, "/")                                                                                    \
    X(MOD, "%")                                                                                    \
    X(POW, "^")                                                                                    \
    X(ATAN2, "atan2")                                                                              \
    X(EQL, "==")                                                                                   \
    X(NEQ, "!=")                                                                                   \
    X(GTR, ">")                                                                                    \
    X(LSS, "<")                                                                                    \
    X(GTE, ">=")                                                                                   \
    X(LTE, "<=")                                                                                   \
    X(TRIM_UPPER, "</")                                                                            \
    X(TRIM_LOWER, ">/")                                                                            \
    X(AND, "and")                                                                                  \
    X(OR, "or")                                                                                    \
    X(UNLESS, "unless")

enum binary_op {
#define X(name, text) BINARY_##name,
    PROMQL_BINARY_LIST(X)
#undef X
};

/* name, text, takes a parameter of this type (0 none, s scalar, t string), experimental */
#define PROMQL_AGGREGATE_LIST(X)                                                                   \
    X(SUM, "sum", 0, false)                                                                        \
    X(AVG, "avg", 0, false)                                                                        \
    X(COUNT, "count", 0, false)                                                                    \
    X(MIN, "min", 0, false)                                                                        \
    X(MAX, "max", 0, false)                                                                        \
    X(GROUP, "group", 0, false)                                                                    \
    X(STDDEV, "stddev", 0, false)                                                                  \
    X(STDVAR, "stdvar", 0, false)                                                                  \
    X(TOPK, "topk", 's', false)                                                                    \
    X(BOTTOMK, "bottomk", 's', false)                                                              \
    X(QUANTILE, "quantile", 's', false)                                                            \
    X(COUNT_VALUES, "count_values", 't', false)                                                    \
    X(LIMITK, "limitk", 's', true)                                                                 \
    X(LIMIT_RATIO, "limit_ratio", 's', true)

/* Aggregations of MetricsQL, in the same columns; known only with the feature. They choose whole series, by
 * one number of each. */
#define METRICSQL_AGGREGATE_LIST(X)                                                                \
    X(BOTTOMK_AVG, "bottomk_avg", 's', false)                                                      \
    X(BOTTOMK_LAST, "bottomk_last", 's', false)                                                    \
    X(BOTTOMK_MAX, "bottomk_max", 's', false)                                                      \
    X(BOTTOMK_MEDIAN, "bottomk_median", 's', false)                                                \
    X(BOTTOMK_MIN, "bottomk_min", 's', false)                                                      \
    X(TOPK_AVG, "topk_avg", 's', false)                                                            \
    X(TOPK_LAST, "topk_last", 's', false)                                                          \
    X(TOPK_MAX, "topk_max", 's', false)                                                            \
    X(TOPK_MEDIAN, "topk_median", 's', false)                                                      \
    X(TOPK_MIN, "topk_min", 's', false)

enum aggregate_op {
#define X(name, text, parameter, experimental) AGGREGATE_##name,
    PROMQL_AGGREGATE_LIST(X) METRICSQL_AGGREGATE_LIST(X)
#undef X
        AGGREGATE_LIST_END
};

const char *binary_op_text(enum binary_op op);
/* == != > < >= <= */
bool binary_op_is_comparison(enum binary_op op);
/* and or unless */
bool binary_op_is_set(enum binary_op op);
const char *aggregate_op_text(enum aggregate_op op);
/* Does it choose whole series (METRICSQL_AGGREGATE_LIST)? */
static inline bool aggregate_op_chooses_series(enum aggregate_op op)
{
    return op > AGGREGATE_LIMIT_RATIO;
}
/* The aggregation of MetricsQL of that name; false when there is none. */
bool metricsql_aggregate_find(struct str name, enum aggregate_op *op_out);
/* 0, 's' for a scalar parameter, 't' for a string. */
char aggregate_op_parameter(enum aggregate_op op);
bool aggregate_op_is_experimental(enum aggregate_op op);

/* ---- Functions ----
 *
 * One row each: name, text, argument types (v instant vector, m range vector, s scalar, t string),
 * how many arguments beyond all but the last may come (0: exactly as listed; n: the last is optional
 * and may be repeated up to n times; -1: any number), return type, experimental. */
#define PROMQL_FUNCTION_LIST(X)                                                                    \
    X(ABS, "abs", "v", 0, 'v', false)                                                              \
    X(ABSENT, "absent", "v", 0, 'v', false)                                                        \
    X(ABSENT_OVER_TIME, "absent_over_time", "m", 0, 'v', false)                                    \
    X(ACOS, "acos", "v", 0, 'v', false)                                                            \
    X(ACOSH, "acosh", "v", 0, 'v', false)                                                          \
    X(ASIN, "asin", "v", 0, 'v', false)                                                            \
    X(ASINH, "asinh", "v", 0, 'v', false)                                                          \
    X(ATAN, "atan", "v", 0, 'v', false)                                                            \
    X(ATANH, "atanh", "v", 0, 'v', false)                                                          \
    X(AVG_OVER_TIME, "avg_over_time", "m", 0, 'v', false)                                          \
    X(CEIL, "ceil", "v", 0, 'v', false)                                                            \
    X(CHANGES, "changes", "m", 0, 'v', false)                                                      \
    X(CLAMP, "clamp", "vss", 0, 'v', false)                                                        \
    X(CLAMP_MAX, "clamp_max", "vs", 0, 'v', false)                                                 \
    X(CLAMP_MIN, "clamp_min", "vs", 0, 'v', false)                                                 \
    X(COS, "cos", "v", 0, 'v', false)                                                              \
    X(COSH, "cosh", "v", 0, 'v', false)                                                            \
    X(COUNT_OVER_TIME, "count_over_time", "m", 0, 'v', false)                                      \
    X(DAY_OF_MONTH, "day_of_month", "v", 1, 'v', false)                                            \
    X(DAY_OF_WEEK, "day_of_week", "v", 1, 'v', false)                                              \
    X(DAY_OF_YEAR, "day_of_year", "v", 1, 'v', false)                                              \
    X(DAYS_IN_MONTH, "days_in_month", "v", 1, 'v', false)                                          \
    X(DEG, "deg", "v", 0, 'v', false)                                                              \
    X(DELTA, "delta", "m", 0, 'v', false)                                                          \
    X(DERIV, "deriv", "m", 0, 'v', false)                                                          \
    X(DOUBLE_EXPONENTIAL_SMOOTHING, "double_exponential_smoothing", "mss", 0, 'v', true)           \
    X(END, "end", "", 0, 's', true)                                                                \
    X(EXP, "exp", "v", 0, 'v', false)                                                              \
    X(FIRST_OVER_TIME, "first_over_time", "m", 0, 'v', false)                                      \
    X(FLOOR, "floor", "v", 0, 'v', false)                                                          \
    X(HISTOGRAM_AVG, "histogram_avg", "v", 0, 'v', false)                                          \
    X(HISTOGRAM_COUNT, "histogram_count", "v", 0, 'v', false)                                      \
    X(HISTOGRAM_FRACTION, "histogram_fraction", "ssv", 0, 'v', false)                              \
    X(HISTOGRAM_QUANTILE, "histogram_quantile", "sv", 0, 'v', false)                               \
    X(HISTOGRAM_QUANTILES, "histogram_quantiles", "vtss", 9, 'v', true)                            \
    X(HISTOGRAM_STDDEV, "histogram_stddev", "v", 0, 'v', false)                                    \
    X(HISTOGRAM_STDVAR, "histogram_stdvar", "v", 0, 'v', false)                                    \
    X(HISTOGRAM_SUM, "histogram_sum", "v", 0, 'v', false)                                          \
    X(HOUR, "hour", "v", 1, 'v', false)                                                            \
    X(IDELTA, "idelta", "m", 0, 'v', false)                                                        \
    X(INCREASE, "increase", "m", 0, 'v', false)                                                    \
    X(INFO, "info", "vv", 1, 'v', true)                                                            \
    X(IRATE, "irate", "m", 0, 'v', false)                                                          \
    X(LABEL_JOIN, "label_join", "vttt", -1, 'v', false)                                            \
    X(LABEL_REPLACE, "label_replace", "vtttt", 0, 'v', false)                                      \
    X(LAST_OVER_TIME, "last_over_time", "m", 0, 'v', false)                                        \
    X(LN, "ln", "v", 0, 'v', false)                                                                \
    X(LOG10, "log10", "v", 0, 'v', false)                                                          \
    X(LOG2, "log2", "v", 0, 'v', false)                                                            \
    X(MAD_OVER_TIME, "mad_over_time", "m", 0, 'v', true)                                           \
    X(MAX_OF, "max_of", "ss", 0, 's', true)                                                        \
    X(MAX_OVER_TIME, "max_over_time", "m", 0, 'v', false)                                          \
    X(MIN_OF, "min_of", "ss", 0, 's', true)                                                        \
    X(MIN_OVER_TIME, "min_over_time", "m", 0, 'v', false)                                          \
    X(MINUTE, "minute", "v", 1, 'v', false)                                                        \
    X(MONTH, "month", "v", 1, 'v', false)                                                          \
    X(PI, "pi", "", 0, 's', false)                                                                 \
    X(PREDICT_LINEAR, "predict_linear", "ms", 0, 'v', false)                                       \
    X(PRESENT_OVER_TIME, "present_over_time", "m", 0, 'v', false)                                  \
    X(QUANTILE_OVER_TIME, "quantile_over_time", "sm", 0, 'v', false)                               \
    X(RAD, "rad", "v", 0, 'v', false)                                                              \
    X(RANGE, "range", "", 0, 's', true)                                                            \
    X(RATE, "rate", "m", 0, 'v', false)                                                            \
    X(RESETS, "resets", "m", 0, 'v', false)                                                        \
    X(ROUND, "round", "vs", 1, 'v', false)                                                         \
    X(SCALAR, "scalar", "v", 0, 's', false)                                                        \
    X(SGN, "sgn", "v", 0, 'v', false)                                                              \
    X(SIN, "sin", "v", 0, 'v', false)                                                              \
    X(SINH, "sinh", "v", 0, 'v', false)                                                            \
    X(SORT, "sort", "v", 0, 'v', false)                                                            \
    X(SORT_BY_LABEL, "sort_by_label", "vt", -1, 'v', true)                                         \
    X(SORT_BY_LABEL_DESC, "sort_by_label_desc", "vt", -1, 'v', true)                               \
    X(SORT_DESC, "sort_desc", "v", 0, 'v', false)                                                  \
    X(SQRT, "sqrt", "v", 0, 'v', false)                                                            \
    X(START, "start", "", 0, 's', true)                                                            \
    X(START_TIMESTAMP, "start_timestamp", "v", 0, 'v', true)                                       \
    X(STDDEV_OVER_TIME, "stddev_over_time", "m", 0, 'v', false)                                    \
    X(STDVAR_OVER_TIME, "stdvar_over_time", "m", 0, 'v', false)                                    \
    X(STEP, "step", "", 0, 's', true)                                                              \
    X(SUM_OVER_TIME, "sum_over_time", "m", 0, 'v', false)                                          \
    X(TAN, "tan", "v", 0, 'v', false)                                                              \
    X(TANH, "tanh", "v", 0, 'v', false)                                                            \
    X(TIME, "time", "", 0, 's', false)                                                             \
    X(TIMESTAMP, "timestamp", "v", 0, 'v', false)                                                  \
    X(TS_OF_FIRST_OVER_TIME, "ts_of_first_over_time", "m", 0, 'v', true)                           \
    X(TS_OF_LAST_OVER_TIME, "ts_of_last_over_time", "m", 0, 'v', true)                             \
    X(TS_OF_MAX_OVER_TIME, "ts_of_max_over_time", "m", 0, 'v', true)                               \
    X(TS_OF_MIN_OVER_TIME, "ts_of_min_over_time", "m", 0, 'v', true)                               \
    X(VECTOR, "vector", "s", 0, 'v', false)                                                        \
    X(YEAR, "year", "v", 1, 'v', false)

/* Functions of MetricsQL, in the same columns; known only with the feature. Those that are other
 * expressions in another coat are not here but in metricsql.c. */
#define METRICSQL_FUNCTION_LIST(X)                                                                 \
    X(ASCENT_OVER_TIME, "ascent_over_time", "m", 0, 'v', false)                                    \
    X(BITMAP_AND, "bitmap_and", "vs", 0, 'v', false)                                               \
    X(BITMAP_OR, "bitmap_or", "vs", 0, 'v', false)                                                 \
    X(BITMAP_XOR, "bitmap_xor", "vs", 0, 'v', false)                                               \
    X(BUCKETS_LIMIT, "buckets_limit", "sv", 0, 'v', false)                                         \
    X(COUNT_EQ_OVER_TIME, "count_eq_over_time", "ms", 0, 'v', false)                               \
    X(COUNT_GT_OVER_TIME, "count_gt_over_time", "ms", 0, 'v', false)                               \
    X(COUNT_LE_OVER_TIME, "count_le_over_time", "ms", 0, 'v', false)                               \
    X(COUNT_NE_OVER_TIME, "count_ne_over_time", "ms", 0, 'v', false)                               \
    X(DECREASES_OVER_TIME, "decreases_over_time", "m", 0, 'v', false)                              \
    X(DEFAULT, "default", "vv", 0, 'v', false)                                                     \
    X(DESCENT_OVER_TIME, "descent_over_time", "m", 0, 'v', false)                                  \
    X(DISTINCT_OVER_TIME, "distinct_over_time", "m", 0, 'v', false)                                \
    X(GEOMEAN_OVER_TIME, "geomean_over_time", "m", 0, 'v', false)                                  \
    X(INCREASES_OVER_TIME, "increases_over_time", "m", 0, 'v', false)                              \
    X(INTEGRATE, "integrate", "m", 0, 'v', false)                                                  \
    X(INTERPOLATE, "interpolate", "v", 0, 'v', false)                                              \
    X(KEEP_LAST_VALUE, "keep_last_value", "v", 0, 'v', false)                                      \
    X(KEEP_NEXT_VALUE, "keep_next_value", "v", 0, 'v', false)                                      \
    X(LABEL_KEEP, "label_keep", "vtt", -1, 'v', false)                                             \
    X(LABEL_LOWERCASE, "label_lowercase", "vtt", -1, 'v', false)                                   \
    X(LABEL_MAP, "label_map", "vtttt", -1, 'v', false)                                             \
    X(LABEL_MATCH, "label_match", "vtt", 0, 'v', false)                                            \
    X(LABEL_MISMATCH, "label_mismatch", "vtt", 0, 'v', false)                                      \
    X(LABEL_TRANSFORM, "label_transform", "vttt", 0, 'v', false)                                   \
    X(LABEL_UPPERCASE, "label_uppercase", "vtt", -1, 'v', false)                                   \
    X(LABEL_VALUE, "label_value", "vt", 0, 'v', false)                                             \
    X(LABELS_EQUAL, "labels_equal", "vttt", -1, 'v', false)                                        \
    X(LAG, "lag", "m", 0, 'v', false)                                                              \
    X(LIFETIME, "lifetime", "m", 0, 'v', false)                                                    \
    X(LIMIT_OFFSET, "limit_offset", "ssv", 0, 'v', false)                                          \
    X(MODE_OVER_TIME, "mode_over_time", "m", 0, 'v', false)                                        \
    X(PROMETHEUS_BUCKETS, "prometheus_buckets", "v", 0, 'v', false)                                \
    X(RANGE_AVG, "range_avg", "v", 0, 'v', false)                                                  \
    X(RANGE_FIRST, "range_first", "v", 0, 'v', false)                                              \
    X(RANGE_LAST, "range_last", "v", 0, 'v', false)                                                \
    X(RANGE_LINEAR_REGRESSION, "range_linear_regression", "v", 0, 'v', false)                      \
    X(RANGE_MAD, "range_mad", "v", 0, 'v', false)                                                  \
    X(RANGE_MAX, "range_max", "v", 0, 'v', false)                                                  \
    X(RANGE_MEDIAN, "range_median", "v", 0, 'v', false)                                            \
    X(RANGE_MIN, "range_min", "v", 0, 'v', false)                                                  \
    X(RANGE_NORMALIZE, "range_normalize", "v", 0, 'v', false)                                      \
    X(RANGE_OVER_TIME, "range_over_time", "m", 0, 'v', false)                                      \
    X(RANGE_QUANTILE, "range_quantile", "sv", 0, 'v', false)                                       \
    X(RANGE_STDDEV, "range_stddev", "v", 0, 'v', false)                                            \
    X(RANGE_STDVAR, "range_stdvar", "v", 0, 'v', false)                                            \
    X(RANGE_SUM, "range_sum", "v", 0, 'v', false)                                                  \
    X(RANGE_TRIM_OUTLIERS, "range_trim_outliers", "sv", 0, 'v', false)                             \
    X(RANGE_TRIM_SPIKES, "range_trim_spikes", "sv", 0, 'v', false)                                 \
    X(RANGE_TRIM_ZSCORE, "range_trim_zscore", "sv", 0, 'v', false)                                 \
    X(RANGE_ZSCORE, "range_zscore", "v", 0, 'v', false)                                            \
    X(RATE_OVER_SUM, "rate_over_sum", "m", 0, 'v', false)                                          \
    X(REMOVE_RESETS, "remove_resets", "v", 0, 'v', false)                                          \
    X(ROLLUP_CANDLESTICK, "rollup_candlestick", "mt", 0, 'v', false)                               \
    X(ROLLUP_DELTA, "rollup_delta", "mt", 0, 'v', false)                                           \
    X(ROLLUP_DERIV, "rollup_deriv", "mt", 0, 'v', false)                                           \
    X(ROLLUP_INCREASE, "rollup_increase", "mt", 0, 'v', false)                                     \
    X(ROLLUP_RATE, "rollup_rate", "mt", 0, 'v', false)                                             \
    X(ROLLUP_SCRAPE_INTERVAL, "rollup_scrape_interval", "mt", 0, 'v', false)                       \
    X(RUNNING_AVG, "running_avg", "v", 0, 'v', false)                                              \
    X(RUNNING_MAX, "running_max", "v", 0, 'v', false)                                              \
    X(RUNNING_MIN, "running_min", "v", 0, 'v', false)                                              \
    X(RUNNING_SUM, "running_sum", "v", 0, 'v', false)                                              \
    X(SCRAPE_INTERVAL, "scrape_interval", "m", 0, 'v', false)                                      \
    X(SHARE_EQ_OVER_TIME, "share_eq_over_time", "ms", 0, 'v', false)                               \
    X(SHARE_GT_OVER_TIME, "share_gt_over_time", "ms", 0, 'v', false)                               \
    X(SHARE_LE_OVER_TIME, "share_le_over_time", "ms", 0, 'v', false)                               \
    X(SMOOTH_EXPONENTIAL, "smooth_exponential", "vs", 0, 'v', false)                               \
    X(SUM2_OVER_TIME, "sum2_over_time", "m", 0, 'v', false)                                        \
    X(SUM_EQ_OVER_TIME, "sum_eq_over_time", "ms", 0, 'v', false)                                   \
    X(SUM_GT_OVER_TIME, "sum_gt_over_time", "ms", 0, 'v', false)                                   \
    X(SUM_LE_OVER_TIME, "sum_le_over_time", "ms", 0, 'v', false)                                   \
    X(UNION, "union", "vv", -1, 'v', false)                                                        \
    X(ZSCORE_OVER_TIME, "zscore_over_time", "m", 0, 'v', false)

/* FUNCTION_COUNT stands between Prometheus' functions and those of MetricsQL. */
enum function_id {
#define X(name, text, arguments, variadic, result, experimental) FUNCTION_##name,
    PROMQL_FUNCTION_LIST(X)
#undef X
        FUNCTION_COUNT,
#define X(name, text, arguments, variadic, result, experimental) FUNCTION_##name,
    METRICSQL_FUNCTION_LIST(X)
#undef X
        FUNCTION_LIST_END
};

struct promql_function {
    enum function_id id;
    const char *name;
    const char *arguments; /* one letter each, see above */
    int variadic;
    enum promql_type result;
    bool experimental;
};

/* The row, or NULL. Names are case-sensitive. */
const struct promql_function *promql_function_find(struct str name);
/* The same among the functions of MetricsQL. */
const struct promql_function *metricsql_function_find(struct str name);
/* The row of an id. */
const struct promql_function *promql_function_at(enum function_id id);
/* The type of the index-th argument; beyond the listed ones, that of the last. */
enum promql_type promql_function_argument_type(const struct promql_function *f, size_t index);

/* ---- The tree ---- */

enum expr_kind {
    EXPR_NUMBER,
    EXPR_STRING,
    EXPR_SELECTOR, /* instant vector selector */
    EXPR_MATRIX,   /* range vector selector */
    EXPR_SUBQUERY,
    EXPR_CALL,
    EXPR_AGGREGATE,
    EXPR_BINARY,
    EXPR_UNARY,
    EXPR_PAREN,
    EXPR_DURATION, /* arithmetic inside [..] and after offset; never part of a value */
};

/* Byte offsets in the query text: first, and one past the last. */
struct expr_position {
    uint32_t start, end;
};

enum at_kind { AT_NONE, AT_TIME, AT_START, AT_END };

/* The modifiers `offset` and `@`. */
struct expr_when {
    int64_t offset_ms;        /* 0 when offset_expr is set */
    struct expr *offset_expr; /* EXPR_DURATION, or NULL */
    int64_t at_ms;            /* AT_TIME */
    enum at_kind at;
};

struct expr_selector {
    struct str name;                       /* before the braces; empty when there was none */
    const struct matcher *const *matchers; /* the name's matcher comes last when `name` is set */
    size_t matcher_count;
    struct expr_when when;
    bool anchored, smoothed;
    bool may_match_all; /* second argument of info(): needs no non-empty matcher */
    bool counts_only;   /* set by the engine: of histograms only count and sum are wanted */
    /* Set by the engine: buckets of a downsampled tier answer as well as samples, and what of them. */
    bool takes_buckets;
    unsigned bucket_needs;
};

struct expr_matrix {
    struct expr *selector; /* EXPR_SELECTOR; its `when` and modifiers are those of the range */
    int64_t range_ms;
    struct expr *range_expr; /* EXPR_DURATION, or NULL */
};

struct expr_subquery {
    struct expr *expr;
    int64_t range_ms;
    struct expr *range_expr;
    int64_t step_ms; /* 0 = the default step */
    struct expr *step_expr;
    struct expr_when when;
};

struct expr_call {
    const struct promql_function *function;
    struct expr **arguments;
    size_t argument_count;
};

struct expr_aggregate {
    enum aggregate_op op;
    bool without; /* drop the listed labels instead of keeping them */
    const struct str *grouping;
    size_t grouping_count;
    struct expr *parameter; /* or NULL */
    struct expr *expr;
};

enum match_cardinality {
    MATCH_ONE_TO_ONE,
    MATCH_MANY_TO_ONE,
    MATCH_ONE_TO_MANY,
    MATCH_MANY_TO_MANY
};

/* How series of the two sides find each other; meaningful when both sides are vectors. */
struct vector_matching {
    enum match_cardinality cardinality;
    bool on; /* match on the listed labels; else ignore them */
    const struct str *labels;
    size_t label_count;
    const struct str *include; /* group_left(…), group_right(…) */
    size_t include_count;
    bool has_fill_left, has_fill_right;
    double fill_left, fill_right;
};

struct expr_binary {
    enum binary_op op;
    bool return_bool;
    bool vector_matching; /* both sides are vectors: `matching` applies */
    struct vector_matching matching;
    struct expr *left, *right;
};

struct expr_unary {
    bool negative;
    struct expr *expr;
};

enum duration_op {
    DURATION_ADD,
    DURATION_SUB,
    DURATION_MUL,
    DURATION_DIV,
    DURATION_MOD,
    DURATION_POW,
    DURATION_STEP,
    DURATION_RANGE,
    DURATION_MIN_OF,
    DURATION_MAX_OF,
};

/* ADD and SUB without `left` are unary. Operands are EXPR_NUMBER (seconds) or EXPR_DURATION. */
struct expr_duration {
    enum duration_op op;
    bool wrapped; /* stood in parentheses */
    struct expr *left, *right;
};

struct expr {
    enum expr_kind kind;
    enum promql_type type;
    bool keep_name; /* keep_metric_names stands behind it */
    struct expr_position position;
    uint32_t depth; /* of the tree below, 1 for a leaf */
    union {
        struct {
            double value;
            bool is_duration; /* written as 5m: printed so */
        } number;
        struct str string;
        struct expr_selector selector;
        struct expr_matrix matrix;
        struct expr_subquery subquery;
        struct expr_call call;
        struct expr_aggregate aggregate;
        struct expr_binary binary;
        struct expr_unary unary;
        struct expr *paren;
        struct expr_duration duration;
    };
};

/* Parses and checks `text`, which is borrowed only during the call. The tree lives in `arena`.
 * ERR_INVALID with Prometheus' sentence and e->position; ERR_LIMIT for a text too long or nested
 * too deep, or an arena too small; ERR_NOMEM. */
int promql_parse(struct str text, struct promql_features features, struct arena *arena,
    struct expr **expr_out, struct err *e);
/* A selector alone, as match[] parameters hold it: `up`, `{job="a"}`, `up{job=~"a|b"}`. Gives an
 * EXPR_SELECTOR. A selector that matches everything is refused, as is one with modifiers. */
int promql_parse_selector(
    struct str text, struct arena *arena, struct expr **expr_out, struct err *e);

/* Canonical text: parses back to an equal tree. */
void promql_write(const struct expr *expr, struct strbuf *out);
/* The same over several lines, indented by two spaces, where one line would be too long: what
 * /api/v1/format_query answers. */
void promql_write_pretty(const struct expr *expr, struct strbuf *out);
/* A string literal with double quotes and Go's escapes, as Prometheus' %q prints it. */
void promql_write_quoted(struct str text, struct strbuf *out);

/* "1:5": line and column (in bytes) of an offset in the query, from 1. */
void promql_write_position(struct str query, uint32_t offset, struct strbuf *out);

/* "scalar", "vector", "matrix", "string", "none": as resultType says it. */
const char *promql_type_name(enum promql_type type);
/* "scalar", "instant vector", "range vector": as error sentences say it. */
const char *promql_type_phrase(enum promql_type type);

/* Calls `visit` for `expr` and everything below, parents first. A visit that returns non-zero stops
 * the walk, which returns that number. `parent` is NULL for the root. */
typedef int (*promql_visit)(struct expr *expr, struct expr *parent, void *context);
int promql_walk(struct expr *expr, promql_visit visit, void *context);

#endif
