/* Sorted lists of buckets: the ground of histogram_math.c. */
#ifndef SONDE_QUERY_ENGINE_HISTOGRAM_LISTS_H
#define SONDE_QUERY_ENGINE_HISTOGRAM_LISTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "model/histogram.h"

struct bucket_list {
    int32_t *indexes; /* ascending */
    double *counts;
    double *lost; /* what rounding lost of each count */
    size_t count;
};

/* From and to the form of spans. False when the arena is full. */
bool bucket_list_of(
    struct bucket_list *list, const struct histogram_buckets *side, struct arena *arena);
bool bucket_list_take(
    const struct bucket_list *list, struct histogram_buckets *side, struct arena *arena);
/* Replaces the arrays by copies. */
bool bucket_list_dup(struct bucket_list *list, struct arena *arena);

void bucket_list_multiply(struct bucket_list *list, double factor);
void bucket_list_divide(struct bucket_list *list, double divisor);
/* Merges 2^levels neighbours into one. */
void bucket_list_reduce(struct bucket_list *list, int32_t levels);
/* Moves counts of custom buckets to the buckets of fewer bounds. */
void bucket_list_rebound(struct bucket_list *list, const double *from, size_t from_count,
    const double *to, size_t to_count);

/* list += sign * other. 0 or the arena's error. */
int bucket_list_add(
    struct bucket_list *list, const struct bucket_list *other, double sign, struct arena *arena);
int bucket_list_add_spans(struct bucket_list *list, const struct histogram_buckets *side,
    double sign, struct arena *arena);

#endif
