/* What a sample costs the agent from the body of a scrape to the request a receiver has taken, and what a
 * series costs it in memory.
 *
 *   bench_agent [targets] [rounds]
 *
 * Each target exposes 500 series as node_exporter and the like do: HELP and TYPE for each family, a
 * third of the values changed since the last scrape. The queue is on a real disk, the receiver takes
 * everything at once; CPU time is that of the process, bodies made ahead.
 */
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/hash.h"
#include "base/mem.h"
#include "scrape/scraper.h"
#include "ship/shipper.h"
#include "support/fake_clock.h"

enum { FAMILIES = 100, SERIES_PER_FAMILY = 5, BODIES = 4, INTERVAL_MS = 10000 };

/* A receiver that takes whatever comes; its answers wait for the next turn. */
struct taker {
    struct http_client client;
    http_client_done done;
    void *context;
    bool asked;
    uint64_t bytes;
};

static int take(struct http_client *self, const struct http_client_request *request,
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
    (void)call;
    ((struct taker *)self)->asked = false;
}

static void close_client(struct http_client *self)
{
    (void)self;
}

static void answer_all(struct taker *t)
{
    const struct http_client_response response = {
        .status = 204, .body = STR(""), .retry_after_ms = -1};
    while (t->asked) {
        t->asked = false;
        t->done(t->context, &response);
    }
}

static char *bodies[BODIES];
static size_t body_sizes[BODIES];
static int body_now;

static void make_bodies(void)
{
    for (int b = 0; b < BODIES; b++) {
        struct strbuf out;
        strbuf_init(&out, 1 << 20);
        for (int f = 0; f < FAMILIES; f++) {
            strbuf_addf(&out,
                "# HELP application_component_requests_%d_total How many requests there were.\n"
                "# TYPE application_component_requests_%d_total counter\n",
                f, f);
            for (int s = 0; s < SERIES_PER_FAMILY; s++) {
                uint64_t value = hash_mix64((uint64_t)(f * 7 + s)) >> 40;
                value += (f + s) % 3 == 0 ? (uint64_t)b : 0;
                strbuf_addf(&out,
                    "application_component_requests_%d_total{code=\"%d\",method=\"get\","
                    "handler=\"/api/v1/items\"} ",
                    f, 200 + s);
                if ((f + s) % 4 == 0) {
                    strbuf_addf(&out, "%llu.%02d\n", (unsigned long long)value, (f + b) % 90 + 10);
                } else {
                    strbuf_addf(&out, "%llu\n", (unsigned long long)value);
                }
            }
        }
        bodies[b] = out.data;
        body_sizes[b] = out.size;
    }
}

static void expose(void *context, struct strbuf *out)
{
    (void)context;
    strbuf_add(out, bodies[body_now], body_sizes[body_now]);
}

static double cpu_seconds(void)
{
    struct rusage u;
    getrusage(RUSAGE_SELF, &u);
    return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) +
           (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e6;
}

static struct shipper *open_shipper(struct taker *taker, struct fake_clock *clock, const char *path)
{
    const struct sender_options destination = {.name = "main", .url = "http://r/"};
    const struct shipper_options options = {.queue = {.path = path, .vfs = vfs_posix()},
        .destinations = &destination,
        .destination_count = 1,
        .client = &taker->client,
        .clock = &clock->clock,
        .seed = 1};
    struct shipper *shipper = NULL;
    struct err e = ERR_INIT;
    if (shipper_open(&options, &shipper, &e) != 0) {
        fprintf(stderr, "%s\n", e.message);
        exit(1);
    }
    return shipper;
}

static void set_targets(struct scraper *scraper, size_t count)
{
    struct target_options *targets = mem_calloc(count, sizeof(*targets));
    struct err e = ERR_INIT;
    for (size_t i = 0; i < count; i++) {
        char instance[32];
        snprintf(instance, sizeof(instance), "10.0.%zu.%zu:9100", i / 256, i % 256);
        const struct label pairs[] = {
            {STR("instance"), str_of(instance)}, {STR("job"), STR("application")}};
        targets[i] = (struct target_options){
            .expose = expose, .interval_ms = INTERVAL_MS, .honor_timestamps = true};
        if (labels_new(pairs, 2, &targets[i].labels, &e) != 0) {
            exit(1);
        }
    }
    if (scraper_set_targets(scraper, targets, count, &e) != 0) {
        fprintf(stderr, "%s\n", e.message);
        exit(1);
    }
    for (size_t i = 0; i < count; i++) {
        labels_unref(targets[i].labels);
    }
    mem_free(targets);
}

static int remove_file(void *context, const char *name, bool is_directory)
{
    char path[256];
    (void)is_directory;
    snprintf(path, sizeof(path), "%s/%s", (const char *)context, name);
    return vfs_remove(vfs_posix(), path);
}

int main(int argc, char **argv)
{
    size_t targets = argc > 1 ? strtoul(argv[1], NULL, 10) : 20;
    size_t rounds = argc > 2 ? strtoul(argv[2], NULL, 10) : 100;
    char path[] = "/tmp/sonde-bench-XXXXXX";
    struct taker taker = {.client = {take, cancel, close_client}};
    struct fake_clock clock;
    struct scraper *scraper = NULL;
    if (mkdtemp(path) == NULL) {
        return 1;
    }
    fake_clock_init(&clock, 1700000000000);
    make_bodies();
    struct shipper *shipper = open_shipper(&taker, &clock, path);
    size_t before = mallinfo2().uordblks + mallinfo2().hblkhd;
    if (scraper_new(&clock.clock, &taker.client, shipper_intake(shipper), &scraper) != 0) {
        return 1;
    }
    set_targets(scraper, targets);
    double best = 1e9;
    uint64_t samples_before = 0;
    struct shipper_statistics s;
    for (size_t round = 0; round < rounds; round++) {
        body_now = (int)(round % BODIES);
        double begin = cpu_seconds();
        for (int step = 0; step < INTERVAL_MS / 100; step++) {
            (void)scraper_step(scraper);
            (void)shipper_step(shipper);
            answer_all(&taker);
            fake_clock_advance_ms(&clock, 100);
        }
        double spent = cpu_seconds() - begin;
        shipper_statistics(shipper, &s);
        double each = spent / (double)(s.added_samples - samples_before);
        samples_before = s.added_samples;
        best = round > 1 && each < best ? each : best;
    }
    size_t after = mallinfo2().uordblks + mallinfo2().hblkhd;
    size_t series = targets * FAMILIES * SERIES_PER_FAMILY;
    printf("%zu targets, %zu series, %zu rounds\n", targets, series, rounds);
    printf("best round: %.1f ns a sample, whole way\n", best * 1e9);
    printf("memory: %.1f bytes a series\n", (double)(after - before) / (double)series);
    printf("wire: %.1f bytes a sample\n", (double)taker.bytes / (double)s.added_samples);
    scraper_free(scraper);
    shipper_close(shipper);
    (void)vfs_list(vfs_posix(), path, remove_file, path);
    return vfs_remove(vfs_posix(), path) != 0;
}
