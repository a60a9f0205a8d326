/* Tables and rules of an HTTP profile, and the header it makes. */
#include "base/http_profile.h"

#include <string.h>

#include "base/mem.h"
#include "base/vfs.h"
#include "base/yaml.h"

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

#define TLS_TEXT_REFUSED "certificates and keys are files; write ca_file, cert_file and key_file"

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
    {.key = "min_version",
        .kind = CONFIG_STRING,
        .offset = offsetof(struct http_tls, min_version),
        .default_text = "",
        .help = "Oldest version to speak: TLS10, TLS11, TLS12 or TLS13; what the TLS library takes "
                "when empty"},
    {.key = "max_version",
        .kind = CONFIG_STRING,
        .offset = offsetof(struct http_tls, max_version),
        .default_text = "",
        .help = "Newest version to speak; the newest there is when empty"},
    {.key = "ca", .kind = CONFIG_REFUSED, .help = TLS_TEXT_REFUSED},
    {.key = "cert", .kind = CONFIG_REFUSED, .help = TLS_TEXT_REFUSED},
    {.key = "key", .kind = CONFIG_REFUSED, .help = TLS_TEXT_REFUSED},
    {.key = NULL},
};

const struct config_field http_oauth2_fields[] = {
    {.key = "client_id",
        .kind = CONFIG_STRING,
        .offset = offsetof(struct http_oauth2, client_id),
        .default_text = "",
        .help = "Name to ask by"},
    {.key = "client_secret",
        .kind = CONFIG_STRING,
        .offset = offsetof(struct http_oauth2, client_secret),
        .default_text = "",
        .secret = true,
        .help = "Secret to ask with"},
    {.key = "client_secret_file",
        .kind = CONFIG_STRING,
        .offset = offsetof(struct http_oauth2, client_secret_file),
        .default_text = "",
        .help = "File that holds the secret, read for each token"},
    {.key = "token_url",
        .kind = CONFIG_STRING,
        .offset = offsetof(struct http_oauth2, token_url),
        .default_text = "",
        .help = "Where tokens are asked for"},
    {.key = "scopes",
        .kind = CONFIG_STRING_LIST,
        .offset = offsetof(struct http_oauth2, scopes),
        .help = "What the token is to allow"},
    {.key = "endpoint_params",
        .kind = CONFIG_STRING_MAP,
        .offset = offsetof(struct http_oauth2, endpoint_params),
        .secret = true,
        .help = "Further parameters of the question"},
    {.key = "tls_config",
        .kind = CONFIG_OBJECT,
        .offset = offsetof(struct http_oauth2, tls),
        .fields = http_tls_fields,
        .help = "Certificates, for the token's https"},
    {.key = "proxy_url",
        .kind = CONFIG_STRING,
        .offset = offsetof(struct http_oauth2, proxy_url),
        .default_text = "",
        .help = "Proxy to go through for tokens"},
    HTTP_PROXY_FIELDS(struct http_oauth2, ),
    {.key = NULL},
};

const struct config_field http_profile_header_fields[] = {
    {.key = "values",
        .kind = CONFIG_STRING_LIST,
        .offset = offsetof(struct http_profile_header, values),
        .help = "Values, one header each"},
    {.key = "secrets",
        .kind = CONFIG_STRING_LIST,
        .offset = offsetof(struct http_profile_header, secrets),
        .secret = true,
        .help = "Values that are not shown"},
    {.key = "files",
        .kind = CONFIG_STRING_LIST,
        .offset = offsetof(struct http_profile_header, files),
        .help = "Files that hold one value each, read for each request"},
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

static bool has_oauth2(const struct http_profile *p)
{
    const struct http_oauth2 *o = &p->oauth2;
    return is_set(o->token_url) || is_set(o->client_id) || is_set(o->client_secret) ||
           is_set(o->client_secret_file);
}

bool http_profile_is_plain(const struct http_profile *p)
{
    return !has_basic(p) && !has_credentials(p) && !has_bearer(p) && !has_oauth2(p) &&
           p->headers.count == 0 && !is_set(p->tls.ca_file) && !is_set(p->tls.cert_file) &&
           !is_set(p->tls.server_name) && !is_set(p->tls.min_version) &&
           !is_set(p->tls.max_version) && !is_set(p->proxy_url) && !p->proxy_from_environment &&
           !p->tls.insecure_skip_verify && p->follow_redirects;
}

/* All rows, for what is done with each. */
struct holder {
    struct http_profile profile;
};
static const struct config_field profile_fields[] = {
    HTTP_PROFILE_FIELDS(struct holder),
    {.key = NULL},
};

bool http_profile_eq(const struct http_profile *a, const struct http_profile *b)
{
    return config_eq(profile_fields, a, b);
}

int http_profile_copy(const struct http_profile *p, struct arena *arena, struct http_profile *out)
{
    return config_copy(arena, profile_fields, p, sizeof(*p), out);
}

int http_profile_load(
    const char *path, struct arena *arena, struct http_profile *out, struct err *e)
{
    struct holder holder = {0};
    struct yaml_node *root = NULL;
    char *text = NULL;
    size_t size = 0;
    int status = 0;
    if (path != NULL) {
        status = vfs_read_file(vfs_posix(), path, YAML_FILE_BYTES_MAX, &text, &size);
        if (status != 0) {
            return err_set(e, status, -1, "cannot read %s: %s", path, err_text(status));
        }
        status = yaml_parse(arena, path, str_make(text, size), &root, e);
        mem_free(text);
    }
    if (status == 0) {
        status = config_read(arena, path != NULL ? path : "", root, profile_fields, &holder, e);
    }
    if (status == 0) {
        *out = holder.profile;
    }
    return status;
}

int http_tls_version(const char *text)
{
    static const char *const names[] = {"TLS10", "TLS11", "TLS12", "TLS13"};
    for (int i = 0; i < (int)(sizeof(names) / sizeof(names[0])); i++) {
        if (strcmp(text, names[i]) == 0) {
            return 10 + i;
        }
    }
    return -1;
}

static int check_tls(const struct http_tls *tls, struct err *e)
{
    const char *const texts[] = {tls->min_version, tls->max_version};
    int versions[] = {10, 13};
    if (is_set(tls->cert_file) != is_set(tls->key_file)) {
        return err_set(
            e, ERR_INVALID, -1, "tls_config needs both cert_file and key_file, or neither");
    }
    for (size_t i = 0; i < 2; i++) {
        if (is_set(texts[i]) && (versions[i] = http_tls_version(texts[i])) < 0) {
            return err_set(e, ERR_INVALID, -1,
                "tls_config.%s_version \"%s\"; accepted: TLS10, TLS11, TLS12, TLS13",
                i == 0 ? "min" : "max", texts[i]);
        }
    }
    return versions[0] <= versions[1]
               ? 0
               : err_set(e, ERR_INVALID, -1, "tls_config.min_version is newer than max_version");
}

/* What they say in Prometheus must make sense together. */
static int check_proxy(const char *url, const char *except, bool from_environment, struct err *e)
{
    if (from_environment && (is_set(url) || is_set(except))) {
        return err_set(e, ERR_INVALID, -1,
            "proxy_from_environment takes the place of proxy_url and no_proxy; write one or the "
            "other");
    }
    if (is_set(except) && !is_set(url)) {
        return err_set(e, ERR_INVALID, -1, "no_proxy needs a proxy_url");
    }
    return 0;
}

static int check_oauth2(const struct http_oauth2 *o, struct err *e)
{
    if (!is_set(o->client_id) || !is_set(o->token_url)) {
        return err_set(e, ERR_INVALID, -1, "oauth2 needs client_id and token_url");
    }
    if (is_set(o->client_secret) && is_set(o->client_secret_file)) {
        return err_set(e, ERR_INVALID, -1, "a secret and the file that holds it are both set");
    }
    struct err why = ERR_INIT;
    if (check_tls(&o->tls, &why) != 0 ||
        check_proxy(o->proxy_url, o->no_proxy, o->proxy_from_environment, &why) != 0) {
        return err_set(e, ERR_INVALID, -1, "oauth2.%s", why.message);
    }
    return 0;
}

/* Headers that are the protocol's, or that the settings above make. */
static const char *const reserved_headers[] = {"Accept-Encoding", "Authorization", "Connection",
    "Content-Encoding", "Content-Length", "Content-Type", "Host", "Keep-Alive",
    "Proxy-Authenticate", "Proxy-Authorization", "Transfer-Encoding", "User-Agent",
    "Www-Authenticate", "X-Prometheus-Remote-Read-Version", "X-Prometheus-Remote-Write-Version",
    "X-Prometheus-Scrape-Timeout-Seconds"};

/* RFC 9110, section 5.6.2: a token. */
static bool is_header_name(const char *name)
{
    size_t size = strspn(name, "!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyz"
                               "ABCDEFGHIJKLMNOPQRSTUVWXYZ");
    return size > 0 && name[size] == '\0';
}

static int check_headers(const struct config_list *list, struct err *e)
{
    const struct http_profile_header *headers = list->items;
    size_t count = 0;
    for (size_t i = 0; i < list->count; i++) {
        const struct http_profile_header *h = &headers[i];
        if (!is_header_name(h->name)) {
            return err_set(
                e, ERR_INVALID, -1, "http_headers: \"%s\" is not the name of a header", h->name);
        }
        for (size_t k = 0; k < sizeof(reserved_headers) / sizeof(reserved_headers[0]); k++) {
            if (strcasecmp(h->name, reserved_headers[k]) == 0) {
                return err_set(e, ERR_INVALID, -1,
                    "http_headers: %s cannot be set here; it is the protocol's, or has settings of "
                    "its own",
                    reserved_headers[k]);
            }
        }
        count += h->values.count + h->secrets.count + h->files.count;
    }
    if (count > HTTP_PROFILE_HEADERS_MAX) {
        return err_set(
            e, ERR_INVALID, -1, "http_headers: at most %d values", HTTP_PROFILE_HEADERS_MAX);
    }
    return 0;
}

int http_profile_check(const struct http_profile *p, struct err *e)
{
    const struct http_basic_auth *b = &p->basic_auth;
    if (has_basic(p) + has_credentials(p) + has_bearer(p) + has_oauth2(p) > 1) {
        return err_set(e, ERR_INVALID, -1,
            "at most one of basic_auth, authorization, bearer_token and oauth2 may be set");
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
    int status = check_tls(&p->tls, e);
    if (status == 0) {
        status = check_proxy(p->proxy_url, p->no_proxy, p->proxy_from_environment, e);
    }
    status = status == 0 && has_oauth2(p) ? check_oauth2(&p->oauth2, e) : status;
    return status != 0 ? status : check_headers(&p->headers, e);
}

void http_secret_release(struct strbuf *secret)
{
    if (secret->data != NULL) {
        explicit_bzero(secret->data, secret->size);
    }
    strbuf_release(secret);
}

int http_secret_read(const char *text, const char *file, struct strbuf *out)
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
    int status = http_secret_read(b->username, b->username_file, &pair);
    if (status == 0) {
        strbuf_add_char(&pair, ':');
        status = http_secret_read(b->password, b->password_file, &pair);
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
        return http_secret_read(
            p->authorization.credentials, p->authorization.credentials_file, out);
    }
    if (has_bearer(p)) {
        strbuf_add_c(out, "Bearer ");
        return http_secret_read(p->bearer_token, p->bearer_token_file, out);
    }
    return 0;
}

static int add_from_file(const char *name, const char *file,
    int (*add)(void *context, const char *name, const char *value), void *context)
{
    struct strbuf value;
    strbuf_init(&value, HTTP_SECRET_BYTES_MAX);
    int status = http_secret_read(NULL, file, &value);
    if (status == 0) {
        status = add(context, name, value.data != NULL ? value.data : "");
    }
    http_secret_release(&value);
    return status;
}

int http_profile_each_header(const struct http_profile *p,
    int (*add)(void *context, const char *name, const char *value), void *context)
{
    const struct http_profile_header *headers = p->headers.items;
    int status = 0;
    for (size_t i = 0; i < p->headers.count; i++) {
        const struct http_profile_header *h = &headers[i];
        for (size_t k = 0; status == 0 && k < h->values.count; k++) {
            status = add(context, h->name, h->values.items[k]);
        }
        for (size_t k = 0; status == 0 && k < h->secrets.count; k++) {
            status = add(context, h->name, h->secrets.items[k]);
        }
        for (size_t k = 0; status == 0 && k < h->files.count; k++) {
            status = add_from_file(h->name, h->files.items[k], add, context);
        }
    }
    return status;
}
