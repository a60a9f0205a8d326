/* Each way of sending has its form. */
#include "alert/message_render.h"

#include "alert/chat.h"
#include "alert/email.h"

int message_render(const struct message *m, struct strbuf *body, struct err *e)
{
    int status = ERR_INTERNAL;
    switch (m->integration->kind) {
    case ALERTING_WEBHOOK:
        status = webhook_payload_write(m, body);
        break;
    case ALERTING_EMAIL:
        status = email_body_write(m, body, e);
        break;
    case ALERTING_SLACK:
        status = slack_body_write(m, body, e);
        break;
    case ALERTING_PAGERDUTY:
        status = pagerduty_body_write(m, body, e);
        break;
    }
    if (status != 0 && e != NULL && e->message[0] == '\0') {
        err_set(e, status, -1, "%s", err_text(status));
    }
    return status;
}
