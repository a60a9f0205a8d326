/* Messages to services with a form of their own: Slack (and what takes its webhooks) and PagerDuty. */
#ifndef SONDE_QUERY_CHAT_H
#define SONDE_QUERY_CHAT_H

#include "alert/message.h"

/* The body of a Slack incoming webhook: one message with one attachment. */
int slack_body_write(const struct message *m, struct strbuf *out, struct err *e);
/* An event of PagerDuty's Events API v2, left without its opening and routing key, which is a secret and not
 * written down: pagerduty_write_attempt adds both. */
int pagerduty_body_write(const struct message *m, struct strbuf *out, struct err *e);
void pagerduty_write_attempt(struct str routing_key, struct str body, struct strbuf *out);

#endif
