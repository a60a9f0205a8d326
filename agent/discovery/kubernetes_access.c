/* The three ways to an API server.
 *
 * kubeconfig, as far as it is read:
 *
 *   current-context: NAME
 *   contexts: [{name, context: {cluster: NAME, user: NAME}}]
 *   clusters: [{name, cluster: {server, certificate-authority[-data], insecure-skip-tls-verify,
 *               tls-server-name, proxy-url}}]
 *   users:    [{name, user: {token, tokenFile, client-certificate[-data], client-key[-data], username,
 *               password}}]
 *
 * -data is base64. Paths are relative to the file's folder. Plug-ins (exec, auth-provider) are refused.
 */
#include "discovery/kubernetes_access.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/yaml.h"

static const char *from_environment(const char *name)
{
    return getenv(name);
}

/* "a/b" of two texts; NULL when the arena is exhausted. */
static const char *join(struct arena *arena, struct str a, const char *separator, const char *b)
{
    struct strbuf text = STRBUF_INIT;
    strbuf_add_str(&text, a);
    strbuf_add_c(&text, separator);
    strbuf_add_c(&text, b);
    const char *copy = strbuf_error(&text) == 0 ? arena_strndup(arena, text.data, text.size) : NULL;
    strbuf_release(&text);
    return copy;
}

static int set_server(struct arena *arena, struct str url, struct kubernetes_access *access)
{
    while (url.len > 0 && url.ptr[url.len - 1] == '/') {
        url.len--;
    }
    access->server = arena_strndup(arena, url.ptr, url.len);
    return access->server != NULL ? 0 : arena_error(arena);
}

/* ---- In a pod ---- */

static int read_own_namespace(const struct discovery_options *world, const char *folder,
    struct arena *arena, struct kubernetes_access *access, struct err *e)
{
    char *text = NULL;
    size_t size = 0;
    const char *path = join(arena, str_of(folder), "/", "namespace");
    int status = path != NULL ? vfs_read_file(world->vfs, path, 4096, &text, &size) : ERR_NOMEM;
    if (status != 0) {
        return err_set(e, status, -1, "%s/namespace cannot be read: %s", folder, err_text(status));
    }
    struct str name = str_trim(str_make(text, size));
    access->own_namespace = arena_strndup(arena, name.ptr, name.len);
    mem_free(text);
    return access->own_namespace != NULL && name.len > 0
               ? 0
               : err_set(e, ERR_INVALID, -1, "%s/namespace names no namespace", folder);
}

static int open_in_cluster(const struct discovery_options *world, bool own_namespace,
    struct arena *arena, struct kubernetes_access *access, struct err *e)
{
    const char *(*environment)(const char *) =
        world->environment != NULL ? world->environment : from_environment;
    const char *host = environment("KUBERNETES_SERVICE_HOST");
    const char *port = environment("KUBERNETES_SERVICE_PORT");
    const char *folder =
        world->service_account != NULL ? world->service_account : KUBERNETES_SERVICE_ACCOUNT;
    if (host == NULL || host[0] == '\0' || port == NULL || port[0] == '\0') {
        return err_set(e, ERR_NOT_FOUND, -1,
            "this is no pod of a cluster (KUBERNETES_SERVICE_HOST and KUBERNETES_SERVICE_PORT are "
            "not set); give api_server or kubeconfig_file");
    }
    struct strbuf url = STRBUF_INIT;
    bool is_ipv6 = strchr(host, ':') != NULL;
    strbuf_addf(&url, "https://%s%s%s:%s", is_ipv6 ? "[" : "", host, is_ipv6 ? "]" : "", port);
    int status = strbuf_error(&url);
    status = status == 0 ? set_server(arena, strbuf_str(&url), access) : status;
    strbuf_release(&url);
    access->profile.authorization.type = "Bearer";
    access->profile.authorization.credentials_file = join(arena, str_of(folder), "/", "token");
    access->profile.tls.ca_file = join(arena, str_of(folder), "/", "ca.crt");
    if (status != 0 || access->profile.authorization.credentials_file == NULL ||
        access->profile.tls.ca_file == NULL) {
        return err_set(e, ERR_NOMEM, -1, "out of memory");
    }
    return own_namespace ? read_own_namespace(world, folder, arena, access, e) : 0;
}

/* ---- kubeconfig ---- */

struct reading {
    const char *path;
    struct arena *arena;
    struct kubernetes_access *access;
    struct err *e;
};

static struct str text_at(const struct yaml_node *mapping, const char *key)
{
    const struct yaml_node *node = mapping != NULL ? yaml_get(mapping, key) : NULL;
    return node != NULL && node->kind == YAML_SCALAR && !yaml_is_null(node) ? node->text : STR("");
}

static const struct yaml_node *mapping_at(const struct yaml_node *mapping, const char *key)
{
    const struct yaml_node *node = mapping != NULL ? yaml_get(mapping, key) : NULL;
    return node != NULL && node->kind == YAML_MAPPING ? node : NULL;
}

/* The `inside` of the item of `list` with this name. */
static const struct yaml_node *named(
    const struct yaml_node *root, const char *list, struct str name, const char *inside)
{
    const struct yaml_node *items = root != NULL ? yaml_get(root, list) : NULL;
    for (size_t i = 0; items != NULL && items->kind == YAML_SEQUENCE && i < items->count; i++) {
        const struct yaml_node *item = items->entries[i].value;
        if (item->kind == YAML_MAPPING && str_eq(text_at(item, "name"), name)) {
            return mapping_at(item, inside);
        }
    }
    return NULL;
}

/* A path as it stands in the file. */
static int set_path(struct reading *r, struct str path, const char **path_out)
{
    const char *slash = strrchr(r->path, '/');
    struct str folder = slash != NULL ? str_make(r->path, (size_t)(slash - r->path) + 1) : STR("");
    if (path.len == 0) {
        return 0;
    }
    *path_out = path.ptr[0] == '/' ? path.ptr : join(r->arena, folder, "", path.ptr);
    return *path_out != NULL ? 0 : ERR_NOMEM;
}

/* A file in memory with these bytes; its path. */
static int put_in_memory(struct reading *r, struct str bytes, const char **path_out)
{
    struct strbuf path = STRBUF_INIT;
    struct kubernetes_access *a = r->access;
    int fd = memfd_create("kubeconfig", MFD_CLOEXEC);
    if (fd < 0) {
        return ERR_IO;
    }
    a->memory_files[a->memory_file_count++] = fd;
    for (size_t at = 0; at < bytes.len;) {
        ssize_t written = write(fd, bytes.ptr + at, bytes.len - at);
        if (written <= 0) {
            return ERR_IO;
        }
        at += (size_t)written;
    }
    strbuf_addf(&path, "/proc/self/fd/%d", fd);
    *path_out = strbuf_error(&path) == 0 ? arena_strndup(r->arena, path.data, path.size) : NULL;
    strbuf_release(&path);
    return *path_out != NULL ? 0 : ERR_NOMEM;
}

/* A file by its path, or, if there is any, by what would be in it. */
static int set_file(struct reading *r, const struct yaml_node *mapping, const char *key,
    const char *data_key, const char **path_out)
{
    struct str data = text_at(mapping, data_key);
    int status = 0;
    if (data.len > 0) {
        struct strbuf bytes;
        strbuf_init(&bytes, KUBECONFIG_BYTES_MAX);
        status = strbuf_add_unbase64(&bytes, data);
        status = status == 0 ? put_in_memory(r, strbuf_str(&bytes), path_out) : status;
        strbuf_release(&bytes);
    } else {
        status = set_path(r, text_at(mapping, key), path_out);
    }
    return status == 0 ? 0
                       : err_set(r->e, status, -1, "%s: %s: %s", r->path,
                             data.len > 0 ? data_key : key, err_text(status));
}

static int read_cluster(struct reading *r, const struct yaml_node *cluster)
{
    struct http_tls *tls = &r->access->profile.tls;
    struct str server = text_at(cluster, "server");
    if (!str_starts_with(server, STR("http://")) && !str_starts_with(server, STR("https://"))) {
        return err_set(r->e, ERR_INVALID, -1,
            "%s: the current context's cluster has no server; accepted: http://HOST:PORT or "
            "https://HOST:PORT",
            r->path);
    }
    int status = set_server(r->arena, server, r->access);
    if (status != 0) {
        return err_set(r->e, status, -1, "out of memory");
    }
    tls->insecure_skip_verify = str_eq_c(text_at(cluster, "insecure-skip-tls-verify"), "true");
    tls->server_name = text_at(cluster, "tls-server-name").ptr;
    r->access->profile.proxy_url = text_at(cluster, "proxy-url").ptr;
    return set_file(
        r, cluster, "certificate-authority", "certificate-authority-data", &tls->ca_file);
}

static int read_user(struct reading *r, const struct yaml_node *user)
{
    struct http_profile *p = &r->access->profile;
    if (mapping_at(user, "exec") != NULL || mapping_at(user, "auth-provider") != NULL) {
        return err_set(r->e, ERR_UNSUPPORTED, -1,
            "%s: the current context's user takes its credentials from a plug-in; accepted: token, "
            "tokenFile, client-certificate with client-key, username with password",
            r->path);
    }
    struct str token = text_at(user, "token"), name = text_at(user, "username");
    int status = set_path(r, text_at(user, "tokenFile"), &p->authorization.credentials_file);
    if (status != 0) {
        return err_set(r->e, status, -1, "out of memory");
    }
    if (p->authorization.credentials_file == NULL && token.len > 0) {
        p->authorization.credentials = token.ptr;
    }
    if (p->authorization.credentials != NULL || p->authorization.credentials_file != NULL) {
        p->authorization.type = "Bearer";
    } else if (name.len > 0) {
        p->basic_auth.username = name.ptr;
        p->basic_auth.password = text_at(user, "password").ptr;
    }
    status = set_file(r, user, "client-certificate", "client-certificate-data", &p->tls.cert_file);
    return status == 0 ? set_file(r, user, "client-key", "client-key-data", &p->tls.key_file)
                       : status;
}

static int open_kubeconfig(const struct discovery_options *world, const char *path,
    struct arena *arena, struct kubernetes_access *access, struct err *e)
{
    struct reading r = {path, arena, access, e};
    char *text = NULL;
    size_t size = 0;
    struct yaml_node *root = NULL;
    int status = vfs_read_file(world->vfs, path, KUBECONFIG_BYTES_MAX, &text, &size);
    if (status != 0) {
        return err_set(e, status, -1, "%s: cannot be read: %s", path, err_text(status));
    }
    status = yaml_parse(arena, path, str_make(text, size), &root, e);
    mem_free(text);
    if (status != 0) {
        return status;
    }
    root = root != NULL && root->kind == YAML_MAPPING ? root : NULL;
    struct str name = text_at(root, "current-context");
    const struct yaml_node *context = named(root, "contexts", name, "context");
    const struct yaml_node *cluster =
        context != NULL ? named(root, "clusters", text_at(context, "cluster"), "cluster") : NULL;
    if (cluster == NULL) {
        return err_set(e, ERR_INVALID, -1, "%s: no cluster for the current context \"%.*s\"", path,
            STR_ARG(name));
    }
    status = read_cluster(&r, cluster);
    const struct yaml_node *user = named(root, "users", text_at(context, "user"), "user");
    return status == 0 && user != NULL ? read_user(&r, user) : status;
}

int kubernetes_access_open(const struct discovery_options *world,
    const struct kubernetes_discovery_config *config, struct arena *arena,
    struct kubernetes_access *access_out, struct err *e)
{
    struct kubernetes_access access = {.own_namespace = "", .profile.follow_redirects = true};
    int status;
    if (config->kubeconfig_file[0] != '\0') {
        status = open_kubeconfig(world, config->kubeconfig_file, arena, &access, e);
    } else if (config->api_server[0] != '\0') {
        access.profile = config->profile;
        status = set_server(arena, str_of(config->api_server), &access);
        if (status != 0) {
            (void)err_set(e, status, -1, "out of memory"); /* gives back its code */
        }
    } else {
        status = open_in_cluster(world, config->namespaces.own, arena, &access, e);
    }
    if (status != 0) {
        kubernetes_access_close(&access);
        return status;
    }
    *access_out = access;
    return 0;
}

void kubernetes_access_close(struct kubernetes_access *access)
{
    while (access->memory_file_count > 0) {
        close(access->memory_files[--access->memory_file_count]);
    }
}
