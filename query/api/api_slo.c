/* /api/v1/slos: objectives as they are or were, their history, what would have been told, and times that do not
 * count. What is written is in query/slo; here are its parameters and its errors.
 */
#include "api/api_params.h"
#include "api/api_private.h"
#include "query/slo.h"

#define DAY_MS (INT64_C(86400) * 1000)
#define HISTORY_MS_DEFAULT DAY_MS
#define BACKTEST_MS_DEFAULT (30 * DAY_MS)
#define HISTORY_STEP_MS_DEFAULT (INT64_C(300) * 1000)

/* False when it has answered: no objectives are evaluated here. */
static bool has_objectives(struct api_request *r)
{
    if (r->api->backend.slos == NULL) {
        api_fail(r, API_ERROR_NOT_FOUND, "no SLOs are evaluated here: start the server with --slo");
    }
    return r->api->backend.slos != NULL;
}

/* Sends what was written, or what went wrong. */
static void finish(struct api_request *r, struct api_answer *a, int status, const struct err *e)
{
    if (status == 0) {
        api_answer_send(r, a, NULL);
        return;
    }
    api_answer_drop(a);
    if (status == ERR_NOT_FOUND) {
        api_fail(r, API_ERROR_NOT_FOUND, "%s", e->message);
    } else {
        api_fail_with(r, e);
    }
}

void api_slos(struct api_request *r)
{
    struct err e = ERR_INIT;
    int64_t time_ms = INT64_MIN;
    struct api_answer a;
    if (!has_objectives(r) || !param_time(r, "time", INT64_MIN, &time_ms)) {
        return;
    }
    api_answer_begin(&a);
    int status = slo_write_list(
        r->api->backend.slos, http_exchange_param(r->exchange, "name"), time_ms, &a.json, &e);
    finish(r, &a, status, &e);
}

void api_slo_history(struct api_request *r)
{
    struct err e = ERR_INIT;
    int64_t end_ms, start_ms, step_ms;
    struct api_answer a;
    if (!has_objectives(r) || !param_time(r, "end", clock_now_ms(r->clock), &end_ms) ||
        !param_time(r, "start", end_ms - HISTORY_MS_DEFAULT, &start_ms) ||
        !param_duration(r, "step", HISTORY_STEP_MS_DEFAULT, &step_ms)) {
        return;
    }
    api_answer_begin(&a);
    int status = slo_write_history(r->api->backend.slos, http_exchange_path_value(r->exchange),
        start_ms, end_ms, step_ms, &a.json, &e);
    finish(r, &a, status, &e);
}

/* Alerts there would have been, of an objective by its name or of those in a file. */
static void answer_backtest(struct api_request *r, struct str what,
    int (*write)(struct slo_manager *m, struct str what, int64_t start_ms, int64_t end_ms,
        struct json_writer *out, struct err *e))
{
    struct err e = ERR_INIT;
    int64_t end_ms, start_ms;
    struct api_answer a;
    if (!has_objectives(r) || !param_time(r, "end", clock_now_ms(r->clock), &end_ms) ||
        !param_time(r, "start", end_ms - BACKTEST_MS_DEFAULT, &start_ms)) {
        return;
    }
    api_answer_begin(&a);
    int status = write(r->api->backend.slos, what, start_ms, end_ms, &a.json, &e);
    finish(r, &a, status, &e);
}

void api_slo_backtest(struct api_request *r)
{
    answer_backtest(r, http_exchange_path_value(r->exchange), slo_write_backtest);
}

/* The body is a file of objectives; start and end are in the query. */
void api_slo_preview(struct api_request *r)
{
    answer_backtest(r, http_exchange_body(r->exchange), slo_write_preview);
}

void api_slo_openslo(struct api_request *r)
{
    struct err e = ERR_INIT;
    struct strbuf text = STRBUF_INIT;
    if (!has_objectives(r)) {
        return;
    }
    int status =
        slo_write_openslo(r->api->backend.slos, http_exchange_path_value(r->exchange), &text, &e);
    if (status == 0 && strbuf_error(&text) == 0) {
        api_reply(r, 200, "application/yaml", &text);
        return;
    }
    strbuf_release(&text);
    api_fail(
        r, status == ERR_NOT_FOUND ? API_ERROR_NOT_FOUND : API_ERROR_INTERNAL, "%s", e.message);
}

static int remove_exclusion(struct api_request *r, struct err *e)
{
    uint64_t id = 0;
    if (str_to_u64(http_exchange_param(r->exchange, "id"), &id) != 0) {
        return err_set(e, ERR_INVALID, -1, "the parameter id is the number of an exclusion");
    }
    return slo_remove_exclusion(r->api->backend.slos, http_exchange_path_value(r->exchange), id,
        http_exchange_param(r->exchange, "author"), http_exchange_param(r->exchange, "reason"), e);
}

void api_slo_exclusions(struct api_request *r)
{
    struct err e = ERR_INIT;
    struct api_answer a;
    struct str method = http_exchange_method(r->exchange);
    struct str name = http_exchange_path_value(r->exchange);
    if (!has_objectives(r)) {
        return;
    }
    struct slo_manager *slos = r->api->backend.slos;
    int status;
    api_answer_begin(&a);
    if (str_eq_c(method, "POST")) {
        uint64_t id = 0;
        status = slo_add_exclusion(slos, name, http_exchange_body(r->exchange), &id, &e);
        json_begin_object(&a.json);
        json_key(&a.json, "id");
        json_integer(&a.json, (int64_t)id);
        json_end(&a.json);
    } else if (str_eq_c(method, "DELETE")) {
        status = remove_exclusion(r, &e);
        json_null(&a.json);
    } else {
        status = slo_write_exclusions(slos, name, &a.json, &e);
    }
    finish(r, &a, status, &e);
}
