/* Arithmetic on native histograms.
 *
 * A `histogram_sum` is a histogram that can be changed: buckets as sorted lists of (index, count), and
 * what rounding loses of each count beside it. `histogram_sum_take` makes a histogram of it again, in
 * its most compact form: no empty buckets, spans as long as possible. Histograms of different
 * resolution meet at the lower one, of different zero buckets at the wider one, of different custom
 * bounds at those they share. Exponential and custom buckets do not mix.
 *
 * All functions return 0 or a negative error: ERR_UNSUPPORTED for a mix, else the arena's.
 */
#ifndef SONDE_QUERY_ENGINE_HISTOGRAM_MATH_H
#define SONDE_QUERY_ENGINE_HISTOGRAM_MATH_H

#include "base/arena.h"
#include "histogram_lists.h"
#include "model/histogram.h"

struct histogram_sum {
    struct arena *arena;
    int32_t schema;
    enum histogram_reset_hint reset_hint;
    double zero_threshold;
    double zero_count, zero_lost;
    double count, count_lost;
    double sum, sum_lost;
    struct bucket_list positive, negative;
    const double *custom_values;
    size_t custom_count;
};

/* What an addition met on its way; or-ed into `notes`. */
enum histogram_note {
    HISTOGRAM_NOTE_COLLISION = 1,  /* a counter reset met a claim that there was none */
    HISTOGRAM_NOTE_RECONCILED = 2, /* custom bounds differed */
};

static inline bool histogram_is_custom(const struct histogram *h)
{
    return h->schema == HISTOGRAM_SCHEMA_CUSTOM;
}

int histogram_sum_init(struct histogram_sum *s, const struct histogram *h, struct arena *arena);
/* A deep copy in the same arena. */
int histogram_sum_copy(const struct histogram_sum *from, struct histogram_sum *to);
/* Adds `h` times `sign`, which is 1 or -1. */
int histogram_sum_add(
    struct histogram_sum *s, const struct histogram *h, double sign, unsigned *notes);
void histogram_sum_multiply(struct histogram_sum *s, double factor);
void histogram_sum_divide(struct histogram_sum *s, double divisor);
/* Lowers the resolution; `schema` is not above the one it has. */
void histogram_sum_reduce(struct histogram_sum *s, int32_t schema);
/* Is any count infinite? */
bool histogram_sum_overflows(const struct histogram_sum *s);
/* NULL when the arena is full. */
struct histogram *histogram_sum_take(const struct histogram_sum *s, struct arena *arena);

/* a + sign * b, in one go. */
int histogram_combine(const struct histogram *a, const struct histogram *b, double sign,
    struct arena *arena, unsigned *notes, struct histogram **result_out);
int histogram_multiply(
    const struct histogram *h, double factor, struct arena *arena, struct histogram **result_out);
int histogram_divide(
    const struct histogram *h, double divisor, struct arena *arena, struct histogram **result_out);
/* Drops what lies above (`upper`) or below a value, and estimates sum and count of the rest. */
int histogram_trim(const struct histogram *h, double at, bool upper, struct arena *arena,
    struct histogram **result_out);

/* Did a counter start anew between `previous` and `h`? `scratch` holds what is needed meanwhile. */
int histogram_detect_reset(const struct histogram *h, const struct histogram *previous,
    struct arena *scratch, bool *reset_out);
/* Equal as values: the same buckets, wherever empty ones are left out. */
bool histogram_equal(const struct histogram *a, const struct histogram *b);

/* Upper bound of a bucket of the positive side. */
double histogram_upper_bound(const struct histogram *h, int32_t index);
/* All buckets in ascending order, cut where they overlap the zero bucket. */
int histogram_buckets_of(const struct histogram *h, struct arena *arena,
    struct histogram_bucket **buckets_out, size_t *count_out);

#endif
