/* A profile's part in a call: who one is, whom one trusts, which way one goes. */
#include <stdlib.h>
#include <strings.h>

#include "base/err.h"
#include "http_client_call.h"

/* Gathers the results of many settings, which fail only when memory is short. */
#define SET(option, value) (failed |= libcurl.easy_setopt(call->easy, option, value) != CURLE_OK)

/* libcurl does not send it to another host after a redirect. */
static int add_authorization(struct http_client_call *call, const struct http_profile *profile)
{
    struct strbuf value;
    strbuf_init(&value, HTTP_CLIENT_HEADER_BYTES_MAX);
    int status = http_profile_authorization(profile, &value);
    if (status == 0 && value.size > 0) {
        status = http_client_call_add_header(
            call, &(struct http_client_header){"Authorization", value.data});
    }
    http_secret_release(&value);
    return status;
}

/* The server must prove another name than the URL's host: the URL gets that name, the connection goes
 * to the old one, and so does the header Host. */
static int set_server_name(struct http_client_call *call, const char *url, const char *name)
{
    char *host = NULL, *port = NULL, *renamed = NULL;
    struct strbuf text = STRBUF_INIT;
    CURLU *parts = libcurl.url();
    bool failed = parts == NULL || libcurl.url_set(parts, CURLUPART_URL, url, 0) != CURLUE_OK ||
                  libcurl.url_get(parts, CURLUPART_HOST, &host, 0) != CURLUE_OK ||
                  libcurl.url_get(parts, CURLUPART_PORT, &port, CURLU_DEFAULT_PORT) != CURLUE_OK ||
                  libcurl.url_set(parts, CURLUPART_HOST, name, 0) != CURLUE_OK ||
                  libcurl.url_get(parts, CURLUPART_URL, &renamed, 0) != CURLUE_OK;
    if (!failed) {
        strbuf_addf(&text, "Host: %s:%s", host, port);
        failed = strbuf_error(&text) != 0 || http_client_call_add_line(call, text.data) != 0;
        strbuf_reset(&text);
        strbuf_addf(&text, "%s:%s:%s:%s", name, port, host, port);
        call->connect_to = strbuf_error(&text) == 0 ? libcurl.slist_append(NULL, text.data) : NULL;
        failed = failed || call->connect_to == NULL;
    }
    if (!failed) {
        SET(CURLOPT_URL, renamed);
        SET(CURLOPT_CONNECT_TO, call->connect_to);
    }
    strbuf_release(&text);
    libcurl.free(host);
    libcurl.free(port);
    libcurl.free(renamed);
    libcurl.url_cleanup(parts);
    return failed ? ERR_NOMEM : 0;
}

static bool is_given(const char *text)
{
    return text != NULL && text[0] != '\0';
}

/* One of the two names that is set; NULL: neither. */
static const char *find_variable(const char *small, const char *large)
{
    const char *value = getenv(small);
    value = is_given(value) ? value : getenv(large);
    return is_given(value) ? value : NULL;
}

/* libcurl would look itself, but not at HTTP_PROXY, which a web server may have from a request; this is none. */
static bool set_proxy_of_environment(struct http_client_call *call, const char *url)
{
    bool failed = false;
    const char *proxy = strncasecmp(url, "https:", 6) == 0
                            ? find_variable("https_proxy", "HTTPS_PROXY")
                            : find_variable("http_proxy", "HTTP_PROXY");
    const char *except = find_variable("no_proxy", "NO_PROXY");
    SET(CURLOPT_PROXY, proxy != NULL ? proxy : "");
    SET(CURLOPT_NOPROXY, except != NULL ? except : "");
    return !failed;
}

static bool set_proxy(struct http_client_call *call, const char *url, const struct http_profile *p)
{
    bool failed = false;
    if (p->proxy_from_environment) {
        return set_proxy_of_environment(call, url);
    }
    if (is_given(p->proxy_url)) {
        SET(CURLOPT_PROXY, p->proxy_url);
        SET(CURLOPT_NOPROXY, p->no_proxy != NULL ? p->no_proxy : "");
    }
    return !failed;
}

static bool set_versions(struct http_client_call *call, const struct http_tls *tls)
{
    static const long oldest[] = {CURL_SSLVERSION_TLSv1_0, CURL_SSLVERSION_TLSv1_1,
        CURL_SSLVERSION_TLSv1_2, CURL_SSLVERSION_TLSv1_3};
    static const long newest[] = {CURL_SSLVERSION_MAX_TLSv1_0, CURL_SSLVERSION_MAX_TLSv1_1,
        CURL_SSLVERSION_MAX_TLSv1_2, CURL_SSLVERSION_MAX_TLSv1_3};
    bool failed = false;
    int from = is_given(tls->min_version) ? http_tls_version(tls->min_version) : -1;
    int to = is_given(tls->max_version) ? http_tls_version(tls->max_version) : -1;
    if (from >= 10 || to >= 10) {
        SET(CURLOPT_SSLVERSION, (from >= 10 ? oldest[from - 10] : CURL_SSLVERSION_DEFAULT) |
                                    (to >= 10 ? newest[to - 10] : CURL_SSLVERSION_MAX_DEFAULT));
    }
    return !failed;
}

static int add_profile_header(void *context, const char *name, const char *value)
{
    return http_client_call_add_header(context, &(struct http_client_header){name, value});
}

int http_client_call_set_profile(
    struct http_client_call *call, const char *url, const struct http_profile *p)
{
    bool failed = false;
    int status = add_authorization(call, p);
    if (status == 0) {
        status = http_profile_each_header(p, add_profile_header, call);
    }
    if (is_given(p->tls.ca_file)) {
        SET(CURLOPT_CAINFO, p->tls.ca_file);
    }
    if (is_given(p->tls.cert_file)) {
        SET(CURLOPT_SSLCERT, p->tls.cert_file);
        SET(CURLOPT_SSLKEY, p->tls.key_file);
    }
    if (p->tls.insecure_skip_verify) {
        SET(CURLOPT_SSL_VERIFYPEER, 0L);
        SET(CURLOPT_SSL_VERIFYHOST, 0L);
    }
    failed |= !set_versions(call, &p->tls) || !set_proxy(call, url, p);
    if (status == 0 && is_given(p->tls.server_name)) {
        status = set_server_name(call, url, p->tls.server_name);
    }
    return failed ? ERR_NOMEM : status;
}
