/* The delivery log, for people: what was sent to whom, what came of each attempt, and sending it again. */
#include "alert/alert_json.h"
#include "alert/message_render.h"
#include "alert/notify_private.h"

struct ask {
    const struct notify_delivery_query *query;
    struct str id;
    struct strbuf *out;
    struct err *err;
    int status;
};

static void write_number(struct json_writer *w, const char *key, int64_t value)
{
    json_key(w, key);
    json_integer(w, value);
}

static void write_attempts(struct json_writer *w, const struct delivery *d)
{
    json_key(w, "attempts");
    json_begin_array(w);
    for (size_t i = 0; i < d->attempts_kept; i++) {
        const struct delivery_attempt *a = &d->attempts[i];
        json_begin_object(w);
        write_number(w, "number", (int64_t)(d->attempt_count - d->attempts_kept + i + 1));
        alert_json_time(w, "at", a->at_ms);
        write_number(w, "tookMs", a->took_ms);
        write_number(w, "status", a->status);
        alert_json_text(w, "error", a->error);
        alert_json_text(w, "response", a->response);
        json_end(w);
    }
    json_end(w);
}

static void write_delivery(struct json_writer *w, const struct delivery *d, bool whole)
{
    json_begin_object(w);
    alert_json_text(w, "id", d->id);
    alert_json_text(w, "state", delivery_state_name(d->state));
    alert_json_text(w, "receiver", d->receiver);
    alert_json_text(w, "integration", alerting_kind_name(d->kind));
    write_number(w, "integrationIndex", d->index);
    alert_json_text(w, "groupKey", d->group_key);
    alert_json_text(w, "reason", notice_reason_text(d->reason));
    write_number(w, "firing", (int64_t)d->firing.count);
    write_number(w, "resolved", (int64_t)d->resolved.count);
    alert_json_time(w, "createdAt", d->created_at_ms);
    if (d->state == DELIVERY_PENDING) {
        alert_json_time(w, "nextAttemptAt", d->next_attempt_ms);
    } else {
        alert_json_time(w, "finishedAt", d->finished_at_ms);
    }
    write_number(w, "attemptCount", d->attempt_count);
    write_attempts(w, d);
    if (whole) {
        struct strbuf body = STRBUF_INIT;
        message_write_attempt(d, d->attempt_count, &body);
        json_key(w, "body");
        json_string(w, strbuf_str(&body));
        strbuf_release(&body);
    }
    json_end(w);
}

static bool is_wanted(const struct notify_delivery_query *q, const struct delivery *d)
{
    return (q->state.len == 0 || str_eq_c(q->state, delivery_state_name(d->state))) &&
           (q->receiver.len == 0 || str_eq_c(q->receiver, d->receiver));
}

static void list_deliveries(struct notify *n, void *context)
{
    struct ask *a = context;
    const struct pipeline *p = &n->pipeline;
    struct json_writer w;
    size_t limit = a->query->limit > 0 ? a->query->limit : SIZE_MAX;
    json_init(&w, a->out);
    json_begin_array(&w);
    for (size_t i = p->delivery_count; i > 0 && limit > 0; i--) {
        if (is_wanted(a->query, p->deliveries[i - 1])) {
            write_delivery(&w, p->deliveries[i - 1], false);
            limit--;
        }
    }
    json_end(&w);
    a->status = strbuf_error(a->out);
}

static int finish(struct ask *a, int status)
{
    status = status != 0 ? status : a->status;
    if (status != 0 && a->err->message[0] == '\0') {
        err_set(a->err, status, -1, "%s", err_text(status));
    }
    return status;
}

int notify_write_deliveries(
    struct notify *n, const struct notify_delivery_query *query, struct strbuf *out, struct err *e)
{
    struct ask a = {.query = query, .out = out, .err = e};
    bool known = query->state.len == 0;
    for (int s = 0; s <= DELIVERY_DEAD; s++) {
        known = known || str_eq_c(query->state, delivery_state_name((enum delivery_state)s));
    }
    if (!known) {
        return err_set(e, ERR_INVALID, -1,
            "state is pending, delivered, superseded or dead, not \"%.*s\"", STR_ARG(query->state));
    }
    return finish(&a, notify_run(n, list_deliveries, &a));
}

static void show_delivery(struct notify *n, void *context)
{
    struct ask *a = context;
    struct json_writer w;
    const struct delivery *d = pipeline_delivery(&n->pipeline, a->id);
    if (d == NULL) {
        a->status = err_set(a->err, ERR_NOT_FOUND, -1, "there is no delivery %.*s", STR_ARG(a->id));
        return;
    }
    json_init(&w, a->out);
    write_delivery(&w, d, true);
    a->status = strbuf_error(a->out);
}

int notify_write_delivery(struct notify *n, struct str id, struct strbuf *out, struct err *e)
{
    struct ask a = {.id = id, .out = out, .err = e};
    return finish(&a, notify_run(n, show_delivery, &a));
}

static void replay(struct notify *n, void *context)
{
    struct ask *a = context;
    a->status = pipeline_replay(&n->pipeline, a->id, clock_now_ms(n->clock), a->err);
}

int notify_replay(struct notify *n, struct str id, struct err *e)
{
    struct ask a = {.id = id, .err = e};
    return finish(&a, notify_run(n, replay, &a));
}
