/* Graphite's plaintext protocol over TCP: connections that send lines (receive/graphite_line.h).
 *
 * The protocol has no answer. Overload is refused as TCP does it: while memory is short nothing is read, so that
 * senders wait. A connection beyond GRAPHITE_CONNECTIONS_MAX is closed at once; one whose line outgrows
 * GRAPHITE_LINE_MAX, too. Lines that are wrong are counted.
 */
#ifndef SONDE_RECEIVE_RECEIVE_GRAPHITE_H
#define SONDE_RECEIVE_RECEIVE_GRAPHITE_H

#include "base/err.h"
#include "receive/receive.h"

#define GRAPHITE_CONNECTIONS_MAX 64
#define GRAPHITE_LINE_MAX ((size_t)16384)
/* Read from one connection at one turn of the loop. */
#define GRAPHITE_READS_MAX 16
/* How long nothing is read when memory is short. */
#define GRAPHITE_PAUSE_MS 1000

struct receive_graphite;

/* NULL when no address is configured. */
int receive_graphite_open(struct receive *r, struct receive_graphite **graphite_out, struct err *e);
/* Accepts NULL. */
void receive_graphite_close(struct receive_graphite *g);
/* One line, handed in and counted. */
void receive_graphite_take(struct receive *r, struct str line);

#endif
