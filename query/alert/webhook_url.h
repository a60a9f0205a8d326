/* What a configuration may write as a webhook's URL and payload: the grammar, not what comes out of it
 * (webhook_template.h). */
#ifndef SONDE_QUERY_WEBHOOK_URL_H
#define SONDE_QUERY_WEBHOOK_URL_H

#include <stdbool.h>

#include "base/err.h"
#include "base/str.h"
#include "base/yaml.h"

/* Does it have anything of a template? */
bool webhook_text_is_template(struct str text);
/* Scheme, host and port: everything before the path. A slice of `url`. */
struct str webhook_url_origin(struct str url);
/* Is the URL good, templates included? They may stand behind the host alone: what alerts say must not decide
 * to whom they are told. ERR_INVALID with a sentence that does not hold the URL. */
int webhook_url_check(struct str url, struct err *e);
/* Calls back for each name and text of a payload that is a template. Stops at anything but 0 and returns it. */
int webhook_each_text(
    const struct yaml_node *payload, int (*visit)(void *context, const char *text), void *context);

#endif
