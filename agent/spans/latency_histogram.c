/* Dense bins between the lowest and the highest duration. */
#include "spans/latency_histogram.h"

#include <math.h>
#include <string.h>

#include "base/mem.h"

enum { PER_OCTAVE = 1 << LATENCY_SCHEMA, BINS_MIN = 16 };

/* Upper bounds inside an octave, 2^(i/8), correctly rounded. */
static const double bounds[PER_OCTAVE] = {0x1.p+0, 0x1.172b83c7d517bp+0, 0x1.306fe0a31b715p+0,
    0x1.4bfdad5362a27p+0, 0x1.6a09e667f3bcdp+0, 0x1.8ace5422aa0dbp+0, 0x1.ae89f995ad3adp+0,
    0x1.d5818dcfba487p+0};

void latency_histogram_init(struct latency_histogram *h)
{
    *h = (struct latency_histogram){.schema = LATENCY_SCHEMA};
}

void latency_histogram_release(struct latency_histogram *h)
{
    mem_free(h->bins);
    latency_histogram_init(h);
}

/* The bucket of a duration above 0 at LATENCY_SCHEMA. */
static int32_t index_of(double seconds)
{
    int exponent;
    double fraction = 2 * frexp(seconds, &exponent); // in [1, 2)
    int32_t within = 0;
    while (within < PER_OCTAVE && bounds[within] < fraction) {
        within++;
    }
    return (exponent - 1) * PER_OCTAVE + within;
}

/* The same bucket at a lower resolution: that of the upper bound. */
static int32_t lower_index(int32_t index, int32_t halvings)
{
    return ((index - 1) >> halvings) + 1;
}

static void halve(struct latency_histogram *h)
{
    int32_t low = lower_index(h->low, 1);
    uint32_t used = (uint32_t)(lower_index(h->low + (int32_t)h->used - 1, 1) - low) + 1;
    for (uint32_t i = 0; i < h->used; i++) {
        uint32_t to = (uint32_t)(lower_index(h->low + (int32_t)i, 1) - low);
        double count = h->bins[i];
        h->bins[i] = 0;
        h->bins[to] += count; /* never behind i */
    }
    h->low = low;
    h->used = used;
    h->schema--;
}

/* Makes room for buckets `low` to `high`. */
static int widen(struct latency_histogram *h, int32_t low, int32_t high)
{
    uint32_t wanted = (uint32_t)(high - low) + 1;
    if (wanted > h->cap) {
        uint32_t cap = wanted > BINS_MIN ? wanted + wanted / 2 : BINS_MIN;
        cap = cap < LATENCY_BINS_MAX ? cap : LATENCY_BINS_MAX;
        double *bins = mem_realloc(h->bins, cap * sizeof(*bins));
        if (bins == NULL) {
            return ERR_NOMEM;
        }
        h->bins = bins;
        h->cap = cap;
    }
    uint32_t shift = h->used > 0 ? (uint32_t)(h->low - low) : 0;
    memmove(h->bins + shift, h->bins, h->used * sizeof(*h->bins));
    memset(h->bins, 0, shift * sizeof(*h->bins));
    memset(h->bins + shift + h->used, 0, (wanted - shift - h->used) * sizeof(*h->bins));
    h->low = low;
    h->used = wanted;
    return 0;
}

static int add_to_bin(struct latency_histogram *h, double seconds, double weight)
{
    int32_t finest = index_of(seconds);
    for (;;) {
        int32_t index = lower_index(finest, LATENCY_SCHEMA - h->schema);
        int32_t low = h->used > 0 && h->low < index ? h->low : index;
        int32_t high = h->used > 0 ? h->low + (int32_t)h->used - 1 : index;
        high = high > index ? high : index;
        if (high - low < LATENCY_BINS_MAX) {
            int status = h->used == 0 || low < h->low || high >= h->low + (int32_t)h->used
                             ? widen(h, low, high)
                             : 0;
            if (status == 0) {
                h->bins[index - h->low] += weight;
            }
            return status;
        }
        halve(h);
    }
}

int latency_histogram_add(struct latency_histogram *h, double seconds, double weight)
{
    if (seconds > 0) {
        int status = add_to_bin(h, seconds, weight);
        if (status != 0) {
            return status;
        }
    } else {
        h->zero_count += weight;
    }
    h->count += weight;
    h->sum += seconds * weight;
    h->fractional = h->fractional || weight != floor(weight);
    return 0;
}

void latency_histogram_view(
    const struct latency_histogram *h, struct histogram_span *span, struct histogram *view_out)
{
    *span = (struct histogram_span){h->low, h->used};
    *view_out = (struct histogram){
        .schema = h->schema,
        .integer = !h->fractional,
        .zero_count = h->zero_count,
        .count = h->count,
        .sum = h->sum,
        .positive = {span, h->used > 0, h->bins, h->used},
    };
}
