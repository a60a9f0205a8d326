/* Warnings and infos of a query, each once, in order of appearance. */
#ifndef SONDE_QUERY_ENGINE_ANNOTATIONS_H
#define SONDE_QUERY_ENGINE_ANNOTATIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/str.h"

enum annotation_kind { ANNOTATION_WARNING, ANNOTATION_INFO };

/* Different sentences that are kept; beyond, they are counted. */
#define ANNOTATIONS_KEPT_MAX 1000

/* What merged reports of forced monotonicity have in common. */
struct monotonicity_span {
    int64_t min_t, max_t;
    double min_bucket, max_bucket, max_difference;
    uint64_t count;
};

struct annotation {
    enum annotation_kind kind;
    const char *text;  /* "PromQL info: …" without its place */
    uint32_t position; /* byte offset in the query, or ANNOTATION_NOWHERE */
    struct monotonicity_span *span;
    struct annotation *next;
};

#define ANNOTATION_NOWHERE UINT32_MAX

struct annotations {
    struct arena *arena;
    struct annotation *first, **end;
    size_t counts[2];
    size_t omitted[2];
};

void annotations_init(struct annotations *a, struct arena *arena);
/* Adds "PromQL warning: <text>" at a place, unless that text is there. 0 or the arena's error. */
int annotations_add(
    struct annotations *a, enum annotation_kind kind, uint32_t position, const char *text);
/* As add of an info; reports of the same text become one that spans them all. */
int annotations_add_monotonicity(struct annotations *a, uint32_t position, const char *text,
    const struct monotonicity_span *span);
/* A sentence of the store, shown as it is. */
int annotations_add_foreign(struct annotations *a, const char *text);
/* Adds all of another list, in its order. */
int annotations_append(struct annotations *a, const struct annotations *more);
/* The sentences of a kind as an answer shows them: with their places, at most `max` and one more that
 * counts the rest. Lives in `arena`. */
int annotations_texts(const struct annotations *a, enum annotation_kind kind, struct str query,
    size_t max, struct arena *arena, const char *const **texts_out, size_t *count_out);

#endif
