/* Tables and rules of an HTTP profile, and the header it makes. */
#include "base/http_profile.h"

#include <string.h>

#include "base/mem.h"
#include "base/vfs.h"

const struct config_field http_basic_auth_fields[] = {
    {.key = "username",
        .kind = CONFIG_STRING,
        .offset = offsetof(struct http_basic_auth, username),
        .default_text = "",
        .help = "Name"},
    {.key = "username_file",
        .kind = CONFIG_STRING,
        .offset = offsetof(struct http_basic_auth, username_file),
        .default_text = "",
        .help = "File that holds the name"},
    {.key = "password",
        .kind = CONFIG_STRING,
        .offset = offsetof(struct http_basic_auth, password),
        .default_text = "",
        .secret = true,
        .help = "Password"},
    {.key = "password_file",
        .kind = CONFIG_STRING,
        .offset = offsetof(struct http_basic_auth, password_file),
        .default_text = "",
        .help = "File that holds the password, read for each request"},
    {.key = NULL},
};

const struct config_field http_authorization_fields[] = {
    {.key = "type",
        .kind = CONFIG_STRING,
        .offset = offsetof(struct http_authorization, type),
        .default_text = "Bearer",
        .help = "Word before the credentials"},
    {.key = "credentials",
        .kind = CONFIG_STRING,
        .offset = offsetof(struct http_authorization, credentials),
        .default_text = "",
        .secret = true,
        .help = "Token"},
    {.key = "credentials_file",
        .kind = CONFIG_STRING,
        .offset = offsetof(struct http_authorization, credentials_file),
        .default_text = "",
        .help = "File that holds the token, read for each request"},
    {.key = NULL},
};

const struct config_field http_tls_fields[] = {
    {.key = "ca_file",
        .kind = CONFIG_STRING,
        .offset = offsetof(struct http_tls, ca_file),
        .default_text = "",
        .help = "Certificates of who may vouch for the server; the system's when empty"},
    {.key = "cert_file",
        .kind = CONFIG_STRING,
        .offset = offsetof(struct http_tls, cert_file),
        .default_text = "",
        .help = "Own certificate"},
    {.key = "key_file",
        .kind = CONFIG_STRING,
        .offset = offsetof(struct http_tls, key_file),
        .default_text = "",
        .help = "Key of the own certificate"},
    {.key = "server_name",
        .kind = CONFIG_STRING,
        .offset = offsetof(struct http_tls, server_name),
        .default_text = "",
        .help = "Name the server must have; that of the URL when empty"},
    {.key = "insecure_skip_verify",
        .kind = CONFIG_BOOL,
        .offset = offsetof(struct http_tls, insecure_skip_verify),
        .default_text = "false",
        .help = "Believe any certificate"},
    {.key = NULL},
};

static bool is_set(const char *text)
{
    return text != NULL && text[0] != '\0';
}

static bool has_basic(const struct http_profile *p)
{
    const struct http_basic_auth *b = &p->basic_auth;
    return is_set(b->username) || is_set(b->username_file) || is_set(b->password) ||
           is_set(b->password_file);
}

static bool has_credentials(const struct http_profile *p)
{
    return is_set(p->authorization.credentials) || is_set(p->authorization.credentials_file);
}

static bool has_bearer(const struct http_profile *p)
{
    return is_set(p->bearer_token) || is_set(p->bearer_token_file);
}

/* Where the strings are. */
static const size_t strings[] = {
    offsetof(struct http_profile, basic_auth.username),
    offsetof(struct http_profile, basic_auth.username_file),
    offsetof(struct http_profile, basic_auth.password),
    offsetof(struct http_profile, basic_auth.password_file),
    offsetof(struct http_profile, authorization.type),
    offsetof(struct http_profile, authorization.credentials),
    offsetof(struct http_profile, authorization.credentials_file),
    offsetof(struct http_profile, bearer_token),
    offsetof(struct http_profile, bearer_token_file),
    offsetof(struct http_profile, tls.ca_file),
    offsetof(struct http_profile, tls.cert_file),
    offsetof(struct http_profile, tls.key_file),
    offsetof(struct http_profile, tls.server_name),
    offsetof(struct http_profile, proxy_url),
};

static const char *string_at(const struct http_profile *p, size_t index)
{
    const char *text = *(const char *const *)((const char *)p + strings[index]);
    return text != NULL ? text : "";
}

bool http_profile_is_plain(const struct http_profile *p)
{
    return !has_basic(p) && !has_credentials(p) && !has_bearer(p) && !is_set(p->tls.ca_file) &&
           !is_set(p->tls.cert_file) && !is_set(p->tls.server_name) && !is_set(p->proxy_url) &&
           !p->tls.insecure_skip_verify && p->follow_redirects;
}

bool http_profile_eq(const struct http_profile *a, const struct http_profile *b)
{
    bool same = a->tls.insecure_skip_verify == b->tls.insecure_skip_verify &&
                a->follow_redirects == b->follow_redirects;
    for (size_t i = 0; same && i < sizeof(strings) / sizeof(strings[0]); i++) {
        same = strcmp(string_at(a, i), string_at(b, i)) == 0;
    }
    return same;
}

int http_profile_copy(const struct http_profile *p, struct arena *arena, struct http_profile *out)
{
    *out = *p;
    for (size_t i = 0; i < sizeof(strings) / sizeof(strings[0]); i++) {
        const char *text = string_at(p, i);
        char *copy = arena_strndup(arena, text, strlen(text));
        if (copy == NULL) {
            return arena_error(arena);
        }
        *(const char **)((char *)out + strings[i]) = copy;
    }
    return 0;
}

int http_profile_check(const struct http_profile *p, struct err *e)
{
    const struct http_basic_auth *b = &p->basic_auth;
    if (has_basic(p) + has_credentials(p) + has_bearer(p) > 1) {
        return err_set(e, ERR_INVALID, -1,
            "at most one of basic_auth, authorization and bearer_token may be set");
    }
    if ((is_set(b->username) && is_set(b->username_file)) ||
        (is_set(b->password) && is_set(b->password_file)) ||
        (is_set(p->authorization.credentials) && is_set(p->authorization.credentials_file)) ||
        (is_set(p->bearer_token) && is_set(p->bearer_token_file))) {
        return err_set(e, ERR_INVALID, -1, "a secret and the file that holds it are both set");
    }
    if (has_credentials(p) && strcasecmp(p->authorization.type, "basic") == 0) {
        return err_set(
            e, ERR_INVALID, -1, "authorization.type cannot be \"basic\"; use basic_auth instead");
    }
    if (is_set(p->tls.cert_file) != is_set(p->tls.key_file)) {
        return err_set(
            e, ERR_INVALID, -1, "tls_config needs both cert_file and key_file, or neither");
    }
    return 0;
}

void http_secret_release(struct strbuf *secret)
{
    if (secret->data != NULL) {
        explicit_bzero(secret->data, secret->size);
    }
    strbuf_release(secret);
}

/* A secret as it is written or as its file has it, without white space around it. */
static int add_secret(struct strbuf *out, const char *text, const char *file)
{
    if (!is_set(file)) {
        strbuf_add_c(out, is_set(text) ? text : "");
        return strbuf_error(out);
    }
    char *bytes = NULL;
    size_t size = 0;
    int status = vfs_read_file(vfs_posix(), file, HTTP_SECRET_BYTES_MAX, &bytes, &size);
    if (status == 0) {
        strbuf_add_str(out, str_trim(str_make(bytes, size)));
        explicit_bzero(bytes, size);
        status = strbuf_error(out);
    }
    mem_free(bytes);
    return status;
}

static int add_basic(const struct http_basic_auth *b, struct strbuf *out)
{
    struct strbuf pair;
    strbuf_init(&pair, 2 * HTTP_SECRET_BYTES_MAX);
    int status = add_secret(&pair, b->username, b->username_file);
    if (status == 0) {
        strbuf_add_char(&pair, ':');
        status = add_secret(&pair, b->password, b->password_file);
    }
    if (status == 0) {
        strbuf_add_c(out, "Basic ");
        strbuf_add_base64(out, strbuf_str(&pair));
        status = strbuf_error(out);
    }
    http_secret_release(&pair);
    return status;
}

int http_profile_authorization(const struct http_profile *p, struct strbuf *out)
{
    if (has_basic(p)) {
        return add_basic(&p->basic_auth, out);
    }
    if (has_credentials(p)) {
        strbuf_addf(out, "%s ", is_set(p->authorization.type) ? p->authorization.type : "Bearer");
        return add_secret(out, p->authorization.credentials, p->authorization.credentials_file);
    }
    if (has_bearer(p)) {
        strbuf_add_c(out, "Bearer ");
        return add_secret(out, p->bearer_token, p->bearer_token_file);
    }
    return 0;
}
