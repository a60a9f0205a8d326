/* The web configuration: TLS, passwords and headers of a listener, in the form that Prometheus and its
 * exporters read (https://prometheus.io/docs/prometheus/latest/configuration/https/). Private to the HTTP server.
 *
 *   tls_server_config:
 *     cert_file: server.crt          or cert: with the PEM text itself
 *     key_file: server.key           or key:
 *     client_auth_type: NoClientCert | RequestClientCert | RequireAnyClientCert |
 *                       VerifyClientCertIfGiven | RequireAndVerifyClientCert
 *     client_ca_file: clients.crt    or client_ca:
 *     min_version: TLS12             TLS10 … TLS13; max_version likewise
 *   http_server_config:
 *     http2: true                    taken, and without meaning: HTTP/1.1 is spoken
 *     headers: {X-Frame-Options: deny, …}
 *   basic_auth_users:
 *     alice: $2y$10$…                bcrypt, as htpasswd -B writes it
 *
 * Paths are relative to the file. cipher_suites and curve_preferences are refused: the order is GnuTLS' own.
 */
#ifndef SONDE_BASE_WEB_CONFIG_H
#define SONDE_BASE_WEB_CONFIG_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/config.h"
#include "base/err.h"
#include "base/str.h"

enum web_client_auth {
    WEB_CLIENT_NONE,
    WEB_CLIENT_REQUEST,
    WEB_CLIENT_REQUIRE_ANY,
    WEB_CLIENT_VERIFY_IF_GIVEN,
    WEB_CLIENT_REQUIRE_AND_VERIFY,
};

/* In the order of versions. */
enum web_tls_version { WEB_TLS10, WEB_TLS11, WEB_TLS12, WEB_TLS13 };

struct web_tls_config {
    const char *cert_file, *cert, *key_file, *key, *client_ca_file, *client_ca;
    const char *client_auth_text, *min_version_text, *max_version_text;
    bool prefer_server_cipher_suites; /* always so */
    /* What they come to: PEM texts, from the files or written down. */
    struct str cert_pem, key_pem, client_ca_pem;
    enum web_client_auth client_auth;
    enum web_tls_version min_version, max_version;
};

struct web_http_config {
    bool http2;
    struct config_map headers;
};

struct web_config {
    struct arena arena; /* of everything here */
    bool has_tls;
    struct web_tls_config tls;
    struct web_http_config http;
    struct config_map users; /* name to bcrypt hash */
    uint64_t fingerprint;    /* of the file and those it names */
};

#define WEB_CONFIG_BYTES_MAX ((size_t)1 << 20)
/* A hash that costs more would keep a thread for seconds. */
#define WEB_BCRYPT_COST_MAX 16

/* Reads the file and those it names. ERR_INVALID with "FILE:LINE:COLUMN: sentence", ERR_IO … On success the
 * caller releases it. */
int web_config_load(const char *path, struct web_config *config_out, struct err *e);
void web_config_release(struct web_config *config);

#endif
