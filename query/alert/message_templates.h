/* Templates of messages: our own definitions under Alertmanager's names, and the files that the
 * configuration lists on top of them. What they are executed with is in message_texts.h.
 */
#ifndef SONDE_QUERY_MESSAGE_TEMPLATES_H
#define SONDE_QUERY_MESSAGE_TEMPLATES_H

#include "alert/alerting_config.h"
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

/* Parses one more text, which knows all of them. ERR_INVALID with a sentence. */
int message_templates_parse(const struct message_templates *t, struct str text, bool html,
    struct template **template_out, struct err *e);

#endif
