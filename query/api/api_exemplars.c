/* /api/v1/query_exemplars: the exemplars of all series that the selectors of an expression name.
 *
 *   [{"seriesLabels":{…},"exemplars":[{"labels":{…},"value":"0.25","timestamp":1700000000.123}]}]
 *
 * Grafana asks with times in milliseconds, which as seconds lie far beyond any calendar, and keeps
 * exemplars off for good when it gets an error: such times are a range without exemplars.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "api/api_params.h"
#include "api/api_private.h"
#include "api/result_json.h"
#include "base/fpconv.h"

/* Selectors of one expression, each a lookup; and warnings of one answer. */
enum { SELECTORS_MAX = 1000, WARNINGS_MAX = 32 };

struct asking {
    struct querier *querier;
    struct arena *arena;
    int64_t start_ms, end_ms;
    const struct expr *selectors[SELECTORS_MAX];
    size_t selector_count;
    /* What the selectors found, one after the other. */
    const struct exemplar_series **found;
    size_t found_count;
    const char *warnings[WARNINGS_MAX];
    size_t warning_count;
};

static int note_selector(struct expr *expr, struct expr *parent, void *context)
{
    struct asking *a = context;
    (void)parent;
    if (expr->kind != EXPR_SELECTOR) {
        return 0;
    }
    if (a->selector_count == SELECTORS_MAX) {
        return ERR_LIMIT;
    }
    a->selectors[a->selector_count++] = expr;
    return 0;
}

/* Selectors find the same damaged files: each is told of once. */
static void note_warnings(struct asking *a, const struct exemplar_list *list)
{
    for (size_t i = 0; i < list->warning_count; i++) {
        bool told = a->warning_count == WARNINGS_MAX;
        for (size_t k = 0; k < a->warning_count && !told; k++) {
            told = strcmp(a->warnings[k], list->warnings[i]) == 0;
        }
        if (!told) {
            a->warnings[a->warning_count++] = list->warnings[i];
        }
    }
}

static int ask(struct asking *a, struct exemplar_list lists[], struct err *e)
{
    size_t total = 0;
    for (size_t i = 0; i < a->selector_count; i++) {
        const struct expr_selector *selector = &a->selectors[i]->selector;
        const struct select_request request = {.min_t = a->start_ms,
            .max_t = a->end_ms,
            .matchers = selector->matchers,
            .matcher_count = selector->matcher_count};
        int status = querier_exemplars(a->querier, &request, a->arena, &lists[i], e);
        if (status != 0) {
            return status;
        }
        total += lists[i].count;
        note_warnings(a, &lists[i]);
    }
    a->found = arena_alloc(a->arena, (total + 1) * sizeof(*a->found));
    if (a->found == NULL) {
        return err_set(e, arena_error(a->arena), -1, "%s", err_text(arena_error(a->arena)));
    }
    for (size_t i = 0; i < a->selector_count; i++) {
        for (size_t k = 0; k < lists[i].count; k++) {
            a->found[a->found_count++] = &lists[i].series[k];
        }
    }
    return 0;
}

static int compare_series(const void *a, const void *b)
{
    const struct exemplar_series *x = *(const struct exemplar_series *const *)a;
    const struct exemplar_series *y = *(const struct exemplar_series *const *)b;
    return labels_cmp(x->labels, y->labels);
}

static void write_series(struct json_writer *json, const struct exemplar_series *s)
{
    json_begin_object(json);
    json_key(json, "seriesLabels");
    result_json_labels(json, s->labels);
    json_key(json, "exemplars");
    json_begin_array(json);
    for (size_t i = 0; i < s->count; i++) {
        struct strbuf value = STRBUF_INIT;
        strbuf_add_double(&value, s->items[i].value);
        json_begin_object(json);
        json_key(json, "labels");
        result_json_labels(json, s->items[i].labels);
        json_key(json, "value");
        json_string(json, strbuf_str(&value));
        json_key(json, "timestamp");
        json_seconds(json, s->items[i].t_ms);
        json_end(json);
        strbuf_release(&value);
    }
    json_end(json);
    json_end(json);
}

/* A series that two selectors name is answered once. */
static void answer(struct api_request *r, struct asking *a)
{
    struct api_answer answer;
    if (a->found_count > 1) {
        qsort(a->found, a->found_count, sizeof(*a->found), compare_series);
    }
    api_answer_begin(&answer);
    json_begin_array(&answer.json);
    for (size_t i = 0; i < a->found_count; i++) {
        if (i == 0 || compare_series(&a->found[i - 1], &a->found[i]) != 0) {
            write_series(&answer.json, a->found[i]);
        }
    }
    json_end(&answer.json);
    const struct api_notes notes = {.warnings = a->warnings, .warning_count = a->warning_count};
    api_answer_send(r, &answer, &notes);
}

static void answer_query(struct api_request *r, struct expr *expr, struct asking *a)
{
    struct err e = ERR_INIT;
    int status = promql_walk(expr, note_selector, a);
    if (status != 0) {
        api_fail(r, API_ERROR_BAD_DATA, "more than %d selectors in one expression", SELECTORS_MAX);
        return;
    }
    struct exemplar_list *lists =
        arena_calloc(a->arena, a->selector_count + 1, sizeof(struct exemplar_list));
    status = lists != NULL ? 0 : arena_error(a->arena);
    if (status == 0) {
        status = querier_open(r->api->backend.reads, a->start_ms, a->end_ms, &a->querier, &e);
    }
    if (status == 0) {
        status = ask(a, lists, &e);
    }
    querier_close(a->querier);
    if (status != 0) {
        api_fail(r, api_error_of(status), "%s", e.code != 0 ? e.message : err_text(status));
        return;
    }
    answer(r, a);
}

void api_exemplars(struct api_request *r)
{
    struct arena arena;
    struct expr *expr;
    struct err e = ERR_INIT;
    struct asking a = {.arena = &arena};
    if (!param_time(r, "start", API_TIME_MIN, &a.start_ms) ||
        !param_time(r, "end", API_TIME_MAX, &a.end_ms)) {
        return;
    }
    if (a.end_ms < a.start_ms) {
        api_fail(r, API_ERROR_BAD_DATA, "end timestamp must not be before start timestamp");
        return;
    }
    if (promql_parse(http_exchange_param(r->exchange, "query"), r->api->backend.features,
            http_exchange_arena(r->exchange), &expr, &e) != 0) {
        api_fail(r, API_ERROR_BAD_DATA, "%s", e.message);
        return;
    }
    arena_init(&arena, API_ARENA_BYTES_MAX);
    answer_query(r, expr, &a);
    arena_release(&arena);
}
