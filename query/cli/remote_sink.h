/* A server as the sink of an import: the appender's interface over remote write 1.0.
 *
 * A commit is one request, or several when it is large; each is all or nothing, and sent again changes
 * nothing. Exemplars are not sent. Labels of all series are kept, encoded, until the sink is freed.
 */
#ifndef SONDE_QUERY_REMOTE_SINK_H
#define SONDE_QUERY_REMOTE_SINK_H

#include "cli/client_identity.h"
#include "tsdb/appender.h"

struct remote_sink;

/* `server` is a URL and borrowed, and so is `identity`: who writes there. */
int remote_sink_new(
    const char *server, const struct client_identity *identity, struct remote_sink **sink_out);
/* No appender may be open. Accepts NULL. */
void remote_sink_free(struct remote_sink *sink);
struct appender_source *remote_sink_source(struct remote_sink *sink);

#endif
