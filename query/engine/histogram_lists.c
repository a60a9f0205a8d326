/* Sorted lists of buckets; see histogram_lists.h. Adding a histogram of the same layout, which is what
 * nearly always happens, changes the counts in place. */
#include "histogram_lists.h"

#include <string.h>

#include "kahan.h"

static bool allocate(struct bucket_list *list, size_t count, struct arena *arena)
{
    list->indexes = arena_alloc(arena, count * sizeof(*list->indexes));
    list->counts = arena_alloc(arena, count * sizeof(*list->counts));
    list->lost = arena_calloc(arena, count, sizeof(*list->lost));
    list->count = 0;
    return list->indexes != NULL && list->counts != NULL && list->lost != NULL;
}

bool bucket_list_of(
    struct bucket_list *list, const struct histogram_buckets *side, struct arena *arena)
{
    if (!allocate(list, side->count, arena)) {
        return false;
    }
    int32_t index = 0;
    for (size_t i = 0; i < side->span_count; i++) {
        index += side->spans[i].offset;
        for (uint32_t k = 0; k < side->spans[i].length && list->count < side->count; k++) {
            list->indexes[list->count] = index++;
            list->counts[list->count] = side->counts[list->count];
            list->count++;
        }
    }
    return true;
}

static double value_at(const struct bucket_list *list, size_t i)
{
    return list->counts[i] + list->lost[i];
}

bool bucket_list_take(
    const struct bucket_list *list, struct histogram_buckets *side, struct arena *arena)
{
    size_t count = 0, spans = 0;
    int32_t next = 0;
    for (size_t i = 0; i < list->count; i++) {
        if (value_at(list, i) != 0) {
            spans += count == 0 || list->indexes[i] != next;
            next = list->indexes[i] + 1;
            count++;
        }
    }
    struct histogram_span *span = arena_alloc(arena, spans * sizeof(*span));
    double *counts = arena_alloc(arena, count * sizeof(*counts));
    if (span == NULL || counts == NULL) {
        return false;
    }
    *side = (struct histogram_buckets){span, spans, counts, count};
    size_t at = 0, open = 0;
    next = 0;
    for (size_t i = 0; i < list->count; i++) {
        double value = value_at(list, i);
        if (value == 0) {
            continue;
        }
        if (at == 0 || list->indexes[i] != next) {
            span[open++] = (struct histogram_span){list->indexes[i] - next, 0};
        }
        span[open - 1].length++;
        counts[at++] = value;
        next = list->indexes[i] + 1;
    }
    return true;
}

bool bucket_list_dup(struct bucket_list *list, struct arena *arena)
{
    list->indexes = arena_dup(arena, list->indexes, list->count * sizeof(*list->indexes));
    list->counts = arena_dup(arena, list->counts, list->count * sizeof(*list->counts));
    list->lost = arena_dup(arena, list->lost, list->count * sizeof(*list->lost));
    return list->indexes != NULL && list->counts != NULL && list->lost != NULL;
}

void bucket_list_multiply(struct bucket_list *list, double factor)
{
    for (size_t i = 0; i < list->count; i++) {
        list->counts[i] *= factor;
        list->lost[i] *= factor;
    }
}

void bucket_list_divide(struct bucket_list *list, double divisor)
{
    for (size_t i = 0; i < list->count; i++) {
        list->counts[i] /= divisor;
        list->lost[i] /= divisor;
    }
}

/* Gives each bucket a new index, not below that of the one before, and joins equals. */
static void append_joined(struct bucket_list *list, size_t *to, int32_t index, size_t from)
{
    double count = list->counts[from], lost = list->lost[from];
    if (*to > 0 && list->indexes[*to - 1] == index) {
        kahan_add(count, &list->counts[*to - 1], &list->lost[*to - 1]);
        list->lost[*to - 1] += lost;
        return;
    }
    list->indexes[*to] = index;
    list->counts[*to] = count;
    list->lost[*to] = lost;
    ++*to;
}

void bucket_list_reduce(struct bucket_list *list, int32_t levels)
{
    if (levels == 0) {
        return;
    }
    size_t to = 0;
    for (size_t i = 0; i < list->count; i++) {
        append_joined(list, &to, ((list->indexes[i] - 1) >> levels) + 1, i);
    }
    list->count = to;
}

void bucket_list_rebound(struct bucket_list *list, const double *from, size_t from_count,
    const double *to, size_t to_count)
{
    size_t kept = 0, target = 0;
    for (size_t i = 0; i < list->count; i++) {
        size_t source = (size_t)list->indexes[i];
        while (target < to_count && (source >= from_count || to[target] < from[source])) {
            target++;
        }
        append_joined(list, &kept, (int32_t)target, i);
    }
    list->count = kept;
}

/* ---- Adding ---- */

/* In place when every bucket of `other` is there already; false, with nothing changed, when not. */
static bool add_in_place(struct bucket_list *list, const struct bucket_list *other, double sign)
{
    size_t k = 0;
    for (size_t i = 0; i < other->count; i++, k++) {
        while (k < list->count && list->indexes[k] < other->indexes[i]) {
            k++;
        }
        if (k == list->count || list->indexes[k] != other->indexes[i]) {
            return false;
        }
    }
    k = 0;
    for (size_t i = 0; i < other->count; i++, k++) {
        while (list->indexes[k] < other->indexes[i]) {
            k++;
        }
        kahan_add(sign * other->counts[i], &list->counts[k], &list->lost[k]);
        kahan_add(sign * other->lost[i], &list->counts[k], &list->lost[k]);
    }
    return true;
}

int bucket_list_add(
    struct bucket_list *list, const struct bucket_list *other, double sign, struct arena *arena)
{
    if (add_in_place(list, other, sign)) {
        return 0;
    }
    struct bucket_list sum;
    if (!allocate(&sum, list->count + other->count, arena)) {
        return arena_error(arena);
    }
    size_t a = 0, b = 0;
    while (a < list->count || b < other->count) {
        bool from_a =
            b == other->count || (a < list->count && list->indexes[a] <= other->indexes[b]);
        bool from_b =
            a == list->count || (b < other->count && other->indexes[b] <= list->indexes[a]);
        size_t at = sum.count++;
        sum.indexes[at] = from_a ? list->indexes[a] : other->indexes[b];
        sum.counts[at] = from_a ? list->counts[a] : 0;
        sum.lost[at] = from_a ? list->lost[a] : 0;
        if (from_b) {
            kahan_add(sign * other->counts[b], &sum.counts[at], &sum.lost[at]);
            kahan_add(sign * other->lost[b], &sum.counts[at], &sum.lost[at]);
        }
        a += from_a;
        b += from_b;
    }
    *list = sum;
    return 0;
}

/* Do the spans cover exactly a run of what the list has? Then counts can be added as they lie. */
static bool spans_fit(const struct bucket_list *list, const struct histogram_buckets *side)
{
    if (list->count != side->count) {
        return false;
    }
    int32_t index = 0;
    size_t at = 0;
    for (size_t i = 0; i < side->span_count; i++) {
        index += side->spans[i].offset;
        uint32_t length = side->spans[i].length;
        if (length == 0) {
            continue;
        }
        if (at + length > list->count || list->indexes[at] != index ||
            list->indexes[at + length - 1] != index + (int32_t)length - 1) {
            return false;
        }
        at += length;
        index += (int32_t)length;
    }
    return at == list->count;
}

int bucket_list_add_spans(struct bucket_list *list, const struct histogram_buckets *side,
    double sign, struct arena *arena)
{
    if (spans_fit(list, side)) {
        for (size_t i = 0; i < side->count; i++) {
            kahan_add(sign * side->counts[i], &list->counts[i], &list->lost[i]);
        }
        return 0;
    }
    struct bucket_list other;
    if (!bucket_list_of(&other, side, arena)) {
        return arena_error(arena);
    }
    return bucket_list_add(list, &other, sign, arena);
}
