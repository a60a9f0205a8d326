/* Quantiles and fractions of one histogram, native or classic. */
#ifndef SONDE_QUERY_ENGINE_HISTOGRAM_QUANTILE_H
#define SONDE_QUERY_ENGINE_HISTOGRAM_QUANTILE_H

#include "histogram_math.h"

/* What an answer needs to say besides. */
enum quantile_note {
    QUANTILE_NOTE_NAN_RESULT = 1, /* NaN observations: the quantile is one of them */
    QUANTILE_NOTE_NAN_SKEW = 2,   /* NaN observations pull the quantile up */
};

/* 0 or the arena's error; scratch memory is given back. */
int native_quantile(
    const struct histogram *h, double q, struct arena *scratch, double *value_out, unsigned *notes);
int native_fraction(const struct histogram *h, double lower, double upper, struct arena *scratch,
    double *value_out, unsigned *notes);

/* One bucket of a classic histogram: the cumulative count up to a bound. */
struct classic_bucket {
    double upper;
    double count;
};

/* How counts that fell were repaired. */
struct classic_repair {
    bool forced;
    double min_bucket, max_bucket, max_difference;
};

/* Buckets may come in any order and are changed. */
double classic_quantile(
    struct classic_bucket *buckets, size_t count, double q, struct classic_repair *repair_out);
double classic_fraction(struct classic_bucket *buckets, size_t count, double lower, double upper);

#endif
