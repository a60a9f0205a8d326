/* consul_sd_configs: the settings, and the rules that span several of them. */
#include <string.h>

#include "discovery/consul_query.h"

enum { DAY_MS = 24 * 3600 * 1000 };

#define TEXT_ROW(name, preset, is_secret, text)                                                    \
    {                                                                                              \
        .key = #name, .kind = CONFIG_STRING,                                                       \
        .offset = offsetof(struct consul_discovery_config, name), .default_text = (preset),        \
        .secret = (is_secret), .help = (text)                                                      \
    }

const struct config_field consul_discovery_fields[] = {
    TEXT_ROW(server, "localhost:8500", false, "HOST:PORT of an agent or server"),
    TEXT_ROW(scheme, "http", false, "http or https"),
    TEXT_ROW(path_prefix, "", false, "Path before /v1, for an API behind a proxy"),
    TEXT_ROW(token, "", true, "Token of its access control, as X-Consul-Token"),
    TEXT_ROW(username, "", false, "Short for basic_auth.username"),
    TEXT_ROW(password, "", true, "Short for basic_auth.password"),
    TEXT_ROW(datacenter, "", false, "Which datacenter; that of the agent asked when empty"),
    TEXT_ROW(namespace, "", false, "Which namespace, of Consul Enterprise"),
    TEXT_ROW(partition, "", false, "Which admin partition, of Consul Enterprise"),
    TEXT_ROW(
        tag_separator, ",", false, "What stands around and between tags in __meta_consul_tags"),
    {.key = "services",
        .kind = CONFIG_STRING_LIST,
        .offset = offsetof(struct consul_discovery_config, services),
        .help = "Which services; all when none is named"},
    {.key = "tags",
        .kind = CONFIG_STRING_LIST,
        .offset = offsetof(struct consul_discovery_config, tags),
        .help = "Only what has all of these"},
    {.key = "node_meta",
        .kind = CONFIG_STRING_MAP,
        .offset = offsetof(struct consul_discovery_config, node_meta),
        .help = "Only what is on nodes with this metadata"},
    TEXT_ROW(filter, "", false, "Expression over the catalog of services"),
    TEXT_ROW(health_filter, "", false, "Expression over the instances of each service"),
    {.key = "allow_stale",
        .kind = CONFIG_BOOL,
        .offset = offsetof(struct consul_discovery_config, allow_stale),
        .default_text = "true",
        .help = "Any server may answer, not its leader alone"},
    {.key = "refresh_interval",
        .kind = CONFIG_DURATION,
        .offset = offsetof(struct consul_discovery_config, refresh_ms),
        .default_text = "30s",
        .min = 100,
        .max = DAY_MS,
        .help = "Shortest time between two answers to the same question"},
    HTTP_PROFILE_FIELDS(struct consul_discovery_config),
    {.key = NULL},
};

static bool is_set(const char *text)
{
    return text != NULL && text[0] != '\0';
}

int consul_config_check(const void *config, struct err *e)
{
    const struct consul_discovery_config *c = config;
    const struct http_profile *p = &c->profile;
    const char *what = NULL;
    if (!is_set(c->server) || strchr(c->server, '/') != NULL) {
        return err_set(e, ERR_INVALID, -1,
            "server \"%s\"; accepted: HOST:PORT (scheme and path_prefix are settings of their own)",
            c->server);
    }
    if (strcmp(c->scheme, "http") != 0 && strcmp(c->scheme, "https") != 0) {
        return err_set(e, ERR_INVALID, -1, "scheme \"%s\"; accepted: http, https", c->scheme);
    }
    if (is_set(c->path_prefix) && c->path_prefix[0] != '/') {
        return err_set(e, ERR_INVALID, -1, "path_prefix \"%s\" must begin with /", c->path_prefix);
    }
    if ((is_set(c->username) || is_set(c->password)) &&
        (is_set(p->basic_auth.username) || is_set(p->basic_auth.username_file))) {
        what = "username and password exclude basic_auth";
    } else if (is_set(c->token) &&
               (is_set(p->authorization.credentials) || is_set(p->authorization.credentials_file) ||
                   is_set(p->bearer_token) || is_set(p->bearer_token_file) ||
                   is_set(p->oauth2.client_id))) {
        what = "token excludes authorization and oauth2";
    }
    return what != NULL ? err_set(e, ERR_INVALID, -1, "%s", what) : http_profile_check(p, e);
}
