/* The list of writes, with two tables: by label set, and by the metric's name, by which rules look. */
#include "rules/group_writes.h"

#include <string.h>

#include "base/bytes.h"
#include "base/hash.h"
#include "base/mem.h"
#include "model/sample.h"

void group_writes_init(struct group_writes *w, struct arena *arena)
{
    *w = (struct group_writes){.arena = arena};
}

void group_writes_reset(struct group_writes *w)
{
    for (size_t i = 0; i < w->count; i++) {
        labels_unref(w->items[i].labels);
    }
    w->count = 0;
    labels_index_fill(&w->index, w->items, sizeof(*w->items), 0);
    if (w->head_count > 0) {
        memset(w->heads, 0, w->head_count * sizeof(*w->heads));
    }
}

void group_writes_release(struct group_writes *w)
{
    group_writes_reset(w);
    mem_free(w->items);
    mem_free(w->heads);
    labels_index_release(&w->index);
    *w = (struct group_writes){0};
}

/* ---- By name ---- */

static size_t head_of(const struct group_writes *w, struct str name)
{
    return (size_t)hash64(name.ptr, name.len, 0) & (w->head_count - 1);
}

static void chain(struct group_writes *w, size_t place)
{
    struct group_write *item = &w->items[place];
    uint32_t *head = &w->heads[head_of(w, labels_get(item->labels, STR(LABEL_METRIC_NAME)))];
    item->next_of_name = *head;
    *head = (uint32_t)place + 1;
}

size_t group_writes_of_name(const struct group_writes *w, struct str name)
{
    if (w->count == 0) {
        return SIZE_MAX;
    }
    uint32_t head = w->heads[head_of(w, name)];
    return head != 0 ? head - 1 : SIZE_MAX;
}

static int reserve(struct group_writes *w)
{
    int status = mem_array_grow(
        (void **)&w->items, &w->cap, w->count + 1, sizeof(*w->items), GROUP_WRITES_MAX);
    if (status == 0) {
        status = labels_index_reserve(&w->index, w->items, sizeof(*w->items), w->count, w->cap);
    }
    if (status != 0 || w->head_count >= w->cap) {
        return status;
    }
    size_t head_count = 16;
    while (head_count < w->cap) {
        head_count *= 2;
    }
    uint32_t *heads = mem_calloc(head_count, sizeof(*heads));
    if (heads == NULL) {
        return ERR_NOMEM;
    }
    mem_free(w->heads);
    w->heads = heads;
    w->head_count = head_count;
    for (size_t i = 0; i < w->count; i++) {
        chain(w, i);
    }
    return 0;
}

/* ---- Samples ---- */

static bool is_end(double value, const struct histogram *histogram)
{
    return histogram == NULL && value_is_stale(value);
}

/* A second sample for a series. */
static int put_again(
    struct group_write *old, double value, const struct histogram *histogram, struct err *e)
{
    if (is_end(value, histogram)) {
        return 0;
    }
    if (is_end(old->value, old->histogram)) {
        old->value = value;
        old->histogram = histogram;
        return 0;
    }
    if (histogram == NULL && old->histogram == NULL &&
        double_bits(value) == double_bits(old->value)) {
        return 0;
    }
    return err_set(e, ERR_EXISTS, -1, "duplicate sample for timestamp");
}

int group_writes_put(struct group_writes *w, const struct labels *labels, int64_t t_ms,
    double value, const struct histogram *histogram, size_t *place_out, struct err *e)
{
    const struct histogram *copy = NULL;
    int status = reserve(w);
    if (status == 0 && histogram != NULL) {
        copy = histogram_dup(histogram, w->arena);
        status = copy == NULL ? ERR_NOMEM : 0;
    }
    if (status != 0) {
        return err_set(e, status, -1, "%s", err_text(status));
    }
    size_t place = labels_index_find(&w->index, w->items, sizeof(*w->items), labels);
    if (place != SIZE_MAX) {
        status = put_again(&w->items[place], value, copy, e);
    } else {
        place = w->count++;
        w->items[place] = (struct group_write){
            .labels = labels_ref(labels), .t_ms = t_ms, .value = value, .histogram = copy};
        labels_index_add(&w->index, w->items, sizeof(*w->items), place);
        chain(w, place);
    }
    if (place_out != NULL) {
        *place_out = place;
    }
    return status;
}

static int append_one(
    struct appender *a, struct group_write *write, uint64_t *refused, struct err *e)
{
    if (!write->has_ref) {
        int status = appender_series(
            a, labels_pairs(write->labels), labels_count(write->labels), NULL, &write->ref, e);
        if (status == ERR_LIMIT) {
            appender_count_lost(a, labels_get(write->labels, STR(LABEL_METRIC_NAME)), 1);
        }
        if (status == ERR_LIMIT || status == ERR_INVALID) {
            *refused += 1;
            return 0;
        }
        if (status != 0) {
            return status;
        }
        write->has_ref = true;
    }
    int status = write->histogram != NULL
                     ? appender_append_histogram(a, write->ref, write->t_ms, write->histogram)
                     : appender_append(a, write->ref, write->t_ms, write->value);
    *refused += status == ERR_RANGE;
    return status == ERR_RANGE ? 0 : status;
}

int group_writes_commit(
    struct group_writes *w, struct appender_source *sink, uint64_t *refused_out, struct err *e)
{
    struct appender *a = NULL;
    *refused_out = 0;
    if (w->count == 0) {
        return 0;
    }
    int status = appender_open(sink, &a, e);
    if (status != 0) {
        return status;
    }
    for (size_t i = 0; i < w->count && status == 0; i++) {
        status = append_one(a, &w->items[i], refused_out, e);
    }
    if (status != 0) {
        appender_rollback(a);
        return e->code != 0 ? status : err_set(e, status, -1, "%s", err_text(status));
    }
    return appender_commit(a, COMMIT_AS_CONFIGURED, NULL, e);
}
