/* TLS over a socket, with GnuTLS. */
#include "tls_stream.h"

#include <gnutls/gnutls.h>

#include "base/mem.h"

struct tls_stream {
    gnutls_session_t session;
    bool handshaken;
};

int tls_stream_new(
    struct http_tls *tls, int fd, const char *protocol, struct tls_stream **stream_out)
{
    struct tls_stream *s = mem_calloc(1, sizeof(*s));
    const gnutls_datum_t name = {(unsigned char *)(uintptr_t)protocol, (unsigned)strlen(protocol)};
    if (s == NULL) {
        return ERR_NOMEM;
    }
    if (gnutls_init(&s->session, GNUTLS_SERVER | GNUTLS_NONBLOCK | GNUTLS_NO_SIGNAL) != 0) {
        mem_free(s);
        return ERR_NOMEM;
    }
    if (!http_tls_apply(tls, s->session) ||
        gnutls_alpn_set_protocols(s->session, &name, 1, GNUTLS_ALPN_MANDATORY) != 0) {
        tls_stream_free(s);
        return ERR_NOMEM;
    }
    gnutls_transport_set_int(s->session, fd);
    *stream_out = s;
    return 0;
}

void tls_stream_free(struct tls_stream *s)
{
    if (s != NULL) {
        if (s->handshaken) {
            (void)gnutls_bye(
                s->session, GNUTLS_SHUT_WR); /* whoever does not read it sees the end anyway */
        }
        gnutls_deinit(s->session);
        mem_free(s);
    }
}

/* GnuTLS asks to be called again in these cases; warnings of the other side among them. */
static bool is_passing(ssize_t result)
{
    return result == GNUTLS_E_AGAIN || result == GNUTLS_E_INTERRUPTED ||
           result == GNUTLS_E_WARNING_ALERT_RECEIVED;
}

int tls_stream_handshake(struct tls_stream *s)
{
    int result = gnutls_handshake(s->session);
    s->handshaken = result == 0;
    return result == 0 ? 0 : is_passing(result) ? ERR_BUSY : ERR_IO;
}

ssize_t tls_stream_read(struct tls_stream *s, void *buffer, size_t size)
{
    ssize_t result = gnutls_record_recv(s->session, buffer, size);
    return result >= 0 ? result : is_passing(result) ? ERR_BUSY : ERR_IO;
}

ssize_t tls_stream_write(struct tls_stream *s, const void *bytes, size_t size)
{
    ssize_t result = gnutls_record_send(s->session, bytes, size);
    return result >= 0 ? result : is_passing(result) ? ERR_BUSY : ERR_IO;
}

bool tls_stream_has_more(const struct tls_stream *s)
{
    return gnutls_record_check_pending(s->session) > 0;
}

bool tls_stream_wants_write(const struct tls_stream *s)
{
    return gnutls_record_get_direction(s->session) == 1;
}
