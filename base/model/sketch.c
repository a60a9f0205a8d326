/* Sketches; see model/sketch.h. */
#include "model/sketch.h"

#include <math.h>
#include <string.h>

#include "base/mem.h"

enum { PER_OCTAVE = 1 << SKETCH_SCHEMA };

/* Upper bounds inside an octave, 2^(i/32), correctly rounded. */
static const double BOUNDS[PER_OCTAVE] = {0x1.p+0, 0x1.059b0d3158574p+0, 0x1.0b5586cf9890fp+0,
    0x1.11301d0125b51p+0, 0x1.172b83c7d517bp+0, 0x1.1d4873168b9aap+0, 0x1.2387a6e756238p+0,
    0x1.29e9df51fdee1p+0, 0x1.306fe0a31b715p+0, 0x1.371a7373aa9cbp+0, 0x1.3dea64c123422p+0,
    0x1.44e086061892dp+0, 0x1.4bfdad5362a27p+0, 0x1.5342b569d4f82p+0, 0x1.5ab07dd485429p+0,
    0x1.6247eb03a5585p+0, 0x1.6a09e667f3bcdp+0, 0x1.71f75e8ec5f74p+0, 0x1.7a11473eb0187p+0,
    0x1.82589994cce13p+0, 0x1.8ace5422aa0dbp+0, 0x1.93737b0cdc5e5p+0, 0x1.9c49182a3f090p+0,
    0x1.a5503b23e255dp+0, 0x1.ae89f995ad3adp+0, 0x1.b7f76f2fb5e47p+0, 0x1.c199bdd85529cp+0,
    0x1.cb720dcef9069p+0, 0x1.d5818dcfba487p+0, 0x1.dfc97337b9b5fp+0, 0x1.ea4afa2a490dap+0,
    0x1.f50765b6e4540p+0};

void sketch_init(struct sketch *s)
{
    *s = (struct sketch){.schema = SKETCH_SCHEMA};
}

void sketch_release(struct sketch *s)
{
    mem_free(s->positive.bins);
    mem_free(s->negative.bins);
    sketch_init(s);
}

void sketch_reset(struct sketch *s)
{
    s->schema = SKETCH_SCHEMA;
    s->count = s->zero_count = 0;
    s->positive.count = s->negative.count = 0;
}

double sketch_error(int32_t schema)
{
    double growth = exp2(exp2(-schema));
    return (growth - 1) / (growth + 1);
}

/* ---- Indexes ---- */

/* The bucket of infinities: one beyond that of the greatest number. */
static int32_t index_of_infinity(int32_t schema)
{
    return (schema >= 0 ? 1024 << schema : 1024 >> -schema) + 1;
}

/* The bucket of a magnitude above 0, at schema 5. */
static int32_t index_of(double magnitude)
{
    if (isinf(magnitude)) {
        return index_of_infinity(SKETCH_SCHEMA);
    }
    int exponent;
    double fraction = 2 * frexp(magnitude, &exponent); // in [1, 2)
    int32_t low = 0, high = PER_OCTAVE;                // the first bound that is not below it
    while (low < high) {
        int32_t middle = (low + high) / 2;
        if (BOUNDS[middle] < fraction) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return (exponent - 1) * PER_OCTAVE + low;
}

/* The bucket at a lower resolution: `halvings` neighbours become one, that of the upper bound. */
static int32_t lower_index(int32_t index, int32_t schema, int halvings)
{
    if (index == index_of_infinity(schema)) {
        return index_of_infinity(schema - halvings);
    }
    return ((index - 1) >> halvings) + 1;
}

static double bound_of(int32_t index, int32_t schema)
{
    if (schema <= 0) {
        int64_t exponent = (int64_t)index * ((int64_t)1 << -schema);
        return exponent > 1023 ? INFINITY : ldexp(1, exponent < -1080 ? -1080 : (int)exponent);
    }
    int32_t octave = index >> schema;
    int32_t rest = index - octave * (1 << schema);
    double within = schema <= SKETCH_SCHEMA ? BOUNDS[rest << (SKETCH_SCHEMA - schema)]
                                            : exp2((double)rest / (1 << schema));
    return ldexp(within, octave);
}

/* ---- Bins ---- */

static size_t find_bin(const struct sketch_side *side, int32_t index)
{
    size_t low = 0, high = side->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (side->bins[middle].index < index) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

/* ERR_LIMIT when all bins are in use. */
static int add_to_side(struct sketch_side *side, int32_t index, double count)
{
    size_t at = find_bin(side, index);
    if (at < side->count && side->bins[at].index == index) {
        side->bins[at].count += count;
        return 0;
    }
    int status = mem_array_grow(
        (void **)&side->bins, &side->cap, side->count + 1, sizeof(*side->bins), SKETCH_BINS_MAX);
    if (status == 0) {
        memmove(side->bins + at + 1, side->bins + at, (side->count - at) * sizeof(*side->bins));
        side->bins[at] = (struct sketch_bin){index, count};
        side->count++;
    }
    return status;
}

static void lower_side(struct sketch_side *side, int32_t schema, int halvings)
{
    size_t kept = 0;
    for (size_t i = 0; i < side->count; i++) {
        int32_t index = lower_index(side->bins[i].index, schema, halvings);
        if (kept > 0 && side->bins[kept - 1].index == index) {
            side->bins[kept - 1].count += side->bins[i].count;
        } else {
            side->bins[kept++] = (struct sketch_bin){index, side->bins[i].count};
        }
    }
    side->count = kept;
}

static void lower_to(struct sketch *s, int32_t schema)
{
    if (schema < s->schema) {
        lower_side(&s->positive, s->schema, s->schema - schema);
        lower_side(&s->negative, s->schema, s->schema - schema);
        s->schema = schema;
    }
}

/* A bin given at `schema`, which is not below the sketch's; makes room by halving the resolution. */
static int add_bin(struct sketch *s, bool negative, int32_t index, int32_t schema, double count)
{
    for (;;) {
        int32_t own = lower_index(index, schema, schema - s->schema);
        int status = add_to_side(negative ? &s->negative : &s->positive, own, count);
        if (status != ERR_LIMIT || s->schema == HISTOGRAM_SCHEMA_MIN) {
            return status;
        }
        lower_to(s, s->schema - 1);
    }
}

int sketch_add(struct sketch *s, double value)
{
    int status = 0;
    if (value == 0) {
        s->zero_count++;
    } else if (!isnan(value)) {
        status = add_bin(s, value < 0, index_of(fabs(value)), SKETCH_SCHEMA, 1);
    }
    s->count += status == 0;
    return status;
}

static int merge_side(struct sketch *s, const struct histogram *h, bool negative)
{
    const struct histogram_buckets *from = negative ? &h->negative : &h->positive;
    int64_t index = 0;
    size_t at = 0;
    int status = 0;
    for (size_t i = 0; i < from->span_count; i++) {
        index += from->spans[i].offset;
        for (uint32_t k = 0; status == 0 && k < from->spans[i].length; k++, at++, index++) {
            if (from->counts[at] != 0) {
                status = add_bin(s, negative, (int32_t)index, h->schema, from->counts[at]);
            }
        }
    }
    return status;
}

int sketch_merge(struct sketch *s, const struct histogram *h)
{
    if (h->schema == HISTOGRAM_SCHEMA_CUSTOM) {
        return ERR_UNSUPPORTED;
    }
    lower_to(s, h->schema);
    int status = merge_side(s, h, false);
    status = status == 0 ? merge_side(s, h, true) : status;
    if (status == 0) {
        s->zero_count += h->zero_count;
        s->count += h->count;
    }
    return status;
}

/* ---- As a histogram ---- */

static int side_buckets(
    const struct sketch_side *side, struct arena *arena, struct histogram_buckets *out)
{
    struct histogram_span *spans = arena_alloc(arena, (side->count + 1) * sizeof(*spans));
    double *counts = arena_alloc(arena, (side->count + 1) * sizeof(*counts));
    if (spans == NULL || counts == NULL) {
        return arena_error(arena);
    }
    size_t span_count = 0;
    for (size_t i = 0; i < side->count; i++) {
        int32_t index = side->bins[i].index;
        int32_t expected = i > 0 ? side->bins[i - 1].index + 1 : 0;
        if (i == 0 || index != expected) {
            spans[span_count++] = (struct histogram_span){.offset = index - expected};
        }
        spans[span_count - 1].length++;
        counts[i] = side->bins[i].count;
    }
    *out = (struct histogram_buckets){spans, span_count, counts, side->count};
    return 0;
}

int sketch_histogram(const struct sketch *s, struct arena *arena, struct histogram **histogram_out)
{
    struct histogram *h = arena_calloc(arena, 1, sizeof(*h));
    if (h == NULL) {
        return arena_error(arena);
    }
    h->schema = s->schema;
    h->reset_hint = HISTOGRAM_GAUGE;
    h->integer = true;
    h->zero_count = s->zero_count;
    h->count = s->count;
    int status = side_buckets(&s->positive, arena, &h->positive);
    status = status == 0 ? side_buckets(&s->negative, arena, &h->negative) : status;
    if (status == 0) {
        *histogram_out = h;
    }
    return status;
}

/* ---- Quantiles and fractions ---- */

/* The magnitude that stands for a bucket: its harmonic middle. */
static double middle_of(const struct sketch *s, int32_t index)
{
    if (index == index_of_infinity(s->schema)) {
        return INFINITY;
    }
    double growth = exp2(exp2(-s->schema)), lower = bound_of(index - 1, s->schema);
    return lower > 0 ? lower * (2 * growth / (growth + 1)) : bound_of(index, s->schema);
}

static double bins_total(const struct sketch_side *side)
{
    double total = 0;
    for (size_t i = 0; i < side->count; i++) {
        total += side->bins[i].count;
    }
    return total;
}

static double count_of_nan(const struct sketch *s)
{
    return s->count - bins_total(&s->positive) - bins_total(&s->negative) - s->zero_count;
}

/* The value of a rank, counted from 0: NaN first, then ascending. */
static double value_at(const struct sketch *s, double rank)
{
    double before = count_of_nan(s);
    if (rank < before) {
        return NAN;
    }
    for (size_t i = s->negative.count; i-- > 0;) {
        before += s->negative.bins[i].count;
        if (rank < before) {
            return -middle_of(s, s->negative.bins[i].index);
        }
    }
    before += s->zero_count;
    if (rank < before) {
        return 0;
    }
    for (size_t i = 0; i < s->positive.count; i++) {
        before += s->positive.bins[i].count;
        if (rank < before || i + 1 == s->positive.count) {
            return middle_of(s, s->positive.bins[i].index);
        }
    }
    return NAN;
}

double sketch_quantile(const struct sketch *s, double q)
{
    if (s->count == 0 || isnan(q)) {
        return NAN;
    }
    if (q < 0 || q > 1) {
        return q < 0 ? -INFINITY : INFINITY;
    }
    double rank = q * (s->count - 1), lower = floor(rank), weight = rank - lower;
    double value = value_at(s, lower);
    if (weight == 0) {
        return value;
    }
    double next = value_at(s, lower + 1);
    return value == next ? value : value * (1 - weight) + next * weight;
}

/* How much of a bucket of magnitudes lies at or below `magnitude`. */
static double share_below(const struct sketch *s, int32_t index, double magnitude)
{
    double upper = bound_of(index, s->schema), lower = bound_of(index - 1, s->schema);
    if (index == index_of_infinity(s->schema)) {
        return isinf(magnitude) ? 1 : 0;
    }
    if (magnitude >= upper || magnitude <= lower) {
        return magnitude >= upper ? 1 : 0;
    }
    return lower > 0 && isfinite(upper) ? log2(magnitude / lower) / log2(upper / lower) : 0.5;
}

/* How many values are at or below x; NaN values are below nothing. */
static double count_below(const struct sketch *s, double x)
{
    double below = 0;
    for (size_t i = 0; i < s->negative.count; i++) {
        double share = x >= 0 ? 1 : 1 - share_below(s, s->negative.bins[i].index, -x);
        below += s->negative.bins[i].count * share;
    }
    below += x >= 0 ? s->zero_count : 0;
    for (size_t i = 0; i < s->positive.count && x > 0; i++) {
        below += s->positive.bins[i].count * share_below(s, s->positive.bins[i].index, x);
    }
    return below;
}

double sketch_fraction(const struct sketch *s, double lower, double upper)
{
    if (s->count == 0 || isnan(lower) || isnan(upper)) {
        return NAN;
    }
    return lower >= upper ? 0 : (count_below(s, upper) - count_below(s, lower)) / s->count;
}
