/* Wiring: configuration to targets, samples to the shipper, one step over both. */
#include "agent.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "agent_host.h"
#include "agent_private.h"
#include "agent_targets.h"
#include "base/hash.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/metrics.h"

/* Discovered targets take effect this long after those before, so that a crowd that comes up one by one
 * costs little. */
enum { DISCOVERED_WAIT_MS = 2000, LOOKUPS_WAITING_MAX = 64 };

static void apply_discovered(struct agent *a);

/* ---- Each turn of the loop ---- */

/* How much later than wanted the step comes says how long other work held up the loop. */
static const double lag_bounds[] = {0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 5};
static struct metric loop_lag = {
    .name = "agent_loop_lag_seconds",
    .help = "How late the loop came to what was due",
    .kind = METRIC_HISTOGRAM,
    .scale = 1e-9,
    .bounds = lag_bounds,
    .bound_count = sizeof(lag_bounds) / sizeof(lag_bounds[0]),
};

/* Turns that came for other reasons, before anything was due, say nothing. The loop counts in milliseconds, and may
 * come a part of one early. */
static void note_lag(const struct agent *a)
{
    int64_t late_ns = clock_monotonic_ns(a->clock) - a->due_ns;
    if (a->due_ns != 0 && late_ns > -1000000) {
        metric_observe(&loop_lag, late_ns > 0 ? late_ns : 0);
    }
}

/* Scrapes what is due, then ships; milliseconds until the next of it is due. */
static int64_t step(void *context)
{
    struct agent *a = context;
    note_lag(a);
    memory_watch_step(&a->memory);
    int64_t found = discovery_step(a->discovery);
    apply_discovered(a);
    int64_t scrape = scraper_step(a->scraper);
    int64_t ship = shipper_step(a->shipper);
    int64_t spans = agent_spans_step(&a->spans);
    int64_t wake = scrape < ship ? scrape : ship;
    wake = spans < wake ? spans : wake;
    wake = found < wake ? found : wake;
    int64_t logs = access_logs_step(a->access_logs);
    wake = logs < wake ? logs : wake;
    if (a->aggregator != NULL) {
        int64_t flush = stream_aggregator_step(a->aggregator);
        wake = flush < wake ? flush : wake;
    }
    wake = wake > 0 ? wake : 1;
    a->due_ns = clock_monotonic_ns(a->clock) + wake * 1000000;
    return wake;
}

/* ---- Configuration ---- */

/* One destination as its sender wants it; headers in the arena. */
static int make_destination(
    struct arena *arena, const struct agent_destination *d, struct sender_options *out)
{
    const struct config_map *map = &d->headers;
    struct http_client_header *headers = arena_calloc(arena, map->count, sizeof(*headers));
    if (headers == NULL && map->count > 0) {
        return ERR_NOMEM;
    }
    for (size_t k = 0; k < map->count; k++) {
        headers[k] = (struct http_client_header){map->items[k].key, map->items[k].value};
    }
    *out = (struct sender_options){
        .name = d->name,
        .url = d->url,
        .headers = headers,
        .header_count = map->count,
        .profile = &d->profile,
        .protocol = d->protocol,
        .request =
            {
                .relabel = d->relabel,
                .no_exemplars = d->protocol != SHIP_OTLP && !d->send_exemplars,
                .no_histograms = d->protocol != SHIP_OTLP && !d->send_native_histograms,
                .no_metadata = d->protocol != SHIP_OTLP && !d->metadata.send,
            },
        .samples_max = (uint32_t)d->queue.samples_max,
        .timeout_ms = d->timeout_ms,
        .backoff_min_ms = d->queue.backoff_min_ms,
        .backoff_max_ms = d->queue.backoff_max_ms,
        .sample_age_max_ms = d->queue.sample_age_max_ms,
        .unauthorized_grace_ms = d->queue.unauthorized_grace_ms,
    };
    return 0;
}

int agent_make_outbox(struct agent *a, const struct agent_config *config, struct arena *arena,
    struct sender_options *destinations, struct outbox_options *outbox_out, struct err *e)
{
    for (size_t i = 0; i < config->destination_count; i++) {
        if (make_destination(arena, &config->destinations[i], &destinations[i]) != 0) {
            return err_set(e, ERR_NOMEM, -1, "out of memory for the destinations");
        }
    }
    *outbox_out = (struct outbox_options){
        .queue =
            {
                .path = a->queue_path,
                .vfs = vfs_posix(),
                .bytes_max = (uint64_t)config->queue.size_max,
                .age_max_ms = config->queue.age_max_ms,
                .free_floor_bytes = (uint64_t)config->queue.free_min,
            },
        .destinations = destinations,
        .destination_count = config->destination_count,
        .client = a->client,
        .clock = a->clock,
        .background = &a->background.interface,
        .seed = hash_seed_random(),
    };
    return 0;
}

struct shipper_options agent_shipper_options(struct agent *a, const struct outbox_options *outbox)
{
    return (struct shipper_options){
        .queue = outbox->queue,
        .destinations = outbox->destinations,
        .destination_count = outbox->destination_count,
        .client = outbox->client,
        .clock = outbox->clock,
        .background = outbox->background,
        .memory = &a->memory,
        .seed = outbox->seed,
    };
}

static int open_shipper(struct agent *a, struct err *e)
{
    struct sender_options destinations[OUTBOX_DESTINATIONS_MAX];
    struct outbox_options outbox;
    snprintf(a->queue_path, sizeof(a->queue_path), "%s/queue", a->options->data_path);
    int status = agent_make_outbox(a, &a->config, &a->arena, destinations, &outbox, e);
    if (status != 0) {
        return status;
    }
    const struct shipper_options options = agent_shipper_options(a, &outbox);
    return shipper_open(&options, &a->shipper, e);
}

int agent_open_aggregator(struct agent *a, const struct agent_config *config,
    struct stream_aggregator **aggregator_out, struct err *e)
{
    const struct config_list *rules = &config->stream_aggr;
    *aggregator_out = NULL;
    return rules->count == 0
               ? 0
               : stream_aggregator_new(rules->items, rules->count, a->clock, &a->aggregated.intake,
                     shipper_intake(a->shipper), aggregator_out, e);
}

/* Where sources hand in their samples: what stands first behind the door. */
static struct intake *door(const struct agent *a)
{
    return a->aggregator != NULL ? stream_aggregator_intake(a->aggregator)
                                 : shipper_intake(a->shipper);
}

void agent_use_aggregator(struct agent *a, struct stream_aggregator *aggregator)
{
    struct stream_statistics before = {0};
    if (a->aggregator != NULL) {
        stream_aggregator_statistics(a->aggregator, &before);
        stream_aggregator_free(a->aggregator);
    }
    a->aggregator = aggregator;
    a->aggregated_before += before.taken_samples;
    struct intake_gate *gates[] = {&a->scraped, &a->span_metrics, &a->logged};
    for (size_t i = 0; i < sizeof(gates) / sizeof(gates[0]); i++) {
        gates[i]->behind = door(a);
    }
    for (size_t i = 0; i < RECEIVE_SOURCE_COUNT; i++) {
        a->received[i].behind = door(a);
    }
}

char *agent_find_instance(const struct agent *a, const struct agent_config *config)
{
    return mem_strdup(config->host.instance[0] != '\0' ? config->host.instance : a->hostname);
}

static int open_spans(struct agent *a, struct err *e)
{
    struct sender_options destinations[OUTBOX_DESTINATIONS_MAX];
    struct outbox_options outbox;
    intake_gate_init(&a->span_metrics, "spans", door(a));
    int status = agent_make_outbox(a, &a->config, &a->arena, destinations, &outbox, e);
    return status != 0 ? status
                       : agent_spans_open(&a->spans, &a->config, &outbox, a->options->data_path,
                             a->instance, &a->span_metrics.intake, e);
}

int agent_open_access_logs(
    struct agent *a, const struct config_list *jobs, struct access_logs **logs_out, struct err *e)
{
    const struct access_logs_options options = {.jobs = jobs,
        .instance = a->instance,
        .bookmarks_path = a->bookmarks_path,
        .vfs = vfs_posix(),
        .clock = a->clock,
        .intake = &a->logged.intake};
    return access_logs_open(&options, logs_out, e);
}

static int open_receivers(struct agent *a, struct err *e)
{
    const struct agent_options *o = a->options;
    struct receive_options options = {
        .http_address = o->otlp_listen != NULL ? o->otlp_listen : AGENT_OTLP_LISTEN,
        .address_is_default = o->otlp_listen == NULL,
        .grpc_address = o->otlp_grpc_listen != NULL ? o->otlp_grpc_listen : AGENT_OTLP_GRPC_LISTEN,
        .grpc_address_is_default = o->otlp_grpc_listen == NULL,
        .web_config = o->web_config,
        .web_config_changed = agent_web_config_changed,
        .config = a->config.receive,
        .memory_max = a->memory.bytes_max,
        .loop = a->loop,
        .clock = a->clock,
        .spans = agent_spans_intake(&a->spans),
    };
    for (size_t i = 0; i < RECEIVE_SOURCE_COUNT; i++) {
        intake_gate_init(&a->received[i], receive_source_name((enum receive_source)i), door(a));
        options.intakes[i] = &a->received[i].intake;
    }
    return receive_open(&options, &a->receive, e);
}

/* process_* are of the host's job too: dashboards made for node_exporter ask for them beside the host's. On the page
 * of /metrics both jobs stand together, and they come once. */
static void expose_host_target(void *context, struct strbuf *out)
{
    agent_expose_host(context, out);
    metrics_write_process(out);
}

/* The targets that the configuration means with what is discovered by now. On an error nothing has
 * changed. */
static int set_targets(struct agent *a, const struct agent_config *config, struct err *e)
{
    struct agent_local local = {expose_host_target, agent_expose_self, a, a->hostname};
    struct agent_targets made;
    struct arena arena;
    arena_init(&arena, 0);
    int status = agent_targets_make(config, &local, a->discovery, &arena, &made, e);
    if (status == 0) {
        status = scraper_set_targets(a->scraper, made.items, made.count, e);
    }
    if (status == 0 && made.duplicate_count > 0 &&
        strcmp(made.duplicate, a->targets.duplicate) != 0) {
        LOG_WARN("agent: targets that are there twice are scraped once",
            LOG_I("count", made.duplicate_count), LOG_S("first", made.duplicate));
    }
    agent_targets_release(status == 0 ? &a->targets : &made);
    arena_release(status == 0 ? &a->targets_arena : &arena);
    if (status == 0) {
        a->targets = made;
        a->targets_arena = arena;
        shipper_set_external(a->shipper, made.external);
    }
    return status;
}

static void apply_discovered(struct agent *a)
{
    int64_t now = clock_monotonic_ms(a->clock);
    if (now < a->discovery_due_ms || !discovery_take_changed(a->discovery)) {
        return;
    }
    struct err why = ERR_INIT;
    char refused[ERR_MESSAGE_MAX];
    memcpy(refused, a->targets.refused, sizeof(refused));
    a->discovery_due_ms = now + DISCOVERED_WAIT_MS;
    if (set_targets(a, &a->config, &why) != 0) {
        LOG_ERROR("agent: discovered targets are not taken", LOG_S("error", why.message));
    } else if (a->targets.refused_count > 0 && strcmp(refused, a->targets.refused) != 0) {
        LOG_WARN("agent: discovered targets are left out", LOG_I("count", a->targets.refused_count),
            LOG_S("first", a->targets.refused));
    }
}

/* Starts what the jobs of a configuration want discovered; what they do not want goes on until it is
 * settled. */
static int prepare_discovery(
    struct agent *a, const struct agent_config *config, struct arena *arena, struct err *e)
{
    const struct agent_scrape *scrapes = config->scrape_configs.items;
    size_t count = config->scrape_configs.count;
    const struct discovery_configs **jobs = arena_calloc(arena, count, sizeof(*jobs));
    if (jobs == NULL && count > 0) {
        return err_set(e, arena_error(arena), -1, "out of memory for the configuration");
    }
    for (size_t i = 0; i < count; i++) {
        jobs[i] = &scrapes[i].discovery;
    }
    return discovery_prepare(a->discovery, jobs, count, e);
}

int agent_apply_scrapes(
    struct agent *a, const struct agent_config *config, struct arena *arena, struct err *e)
{
    int status = prepare_discovery(a, config, arena, e);
    if (status == 0) {
        status = set_targets(a, config, e);
        discovery_settle(a->discovery, status == 0);
    }
    return status;
}

/* ---- Start and stop ---- */

static int start(struct agent *a, struct err *e)
{
    const struct agent_options *o = a->options;
    int status =
        agent_config_load(o->config_path, o->servers, o->server_count, &a->arena, &a->config, e);
    if (status == 0) {
        a->instance = agent_find_instance(a, &a->config);
        status = a->instance != NULL ? 0 : err_set(e, ERR_NOMEM, -1, "out of memory for the agent");
    }
    memory_watch_init(
        &a->memory, vfs_posix(), a->clock, status == 0 ? (uint64_t)a->config.memory_max : 0);
    if (status == 0) {
        struct http_client_options client = {.user_agent = "sonde-agent/" SONDE_VERSION};
        status = http_client_open(a->loop, &client, &a->client);
        if (status != 0) {
            err_set(e, status, -1, "the HTTP client cannot start: %s", err_text(status));
        }
    }
    status = status == 0 ? agent_host_open(&a->config.host, &a->collectors, e) : status;
    if (status == 0) {
        status = agent_background_open(&a->background, a->loop);
        if (status != 0) {
            err_set(e, status, -1, "a thread cannot be made: %s", err_text(status));
        }
    }
    status = status == 0 ? open_shipper(a, e) : status;
    if (status == 0) {
        intake_gate_init(&a->aggregated, "stream_aggr", shipper_intake(a->shipper));
        status = agent_open_aggregator(a, &a->config, &a->aggregator, e);
    }
    if (status == 0) {
        intake_gate_init(&a->scraped, "scrape", door(a));
        status = scraper_new(a->clock, a->client, &a->scraped.intake, &a->scraper);
        if (status != 0) {
            err_set(e, status, -1, "out of memory for the scraper");
        }
    }
    if (status == 0) {
        const struct workpool_options lookups = {
            .name = "agent-dns", .threads = 1, .queue_max = LOOKUPS_WAITING_MAX};
        status = workpool_open(&lookups, &a->lookups);
        if (status != 0) {
            err_set(e, status, -1, "a thread cannot be made: %s", err_text(status));
        }
    }
    if (status == 0) {
        const struct discovery_options options = {.clock = a->clock,
            .client = a->client,
            .vfs = vfs_posix(),
            .pool = a->lookups,
            .loop = a->loop};
        status = discovery_new(&options, &a->discovery);
        if (status != 0) {
            err_set(e, status, -1, "out of memory for discovery");
        }
    }
    status = status == 0 ? agent_apply_scrapes(a, &a->config, &a->arena, e) : status;
    status = status == 0 ? open_spans(a, e) : status;
    if (status == 0) {
        intake_gate_init(&a->logged, "logs", door(a));
        (void)snprintf(a->bookmarks_path, sizeof(a->bookmarks_path), "%s/log-bookmarks",
            a->options->data_path);
        status = agent_open_access_logs(a, &a->config.access_logs, &a->access_logs, e);
    }
    status = status == 0 ? open_receivers(a, e) : status;
    status = status == 0 ? agent_http_start(a, e) : status;
    if (status == 0) {
        status = metrics_register(&loop_lag);
        status = status == 0 ? loop_turn_new(a->loop, step, a, &a->turn) : status;
        if (status != 0) {
            err_set(e, status, -1, "the loop cannot be made use of: %s", err_text(status));
        }
    }
    return status;
}

int agent_start(
    const struct agent_options *options, struct loop *loop, struct agent **agent_out, struct err *e)
{
    struct agent *a = mem_calloc(1, sizeof(*a));
    if (a == NULL) {
        return err_set(e, ERR_NOMEM, -1, "out of memory for the agent");
    }
    a->options = options;
    a->loop = loop;
    a->clock = clock_real();
    a->reload_good = true;
    a->reload_ms = clock_now_ms(a->clock);
    arena_init(&a->arena, 0);
    arena_init(&a->reloaded, 0);
    arena_init(&a->targets_arena, 0);
    if (gethostname(a->hostname, sizeof(a->hostname) - 1) != 0 || a->hostname[0] == '\0') {
        snprintf(a->hostname, sizeof(a->hostname), "localhost");
    }
    int status = start(a, e);
    if (status != 0) {
        agent_stop(a);
        return status;
    }
    *agent_out = a;
    return 0;
}

void agent_stop(struct agent *a)
{
    if (a == NULL) {
        return;
    }
    http_server_stop(a->server);
    receive_close(a->receive);
    access_logs_close(a->access_logs);
    loop_turn_free(a->turn);
    discovery_free(a->discovery);
    workpool_close(a->lookups);
    scraper_free(a->scraper);
    agent_background_close(&a->background);
    agent_spans_close(&a->spans);
    stream_aggregator_free(a->aggregator);
    shipper_close(a->shipper);
    collectors_close(a->collectors);
    if (a->client != NULL) {
        a->client->close(a->client);
    }
    arena_release(&a->reloaded);
    agent_targets_release(&a->targets);
    mem_free(a->instance);
    arena_release(&a->targets_arena);
    arena_release(&a->arena);
    mem_free(a);
}
