/* InfluxDB's line protocol over HTTP: POST /write (version 1) and /api/v2/write. The parameter precision (ns, us or u,
 * ms, s, m, h) is the unit of times, nanoseconds when it is absent. A field becomes the series
 * measurement_field; texts are left out.
 *
 *   204       taken
 *   400       some lines cannot be read: all others were taken, and the answer names the first
 *   413, 415  too large; an encoding other than gzip
 *   429, 503  busy, or the queue does not take it: send again, after Retry-After
 */
#ifndef SONDE_RECEIVE_RECEIVE_INFLUX_H
#define SONDE_RECEIVE_RECEIVE_INFLUX_H

#include "base/err.h"
#include "base/http_server.h"
#include "base/str.h"
#include "receive/receive.h"

/* The handler, whose context is the receivers. */
void receive_influx(struct http_exchange *x, void *context);
/* GET and HEAD /ping: 204. */
void receive_influx_ping(struct http_exchange *x, void *context);
/* All lines of a body. 0; ERR_INVALID: some were refused; ERR_NO_SPACE, ERR_NOMEM; with a sentence. */
int receive_influx_take(struct receive *r, struct str body, struct str precision, struct err *e);

#endif
