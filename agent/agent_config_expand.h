/* Values from the environment in a configuration file.
 *
 *   %{NAME}            anywhere in the file, as vmagent has it; a name that is not set is an error
 *   ${NAME}, $NAME     in the values of external_labels, as Prometheus has it; not set: nothing; $$ is $
 */
#ifndef SONDE_AGENT_AGENT_CONFIG_EXPAND_H
#define SONDE_AGENT_AGENT_CONFIG_EXPAND_H

#include "base/err.h"
#include "base/str.h"
#include "base/strbuf.h"

/* How a variable is looked up; NULL: it is not set. */
typedef const char *(*agent_environment)(const char *name);

/* Appends `text` with %{NAME} replaced. ERR_INVALID names the file, line and column of a name that is
 * not set or does not end; the strbuf's error. */
int agent_config_expand(struct str text, const char *file, agent_environment environment,
    struct strbuf *out, struct err *e);
/* Appends `value` with $NAME and ${NAME} replaced. */
void agent_config_expand_label(struct str value, agent_environment environment, struct strbuf *out);

#endif
