/* The hot formats on one core: remote write read by our decoder and unpacked by protobuf-c, and a
 * scraped body parsed with and without the memory of the scrape before.
 *
 *   bench_wire [rounds]
 *
 * The message is what an agent sends: 1000 series of 8 labels with 5 samples each. The body is what an
 * exporter of 10 000 series exposes. Each figure is the best of `rounds`.
 */
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/hash.h"
#include "base/mem.h"
#include "remote_write_oracle.pb-c.h"
#include "scrape/series_cache.h"
#include "wire/exposition.h"
#include "wire/remote_write2.h"

enum { ROUNDS = 30, SERIES = 1000, SAMPLES = 5, LABELS = 8, LINES = 10000 };

static struct clock *clock_used;
#define KEY_SEED 4711

/* ---- Remote write ---- */

/* The same series as 1.0 and as 2.0. */
static void build_messages(struct strbuf *out, struct strbuf *out2)
{
    struct strbuf labels = STRBUF_INIT;
    struct remote_write2_encoder *encoder;
    if (remote_write2_encoder_new(&encoder) != 0) {
        abort();
    }
    for (int i = 0; i < SERIES; i++) {
        char values[LABELS][32];
        static const char *const names[LABELS] = {
            "__name__", "code", "handler", "instance", "job", "method", "namespace", "pod"};
        struct label pairs[LABELS];
        struct sample samples[SAMPLES];
        for (int k = 0; k < LABELS; k++) {
            int length =
                snprintf(values[k], sizeof(values[k]), "%s_value_%d", names[k], k == 2 ? i : i % 7);
            pairs[k] = (struct label){str_of(names[k]), str_make(values[k], (size_t)length)};
        }
        for (int k = 0; k < SAMPLES; k++) {
            samples[k] = (struct sample){1700000000000 + k * 15000, i * 1.5 + k};
        }
        strbuf_reset(&labels);
        remote_write_encode_labels(pairs, LABELS, &labels);
        remote_write_encode_series(strbuf_str(&labels), samples, SAMPLES, out);
        remote_write2_encoder_add(encoder, &(struct remote_write2_series){.labels = pairs,
                                               .label_count = LABELS,
                                               .samples = samples,
                                               .sample_count = SAMPLES});
    }
    if (remote_write2_encoder_finish(encoder, out2) != 0) {
        abort();
    }
    remote_write2_encoder_free(encoder);
    strbuf_release(&labels);
}

/* Samples read; the key of each series is hashed as the server does; `split` decodes the labels too, as
 * for series never seen. */
static size_t decode(struct str message, bool second, bool split)
{
    struct arena arena;
    struct remote_write_decoder *d = NULL;
    struct remote_write_item item;
    size_t samples = 0;
    arena_init(&arena, 64 << 20);
    int status = second ? remote_write2_decoder_new(message, KEY_SEED, &arena, &d, NULL)
                        : remote_write_decoder_new(message, &arena, &d);
    if (status != 0) {
        abort();
    }
    while (remote_write_next(d, &item, NULL) == 1) {
        if (split && remote_write_labels(d, &item, NULL) != 0) {
            abort();
        }
        struct hash128 key = hash128(item.labels_bytes.ptr, item.labels_bytes.len, KEY_SEED);
        samples += item.sample_count + (key.low == 0);
    }
    arena_release(&arena);
    return samples;
}

static size_t decode_keys(struct str message)
{
    return decode(message, false, false);
}

static size_t decode_labels(struct str message)
{
    return decode(message, false, true);
}

static size_t decode2_keys(struct str message)
{
    return decode(message, true, false);
}

static size_t decode2_labels(struct str message)
{
    return decode(message, true, true);
}

static size_t unpack(struct str message)
{
    Oracle__WriteRequest *request =
        oracle__write_request__unpack(NULL, message.len, (const uint8_t *)message.ptr);
    size_t samples = 0;
    for (size_t i = 0; i < request->n_timeseries; i++) {
        samples += request->timeseries[i]->n_samples;
    }
    oracle__write_request__free_unpacked(request, NULL);
    return samples;
}

/* ---- A scraped body ---- */

static struct series_cache cache;

static void build_body(struct strbuf *out)
{
    for (int i = 0; i < LINES; i++) {
        if (i % 100 == 0) {
            strbuf_addf(out, "# HELP http_requests_%d_total Requests.\n", i / 100);
            strbuf_addf(out, "# TYPE http_requests_%d_total counter\n", i / 100);
        }
        strbuf_addf(out,
            "http_requests_%d_total{code=\"%d\",handler=\"/api/v1/path/%d\",method=\"GET\"} %d\n",
            i / 100, 200 + i % 5, i, i * 37);
    }
}

static void ignore_vanished(void *context, struct series_entry *entry)
{
    (void)context;
    (void)entry;
}

/* Samples read; each line's labels are split unless the cache knows it. */
static size_t parse(struct str body, struct series_cache *known)
{
    struct arena arena;
    struct exposition_parser parser;
    struct exposition_entry entry;
    struct label pairs[EXPOSITION_LABELS_MAX];
    size_t samples = 0, count = 0;
    arena_init(&arena, 64 << 20);
    exposition_begin(&parser, EXPOSITION_TEXT, body, &arena);
    while (exposition_next(&parser, &entry, NULL) == 1) {
        if (entry.kind != EXPOSITION_SAMPLE) {
            continue;
        }
        struct series_entry *seen =
            known != NULL ? series_cache_find(known, entry.series_text) : NULL;
        if (seen == NULL && exposition_labels(&parser, entry.series_text, pairs,
                                EXPOSITION_LABELS_MAX, &count, NULL) != 0) {
            abort();
        }
        if (known != NULL) {
            seen = seen != NULL ? seen : series_cache_add(known, entry.series_text, STR("labels"));
            if (seen == NULL) {
                abort();
            }
            (void)series_cache_mark(known, seen);
            seen->live = true;
        }
        samples++;
    }
    arena_release(&arena);
    return samples;
}

static size_t parse_cold(struct str body)
{
    return parse(body, NULL);
}

static size_t parse_warm(struct str body)
{
    series_cache_begin(&cache);
    size_t samples = parse(body, &cache);
    series_cache_settle(&cache, true);
    (void)series_cache_step(&cache, SIZE_MAX, ignore_vanished, NULL);
    return samples;
}

/* ---- Figures ---- */

/* Samples a second, the best of some rounds. */
static double rate_of(size_t (*work)(struct str), struct str input, uint64_t rounds)
{
    double best = 0;
    for (uint64_t i = 0; i < rounds; i++) {
        int64_t begin = clock_monotonic_ns(clock_used);
        size_t samples = work(input);
        int64_t spent = clock_monotonic_ns(clock_used) - begin;
        double rate = (double)samples * 1e9 / (double)(spent > 0 ? spent : 1);
        best = rate > best ? rate : best;
    }
    return best;
}

static void print_rate(const char *what, double rate, double peer, const char *peer_name)
{
    printf("%-44s %8.2f M samples/s %8.1f ns", what, rate / 1e6, 1e9 / rate);
    if (peer > 0) {
        printf("   %.1f times %s", rate / peer, peer_name);
    }
    printf("\n");
}

int main(int argc, char **argv)
{
    uint64_t rounds = ROUNDS;
    if (argc > 1 && str_to_u64(str_of(argv[1]), &rounds) != 0) {
        fprintf(stderr, "usage: bench_wire [rounds]\n");
        return 1;
    }
    struct strbuf message = STRBUF_INIT, message2 = STRBUF_INIT, body = STRBUF_INIT;
    clock_used = clock_real();
    build_messages(&message, &message2);
    build_body(&body);
    double oracle = rate_of(unpack, strbuf_str(&message), rounds);
    printf("remote write, %zu bytes, %d series of %d labels and %d samples\n", message.size, SERIES,
        LABELS, SAMPLES);
    print_rate("  protobuf-c unpack", oracle, 0, NULL);
    print_rate("  ours, labels as a key", rate_of(decode_keys, strbuf_str(&message), rounds),
        oracle, "protobuf-c");
    print_rate("  ours, labels split and checked",
        rate_of(decode_labels, strbuf_str(&message), rounds), oracle, "protobuf-c");
    printf("the same as remote write 2.0, %zu bytes\n", message2.size);
    print_rate("  ours, symbols as a key", rate_of(decode2_keys, strbuf_str(&message2), rounds),
        oracle, "protobuf-c");
    print_rate("  ours, labels resolved and checked",
        rate_of(decode2_labels, strbuf_str(&message2), rounds), oracle, "protobuf-c");
    series_cache_init(&cache, 1);
    double cold = rate_of(parse_cold, strbuf_str(&body), rounds);
    printf("exposition, %zu bytes, %d series\n", body.size, LINES);
    print_rate("  every line split", cold, 0, NULL);
    print_rate("  lines known from the scrape before",
        rate_of(parse_warm, strbuf_str(&body), rounds), cold, "that");
    series_cache_release(&cache);
    strbuf_release(&message);
    strbuf_release(&message2);
    strbuf_release(&body);
    return 0;
}
