/* /api/v1/status/tsdb: which metrics, labels and pairs have the most series.
 *
 * Of all series in memory the store keeps counts, and of those of a day (UTC) when `date` names one. With
 * match[] it is the series that match and have samples that day, or in the last two hours: one pass over their labels fills a table of distinct pairs with their
 * number of series; everything else is added up from it. So it is, too, where the store has no counts.
 */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#include "api/api_params.h"
#include "api/api_private.h"
#include "base/hash.h"
#include "tsdb/cardinality.h"

/* Series that are counted; more are an error, not a guess. */
enum { SERIES_MAX = 5000000, LIMIT_DEFAULT = 10, LIMIT_MAX = 10000, SLOTS_MIN = 1024 };
#define WINDOW_MS ((int64_t)2 * 3600 * 1000)
#define DAY_MS ((int64_t)86400 * 1000)

/* What is asked. */
struct question {
    size_t limit;
    const struct api_selector *selector; /* NULL: all series */
    bool dated;
    int64_t day_ms; /* its first millisecond */
};

struct pair {
    struct label label; /* borrowed from a series; name.ptr NULL = free slot */
    uint64_t series;
};

/* Open addressing; at most half of the slots are taken. */
struct pair_table {
    struct arena *arena;
    uint64_t seed;
    struct pair *slots;
    size_t slot_count, count;
};

/* Sums over the pairs of one label name. */
struct name_total {
    struct str name;
    uint64_t values, bytes;
};

/* A line of the answer. */
struct ranked {
    struct label label; /* value empty: a name alone */
    uint64_t value;
};

static int make_slots(struct pair_table *t, size_t slot_count)
{
    t->slots = arena_calloc(t->arena, slot_count, sizeof(*t->slots));
    t->slot_count = slot_count;
    return t->slots != NULL ? 0 : arena_error(t->arena);
}

static struct pair *find_slot(const struct pair_table *t, struct label label)
{
    uint64_t hash = hash64(label.name.ptr, label.name.len, t->seed);
    hash = hash64(label.value.ptr, label.value.len, hash);
    size_t i = (size_t)hash & (t->slot_count - 1);
    while (t->slots[i].label.name.ptr != NULL && !(str_eq(t->slots[i].label.value, label.value) &&
                                                     str_eq(t->slots[i].label.name, label.name))) {
        i = (i + 1) & (t->slot_count - 1);
    }
    return &t->slots[i];
}

/* Twice the slots; the old ones stay in the arena, together no more than the new ones. */
static int grow(struct pair_table *t)
{
    struct pair *old = t->slots;
    size_t old_count = t->slot_count;
    int status = make_slots(t, old_count * 2);
    for (size_t i = 0; status == 0 && i < old_count; i++) {
        if (old[i].label.name.ptr != NULL) {
            *find_slot(t, old[i].label) = old[i];
        }
    }
    return status;
}

static int count_pair(struct pair_table *t, struct label label)
{
    struct pair *pair = find_slot(t, label);
    if (pair->label.name.ptr != NULL) {
        pair->series++;
        return 0;
    }
    *pair = (struct pair){label, 1};
    t->count++;
    return t->count * 2 > t->slot_count ? grow(t) : 0;
}

static int count_series(struct pair_table *t, const struct series_set *set)
{
    int status = make_slots(t, SLOTS_MIN);
    for (size_t i = 0; status == 0 && i < set->count; i++) {
        const struct labels *labels = series_labels(set->series[i]);
        for (size_t j = 0; status == 0 && j < labels_count(labels); j++) {
            status = count_pair(t, labels_at(labels, j));
        }
    }
    return status;
}

/* ---- Ranking ---- */

static int compare_ranked(const void *a, const void *b)
{
    const struct ranked *x = a, *y = b;
    if (x->value != y->value) {
        return x->value > y->value ? -1 : 1;
    }
    int order = str_cmp(x->label.name, y->label.name);
    return order != 0 ? order : str_cmp(x->label.value, y->label.value);
}

/* {"name":"job=api","value":3} */
static void write_item(struct json_writer *json, struct str name, struct str value, uint64_t count)
{
    struct strbuf text = STRBUF_INIT;
    strbuf_add_str(&text, name);
    if (value.len > 0) {
        strbuf_add_char(&text, '=');
        strbuf_add_str(&text, value);
    }
    json_begin_object(json);
    json_key(json, "name");
    json_string(json, strbuf_str(&text));
    json_key(json, "value");
    json_integer(json, (int64_t)count);
    json_end(json);
    strbuf_release(&text);
}

static void write_ranking(
    struct json_writer *json, const char *key, struct ranked *items, size_t count, size_t limit)
{
    if (count > 0) {
        qsort(items, count, sizeof(*items), compare_ranked);
    }
    json_key(json, key);
    json_begin_array(json);
    for (size_t i = 0; i < count && i < limit; i++) {
        write_item(json, items[i].label.name, items[i].label.value, items[i].value);
    }
    json_end(json);
}

/* Names are few; pairs of one name are found by walking the short list. */
static size_t add_up_names(const struct pair_table *t, struct name_total *totals, size_t cap)
{
    size_t count = 0;
    for (size_t i = 0; i < t->slot_count; i++) {
        const struct pair *pair = &t->slots[i];
        if (pair->label.name.ptr == NULL) {
            continue;
        }
        size_t at = 0;
        while (at < count && !str_eq(totals[at].name, pair->label.name)) {
            at++;
        }
        if (at == cap) {
            continue;
        }
        if (at == count) {
            totals[count++] = (struct name_total){.name = pair->label.name};
        }
        totals[at].values++;
        totals[at].bytes += pair->label.value.len * pair->series;
    }
    return count;
}

static int write_rankings(struct json_writer *json, const struct pair_table *t, size_t limit)
{
    struct ranked *items = arena_calloc(t->arena, t->count + LIMIT_MAX, sizeof(*items));
    struct name_total *totals = arena_calloc(t->arena, LIMIT_MAX, sizeof(*totals));
    if (items == NULL || totals == NULL) {
        return arena_error(t->arena);
    }
    size_t names = add_up_names(t, totals, LIMIT_MAX), count = 0;
    for (size_t i = 0; i < t->slot_count; i++) {
        const struct pair *pair = &t->slots[i];
        if (pair->label.name.ptr != NULL && str_eq(pair->label.name, STR(LABEL_METRIC_NAME))) {
            items[count++] = (struct ranked){{pair->label.value, STR("")}, pair->series};
        }
    }
    write_ranking(json, "seriesCountByMetricName", items, count, limit);
    for (size_t i = 0; i < names; i++) {
        items[i] = (struct ranked){{totals[i].name, STR("")}, totals[i].values};
    }
    write_ranking(json, "labelValueCountByLabelName", items, names, limit);
    for (size_t i = 0; i < names; i++) {
        items[i] = (struct ranked){{totals[i].name, STR("")}, totals[i].bytes};
    }
    write_ranking(json, "memoryInBytesByLabelName", items, names, limit);
    count = 0;
    for (size_t i = 0; i < t->slot_count; i++) {
        const struct pair *pair = &t->slots[i];
        if (pair->label.name.ptr != NULL) {
            items[count++] = (struct ranked){pair->label, pair->series};
        }
    }
    write_ranking(json, "seriesCountByLabelValuePair", items, count, limit);
    return 0;
}

/* ---- The answer ---- */

static void write_head(
    struct json_writer *json, const struct tsdb_statistics *statistics, size_t series, size_t pairs)
{
    bool empty = statistics->min_t > statistics->max_t;
    json_key(json, "headStats");
    json_begin_object(json);
    json_key(json, "numSeries");
    json_integer(json, (int64_t)series);
    json_key(json, "numLabelPairs");
    json_integer(json, (int64_t)pairs);
    json_key(json, "chunkCount");
    json_integer(json, (int64_t)statistics->part_count);
    json_key(json, "minTime");
    json_integer(json, empty ? 0 : statistics->min_t);
    json_key(json, "maxTime");
    json_integer(json, empty ? 0 : statistics->max_t);
    json_end(json);
}

static int answer_with(struct api_request *r, struct arena *arena, const struct series_set *set,
    const struct tsdb_statistics *statistics, size_t limit)
{
    struct pair_table table = {.arena = arena, .seed = hash_seed_random()};
    int status = count_series(&table, set);
    if (status != 0) {
        return status;
    }
    struct api_answer a;
    api_answer_begin(&a);
    json_begin_object(&a.json);
    write_head(&a.json, statistics, set->count, table.count);
    status = write_rankings(&a.json, &table, limit);
    if (status != 0) {
        api_answer_drop(&a);
        return status;
    }
    json_end(&a.json);
    api_answer_send(r, &a, NULL);
    return 0;
}

/* ---- From the store's counts ---- */

static void write_list(
    struct json_writer *json, const char *key, const struct cardinality_list *list, size_t limit)
{
    json_key(json, key);
    json_begin_array(json);
    for (size_t i = 0; i < list->count && i < limit; i++) {
        write_item(json, list->items[i].name, list->items[i].value, list->items[i].count);
    }
    json_end(json);
}

/* Not in Prometheus' answer: who makes new series. */
static void write_churn(struct json_writer *json, const struct cardinality *c)
{
    json_key(json, "newSeriesCountByJob");
    json_begin_array(json);
    for (size_t i = 0; i < c->job_count; i++) {
        json_begin_object(json);
        json_key(json, "name");
        json_string(json, c->jobs[i].job);
        json_key(json, "thisHour");
        json_integer(json, (int64_t)c->jobs[i].this_hour);
        json_key(json, "lastHour");
        json_integer(json, (int64_t)c->jobs[i].last_hour);
        json_end(json);
    }
    json_end(json);
}

/* Likewise: of a day, how many series the day before did not have. */
static void write_new_series(struct json_writer *json, const struct cardinality *c)
{
    json_key(json, "newSeriesCount");
    json_integer(json, (int64_t)c->new_series);
}

static int answer_counts(struct api_request *r, const struct tsdb_statistics *statistics,
    const struct question *question)
{
    struct tsdb *db = r->api->backend.db;
    size_t limit = question->limit;
    struct arena arena;
    struct cardinality c;
    arena_init(&arena, API_ARENA_BYTES_MAX);
    int status = question->dated ? tsdb_cardinality_of_day(db, question->day_ms, limit, &arena, &c)
                                 : tsdb_cardinality(db, limit, &arena, &c);
    if (status == 0) {
        struct api_answer a;
        api_answer_begin(&a);
        json_begin_object(&a.json);
        write_head(&a.json, statistics, c.series, c.label_pairs);
        write_list(&a.json, "seriesCountByMetricName", &c.series_by_metric, limit);
        write_list(&a.json, "labelValueCountByLabelName", &c.values_by_label, limit);
        write_list(&a.json, "memoryInBytesByLabelName", &c.bytes_by_label, limit);
        write_list(&a.json, "seriesCountByLabelValuePair", &c.series_by_pair, limit);
        if (question->dated) {
            write_new_series(&a.json, &c);
        } else {
            write_churn(&a.json, &c);
        }
        json_end(&a.json);
        api_answer_send(r, &a, NULL);
    }
    arena_release(&arena);
    return status;
}

/* ---- From a selection ---- */

static void answer_selection(
    struct api_request *r, const struct tsdb_statistics *found, const struct question *question)
{
    const struct api_selector *selector = question->selector;
    struct tsdb_statistics statistics = *found;
    bool empty = statistics.min_t > statistics.max_t;
    struct select_request request = {.min_t = empty ? 0 : statistics.max_t - WINDOW_MS,
        .max_t = empty ? 0 : statistics.max_t,
        .labels_only = true,
        .series_max = SERIES_MAX};
    if (question->dated) {
        request.min_t = question->day_ms;
        request.max_t = question->day_ms + DAY_MS - 1;
    }
    if (selector != NULL) {
        request.matchers = selector->matchers;
        request.matcher_count = selector->count;
    }
    struct arena arena;
    struct querier *querier = NULL;
    struct series_set *set = NULL;
    struct err e = ERR_INIT;
    arena_init(&arena, API_ARENA_BYTES_MAX);
    int status = querier_open(r->api->backend.reads, request.min_t, request.max_t, &querier, &e);
    if (status == 0) {
        status = querier_select(querier, &request, &arena, &set, &e);
    }
    if (status == 0) {
        status = answer_with(r, &arena, set, &statistics, question->limit);
    }
    if (status != 0) {
        api_fail(r, api_error_of(status), "%s", e.code != 0 ? e.message : err_text(status));
    }
    series_set_free(set);
    querier_close(querier);
    arena_release(&arena);
}

/* VictoriaMetrics calls the limit topN. */
static bool read_limit(struct api_request *r, size_t *limit_out)
{
    const char *name = http_exchange_param(r->exchange, "topN").len > 0 ? "topN" : "limit";
    if (!param_limit(r, name, limit_out)) {
        return false;
    }
    if (*limit_out > LIMIT_MAX) {
        api_fail(r, API_ERROR_BAD_DATA, "invalid parameter \"%s\": at most %d", name, LIMIT_MAX);
        return false;
    }
    *limit_out = *limit_out != 0 ? *limit_out : LIMIT_DEFAULT;
    return true;
}

/* "2026-11-22", as VictoriaMetrics takes it. */
static bool read_date(struct api_request *r, struct question *question)
{
    struct str date = http_exchange_param(r->exchange, "date");
    struct err e = ERR_INIT;
    char text[32];
    question->dated = date.len > 0;
    if (!question->dated) {
        return true;
    }
    enum { DATE_SIZE = sizeof("YYYY-MM-DD") - 1 };
    int n = snprintf(text, sizeof(text), "%.*sT00:00:00Z", DATE_SIZE, date.ptr);
    if (date.len != DATE_SIZE ||
        api_parse_time(str_make(text, (size_t)n), &question->day_ms, &e) != 0) {
        api_fail(
            r, API_ERROR_BAD_DATA, "invalid parameter \"date\": a day as in 2026-11-22 is taken");
        return false;
    }
    return true;
}

void api_status_tsdb(struct api_request *r)
{
    struct question question = {0};
    size_t selector_count;
    const struct api_selector *selectors;
    if (!read_limit(r, &question.limit) || !read_date(r, &question) ||
        !param_selectors(r, &selectors, &selector_count)) {
        return;
    }
    if (selector_count > 1) {
        api_fail(r, API_ERROR_BAD_DATA, "invalid parameter \"match[]\": at most one is taken here");
        return;
    }
    question.selector = selector_count > 0 ? selectors : NULL;
    struct tsdb_statistics statistics;
    tsdb_statistics(r->api->backend.db, &statistics);
    int status = selector_count == 0 ? answer_counts(r, &statistics, &question) : ERR_UNSUPPORTED;
    if (status == ERR_UNSUPPORTED) {
        answer_selection(r, &statistics, &question);
    } else if (status != 0) {
        api_fail(r, api_error_of(status), "%s", err_text(status));
    }
}
