/* The body of a message, whatever the way of sending. */
#ifndef SONDE_QUERY_MESSAGE_RENDER_H
#define SONDE_QUERY_MESSAGE_RENDER_H

#include "alert/message.h"

/* Appends the body. For webhooks it is left open: message_write_attempt closes it with what differs between
 * attempts. ERR_INVALID with a sentence (a template), ERR_LIMIT, ERR_NOMEM. */
int message_render(const struct message *m, struct strbuf *body, struct err *e);

#endif
