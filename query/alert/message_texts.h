/* Texts of one message: templates executed with its alerts. */
#ifndef SONDE_QUERY_MESSAGE_TEXTS_H
#define SONDE_QUERY_MESSAGE_TEXTS_H

#include "alert/message.h"
#include "query/template.h"

/* The data are made once. */
struct message_texts {
    const struct message *message;
    struct arena arena;
    struct template_value data;
    struct template_hooks hooks;
};

int message_texts_begin(struct message_texts *t, const struct message *m, struct err *e);
void message_texts_end(struct message_texts *t);
/* Appends what `text` says of the message. */
int message_texts_write(
    struct message_texts *t, const char *text, bool html, struct strbuf *out, struct err *e);

/* The labels of the message's route, which are texts too and may ask for each other. One that cannot be
 * expanded is left out, and the log says why. A new reference. ERR_NOMEM. */
int message_route_labels(const struct message *m, const struct labels **labels_out);

#endif
