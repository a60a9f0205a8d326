/* Blocking queries: URL, index, pauses. */
#include "discovery/consul_query.h"

#include <stdarg.h>
#include <stdio.h>

#include "discovery/url_text.h"

enum {
    WAIT_MS = 120 * 1000,
    /* Consul adds up to a sixteenth of the time to wait. */
    TIMEOUT_MS = WAIT_MS + WAIT_MS / 16 + 15 * 1000,
    RETRY_MS = 15 * 1000,
    REASON_MAX = 200,
};

static const size_t url_max = (size_t)64 << 10;

static int64_t now_ms(const struct consul_query *q)
{
    return clock_monotonic_ms(q->world->clock);
}

void consul_add_server(const struct consul_discovery_config *c, struct strbuf *url)
{
    strbuf_addf(url, "%s://%s%s", c->scheme, c->server, c->path_prefix);
}

static void add_if_set(struct strbuf *url, const char *name, const char *value)
{
    if (value[0] != '\0') {
        url_add_parameter(url, str_of(name), str_of(value));
    }
}

static void make_url(const struct consul_query *q, bool may_wait, struct strbuf *url)
{
    const struct consul_discovery_config *c = q->config;
    consul_add_server(c, url);
    strbuf_add_c(url, q->path);
    add_if_set(url, "dc", c->datacenter);
    add_if_set(url, "ns", c->namespace);
    add_if_set(url, "partition", c->partition);
    add_if_set(url, "filter", q->of_catalog ? c->filter : c->health_filter);
    for (size_t i = 0; !q->of_catalog && i < c->tags.count; i++) {
        url_add_parameter(url, STR("tag"), str_of(c->tags.items[i]));
    }
    for (size_t i = 0; i < c->node_meta.count; i++) {
        struct strbuf pair = STRBUF_INIT;
        strbuf_addf(&pair, "%s:%s", c->node_meta.items[i].key, c->node_meta.items[i].value);
        url_add_parameter(url, STR("node-meta"), strbuf_str(&pair));
        strbuf_release(&pair);
    }
    if (c->allow_stale) {
        url_add_parameter(url, STR("stale"), STR(""));
    }
    if (may_wait && q->index > 0) {
        strbuf_addf(url, "%cindex=%llu&wait=%dms",
            url->size > 0 && memchr(url->data, '?', url->size) != NULL ? '&' : '?',
            (unsigned long long)q->index, WAIT_MS);
    }
}

/* ---- Answers ---- */

static int on_value(void *context, struct str key, struct str value)
{
    struct consul_query *q = context;
    return q->listener->on_part(q->listener->context, q, key, value);
}

static int on_body(void *context, struct str piece)
{
    struct consul_query *q = context;
    return json_cutter_feed(&q->cutter, piece);
}

static void failed(struct consul_query *q, int64_t at_least_ms, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static void failed(struct consul_query *q, int64_t at_least_ms, const char *format, ...)
{
    struct err why = ERR_INIT;
    va_list arguments;
    va_start(arguments, format);
    err_vset(&why, ERR_IO, -1, format, arguments);
    va_end(arguments);
    snprintf(q->error, sizeof(q->error), "%s", why.message);
    q->failing = true;
    q->index = 0; /* what has changed since is asked for without waiting */
    q->due_ms = now_ms(q) + (at_least_ms > RETRY_MS ? at_least_ms : RETRY_MS);
}

/* Whether the answer is new; keeps its index. */
static bool take_index(struct consul_query *q, struct str text)
{
    uint64_t index = 0, before = q->index;
    if (str_to_u64(text, &index) != 0 || index == 0) {
        index = 1;
    }
    q->index = index >= before ? index : 0;
    return index != before;
}

static void on_done(void *context, const struct http_client_response *r)
{
    struct consul_query *q = context;
    bool changed = false;
    q->call = NULL;
    if (r->error == ERR_CANCELED) {
        return;
    }
    if (r->error == ERR_INVALID ||
        (r->error == 0 && r->status / 100 == 2 && json_cutter_end(&q->cutter) != 0)) {
        failed(q, 0, "%s: this is no answer of Consul's API, or a part of one", q->path);
    } else if (r->error != 0) {
        failed(q, 0, "%s: %s", q->path, r->error_text);
    } else if (r->status / 100 != 2) {
        struct str reason = str_trim(r->body);
        failed(q, r->retry_after_ms, "%s: status %u%s%.*s", q->path, r->status,
            reason.len > 0 ? ": " : "", (int)(reason.len < REASON_MAX ? reason.len : REASON_MAX),
            reason.ptr);
    } else {
        changed = take_index(q, r->header(r, "X-Consul-Index"));
        q->failing = false;
        q->error[0] = '\0';
        q->due_ms = q->began_ms + q->config->refresh_ms;
    }
    q->listener->on_end(q->listener->context, q, changed);
}

/* ---- Asking ---- */

static void ask(struct consul_query *q, bool may_wait)
{
    const struct json_cutter_options options = {
        .value_max = CONSUL_VALUE_BYTES_MAX, .take = on_value, .context = q};
    const struct http_client_header token = {"X-Consul-Token", q->config->token};
    struct strbuf url;
    if (q->has_cutter) {
        json_cutter_release(&q->cutter);
    }
    json_cutter_init(&q->cutter, &options);
    q->has_cutter = true;
    q->began_ms = now_ms(q);
    strbuf_init(&url, url_max);
    make_url(q, may_wait, &url);
    const struct http_client_request request = {
        .method = "GET",
        .url = url.data,
        .headers = &token,
        .header_count = q->config->token[0] != '\0',
        .timeout_ms = TIMEOUT_MS,
        .on_body = on_body,
        .follow_redirects = q->profile->follow_redirects,
        .accept_gzip = true,
        .profile = q->profile,
    };
    int status = strbuf_error(&url);
    if (status == 0) {
        status = q->world->client->send(q->world->client, &request, on_done, q, &q->call);
    }
    strbuf_release(&url);
    if (status != 0) {
        q->call = NULL;
        failed(q, 0, "%s: %s", q->path, err_text(status));
        q->listener->on_end(q->listener->context, q, false);
    }
}

void consul_query_step(struct consul_query *q, bool may_wait)
{
    if (q->call == NULL && q->due_ms <= now_ms(q)) {
        ask(q, may_wait);
    }
}

void consul_query_stop(struct consul_query *q)
{
    if (q->call != NULL) {
        q->world->client->cancel(q->world->client, q->call);
    }
    if (q->has_cutter) {
        json_cutter_release(&q->cutter);
    }
}
