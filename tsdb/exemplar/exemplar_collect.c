/* Collect, sort, leave out doubles. */
#include "exemplar/exemplar_collect.h"

#include <stdlib.h>

#include "base/err.h"
#include "base/mem.h"

static void unref(void *labels)
{
    labels_unref(labels);
}

/* A label set that lives as long as the arena. */
static int keep_labels(
    struct arena *arena, const struct label *pairs, size_t count, const struct labels **labels_out)
{
    const struct labels *labels = NULL;
    int status = labels_new(pairs, count, &labels, NULL);
    if (status == 0) {
        status = arena_on_release(arena, unref, (void *)(uintptr_t)labels);
    }
    if (status != 0) {
        labels_unref(labels);
        return status;
    }
    *labels_out = labels;
    return 0;
}

static bool matches(const struct exemplar_collector *c, const struct label *pairs, size_t count)
{
    for (size_t i = 0; i < c->matcher_count; i++) {
        struct str value = STR("");
        for (size_t k = 0; k < count && value.len == 0; k++) {
            if (str_eq(pairs[k].name, c->matchers[i]->name)) {
                value = pairs[k].value;
            }
        }
        if (!matcher_matches(c->matchers[i], value)) {
            return false;
        }
    }
    return true;
}

int exemplar_collect_series(void *context, const struct label *labels, size_t count)
{
    struct exemplar_collector *c = context;
    if (!matches(c, labels, count)) {
        return 0;
    }
    int status = keep_labels(c->arena, labels, count, &c->series);
    return status == 0 ? 1 : status;
}

int exemplar_collect_exemplar(
    void *context, int64_t t_ms, double value, const struct label *labels, size_t count)
{
    struct exemplar_collector *c = context;
    if (t_ms < c->min_t || t_ms > c->max_t) {
        return 0;
    }
    struct collected_exemplar item = {c->series, {NULL, value, t_ms}};
    int status = keep_labels(c->arena, labels, count, &item.exemplar.labels);
    if (status == 0) {
        status = mem_array_grow(
            (void **)&c->items, &c->cap, c->count + 1, sizeof(*c->items), EXEMPLARS_COLLECTED_MAX);
    }
    if (status == 0) {
        c->items[c->count++] = item;
    }
    return status;
}

/* Values that are no number stand behind all others. */
static int compare_values(double a, double b)
{
    if (a < b || b < a) {
        return a < b ? -1 : 1;
    }
    return (a != a) - (b != b);
}

static int compare_items(const void *a, const void *b)
{
    const struct collected_exemplar *x = a, *y = b;
    int order = labels_cmp(x->series, y->series);
    if (order == 0 && x->exemplar.t_ms != y->exemplar.t_ms) {
        order = x->exemplar.t_ms < y->exemplar.t_ms ? -1 : 1;
    }
    if (order == 0) {
        order = compare_values(x->exemplar.value, y->exemplar.value);
    }
    return order != 0 ? order : labels_cmp(x->exemplar.labels, y->exemplar.labels);
}

int exemplar_collector_finish(struct exemplar_collector *c, struct exemplar_list *list_out)
{
    struct exemplar_series *series = arena_calloc(c->arena, c->count + 1, sizeof(*series));
    struct exemplar *items = arena_calloc(c->arena, c->count + 1, sizeof(*items));
    if (series == NULL || items == NULL) {
        return arena_error(c->arena);
    }
    if (c->count > 1) {
        qsort(c->items, c->count, sizeof(*c->items), compare_items);
    }
    size_t series_count = 0, kept = 0;
    for (size_t i = 0; i < c->count; i++) {
        const struct collected_exemplar *item = &c->items[i];
        if (i > 0 && compare_items(item - 1, item) == 0) {
            continue;
        }
        if (series_count == 0 || !labels_eq(series[series_count - 1].labels, item->series)) {
            series[series_count++] = (struct exemplar_series){item->series, &items[kept], 0};
        }
        items[kept++] = item->exemplar;
        series[series_count - 1].count++;
    }
    *list_out = (struct exemplar_list){.series = series, .count = series_count};
    return 0;
}

void exemplar_collector_release(struct exemplar_collector *c)
{
    mem_free(c->items);
}
