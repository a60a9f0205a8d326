/* A querier around a querier. */
#include "lookup_source.h"

#include <stdlib.h>

#include "base/mem.h"

struct lookup_querier {
    struct querier querier;
    struct querier *inner;
    const struct lookup_source *source;
};

static struct querier *inner_of(struct querier *q)
{
    return ((struct lookup_querier *)q)->inner;
}

static const struct lookup_source *source_of(struct querier *q)
{
    return ((struct lookup_querier *)q)->source;
}

static bool has_samples(struct series *series, struct arena *arena)
{
    struct column_iter *iter;
    struct column_run run;
    if (series_open(series, arena, &iter, NULL) != 0) {
        return false;
    }
    int more = column_iter_next(iter, &run, NULL);
    column_iter_close(iter);
    return more > 0;
}

static int op_select(struct querier *q, const struct select_request *request, struct arena *arena,
    struct series_set **set_out, struct err *e)
{
    int status = querier_select(inner_of(q), request, arena, set_out, e);
    if (status != 0) {
        return status;
    }
    struct series_set *set = *set_out;
    size_t kept = 0;
    for (size_t i = 0; i < set->count; i++) {
        if (has_samples(set->series[i], arena)) {
            set->series[kept++] = set->series[i];
        }
    }
    set->count = kept;
    if (source_of(q)->warning != NULL) {
        set->warnings = &source_of(q)->warning;
        set->warning_count = 1;
    }
    return 0;
}

static int compare(const void *a, const void *b)
{
    return str_cmp(*(const struct str *)a, *(const struct str *)b);
}

/* `name` empty: all names; else the values of that name. */
static int list(struct querier *q, struct str name, const struct select_request *request,
    size_t limit, struct arena *arena, struct string_list *list_out, struct err *e)
{
    struct series_set *set;
    int status = op_select(q, request, arena, &set, e);
    if (status != 0) {
        return status;
    }
    size_t cap = 0, count = 0, kept = 0;
    for (size_t i = 0; i < set->count; i++) {
        cap += labels_count(series_labels(set->series[i]));
    }
    struct str *items = arena_calloc(arena, cap, sizeof(*items));
    for (size_t i = 0; i < set->count; i++) {
        const struct labels *labels = series_labels(set->series[i]);
        for (size_t j = 0; j < labels_count(labels); j++) {
            struct label pair = labels_at(labels, j);
            if (name.len == 0) {
                items[count++] = pair.name;
            } else if (str_eq(pair.name, name)) {
                items[count++] = pair.value;
            }
        }
    }
    if (count > 0) {
        qsort(items, count, sizeof(*items), compare);
    }
    for (size_t i = 0; i < count; i++) {
        if (kept == 0 || !str_eq(items[kept - 1], items[i])) {
            items[kept++] = items[i];
        }
    }
    bool truncated = limit != 0 && kept > limit;
    *list_out = (struct string_list){items, truncated ? limit : kept, truncated};
    return 0;
}

static int op_names(struct querier *q, const struct select_request *request, size_t limit,
    struct arena *arena, struct string_list *names_out, struct err *e)
{
    return list(q, STR(""), request, limit, arena, names_out, e);
}

static int op_exemplars(struct querier *q, const struct select_request *request,
    struct arena *arena, struct exemplar_list *list_out, struct err *e)
{
    const struct exemplar_list *all = source_of(q)->exemplars;
    (void)e;
    struct exemplar_series *found =
        arena_calloc(arena, all != NULL ? all->count + 1 : 1, sizeof(*found));
    *list_out = (struct exemplar_list){.series = found};
    for (size_t i = 0; all != NULL && i < all->count; i++) {
        const struct exemplar_series *s = &all->series[i];
        if (s->items[0].t_ms >= request->min_t && s->items[0].t_ms <= request->max_t &&
            matchers_match(request->matchers, request->matcher_count, s->labels)) {
            found[list_out->count++] = *s;
        }
    }
    return 0;
}

static void op_close(struct querier *q)
{
    querier_close(inner_of(q));
    mem_free(q);
}

static const struct querier_ops ops = {.select = op_select,
    .label_names = op_names,
    .label_values = list,
    .exemplars = op_exemplars,
    .close = op_close};

static int open_querier(struct querier_source *source, int64_t min_t, int64_t max_t,
    struct querier **querier_out, struct err *e)
{
    struct lookup_source *lookup = (struct lookup_source *)source;
    struct lookup_querier *q = mem_calloc(1, sizeof(*q));
    if (q == NULL) {
        return err_set(e, ERR_NOMEM, -1, "%s", err_text(ERR_NOMEM));
    }
    q->querier.ops = &ops;
    q->source = lookup;
    int status = querier_open(lookup->inner, min_t, max_t, &q->inner, e);
    if (status != 0) {
        mem_free(q);
        return status;
    }
    *querier_out = &q->querier;
    return 0;
}

void lookup_source_init(struct lookup_source *lookup, struct querier_source *inner)
{
    lookup->source.open = open_querier;
    lookup->inner = inner;
    lookup->warning = NULL;
    lookup->exemplars = NULL;
}
