/* Templates of messages: our own definitions under Alertmanager's names, the files that the configuration
 * lists on top of them, and the data they are executed with.
 */
#ifndef SONDE_QUERY_MESSAGE_TEMPLATES_H
#define SONDE_QUERY_MESSAGE_TEMPLATES_H

#include "alert/alerting_config.h"
#include "alert/message.h"
#include "query/template.h"

/* Files that `templates:` of the configuration may come to. */
#define MESSAGE_TEMPLATE_FILES_MAX 256

struct message_templates;

/* Parses all files, and all texts of receivers, so that mistakes are told when the configuration is read.
 * ERR_INVALID with a sentence that names file or receiver. */
int message_templates_new(
    const struct alerting_config *config, struct message_templates **templates_out, struct err *e);
/* Accepts NULL. */
void message_templates_free(struct message_templates *t);
/* Files that were read. */
size_t message_templates_file_count(const struct message_templates *t);

/* Executes texts of one message; the data are made once. */
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

#endif
