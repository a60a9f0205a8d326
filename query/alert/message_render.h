/* The body of a message, whatever the way of sending. */
#ifndef SONDE_QUERY_MESSAGE_RENDER_H
#define SONDE_QUERY_MESSAGE_RENDER_H

#include "alert/delivery.h"
#include "alert/message.h"

/* Gives the delivery its body and, where that is a template, its URL. ERR_INVALID with a sentence (a template),
 * ERR_LIMIT, ERR_NOMEM. */
int message_render(const struct message *m, struct delivery *d, struct err *e);

/* Appends the body of attempt number `attempt`: Alertmanager's payload ends with that number, everything else is
 * sent as it is. */
void message_write_attempt(const struct delivery *d, uint32_t attempt, struct strbuf *out);

#endif
