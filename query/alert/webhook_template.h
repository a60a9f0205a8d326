/* Webhooks whose URL or body the configuration writes as templates, as Alertmanager has them. */
#ifndef SONDE_QUERY_WEBHOOK_TEMPLATE_H
#define SONDE_QUERY_WEBHOOK_TEMPLATE_H

#include "alert/message.h"

/* Appends where the message goes when the URL, given or in its file, is a template; nothing when it is none or
 * its file cannot be read now. ERR_INVALID. */
int webhook_url_write(const struct message *m, struct strbuf *out, struct err *e);

/* Appends the configuration's own `payload` as JSON. Names and texts are templates; what a text gives is taken
 * as YAML, so that it may be a list or a mapping (toJson); everything else is as it is written. ERR_INVALID
 * with a sentence, ERR_LIMIT, ERR_NOMEM. */
int webhook_own_payload_write(const struct message *m, struct strbuf *out, struct err *e);

#endif
