/* TLS over a socket that does not block, for a server: handshake, bytes in, bytes out. Private to the gRPC
 * server; HTTP/1.1 has libmicrohttpd for it. One of the two files that know GnuTLS; certificates are made by
 * http_server_tls.c. */
#ifndef SONDE_BASE_TLS_STREAM_H
#define SONDE_BASE_TLS_STREAM_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "http_server_tls.h"

struct tls_stream;

/* `tls` and `fd` are borrowed. A client must ask for `protocol` by ALPN or by nothing at all. ERR_NOMEM. */
int tls_stream_new(
    struct http_tls *tls, int fd, const char *protocol, struct tls_stream **stream_out);
/* Says good-bye as far as the socket takes it. Accepts NULL. */
void tls_stream_free(struct tls_stream *s);
/* 0: done; ERR_BUSY: again when the socket is ready; ERR_IO: this comes to nothing. */
int tls_stream_handshake(struct tls_stream *s);
/* Bytes, 0 at the end, ERR_BUSY, ERR_IO. */
ssize_t tls_stream_read(struct tls_stream *s, void *buffer, size_t size);
/* Bytes taken, ERR_BUSY: the same again when the socket is ready, ERR_IO. */
ssize_t tls_stream_write(struct tls_stream *s, const void *bytes, size_t size);
/* Has it read more from the socket than it has handed out? */
bool tls_stream_has_more(const struct tls_stream *s);
/* After ERR_BUSY: is it the socket's other side that it waits for? */
bool tls_stream_wants_write(const struct tls_stream *s);

#endif
