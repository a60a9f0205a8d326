/* kubernetes_sd_configs: the settings, and the rules that span several of them. */
#include <string.h>

#include "base/str.h"
#include "discovery/kubernetes_config.h"

static const struct config_field selector_fields[] = {
    {.key = "role",
        .kind = CONFIG_STRING,
        .offset = offsetof(struct kubernetes_selector, role),
        .required = true,
        .help = "Which objects: those of the role, or others that it looks at"},
    {.key = "label",
        .kind = CONFIG_STRING,
        .offset = offsetof(struct kubernetes_selector, label),
        .default_text = "",
        .help = "By their labels, e.g. app=web,tier!=test"},
    {.key = "field",
        .kind = CONFIG_STRING,
        .offset = offsetof(struct kubernetes_selector, field),
        .default_text = "",
        .help = "By their fields, e.g. spec.nodeName=this-node"},
    {.key = NULL},
};

static const struct config_field namespaces_fields[] = {
    {.key = "own_namespace",
        .kind = CONFIG_BOOL,
        .offset = offsetof(struct kubernetes_namespaces, own),
        .default_text = "false",
        .help = "The namespace the agent's own pod is in"},
    {.key = "names",
        .kind = CONFIG_STRING_LIST,
        .offset = offsetof(struct kubernetes_namespaces, names),
        .help = "These namespaces"},
    {.key = NULL},
};

static const struct config_field attach_fields[] = {
    {.key = "node",
        .kind = CONFIG_BOOL,
        .offset = offsetof(struct kubernetes_attach, node),
        .default_text = "false",
        .help = "Labels and annotations of the node (roles pod, endpoints, endpointslice)"},
    {.key = "namespace",
        .kind = CONFIG_BOOL,
        .offset = offsetof(struct kubernetes_attach, namespace),
        .default_text = "false",
        .help = "Labels and annotations of the namespace (every role but node)"},
    {.key = "deployment",
        .kind = CONFIG_BOOL,
        .offset = offsetof(struct kubernetes_attach, deployment),
        .default_text = "false",
        .help = "Name of the deployment of a pod"},
    {.key = "job",
        .kind = CONFIG_BOOL,
        .offset = offsetof(struct kubernetes_attach, job),
        .default_text = "false",
        .help = "Name of the job of a pod"},
    {.key = "cronjob",
        .kind = CONFIG_BOOL,
        .offset = offsetof(struct kubernetes_attach, cronjob),
        .default_text = "false",
        .help = "Name of the cron job of a pod"},
    {.key = NULL},
};

const struct config_field kubernetes_discovery_fields[] = {
    {.key = "role",
        .kind = CONFIG_STRING,
        .offset = offsetof(struct kubernetes_discovery_config, role),
        .required = true,
        .help = "pod, endpoints, endpointslice, service, node or ingress"},
    {.key = "api_server",
        .kind = CONFIG_STRING,
        .offset = offsetof(struct kubernetes_discovery_config, api_server),
        .default_text = "",
        .help = "Address of the API server; empty: that of the cluster the agent runs in, with the "
                "service account of its pod"},
    {.key = "kubeconfig_file",
        .kind = CONFIG_STRING,
        .offset = offsetof(struct kubernetes_discovery_config, kubeconfig_file),
        .default_text = "",
        .help = "Where to find address and credentials instead: the file's current context"},
    {.key = "namespaces",
        .kind = CONFIG_OBJECT,
        .offset = offsetof(struct kubernetes_discovery_config, namespaces),
        .fields = namespaces_fields,
        .help = "Which namespaces; all when none is named"},
    {.key = "selectors",
        .kind = CONFIG_LIST,
        .offset = offsetof(struct kubernetes_discovery_config, selectors),
        .fields = selector_fields,
        .item_size = sizeof(struct kubernetes_selector),
        .help = "Which objects the API server is asked for"},
    {.key = "attach_metadata",
        .kind = CONFIG_OBJECT,
        .offset = offsetof(struct kubernetes_discovery_config, attach),
        .fields = attach_fields,
        .help = "What more is looked up for a target"},
    HTTP_PROFILE_FIELDS(struct kubernetes_discovery_config),
    {.key = NULL},
};

static const struct {
    const char *name;
    enum kubernetes_role role;
    const char *selectors; /* the roles it takes selectors for */
} roles[] = {
    {"pod", KUBERNETES_POD, "pod, node"},
    {"endpoints", KUBERNETES_ENDPOINTS, "pod, service, endpoints"},
    {"endpointslice", KUBERNETES_ENDPOINTSLICE, "pod, service, endpointslice"},
    {"service", KUBERNETES_SERVICE, "service"},
    {"node", KUBERNETES_NODE, "node"},
    {"ingress", KUBERNETES_INGRESS, "ingress"},
};
enum { ROLE_COUNT = sizeof(roles) / sizeof(roles[0]) };

/* Its row, or ROLE_COUNT. */
static size_t find_role(const char *name)
{
    size_t i = 0;
    while (i < ROLE_COUNT && strcmp(roles[i].name, name) != 0) {
        i++;
    }
    return i;
}

enum kubernetes_role kubernetes_config_role(const struct kubernetes_discovery_config *c)
{
    return roles[find_role(c->role)].role; /* checked when it was read */
}

/* Whether a word stands in a list of words with commas. */
static bool has_word(const char *list, const char *word)
{
    struct str rest = str_of(list);
    while (rest.len > 0) {
        if (str_eq_c(str_trim(str_split(&rest, ',')), word)) {
            return true;
        }
    }
    return false;
}

static int check_selectors(const struct kubernetes_discovery_config *c, struct err *e)
{
    const struct kubernetes_selector *s = c->selectors.items;
    const char *accepted = roles[find_role(c->role)].selectors;
    for (size_t i = 0; i < c->selectors.count; i++) {
        if (!has_word(accepted, s[i].role)) {
            return err_set(e, ERR_INVALID, -1,
                "selectors: role \"%s\"; role %s accepts selectors for %s", s[i].role, c->role,
                accepted);
        }
        for (size_t k = 0; k < i; k++) {
            if (strcmp(s[k].role, s[i].role) == 0) {
                return err_set(e, ERR_INVALID, -1, "selectors: role \"%s\" comes twice", s[i].role);
            }
        }
    }
    return 0;
}

/* Where the API server is, and by whose word: one way of three. */
static int check_access(const struct kubernetes_discovery_config *c, struct err *e)
{
    struct str url = str_of(c->api_server);
    bool has_file = c->kubeconfig_file[0] != '\0';
    const char *what = NULL;
    if (url.len > 0 && !str_starts_with(url, STR("http://")) &&
        !str_starts_with(url, STR("https://"))) {
        return err_set(e, ERR_INVALID, -1,
            "api_server \"%s\"; accepted: http://HOST:PORT or https://HOST:PORT", c->api_server);
    }
    if (url.len > 0 && has_file) {
        what = "api_server and kubeconfig_file exclude each other";
    } else if (url.len == 0 && !http_profile_is_plain(&c->profile)) {
        what = has_file ? "kubeconfig_file brings its own credentials: give no others beside it"
                        : "credentials, certificates and proxies need an api_server beside them";
    } else if ((url.len > 0 || has_file) && c->namespaces.own) {
        what = "own_namespace is that of the agent's own pod: it goes with neither api_server nor "
               "kubeconfig_file";
    }
    return what != NULL ? err_set(e, ERR_INVALID, -1, "%s", what)
                        : http_profile_check(&c->profile, e);
}

int kubernetes_config_check(const void *config, struct err *e)
{
    const struct kubernetes_discovery_config *c = config;
    if (find_role(c->role) == ROLE_COUNT) {
        return err_set(e, ERR_INVALID, -1,
            "role \"%s\"; accepted: pod, endpoints, endpointslice, service, node, ingress",
            c->role);
    }
    if (c->namespaces.names.count > KUBERNETES_NAMESPACES_MAX) {
        return err_set(e, ERR_LIMIT, -1, "%zu namespaces; at most %d", c->namespaces.names.count,
            KUBERNETES_NAMESPACES_MAX);
    }
    int status = check_access(c, e);
    return status == 0 ? check_selectors(c, e) : status;
}
