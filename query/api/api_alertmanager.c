/* Alertmanager's API, version 2, as amtool and Prometheus speak it; and the delivery log, in the envelope of
 * /api/v1. What Alertmanager says in an error is a mere JSON text.
 */
#include "api/api_params.h"
#include "api/api_private.h"

#define FILTERS_MAX 64

static const char JSON_TYPE[] = "application/json";

static void reply_error(struct api_request *r, unsigned status, const char *sentence)
{
    struct strbuf body = STRBUF_INIT;
    struct json_writer json;
    json_init(&json, &body);
    json_cstring(&json, sentence);
    api_reply(r, status, JSON_TYPE, &body);
}

/* The answer, or what `status` means in HTTP. */
static void finish(struct api_request *r, int status, struct strbuf *body, const struct err *e)
{
    if (status == 0) {
        api_reply(r, 200, JSON_TYPE, body);
        return;
    }
    strbuf_release(body);
    unsigned code = status == ERR_INVALID ? 400 : status == ERR_NOT_FOUND ? 404 : 500;
    reply_error(r, code, e->message);
}

/* NULL when the request has been answered. */
static struct notify *notify_of(struct api_request *r)
{
    struct notify *n = r->api->backend.notify;
    if (n == NULL) {
        reply_error(r, 503, "alerts are not known here");
    }
    return n;
}

/* "true", "false" or absent. */
static bool flag_param(struct api_request *r, const char *name, bool *flag_out, bool *good)
{
    struct str text = http_exchange_param(r->exchange, name);
    *flag_out = true;
    if (str_eq_c(text, "false") || str_eq_c(text, "0")) {
        *flag_out = false;
    } else if (text.ptr != NULL && !str_eq_c(text, "true") && !str_eq_c(text, "1")) {
        *good = false;
    }
    return *flag_out;
}

/* All values of a parameter. */
static bool list_params(
    struct api_request *r, const char *name, const struct str **list_out, size_t *count_out)
{
    struct str *list = arena_calloc(http_exchange_arena(r->exchange), FILTERS_MAX, sizeof(*list));
    size_t count = 0;
    while (list != NULL && count < FILTERS_MAX &&
           http_exchange_param_at(r->exchange, name, count, &list[count])) {
        count++;
    }
    *list_out = list;
    *count_out = count;
    return list != NULL && count < FILTERS_MAX;
}

static bool filter_params(struct api_request *r, struct notify_filter *filter)
{
    *filter = (struct notify_filter){.receiver = http_exchange_param(r->exchange, "receiver")};
    return list_params(r, "filter", &filter->matchers, &filter->count) &&
           list_params(
               r, "receiver_matchers", &filter->receiver_matchers, &filter->receiver_matcher_count);
}

void api_am_status(struct api_request *r)
{
    struct strbuf body = STRBUF_INIT;
    struct err e = ERR_INIT;
    struct notify *n = notify_of(r);
    if (n != NULL) {
        finish(r, notify_write_status(n, &body, &e), &body, &e);
    }
}

void api_am_receivers(struct api_request *r)
{
    struct strbuf body = STRBUF_INIT;
    struct err e = ERR_INIT;
    struct notify *n = notify_of(r);
    struct notify_filter filter;
    if (n != NULL && !filter_params(r, &filter)) {
        reply_error(r, 400, "there are too many matchers");
    } else if (n != NULL) {
        finish(r, notify_write_receivers(n, &filter, &body, &e), &body, &e);
    }
}

static bool alert_params(struct api_request *r, struct notify_alert_query *query)
{
    bool good = filter_params(r, &query->filter);
    (void)flag_param(r, "active", &query->active, &good);
    (void)flag_param(r, "silenced", &query->silenced, &good);
    (void)flag_param(r, "inhibited", &query->inhibited, &good);
    (void)flag_param(r, "unprocessed", &query->unprocessed, &good);
    (void)flag_param(r, "muted", &query->muted, &good);
    if (!good) {
        reply_error(r, 400, "a parameter is neither true nor false, or there are too many filters");
    }
    return good;
}

void api_am_alerts(struct api_request *r)
{
    struct strbuf body = STRBUF_INIT;
    struct err e = ERR_INIT;
    struct notify_alert_query query;
    struct notify *n = notify_of(r);
    if (n != NULL && alert_params(r, &query)) {
        finish(r, notify_write_alerts(n, &query, &body, &e), &body, &e);
    }
}

void api_am_groups(struct api_request *r)
{
    struct strbuf body = STRBUF_INIT;
    struct err e = ERR_INIT;
    struct notify_alert_query query;
    struct notify *n = notify_of(r);
    if (n != NULL && alert_params(r, &query)) {
        finish(r, notify_write_groups(n, &query, &body, &e), &body, &e);
    }
}

void api_am_post_alerts(struct api_request *r)
{
    struct strbuf body = STRBUF_INIT;
    struct err e = ERR_INIT;
    struct notify *n = notify_of(r);
    if (n == NULL) {
        return;
    }
    int status = notify_post_alerts(n, http_exchange_body(r->exchange), &e);
    if (status == 0) {
        api_reply_empty(r, 200);
    } else {
        finish(r, status, &body, &e);
    }
}

void api_am_silences(struct api_request *r)
{
    struct strbuf body = STRBUF_INIT;
    struct err e = ERR_INIT;
    struct notify_silence_query query;
    struct notify *n = notify_of(r);
    if (n == NULL) {
        return;
    }
    bool good = filter_params(r, &query.filter);
    (void)flag_param(r, "active", &query.active, &good);
    (void)flag_param(r, "pending", &query.pending, &good);
    (void)flag_param(r, "expired", &query.expired, &good);
    if (!good) {
        reply_error(r, 400, "a parameter is neither true nor false, or there are too many filters");
        return;
    }
    finish(r, notify_write_silences(n, &query, &body, &e), &body, &e);
}

void api_am_post_silence(struct api_request *r)
{
    struct strbuf body = STRBUF_INIT;
    struct err e = ERR_INIT;
    struct notify *n = notify_of(r);
    if (n != NULL) {
        finish(r, notify_post_silence(n, http_exchange_body(r->exchange), &body, &e), &body, &e);
    }
}

void api_am_silence(struct api_request *r)
{
    struct strbuf body = STRBUF_INIT;
    struct err e = ERR_INIT;
    struct notify *n = notify_of(r);
    if (n != NULL) {
        struct str id = http_exchange_path_value(r->exchange);
        finish(r, notify_write_silence(n, id, &body, &e), &body, &e);
    }
}

void api_am_expire_silence(struct api_request *r)
{
    struct strbuf body = STRBUF_INIT;
    struct err e = ERR_INIT;
    struct notify *n = notify_of(r);
    if (n == NULL) {
        return;
    }
    int status = notify_expire_silence(n, http_exchange_path_value(r->exchange), &e);
    if (status == 0) {
        api_reply_empty(r, 200);
    } else {
        finish(r, status, &body, &e);
    }
}

/* ---- In the envelope of /api/v1 ---- */

static void answer_data(struct api_request *r, int status, struct strbuf *data, const struct err *e)
{
    struct api_answer a;
    if (status != 0) {
        strbuf_release(data);
        api_fail_with(r, e);
        return;
    }
    api_answer_begin(&a);
    json_raw(&a.json, strbuf_str(data));
    strbuf_release(data);
    api_answer_send(r, &a, NULL);
}

void api_alertmanagers(struct api_request *r)
{
    struct strbuf data = STRBUF_INIT;
    struct err e = ERR_INIT;
    struct notify *n = r->api->backend.notify;
    int status = 0;
    strbuf_add_c(&data, "{\"activeAlertmanagers\":");
    if (n != NULL) {
        status = notify_write_alertmanagers(n, &data, &e);
    } else {
        strbuf_add_c(&data, "[]"); /* none are known here */
    }
    strbuf_add_c(&data, ",\"droppedAlertmanagers\":[]}");
    answer_data(r, status, &data, &e);
}

void api_deliveries(struct api_request *r)
{
    struct strbuf data = STRBUF_INIT;
    struct err e = ERR_INIT;
    struct notify_delivery_query query = {.state = http_exchange_param(r->exchange, "state"),
        .receiver = http_exchange_param(r->exchange, "receiver")};
    struct notify *n = notify_of(r);
    if (n != NULL && param_limit(r, "limit", &query.limit)) {
        answer_data(r, notify_write_deliveries(n, &query, &data, &e), &data, &e);
    }
}

void api_delivery(struct api_request *r)
{
    struct strbuf data = STRBUF_INIT;
    struct err e = ERR_INIT;
    struct notify *n = notify_of(r);
    if (n != NULL) {
        struct str id = http_exchange_path_value(r->exchange);
        answer_data(r, notify_write_delivery(n, id, &data, &e), &data, &e);
    }
}

void api_replay_delivery(struct api_request *r)
{
    struct err e = ERR_INIT;
    struct notify *n = notify_of(r);
    if (n == NULL) {
        return;
    }
    int status = notify_replay(n, http_exchange_param(r->exchange, "id"), &e);
    if (status != 0) {
        api_fail_with(r, &e);
    } else {
        api_reply_empty(r, 204);
    }
}
