/* A socket of datagrams on the loop. The kernel tells with each datagram how many it has dropped because the
 * socket was full (SO_RXQ_OVFL); they are added to a counter of the caller's. */
#ifndef SONDE_RECEIVE_RECEIVE_DATAGRAMS_H
#define SONDE_RECEIVE_RECEIVE_DATAGRAMS_H

#include <stdint.h>

#include "base/err.h"
#include "base/loop.h"
#include "base/str.h"

/* Of one datagram; and taken at one turn of the loop. */
#define DATAGRAM_BYTES_MAX ((size_t)65536)
#define DATAGRAM_TURN_MAX 256
/* Asked for: the kernel gives what it allows. */
#define DATAGRAM_SOCKET_BYTES (4 << 20)

struct datagram_socket;

struct datagram_options {
    struct loop *loop;
    void (*take)(void *context, struct str datagram); /* borrowed for the call */
    void *context;
    uint64_t *lost;
};

/* Takes the socket over, and closes it on failure. What the options point to is borrowed. */
int datagram_socket_open(int fd, const struct datagram_options *options,
    struct datagram_socket **socket_out, struct err *e);
/* Accepts NULL. */
void datagram_socket_close(struct datagram_socket *s);

#endif
