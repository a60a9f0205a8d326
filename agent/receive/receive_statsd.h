/* StatsD and DogStatsD, over UDP and a Unix datagram socket: datagrams of lines (receive/statsd_line.h) that add
 * up (receive/statsd_table.h) and are handed in at intervals.
 *
 * The protocol has no answer: what cannot be taken is counted, lines that are wrong or have no room for their
 * series, and datagrams the kernel has dropped because the socket was full.
 */
#ifndef SONDE_RECEIVE_RECEIVE_STATSD_H
#define SONDE_RECEIVE_RECEIVE_STATSD_H

#include "base/err.h"
#include "base/str.h"
#include "receive/receive.h"
#include "receive/statsd_table.h"

struct receive_statsd;

/* NULL when neither address nor socket is configured. */
int receive_statsd_open(struct receive *r, struct receive_statsd **statsd_out, struct err *e);
/* What has added up is handed in. Accepts NULL. */
void receive_statsd_close(struct receive_statsd *s);
/* The lines of one datagram, counted. */
void receive_statsd_take(struct statsd_table *table, const struct intake *intake,
    struct str datagram, int64_t now_ms, struct receive_statistics *statistics);

#endif
