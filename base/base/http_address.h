/* Addresses of sockets: listening on one, and printing one. Private to http_server.c. */
#ifndef SONDE_BASE_HTTP_ADDRESS_H
#define SONDE_BASE_HTTP_ADDRESS_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

struct sockaddr;

/* "127.0.0.1:54321", "[2001:db8::ffff:ffff:ffff:ffff%interface]:54321". */
#define HTTP_ADDRESS_TEXT_MAX 96

/* A listening socket on "127.0.0.1:9095", "[::1]:9095", "name:9095", ":9095" (all addresses), port 0
 * for any free one. The sentence of an error says what to do. */
int http_listen(const char *address, int *fd_out, uint16_t *port_out, struct err *e);
/* Returns the length. */
size_t http_address_write(const struct sockaddr *address, char *text);

#endif
