/* Sockets that receivers wait at: non-blocking, closed on exec. */
#ifndef SONDE_RECEIVE_RECEIVE_SOCKET_H
#define SONDE_RECEIVE_RECEIVE_SOCKET_H

#include "base/err.h"

/* A socket of SOCK_DGRAM or SOCK_STREAM (which listens then) at "HOST:PORT", "[::1]:PORT" or ":PORT" (all
 * addresses). 0; ERR_INVALID, ERR_BUSY (in use), ERR_PERMISSION, ERR_IO with a sentence. */
int receive_socket_bind(const char *address, int type, int *fd_out, struct err *e);
/* A Unix datagram socket that all users may write to. A socket that a dead process has left there gives way; any
 * other file is ERR_EXISTS. The caller unlinks the path in the end. */
int receive_socket_bind_unix(const char *path, int *fd_out, struct err *e);

#endif
