/* What the HTTP server counts of itself: rate, errors, duration, overload. Private to its files.
 * All functions may be called from any thread. */
#ifndef SONDE_BASE_HTTP_METRICS_H
#define SONDE_BASE_HTTP_METRICS_H

#include <stdint.h>

#include "base/http_route.h"

/* Once a server; again does nothing. */
void http_metrics_register(void);
/* A reply, from request line to handing it to the daemon. */
void http_metrics_reply(enum http_lane lane, unsigned status, int64_t duration_ns);
/* A reply without a handler: unknown path, body too large. */
void http_metrics_refusal(unsigned status);
/* A request for which its lane had no room; it is counted as a reply too. */
void http_metrics_lane_full(enum http_lane lane);
/* A connection that was ended: to make room for another, or because its client takes too long. */
enum http_cut { HTTP_CUT_CROWD, HTTP_CUT_SLOW };
void http_metrics_cut(enum http_cut why);

#endif
