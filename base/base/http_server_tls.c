/* TLS of the HTTP server over GnuTLS. */
#include "http_server_tls.h"

#include <gnutls/gnutls.h>
#include <gnutls/x509.h>

/* After gnutls.h, whose types it uses. */
#include <gnutls/abstract.h>

#include "base/mem.h"

struct http_tls {
    gnutls_certificate_credentials_t credentials;
    gnutls_priority_t priority;
    enum web_client_auth client_auth;
};

/* What Go's defaults are, too: sane suites, versions as asked. */
static int set_priority(struct http_tls *tls, const struct web_tls_config *config)
{
    static const char *const versions[] = {
        ":+VERS-TLS1.0", ":+VERS-TLS1.1", ":+VERS-TLS1.2", ":+VERS-TLS1.3"};
    struct strbuf text = STRBUF_INIT;
    strbuf_add_c(&text, "NORMAL:-VERS-ALL");
    for (int i = config->min_version; i <= (int)config->max_version; i++) {
        strbuf_add_c(&text, versions[i]);
    }
    int result = strbuf_error(&text) == 0 ? gnutls_priority_init(&tls->priority, text.data, NULL)
                                          : GNUTLS_E_MEMORY_ERROR;
    strbuf_release(&text);
    return result;
}

/* Called in the handshake: 0 lets the client in. Whether one must have a certificate was asked before. */
static int verify_client(gnutls_session_t session)
{
    gnutls_typed_vdata_st purpose = {
        GNUTLS_DT_KEY_PURPOSE_OID, (unsigned char *)(uintptr_t)GNUTLS_KP_TLS_WWW_CLIENT, 0};
    unsigned count = 0, verdict = 0;
    if (gnutls_certificate_get_peers(session, &count) == NULL || count == 0) {
        return 0;
    }
    return gnutls_certificate_verify_peers(session, &purpose, 1, &verdict) == 0 && verdict == 0
               ? 0
               : -1;
}

static gnutls_datum_t datum_of(struct str text)
{
    return (gnutls_datum_t){(unsigned char *)(uintptr_t)text.ptr, (unsigned)text.len};
}

static int set_certificates(
    struct http_tls *tls, const struct web_tls_config *config, const char *path, struct err *e)
{
    gnutls_datum_t cert = datum_of(config->cert_pem), key = datum_of(config->key_pem);
    gnutls_datum_t ca = datum_of(config->client_ca_pem);
    int result =
        gnutls_certificate_set_x509_key_mem(tls->credentials, &cert, &key, GNUTLS_X509_FMT_PEM);
    if (result < 0) {
        return err_set(
            e, ERR_INVALID, -1, "%s: certificate and key: %s", path, gnutls_strerror(result));
    }
    if (ca.size == 0) {
        return 0;
    }
    gnutls_certificate_set_verify_function(tls->credentials, verify_client);
    result = gnutls_certificate_set_x509_trust_mem(tls->credentials, &ca, GNUTLS_X509_FMT_PEM);
    return result > 0 ? 0
                      : err_set(e, ERR_INVALID, -1, "%s: client_ca: %s", path,
                            result < 0 ? gnutls_strerror(result) : "no certificate in it");
}

int http_tls_new(
    const struct web_tls_config *config, const char *path, struct http_tls **tls_out, struct err *e)
{
    struct http_tls *tls = mem_calloc(1, sizeof(*tls));
    if (tls == NULL) {
        return err_set(e, ERR_NOMEM, -1, "%s", err_text(ERR_NOMEM));
    }
    tls->client_auth = config->client_auth;
    int result = gnutls_certificate_allocate_credentials(&tls->credentials);
    result = result == 0 ? set_priority(tls, config) : result;
    int status = result == 0 ? set_certificates(tls, config, path, e)
                             : err_set(e, ERR_INTERNAL, -1, "TLS: %s", gnutls_strerror(result));
    if (status != 0) {
        http_tls_free(tls);
        return status;
    }
    *tls_out = tls;
    return 0;
}

void http_tls_free(struct http_tls *tls)
{
    if (tls != NULL) {
        if (tls->credentials != NULL) {
            gnutls_certificate_free_credentials(tls->credentials);
        }
        if (tls->priority != NULL) {
            gnutls_priority_deinit(tls->priority);
        }
        mem_free(tls);
    }
}

bool http_tls_apply(struct http_tls *tls, void *session)
{
    static const gnutls_certificate_request_t requests[] = {
        [WEB_CLIENT_NONE] = GNUTLS_CERT_IGNORE,
        [WEB_CLIENT_REQUEST] = GNUTLS_CERT_REQUEST,
        [WEB_CLIENT_REQUIRE_ANY] = GNUTLS_CERT_REQUIRE,
        [WEB_CLIENT_VERIFY_IF_GIVEN] = GNUTLS_CERT_REQUEST,
        [WEB_CLIENT_REQUIRE_AND_VERIFY] = GNUTLS_CERT_REQUIRE,
    };
    if (gnutls_priority_set(session, tls->priority) != 0 ||
        gnutls_credentials_set(session, GNUTLS_CRD_CERTIFICATE, tls->credentials) != 0) {
        return false;
    }
    gnutls_certificate_server_set_request(session, requests[tls->client_auth]);
    return true;
}

static int no_certificate(gnutls_session_t session, const gnutls_datum_t *authorities,
    int authority_count, const gnutls_pk_algorithm_t *algorithms, int algorithm_count,
    gnutls_pcert_st **certificates, unsigned *certificate_count, gnutls_privkey_t *key)
{
    (void)session, (void)authorities, (void)authority_count, (void)algorithms;
    (void)algorithm_count, (void)certificates, (void)certificate_count, (void)key;
    return -1;
}

void *http_tls_no_certificate(void)
{
    gnutls_certificate_retrieve_function2 *function = no_certificate;
    void *address;
    _Static_assert(sizeof(function) == sizeof(address), "POSIX");
    memcpy(&address, &function, sizeof(address));
    return address;
}
