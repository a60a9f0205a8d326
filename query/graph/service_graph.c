/* The thread that writes, and the lock around what it writes.
 *
 * Requests add halves under the lock. The thread copies the edges under it and writes the copies without it:
 * a store that is slow holds up no request.
 */
#include "query/service_graph.h"

#include <math.h>
#include <signal.h>
#include <string.h>

#include "base/fpconv.h"
#include "base/lock.h"
#include "base/log.h"
#include "base/mem.h"
#include "graph/edge_store.h"

enum {
    PERIOD_MS = 1000,
    ARENA_BYTES_MAX = 64 << 20,
    LABELS_MAX = 5,
    EDGES_MAX = 1 << 24, /* beyond what the store allows */
};

struct service_graph {
    struct service_graph_options options;
    struct lock lock; /* guards store, malformed, write_failures, stopping */
    struct lock_condition changed;
    struct edge_store *store;
    uint64_t malformed, write_failures;
    bool stopping, has_thread;
    pthread_t thread;
    struct lock step_lock; /* one step at a time: guards what follows */
    struct edge *edges;    /* copies */
    size_t edge_count, edge_cap;
    uint64_t *written; /* generation of the edge that was written of each place */
    size_t written_count, written_cap;
    int64_t due_ms;     /* monotonic */
    int64_t written_ms; /* wall time of the last samples */
};

/* ---- In ---- */

void service_graph_take(struct service_graph *g, struct str message)
{
    struct half_edge_reader reader;
    struct half_edge half;
    struct arena arena;
    int64_t now = clock_now_ms(g->options.clock);
    int more;
    arena_init(&arena, ARENA_BYTES_MAX);
    half_edge_reader_init(&reader, message, &arena);
    more = half_edge_reader_next(&reader, &half);
    if (more != 0) {
        lock_take(&g->lock);
        while (more == 1) {
            edge_store_add(g->store, &half, now);
            more = half_edge_reader_next(&reader, &half);
        }
        g->malformed += more != 0;
        lock_give(&g->lock);
    }
    arena_release(&arena);
}

/* ---- Out ---- */

struct writing {
    struct service_graph *graph;
    struct appender *appender;
    struct label labels[LABELS_MAX];
    size_t label_count; /* without le */
    int64_t t_ms, zero_ms;
    bool begins, ends;
    int status;
    struct err *e;
};

/* Labels in order of their names: __name__, client, connection_type, le, server. */
static void write_value(struct writing *w, const char *name, const char *le, double value)
{
    struct label labels[LABELS_MAX];
    struct series_ref ref;
    size_t count = 0;
    if (w->status != 0) {
        return;
    }
    labels[count++] = (struct label){STR(LABEL_METRIC_NAME), str_of(name)};
    for (size_t i = 0; i < w->label_count; i++) {
        if (le != NULL && str_eq_c(w->labels[i].name, "server")) {
            labels[count++] = (struct label){STR("le"), str_of(le)};
        }
        labels[count++] = w->labels[i];
    }
    int status = appender_series(w->appender, labels, count, NULL, &ref, w->e);
    if (status == ERR_LIMIT) {
        appender_count_lost(w->appender, str_of(name), 1);
        return;
    }
    if (status == 0 && w->begins) {
        status = appender_append(w->appender, ref, w->zero_ms, 0);
    }
    if (status == 0) {
        status = appender_append(w->appender, ref, w->t_ms, w->ends ? value_stale_marker() : value);
    }
    w->status = status == ERR_RANGE ? 0 : status; /* counted by the appender */
}

static void write_latency(
    struct writing *w, const char *const names[3], const struct edge_latency *l)
{
    double sum = 0;
    for (size_t i = 0; i < EDGE_BUCKETS; i++) {
        char le[FP_TEXT_MAX] = "+Inf";
        if (i < EDGE_BUCKETS - 1) {
            (void)fp_format_short(edge_bounds[i], le);
        }
        sum += l->buckets[i];
        write_value(w, names[0], le, sum);
    }
    write_value(w, names[1], NULL, l->sum);
    write_value(w, names[2], NULL, l->count);
}

static void add_label(struct writing *w, struct str name, struct str value)
{
    if (value.len > 0) {
        w->labels[w->label_count++] = (struct label){name, value};
    }
}

/* Names live as long as the store. */
static void write_edge(struct writing *w, const struct edge *e)
{
    static const char *const kinds[] = {[EDGE_VIRTUAL_NODE] = "virtual_node",
        [EDGE_MESSAGING_SYSTEM] = "messaging_system",
        [EDGE_DATABASE] = "database",
        [EDGE_PLAIN] = "",
        [EDGE_UNPAIRED] = ""};
    static const char *const server_names[] = {"traces_service_graph_request_server_seconds_bucket",
        "traces_service_graph_request_server_seconds_sum",
        "traces_service_graph_request_server_seconds_count"};
    static const char *const client_names[] = {"traces_service_graph_request_client_seconds_bucket",
        "traces_service_graph_request_client_seconds_sum",
        "traces_service_graph_request_client_seconds_count"};
    const struct edge_store *store = w->graph->store;
    w->label_count = 0;
    lock_take(&w->graph->lock); /* names may move while others are added; the texts stay */
    struct str client = edge_store_name(store, e->client);
    struct str server = edge_store_name(store, e->server);
    lock_give(&w->graph->lock);
    add_label(w, STR("client"), client);
    add_label(w, STR("connection_type"), str_of(kinds[e->kind]));
    add_label(w, STR("server"), server);
    if (e->kind == EDGE_UNPAIRED) {
        write_value(w, "traces_service_graph_unpaired_spans_total", NULL, e->total);
        return;
    }
    write_value(w, "traces_service_graph_request_total", NULL, e->total);
    write_value(w, "traces_service_graph_request_failed_total", NULL, e->failed);
    write_latency(w, server_names, &e->server_latency);
    write_latency(w, client_names, &e->client_latency);
}

/* Whether the edge in that place begins, and remembers that it has. */
static bool begins(struct service_graph *g, size_t place, const struct edge *e)
{
    bool is_new = g->written[place] != e->generation;
    g->written[place] = e->generation;
    return is_new;
}

/* All edges in one transaction. */
static int write_edges(struct service_graph *g, int64_t now_ms, struct err *e)
{
    struct writing w = {.graph = g, .t_ms = now_ms, .e = e};
    int status = appender_open(g->options.writes, &w.appender, e);
    if (status != 0) {
        return status;
    }
    for (size_t i = 0; i < g->edge_count && w.status == 0; i++) {
        const struct edge *edge = &g->edges[i];
        if (edge->generation != 0) {
            w.begins = begins(g, i, edge);
            w.ends = now_ms - edge->seen_ms > g->options.idle_ms;
            w.zero_ms = edge->created_ms;
            write_edge(&w, edge);
        }
    }
    if (w.status != 0) {
        appender_rollback(w.appender);
        return w.status;
    }
    return appender_commit(w.appender, COMMIT_AS_CONFIGURED, NULL, e);
}

static const struct metadata {
    const char *name, *help;
    enum metric_type type;
} metadata[] = {
    {"traces_service_graph_request_total", "Calls from one service to another",
        METRIC_TYPE_COUNTER},
    {"traces_service_graph_request_failed_total", "Calls that failed on one side or the other",
        METRIC_TYPE_COUNTER},
    {"traces_service_graph_request_server_seconds", "How long calls took at the server",
        METRIC_TYPE_HISTOGRAM},
    {"traces_service_graph_request_client_seconds", "How long calls took for the client",
        METRIC_TYPE_HISTOGRAM},
    {"traces_service_graph_unpaired_spans_total", "Spans of calls that met no other side",
        METRIC_TYPE_COUNTER},
};

static void write_metadata(struct service_graph *g)
{
    struct appender *a;
    struct err e = ERR_INIT;
    if (appender_open(g->options.writes, &a, &e) != 0) {
        return; /* the samples will tell */
    }
    int status = 0;
    for (size_t i = 0; i < sizeof(metadata) / sizeof(metadata[0]) && status == 0; i++) {
        status = appender_set_metadata(
            a, str_of(metadata[i].name), metadata[i].type, str_of(metadata[i].help), STR(""));
    }
    if (status != 0) {
        appender_rollback(a);
    } else {
        (void)appender_commit(a, COMMIT_AS_CONFIGURED, NULL, &e);
    }
}

/* Copies of all edges; those that end leave the store. Under the lock. */
static int copy_edges(struct service_graph *g, int64_t now_ms)
{
    size_t count = edge_store_end(g->store);
    int status =
        mem_array_grow((void **)&g->edges, &g->edge_cap, count, sizeof(*g->edges), EDGES_MAX);
    if (status == 0) {
        status = mem_array_grow(
            (void **)&g->written, &g->written_cap, count, sizeof(*g->written), EDGES_MAX);
    }
    if (status != 0) {
        return status;
    }
    for (size_t i = g->written_count; i < count; i++) {
        g->written[i] = 0;
    }
    g->written_count = count > g->written_count ? count : g->written_count;
    for (size_t i = 0; i < count; i++) {
        g->edges[i] = *edge_store_at(g->store, i);
        if (g->edges[i].generation != 0 && now_ms - g->edges[i].seen_ms > g->options.idle_ms) {
            edge_store_remove(g->store, i);
        }
    }
    g->edge_count = count;
    return 0;
}

static void flush(struct service_graph *g)
{
    struct err e = ERR_INIT;
    int64_t now = clock_now_ms(g->options.clock);
    now = now > g->written_ms ? now : g->written_ms + 1; /* also when the clock was set back */
    lock_take(&g->lock);
    int status = copy_edges(g, now);
    lock_give(&g->lock);
    if (status == 0 && g->edge_count > 0) {
        if (g->written_ms == 0) {
            write_metadata(g);
        }
        status = write_edges(g, now, &e);
        g->written_ms = now;
        if (status != 0) { /* those that begin, begin once more */
            memset(g->written, 0, g->written_count * sizeof(*g->written));
        }
    }
    if (status != 0) {
        lock_take(&g->lock);
        bool first = g->write_failures++ == 0;
        lock_give(&g->lock);
        if (first) {
            LOG_ERROR("service graph: series cannot be written", LOG_S("error", e.message));
        }
    }
}

void service_graph_step(struct service_graph *g)
{
    lock_take(&g->step_lock);
    lock_take(&g->lock);
    edge_store_expire(g->store, clock_now_ms(g->options.clock));
    lock_give(&g->lock);
    int64_t now = clock_monotonic_ms(g->options.clock);
    if (now >= g->due_ms) {
        flush(g);
        g->due_ms = now + g->options.interval_ms;
    }
    lock_give(&g->step_lock);
}

/* ---- The thread ---- */

static void *run(void *context)
{
    struct service_graph *g = context;
    bool stopping = false;
    while (!stopping) {
        service_graph_step(g);
        lock_take(&g->lock);
        if (!g->stopping) {
            (void)lock_condition_wait_ms(&g->changed, &g->lock, PERIOD_MS);
        }
        stopping = g->stopping;
        lock_give(&g->lock);
    }
    return NULL;
}

/* Signals are for the thread that waits for them. */
static int start_thread(struct service_graph *g)
{
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int error = pthread_create(&g->thread, NULL, run, g);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    g->has_thread = error == 0;
    return error != 0 ? ERR_LIMIT : 0;
}

int service_graph_open(
    const struct service_graph_options *options, struct service_graph **graph_out)
{
    struct service_graph *g = mem_calloc(1, sizeof(*g));
    if (g == NULL) {
        return ERR_NOMEM;
    }
    g->options = *options;
    lock_init(&g->step_lock, LOCK_RANK_OBJECTIVES);
    lock_init(&g->lock, LOCK_RANK_LEAF);
    lock_condition_init(&g->changed);
    g->due_ms = clock_monotonic_ms(options->clock) + options->interval_ms;
    const struct edge_store_options store = {
        .wait_ms = options->wait_ms,
        .waiting_max = options->waiting_max,
        .edges_max = options->edges_max,
    };
    int status = edge_store_new(&store, &g->store);
    status = status == 0 && !options->no_thread ? start_thread(g) : status;
    if (status != 0) {
        service_graph_close(g);
        return status;
    }
    *graph_out = g;
    return 0;
}

void service_graph_close(struct service_graph *g)
{
    if (g == NULL) {
        return;
    }
    lock_take(&g->lock);
    g->stopping = true;
    lock_condition_broadcast(&g->changed);
    lock_give(&g->lock);
    if (g->has_thread) {
        pthread_join(g->thread, NULL);
        flush(g);
    }
    edge_store_free(g->store);
    mem_free(g->edges);
    mem_free(g->written);
    lock_condition_release(&g->changed);
    lock_release(&g->lock);
    lock_release(&g->step_lock);
    mem_free(g);
}

void service_graph_statistics(
    struct service_graph *g, struct service_graph_statistics *statistics_out)
{
    struct edge_store_statistics s;
    lock_take(&g->lock);
    edge_store_statistics(g->store, &s);
    *statistics_out = (struct service_graph_statistics){
        .halves = s.halves,
        .repeated = s.repeated,
        .calls = s.calls,
        .unpaired = s.unpaired,
        .evicted = s.evicted,
        .lost = s.lost,
        .malformed = g->malformed,
        .write_failures = g->write_failures,
        .waiting = s.waiting,
        .edges = s.edges,
    };
    lock_give(&g->lock);
}
