/* What a span costs the agent: CPU time from the message that a receiver hands in to what leaves it, and
 * memory while traces wait to be sampled.
 *
 *   bench_agent_spans [spans]
 *
 * Spans are those of a shop that does not exist (span_shop.h), 512 a message. The same messages are taken by a
 * pipeline that does more from row to row; printed is the best of three rounds in µs of CPU time a span, and
 * the difference to the row it adds to. Then 50 000 spans come each second, for 45 seconds by a clock that is
 * moved, to a window of 30 seconds; printed is the largest resident size of the whole process.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/mem.h"
#include "spans/span_pipeline.h"
#include "support/fake_clock.h"
#include "support/span_shop.h"

enum { MESSAGES_MAX = 4096, TRACES_PER_S = 100 };

static const uint64_t start_ns = 1700000000000000000u;

static void die(const char *what)
{
    fprintf(stderr, "bench_agent_spans: %s\n", what);
    exit(1);
}

static double cpu_seconds(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t); // cannot fail on Linux
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* Where what is counted goes. */
static uint64_t samples_written;

static void add(struct intake *self, const struct remote_write_series *series)
{
    samples_written += series->sample_count + series->histogram_count;
}

static void add_metadata(
    struct intake *self, enum metric_type type, struct str metric, struct str help, struct str unit)
{
}

static int commit(struct intake *self)
{
    return 0;
}

static enum intake_pressure pressure(const struct intake *self)
{
    return INTAKE_EASY;
}

static const struct labels *external(const struct intake *self, uint64_t *epoch_out)
{
    *epoch_out = 1;
    return NULL;
}

static struct intake nowhere = {add, add_metadata, commit, pressure, external};

struct messages {
    struct strbuf items[MESSAGES_MAX];
    size_t count, spans, bytes;
};

static void make_messages(struct messages *m, size_t spans)
{
    struct span_shop *shop = span_shop_new(1, start_ns, TRACES_PER_S);
    while (m->count < MESSAGES_MAX && m->spans < spans) {
        struct strbuf *message = &m->items[m->count++];
        strbuf_init(message, OTLP_TRACES_MAX);
        m->spans += span_shop_next(shop, message);
        m->bytes += message->size;
    }
    span_shop_free(shop);
}

static double walk_all(const struct messages *m)
{
    struct otlp_traces *walker;
    struct otlp_span span;
    size_t count = 0;
    if (otlp_traces_new(&walker) != 0) {
        die("no memory");
    }
    double before = cpu_seconds();
    for (size_t i = 0; i < m->count; i++) {
        if (otlp_traces_begin(walker, strbuf_str(&m->items[i]), NULL) != 0) {
            die("a message is not good");
        }
        while (otlp_traces_next(walker, &span) == 1) {
            count++;
        }
    }
    double seconds = cpu_seconds() - before;
    otlp_traces_free(walker);
    if (count != m->spans) {
        die("spans are missing");
    }
    return seconds;
}

/* ---- A destination that takes whatever comes ---- */

struct taker {
    struct http_client client;
    http_client_done done;
    void *context;
    bool asked;
    uint64_t bytes;
};

static int send_request(struct http_client *self, const struct http_client_request *request,
    http_client_done done, void *context, struct http_client_call **call_out)
{
    struct taker *t = (struct taker *)self;
    t->done = done;
    t->context = context;
    t->asked = true;
    t->bytes += request->body.len;
    *call_out = (struct http_client_call *)t;
    return 0;
}

static void cancel(struct http_client *self, struct http_client_call *call)
{
    ((struct taker *)self)->asked = false;
}

static void close_client(struct http_client *self)
{
}

static void answer_all(struct taker *t)
{
    const struct http_client_response response = {
        .status = 200, .body = STR(""), .retry_after_ms = -1};
    while (t->asked) {
        t->asked = false;
        t->done(t->context, &response);
    }
}

/* ---- The agent's part for spans ---- */

struct world {
    struct fake_clock clock;
    struct taker taker;
    char path[64];
    struct span_shipper *shipper;
    struct span_pipeline *pipeline;
};

static int remove_file(void *context, const char *name, bool is_directory)
{
    char path[400];
    snprintf(path, sizeof(path), "%s/%s", (const char *)context, name);
    return vfs_remove(vfs_posix(), path);
}

static void open_world(struct world *w, const struct spans_config *config, bool ships)
{
    static const struct sender_options destination = {.name = "main", .url = "http://r/v1/traces"};
    struct err e = ERR_INIT;
    *w = (struct world){.taker = {.client = {send_request, cancel, close_client, NULL}},
        .path = "/tmp/bench_agent_spans_XXXXXX"};
    fake_clock_init(&w->clock, 1700000000000);
    if (mkdtemp(w->path) == NULL) {
        die("no folder for the queue");
    }
    const struct outbox_options outbox = {.queue = {.path = w->path, .vfs = vfs_posix()},
        .destinations = &destination,
        .destination_count = 1,
        .client = &w->taker.client,
        .clock = &w->clock.clock};
    if (ships && span_shipper_open(&outbox, &w->shipper, &e) != 0) {
        die(e.message);
    }
    const struct span_pipeline_options options = {.config = config,
        .instance = "bench",
        .clock = &w->clock.clock,
        .intake = &nowhere,
        .shipper = w->shipper};
    if (span_pipeline_new(&options, &w->pipeline, &e) != 0) {
        die(e.message);
    }
}

static void close_world(struct world *w)
{
    span_pipeline_free(w->pipeline);
    span_shipper_close(w->shipper);
    (void)vfs_list(vfs_posix(), w->path, remove_file, w->path);
    (void)vfs_remove(vfs_posix(), w->path);
}

/* One message, and what is due after it. */
static void take_message(struct world *w, struct str message)
{
    struct span_intake *door = span_pipeline_intake(w->pipeline);
    struct span_taken taken;
    struct err e = ERR_INIT;
    if (door->take(door, SPAN_OTLP_HTTP, message, &taken, &e) != 0) {
        die(e.message);
    }
    (void)span_pipeline_step(w->pipeline);
    if (w->shipper != NULL) {
        (void)span_shipper_step(w->shipper);
        answer_all(&w->taker);
    }
}

static double take_all(const struct messages *m, const struct spans_config *config, bool ships)
{
    struct world w;
    double best = 1e9;
    open_world(&w, config, ships);
    for (int round = 0; round < 3; round++) {
        double before = cpu_seconds();
        for (size_t i = 0; i < m->count; i++) {
            take_message(&w, strbuf_str(&m->items[i]));
            fake_clock_advance_ms(&w.clock, 10); /* about 50 000 spans a second */
        }
        double seconds = cpu_seconds() - before;
        best = seconds < best ? seconds : best;
    }
    close_world(&w);
    return best;
}

/* ---- Memory ---- */

static double resident_mib(void)
{
    long pages = 0;
    FILE *file = fopen("/proc/self/statm", "re");
    if (file == NULL || fscanf(file, "%*d %ld", &pages) != 1) {
        die("/proc/self/statm cannot be read");
    }
    fclose(file);
    return (double)pages * (double)sysconf(_SC_PAGESIZE) / (1 << 20);
}

static void fill_window(const struct spans_config *config)
{
    enum { RATE = 50000, SECONDS = 45 };
    struct world w;
    struct span_shop *shop = span_shop_new(2, start_ns, 3000);
    struct strbuf message;
    struct span_pipeline_statistics s;
    double before = resident_mib(), most = 0, seconds = 0;
    uint64_t spans = 0, waiting = 0, window = 0;
    strbuf_init(&message, OTLP_TRACES_MAX);
    open_world(&w, config, true);
    while (spans < (uint64_t)RATE * SECONDS) {
        strbuf_reset(&message);
        spans += span_shop_next(shop, &message);
        int64_t now = 1700000000000 + (int64_t)(spans * 1000 / RATE);
        fake_clock_advance_ms(&w.clock, now - clock_now_ms(&w.clock.clock));
        double begun = cpu_seconds();
        take_message(&w, strbuf_str(&message));
        seconds += cpu_seconds() - begun;
        span_pipeline_statistics(w.pipeline, &s);
        waiting = s.sampling.waiting_spans > waiting ? s.sampling.waiting_spans : waiting;
        window = s.sampling.window_bytes > window ? s.sampling.window_bytes : window;
        if (spans / SPAN_SHOP_BATCH % 64 == 0) {
            double now_mib = resident_mib();
            most = now_mib > most ? now_mib : most;
        }
    }
    printf("window of 30 s at %d spans/s: %llu spans and %.0f MiB in it at most, %.0f MiB resident "
           "(%.0f before), %.3f µs a span\n",
        RATE, (unsigned long long)waiting, (double)window / (1 << 20), most, before,
        seconds * 1e6 / (double)spans);
    printf("    decided early: %llu, kept %llu, dropped %llu, lost %llu\n",
        (unsigned long long)s.sampling.reasons[TAIL_WINDOW_FULL],
        (unsigned long long)s.sampling.kept_spans, (unsigned long long)s.sampling.dropped_spans,
        (unsigned long long)s.sampling.lost_spans);
    close_world(&w);
    span_shop_free(shop);
    strbuf_release(&message);
}

static void print(const char *what, double seconds, double before, size_t spans)
{
    printf("%-44s %6.3f µs a span, %+.3f\n", what, seconds * 1e6 / (double)spans,
        (seconds - before) * 1e6 / (double)spans);
}

/* Settings as they stand in the file. */
static void read_config(struct arena *arena, const char *yaml, struct spans_config *config)
{
    struct yaml_node *root = NULL;
    struct err e = ERR_INIT;
    if (yaml_parse(arena, "bench", str_of(yaml), &root, &e) != 0 ||
        config_read(arena, "bench", root, spans_fields, config, &e) != 0) {
        die(e.message);
    }
}

#define POLICIES                                                                                   \
    "policies: [{name: errors, error: true}, {name: slow, latency: 1s}, "                          \
    "{name: slower, latency_quantile: 0.99}, {name: rare, rare: 5}, {name: some, percent: 1}]"

int main(int argc, char **argv)
{
    static struct messages messages;
    struct arena arena;
    struct spans_config none, counted, graphed, sampled, window;
    size_t spans = argc > 1 ? (size_t)strtoull(argv[1], NULL, 10) : 500000;
    arena_init(&arena, 0);
    read_config(&arena, "{metrics: {enabled: false}, service_graph: {enabled: false}}", &none);
    read_config(&arena, "service_graph: {enabled: false}", &counted);
    read_config(&arena, "{}", &graphed);
    read_config(&arena, "sampling: {wait: 2s, window_size: 1GiB, " POLICIES "}", &sampled);
    read_config(&arena,
        "sampling: {wait: 30s, wait_after_root: 30s, window_size: 4GiB, " POLICIES "}", &window);
    fill_window(&window); /* first: nothing else is in memory yet */
    make_messages(&messages, spans);
    printf("%zu spans, %zu messages, %.1f bytes a span\n", messages.spans, messages.count,
        (double)messages.bytes / (double)messages.spans);
    (void)walk_all(&messages);
    double walk = walk_all(&messages);
    print("walked", walk, 0, messages.spans);
    double taken = take_all(&messages, &none, false);
    print("taken", taken, walk, messages.spans);
    double metrics = take_all(&messages, &counted, false);
    print("taken, span metrics", metrics, taken, messages.spans);
    double shipped = take_all(&messages, &none, true);
    print("taken, shipped (gzip, queue on disk)", shipped, taken, messages.spans);
    double both = take_all(&messages, &counted, true);
    print("taken, span metrics, shipped", both, shipped, messages.spans);
    double graph = take_all(&messages, &graphed, true);
    print("taken, span metrics, service graph, shipped", graph, both, messages.spans);
    print("span metrics and service graph alone", graph - shipped, 0, messages.spans);
    double sample = take_all(&messages, &sampled, true);
    print("all that, sampled", sample, graph, messages.spans);
    arena_release(&arena);
    for (size_t i = 0; i < messages.count; i++) {
        strbuf_release(&messages.items[i]);
    }
    return 0;
}
