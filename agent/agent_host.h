/* The host's own collectors, as the part `host` of the configuration asks for them. */
#ifndef SONDE_AGENT_AGENT_HOST_H
#define SONDE_AGENT_AGENT_HOST_H

#include "agent_config.h"
#include "base/strbuf.h"
#include "collectors/collector.h"

/* ERR_INVALID with a sentence: an unknown collector or setting, a pattern that is none; ERR_NOMEM. What
 * `host` points to must outlive the collectors. */
int agent_host_open(
    const struct agent_host *host, struct collectors **collectors_out, struct err *e);
/* Collectors and their settings, in Markdown. */
void agent_host_write_reference(struct strbuf *out);

#endif
