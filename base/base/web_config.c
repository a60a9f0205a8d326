/* Reading the web configuration. */
#include "web_config.h"

#include <string.h>

#include "base/hash.h"
#include "base/mem.h"
#include "base/vfs.h"
#include "base/yaml.h"

#define TLS(member) offsetof(struct web_tls_config, member)
static const struct config_field tls_fields[] = {
    {.key = "cert_file", .kind = CONFIG_STRING, .offset = TLS(cert_file), .help = "Certificate"},
    {.key = "cert", .kind = CONFIG_STRING, .offset = TLS(cert), .help = "The certificate itself"},
    {.key = "key_file", .kind = CONFIG_STRING, .offset = TLS(key_file), .help = "Its key"},
    {.key = "key", .kind = CONFIG_STRING, .offset = TLS(key), .help = "The key itself"},
    {.key = "client_auth_type",
        .kind = CONFIG_STRING,
        .offset = TLS(client_auth_text),
        .default_text = "NoClientCert",
        .help = "What is asked of clients"},
    {.key = "client_ca_file",
        .kind = CONFIG_STRING,
        .offset = TLS(client_ca_file),
        .help = "Who vouches for clients"},
    {.key = "client_ca",
        .kind = CONFIG_STRING,
        .offset = TLS(client_ca),
        .help = "The certificates themselves"},
    {.key = "min_version",
        .kind = CONFIG_STRING,
        .offset = TLS(min_version_text),
        .default_text = "TLS12",
        .help = "The oldest version of TLS"},
    {.key = "max_version",
        .kind = CONFIG_STRING,
        .offset = TLS(max_version_text),
        .default_text = "TLS13",
        .help = "The newest version of TLS"},
    {.key = "prefer_server_cipher_suites",
        .kind = CONFIG_BOOL,
        .offset = TLS(prefer_server_cipher_suites),
        .default_text = "true",
        .help = "Always so"},
    {0},
};

static const struct config_field http_fields[] = {
    {.key = "http2",
        .kind = CONFIG_BOOL,
        .offset = offsetof(struct web_http_config, http2),
        .default_text = "true",
        .help = "Without meaning"},
    {.key = "headers",
        .kind = CONFIG_STRING_MAP,
        .offset = offsetof(struct web_http_config, headers),
        .help = "Headers of every answer"},
    {0},
};

static const struct config_field fields[] = {
    {.key = "tls_server_config",
        .kind = CONFIG_OBJECT,
        .offset = offsetof(struct web_config, tls),
        .fields = tls_fields,
        .help = "TLS"},
    {.key = "http_server_config",
        .kind = CONFIG_OBJECT,
        .offset = offsetof(struct web_config, http),
        .fields = http_fields,
        .help = "HTTP"},
    {.key = "basic_auth_users",
        .kind = CONFIG_STRING_MAP,
        .offset = offsetof(struct web_config, users),
        .help = "Names and bcrypt hashes of passwords"},
    {0},
};

/* The file at hand. */
struct loader {
    const char *path;
    struct web_config *config;
    struct err *err;
};

static bool is_set(const char *text)
{
    return text != NULL && text[0] != '\0';
}

static int refuse(struct loader *l, const char *what)
{
    return err_set(l->err, ERR_INVALID, -1, "%s: %s", l->path, what);
}

/* ---- Files ---- */

static int read_file(struct loader *l, const char *path, struct str *out)
{
    char *bytes = NULL;
    size_t size = 0;
    int status = vfs_read_file(vfs_posix(), path, WEB_CONFIG_BYTES_MAX, &bytes, &size);
    if (status != 0) {
        return err_set(l->err, status, -1, "cannot read %s: %s", path, err_text(status));
    }
    char *copy = arena_strndup(&l->config->arena, bytes, size);
    explicit_bzero(bytes, size < WEB_CONFIG_BYTES_MAX ? size : WEB_CONFIG_BYTES_MAX);
    mem_free(bytes);
    if (copy == NULL) {
        return err_set(l->err, ERR_NOMEM, -1, "%s", err_text(ERR_NOMEM));
    }
    *out = str_make(copy, size);
    l->config->fingerprint = hash64(copy, size, l->config->fingerprint + 1);
    return 0;
}

/* Relative paths begin where the configuration lies. */
static int read_named_file(struct loader *l, const char *name, struct str *out)
{
    struct strbuf path = STRBUF_INIT;
    const char *slash = strrchr(l->path, '/');
    if (name[0] != '/' && slash != NULL) {
        strbuf_add(&path, l->path, (size_t)(slash - l->path) + 1);
    }
    strbuf_add_c(&path, name);
    int status = strbuf_error(&path) == 0 ? read_file(l, path.data, out) : strbuf_error(&path);
    strbuf_release(&path);
    return status;
}

/* One of a text and the file that holds it. */
static int take_pem(struct loader *l, const char *text, const char *file, struct str *out)
{
    if (is_set(file)) {
        return read_named_file(l, file, out);
    }
    *out = is_set(text) ? str_of(text) : STR("");
    return 0;
}

/* ---- TLS ---- */

/* The place of a word in a list; -1 when it is not there. */
static int place_of(const char *word, const char *const *list, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (strcmp(word, list[i]) == 0) {
            return (int)i;
        }
    }
    return -1;
}

static int read_client_auth(struct loader *l)
{
    static const char *const words[] = {"NoClientCert", "RequestClientCert", "RequireAnyClientCert",
        "VerifyClientCertIfGiven", "RequireAndVerifyClientCert"};
    struct web_tls_config *tls = &l->config->tls;
    int place = place_of(tls->client_auth_text, words, sizeof(words) / sizeof(words[0]));
    bool has_ca = is_set(tls->client_ca) || is_set(tls->client_ca_file);
    if (place < 0) {
        return refuse(l,
            "client_auth_type is NoClientCert, RequestClientCert, RequireAnyClientCert, "
            "VerifyClientCertIfGiven or RequireAndVerifyClientCert");
    }
    tls->client_auth = (enum web_client_auth)place;
    if (has_ca != (tls->client_auth >= WEB_CLIENT_VERIFY_IF_GIVEN)) {
        return refuse(l, has_ca ? "client_ca needs a client_auth_type that verifies"
                                : "a client_auth_type that verifies needs client_ca_file");
    }
    return 0;
}

static int read_versions(struct loader *l)
{
    static const char *const words[] = {"TLS10", "TLS11", "TLS12", "TLS13"};
    struct web_tls_config *tls = &l->config->tls;
    int min = place_of(tls->min_version_text, words, sizeof(words) / sizeof(words[0]));
    int max = place_of(tls->max_version_text, words, sizeof(words) / sizeof(words[0]));
    if (min < 0 || max < min) {
        return refuse(l, "min_version and max_version are TLS10, TLS11, TLS12 or TLS13, in order");
    }
    tls->min_version = (enum web_tls_version)min;
    tls->max_version = (enum web_tls_version)max;
    return 0;
}

static int read_tls(struct loader *l)
{
    struct web_tls_config *tls = &l->config->tls;
    int has_cert = is_set(tls->cert) + is_set(tls->cert_file);
    int has_key = is_set(tls->key) + is_set(tls->key_file);
    if (has_cert != 1 || has_key != 1) {
        return refuse(
            l, "tls_server_config needs one of cert_file and cert, and one of key_file and key");
    }
    if (is_set(tls->client_ca) && is_set(tls->client_ca_file)) {
        return refuse(l, "client_ca_file and client_ca cannot both be set");
    }
    int status = read_client_auth(l);
    status = status == 0 ? read_versions(l) : status;
    status = status == 0 ? take_pem(l, tls->cert, tls->cert_file, &tls->cert_pem) : status;
    status = status == 0 ? take_pem(l, tls->key, tls->key_file, &tls->key_pem) : status;
    return status == 0 ? take_pem(l, tls->client_ca, tls->client_ca_file, &tls->client_ca_pem)
                       : status;
}

/* ---- Users and headers ---- */

/* $2a$, $2b$ or $2y$, two digits of cost, $, 53 characters of salt and hash. */
static int check_user(struct loader *l, const struct config_pair *user)
{
    struct str hash = str_of(user->value);
    uint64_t cost = 0;
    bool good = hash.len == 60 && hash.ptr[0] == '$' && hash.ptr[1] == '2' &&
                strchr("aby", hash.ptr[2]) != NULL && hash.ptr[3] == '$' && hash.ptr[6] == '$' &&
                str_to_u64(str_make(hash.ptr + 4, 2), &cost) == 0 && cost >= 4;
    if (!good || user->key[0] == '\0' || strchr(user->key, ':') != NULL) {
        return err_set(l->err, ERR_INVALID, -1,
            "%s: basic_auth_users: \"%s\" needs a bcrypt hash ($2y$…, as htpasswd -B writes it)",
            l->path, user->key);
    }
    if (cost > WEB_BCRYPT_COST_MAX) {
        return err_set(l->err, ERR_INVALID, -1,
            "%s: basic_auth_users: the hash of \"%s\" has cost %d; at most %d is taken", l->path,
            user->key, (int)cost, WEB_BCRYPT_COST_MAX);
    }
    return 0;
}

static int check_header(struct loader *l, const struct config_pair *header)
{
    static const char *const known[] = {"Content-Security-Policy", "X-Frame-Options",
        "X-Content-Type-Options", "X-XSS-Protection", "Strict-Transport-Security"};
    if (place_of(header->key, known, sizeof(known) / sizeof(known[0])) < 0) {
        return err_set(l->err, ERR_INVALID, -1,
            "%s: headers: \"%s\" cannot be set; Content-Security-Policy, X-Frame-Options, "
            "X-Content-Type-Options, X-XSS-Protection and Strict-Transport-Security can",
            l->path, header->key);
    }
    return strpbrk(header->value, "\r\n") == NULL ? 0 : refuse(l, "a header is one line");
}

static int check_pairs(struct loader *l, const struct config_map *map,
    int (*check)(struct loader *l, const struct config_pair *pair))
{
    int status = 0;
    for (size_t i = 0; status == 0 && i < map->count; i++) {
        status = check(l, &map->items[i]);
    }
    return status;
}

/* ---- All of it ---- */

static int load(struct loader *l)
{
    struct web_config *config = l->config;
    struct yaml_node *root = NULL;
    struct str text;
    int status = read_file(l, l->path, &text);
    status = status == 0 ? yaml_parse(&config->arena, l->path, text, &root, l->err) : status;
    const struct yaml_node *tls =
        status == 0 && root != NULL ? yaml_get(root, "tls_server_config") : NULL;
    if (tls != NULL &&
        (yaml_get(tls, "cipher_suites") != NULL || yaml_get(tls, "curve_preferences") != NULL)) {
        return refuse(
            l, "cipher_suites and curve_preferences cannot be set: the order is GnuTLS' own");
    }
    config->has_tls = tls != NULL && !yaml_is_null(tls);
    if (status == 0) {
        status = config_read(&config->arena, l->path, root, fields, config, l->err);
    }
    if (status == 0 && config->has_tls) {
        status = read_tls(l);
    }
    status = status == 0 ? check_pairs(l, &config->users, check_user) : status;
    return status == 0 ? check_pairs(l, &config->http.headers, check_header) : status;
}

int web_config_load(const char *path, struct web_config *config_out, struct err *e)
{
    struct web_config *config = config_out;
    *config = (struct web_config){0};
    arena_init(&config->arena, (size_t)16 << 20);
    struct loader l = {path, config, e};
    int status = load(&l);
    if (status != 0) {
        web_config_release(config);
    }
    return status;
}

void web_config_release(struct web_config *config)
{
    /* Of an arena in use the key's text is the one secret. */
    if (config->tls.key_pem.len > 0) {
        explicit_bzero((void *)(uintptr_t)config->tls.key_pem.ptr, config->tls.key_pem.len);
    }
    arena_release(&config->arena);
}
