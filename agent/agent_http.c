/* What the agent says of itself over HTTP: its metrics, its targets, its health. */
#include <stdio.h>
#include <string.h>

#include "agent_private.h"
#include "base/json.h"
#include "base/metrics.h"
#include "collectors/text_sink.h"
#include "model/duration.h"
#include "wire/exposition.h"

#define TEXT_FORMAT "text/plain; version=0.0.4; charset=utf-8"
#define EXPOSITION_BYTES_MAX ((size_t)64 << 20)

/* ---- Expositions ---- */

void agent_expose_host(void *context, struct strbuf *out)
{
    struct agent *a = context;
    struct text_sink sink;
    text_sink_init(&sink, out);
    collectors_run(a->collectors, &sink.sink);
}

static void put(struct strbuf *out, const char *name, enum metric_type type, const char *help,
    const struct label *labels, size_t count, double value)
{
    if (help != NULL) {
        exposition_write_help(out, str_of(name), str_of(help));
        exposition_write_type(out, str_of(name), type);
    }
    exposition_write_sample(out, str_of(name), labels, count, value, INT64_MIN);
}

static void expose_queue(const struct agent *a, struct strbuf *out)
{
    static const char *const reasons[QUEUE_DROP_COUNT] = {"size", "age", "disk_full", "corrupt"};
    struct shipper_statistics s;
    shipper_statistics(a->shipper, &s);
    put(out, "agent_samples_total", METRIC_TYPE_COUNTER, "Samples taken in", NULL, 0,
        (double)s.added_samples);
    put(out, "agent_queue_bytes", METRIC_TYPE_GAUGE, "Bytes of the queue on disk", NULL, 0,
        (double)s.queue.bytes);
    put(out, "agent_queue_segments", METRIC_TYPE_GAUGE, "Files of the queue", NULL, 0,
        (double)s.queue.segments);
    put(out, "agent_queue_samples", METRIC_TYPE_GAUGE, "Samples waiting in the queue", NULL, 0,
        (double)s.queue.samples);
    double age =
        s.queue.oldest_t == 0 ? 0 : (double)(clock_now_ms(a->clock) - s.queue.oldest_t) / 1000;
    put(out, "agent_queue_oldest_seconds", METRIC_TYPE_GAUGE, "Age of the oldest sample waiting",
        NULL, 0, age);
    put(out, "agent_queue_in_memory", METRIC_TYPE_GAUGE,
        "1 while the queue's disk fails and samples are kept in memory", NULL, 0,
        s.queue.in_memory ? 1 : 0);
    for (int i = 0; i < QUEUE_DROP_COUNT; i++) {
        struct label reason = {STR("reason"), str_of(reasons[i])};
        put(out, "agent_queue_dropped_samples_total", METRIC_TYPE_COUNTER,
            i == 0 ? "Samples dropped before they were sent" : NULL, &reason, 1,
            (double)s.queue.dropped_samples[i]);
    }
    put(out, "agent_queue_corrupt_bytes_total", METRIC_TYPE_COUNTER,
        "Damaged bytes stepped over in the queue", NULL, 0, (double)s.queue.corrupt_bytes);
}

/* One metric over all destinations. */
static void expose_destination(const struct agent *a, struct strbuf *out, const char *name,
    enum metric_type type, const char *help, double (*value)(const struct sender_statistics *s))
{
    for (size_t i = 0; i < shipper_destination_count(a->shipper); i++) {
        struct sender_statistics s;
        shipper_destination_statistics(a->shipper, i, &s);
        struct label destination = {
            STR("destination"), str_of(shipper_destination_name(a->shipper, i))};
        put(out, name, type, i == 0 ? help : NULL, &destination, 1, value(&s));
    }
}

static double sent_samples(const struct sender_statistics *s)
{
    return (double)s->sent_samples;
}

static double sent_bytes(const struct sender_statistics *s)
{
    return (double)s->sent_bytes;
}

static double retries(const struct sender_statistics *s)
{
    return (double)s->retries;
}

static double rejected_samples(const struct sender_statistics *s)
{
    return (double)s->rejected_samples;
}

static double is_failing(const struct sender_statistics *s)
{
    return s->failing ? 1 : 0;
}

static double newest_sent(const struct sender_statistics *s)
{
    return (double)s->newest_sent_t / 1000;
}

static void expose_scraper(const struct agent *a, struct strbuf *out)
{
    uint64_t scrapes = 0, failures = 0, skipped = 0, series = 0;
    for (size_t i = 0; i < scraper_count(a->scraper); i++) {
        struct target_status status;
        (void)scraper_target(a->scraper, i, &status);
        scrapes += status.scrapes;
        failures += status.failures;
        skipped += status.skipped;
        series += status.series;
    }
    put(out, "agent_targets", METRIC_TYPE_GAUGE, "Targets configured", NULL, 0,
        (double)scraper_count(a->scraper));
    put(out, "agent_series", METRIC_TYPE_GAUGE, "Series of all targets", NULL, 0, (double)series);
    put(out, "agent_scrape_total", METRIC_TYPE_COUNTER, "Scrapes ended", NULL, 0, (double)scrapes);
    put(out, "agent_scrape_failed_total", METRIC_TYPE_COUNTER, "Scrapes that failed", NULL, 0,
        (double)failures);
    put(out, "agent_scrapes_skipped_total", METRIC_TYPE_COUNTER,
        "Scrapes left out because the one before had not ended", NULL, 0, (double)skipped);
}

void agent_expose_self(void *context, struct strbuf *out)
{
    struct agent *a = context;
    struct label version = {STR("version"), STR(SONDE_VERSION)};
    metrics_write(out);
    put(out, "agent_build_info", METRIC_TYPE_GAUGE, "1, labelled with the version", &version, 1, 1);
    put(out, "agent_config_last_reload_successful", METRIC_TYPE_GAUGE,
        "1 when the last reload was good", NULL, 0, a->reload_good ? 1 : 0);
    put(out, "agent_config_last_reload_success_timestamp_seconds", METRIC_TYPE_GAUGE,
        "When the configuration in force was read", NULL, 0, (double)a->reload_ms / 1000);
    expose_scraper(a, out);
    expose_queue(a, out);
    expose_destination(a, out, "agent_remote_sent_samples_total", METRIC_TYPE_COUNTER,
        "Samples the destination has taken", sent_samples);
    expose_destination(a, out, "agent_remote_sent_bytes_total", METRIC_TYPE_COUNTER,
        "Bytes of requests the destination has taken", sent_bytes);
    expose_destination(a, out, "agent_remote_retries_total", METRIC_TYPE_COUNTER,
        "Requests that had to be repeated", retries);
    expose_destination(a, out, "agent_remote_rejected_samples_total", METRIC_TYPE_COUNTER,
        "Samples the destination refused for good", rejected_samples);
    expose_destination(a, out, "agent_remote_failing", METRIC_TYPE_GAUGE,
        "1 while the destination takes nothing", is_failing);
    expose_destination(a, out, "agent_remote_highest_sent_timestamp_seconds", METRIC_TYPE_GAUGE,
        "Time of the newest sample delivered", newest_sent);
}

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

/* RFC 3339, as Prometheus gives it. */
static void write_time(struct json_writer *w, int64_t t_ms)
{
    char text[40];
    struct tm parts;
    time_t seconds = (time_t)(t_ms / 1000);
    gmtime_r(&seconds, &parts);
    size_t n = strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S", &parts);
    snprintf(text + n, sizeof(text) - n, ".%03dZ", (int)(t_ms % 1000));
    json_cstring(w, text);
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
    write_time(w, s->last_scrape_ms);
    json_key(w, "lastScrapeDuration");
    json_double(w, s->last_duration_s);
    json_key(w, "health");
    json_cstring(w, healths[s->health]);
    json_key(w, "scrapeInterval");
    write_duration(w, o->interval_ms);
    json_key(w, "scrapeTimeout");
    write_duration(w, o->timeout_ms);
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

int agent_http_start(struct agent *a, struct err *e)
{
    const struct http_route routes[AGENT_ROUTE_COUNT] = {
        {"GET", "/metrics", get_metrics, a, HTTP_LANE_QUERY,
            "This host's metrics and the agent's own, in Prometheus' text format"},
        {"GET", "/-/healthy", get_healthy, a, HTTP_LANE_DIRECT, "200 while the agent runs"},
        {"GET", "/-/ready", get_ready, a, HTTP_LANE_DIRECT, "200 while the agent works"},
        {"POST PUT", "/-/reload", post_reload, a, HTTP_LANE_QUERY, "Reads the configuration again"},
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
    };
    return http_server_start(&options, &a->server, e);
}
