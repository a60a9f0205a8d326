/* /api/v1/series, /api/v1/labels, /api/v1/label/<name>/values: what is stored, without samples. */
#include <assert.h>

#include "api/api_params.h"
#include "api/api_private.h"
#include "api/result_json.h"
#include "api/series_union.h"
#include "query/promql.h"

/* What all three are asked with. */
struct lookup {
    int64_t start_ms, end_ms;
    size_t limit;
    const struct api_selector *selectors;
    size_t selector_count;
    struct arena arena;
    struct querier *querier;
};

/* The parameters; false when the request has been answered. */
static bool read_lookup(struct api_request *r, struct lookup *l)
{
    *l = (struct lookup){0};
    if (!param_limit(r, "limit", &l->limit) ||
        !param_time(r, "start", API_TIME_MIN, &l->start_ms) ||
        !param_time(r, "end", API_TIME_MAX, &l->end_ms) ||
        !param_selectors(r, &l->selectors, &l->selector_count)) {
        return false;
    }
    if (l->end_ms < l->start_ms) { /* nothing was ever between them: not a mistake to Prometheus */
        struct api_answer a;
        api_answer_begin(&a);
        json_begin_array(&a.json);
        json_end(&a.json);
        api_answer_send(r, &a, NULL);
        return false;
    }
    return true;
}

/* False when the request has been answered. On true, end_lookup is due. */
static bool begin_lookup(struct api_request *r, struct lookup *l)
{
    struct err e = ERR_INIT;
    if (!read_lookup(r, l)) {
        return false;
    }
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

static void answer_series(
    struct api_request *r, const struct lookup *l, const struct series_union *s)
{
    struct api_answer a;
    const char *warnings[SERIES_UNION_WARNINGS_MAX];
    struct api_notes notes = {
        .warnings = warnings, .warning_count = series_union_warnings(s, warnings)};
    size_t count = s->count;
    if (l->limit != 0 && count > l->limit) {
        count = l->limit;
        notes.truncated = true;
    }
    api_answer_begin(&a);
    json_begin_array(&a.json);
    for (size_t i = 0; i < count; i++) {
        result_json_labels(&a.json, series_labels(s->series[i]));
    }
    json_end(&a.json);
    api_answer_send(r, &a, &notes);
}

void api_series(struct api_request *r)
{
    struct str first;
    struct lookup l;
    struct series_union s;
    struct err e = ERR_INIT;
    if (!http_exchange_param_at(r->exchange, "match[]", 0, &first)) {
        api_fail(r, API_ERROR_BAD_DATA, "no match[] parameter provided");
        return;
    }
    if (!read_lookup(r, &l)) {
        return;
    }
    struct series_union_options options = {.min_t = l.start_ms,
        .max_t = l.end_ms,
        .selectors = l.selectors,
        .selector_count = l.selector_count,
        .series_enough = l.limit != 0 ? l.limit + 1 : 0, // one more says that there are more
        .labels_only = true};
    if (series_union_open(r->api->backend.reads, &options, &s, &e) != 0) {
        api_fail_with(r, &e);
        return;
    }
    answer_series(r, &l, &s);
    series_union_close(&s);
}
