/* One target's scrapes. */
#include "scrape/target.h"

#include <stdio.h>
#include <string.h>

#include "base/hash.h"
#include "base/mem.h"
#include "scrape/known_comments.h"
#include "scrape/slots.h"
#include "scrape/target_labels.h"
#include "wire/exposition.h"

enum { SYNTHETIC_COUNT = 5, PARSE_ARENA_MAX = 256 << 20, STAGED_MAX = 4 << 20 };

/* Lateness up to which a scrape carries the time it was due, which makes times regular: 2 ms, or one
 * hundredth of the interval where that is less. */
enum { ALIGN_MS_MAX = 2, ALIGN_SHARE = 100 };

#define ACCEPT_PROTOBUF                                                                            \
    "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited;"  \
    "q=0.6,"
#define ACCEPT_TEXT                                                                                \
    "application/openmetrics-text;version=1.0.0;q=0.5,text/plain;version=0.0.4;q=0.3,*/*;q=0.2"

static const char *const synthetic_names[SYNTHETIC_COUNT] = {"up", "scrape_duration_seconds",
    "scrape_samples_scraped", "scrape_samples_post_metric_relabeling", "scrape_series_added"};

struct staged {
    struct series_entry *entry;
    struct sample sample;
    bool own_timestamp;
    const struct histogram *histogram; /* in place of the value; NULL: none */
};

/* An exemplar of the sample staged as number `at`. */
struct staged_exemplar {
    size_t at;
    struct remote_write_exemplar exemplar;
};

struct target {
    struct target_options options;
    struct clock *clock;
    struct http_client *client;
    struct intake *intake;
    struct metric_metadata *metadata;
    struct http_client_call *call;
    struct series_cache cache;
    struct known_comments comments;
    struct strbuf synthetic[SYNTHETIC_COUNT]; /* encoded labels */
    struct strbuf labels;                     /* of the series being made */
    struct staged *staged;
    size_t staged_count, staged_cap;
    struct staged_exemplar *exemplars; /* ascending */
    size_t exemplar_count, exemplar_cap;
    uint64_t series_added;
    size_t dropped_count; /* samples of this scrape that relabelling dropped */
    size_t ignored_count; /* and that came twice, or from the future */
    int64_t due_ms;       /* wall time of the next scrape; 0 = not planned yet */
    int64_t stamp_ms;     /* time of the scrape in flight */
    int64_t started_ns;
    char timeout_header[32];
    struct target_status status;
};

/* ---- Making and ending ---- */

/* Labels of a synthetic series: the target's, the name, and external ones. */
static int encode_synthetic(struct target *t, size_t index)
{
    struct labels_builder b;
    labels_builder_init_from(&b, t->options.labels);
    labels_builder_set(&b, STR(LABEL_METRIC_NAME), str_of(synthetic_names[index]));
    int status = intake_encode_labels(t->options.external, &b, &t->synthetic[index]);
    labels_builder_release(&b);
    return status;
}

struct target_options target_options_effective(const struct target_options *options)
{
    struct target_options o = *options;
    o.body_max = o.body_max != 0 ? o.body_max : TARGET_BODY_MAX_DEFAULT;
    if (o.timeout_ms <= 0 || o.timeout_ms > o.interval_ms) {
        o.timeout_ms = o.interval_ms; /* the next scrape must find this one over */
    }
    return o;
}

int target_new(const struct target_options *options, struct clock *clock,
    struct http_client *client, struct intake *intake, struct metric_metadata *metadata,
    struct target **target_out)
{
    if (options->interval_ms <= 0) {
        return ERR_INVALID;
    }
    struct target *t = mem_calloc(1, sizeof(*t));
    if (t == NULL) {
        return ERR_NOMEM;
    }
    t->options = target_options_effective(options);
    t->clock = clock;
    t->client = client;
    t->intake = intake;
    t->metadata = metadata;
    snprintf(
        t->timeout_header, sizeof(t->timeout_header), "%g", (double)t->options.timeout_ms / 1000);
    series_cache_init(&t->cache, hash_seed_random());
    t->comments.seed = hash_seed_random();
    strbuf_init(&t->labels, LABELS_BYTES_MAX * 2);
    int status = 0;
    for (size_t i = 0; i < SYNTHETIC_COUNT; i++) {
        strbuf_init(&t->synthetic[i], LABELS_BYTES_MAX * 2);
        status = status == 0 ? encode_synthetic(t, i) : status;
    }
    if (status != 0) {
        target_free(t, false);
        return status;
    }
    *target_out = t;
    return 0;
}

static void send_sample(struct target *t, struct str labels_bytes, const struct sample *sample)
{
    const struct remote_write_series series = {
        .labels_bytes = labels_bytes, .samples = sample, .sample_count = 1};
    t->intake->add(t->intake, &series);
}

static void send_histogram(
    struct target *t, struct str labels_bytes, int64_t t_ms, const struct histogram *histogram)
{
    const struct remote_write_histogram item = {t_ms, histogram};
    const struct remote_write_series series = {
        .labels_bytes = labels_bytes, .histograms = &item, .histogram_count = 1};
    t->intake->add(t->intake, &series);
}

static void send_stale(void *context, struct series_entry *entry)
{
    struct target *t = context;
    struct sample stale = {t->stamp_ms, value_stale_marker()};
    if (entry->own_timestamp && !t->options.track_timestamps) {
        return;
    }
    if (entry->histogram) { /* it ends as what it was */
        const struct histogram none = {.sum = value_stale_marker()};
        send_histogram(t, series_entry_labels(entry), t->stamp_ms, &none);
    } else {
        send_sample(t, series_entry_labels(entry), &stale);
    }
}

/* What was staged lies in memory during a scrape only: all targets use the same, one after the other. */
static void release_staged(struct target *t)
{
    mem_free(t->staged);
    mem_free(t->exemplars);
    t->staged = NULL;
    t->exemplars = NULL;
    t->staged_cap = t->exemplar_cap = 0;
}

void target_free(struct target *t, bool gone)
{
    if (t == NULL) {
        return;
    }
    if (t->call != NULL) {
        t->client->cancel(t->client, t->call);
    }
    if (gone && t->status.scrapes > 0) {
        /* Behind the last sample: one time has one value. */
        int64_t now = clock_now_ms(t->clock);
        t->stamp_ms = now > t->status.last_scrape_ms ? now : t->status.last_scrape_ms + 1;
        struct sample stale = {t->stamp_ms, value_stale_marker()};
        series_cache_fail(&t->cache, send_stale, t);
        for (size_t i = 0; i < SYNTHETIC_COUNT; i++) {
            send_sample(t, strbuf_str(&t->synthetic[i]), &stale);
        }
    }
    for (size_t i = 0; i < SYNTHETIC_COUNT; i++) {
        strbuf_release(&t->synthetic[i]);
    }
    series_cache_release(&t->cache);
    comments_release(&t->comments);
    strbuf_release(&t->labels);
    release_staged(t);
    mem_free(t);
}

const struct target_options *target_options(const struct target *t)
{
    return &t->options;
}

void target_set_discovered(struct target *t, const struct labels *discovered)
{
    t->options.discovered = discovered;
}

void target_status(const struct target *t, struct target_status *status_out)
{
    *status_out = t->status;
    status_out->series = t->cache.count;
    status_out->cache_hits = t->cache.hits;
    status_out->cache_misses = t->cache.misses;
}

/* ---- A body into staged samples ---- */

/* Parses the text of a series never seen into a new entry. */
static int learn_series(struct target *t, struct exposition_parser *p, struct str text,
    struct series_entry **entry_out, struct err *e)
{
    struct label pairs[EXPOSITION_LABELS_MAX];
    size_t count = 0;
    int status = exposition_labels(p, text, pairs, EXPOSITION_LABELS_MAX, &count, e);
    if (status != 0) {
        return status;
    }
    struct err why = ERR_INIT;
    int kept = target_labels_encode(&t->options, p, pairs, count, &t->labels, &why);
    if (kept >= 0) {
        *entry_out = series_cache_add(&t->cache, text, strbuf_str(&t->labels));
        status = *entry_out == NULL ? ERR_LIMIT : 0;
    } else {
        status = kept;
    }
    if (status == 0) {
        (*entry_out)->dropped = kept == 0;
        return 0;
    }
    return why.code != 0 ? err_set(e, status, -1, "%s", why.message)
                         : err_set(e, status, -1, "line %zu: the series cannot be kept: %s",
                               p->line, err_text(status));
}

/* Counted after relabelling, as Prometheus does. */
static int check_sample_limit(const struct target *t, struct err *e)
{
    if (t->options.sample_limit > 0 && t->staged_count > t->options.sample_limit) {
        return err_set(e, ERR_LIMIT, -1, "more samples than sample_limit (%zu) allows",
            t->options.sample_limit);
    }
    return 0;
}

/* The entry of a series, learnt when it is new. 1; 0 where the sample goes no further: relabelling drops
 * it, or memory is full and the series new. */
static int find_entry(struct target *t, struct exposition_parser *p, struct str text,
    struct series_entry **entry_out, struct err *e)
{
    struct series_entry *entry = series_cache_find(&t->cache, text);
    if (entry == NULL && t->intake->pressure(t->intake) >= INTAKE_FULL) {
        t->status.refused_samples++;
        return 0;
    }
    int status = entry == NULL ? learn_series(t, p, text, &entry, e) : 0;
    if (status != 0) {
        return status;
    }
    *entry_out = entry;
    if (entry->dropped) {
        bool unused;
        t->dropped_count += series_cache_mark(&t->cache, entry, &unused);
        return 0;
    }
    return 1;
}

/* Stages a sample or, where there is one, a native histogram. */
static int stage(struct target *t, struct series_entry *entry, const struct staged *wanted,
    size_t line, struct err *e)
{
    int status = mem_array_grow(
        (void **)&t->staged, &t->staged_cap, t->staged_count + 1, sizeof(*t->staged), STAGED_MAX);
    if (status != 0) {
        return err_set(e, status, -1, "line %zu: too many samples", line);
    }
    bool is_new = false, own_time = wanted->own_timestamp;
    bool ahead = own_time && wanted->sample.t_ms > t->stamp_ms + TARGET_FUTURE_MS_MAX;
    if (ahead || (!series_cache_mark(&t->cache, entry, &is_new) && !own_time)) {
        t->ignored_count++; /* of a series that comes twice the first sample is taken */
        return 0;
    }
    t->series_added += is_new;
    t->staged[t->staged_count++] = *wanted;
    return check_sample_limit(t, e);
}

/* Remembers the exemplar of the sample staged last. It comes with every scrape until there is a newer
 * one, and is sent once. */
static int stage_exemplar(struct target *t, struct exposition_parser *p,
    const struct exposition_entry *line, struct series_entry *entry, struct err *e)
{
    struct label pairs[EXPOSITION_LABELS_MAX];
    struct remote_write_exemplar x = {.value = line->exemplar_value,
        .t_ms = line->exemplar_has_timestamp ? line->exemplar_t_ms : t->stamp_ms};
    uint64_t hash = hash64(line->exemplar_text.ptr, line->exemplar_text.len, t->comments.seed);
    hash = hash_mix64(hash ^ double_bits(x.value));
    hash = hash_mix64(hash ^ (line->exemplar_has_timestamp ? (uint64_t)x.t_ms : 0));
    if (hash == entry->exemplar) {
        return 0;
    }
    int status =
        exposition_labels(p, line->exemplar_text, pairs, EXPOSITION_LABELS_MAX, &x.label_count, e);
    if (status != 0) {
        return status;
    }
    x.labels = arena_dup(p->arena, pairs, x.label_count * sizeof(pairs[0]));
    if ((x.labels == NULL && x.label_count > 0) ||
        mem_array_grow((void **)&t->exemplars, &t->exemplar_cap, t->exemplar_count + 1,
            sizeof(*t->exemplars), STAGED_MAX) != 0) {
        return err_set(e, ERR_NOMEM, -1, "out of memory for an exemplar");
    }
    entry->exemplar = hash;
    t->exemplars[t->exemplar_count++] = (struct staged_exemplar){t->staged_count - 1, x};
    return 0;
}

static int stage_sample(struct target *t, struct exposition_parser *p,
    const struct exposition_entry *line, struct err *e)
{
    struct series_entry *entry = NULL;
    int status = find_entry(t, p, line->series_text, &entry, e);
    if (status != 1) {
        return status == 0 ? check_sample_limit(t, e) : status;
    }
    bool own_time = line->has_timestamp && t->options.honor_timestamps;
    size_t before = t->staged_count;
    struct staged wanted = {
        entry, {own_time ? line->t_ms : t->stamp_ms, line->value}, own_time, NULL};
    status = stage(t, entry, &wanted, p->line, e);
    if (status == 0 && line->has_exemplar && t->staged_count > before) {
        status = stage_exemplar(t, p, line, entry, e);
    }
    return status;
}

static int stage_histogram(struct target *t, struct exposition_parser *p,
    const struct exposition_histogram *item, struct err *e)
{
    struct series_entry *entry = NULL;
    size_t buckets = item->histogram->positive.count + item->histogram->negative.count;
    if (t->options.bucket_limit > 0 && buckets > t->options.bucket_limit) {
        return err_set(e, ERR_LIMIT, -1,
            "a native histogram of %zu buckets; native_histogram_bucket_limit is %zu", buckets,
            t->options.bucket_limit);
    }
    int status = find_entry(t, p, item->series_text, &entry, e);
    if (status != 1) {
        return status == 0 ? check_sample_limit(t, e) : status;
    }
    bool own_time = item->has_timestamp && t->options.honor_timestamps;
    struct staged wanted = {
        entry, {own_time ? item->t_ms : t->stamp_ms, 0}, own_time, item->histogram};
    return stage(t, entry, &wanted, 0, e);
}

/* A line that stands where it stood in the last scrape. */
static int stage_known(struct target *t, struct series_entry *entry, double value, struct err *e)
{
    bool is_new = series_cache_take(&t->cache);
    if (entry->dropped) {
        t->dropped_count++;
        return 0;
    }
    if (t->staged_count == t->staged_cap) {
        int status = mem_array_grow((void **)&t->staged, &t->staged_cap, t->staged_count + 1,
            sizeof(*t->staged), STAGED_MAX);
        if (status != 0) {
            return err_set(e, status, -1, "too many samples");
        }
    }
    t->series_added += is_new;
    t->staged[t->staged_count++] = (struct staged){entry, {t->stamp_ms, value}, false, NULL};
    return check_sample_limit(t, e);
}

static void keep_metadata(struct target *t, const struct exposition_entry *line)
{
    switch (line->kind) {
    case EXPOSITION_TYPE:
        metric_metadata_type(t->metadata, line->metric, line->type);
        break;
    case EXPOSITION_HELP:
        metric_metadata_help(t->metadata, line->metric, line->text);
        break;
    case EXPOSITION_UNIT:
        metric_metadata_unit(t->metadata, line->metric, line->text);
        break;
    case EXPOSITION_SAMPLE:
        break;
    }
}

static int stage_lines(struct target *t, struct exposition_parser *p, struct err *e)
{
    struct exposition_entry line;
    int status;
    comments_begin(&t->comments, t->metadata->sweeps); /* a sweep asks for all again */
    for (;;) {
        double value;
        struct series_entry *expected = series_cache_peek(&t->cache);
        series_cache_prefetch(&t->cache);
        if (expected != NULL && exposition_take_known(p, series_entry_text(expected), &value)) {
            status = stage_known(t, expected, value, e);
            if (status != 0) {
                break;
            }
            continue;
        }
        if (comments_skip(&t->comments, p)) {
            continue;
        }
        status = exposition_next(p, &line, e);
        if (status != 1) {
            break;
        }
        if (line.kind == EXPOSITION_SAMPLE) {
            status = stage_sample(t, p, &line, e);
            if (status != 0) {
                break;
            }
        } else {
            keep_metadata(t, &line);
        }
    }
    return status;
}

/* A body of protobuf: its text, then its native histograms. */
static int stage_protobuf(
    struct target *t, struct str body, struct arena *arena, struct strbuf *text, struct err *e)
{
    struct exposition_histograms histograms;
    struct exposition_parser parser;
    int status =
        exposition_read_protobuf(body, t->options.classic_histograms, arena, text, &histograms, e);
    if (status != 0) {
        return status;
    }
    exposition_begin(&parser, EXPOSITION_TEXT, strbuf_str(text), arena);
    status = stage_lines(t, &parser, e);
    for (size_t i = 0; status == 0 && i < histograms.count; i++) {
        status = stage_histogram(t, &parser, &histograms.items[i], e);
    }
    return status;
}

/* ---- The end of a scrape ---- */

static void send_synthetic(struct target *t, bool up)
{
    double values[SYNTHETIC_COUNT] = {up ? 1 : 0, t->status.last_duration_s,
        (double)t->status.last_samples, (double)t->status.last_kept,
        up ? (double)t->series_added : 0};
    for (size_t i = 0; i < SYNTHETIC_COUNT; i++) {
        struct sample sample = {t->stamp_ms, values[i]};
        send_sample(t, strbuf_str(&t->synthetic[i]), &sample);
    }
}

/* What is known of a series now. Most often it is what was known: then nothing is written, and the entry's line
 * of the processor's cache need not be written back. */
static void note_sent(struct series_entry *entry, const struct staged *s)
{
    bool live = s->histogram != NULL || !value_is_stale(s->sample.value);
    bool histogram = s->histogram != NULL;
    if (entry->live != live || entry->own_timestamp != s->own_timestamp ||
        entry->histogram != histogram) {
        entry->live = live;
        entry->own_timestamp = s->own_timestamp;
        entry->histogram = histogram;
    }
}

static void send_staged(struct target *t)
{
    size_t exemplar = 0;
    for (size_t i = 0; i < t->staged_count; i++) {
        struct staged *s = &t->staged[i];
        struct series_entry *entry = s->entry;
        if (i + SERIES_CACHE_AHEAD < t->staged_count) {
            const char *labels = series_entry_labels(t->staged[i + SERIES_CACHE_AHEAD].entry).ptr;
            __builtin_prefetch(labels);
            __builtin_prefetch(labels + 64);
        }
        note_sent(entry, s);
        if (s->histogram != NULL) {
            send_histogram(t, series_entry_labels(entry), s->sample.t_ms, s->histogram);
        } else if (exemplar < t->exemplar_count && t->exemplars[exemplar].at == i) {
            const struct remote_write_series series = {series_entry_labels(entry), &s->sample, 1,
                NULL, 0, &t->exemplars[exemplar++].exemplar, 1};
            t->intake->add(t->intake, &series);
        } else {
            send_sample(t, series_entry_labels(entry), &s->sample);
        }
    }
}

static void begin_body(struct target *t)
{
    /* As much as last time; where there is none, staging says so. */
    (void)mem_array_grow((void **)&t->staged, &t->staged_cap, (size_t)t->status.last_kept,
        sizeof(*t->staged), STAGED_MAX);
    t->exemplar_count = 0;
    series_cache_begin(&t->cache);
    t->staged_count = t->dropped_count = t->ignored_count = 0;
    t->series_added = 0;
}

static void finish(struct target *t, int status, const struct err *e)
{
    t->status.scrapes++;
    t->status.last_scrape_ms = t->stamp_ms;
    t->status.last_duration_s = (double)(clock_monotonic_ns(t->clock) - t->started_ns) / 1e9;
    /* Of a failed scrape what was read before it failed, as Prometheus counts; none of it is kept. */
    t->status.last_kept = t->staged_count + t->ignored_count;
    t->status.last_samples = t->status.last_kept + t->dropped_count;
    if (status != 0) {
        t->status.failures++;
        t->status.health = TARGET_DOWN;
        snprintf(t->status.error, sizeof(t->status.error), "%s", e->message);
        release_staged(t);
        series_cache_fail(&t->cache, send_stale, t);
        send_synthetic(t, false);
        return;
    }
    send_staged(t);
    release_staged(t);
    t->status.health = TARGET_UP;
    t->status.error[0] = '\0';
    series_cache_end(&t->cache, send_stale, t);
    send_synthetic(t, true);
}

static void take_body(struct target *t, enum exposition_format format, struct str body)
{
    struct err e = ERR_INIT;
    struct arena arena;
    struct strbuf text;
    struct exposition_parser parser;
    int status;
    arena_init(&arena, PARSE_ARENA_MAX);
    strbuf_init(&text, PARSE_ARENA_MAX);
    begin_body(t);
    if (format == EXPOSITION_PROTOBUF) {
        status = stage_protobuf(t, body, &arena, &text, &e);
    } else {
        exposition_begin(&parser, format, body, &arena);
        status = stage_lines(t, &parser, &e);
    }
    finish(t, status, &e);
    strbuf_release(&text);
    arena_release(&arena);
}

/* The format of an answer: 0, or ERR_UNSUPPORTED where it does not say it and none is to be assumed. */
static int find_format(const struct target *t, struct str content_type,
    enum exposition_format *format_out, struct err *e)
{
    if (exposition_format_of(content_type, false, format_out) == 0) {
        return 0;
    }
    if (t->options.no_fallback) {
        return err_set(e, ERR_UNSUPPORTED, -1,
            "the answer's Content-Type \"%.*s\" is no format of metrics, and there is no "
            "fallback_scrape_protocol",
            (int)content_type.len, content_type.len > 0 ? content_type.ptr : "");
    }
    *format_out = t->options.fallback;
    return 0;
}

static void on_answer(void *context, const struct http_client_response *r)
{
    struct target *t = context;
    struct err e = ERR_INIT;
    enum exposition_format format;
    t->call = NULL;
    if (r->error == ERR_CANCELED) {
        return;
    }
    if (r->error == ERR_TIMEOUT) {
        err_set(&e, r->error, -1, "no whole answer within %s s", t->timeout_header);
    } else if (r->error == ERR_LIMIT) {
        err_set(&e, r->error, -1, "the body is larger than %zu bytes", t->options.body_max);
    } else if (r->error != 0) {
        err_set(&e, r->error, -1, "%s", r->error_text != NULL ? r->error_text : "no answer");
    } else if (r->status != 200) {
        err_set(&e, ERR_INVALID, -1, "server returned HTTP status %u", r->status);
    } else if (find_format(t, r->content_type, &format, &e) == 0) {
        take_body(t, format, r->body);
        return;
    }
    begin_body(t);
    finish(t, e.code, &e);
}

/* ---- The beginning of a scrape ---- */

static void begin_forced(struct target *t)
{
    struct err e = ERR_INIT;
    err_set(&e, ERR_LIMIT, -1, "%s", t->options.forced_error);
    begin_body(t);
    finish(t, e.code, &e);
}

static void begin_http(struct target *t)
{
    const struct http_client_header headers[] = {
        {"Accept", t->options.native_histograms ? ACCEPT_PROTOBUF ACCEPT_TEXT : ACCEPT_TEXT},
        {"X-Prometheus-Scrape-Timeout-Seconds", t->timeout_header},
    };
    struct http_client_request request = {
        .method = "GET",
        .url = t->options.url,
        .headers = headers,
        .header_count = sizeof(headers) / sizeof(headers[0]),
        .timeout_ms = t->options.timeout_ms,
        .body_max = t->options.body_max,
        .follow_redirects = t->options.profile == NULL || t->options.profile->follow_redirects,
        .accept_gzip = true,
        .profile = t->options.profile,
    };
    int status = t->client->send(t->client, &request, on_answer, t, &t->call);
    if (status != 0) {
        struct err e = ERR_INIT;
        err_set(&e, status, -1, "the request cannot be sent: %s", err_text(status));
        t->call = NULL;
        begin_body(t);
        finish(t, status, &e);
    }
}

static void begin_local(struct target *t)
{
    struct strbuf body;
    strbuf_init(&body, t->options.body_max);
    t->options.expose(t->options.expose_context, &body);
    if (strbuf_error(&body) != 0) {
        struct err e = ERR_INIT;
        err_set(&e, strbuf_error(&body), -1, "the exposition cannot be written");
        begin_body(t);
        finish(t, e.code, &e);
    } else {
        take_body(t, EXPOSITION_TEXT, strbuf_str(&body));
    }
    strbuf_release(&body);
}

static int64_t next_slot(const struct target *t, int64_t now)
{
    return slot_after(now, t->options.interval_ms, t->options.labels, t->options.seed);
}

int64_t target_step(struct target *t)
{
    int64_t now = clock_now_ms(t->clock);
    if (t->due_ms == 0) {
        /* Local targets begin at once: they cost nobody anything. */
        t->due_ms = t->options.url == NULL ? now : next_slot(t, now);
    }
    if (now < t->due_ms - SLOT_EARLY_MS) {
        /* A wall clock set back must not stop scraping for as long. */
        if (t->due_ms - now > t->options.interval_ms + SLOT_EARLY_MS) {
            t->due_ms = next_slot(t, now);
        }
        return t->due_ms - now;
    }
    if (t->call != NULL) {
        t->status.skipped++; /* still at the last one: its own timeout ends it */
        t->due_ms = next_slot(t, now);
        return t->due_ms - now;
    }
    int64_t late = now - t->due_ms;
    int64_t tolerance = t->options.interval_ms / ALIGN_SHARE;
    tolerance = tolerance < ALIGN_MS_MAX ? tolerance : ALIGN_MS_MAX;
    t->stamp_ms = late <= tolerance ? t->due_ms : now;
    t->status.skipped += (uint64_t)(late / t->options.interval_ms);
    t->started_ns = clock_monotonic_ns(t->clock);
    t->due_ms = next_slot(t, now);
    if (t->options.forced_error != NULL) {
        begin_forced(t);
    } else if (t->options.url != NULL) {
        begin_http(t);
    } else {
        begin_local(t);
    }
    return t->due_ms - now;
}
