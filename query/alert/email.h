/* Messages by mail: RFC 5322 with a text and an HTML part, handed to a mail server.
 *
 * The body of the delivery is the envelope's sender, a line end, its recipients with commas between, a line
 * end, and the mail: all that the next attempt needs, but not the password.
 */
#ifndef SONDE_QUERY_EMAIL_H
#define SONDE_QUERY_EMAIL_H

#include "alert/delivery.h"
#include "alert/message.h"
#include "base/http_client.h"

#define EMAIL_RECIPIENTS_MAX 64

int email_body_write(const struct message *m, struct strbuf *out, struct err *e);
/* Sends it; `text` keeps what libcurl reads until `done`. As http_client's send_mail; ERR_NOT_FOUND …: the
 * password's file cannot be read. */
int email_send(struct http_client *http, const struct alerting_email *settings,
    const struct delivery *d, struct strbuf *text, http_client_done done, void *context);

#endif
