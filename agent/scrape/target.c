/* One target's scrapes. */
#include "scrape/target.h"

#include <stdio.h>
#include <string.h>

#include "base/hash.h"
#include "base/mem.h"
#include "scrape/scrape_body.h"
#include "scrape/slots.h"
#include "wire/exposition.h"

enum { SYNTHETIC_COUNT = 5 };

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

struct target {
    struct target_options options;
    struct clock *clock;
    struct http_client *client;
    struct intake *intake;
    struct http_client_call *call;
    struct scrape_body body;
    uint64_t begun; /* scrapes that were over when the one under way began */
    bool reading;   /* an answer whose body is a target's comes; else it is passed over */
    enum { TARGET_AT_REST, TARGET_SENDING, TARGET_SETTLING } ending; /* a scrape */
    bool good;                                                       /* the one that ends */
    size_t sent;                                                     /* series of its order */
    struct sample_note note;                                         /* the next one */
    void (*wake)(void *context, struct target *t);
    void *wake_context;
    struct strbuf synthetic[SYNTHETIC_COUNT]; /* encoded labels */
    int64_t due_ms;   /* wall time of the next scrape; 0 = not planned yet */
    int64_t stamp_ms; /* time of the scrape under way */
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
    snprintf(
        t->timeout_header, sizeof(t->timeout_header), "%g", (double)t->options.timeout_ms / 1000);
    scrape_body_init(&t->body, &t->options, intake, metadata);
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

static bool end_scrape(struct target *t, size_t entries);

void target_free(struct target *t, bool gone)
{
    if (t == NULL) {
        return;
    }
    if (t->call != NULL) {
        t->client->cancel(t->client, t->call);
    }
    (void)end_scrape(t, SIZE_MAX);
    if (gone && t->status.scrapes > 0) {
        /* Behind the last sample: one time has one value. */
        int64_t now = clock_now_ms(t->clock);
        t->stamp_ms = now > t->status.last_scrape_ms ? now : t->status.last_scrape_ms + 1;
        struct sample stale = {t->stamp_ms, value_stale_marker()};
        series_cache_settle(&t->body.cache, false);
        (void)series_cache_step(&t->body.cache, SIZE_MAX, send_stale, t);
        for (size_t i = 0; i < SYNTHETIC_COUNT; i++) {
            send_sample(t, strbuf_str(&t->synthetic[i]), &stale);
        }
    }
    for (size_t i = 0; i < SYNTHETIC_COUNT; i++) {
        strbuf_release(&t->synthetic[i]);
    }
    scrape_body_release(&t->body);
    mem_free(t);
}

const struct target_options *target_options(const struct target *t)
{
    return &t->options;
}

bool target_is_asked(const struct target *t)
{
    return t->call != NULL;
}

void target_begin_soon(struct target *t)
{
    t->due_ms = clock_now_ms(t->clock) + 1;
}

void target_set_discovered(struct target *t, const struct labels *discovered)
{
    t->options.discovered = discovered;
}

void target_set_wake(struct target *t, void (*wake)(void *context, struct target *t), void *context)
{
    t->wake = wake;
    t->wake_context = context;
}

void target_status(const struct target *t, struct target_status *status_out)
{
    *status_out = t->status;
    status_out->series = t->body.cache.count;
    status_out->series_bytes = series_cache_bytes(&t->body.cache);
    status_out->cache_hits = t->body.cache.hits;
    status_out->cache_misses = t->body.cache.misses;
    status_out->refused_samples = t->body.refused_samples;
}

/* ---- The end of a scrape ---- */

static void send_synthetic(struct target *t, bool up)
{
    double values[SYNTHETIC_COUNT] = {up ? 1 : 0, t->status.last_duration_s,
        (double)t->status.last_samples, (double)t->status.last_kept,
        up ? (double)t->body.series_added : 0};
    for (size_t i = 0; i < SYNTHETIC_COUNT; i++) {
        struct sample sample = {t->stamp_ms, values[i]};
        send_sample(t, strbuf_str(&t->synthetic[i]), &sample);
    }
}

/* What is known of a series now. Most often it is what was known: then nothing is written, and the entry's line
 * of the processor's cache need not be written back. */
static void note_sent(struct series_entry *entry, bool live, bool own_timestamp, bool histogram)
{
    if (entry->live != live || entry->own_timestamp != own_timestamp ||
        entry->histogram != histogram) {
        entry->live = live;
        entry->own_timestamp = own_timestamp;
        entry->histogram = histogram;
    }
}

/* A sample that there is more to say of than its value. */
static void send_noted(struct target *t, struct series_entry *entry, const struct sample_note *note)
{
    struct sample sample = {note->has_time ? note->t_ms : t->stamp_ms,
        note->again != NULL ? note->value : entry->value};
    const struct remote_write_histogram histogram = {sample.t_ms, note->histogram};
    struct remote_write_series series = {.labels_bytes = series_entry_labels(entry)};
    bool live = note->histogram != NULL || !value_is_stale(sample.value);
    note_sent(entry, live, note->has_time, note->histogram != NULL);
    if (note->histogram != NULL) {
        series.histograms = &histogram;
        series.histogram_count = 1;
    } else {
        series.samples = &sample;
        series.sample_count = 1;
    }
    if (note->exemplar != NULL) {
        entry->exemplar = note->exemplar->hash;
        series.exemplars = &note->exemplar->exemplar;
        series.exemplar_count = 1;
    }
    t->intake->add(t->intake, &series);
}

static void next_note(struct target *t)
{
    if (!sample_notes_next(&t->body.notes, &t->note)) {
        t->note.at = SIZE_MAX;
    }
}

/* Sends what was read, up to so many samples; returns how many it may be yet. */
static size_t send_body(struct target *t, size_t samples)
{
    size_t count;
    struct series_entry *const *entries = series_cache_scraped(&t->body.cache, &count);
    for (; samples > 0; samples--) {
        if (t->note.at < t->sent) { /* a further sample */
            send_noted(t, t->note.again, &t->note);
            next_note(t);
            continue;
        }
        if (t->sent == count) {
            break;
        }
        struct series_entry *entry = entries[t->sent++];
        if (t->sent + SERIES_CACHE_AHEAD < count) {
            const char *labels = series_entry_labels(entries[t->sent + SERIES_CACHE_AHEAD]).ptr;
            __builtin_prefetch(labels);
            __builtin_prefetch(labels + 64);
        }
        if (t->note.at == t->sent - 1 && t->note.again == NULL) {
            send_noted(t, entry, &t->note);
            next_note(t);
        } else if (!entry->dropped) {
            struct sample sample = {t->stamp_ms, entry->value};
            note_sent(entry, !value_is_stale(entry->value), false, false);
            send_sample(t, series_entry_labels(entry), &sample);
        }
    }
    return samples;
}

/* Goes on with the end of a scrape, for so many samples or series; true when it is over. */
static bool end_scrape(struct target *t, size_t entries)
{
    if (t->ending == TARGET_SENDING) {
        entries = send_body(t, entries);
        if (entries == 0) {
            return false;
        }
        t->ending = TARGET_SETTLING;
        scrape_body_clear(&t->body);
        series_cache_settle(&t->body.cache, t->good);
    }
    if (t->ending == TARGET_SETTLING) {
        if (!series_cache_step(&t->body.cache, entries, send_stale, t)) {
            return false;
        }
        t->ending = TARGET_AT_REST;
        send_synthetic(t, t->good);
    }
    return true;
}

/* The scrape is over; what it means to be sent begins to be. */
static void finish(struct target *t, int status, const struct err *e)
{
    t->status.scrapes++;
    t->status.last_scrape_ms = t->stamp_ms;
    t->status.last_duration_s = (double)(clock_monotonic_ns(t->clock) - t->started_ns) / 1e9;
    t->status.last_kept = t->body.sample_count + t->body.ignored_count;
    t->status.last_samples = t->status.last_kept + t->body.dropped_count;
    t->status.failures += status != 0;
    t->status.health = status == 0 ? TARGET_UP : TARGET_DOWN;
    snprintf(t->status.error, sizeof(t->status.error), "%s", status == 0 ? "" : e->message);
    t->good = status == 0;
    if (t->good) {
        t->ending = TARGET_SENDING;
        t->sent = 0;
        sample_notes_rewind(&t->body.notes);
        next_note(t);
    } else {
        t->ending = TARGET_SETTLING;
        scrape_body_clear(&t->body);
        series_cache_settle(&t->body.cache, false);
    }
    if (!end_scrape(t, TARGET_SENT_AT_ONCE) && t->wake != NULL) {
        t->wake(t->wake_context, t);
    }
}

/* There is no body, or not all of it. */
static void finish_without(struct target *t, const struct err *e)
{
    t->body.sample_count = t->body.dropped_count = t->body.ignored_count = 0;
    finish(t, e->code, e);
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

/* An answer of status 2xx begins. */
static int on_head(void *context, const struct http_client_response *r)
{
    struct target *t = context;
    struct err e = ERR_INIT;
    enum exposition_format format;
    if (r->status != 200) {
        return 0; /* passed over, so that the connection can be kept */
    }
    if (find_format(t, r->content_type, &format, &e) != 0) {
        finish_without(t, &e);
        return e.code;
    }
    scrape_body_set_format(&t->body, format);
    t->reading = true;
    return 0;
}

/* A body that is not good is not read to its end: the connection goes with it. */
static int on_body(void *context, struct str piece)
{
    struct target *t = context;
    struct err e = ERR_INIT;
    int status = t->reading ? scrape_body_take(&t->body, piece, &e) : 0;
    if (status != 0) {
        finish(t, status, &e);
    }
    return status;
}

static void on_answer(void *context, const struct http_client_response *r)
{
    struct target *t = context;
    struct err e = ERR_INIT;
    bool reading = t->reading;
    t->call = NULL;
    t->reading = false;
    if (r->error == ERR_CANCELED || t->status.scrapes > t->begun) {
        return; /* nobody waits for it, or it has failed before its end */
    }
    if (r->error == ERR_TIMEOUT) {
        err_set(&e, r->error, -1, "no whole answer within %s s", t->timeout_header);
    } else if (r->error == ERR_LIMIT) {
        err_set(&e, r->error, -1, "the body is larger than %zu bytes", t->options.body_max);
    } else if (r->error != 0) {
        err_set(&e, r->error, -1, "%s", r->error_text != NULL ? r->error_text : "no answer");
    } else if (!reading) {
        err_set(&e, ERR_INVALID, -1, "server returned HTTP status %u", r->status);
    } else {
        finish(t, scrape_body_end(&t->body, &e), &e);
        return;
    }
    finish_without(t, &e);
}

/* ---- The beginning of a scrape ---- */

static void begin_forced(struct target *t)
{
    struct err e = ERR_INIT;
    err_set(&e, ERR_LIMIT, -1, "%s", t->options.forced_error);
    finish_without(t, &e);
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
        .on_head = on_head,
        .on_body = on_body,
        .accept_gzip = true,
        .profile = t->options.profile,
    };
    int status = t->client->send(t->client, &request, on_answer, t, &t->call);
    if (status != 0) {
        struct err e = ERR_INIT;
        err_set(&e, status, -1, "the request cannot be sent: %s", err_text(status));
        t->call = NULL;
        finish_without(t, &e);
    }
}

static void begin_local(struct target *t)
{
    struct strbuf text;
    struct err e = ERR_INIT;
    strbuf_init(&text, t->options.body_max);
    t->options.expose(t->options.expose_context, &text);
    if (strbuf_error(&text) != 0) {
        err_set(&e, strbuf_error(&text), -1, "the exposition cannot be written");
        finish_without(t, &e);
    } else {
        scrape_body_set_format(&t->body, EXPOSITION_TEXT);
        int status = scrape_body_take(&t->body, strbuf_str(&text), &e);
        status = status == 0 ? scrape_body_end(&t->body, &e) : status;
        finish(t, status, &e);
    }
    strbuf_release(&text);
}

static int64_t next_slot(const struct target *t, int64_t now)
{
    return slot_after(now, t->options.interval_ms, t->options.labels, t->options.seed);
}

int64_t target_step(struct target *t)
{
    if (!end_scrape(t, TARGET_SENT_AT_ONCE)) {
        return 0;
    }
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
    t->begun = t->status.scrapes;
    scrape_body_begin(&t->body, t->stamp_ms);
    if (t->options.forced_error != NULL) {
        begin_forced(t);
    } else if (t->options.url != NULL) {
        begin_http(t);
    } else {
        begin_local(t);
    }
    return t->ending == TARGET_AT_REST ? t->due_ms - now : 0;
}
