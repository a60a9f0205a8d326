/* Each way of sending has its form. */
#include "alert/message_render.h"

#include "alert/chat.h"
#include "alert/email.h"
#include "alert/webhook_template.h"

static int write_webhook(
    const struct message *m, struct strbuf *body, struct strbuf *url, struct err *e)
{
    int status = webhook_url_write(m, url, e);
    if (status != 0) {
        return status;
    }
    return m->integration->webhook->payload != NULL ? webhook_own_payload_write(m, body, e)
                                                    : webhook_payload_write(m, body);
}

static int write_body(
    const struct message *m, struct strbuf *body, struct strbuf *url, struct err *e)
{
    switch (m->integration->kind) {
    case ALERTING_WEBHOOK:
        return write_webhook(m, body, url, e);
    case ALERTING_EMAIL:
        return email_body_write(m, body, e);
    case ALERTING_SLACK:
        return slack_body_write(m, body, e);
    case ALERTING_PAGERDUTY:
        return pagerduty_body_write(m, body, e);
    }
    return ERR_INTERNAL;
}

int message_render(const struct message *m, struct delivery *d, struct err *e)
{
    struct strbuf body, url;
    strbuf_init(&body, DELIVERY_BODY_BYTES_MAX);
    strbuf_init(&url, DELIVERY_URL_BYTES_MAX);
    int status = write_body(m, &body, &url, e);
    status = status == 0 ? strbuf_error(&url) : status;
    if (status == 0) {
        d->whole =
            m->integration->kind != ALERTING_WEBHOOK || m->integration->webhook->payload != NULL;
        d->url = url.size > 0 ? strbuf_take(&url, NULL) : NULL;
        d->body = strbuf_take(&body, &d->body_size);
    } else if (e != NULL && e->message[0] == '\0') {
        err_set(e, status, -1, "%s", err_text(status));
    }
    strbuf_release(&body);
    strbuf_release(&url);
    return status;
}

void message_write_attempt(const struct delivery *d, uint32_t attempt, struct strbuf *out)
{
    strbuf_add(out, d->body, d->body_size);
    if (d->kind == ALERTING_WEBHOOK && !d->whole) {
        strbuf_addf(out, ",\"attempt\":%u}", attempt);
    }
}
