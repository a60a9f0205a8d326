/* What the agent says of itself over HTTP: its metrics, its targets, its health. */
#include <stdio.h>
#include <string.h>

#include "agent_private.h"
#include "base/json.h"
#include "base/log.h"
#include "base/rfc3339.h"
#include "model/duration.h"

#define TEXT_FORMAT "text/plain; version=0.0.4; charset=utf-8"
#define EXPOSITION_BYTES_MAX ((size_t)64 << 20)

/* ---- Routes ---- */

static void get_metrics(struct http_exchange *x, void *context)
{
    struct strbuf out;
    strbuf_init(&out, EXPOSITION_BYTES_MAX);
    agent_expose_host(context, &out);
    agent_expose_self(context, &out);
    http_exchange_reply(x, 200, TEXT_FORMAT, &out);
    strbuf_release(&out);
}

static void get_healthy(struct http_exchange *x, void *context)
{
    http_exchange_reply_text(x, 200, "Sonde agent is healthy.\n");
}

static void get_ready(struct http_exchange *x, void *context)
{
    http_exchange_reply_text(x, 200, "Sonde agent is ready.\n");
}

static void post_reload(struct http_exchange *x, void *context)
{
    struct err e = ERR_INIT;
    if (agent_reload(context, &e) == 0) {
        http_exchange_reply_text(x, 200, "");
    } else {
        struct strbuf out = STRBUF_INIT;
        strbuf_addf(&out, "failed to reload config: %s\n", e.message);
        http_exchange_reply(x, 500, "text/plain; charset=utf-8", &out);
        strbuf_release(&out);
    }
}

static void write_labels(struct json_writer *w, const struct labels *labels)
{
    json_begin_object(w);
    for (size_t i = 0; i < labels_count(labels); i++) {
        struct label pair = labels_at(labels, i);
        json_key_str(w, pair.name);
        json_string(w, pair.value);
    }
    json_end(w);
}

static void write_duration(struct json_writer *w, int64_t milliseconds)
{
    struct strbuf text = STRBUF_INIT;
    duration_write(milliseconds, &text);
    json_string(w, strbuf_str(&text));
    strbuf_release(&text);
}

static void write_target(
    struct json_writer *w, const struct target_options *o, const struct target_status *s)
{
    static const char *const healths[] = {"unknown", "up", "down"};
    json_begin_object(w);
    json_key(w, "discoveredLabels");
    write_labels(w, o->discovered != NULL ? o->discovered : o->labels);
    json_key(w, "labels");
    write_labels(w, o->labels);
    json_key(w, "scrapePool");
    json_string(w, labels_get(o->labels, STR("job")));
    json_key(w, "scrapeUrl");
    json_cstring(w, o->url != NULL ? o->url : "");
    json_key(w, "globalUrl");
    json_cstring(w, o->url != NULL ? o->url : "");
    json_key(w, "lastError");
    json_cstring(w, s->error);
    json_key(w, "lastScrape");
    rfc3339_json(w, s->last_scrape_ms);
    json_key(w, "lastScrapeDuration");
    json_double(w, s->last_duration_s);
    json_key(w, "health");
    json_cstring(w, healths[s->health]);
    json_key(w, "scrapeInterval");
    write_duration(w, o->interval_ms);
    json_key(w, "scrapeTimeout");
    write_duration(w, o->timeout_ms);
    json_key(w, "refusedSamples"); /* ours: of new series, while memory was full */
    json_integer(w, (int64_t)s->refused_samples);
    json_end(w);
}

/* What relabel_configs dropped, as far as it is remembered. */
static void write_dropped(struct json_writer *w, const struct agent_targets *targets)
{
    json_begin_array(w);
    for (size_t i = 0; i < targets->dropped_count && i < AGENT_DROPPED_MAX; i++) {
        json_begin_object(w);
        json_key(w, "discoveredLabels");
        write_labels(w, targets->dropped[i]);
        json_key(w, "scrapePool");
        json_string(w, labels_get(targets->dropped[i], STR("job")));
        json_end(w);
    }
    json_end(w);
}

static void get_targets(struct http_exchange *x, void *context)
{
    struct agent *a = context;
    struct strbuf out;
    struct json_writer w;
    strbuf_init(&out, EXPOSITION_BYTES_MAX);
    json_init(&w, &out);
    json_begin_object(&w);
    json_key(&w, "status");
    json_cstring(&w, "success");
    json_key(&w, "data");
    json_begin_object(&w);
    json_key(&w, "activeTargets");
    json_begin_array(&w);
    for (size_t i = 0; i < scraper_count(a->scraper); i++) {
        struct target_status status;
        const struct target_options *options = scraper_target(a->scraper, i, &status);
        write_target(&w, options, &status);
    }
    json_end(&w);
    json_key(&w, "droppedTargets");
    write_dropped(&w, &a->targets);
    json_end(&w);
    json_end(&w);
    http_exchange_reply(x, 200, "application/json", &out);
    strbuf_release(&out);
}

void agent_web_config_changed(void *context, const char *path, const struct err *e)
{
    (void)context;
    if (e == NULL) {
        LOG_INFO("agent: web configuration has changed", LOG_S("file", path));
    } else {
        LOG_ERROR("agent: web configuration refused, the old one stays", LOG_S("file", path),
            LOG_S("error", e->message));
    }
}

/* ---- A page for people ---- */

static void add_text(struct strbuf *out, struct str text)
{
    for (size_t i = 0; i < text.len; i++) {
        switch (text.ptr[i]) {
        case '<':
            strbuf_add_c(out, "&lt;");
            break;
        case '&':
            strbuf_add_c(out, "&amp;");
            break;
        case '"':
            strbuf_add_c(out, "&quot;");
            break;
        default:
            strbuf_add_char(out, text.ptr[i]);
        }
    }
}

static void add_row(
    struct strbuf *out, const struct target_options *o, const struct target_status *s, int64_t now)
{
    static const char *const healths[] = {"unknown", "up", "down"};
    struct strbuf labels = STRBUF_INIT;
    labels_write(o->labels, &labels);
    strbuf_addf(out, "<tr class=%s><td>%s<td>", healths[s->health], healths[s->health]);
    add_text(out, o->url != NULL ? str_of(o->url) : STR("this process"));
    strbuf_add_c(out, "<td>");
    add_text(out, strbuf_str(&labels));
    if (s->last_scrape_ms > 0) {
        strbuf_addf(out, "<td>%.1f s ago<td>%.1f ms<td>%llu<td>",
            (double)(now - s->last_scrape_ms) / 1000, s->last_duration_s * 1000,
            (unsigned long long)s->last_samples);
    } else {
        strbuf_add_c(out, "<td>never<td><td><td>");
    }
    add_text(out, str_of(s->error));
    if (s->refused_samples > 0) {
        strbuf_addf(out, "%s%llu samples of new series not taken: memory was full",
            s->error[0] != '\0' ? "; " : "", (unsigned long long)s->refused_samples);
    }
    strbuf_add_char(out, '\n');
    strbuf_release(&labels);
}

static void get_targets_page(struct http_exchange *x, void *context)
{
    struct agent *a = context;
    struct strbuf out;
    strbuf_init(&out, EXPOSITION_BYTES_MAX);
    strbuf_add_c(&out,
        "<!DOCTYPE html><meta charset=utf-8><title>Targets</title><style>"
        "body{font:14px sans-serif;margin:2em}table{border-collapse:collapse}"
        "td,th{text-align:left;padding:.3em .8em;border-bottom:1px solid #ccc}"
        ".down td:first-child{color:#b00}.up td:first-child{color:#070}</style>"
        "<h1>Targets</h1><table><tr><th>Health<th>Address<th>Labels<th>Last scrape<th>Took"
        "<th>Samples<th>Error\n");
    for (size_t i = 0; i < scraper_count(a->scraper); i++) {
        struct target_status status;
        const struct target_options *options = scraper_target(a->scraper, i, &status);
        add_row(&out, options, &status, clock_now_ms(a->clock));
    }
    strbuf_addf(
        &out, "</table><p>%zu more were dropped by relabel_configs.\n", a->targets.dropped_count);
    http_exchange_reply(x, 200, "text/html; charset=utf-8", &out);
    strbuf_release(&out);
}

int agent_http_start(struct agent *a, struct err *e)
{
    const struct http_route routes[AGENT_ROUTE_COUNT] = {
        {"GET", "/metrics", get_metrics, a, HTTP_LANE_QUERY,
            "This host's metrics and the agent's own, in Prometheus' text format"},
        {"GET", "/-/healthy", get_healthy, a, HTTP_LANE_DIRECT, "200 while the agent runs"},
        {"GET", "/-/ready", get_ready, a, HTTP_LANE_DIRECT, "200 while the agent works"},
        {"POST PUT", "/-/reload", post_reload, a, HTTP_LANE_QUERY, "Reads the configuration again"},
        {"GET", "/targets", get_targets_page, a, HTTP_LANE_QUERY,
            "A page of all targets, their health and last error"},
        {"GET", "/api/v1/targets", get_targets, a, HTTP_LANE_QUERY,
            "Targets, their health and last error, as Prometheus gives them"},
    };
    memcpy(a->routes, routes, sizeof(routes)); /* the server borrows them for its life */
    struct http_server_options options = {
        .address = a->options->listen,
        .routes = a->routes,
        .route_count = AGENT_ROUTE_COUNT,
        .loop = a->loop,
        .connections_max = 256,
        .body_max = 1 << 20,
        .web_config_file = a->options->web_config,
        .web_config_changed = agent_web_config_changed,
    };
    return http_server_start(&options, &a->server, e);
}
