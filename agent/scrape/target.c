/* One target's scrapes. */
#include "scrape/target.h"

#include <stdio.h>
#include <string.h>

#include "base/hash.h"
#include "base/mem.h"
#include "scrape/known_comments.h"
#include "wire/exposition.h"
#include "wire/remote_write.h"

enum { SYNTHETIC_COUNT = 5, PARSE_ARENA_MAX = 256 << 20, STAGED_MAX = 4 << 20 };
/* exported_exported_… : a body that has more of them than this is refused. */
enum { EXPORTED_PREFIXES_MAX = 8 };

/* Lateness up to which a scrape carries the time it was due, which makes times regular: 2 ms, or one
 * hundredth of the interval where that is less. */
enum { ALIGN_MS_MAX = 2, ALIGN_SHARE = 100 };

static const char *const synthetic_names[SYNTHETIC_COUNT] = {"up", "scrape_duration_seconds",
    "scrape_samples_scraped", "scrape_samples_post_metric_relabeling", "scrape_series_added"};

struct staged {
    struct series_entry *entry;
    struct sample sample;
    bool own_timestamp;
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
    uint64_t series_added;
    size_t dropped_count; /* samples of this scrape that relabelling dropped */
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

static void send_stale(void *context, struct series_entry *entry)
{
    struct target *t = context;
    struct sample stale = {t->stamp_ms, value_stale_marker()};
    if (!entry->own_timestamp) {
        send_sample(t, entry->labels_bytes, &stale);
    }
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
    mem_free(t->staged);
    mem_free(t);
}

const struct target_options *target_options(const struct target *t)
{
    return &t->options;
}

void target_status(const struct target *t, struct target_status *status_out)
{
    *status_out = t->status;
    status_out->series = t->cache.count;
    status_out->cache_hits = t->cache.hits;
    status_out->cache_misses = t->cache.misses;
}

/* ---- A body into staged samples ---- */

static bool has_label(const struct label *pairs, size_t count, struct str name)
{
    for (size_t i = 0; i < count; i++) {
        if (str_eq(pairs[i].name, name)) {
            return true;
        }
    }
    return false;
}

/* Keeps the body's value of a label whose name the target took: as exported_<name>, with as many
 * prefixes as it takes to find a name that neither side has. */
static int keep_exported(
    struct target *t, struct label pair, struct labels_builder *b, struct arena *arena)
{
    static const struct str prefix = {"exported_", 9};
    struct str name = pair.name;
    for (int i = 0; i < EXPORTED_PREFIXES_MAX; i++) {
        char *text = arena_alloc(arena, prefix.len + name.len);
        if (text == NULL) {
            return arena_error(arena);
        }
        memcpy(text, prefix.ptr, prefix.len);
        memcpy(text + prefix.len, name.ptr, name.len);
        name = str_make(text, prefix.len + name.len);
        if (labels_builder_get(b, name).len == 0 && !labels_has(t->options.labels, name)) {
            labels_builder_set(b, name, pair.value);
            return 0;
        }
    }
    return ERR_LIMIT;
}

/* The labels a series gets: its own and the target's. Where both have a name the target's wins and
 * the body's is kept as exported_<name>; with honor_labels the body's wins, an empty value included,
 * which is how a body asks to go without the label. */
static int final_labels(struct target *t, const struct label *pairs, size_t count,
    struct labels_builder *b, struct arena *arena)
{
    int status = 0;
    labels_builder_init(b);
    for (size_t i = 0; i < count; i++) {
        if (has_label(pairs, i, pairs[i].name)) {
            return ERR_INVALID; /* twice: which one would it be? */
        }
        labels_builder_set(b, pairs[i].name, pairs[i].value);
    }
    for (size_t i = 0; status == 0 && i < labels_count(t->options.labels); i++) {
        struct label own = labels_at(t->options.labels, i);
        if (t->options.honor_labels && has_label(pairs, count, own.name)) {
            continue;
        }
        struct str theirs = labels_builder_get(b, own.name);
        if (theirs.len > 0) {
            status = keep_exported(t, (struct label){own.name, theirs}, b, arena);
        }
        labels_builder_set(b, own.name, own.value);
    }
    return status == 0 ? b->error : status;
}

/* The final labels of a series, encoded into t->labels. 1; 0 when relabelling drops it. */
static int encode_series(struct target *t, struct exposition_parser *p, const struct label *pairs,
    size_t count, struct err *e)
{
    struct labels_builder b;
    int status = final_labels(t, pairs, count, &b, p->arena);
    if (status == 0) {
        status = relabel_apply(t->options.metric_relabel, &b, p->arena);
    }
    if (status == 1 && labels_builder_get(&b, STR(LABEL_METRIC_NAME)).len == 0) {
        status = err_set(e, ERR_INVALID, -1, "line %zu: the series has no metric name", p->line);
    }
    strbuf_reset(&t->labels);
    if (status == 1) {
        int made = intake_encode_labels(t->options.external, &b, &t->labels);
        status = made == 0 ? 1 : made;
    }
    labels_builder_release(&b);
    return status;
}

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
    int kept = encode_series(t, p, pairs, count, &why);
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

static int stage_sample(struct target *t, struct exposition_parser *p,
    const struct exposition_entry *line, struct err *e)
{
    struct series_entry *entry = series_cache_find(&t->cache, line->series_text);
    int status = 0;
    if (entry == NULL) {
        status = learn_series(t, p, line->series_text, &entry, e);
    }
    if (status == 0 && entry->dropped) {
        bool unused;
        t->dropped_count += series_cache_mark(&t->cache, entry, &unused);
        return check_sample_limit(t, e);
    }
    if (status == 0) {
        status = mem_array_grow((void **)&t->staged, &t->staged_cap, t->staged_count + 1,
            sizeof(*t->staged), STAGED_MAX);
        if (status != 0) {
            err_set(e, status, -1, "line %zu: too many samples", p->line);
        }
    }
    bool is_new = false;
    bool own_time = line->has_timestamp && t->options.honor_timestamps;
    if (status != 0 || (!series_cache_mark(&t->cache, entry, &is_new) && !own_time)) {
        return status; /* a series that comes twice counts once, the first time */
    }
    t->series_added += is_new;
    t->staged[t->staged_count++] =
        (struct staged){entry, {own_time ? line->t_ms : t->stamp_ms, line->value}, own_time};
    return check_sample_limit(t, e);
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
    t->staged[t->staged_count++] = (struct staged){entry, {t->stamp_ms, value}, false};
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

static int stage_body(
    struct target *t, enum exposition_format format, struct str body, struct err *e)
{
    struct arena arena;
    struct exposition_parser parser;
    struct exposition_entry line;
    int status;
    arena_init(&arena, PARSE_ARENA_MAX);
    exposition_begin(&parser, format, body, &arena);
    comments_begin(&t->comments);
    for (;;) {
        double value;
        struct series_entry *expected = series_cache_peek(&t->cache);
        if (expected != NULL && exposition_take_known(&parser, expected->text, &value)) {
            status = stage_known(t, expected, value, e);
            if (status != 0) {
                break;
            }
            continue;
        }
        if (comments_skip(&t->comments, &parser)) {
            continue;
        }
        status = exposition_next(&parser, &line, e);
        if (status != 1) {
            break;
        }
        if (line.kind == EXPOSITION_SAMPLE) {
            status = stage_sample(t, &parser, &line, e);
            if (status != 0) {
                break;
            }
        } else {
            keep_metadata(t, &line);
        }
    }
    arena_release(&arena);
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

static void begin_body(struct target *t)
{
    series_cache_begin(&t->cache);
    t->staged_count = 0;
    t->dropped_count = 0;
    t->series_added = 0;
}

static void finish(struct target *t, int status, const struct err *e)
{
    t->status.scrapes++;
    t->status.last_scrape_ms = t->stamp_ms;
    t->status.last_duration_s = (double)(clock_monotonic_ns(t->clock) - t->started_ns) / 1e9;
    /* Of a failed scrape what was read before it failed, as Prometheus counts; none of it is kept. */
    t->status.last_samples = t->staged_count + t->dropped_count;
    t->status.last_kept = t->staged_count;
    if (status != 0) {
        t->status.failures++;
        t->status.health = TARGET_DOWN;
        snprintf(t->status.error, sizeof(t->status.error), "%s", e->message);
        series_cache_fail(&t->cache, send_stale, t);
        send_synthetic(t, false);
        return;
    }
    for (size_t i = 0; i < t->staged_count; i++) {
        struct staged *s = &t->staged[i];
        s->entry->live = !value_is_stale(s->sample.value);
        s->entry->own_timestamp = s->own_timestamp;
        send_sample(t, s->entry->labels_bytes, &s->sample);
    }
    t->status.health = TARGET_UP;
    t->status.error[0] = '\0';
    series_cache_end(&t->cache, send_stale, t);
    send_synthetic(t, true);
}

static void take_body(struct target *t, enum exposition_format format, struct str body)
{
    struct err e = ERR_INIT;
    begin_body(t);
    finish(t, stage_body(t, format, body, &e), &e);
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
    } else {
        (void)exposition_format_of(r->content_type, true, &format); /* text for what is unknown */
        take_body(t, format, r->body);
        return;
    }
    begin_body(t);
    finish(t, e.code, &e);
}

/* ---- The beginning of a scrape ---- */

static void begin_http(struct target *t)
{
    const struct http_client_header headers[] = {
        {"Accept", "application/openmetrics-text;version=1.0.0;q=0.5,text/plain;version=0.0.4;"
                   "q=0.3,*/*;q=0.2"},
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

/* The first slot after `now`: slots are where wall time modulo the interval is the target's phase. */
static int64_t next_slot(const struct target *t, int64_t now)
{
    int64_t interval = t->options.interval_ms;
    uint64_t hash = hash_mix64(labels_hash(t->options.labels) ^ t->options.seed);
    int64_t phase = (int64_t)(hash % (uint64_t)interval);
    int64_t into = ((now - phase) % interval + interval) % interval;
    return now - into + interval;
}

int64_t target_step(struct target *t)
{
    int64_t now = clock_now_ms(t->clock);
    if (t->due_ms == 0) {
        /* Local targets begin at once: they cost nobody anything. */
        t->due_ms = t->options.url == NULL ? now : next_slot(t, now);
    }
    if (now < t->due_ms) {
        /* A wall clock set back must not stop scraping for as long. */
        if (t->due_ms - now > t->options.interval_ms) {
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
    if (t->options.url != NULL) {
        begin_http(t);
    } else {
        begin_local(t);
    }
    return t->due_ms - now;
}
