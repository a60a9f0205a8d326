/* TLS of the HTTP server: certificates, versions, what is asked of clients. The wrapper of GnuTLS; the one file that
 * includes it is http_server_tls.c.
 *
 * libmicrohttpd makes a session for each connection; before the handshake ours is put in the place of its
 * certificates, so that a renewed certificate counts from the next connection on.
 */
#ifndef SONDE_BASE_HTTP_SERVER_TLS_H
#define SONDE_BASE_HTTP_SERVER_TLS_H

#include "base/err.h"
#include "web_config.h"

struct http_tls;

/* `path` is for sentences: ERR_INVALID when certificate and key are no good or do not belong together. */
int http_tls_new(const struct web_tls_config *config, const char *path, struct http_tls **tls_out,
    struct err *e);
/* Accepts NULL. No session may use it any more. */
void http_tls_free(struct http_tls *tls);
/* `session` is GnuTLS', before its handshake; `tls` outlives it. False: it cannot be served. */
bool http_tls_apply(struct http_tls *tls, void *session);
/* For libmicrohttpd, which wants a source of certificates to begin at all: a function of the type
 * gnutls_certificate_retrieve_function2 that has none. */
void *http_tls_no_certificate(void);

#endif
