/* Mail over SMTP: libcurl knows the protocol, so a mail is a call like any other (http_client.c), with
 * an envelope instead of headers and a text that is read instead of posted.
 */
#include <strings.h>

#include "base/err.h"
#include "http_client_call.h"

#define SET(option, value) (failed |= libcurl.easy_setopt(call->easy, option, value) != CURLE_OK)

static bool is_given(const char *text)
{
    return text != NULL && text[0] != '\0';
}

static int check_url(const char *url)
{
    CURLU *parts = libcurl.url();
    if (parts == NULL) {
        return ERR_NOMEM;
    }
    char *scheme = NULL;
    int status = 0;
    if (libcurl.url_set(parts, CURLUPART_URL, url, CURLU_NON_SUPPORT_SCHEME) != CURLUE_OK ||
        libcurl.url_get(parts, CURLUPART_SCHEME, &scheme, 0) != CURLUE_OK ||
        (strcasecmp(scheme, "smtp") != 0 && strcasecmp(scheme, "smtps") != 0)) {
        status = ERR_INVALID;
    }
    libcurl.free(scheme);
    libcurl.url_cleanup(parts);
    return status;
}

/* An address goes into a command: no line ends, spaces or brackets. */
static bool is_address(const char *text)
{
    return is_given(text) && strpbrk(text, "\r\n <>") == NULL;
}

static size_t on_upload(char *buffer, size_t one, size_t size, void *context)
{
    struct http_client_call *call = context;
    size *= one;
    size = size < call->upload.len ? size : call->upload.len;
    memcpy(buffer, call->upload.ptr, size);
    call->upload = str_skip(call->upload, size);
    return size;
}

static int set_recipients(struct http_client_call *call, const struct http_client_mail *mail)
{
    if (!is_address(mail->from) || mail->to_count == 0) {
        return ERR_INVALID;
    }
    for (size_t i = 0; i < mail->to_count; i++) {
        if (!is_address(mail->to[i])) {
            return ERR_INVALID;
        }
        struct curl_slist *longer = libcurl.slist_append(call->recipients, mail->to[i]);
        if (longer == NULL) {
            return ERR_NOMEM;
        }
        call->recipients = longer;
    }
    return 0;
}

static int set_tls(struct http_client_call *call, const struct http_client_mail *mail)
{
    bool failed = false;
    const struct http_tls *tls = mail->tls;
    SET(CURLOPT_USE_SSL, (long)(mail->require_tls ? CURLUSESSL_ALL : CURLUSESSL_NONE));
    if (tls != NULL && is_given(tls->ca_file)) {
        SET(CURLOPT_CAINFO, tls->ca_file);
    }
    if (tls != NULL && is_given(tls->cert_file)) {
        SET(CURLOPT_SSLCERT, tls->cert_file);
        SET(CURLOPT_SSLKEY, tls->key_file);
    }
    if (tls != NULL && tls->insecure_skip_verify) {
        SET(CURLOPT_SSL_VERIFYPEER, 0L);
        SET(CURLOPT_SSL_VERIFYHOST, 0L);
    }
    return failed ? ERR_NOMEM : 0;
}

static int set_mail(struct http_client_call *call, const struct http_client_mail *mail)
{
    bool failed = !http_client_call_set_common(call, mail->timeout_ms);
    call->is_mail = true;
    call->upload = mail->message;
    SET(CURLOPT_URL, mail->url);
    SET(CURLOPT_PROTOCOLS_STR, "smtp,smtps");
    SET(CURLOPT_MAIL_FROM, mail->from);
    SET(CURLOPT_MAIL_RCPT, call->recipients);
    SET(CURLOPT_UPLOAD, 1L);
    SET(CURLOPT_READFUNCTION, on_upload);
    SET(CURLOPT_READDATA, call);
    SET(CURLOPT_INFILESIZE_LARGE, (curl_off_t)mail->message.len);
    /* A session of one mail: what a server remembers of another cannot be in the way. */
    SET(CURLOPT_FRESH_CONNECT, 1L);
    SET(CURLOPT_FORBID_REUSE, 1L);
    if (is_given(mail->username)) {
        SET(CURLOPT_USERNAME, mail->username);
        SET(CURLOPT_PASSWORD, mail->password != NULL ? mail->password : "");
    }
    if (is_given(mail->identity)) {
        SET(CURLOPT_SASL_AUTHZID, mail->identity);
    }
    return failed ? ERR_NOMEM : set_tls(call, mail);
}

int http_client_send_mail(struct http_client *face, const struct http_client_mail *mail,
    http_client_done done, void *context, struct http_client_call **call_out)
{
    struct http_client_call *call = NULL;
    int status = http_client_need_libcurl((struct client *)face);
    status = status == 0 ? check_url(mail->url) : status;
    if (status == 0) {
        status = http_client_call_new(face, done, context, 0, &call);
    }
    if (status != 0) {
        return status;
    }
    status = set_recipients(call, mail);
    return http_client_call_start(call, status == 0 ? set_mail(call, mail) : status, call_out);
}
