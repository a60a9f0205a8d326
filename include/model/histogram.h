/* Native histograms: a value type like double.
 *
 * Buckets are held as *float counts, absolute* (not deltas), since that is what the engine adds and
 * divides; integer histograms from the wire are exact up to 2^53. Layout as in Prometheus: spans say
 * which bucket indexes are populated; a bucket i of schema n covers (base^(i-1), base^i] with
 * base = 2^(2^-n); schema -53 has custom upper bounds instead (`custom_values`, +Inf implied).
 */
#ifndef SONDE_MODEL_HISTOGRAM_H
#define SONDE_MODEL_HISTOGRAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/strbuf.h"

#define HISTOGRAM_SCHEMA_MIN (-4)
#define HISTOGRAM_SCHEMA_MAX 8
#define HISTOGRAM_SCHEMA_CUSTOM (-53)
/* Buckets of one side that are accepted from outside. */
#define HISTOGRAM_BUCKETS_MAX 16384

enum histogram_reset_hint {
    HISTOGRAM_RESET_UNKNOWN = 0,
    HISTOGRAM_RESET_YES = 1,
    HISTOGRAM_RESET_NO = 2,
    HISTOGRAM_GAUGE = 3,
};

struct histogram_span {
    int32_t offset;  /* gap to the end of the previous span; the first: index of its first bucket */
    uint32_t length; /* buckets in a row */
};

/* One side. Spans and counts are borrowed from whoever made the histogram. */
struct histogram_buckets {
    const struct histogram_span *spans;
    size_t span_count;
    const double *counts; /* one for each bucket of the spans, in order */
    size_t count;
};

struct histogram {
    int32_t schema;
    enum histogram_reset_hint reset_hint;
    bool integer; /* came as integer counts: kept so that it can be handed out as it came */
    double zero_threshold;
    double zero_count;
    double count;
    double sum; /* the stale marker here marks the whole histogram stale */
    struct histogram_buckets positive;
    struct histogram_buckets negative;
    const double *custom_values; /* schema -53: upper bounds, ascending */
    size_t custom_count;
};

/* A deep copy in `arena`, NULL when it is full. */
struct histogram *histogram_dup(const struct histogram *h, struct arena *arena);
/* Upper bound of bucket `index` of an exponential schema, as Prometheus has it: DBL_MAX for the last one
 * that holds numbers, infinite beyond; the lower bound is that of the bucket before. */
double histogram_bound(int64_t index, int32_t schema);

/* Well-formed? Spans fit counts, counts are not negative (unless gauge), bounds ascend, schema
 * known, limits kept. 0 or ERR_INVALID with the sentence Prometheus gives. */
int histogram_validate(const struct histogram *h, struct err *e);
/* The part of it that memory safety rests on: a known schema, and bucket indexes that fit. Counts and
 * bounds may still be nonsense. */
bool histogram_can_be_walked(const struct histogram *h);
/* Same buckets, counts, sum bits and thresholds. */
bool histogram_eq(const struct histogram *a, const struct histogram *b);

/* A compact, self-contained form: what parts, WAL and heads store (documented in
 * base/model/histogram_codec.c). Decode never trusts; the result lives in `arena`. */
void histogram_encode(const struct histogram *h, struct strbuf *out);
int histogram_decode(struct str bytes, struct arena *arena, struct histogram **histogram_out);

/* Walks buckets of both sides (of a histogram that can be walked: decoded, or validated) in ascending value order, empty buckets of spans included, the zero bucket
 * in its place when its count is above 0. Bounds are cut at the zero bucket, as Prometheus shows them. */
struct histogram_bucket {
    double lower, upper;
    bool lower_inclusive, upper_inclusive;
    double count;
    int32_t index;
};

struct histogram_walk {
    const struct histogram *histogram;
    int stage;
    size_t span;
    uint32_t in_span;
    size_t position;
    int32_t index;
};

void histogram_walk_begin(struct histogram_walk *w, const struct histogram *h);
bool histogram_walk_next(struct histogram_walk *w, struct histogram_bucket *bucket_out);

/* {count:4, sum:5, (1,2]:1, …}: as error messages and results of strings print it. */
void histogram_write(const struct histogram *h, struct strbuf *out);

#endif
