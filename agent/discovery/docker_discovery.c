/* docker_sd_configs: containers, from the Docker Engine API over a unix socket or TCP.
 *
 * Each refresh asks for the containers, then for the networks; only both together are targets.
 */
#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "discovery/discoverer.h"
#include "discovery/docker_targets.h"
#include "discovery/url_text.h"

enum { DAY_MS = 24 * 3600 * 1000, URL_MAX = 8192 };

#define ANSWER_MAX ((size_t)32 << 20)

static const struct config_field filter_fields[] = {
    {.key = "name",
        .kind = CONFIG_STRING,
        .offset = offsetof(struct docker_filter, name),
        .required = true,
        .help = "As the Engine API names it, e.g. status or label"},
    {.key = "values",
        .kind = CONFIG_STRING_LIST,
        .offset = offsetof(struct docker_filter, values),
        .required = true,
        .help = "Any of these is good"},
    {.key = NULL},
};

const struct config_field docker_discovery_fields[] = {
    {.key = "host",
        .kind = CONFIG_STRING,
        .offset = offsetof(struct docker_discovery_config, host),
        .required = true,
        .help = "unix:///PATH, tcp://HOST:PORT, http://HOST:PORT or https://HOST:PORT"},
    {.key = "port",
        .kind = CONFIG_INTEGER,
        .offset = offsetof(struct docker_discovery_config, port),
        .default_text = "80",
        .max = 65535,
        .help = "Port of containers that expose none by TCP"},
    {.key = "host_networking_host",
        .kind = CONFIG_STRING,
        .offset = offsetof(struct docker_discovery_config, host_networking_host),
        .default_text = "localhost",
        .help = "Address of containers in the host's own network"},
    {.key = "match_first_network",
        .kind = CONFIG_BOOL,
        .offset = offsetof(struct docker_discovery_config, match_first_network),
        .default_text = "true",
        .help = "Only the first network of a container, by name"},
    {.key = "filters",
        .kind = CONFIG_LIST,
        .offset = offsetof(struct docker_discovery_config, filters),
        .fields = filter_fields,
        .item_size = sizeof(struct docker_filter),
        .help = "Which containers are asked for"},
    {.key = "refresh_interval",
        .kind = CONFIG_DURATION,
        .offset = offsetof(struct docker_discovery_config, refresh_ms),
        .default_text = "1m",
        .min = 100,
        .max = DAY_MS,
        .help = "How often they are asked for"},
    HTTP_PROFILE_FIELDS(struct docker_discovery_config),
    {.key = NULL},
};

struct state {
    struct http_client_call *call; /* NULL: none under way */
    struct strbuf containers;      /* the first answer, while the second is awaited */
};

static void ask(struct discoverer *d, bool for_networks);

/* ---- Addresses ---- */

static const char *socket_of(const struct docker_discovery_config *c)
{
    static const char prefix[] = "unix://";
    return strncmp(c->host, prefix, sizeof(prefix) - 1) == 0 ? c->host + sizeof(prefix) - 1 : NULL;
}

static int check(const void *config, struct err *e)
{
    const struct docker_discovery_config *c = config;
    const char *socket = socket_of(c), *scheme = strstr(c->host, "://");
    struct str host = str_of(c->host);
    bool tcp = str_starts_with(host, STR("tcp://")) || str_starts_with(host, STR("http://")) ||
               str_starts_with(host, STR("https://"));
    if (socket != NULL ? socket[0] != '/' : !tcp || scheme[3] == '\0') {
        return err_set(e, ERR_INVALID, -1,
            "host \"%s\"; accepted: unix:///PATH, tcp://HOST:PORT, http://… or https://…", c->host);
    }
    return http_profile_check(&c->profile, e);
}

/* {"name":["value",…],…}, as the Engine wants it in a query parameter. */
static void add_filters(struct strbuf *url, const struct config_list *list)
{
    const struct docker_filter *filters = list->items;
    struct strbuf text = STRBUF_INIT;
    struct json_writer w;
    json_init(&w, &text);
    json_begin_object(&w);
    for (size_t i = 0; i < list->count; i++) {
        json_key(&w, filters[i].name);
        json_begin_array(&w);
        for (size_t k = 0; k < filters[i].values.count; k++) {
            json_cstring(&w, filters[i].values.items[k]);
        }
        json_end(&w);
    }
    json_end(&w);
    url_add_parameter(url, STR("filters"), strbuf_str(&text));
    strbuf_release(&text);
}

static void make_url(const struct docker_discovery_config *c, bool for_networks, struct strbuf *url)
{
    size_t length = strlen(c->host);
    length -= length > 0 && c->host[length - 1] == '/';
    if (socket_of(c) != NULL) {
        strbuf_add_c(url, "http://localhost");
    } else if (str_starts_with(str_of(c->host), STR("tcp://"))) {
        strbuf_addf(url, "http://%.*s", (int)length - 6, c->host + 6);
    } else {
        strbuf_add(url, c->host, length);
    }
    strbuf_add_c(url, for_networks ? "/networks" : "/containers/json");
    if (!for_networks && c->filters.count > 0) {
        add_filters(url, &c->filters);
    }
}

/* ---- Asking ---- */

static void end_refresh(struct discoverer *d)
{
    const struct docker_discovery_config *c = d->config;
    struct state *s = d->state;
    strbuf_release(&s->containers);
    discoverer_due_in(d, c->refresh_ms);
}

/* Whether there is an answer to go on with. */
static bool is_good(struct discoverer *d, const struct http_client_response *r)
{
    const struct docker_discovery_config *c = d->config;
    if (r->error != 0) {
        discoverer_failed(d, "%s: %s", c->host, r->error_text);
    } else if (r->status != 200) {
        discoverer_failed(d, "%s: status %u", c->host, r->status);
    }
    return r->error == 0 && r->status == 200;
}

static void on_networks(void *context, const struct http_client_response *r)
{
    struct discoverer *d = context;
    const struct docker_discovery_config *c = d->config;
    struct state *s = d->state;
    struct target_list list = {0};
    struct err why = ERR_INIT;
    s->call = NULL;
    if (r->error == ERR_CANCELED) {
        return;
    }
    if (is_good(d, r)) {
        int status = docker_targets_make(c, strbuf_str(&s->containers), r->body, &list, &why);
        status = status == 0 ? target_groups_put(&d->groups, STR("docker"), &list) : status;
        if (status == 0) {
            discoverer_answered(d);
        } else {
            discoverer_failed(d, "%s: %s", c->host, why.code != 0 ? why.message : err_text(status));
        }
    }
    target_list_release(&list);
    end_refresh(d);
}

static void on_containers(void *context, const struct http_client_response *r)
{
    struct discoverer *d = context;
    struct state *s = d->state;
    s->call = NULL;
    if (r->error == ERR_CANCELED) {
        return;
    }
    if (!is_good(d, r)) {
        end_refresh(d);
        return;
    }
    strbuf_init(&s->containers, ANSWER_MAX);
    strbuf_add_str(&s->containers, r->body);
    ask(d, true);
}

static void ask(struct discoverer *d, bool for_networks)
{
    const struct docker_discovery_config *c = d->config;
    struct state *s = d->state;
    struct strbuf url;
    strbuf_init(&url, URL_MAX);
    make_url(c, for_networks, &url);
    const struct http_client_request request = {
        .method = "GET",
        .url = url.data,
        .unix_socket = socket_of(c),
        .body_max = ANSWER_MAX,
        .timeout_ms = c->refresh_ms,
        .follow_redirects = c->profile.follow_redirects,
        .accept_gzip = true,
        .profile = &c->profile,
    };
    int status = strbuf_error(&url);
    status = status == 0 ? strbuf_error(&s->containers) : status;
    if (status == 0) {
        status = d->world->client->send(
            d->world->client, &request, for_networks ? on_networks : on_containers, d, &s->call);
    }
    strbuf_release(&url);
    if (status != 0) {
        discoverer_failed(d, "%s: %s", c->host, err_text(status));
        end_refresh(d);
        return;
    }
    d->due_ms = DISCOVERER_NEVER;
}

static void step(struct discoverer *d)
{
    ask(d, false);
}

static void stop(struct discoverer *d)
{
    struct state *s = d->state;
    if (s->call != NULL) {
        d->world->client->cancel(d->world->client, s->call);
    }
    strbuf_release(&s->containers);
}

const struct discovery_kind docker_discovery_kind = {
    .name = "docker",
    .offset = offsetof(struct discovery_configs, docker),
    .fields = docker_discovery_fields,
    .config_size = sizeof(struct docker_discovery_config),
    .state_size = sizeof(struct state),
    .check = check,
    .step = step,
    .stop = stop,
};
