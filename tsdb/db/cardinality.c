/* Rankings of label values, in one pass over those that have series.
 *
 * A ranking keeps an array of twice what is asked for; when it is full it is sorted and its lower half
 * forgotten. So a million values cost a few sorts of a short array.
 */
#include "tsdb/cardinality.h"

#include <stdlib.h>

#include "db/day_series.h"

struct ranking {
    struct cardinality_item *items; /* 2 × top */
    size_t count, top;
};

static int compare_items(const void *a, const void *b)
{
    const struct cardinality_item *x = a, *y = b;
    if (x->count != y->count) {
        return x->count > y->count ? -1 : 1;
    }
    int order = str_cmp(x->name, y->name);
    return order != 0 ? order : str_cmp(x->value, y->value);
}

static void cut(struct ranking *r)
{
    if (r->count > 1) {
        qsort(r->items, r->count, sizeof(*r->items), compare_items);
    }
    r->count = r->count < r->top ? r->count : r->top;
}

static void rank(struct ranking *r, struct str name, struct str value, uint64_t count)
{
    if (r->count == 2 * r->top) {
        cut(r);
    }
    r->items[r->count++] = (struct cardinality_item){name, value, count};
}

static int ranking_init(struct ranking *r, size_t top, struct arena *arena)
{
    *r = (struct ranking){arena_calloc(arena, 2 * top, sizeof(*r->items)), 0, top};
    return r->items != NULL ? 0 : arena_error(arena);
}

static int copy(struct arena *arena, struct str *text)
{
    char *bytes = arena_strndup(arena, text->len > 0 ? text->ptr : "", text->len);
    *text = str_make(bytes, text->len);
    return bytes != NULL ? 0 : arena_error(arena);
}

/* Names and values are the index's, and may leave it. */
static int list_of(struct ranking *r, struct arena *arena, struct cardinality_list *list_out)
{
    int status = 0;
    cut(r);
    for (size_t i = 0; status == 0 && i < r->count; i++) {
        status = copy(arena, &r->items[i].name);
        status = status == 0 ? copy(arena, &r->items[i].value) : status;
    }
    *list_out = (struct cardinality_list){r->items, r->count};
    return status;
}

/* ---- Values ---- */

struct counting {
    struct ranking metrics, names, bytes, pairs;
    struct str name; /* whose values come now */
    uint64_t values, value_bytes, label_pairs;
};

static void end_name(struct counting *c)
{
    if (c->values > 0) {
        rank(&c->names, c->name, STR(""), c->values);
        rank(&c->bytes, c->name, STR(""), c->value_bytes);
    }
    c->values = c->value_bytes = 0;
}

static int on_value(void *context, const struct index_value_count *value)
{
    struct counting *c = context;
    if (!str_eq(c->name, value->name)) {
        end_name(c);
        c->name = value->name;
    }
    c->values++;
    c->label_pairs++;
    c->value_bytes += value->value.len * value->series;
    rank(&c->pairs, value->name, value->value, value->series);
    if (str_eq_c(value->name, LABEL_METRIC_NAME)) {
        rank(&c->metrics, value->value, STR(""), value->series);
    }
    return 0;
}

/* ---- Jobs ---- */

struct job_list {
    struct arena *arena;
    struct job_churn *jobs;
    size_t count, cap;
};

/* Under the lock of the limits: no more than copies. */
static int on_job(void *context, const struct job_churn *churn)
{
    struct job_list *list = context;
    struct str name = churn->job;
    int status = copy(list->arena, &name);
    if (status == 0 && list->count < list->cap) {
        list->jobs[list->count] = *churn;
        list->jobs[list->count++].job = name;
    }
    return status;
}

static int compare_jobs(const void *a, const void *b)
{
    const struct job_churn *x = a, *y = b;
    if (x->this_hour != y->this_hour) {
        return x->this_hour > y->this_hour ? -1 : 1;
    }
    if (x->last_hour != y->last_hour) {
        return x->last_hour > y->last_hour ? -1 : 1;
    }
    return str_cmp(x->job, y->job);
}

static int list_jobs(struct tsdb *db, size_t top, struct arena *arena, struct cardinality *out)
{
    struct job_list list = {.arena = arena, .cap = HEAD_JOBS_MAX};
    list.jobs = arena_calloc(arena, list.cap, sizeof(*list.jobs));
    int status = list.jobs != NULL ? 0 : arena_error(arena);
    if (status == 0) {
        status = head_each_job(db->head, on_job, &list);
    }
    if (status == 0 && list.count > 1) {
        qsort(list.jobs, list.count, sizeof(*list.jobs), compare_jobs);
    }
    out->jobs = list.jobs;
    out->job_count = list.count < top ? list.count : top;
    return status;
}

/* Counts and ranks, and copies what came out on top. */
static int rank_values(struct tsdb *db, const struct index_series_counts *counts, size_t top,
    struct arena *arena, struct cardinality *out)
{
    struct counting c = {0};
    struct ranking *const rankings[] = {&c.metrics, &c.names, &c.bytes, &c.pairs};
    struct cardinality_list *const lists[] = {
        &out->series_by_metric, &out->values_by_label, &out->bytes_by_label, &out->series_by_pair};
    enum { LISTS = sizeof(lists) / sizeof(lists[0]) };
    int status = 0;
    uint64_t pin = index_pin(db->index);
    for (size_t i = 0; status == 0 && i < LISTS; i++) {
        status = ranking_init(rankings[i], top, arena);
    }
    if (status == 0) {
        status = index_each_active_value(db->index, counts, on_value, &c);
    }
    if (status == 0) {
        end_name(&c);
        out->label_pairs = c.label_pairs;
    }
    for (size_t i = 0; status == 0 && i < LISTS; i++) {
        status = list_of(rankings[i], arena, lists[i]);
    }
    index_unpin(db->index, pin);
    return status;
}

int tsdb_cardinality(
    struct tsdb *db, size_t top, struct arena *arena, struct cardinality *cardinality_out)
{
    if (index_sides_overlap(db->index)) {
        return ERR_UNSUPPORTED;
    }
    struct cardinality out = {.series = index_series_count(db->index)};
    int status = rank_values(db, NULL, top, arena, &out);
    if (status == 0) {
        status = list_jobs(db, top, arena, &out);
    }
    if (status == 0) {
        *cardinality_out = out;
    }
    return status;
}

int tsdb_cardinality_of_day(struct tsdb *db, int64_t t_ms, size_t top, struct arena *arena,
    struct cardinality *cardinality_out)
{
    struct querier *q = NULL;
    struct day_series series;
    int64_t day = db_day_of(t_ms);
    if (index_sides_overlap(db->index)) {
        return ERR_UNSUPPORTED;
    }
    if (day <= db_day_of(INT64_MIN) + 1 || day >= db_day_of(INT64_MAX) - 1) {
        return ERR_RANGE;
    }
    int status = querier_open(tsdb_querier_source(db), INT64_MIN, INT64_MAX, &q, NULL);
    if (status != 0) {
        return status;
    }
    status = day_series_count(db_querier_of(q), day, &series);
    if (status == 0) {
        const struct index_series_counts counts = {
            {series.by_id[0], series.by_id[1]}, {series.ids[0], series.ids[1]}};
        struct cardinality out = {.series = series.count, .new_series = series.new_count};
        status = rank_values(db, &counts, top, arena, &out);
        if (status == 0) {
            *cardinality_out = out;
        }
        day_series_release(&series);
    }
    querier_close(q);
    return status;
}
