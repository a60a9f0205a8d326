/* http_sd_configs: target groups from a web server, asked at an interval.
 *
 * The server answers GET with status 200, content type application/json and the whole list; the request
 * tells it in X-Prometheus-Refresh-Interval-Seconds when it will be asked again.
 */
#include <stdio.h>

#include "discovery/discoverer.h"
#include "discovery/group_list.h"
#include "wire/media_type.h"

enum { DAY_MS = 24 * 3600 * 1000 };

const struct config_field http_discovery_fields[] = {
    {.key = "url",
        .kind = CONFIG_STRING,
        .offset = offsetof(struct http_discovery_config, url),
        .required = true,
        .help = "Where the list is, http or https"},
    {.key = "refresh_interval",
        .kind = CONFIG_DURATION,
        .offset = offsetof(struct http_discovery_config, refresh_ms),
        .default_text = "1m",
        .min = 100,
        .max = DAY_MS,
        .help = "How often it is asked for"},
    HTTP_PROFILE_FIELDS(struct http_discovery_config),
    {.key = NULL},
};

struct state {
    struct http_client_call *call; /* NULL: none under way */
};

static int check(const void *config, struct err *e)
{
    const struct http_discovery_config *c = config;
    struct str url = str_of(c->url);
    if (!str_starts_with(url, STR("http://")) && !str_starts_with(url, STR("https://"))) {
        return err_set(e, ERR_INVALID, -1, "url: accepted: http://HOST… or https://HOST…");
    }
    return http_profile_check(&c->profile, e);
}

/* The address as others may see it, in logs and labels: without name and password. */
static struct str shown_url(const struct http_discovery_config *c, struct strbuf *out)
{
    config_add_public_url(str_of(c->url), out);
    return strbuf_error(out) == 0 ? strbuf_str(out) : STR("");
}

static void failed(struct discoverer *d, const char *why)
{
    struct strbuf url = STRBUF_INIT;
    struct str shown = shown_url(d->config, &url);
    discoverer_failed(d, "%.*s: %s", STR_ARG(shown), why);
    strbuf_release(&url);
}

static int take(struct discoverer *d, struct str body, struct err *e)
{
    const struct http_discovery_config *c = d->config;
    struct target_list list = {0};
    struct strbuf url = STRBUF_INIT;
    struct str shown = shown_url(c, &url);
    struct label meta = {STR("__meta_url"), shown};
    int status = group_list_parse_json(body, url.data != NULL ? url.data : "", meta, &list, e);
    status = status == 0 ? target_groups_put(&d->groups, str_of(c->url), &list) : status;
    target_list_release(&list);
    strbuf_release(&url);
    return status;
}

static void on_answer(void *context, const struct http_client_response *r)
{
    struct discoverer *d = context;
    const struct http_discovery_config *c = d->config;
    struct state *s = d->state;
    s->call = NULL;
    if (r->error == ERR_CANCELED) {
        return;
    }
    discoverer_due_in(d, c->refresh_ms);
    if (r->error != 0) {
        failed(d, r->error_text);
        return;
    }
    struct err why = ERR_INIT;
    if (r->status != 200 || !media_type_is(r->content_type, "application/json")) {
        err_set(&why, ERR_INVALID, -1,
            "status %u, content type \"%.*s\"; wanted 200 and application/json", r->status,
            STR_ARG(r->content_type));
        failed(d, why.message);
        return;
    }
    int status = take(d, r->body, &why);
    if (status != 0) {
        failed(d, why.code != 0 ? why.message : err_text(status));
        return;
    }
    discoverer_answered(d);
}

static void step(struct discoverer *d)
{
    const struct http_discovery_config *c = d->config;
    struct state *s = d->state;
    char seconds[32];
    snprintf(seconds, sizeof(seconds), "%g", (double)c->refresh_ms / 1000);
    const struct http_client_header headers[] = {
        {"Accept", "application/json"}, {"X-Prometheus-Refresh-Interval-Seconds", seconds}};
    const struct http_client_request request = {
        .method = "GET",
        .url = c->url,
        .headers = headers,
        .header_count = sizeof(headers) / sizeof(headers[0]),
        .body_max = GROUP_LIST_BYTES_MAX,
        .timeout_ms = c->refresh_ms,
        .follow_redirects = c->profile.follow_redirects,
        .accept_gzip = true,
        .profile = &c->profile,
    };
    int status = d->world->client->send(d->world->client, &request, on_answer, d, &s->call);
    if (status != 0) {
        failed(d, err_text(status));
        discoverer_due_in(d, c->refresh_ms);
        return;
    }
    d->due_ms = DISCOVERER_NEVER;
}

static void stop(struct discoverer *d)
{
    struct state *s = d->state;
    if (s->call != NULL) {
        d->world->client->cancel(d->world->client, s->call);
    }
}

const struct discovery_kind http_discovery_kind = {
    .name = "http",
    .offset = offsetof(struct discovery_configs, http),
    .fields = http_discovery_fields,
    .config_size = sizeof(struct http_discovery_config),
    .state_size = sizeof(struct state),
    .check = check,
    .step = step,
    .stop = stop,
};
