/* Sums of histograms; see histogram_math.h. */
#include "histogram_math.h"

#include <assert.h>
#include <float.h>
#include <math.h>
#include <string.h>

#include "base/err.h"
#include "kahan.h"

/* ---- Making and taking ---- */

int histogram_sum_init(struct histogram_sum *s, const struct histogram *h, struct arena *arena)
{
    *s = (struct histogram_sum){
        .arena = arena,
        .schema = h->schema,
        .reset_hint = h->reset_hint,
        .zero_threshold = h->zero_threshold,
        .zero_count = h->zero_count,
        .count = h->count,
        .sum = h->sum,
        .custom_values = h->custom_values,
        .custom_count = h->custom_count,
    };
    if (!bucket_list_of(&s->positive, &h->positive, arena) ||
        !bucket_list_of(&s->negative, &h->negative, arena)) {
        return arena_error(arena);
    }
    return 0;
}

int histogram_sum_copy(const struct histogram_sum *from, struct histogram_sum *to)
{
    *to = *from;
    if (!bucket_list_dup(&to->positive, from->arena) ||
        !bucket_list_dup(&to->negative, from->arena)) {
        return arena_error(from->arena);
    }
    return 0;
}

struct histogram *histogram_sum_take(const struct histogram_sum *s, struct arena *arena)
{
    struct histogram *h = arena_calloc(arena, 1, sizeof(*h));
    if (h == NULL) {
        return NULL;
    }
    h->schema = s->schema;
    h->reset_hint = s->reset_hint;
    h->zero_threshold = s->zero_threshold;
    h->zero_count = s->zero_count + s->zero_lost;
    h->count = s->count + s->count_lost;
    h->sum = s->sum + s->sum_lost;
    h->custom_values =
        arena_dup(arena, s->custom_values, s->custom_count * sizeof(*s->custom_values));
    h->custom_count = s->custom_count;
    if (h->custom_values == NULL || !bucket_list_take(&s->positive, &h->positive, arena) ||
        !bucket_list_take(&s->negative, &h->negative, arena)) {
        return NULL;
    }
    return h;
}

/* ---- Scaling ---- */

void histogram_sum_multiply(struct histogram_sum *s, double factor)
{
    s->zero_count *= factor, s->zero_lost *= factor;
    s->count *= factor, s->count_lost *= factor;
    s->sum *= factor, s->sum_lost *= factor;
    bucket_list_multiply(&s->positive, factor);
    bucket_list_multiply(&s->negative, factor);
    if (factor < 0) {
        s->reset_hint = HISTOGRAM_GAUGE;
    }
}

void histogram_sum_divide(struct histogram_sum *s, double divisor)
{
    s->zero_count /= divisor, s->zero_lost /= divisor;
    s->count /= divisor, s->count_lost /= divisor;
    s->sum /= divisor, s->sum_lost /= divisor;
    if (divisor == 0) {
        // Infinite counts in buckets help nobody; losses would be NaN.
        s->zero_lost = s->count_lost = s->sum_lost = 0;
        s->positive.count = 0;
        s->negative.count = 0;
        return;
    }
    bucket_list_divide(&s->positive, divisor);
    bucket_list_divide(&s->negative, divisor);
    if (divisor < 0) {
        s->reset_hint = HISTOGRAM_GAUGE;
    }
}

void histogram_sum_reduce(struct histogram_sum *s, int32_t schema)
{
    assert(schema <= s->schema);
    bucket_list_reduce(&s->positive, s->schema - schema);
    bucket_list_reduce(&s->negative, s->schema - schema);
    s->schema = schema;
}

static bool list_overflows(const struct bucket_list *list)
{
    for (size_t i = 0; i < list->count; i++) {
        if (isinf(list->counts[i])) {
            return true;
        }
    }
    return false;
}

bool histogram_sum_overflows(const struct histogram_sum *s)
{
    return isinf(s->zero_count) || isinf(s->count) || isinf(s->sum) ||
           list_overflows(&s->positive) || list_overflows(&s->negative);
}

/* ---- Zero buckets of different width ---- */

/* The zero count of `s` for a wider threshold. The threshold grows further when it would cut a bucket
 * that is not empty. */
static double zero_count_for(const struct histogram_sum *s, double *threshold)
{
    if (*threshold == s->zero_threshold) {
        return s->zero_count + s->zero_lost;
    }
    for (;;) {
        double widened = *threshold;
        double count = s->zero_count + s->zero_lost;
        const struct bucket_list *sides[] = {&s->positive, &s->negative};
        for (size_t side = 0; side < 2 && widened == *threshold; side++) {
            const struct bucket_list *list = sides[side];
            for (size_t i = 0; i < list->count; i++) {
                double upper = histogram_bound(list->indexes[i], s->schema);
                if (histogram_bound(list->indexes[i] - 1, s->schema) >= *threshold) {
                    break;
                }
                count += list->counts[i] + list->lost[i];
                if (upper > *threshold) {
                    if (list->counts[i] != 0 && side == 0) {
                        *threshold = widened = upper; // the count stands: it was added whole
                    } else if (list->counts[i] != 0) {
                        widened = upper;
                    }
                    break;
                }
            }
        }
        if (widened == *threshold) {
            return count;
        }
        *threshold = widened; // cut a negative bucket: the positive side must be counted again
    }
}

/* Buckets that the zero bucket swallowed are empty now. */
static void clear_below(struct bucket_list *list, int32_t schema, double threshold)
{
    for (size_t i = 0; i < list->count; i++) {
        if (histogram_bound(list->indexes[i] - 1, schema) >= threshold) {
            break;
        }
        list->counts[i] = list->lost[i] = 0;
    }
}

static void widen_zero(struct histogram_sum *s, double threshold)
{
    s->zero_count = zero_count_for(s, &threshold);
    s->zero_lost = 0;
    s->zero_threshold = threshold;
    clear_below(&s->positive, s->schema, threshold);
    clear_below(&s->negative, s->schema, threshold);
}

/* Brings both to one zero bucket. `other` is a copy that may be changed. */
static void reconcile_zero(struct histogram_sum *s, struct histogram_sum *other)
{
    while (other->zero_threshold != s->zero_threshold) {
        if (s->zero_threshold > other->zero_threshold) {
            widen_zero(other, s->zero_threshold);
        }
        if (other->zero_threshold > s->zero_threshold) {
            widen_zero(s, other->zero_threshold);
        }
    }
}

/* ---- Adding ---- */

static unsigned adjust_hint(struct histogram_sum *s, enum histogram_reset_hint other)
{
    if (other == s->reset_hint || s->reset_hint == HISTOGRAM_GAUGE) {
        return 0;
    }
    if (other == HISTOGRAM_GAUGE) {
        s->reset_hint = HISTOGRAM_GAUGE;
        return 0;
    }
    bool collision = s->reset_hint != HISTOGRAM_RESET_UNKNOWN && other != HISTOGRAM_RESET_UNKNOWN;
    s->reset_hint = HISTOGRAM_RESET_UNKNOWN;
    return collision ? HISTOGRAM_NOTE_COLLISION : 0;
}

static void add_scalars(
    struct histogram_sum *s, double zero_count, const struct histogram *h, double sign)
{
    kahan_add(sign * zero_count, &s->zero_count, &s->zero_lost);
    kahan_add(sign * h->count, &s->count, &s->count_lost);
    kahan_add(sign * h->sum, &s->sum, &s->sum_lost);
}

static bool same_bounds(const struct histogram_sum *s, const struct histogram *h)
{
    if (s->custom_count != h->custom_count) {
        return false;
    }
    for (size_t i = 0; i < h->custom_count; i++) {
        if (s->custom_values[i] != h->custom_values[i]) {
            return false;
        }
    }
    return true;
}

/* Keeps the bounds that both have. */
static int intersect_bounds(struct histogram_sum *s, const struct histogram *h)
{
    size_t most = s->custom_count < h->custom_count ? s->custom_count : h->custom_count;
    double *bounds = arena_alloc(s->arena, (most + 1) * sizeof(*bounds));
    if (bounds == NULL) {
        return arena_error(s->arena);
    }
    size_t count = 0;
    for (size_t i = 0, k = 0; i < s->custom_count && k < h->custom_count;) {
        if (s->custom_values[i] == h->custom_values[k]) {
            bounds[count++] = s->custom_values[i];
            i++, k++;
        } else if (s->custom_values[i] < h->custom_values[k]) {
            i++;
        } else {
            k++;
        }
    }
    bucket_list_rebound(&s->positive, s->custom_values, s->custom_count, bounds, count);
    s->custom_values = bounds;
    s->custom_count = count;
    return 0;
}

static int add_custom(
    struct histogram_sum *s, const struct histogram *h, double sign, unsigned *notes)
{
    add_scalars(s, 0, h, sign);
    if (same_bounds(s, h)) {
        return bucket_list_add_spans(&s->positive, &h->positive, sign, s->arena);
    }
    *notes |= HISTOGRAM_NOTE_RECONCILED;
    struct bucket_list other;
    if (!bucket_list_of(&other, &h->positive, s->arena)) {
        return arena_error(s->arena);
    }
    int status = intersect_bounds(s, h);
    if (status != 0) {
        return status;
    }
    bucket_list_rebound(
        &other, h->custom_values, h->custom_count, s->custom_values, s->custom_count);
    return bucket_list_add(&s->positive, &other, sign, s->arena);
}

/* The long way: schemas or zero buckets differ. */
static int add_reconciled(struct histogram_sum *s, const struct histogram *h, double sign)
{
    struct histogram_sum other;
    int status = histogram_sum_init(&other, h, s->arena);
    if (status != 0) {
        return status;
    }
    reconcile_zero(s, &other);
    add_scalars(s, other.zero_count, h, sign);
    if (other.schema < s->schema) {
        histogram_sum_reduce(s, other.schema);
    } else {
        histogram_sum_reduce(&other, s->schema);
    }
    status = bucket_list_add(&s->positive, &other.positive, sign, s->arena);
    return status != 0 ? status : bucket_list_add(&s->negative, &other.negative, sign, s->arena);
}

int histogram_sum_add(
    struct histogram_sum *s, const struct histogram *h, double sign, unsigned *notes)
{
    bool custom = s->schema == HISTOGRAM_SCHEMA_CUSTOM;
    if (custom != histogram_is_custom(h)) {
        return ERR_UNSUPPORTED;
    }
    *notes |= adjust_hint(s, h->reset_hint);
    if (custom) {
        return add_custom(s, h, sign, notes);
    }
    if (s->schema != h->schema || s->zero_threshold != h->zero_threshold) {
        return add_reconciled(s, h, sign);
    }
    add_scalars(s, h->zero_count, h, sign);
    int status = bucket_list_add_spans(&s->positive, &h->positive, sign, s->arena);
    return status != 0 ? status : bucket_list_add_spans(&s->negative, &h->negative, sign, s->arena);
}

/* ---- In one go ---- */

static int take(const struct histogram_sum *s, struct histogram **result_out)
{
    struct histogram *h = histogram_sum_take(s, s->arena);
    if (h == NULL) {
        return arena_error(s->arena);
    }
    *result_out = h;
    return 0;
}

int histogram_combine(const struct histogram *a, const struct histogram *b, double sign,
    struct arena *arena, unsigned *notes, struct histogram **result_out)
{
    struct histogram_sum s;
    int status = histogram_sum_init(&s, a, arena);
    if (status == 0) {
        status = histogram_sum_add(&s, b, sign, notes);
    }
    return status == 0 ? take(&s, result_out) : status;
}

int histogram_multiply(
    const struct histogram *h, double factor, struct arena *arena, struct histogram **result_out)
{
    struct histogram_sum s;
    int status = histogram_sum_init(&s, h, arena);
    if (status != 0) {
        return status;
    }
    histogram_sum_multiply(&s, factor);
    return take(&s, result_out);
}

int histogram_divide(
    const struct histogram *h, double divisor, struct arena *arena, struct histogram **result_out)
{
    struct histogram_sum s;
    int status = histogram_sum_init(&s, h, arena);
    if (status != 0) {
        return status;
    }
    histogram_sum_divide(&s, divisor);
    return take(&s, result_out);
}

/* ---- Comparing ---- */

/* Walks the buckets of one side that are not empty. */
struct side_walk {
    const struct histogram_buckets *side;
    size_t span, position;
    uint32_t in_span;
    int32_t index;
};

static bool side_next(struct side_walk *w, int32_t *index_out, double *count_out)
{
    for (;;) {
        while (w->span < w->side->span_count && w->in_span == w->side->spans[w->span].length) {
            w->span++;
            w->in_span = 0;
        }
        if (w->span == w->side->span_count) {
            return false;
        }
        w->index += w->in_span == 0 ? w->side->spans[w->span].offset : 0;
        *index_out = w->index++;
        *count_out = w->side->counts[w->position++];
        w->in_span++;
        if (*count_out != 0) {
            return true;
        }
    }
}

static bool sides_equal(const struct histogram_buckets *a, const struct histogram_buckets *b)
{
    struct side_walk walk_a = {.side = a}, walk_b = {.side = b};
    for (;;) {
        int32_t index_a, index_b;
        double count_a, count_b;
        bool more_a = side_next(&walk_a, &index_a, &count_a);
        bool more_b = side_next(&walk_b, &index_b, &count_b);
        if (!more_a || !more_b) {
            return more_a == more_b;
        }
        if (index_a != index_b || memcmp(&count_a, &count_b, sizeof(count_a)) != 0) {
            return false;
        }
    }
}

static bool same_bits(double a, double b)
{
    return memcmp(&a, &b, sizeof(a)) == 0;
}

bool histogram_equal(const struct histogram *a, const struct histogram *b)
{
    if (a->schema != b->schema || !same_bits(a->count, b->count) || !same_bits(a->sum, b->sum) ||
        a->zero_threshold != b->zero_threshold || !same_bits(a->zero_count, b->zero_count) ||
        a->custom_count != b->custom_count) {
        return false;
    }
    for (size_t i = 0; i < a->custom_count; i++) {
        if (a->custom_values[i] != b->custom_values[i]) {
            return false;
        }
    }
    return sides_equal(&a->negative, &b->negative) && sides_equal(&a->positive, &b->positive);
}

/* ---- Counter resets ---- */

/* Has a bucket of `previous` more than the same bucket of `now`? Buckets up to `threshold` are in the
 * zero bucket and do not count. */
static bool list_reset(const struct bucket_list *now, const struct bucket_list *previous,
    int32_t schema, double threshold)
{
    bool custom = schema == HISTOGRAM_SCHEMA_CUSTOM;
    size_t k = 0;
    for (size_t i = 0; i < previous->count; i++) {
        int32_t index = previous->indexes[i];
        if (previous->counts[i] == 0 ||
            (!custom && threshold > 0 && histogram_bound(index, schema) <= threshold)) {
            continue;
        }
        while (k < now->count && now->indexes[k] < index) {
            k++;
        }
        double count = k < now->count && now->indexes[k] == index ? now->counts[k] : 0;
        if (count < previous->counts[i]) {
            return true;
        }
    }
    return false;
}

static int detect_custom(const struct histogram *h, const struct histogram *previous,
    struct arena *scratch, bool *reset_out)
{
    struct histogram_sum now, before;
    int status = histogram_sum_init(&now, h, scratch);
    if (status == 0) {
        status = histogram_sum_init(&before, previous, scratch);
    }
    if (status == 0 && !same_bounds(&now, previous)) {
        status = intersect_bounds(&now, previous);
        bucket_list_rebound(&before.positive, previous->custom_values, previous->custom_count,
            now.custom_values, now.custom_count);
    }
    if (status == 0) {
        *reset_out = list_reset(&now.positive, &before.positive, HISTOGRAM_SCHEMA_CUSTOM, 0);
    }
    return status;
}

static int detect_exponential(const struct histogram *h, const struct histogram *previous,
    struct arena *scratch, bool *reset_out)
{
    struct histogram_sum now, before;
    int status = histogram_sum_init(&now, h, scratch);
    if (status == 0) {
        status = histogram_sum_init(&before, previous, scratch);
    }
    if (status != 0) {
        return status;
    }
    double threshold = h->zero_threshold;
    double zero_before = zero_count_for(&before, &threshold);
    if (threshold != h->zero_threshold || h->zero_count < zero_before) {
        *reset_out = true;
        return 0;
    }
    histogram_sum_reduce(&before, h->schema);
    *reset_out = list_reset(&now.positive, &before.positive, h->schema, threshold) ||
                 list_reset(&now.negative, &before.negative, h->schema, threshold);
    return 0;
}

int histogram_detect_reset(const struct histogram *h, const struct histogram *previous,
    struct arena *scratch, bool *reset_out)
{
    *reset_out = h->reset_hint == HISTOGRAM_RESET_YES;
    if (h->reset_hint == HISTOGRAM_RESET_YES || h->reset_hint == HISTOGRAM_RESET_NO) {
        return 0;
    }
    bool custom = histogram_is_custom(h), was_custom = histogram_is_custom(previous);
    if (h->count < previous->count || (custom && !was_custom)) {
        *reset_out = true;
        return 0;
    }
    if (!custom && !was_custom &&
        (h->schema > previous->schema || h->zero_threshold < previous->zero_threshold)) {
        *reset_out = true;
        return 0;
    }
    if (!custom && was_custom) {
        *reset_out = true; // every exponential schema is above the custom one
        return 0;
    }
    struct arena_mark mark = arena_mark(scratch);
    int status = custom ? detect_custom(h, previous, scratch, reset_out)
                        : detect_exponential(h, previous, scratch, reset_out);
    arena_rewind(scratch, mark);
    return status;
}
