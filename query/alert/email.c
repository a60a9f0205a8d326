/* Writing a mail, and handing it over. Texts are base64 in lines of 76, which every program reads and no
 * relay changes; headers with more than ASCII are encoded words (RFC 2047).
 */
#include "alert/email.h"

#include <stdio.h>
#include <strings.h>
#include <time.h>

#include "alert/message_texts.h"
#include "base/mem.h"
#include "base/vfs.h"

#define LINE_BYTES 76
#define HEADER_BYTES_MAX ((size_t)8192)

/* ---- Writing ---- */

/* One line, whatever a template wrote. */
static void add_header(struct strbuf *out, const char *name, struct str value)
{
    bool ascii = true;
    for (size_t i = 0; i < value.len; i++) {
        ascii = ascii && (uint8_t)value.ptr[i] < 0x80;
    }
    strbuf_addf(out, "%s: ", name);
    if (ascii) {
        for (size_t i = 0; i < value.len && i < HEADER_BYTES_MAX; i++) {
            char c = value.ptr[i];
            strbuf_add_char(out, c < ' ' || c == 0x7f ? ' ' : c);
        }
    } else {
        /* Words of at most 45 bytes, not cut inside a character. */
        while (value.len > 0) {
            size_t length = value.len < 45 ? value.len : 45;
            while (
                length > 0 && length < value.len && ((uint8_t)value.ptr[length] & 0xc0) == 0x80) {
                length--;
            }
            length = length > 0 ? length : 1;
            strbuf_add_c(out, "=?UTF-8?B?");
            strbuf_add_base64(out, str_make(value.ptr, length));
            strbuf_add_c(out, value.len > length ? "?=\r\n " : "?=");
            value = str_skip(value, length);
        }
    }
    strbuf_add_c(out, "\r\n");
}

static void add_part(struct strbuf *out, const char *boundary, const char *type, struct str text)
{
    struct strbuf encoded = STRBUF_INIT;
    strbuf_addf(out,
        "--%s\r\nContent-Type: %s; charset=UTF-8\r\nContent-Transfer-Encoding: base64\r\n\r\n",
        boundary, type);
    strbuf_add_base64(&encoded, text);
    for (struct str rest = strbuf_str(&encoded); rest.len > 0; rest = str_skip(rest, LINE_BYTES)) {
        size_t length = rest.len < LINE_BYTES ? rest.len : LINE_BYTES;
        strbuf_add(out, rest.ptr, length);
        strbuf_add_c(out, "\r\n");
    }
    strbuf_release(&encoded);
}

static void add_date(struct strbuf *out, int64_t time_ms)
{
    char text[64];
    struct tm parts;
    time_t seconds = (time_t)(time_ms / 1000);
    (void)gmtime_r(&seconds, &parts);
    static const char *const days[] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
    static const char *const months[] = {
        "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
    (void)snprintf(text, sizeof(text), "%s, %02d %s %d %02d:%02d:%02d +0000", days[parts.tm_wday],
        parts.tm_mday, months[parts.tm_mon], parts.tm_year + 1900, parts.tm_hour, parts.tm_min,
        parts.tm_sec);
    add_header(out, "Date", str_of(text));
}

/* What the settings say of a header; NULL when nothing. */
static const char *header_of(const struct alerting_email *settings, const char *name)
{
    for (size_t i = 0; i < settings->headers.count; i++) {
        if (strcasecmp(settings->headers.items[i].key, name) == 0) {
            return settings->headers.items[i].value;
        }
    }
    return NULL;
}

static bool is_header_name(const char *name)
{
    size_t length = strlen(name);
    return length > 0 && strspn(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
                                      "0123456789-_") == length;
}

static int add_headers(struct message_texts *texts, const struct alerting_email *settings,
    struct str from, struct str to, struct strbuf *out, struct err *e)
{
    const struct config_map *more = &settings->headers;
    const char *subject = header_of(settings, "Subject");
    struct strbuf value = STRBUF_INIT;
    int status = message_texts_write(texts,
        subject != NULL ? subject : "{{ template \"email.default.subject\" . }}", false, &value, e);
    add_header(out, "Subject", strbuf_str(&value));
    if (header_of(settings, "From") == NULL) {
        add_header(out, "From", from);
    }
    if (header_of(settings, "To") == NULL) {
        add_header(out, "To", to);
    }
    for (size_t i = 0; status == 0 && i < more->count; i++) {
        if (strcasecmp(more->items[i].key, "Subject") != 0 && is_header_name(more->items[i].key)) {
            strbuf_reset(&value);
            strbuf_add_c(&value, "");
            status = message_texts_write(texts, more->items[i].value, false, &value, e);
            add_header(out, more->items[i].key, strbuf_str(&value));
        }
    }
    strbuf_release(&value);
    return status;
}

static int write_mail(struct message_texts *texts, struct strbuf *out, struct err *e)
{
    const struct message *m = texts->message;
    const struct alerting_email *settings = m->integration->email;
    struct strbuf from = STRBUF_INIT, to = STRBUF_INIT, part = STRBUF_INIT;
    int status = message_texts_write(texts, settings->from, false, &from, e);
    if (status == 0) {
        status = message_texts_write(texts, settings->to, false, &to, e);
    }
    if (status == 0) {
        strbuf_addf(out, "%.*s\n%.*s\n", STR_ARG(strbuf_str(&from)), STR_ARG(strbuf_str(&to)));
        status = add_headers(texts, settings, strbuf_str(&from), strbuf_str(&to), out, e);
    }
    add_date(out, m->now_ms);
    strbuf_addf(out,
        "Message-Id: <%s@sonde>\r\nMIME-Version: 1.0\r\n"
        "Content-Type: multipart/alternative; boundary=\"%s\"\r\n\r\n",
        m->delivery_id, m->delivery_id);
    if (status == 0 && settings->text[0] != '\0') {
        strbuf_add_c(&part, "");
        status = message_texts_write(texts, settings->text, false, &part, e);
        add_part(out, m->delivery_id, "text/plain", strbuf_str(&part));
    }
    if (status == 0 && settings->html[0] != '\0') {
        strbuf_reset(&part);
        strbuf_add_c(&part, "");
        status = message_texts_write(texts, settings->html, true, &part, e);
        add_part(out, m->delivery_id, "text/html", strbuf_str(&part));
    }
    strbuf_addf(out, "--%s--\r\n", m->delivery_id);
    strbuf_release(&from);
    strbuf_release(&to);
    strbuf_release(&part);
    return status != 0 ? status : strbuf_error(out);
}

int email_body_write(const struct message *m, struct strbuf *out, struct err *e)
{
    struct message_texts texts;
    int status = message_texts_begin(&texts, m, e);
    if (status == 0) {
        status = write_mail(&texts, out, e);
        message_texts_end(&texts);
    }
    return status;
}

/* ---- Sending ---- */

/* "Name <a@b>" -> "a@b"; cuts in place. */
static char *address_of(char *text)
{
    char *open = strrchr(text, '<');
    char *address = open != NULL ? open + 1 : text;
    while (*address == ' ') {
        address++;
    }
    address[strcspn(address, "> \r\n\t")] = '\0';
    return address;
}

static int read_password(const struct alerting_email *settings, struct strbuf *out)
{
    const struct alerting_secret *s =
        settings->auth_password.text[0] != '\0' || settings->auth_password.file[0] != '\0'
            ? &settings->auth_password
            : &settings->auth_secret;
    if (s->file[0] == '\0') {
        strbuf_add_c(out, s->text);
        return strbuf_error(out);
    }
    char *bytes = NULL;
    size_t size = 0;
    int status = vfs_read_file(vfs_posix(), s->file, HTTP_SECRET_BYTES_MAX, &bytes, &size);
    if (status == 0) {
        strbuf_add_str(out, str_trim(str_make(bytes, size)));
        explicit_bzero(bytes, size);
    }
    mem_free(bytes);
    return status;
}

/* smtps on 465, as Alertmanager does. */
static void write_url(const struct alerting_email *settings, struct strbuf *url)
{
    bool implicit = str_ends_with(str_of(settings->smarthost), STR(":465"));
    strbuf_addf(url, "%s://%s/%s", implicit ? "smtps" : "smtp", settings->smarthost,
        settings->hello[0] != '\0' ? settings->hello : "localhost");
}

int email_send(struct http_client *http, const struct alerting_email *settings,
    const struct delivery *d, struct strbuf *text, http_client_done done, void *context)
{
    struct strbuf url = STRBUF_INIT, password = STRBUF_INIT;
    const char *to[EMAIL_RECIPIENTS_MAX];
    size_t count = 0;
    strbuf_add(text, d->body, d->body_size);
    char *from = text->data;
    char *from_end = from != NULL ? strchr(from, '\n') : NULL;
    char *to_end = from_end != NULL ? strchr(from_end + 1, '\n') : NULL;
    if (strbuf_error(text) != 0 || to_end == NULL) {
        return strbuf_error(text) != 0 ? strbuf_error(text) : ERR_INVALID;
    }
    *from_end = *to_end = '\0';
    char *state = NULL;
    for (char *word = strtok_r(from_end + 1, ",", &state);
         word != NULL && count < EMAIL_RECIPIENTS_MAX; word = strtok_r(NULL, ",", &state)) {
        to[count++] = address_of(word);
    }
    write_url(settings, &url);
    int status = read_password(settings, &password);
    status = status != 0 ? status : strbuf_error(&url);
    if (status == 0) {
        struct http_client_mail mail = {.url = url.data,
            .from = address_of(from),
            .to = to,
            .to_count = count,
            .message = str_make(to_end + 1, text->size - (size_t)(to_end + 1 - text->data)),
            .username = settings->auth_username,
            .password = password.data,
            .identity = settings->auth_identity,
            .require_tls =
                settings->require_tls && !str_ends_with(str_of(settings->smarthost), STR(":465")),
            .tls = &settings->tls,
            .timeout_ms = settings->common.timeout_ms};
        status = http->send_mail(http, &mail, done, context, NULL);
    }
    strbuf_release(&url);
    http_secret_release(&password);
    return status;
}
