/* What a span costs the agent: CPU time from the message that a receiver hands in to what leaves it.
 *
 *   bench_agent_spans [spans]
 *
 * Spans are those of a shop that does not exist (span_shop.h), 512 a message, walked over again and again by
 * a pipeline that does more from row to row. Printed: µs of CPU time a span, and what the row before it
 * costs less.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

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

static double take_all(const struct messages *m, const struct spans_config *config)
{
    struct fake_clock clock;
    struct span_pipeline *pipeline = NULL;
    struct err e = ERR_INIT;
    fake_clock_init(&clock, 1700000000000);
    const struct span_pipeline_options options = {
        .config = config, .instance = "bench", .clock = &clock.clock, .intake = &nowhere};
    if (span_pipeline_new(&options, &pipeline, &e) != 0) {
        die(e.message);
    }
    struct span_intake *door = span_pipeline_intake(pipeline);
    double best = 1e9;
    for (int round = 0; round < 3; round++) {
        double before = cpu_seconds();
        for (size_t i = 0; i < m->count; i++) {
            struct span_taken taken;
            if (door->take(door, SPAN_OTLP_HTTP, strbuf_str(&m->items[i]), &taken, &e) != 0) {
                die(e.message);
            }
            fake_clock_advance_ms(&clock, 10); /* about 50 000 spans a second */
            (void)span_pipeline_step(pipeline);
        }
        double seconds = cpu_seconds() - before;
        best = seconds < best ? seconds : best;
    }
    struct span_pipeline_statistics s;
    span_pipeline_statistics(pipeline, &s);
    printf("    %llu series of %llu services\n", (unsigned long long)s.metrics.table.series,
        (unsigned long long)s.metrics.table.services);
    span_pipeline_free(pipeline);
    return best;
}

static void print(const char *what, double seconds, double before, size_t spans)
{
    printf("%-44s %6.3f µs a span, %+.3f\n", what, seconds * 1e6 / (double)spans,
        (seconds - before) * 1e6 / (double)spans);
}

int main(int argc, char **argv)
{
    static struct messages messages;
    struct arena arena;
    struct spans_config config;
    size_t spans = argc > 1 ? (size_t)strtoull(argv[1], NULL, 10) : 500000;
    arena_init(&arena, 0);
    if (config_defaults(&arena, spans_fields, &config, NULL) != 0) {
        die("no defaults");
    }
    make_messages(&messages, spans);
    printf("%zu spans, %zu messages, %.1f bytes a span\n", messages.spans, messages.count,
        (double)messages.bytes / (double)messages.spans);
    double walk = walk_all(&messages);
    print("walked", walk, 0, messages.spans);
    config.metrics.enabled = false;
    double plain = take_all(&messages, &config);
    print("taken", plain, walk, messages.spans);
    config.metrics.enabled = true;
    double metrics = take_all(&messages, &config);
    print("and span metrics", metrics, plain, messages.spans);
    arena_release(&arena);
    for (size_t i = 0; i < messages.count; i++) {
        strbuf_release(&messages.items[i]);
    }
    return 0;
}
