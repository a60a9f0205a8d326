/* /api/v1/series, /api/v1/labels, /api/v1/label/<name>/values: what is stored, without samples. */
#include <assert.h>
#include <stdlib.h>

#include "api/api_params.h"
#include "api/api_private.h"
#include "api/result_json.h"
#include "query/promql.h"

enum { API_WARNINGS_MAX = 10 };

/* What all three are asked with. */
struct lookup {
    int64_t start_ms, end_ms;
    size_t limit;
    const struct api_selector *selectors;
    size_t selector_count;
    struct arena arena;
    struct querier *querier;
};

/* False when the request has been answered. On true, end_lookup is due. */
static bool begin_lookup(struct api_request *r, struct lookup *l)
{
    *l = (struct lookup){0};
    if (!param_limit(r, "limit", &l->limit) ||
        !param_time(r, "start", API_TIME_MIN, &l->start_ms) ||
        !param_time(r, "end", API_TIME_MAX, &l->end_ms) ||
        !param_selectors(r, &l->selectors, &l->selector_count)) {
        return false;
    }
    if (l->end_ms < l->start_ms) {
        api_fail(r, API_ERROR_BAD_DATA,
            "invalid parameter \"end\": end timestamp must not be before start time");
        return false;
    }
    struct err e = ERR_INIT;
    if (querier_open(r->api->backend.reads, l->start_ms, l->end_ms, &l->querier, &e) != 0) {
        api_fail_with(r, &e);
        return false;
    }
    arena_init(&l->arena, API_ARENA_BYTES_MAX);
    return true;
}

static void end_lookup(struct lookup *l)
{
    querier_close(l->querier);
    arena_release(&l->arena);
}

/* One selector as the querier wants it; without any, all series are meant. */
static struct select_request request_of(const struct lookup *l, size_t index)
{
    struct select_request request = {.min_t = l->start_ms, .max_t = l->end_ms, .labels_only = true};
    if (index < l->selector_count) {
        request.matchers = l->selectors[index].matchers;
        request.matcher_count = l->selectors[index].count;
    }
    return request;
}

/* ---- Lists of names and values ---- */

typedef int (*list_function)(struct lookup *l, struct str name,
    const struct select_request *request, struct string_list *list_out, struct err *e);

static int list_names(struct lookup *l, struct str name, const struct select_request *request,
    struct string_list *list_out, struct err *e)
{
    (void)name;
    return l->querier->ops->label_names(l->querier, request, l->limit, &l->arena, list_out, e);
}

static int list_values(struct lookup *l, struct str name, const struct select_request *request,
    struct string_list *list_out, struct err *e)
{
    return l->querier->ops->label_values(
        l->querier, name, request, l->limit, &l->arena, list_out, e);
}

/* Both sorted, without duplicates, and so is the union; it stays in the arena. */
static int merge_lists(struct arena *arena, struct string_list *all, const struct string_list *more)
{
    struct str *items = arena_calloc(arena, all->count + more->count, sizeof(*items));
    if (items == NULL) {
        return arena_error(arena);
    }
    size_t a = 0, b = 0, count = 0;
    while (a < all->count || b < more->count) {
        int order = a == all->count    ? 1
                    : b == more->count ? -1
                                       : str_cmp(all->items[a], more->items[b]);
        items[count++] = order <= 0 ? all->items[a] : more->items[b];
        a += order <= 0;
        b += order >= 0;
    }
    all->items = items;
    all->count = count;
    all->truncated = all->truncated || more->truncated;
    return 0;
}

/* The union over all selectors. */
static int collect_list(struct lookup *l, struct str name, list_function list,
    struct string_list *all_out, struct err *e)
{
    size_t count = l->selector_count > 0 ? l->selector_count : 1;
    for (size_t i = 0; i < count; i++) {
        struct select_request request = request_of(l, i);
        struct string_list one = {0};
        int status = list(l, name, &request, &one, e);
        if (status == 0 && i == 0) {
            *all_out = one;
        } else if (status == 0) {
            status = merge_lists(&l->arena, all_out, &one);
        }
        if (status != 0) {
            return e->code != 0 ? status : err_set(e, status, -1, "%s", err_text(status));
        }
    }
    return 0;
}

static void answer_list(struct api_request *r, struct str name, list_function list)
{
    struct lookup l;
    if (!begin_lookup(r, &l)) {
        return;
    }
    struct string_list all = {0};
    struct err e = ERR_INIT;
    if (collect_list(&l, name, list, &all, &e) != 0) {
        api_fail_with(r, &e);
        end_lookup(&l);
        return;
    }
    struct api_answer a;
    struct api_notes notes = {.truncated = all.truncated};
    if (l.limit != 0 && all.count > l.limit) {
        all.count = l.limit;
        notes.truncated = true;
    }
    api_answer_begin(&a);
    json_begin_array(&a.json);
    for (size_t i = 0; i < all.count; i++) {
        json_string(&a.json, all.items[i]);
    }
    json_end(&a.json);
    end_lookup(&l);
    api_answer_send(r, &a, &notes);
}

void api_label_names(struct api_request *r)
{
    answer_list(r, STR(""), list_names);
}

void api_label_values(struct api_request *r)
{
    struct str name;
    struct str escaped = http_exchange_path_value(r->exchange);
    int status = api_unescape_name(escaped, http_exchange_arena(r->exchange), &name);
    if (status != 0) {
        api_fail(r, API_ERROR_INTERNAL, "%s", err_text(status));
        return;
    }
    if (name.len == 0 || !str_is_utf8(name)) {
        struct strbuf quoted = STRBUF_INIT;
        promql_write_quoted(name, &quoted);
        api_fail(r, API_ERROR_BAD_DATA, "invalid label name: %s",
            quoted.data != NULL ? quoted.data : "");
        strbuf_release(&quoted);
        return;
    }
    answer_list(r, name, list_values);
}

/* ---- Series ---- */

/* The sets of all selectors, and their series in label order without duplicates. */
struct series_list {
    struct series_set **sets;
    size_t set_count;
    const struct labels **labels;
    size_t count;
};

static int compare_labels(const void *a, const void *b)
{
    return labels_cmp(*(const struct labels *const *)a, *(const struct labels *const *)b);
}

static void release_series(struct series_list *list)
{
    for (size_t i = 0; i < list->set_count; i++) {
        series_set_free(list->sets[i]);
    }
}

static int select_all(struct lookup *l, struct series_list *list, struct err *e)
{
    size_t total = 0;
    list->sets = arena_calloc(&l->arena, l->selector_count, sizeof(*list->sets));
    if (list->sets == NULL) {
        return err_set(e, ERR_NOMEM, -1, "%s", err_text(ERR_NOMEM));
    }
    for (size_t i = 0; i < l->selector_count; i++) {
        struct select_request request = request_of(l, i);
        request.series_enough =
            l->limit != 0 ? l->limit + 1 : 0; // one more says that there are more
        int status = querier_select(l->querier, &request, &l->arena, &list->sets[i], e);
        if (status != 0) {
            return status;
        }
        list->set_count++;
        total += list->sets[i]->count;
    }
    list->labels = arena_calloc(&l->arena, total, sizeof(const struct labels *));
    if (list->labels == NULL) {
        int status = arena_error(&l->arena);
        return err_set(e, status, -1, "%zu series are more than one answer may hold", total);
    }
    return 0;
}

static void sort_series(struct series_list *list)
{
    bool sorted = list->set_count == 1 && list->sets[0]->sorted;
    for (size_t i = 0; i < list->set_count; i++) {
        for (size_t j = 0; j < list->sets[i]->count; j++) {
            list->labels[list->count++] = series_labels(list->sets[i]->series[j]);
        }
    }
    if (sorted || list->count == 0) {
        return;
    }
    qsort(list->labels, list->count, sizeof(const struct labels *), compare_labels);
    size_t kept = 1;
    for (size_t i = 1; i < list->count; i++) {
        if (!labels_eq(list->labels[i], list->labels[kept - 1])) {
            list->labels[kept++] = list->labels[i];
        }
    }
    list->count = kept;
}

static bool is_listed(const struct api_notes *notes, const char *sentence)
{
    for (size_t i = 0; i < notes->warning_count; i++) {
        if (strcmp(notes->warnings[i], sentence) == 0) {
            return true;
        }
    }
    return false;
}

/* What the sets say is missing, each sentence once; those beyond API_WARNINGS_MAX are left out, as in
 * the answers of queries. */
static void gather_warnings(
    const struct series_list *list, const char **room, struct api_notes *notes)
{
    notes->warnings = room;
    for (size_t i = 0; i < list->set_count; i++) {
        for (size_t j = 0; j < list->sets[i]->warning_count; j++) {
            const char *sentence = list->sets[i]->warnings[j];
            if (notes->warning_count < API_WARNINGS_MAX && !is_listed(notes, sentence)) {
                room[notes->warning_count++] = sentence;
            }
        }
    }
}

static void answer_series(struct api_request *r, const struct lookup *l, struct series_list *list)
{
    struct api_answer a;
    struct api_notes notes = {0};
    const char *warnings[API_WARNINGS_MAX];
    gather_warnings(list, warnings, &notes);
    if (l->limit != 0 && list->count > l->limit) {
        list->count = l->limit;
        notes.truncated = true;
    }
    api_answer_begin(&a);
    json_begin_array(&a.json);
    for (size_t i = 0; i < list->count; i++) {
        result_json_labels(&a.json, list->labels[i]);
    }
    json_end(&a.json);
    api_answer_send(r, &a, &notes);
}

void api_series(struct api_request *r)
{
    struct str first;
    struct lookup l;
    if (!http_exchange_param_at(r->exchange, "match[]", 0, &first)) {
        api_fail(r, API_ERROR_BAD_DATA, "no match[] parameter provided");
        return;
    }
    if (!begin_lookup(r, &l)) {
        return;
    }
    struct series_list list = {0};
    struct err e = ERR_INIT;
    if (select_all(&l, &list, &e) != 0) {
        api_fail_with(r, &e);
    } else {
        sort_series(&list);
        answer_series(r, &l, &list);
    }
    release_series(&list);
    end_lookup(&l);
}
