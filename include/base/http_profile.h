/* How to present oneself to an HTTP server: who one is, whom one trusts, which way one goes. Prometheus'
 * http_client_config, as scrapes, remote write and webhooks have it.
 *
 * Secrets may lie in files, which are read for each request: a rotated token works at once. A secret
 * never appears in a log or an answer.
 */
#ifndef SONDE_BASE_HTTP_PROFILE_H
#define SONDE_BASE_HTTP_PROFILE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/arena.h"
#include "base/config.h"
#include "base/err.h"
#include "base/strbuf.h"

#define HTTP_SECRET_BYTES_MAX ((size_t)64 << 10)

struct http_basic_auth {
    const char *username, *username_file, *password, *password_file;
};

struct http_authorization {
    const char *type, *credentials, *credentials_file;
};

struct http_tls {
    const char *ca_file, *cert_file, *key_file, *server_name;
    const char *min_version, *max_version; /* TLS10 to TLS13 */
    bool insecure_skip_verify;
};

/* RFC 6749, section 4.4: a token for one's own name and secret, asked of `token_url` with TLS and proxy of its
 * own, and used until shortly before it expires. */
struct http_oauth2 {
    const char *client_id, *client_secret, *client_secret_file, *token_url;
    struct config_strings scopes;
    struct config_map endpoint_params; /* added to what the token is asked with */
    struct http_tls tls;
    const char *proxy_url, *no_proxy;
    bool proxy_from_environment;
};

/* All values of one header, one line each, in this order. They go along with redirects. */
struct http_profile_header {
    const char *name;
    struct config_strings values, secrets, files;
};

/* Values of all headers of one profile. */
#define HTTP_PROFILE_HEADERS_MAX 32

/* Strings may be NULL or empty: not set. Read with HTTP_PROFILE_FIELDS. */
struct http_profile {
    struct http_basic_auth basic_auth;
    struct http_authorization authorization;
    const char *bearer_token, *bearer_token_file;
    struct http_oauth2 oauth2;
    struct http_tls tls;
    const char *proxy_url;
    const char *
        no_proxy; /* hosts, domains, addresses and networks that are reached without it, with commas */
    /* Both of these from http_proxy, https_proxy and no_proxy, in small letters or large, at each request. */
    bool proxy_from_environment;
    bool follow_redirects;
    bool http2;                 /* accepted, without effect */
    struct config_list headers; /* of struct http_profile_header */
};

extern const struct config_field http_basic_auth_fields[];
extern const struct config_field http_authorization_fields[];
extern const struct config_field http_tls_fields[];
extern const struct config_field http_oauth2_fields[];
extern const struct config_field http_profile_header_fields[];

/* Rows on proxies beside proxy_url, of members with that prefix. */
#define HTTP_PROXY_FIELDS(type, prefix)                                                            \
    {.key = "no_proxy",                                                                            \
        .kind = CONFIG_STRING,                                                                     \
        .offset = offsetof(type, prefix no_proxy),                                                 \
        .default_text = "",                                                                        \
        .help = "Hosts, domains, addresses and networks to reach without the proxy, separated by " \
                "commas"},                                                                         \
        {.key = "proxy_from_environment",                                                          \
            .kind = CONFIG_BOOL,                                                                   \
            .offset = offsetof(type, prefix proxy_from_environment),                               \
            .default_text = "false",                                                               \
            .help = "Proxy and exceptions as HTTP_PROXY, HTTPS_PROXY and NO_PROXY say"},           \
    {                                                                                              \
        .key = "proxy_connect_header", .kind = CONFIG_REFUSED,                                     \
        .help = "a proxy gets no headers of one's own; name and password go into proxy_url, as "   \
                "http://NAME:PASSWORD@HOST:PORT"                                                   \
    }

/* Rows of the table of a struct that has `struct http_profile profile`. */
#define HTTP_PROFILE_FIELDS(type)                                                                  \
    {.key = "basic_auth",                                                                          \
        .kind = CONFIG_OBJECT,                                                                     \
        .offset = offsetof(type, profile.basic_auth),                                              \
        .fields = http_basic_auth_fields,                                                          \
        .help = "Name and password"},                                                              \
        {.key = "authorization",                                                                   \
            .kind = CONFIG_OBJECT,                                                                 \
            .offset = offsetof(type, profile.authorization),                                       \
            .fields = http_authorization_fields,                                                   \
            .help = "The header Authorization"},                                                   \
        {.key = "bearer_token",                                                                    \
            .kind = CONFIG_STRING,                                                                 \
            .offset = offsetof(type, profile.bearer_token),                                        \
            .default_text = "",                                                                    \
            .secret = true,                                                                        \
            .help = "Short for authorization.credentials"},                                        \
        {.key = "bearer_token_file",                                                               \
            .kind = CONFIG_STRING,                                                                 \
            .offset = offsetof(type, profile.bearer_token_file),                                   \
            .default_text = "",                                                                    \
            .help = "Short for authorization.credentials_file"},                                   \
        {.key = "oauth2",                                                                          \
            .kind = CONFIG_OBJECT,                                                                 \
            .offset = offsetof(type, profile.oauth2),                                              \
            .fields = http_oauth2_fields,                                                          \
            .help = "A token of OAuth 2, by client credentials"},                                  \
        {.key = "http_headers",                                                                    \
            .kind = CONFIG_NAMED_LIST,                                                             \
            .offset = offsetof(type, profile.headers),                                             \
            .fields = http_profile_header_fields,                                                  \
            .item_size = sizeof(struct http_profile_header),                                       \
            .help = "Headers of each request, by their names"},                                    \
        {.key = "tls_config",                                                                      \
            .kind = CONFIG_OBJECT,                                                                 \
            .offset = offsetof(type, profile.tls),                                                 \
            .fields = http_tls_fields,                                                             \
            .help = "Certificates, for https"},                                                    \
        {.key = "proxy_url",                                                                       \
            .kind = CONFIG_STRING,                                                                 \
            .offset = offsetof(type, profile.proxy_url),                                           \
            .default_text = "",                                                                    \
            .help = "Proxy to go through; none is taken from the environment"},                    \
        HTTP_PROXY_FIELDS(type, profile.),                                                         \
        {.key = "enable_http2",                                                                    \
            .kind = CONFIG_BOOL,                                                                   \
            .offset = offsetof(type, profile.http2),                                               \
            .default_text = "true",                                                                \
            .help = "Accepted, without effect: requests go out over HTTP/1.1"},                    \
    {                                                                                              \
        .key = "follow_redirects", .kind = CONFIG_BOOL,                                            \
        .offset = offsetof(type, profile.follow_redirects), .default_text = "true",                \
        .help = "Go where a redirect points"                                                       \
    }

/* 10 to 13 for TLS10 to TLS13, -1 for any other text. */
int http_tls_version(const char *text);
/* Nothing is set but what is by default. */
bool http_profile_is_plain(const struct http_profile *p);
bool http_profile_eq(const struct http_profile *a, const struct http_profile *b);
/* A copy whose strings live in `arena`. 0 or the arena's error. */
int http_profile_copy(const struct http_profile *p, struct arena *arena, struct http_profile *out);
/* From a YAML file with these keys at its top, as promtool's --http.config.file; `path` NULL: what is by default. The
 * profile's strings live in `arena`. Paths in it are those of the working directory. */
int http_profile_load(
    const char *path, struct arena *arena, struct http_profile *out, struct err *e);
/* Rules over several settings: ERR_INVALID with a sentence. Files are not looked at. */
int http_profile_check(const struct http_profile *p, struct err *e);

/* The value of the header Authorization, as files say now; empty when there is none (the secret's
 * buffer belongs to the caller, who wipes it with http_secret_release). ERR_IO, ERR_NOT_FOUND …: a
 * file cannot be read. */
int http_profile_authorization(const struct http_profile *p, struct strbuf *out);
/* Calls `add` for each value of each header, as files say now; stops when it returns other than 0. That, or
 * the error of a file. */
int http_profile_each_header(const struct http_profile *p,
    int (*add)(void *context, const char *name, const char *value), void *context);
/* Adds a secret as it is written or, when `file` is set, as its file has it now, without white space around
 * it. The buffer's error, or that of the file. */
int http_secret_read(const char *text, const char *file, struct strbuf *out);
void http_secret_release(struct strbuf *secret);

#endif
