/* Putting the server together.
 *
 *   order of starting            why
 *   1 loop                       owns the signals
 *   2 lanes, API, HTTP, gRPC     a port in use is told before a long replay; until the store is there,
 *                                health checks are answered and everything else is 503
 *   3 stores                     of samples, of spans: replay; locked or not writable is told here
 *   4 memory guard               asks the store to hold back, so after it
 *   5 engine, rules, who is told  a file that is wrong is told here
 *   6 API serves                 from now on ready
 *   7 maintenance, signals
 *
 * Stopping goes the other way: queries are canceled, HTTP takes no more and waits for what runs, then
 * the lanes end, rules and maintenance end, the store seals.
 *
 * Threads: the loop's (this one: signals), HTTP's two (read and write only), the ingest lane, the query
 * lane, the rules' scheduler and lane, the service graph's, maintenance, the store's WAL writer.
 */
#include "server/server.h"

#include <assert.h>
#include <signal.h>
#include <unistd.h>

#include "api/api.h"
#include "base/clock.h"
#include "base/grpc_server.h"
#include "base/http_server.h"
#include "base/lock.h"
#include "base/loop.h"
#include "base/mem.h"
#include "base/workpool.h"
#include "query/service_graph.h"
#include "server/alerting.h"
#include "server/host_memory.h"
#include "server/maintenance.h"
#include "server/memory_guard.h"
#include "server/retention_rules.h"
#include "server/server_metrics.h"
#include "server/slow_query.h"

enum {
    /* Requests that wait in a lane; more are answered 503. */
    INGEST_QUEUE_MAX = 256,
    INGEST_THREADS_MAX = 8,
    QUERY_THREADS_MIN = 4,
};

/* A configuration and the memory it lives in. */
struct loaded_config {
    struct arena arena;
    struct server_config config;
};

struct server {
    const char *config_path;
    const struct server_flags *flags;
    /* What the server was opened with; parts of it are borrowed by everything below. */
    struct loaded_config *initial;
    struct lock lock;              /* guards current */
    struct loaded_config *current; /* in force; may be `initial` */
    struct loop *loop;
    struct workpool *ingest, *query;
    struct api *api;
    struct http_server *http;
    struct grpc_server *grpc; /* NULL: nothing is taken over gRPC */
    struct tsdb *db;
    struct span_store *spans;
    struct service_graph *graph; /* NULL: not wanted */
    struct engine *engine;
    struct alerting *alerting;
    struct memory_guard *memory; /* NULL: nothing is known about memory */
    struct maintenance *maintenance;
    struct server_metrics metrics;
    bool metrics_begun;
};

/* ---- Configuration ---- */

static void free_config(struct loaded_config *loaded)
{
    if (loaded != NULL) {
        arena_release(&loaded->arena);
        mem_free(loaded);
    }
}

static int load_config(const struct server *s, struct loaded_config **loaded_out, struct err *e)
{
    struct loaded_config *loaded = mem_calloc(1, sizeof(*loaded));
    if (loaded == NULL) {
        return err_set(e, ERR_NOMEM, -1, "%s", err_text(ERR_NOMEM));
    }
    arena_init(&loaded->arena, 0);
    int status = server_config_load(&loaded->arena, s->config_path, s->flags, &loaded->config, e);
    if (status != 0) {
        free_config(loaded);
        return status;
    }
    *loaded_out = loaded;
    return 0;
}

/* The settings that a running server takes over. */
static void apply_live(struct server *s, const struct server_config *config)
{
    struct api_query_limits limits = {.lookback_ms = config->query.lookback_ms,
        .timeout_ms = config->query.timeout_ms,
        .samples_max = (uint64_t)config->query.samples_max,
        .slow_ms = config->query.slow_ms};
    log_set_level(config->log_level);
    api_set_query_limits(s->api, &limits);
    tsdb_set_limits(s->db, &config->limits);
}

/* From a query's thread (POST /-/reload) or the loop's (SIGHUP). */
static int reload(void *context, struct err *e)
{
    struct server *s = context;
    struct loaded_config *loaded = NULL;
    int status = load_config(s, &loaded, e);
    if (status == 0) {
        status = alerting_reload(s->alerting, &loaded->config, e);
    }
    api_note_reload(s->api, status == 0);
    if (status != 0) {
        LOG_ERROR(
            "server: reload refused, the old configuration stays", LOG_S("error", e->message));
        free_config(loaded);
        return status;
    }
    const char *waits = server_config_needs_restart(&s->initial->config, &loaded->config);
    if (waits != NULL) {
        LOG_WARN("server: a changed setting takes effect at the next start", LOG_S("key", waits));
    }
    apply_live(s, &loaded->config);
    lock_take(&s->lock);
    struct loaded_config *before = s->current;
    s->current = loaded;
    lock_give(&s->lock);
    if (before != s->initial) {
        free_config(before);
    }
    LOG_INFO("server: configuration reloaded");
    return 0;
}

static void reload_on_signal(void *context)
{
    struct err e = ERR_INIT;
    (void)reload(context, &e); /* logged by it */
}

/* The loop's thread waits for signals. */
static void quit(void *context)
{
    (void)context;
    LOG_INFO("server: asked to stop over HTTP");
    (void)kill(getpid(), SIGTERM); // a signal to oneself is always allowed
}

static void write_config(void *context, struct strbuf *out)
{
    struct server *s = context;
    lock_take(&s->lock);
    server_config_write(&s->current->config, out);
    lock_give(&s->lock);
}

static void write_flag(struct json_writer *out, const struct flag *flag)
{
    char number[24];
    json_key(out, flag->name);
    switch (flag->kind) {
    case FLAG_STRING:
        json_cstring(out, *(const char **)flag->value != NULL ? *(const char **)flag->value : "");
        break;
    case FLAG_BOOL:
        json_cstring(out, *(bool *)flag->value ? "true" : "false");
        break;
    case FLAG_STRINGS: {
        const struct flag_strings *list = flag->value;
        json_cstring(out, list->count > 0 ? list->items[list->count - 1] : "");
        break;
    }
    default:
        snprintf(number, sizeof(number), "%lld", (long long)*(int64_t *)flag->value);
        json_cstring(out, *(int64_t *)flag->value >= 0 ? number : "");
        break;
    }
}

/* As given; what was not given is empty. */
static void write_flags(void *context, struct json_writer *out)
{
    struct server *s = context;
    struct server_flags flags;
    struct flag table[SERVER_FLAGS_MAX];
    server_flags_init(&flags, table);
    flags = *s->flags;
    for (const struct flag *f = table; f->name != NULL; f++) {
        write_flag(out, f);
    }
}

/* ---- Memory ---- */

/* Of what there is, when nothing else is said: room for the kernel's caches, which reads live on. */
enum { MEMORY_SHARE_PERCENT = 80 };

static int read_memory(void *context, uint64_t *used_out)
{
    (void)context;
    return host_memory_used(vfs_posix(), used_out);
}

static void on_memory_level(void *context, enum memory_level level)
{
    struct server *s = context;
    tsdb_set_memory_short(s->db, level != MEMORY_GOOD);
}

static bool admit(void *context)
{
    struct server *s = context;
    return s->memory == NULL || memory_guard_admit(s->memory);
}

/* Before the API serves, after the store is open. */
static int open_memory_guard(struct server *s, struct err *e)
{
    uint64_t limit = (uint64_t)s->initial->config.memory_limit;
    if (limit == 0) {
        limit = host_memory_ceiling(vfs_posix()) / 100 * MEMORY_SHARE_PERCENT;
    }
    if (limit == 0) {
        LOG_WARN("server: how much memory there is cannot be read; there is no limit");
        return 0;
    }
    const struct memory_guard_options options = {
        .limit_bytes = limit, .read = read_memory, .changed = on_memory_level, .context = s};
    int status = memory_guard_new(&options, &s->memory);
    return status != 0 ? err_set(e, status, -1, "%s", err_text(status)) : 0;
}

/* ---- Starting ---- */

static int64_t cpu_count(void)
{
    long count = sysconf(_SC_NPROCESSORS_ONLN);
    return count > 0 ? count : 1;
}

static int64_t query_threads(const struct server_config *config)
{
    int64_t most = cpu_count() * 2 > QUERY_THREADS_MIN ? cpu_count() * 2 : QUERY_THREADS_MIN;
    return config->query.concurrency_max != 0 ? config->query.concurrency_max : most;
}

static int open_lanes(struct server *s, struct err *e)
{
    const struct server_config *config = &s->initial->config;
    int64_t ingest = config->web.ingest_threads, query = query_threads(config);
    if (ingest == 0) {
        ingest = cpu_count() < INGEST_THREADS_MAX ? cpu_count() : INGEST_THREADS_MAX;
    }
    struct workpool_options ingest_lane = {"ingest", (unsigned)ingest, INGEST_QUEUE_MAX};
    struct workpool_options query_lane = {
        "query", (unsigned)query, (size_t)config->query.queued_max};
    int status = workpool_open(&ingest_lane, &s->ingest);
    if (status == 0) {
        status = workpool_open(&query_lane, &s->query);
    }
    return status != 0 ? err_set(e, status, -1, "cannot start threads: %s", err_text(status)) : 0;
}

static void web_config_changed(void *context, const char *path, const struct err *e)
{
    (void)context;
    if (e == NULL) {
        LOG_INFO("server: web configuration has changed", LOG_S("file", path));
    } else {
        LOG_ERROR("server: web configuration refused, the old one stays", LOG_S("file", path),
            LOG_S("error", e->message));
    }
}

static int open_http(struct server *s, struct err *e)
{
    const struct server_config *config = &s->initial->config;
    struct api_options api = {.cache_bytes = (size_t)config->query.cache_bytes,
        .streams_max = (unsigned)(query_threads(config) / 2),
        .program = {.context = s,
            .write_flags = write_flags,
            .write_config = write_config,
            .reload = reload,
            .quit = config->web.lifecycle ? quit : NULL,
            .slow_query = slow_query_log,
            .admit = admit,
            .data_path = config->data,
            .admin_api = config->web.admin_api,
            .retention_ms = config->storage.retention_ms}};
    api.otlp = otlp_settings_translate(&config->otlp.metrics);
    api.otlp_delta_series_max = (size_t)config->otlp.metrics.delta_series_max;
    int status = api_new(&api, &s->api);
    if (status != 0) {
        return err_set(e, status, -1, "%s", err_text(status));
    }
    struct http_server_options http = {.address = config->listen,
        .lanes = {[HTTP_LANE_INGEST] = s->ingest, [HTTP_LANE_QUERY] = s->query},
        .fair = {[HTTP_LANE_QUERY] = true},
        .connections_max = (size_t)config->web.connections_max,
        .body_max = (size_t)config->web.body_bytes_max,
        .idle_timeout_s = (unsigned)(config->web.read_timeout_ms / 1000),
        .cors_origin = config->web.cors_origin,
        .web_config_file = config->web.config_file,
        .web_config_changed = web_config_changed,
        .route_prefix = config->web.route_prefix};
    http.routes = api_http_routes(s->api, &http.route_count);
    return http_server_start(&http, &s->http, e);
}

/* Many hosts have a collector, or an agent of ours, at the usual port: then whoever did not ask for it goes
 * without. */
static int open_grpc(struct server *s, struct err *e)
{
    const struct server_config *config = &s->initial->config;
    const char *address = config->otlp.grpc_listen;
    struct grpc_server_options grpc = {.address = address,
        .pool = s->ingest,
        .message_max = (size_t)config->web.body_bytes_max,
        .web_config_file = config->web.config_file,
        .web_config_changed = web_config_changed};
    if (address[0] == '\0') {
        return 0;
    }
    grpc.methods = api_grpc_methods(s->api, &grpc.method_count);
    int status = grpc_server_start(&grpc, &s->grpc, e);
    if (status == ERR_BUSY && s->flags->otlp_grpc_listen == NULL &&
        strcmp(address, SERVER_GRPC_LISTEN_DEFAULT) == 0) {
        LOG_WARN(
            "server: the address is in use, nothing is taken over gRPC", LOG_S("address", address));
        return 0;
    }
    return status;
}

static int open_store(struct server *s, struct err *e)
{
    const struct server_storage_config *storage = &s->initial->config.storage;
    struct tsdb_retention_rule *rules = NULL;
    size_t rule_count = 0;
    int status = retention_rules_parse(
        &s->initial->arena, &storage->retention_rules, &rules, &rule_count, e);
    if (status != 0) {
        return status;
    }
    struct tsdb_options options = {.path = s->initial->config.data,
        .retention_ms = storage->retention_ms,
        .retention_bytes = (uint64_t)storage->retention_bytes,
        .retention_rules = rules,
        .retention_rule_count = rule_count,
        .disk_low_bytes = (uint64_t)storage->disk_low_bytes,
        .disk_refuse_bytes = (uint64_t)storage->disk_refuse_bytes,
        .scrub_bytes_per_second = storage->scrub_bytes,
        .ballast_bytes = (uint64_t)storage->ballast_bytes,
        .seal_interval_ms = storage->seal_interval_ms,
        .future_limit_ms = storage->future_limit_ms,
        .sync_policy = storage->wal_sync,
        .limits = s->initial->config.limits,
        .exemplar_retention_ms = storage->exemplar_retention_ms,
        .exemplars_per_minute = (uint32_t)storage->exemplars_per_minute};
    if (storage->identity_labels.count > 0) {
        options.identity_labels = storage->identity_labels.items;
        options.identity_label_count = storage->identity_labels.count;
    }
    status = tiers_config_apply(&storage->tiers, &s->initial->arena, &options, e);
    return status == 0 ? tsdb_open(&options, &s->db, e) : status;
}

/* Beside the store of samples, whose lock keeps other servers away from both. */
static int open_spans(struct server *s, struct err *e)
{
    const struct server_config *config = &s->initial->config;
    struct span_store_options options = {.retention_ms = config->traces.retention_ms,
        .retention_errors_ms = config->traces.retention_errors_ms,
        .retention_bytes = (uint64_t)config->traces.retention_bytes,
        .future_limit_ms = config->traces.future_limit_ms,
        .scrub_bytes_per_second = config->storage.scrub_bytes,
        .sync = config->storage.wal_sync};
    struct span_retention_rule *rules = NULL;
    struct strbuf path = STRBUF_INIT;
    int status = retention_services_parse(&s->initial->arena, &config->traces.retention_services,
        &rules, &options.retention_rule_count, e);
    if (status != 0) {
        return status;
    }
    options.retention_rules = rules;
    strbuf_addf(&path, "%s/spans", config->data);
    status = strbuf_error(&path);
    status = status != 0 ? err_set(e, status, -1, "%s", err_text(status))
                         : span_store_open(path.data, &options, &s->spans, e);
    strbuf_release(&path);
    return status;
}

static int open_graph(struct server *s, struct err *e)
{
    const struct server_graph_config *config = &s->initial->config.traces.service_graph;
    const struct service_graph_options options = {.interval_ms = config->interval_ms,
        .wait_ms = config->wait_ms,
        .waiting_max = (uint64_t)config->waiting_max,
        .edges_max = (uint64_t)config->edges_max,
        .idle_ms = config->idle_ms,
        .clock = clock_real(),
        .writes = tsdb_appender_source(s->db)};
    int status = config->enabled ? service_graph_open(&options, &s->graph) : 0;
    return status == 0
               ? 0
               : err_set(e, status, -1, "cannot start the service graph: %s", err_text(status));
}

/* What the replay found, for the one who started the server. */
static void log_store(const struct server *s)
{
    struct tsdb_statistics found;
    tsdb_statistics(s->db, &found);
    LOG_INFO("server: store is open", LOG_S("data", s->initial->config.data),
        LOG_I("parts", found.part_count), LOG_I("replayed_samples", found.replayed_samples),
        LOG_I("replay_ms", found.replay_ms));
    if (found.wal_corrupt_records > 0 || found.wal_truncated_bytes > 0 ||
        found.parts_quarantined > 0) {
        LOG_WARN("server: damage was found and set aside",
            LOG_I("wal_corrupt_records", found.wal_corrupt_records),
            LOG_I("wal_truncated_bytes", found.wal_truncated_bytes),
            LOG_I("parts_quarantined", found.parts_quarantined));
    }
}

/* As it is configured, or half of the machine's memory. */
static size_t memory_total(const struct server_query_config *query)
{
    if (query->memory_total_bytes > 0) {
        return (size_t)query->memory_total_bytes;
    }
    long pages = sysconf(_SC_PHYS_PAGES), page_bytes = sysconf(_SC_PAGESIZE);
    return pages > 0 && page_bytes > 0 ? (size_t)pages / 2 * (size_t)page_bytes : 0;
}

static int serve(struct server *s, struct err *e)
{
    const struct server_query_config *query = &s->initial->config.query;
    /* Time and samples are limited query by query, so that a reload can change the limits. */
    struct engine_options engine = {.lookback_ms = query->lookback_ms,
        .timeout_ms = INT64_MAX / 1000000,
        .samples_max = UINT64_MAX,
        .memory_bytes = (size_t)query->memory_bytes,
        .memory_total_bytes = memory_total(query),
        .cost_max = (uint64_t)query->cost_max};
    server_config_features(&s->initial->config, &engine);
    int status = engine_new(&engine, &s->engine);
    if (status != 0) {
        return err_set(e, status, -1, "%s", err_text(status));
    }
    const struct alerting_options alerting = {.config = &s->initial->config,
        .engine = s->engine,
        .features = engine.features,
        .slo_engine = engine,
        .db = s->db,
        .port = http_server_port(s->http)};
    status = alerting_open(&alerting, &s->alerting, e);
    if (status != 0) {
        return status;
    }
    struct api_backend backend = {.engine = s->engine,
        .rules = alerting_rules(s->alerting),
        .slos = alerting_slos(s->alerting),
        .notify = alerting_notify(s->alerting),
        .features = engine.features,
        .reads = tsdb_querier_source(s->db),
        .writes = tsdb_appender_source(s->db),
        .spans = s->spans,
        .graph = s->graph,
        .db = s->db};
    apply_live(s, &s->initial->config);
    s->metrics = (struct server_metrics){
        s->db, s->ingest, s->query, s->engine, s->memory, s->spans, s->graph};
    server_metrics_begin(&s->metrics);
    s->metrics_begun = true;
    api_serve(s->api, &backend);
    return 0;
}

static void stop_on_signal(void *context)
{
    struct server *s = context;
    loop_stop(s->loop);
}

static int take_signals(struct server *s, struct err *e)
{
    int status = loop_on_signal(s->loop, SIGINT, stop_on_signal, s);
    if (status == 0) {
        status = loop_on_signal(s->loop, SIGTERM, stop_on_signal, s);
    }
    if (status == 0) {
        status = loop_on_signal(s->loop, SIGHUP, reload_on_signal, s);
    }
    return status != 0 ? err_set(e, status, -1, "cannot take signals: %s", err_text(status)) : 0;
}

static int open_all(struct server *s, struct err *e)
{
    int status = load_config(s, &s->initial, e);
    if (status != 0) {
        return status;
    }
    s->current = s->initial;
    log_set_level(s->initial->config.log_level);
    status = loop_new(&s->loop);
    if (status != 0) {
        return err_set(e, status, -1, "cannot make the event loop: %s", err_text(status));
    }
    if ((status = open_lanes(s, e)) != 0 || (status = open_http(s, e)) != 0 ||
        (status = open_grpc(s, e)) != 0 || (status = open_store(s, e)) != 0 ||
        (status = open_spans(s, e)) != 0 || (status = open_memory_guard(s, e)) != 0 ||
        (status = open_graph(s, e)) != 0 || (status = serve(s, e)) != 0) {
        return status;
    }
    log_store(s);
    status = maintenance_start(s->db, s->spans, s->memory, &s->maintenance);
    if (status != 0) {
        return err_set(e, status, -1, "cannot start maintenance: %s", err_text(status));
    }
    return take_signals(s, e);
}

int server_open(const struct server_options *options, struct server **server_out, struct err *e)
{
    struct server *s = mem_calloc(1, sizeof(*s));
    if (s == NULL) {
        return err_set(e, ERR_NOMEM, -1, "%s", err_text(ERR_NOMEM));
    }
    s->config_path = options->config_path;
    s->flags = options->flags;
    lock_init(&s->lock, LOCK_RANK_LEAF);
    (void)signal(SIGPIPE, SIG_IGN); /* a client that went away is an error of write, not of us */
    int status = open_all(s, e);
    if (status != 0) {
        (void)server_close(s, NULL); /* the first error is the one to tell */
        return status;
    }
    LOG_INFO("server: ready", LOG_S("listen", s->initial->config.listen),
        LOG_I("port", http_server_port(s->http)), LOG_S("version", SONDE_VERSION));
    *server_out = s;
    return 0;
}

void server_run(struct server *s)
{
    (void)loop_run(s->loop); /* ends by loop_stop, with 0 */
    LOG_INFO("server: stopping");
}

int server_close(struct server *s, struct err *e)
{
    if (s == NULL) {
        return 0;
    }
    if (s->api != NULL) {
        api_stop(s->api);
    }
    http_server_stop(s->http);
    grpc_server_stop(s->grpc);
    workpool_close(s->query);
    if (s->metrics_begun) {
        server_metrics_end(&s->metrics);
    }
    workpool_close(s->ingest);
    alerting_close(s->alerting);
    service_graph_close(s->graph);
    maintenance_stop(s->maintenance);
    int status = tsdb_close(s->db, e);
    span_store_close(s->spans);
    memory_guard_free(s->memory);
    engine_free(s->engine);
    api_free(s->api);
    loop_free(s->loop);
    if (s->current != s->initial) {
        free_config(s->current);
    }
    free_config(s->initial);
    lock_release(&s->lock);
    mem_free(s);
    return status;
}
