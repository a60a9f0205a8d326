/* Counting, and writing what was counted. */
#include "spans/span_metrics.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/fpconv.h"
#include "base/mem.h"
#include "wire/otlp_names.h"

/* LABELS_MAX: external ones with ours. */
enum { METADATA_MS = 60000, EXEMPLARS_MAX = 2, LABELS_MAX = 256 };

#define NO_SERVICE UINT32_MAX

/* Names of metrics and labels, by naming. */
struct naming {
    const char *name, *calls, *latency, *service;
};

static const struct naming namings[] = {
    {"tempo", "traces_spanmetrics_calls_total", "traces_spanmetrics_latency", "service"},
    {"otel", "traces_span_metrics_calls_total", "traces_span_metrics_duration_seconds",
        "service_name"},
};

static const char *const kind_labels[SPAN_KIND_COUNT] = {"SPAN_KIND_UNSPECIFIED",
    "SPAN_KIND_INTERNAL", "SPAN_KIND_SERVER", "SPAN_KIND_CLIENT", "SPAN_KIND_PRODUCER",
    "SPAN_KIND_CONSUMER"};
static const char *const status_labels[SPAN_STATUS_COUNT] = {
    "STATUS_CODE_UNSET", "STATUS_CODE_OK", "STATUS_CODE_ERROR"};

struct span_metrics {
    struct span_metrics_options options;
    const struct naming *naming;
    bool native, classic;
    double bounds[SPANS_BUCKETS_MAX];
    char bound_texts[SPANS_BUCKETS_MAX + 1][FP_TEXT_MAX]; /* of the label le, the last +Inf */
    size_t bound_count;
    struct str dimension_labels[SPAN_DIMENSIONS_MAX];
    struct arena arena; /* of these */
    struct span_series_table *table;
    struct labels_builder builder;
    struct strbuf labels, name; /* of the series at hand */
    int64_t due_ms;             /* monotonic */
    int64_t metadata_due_ms;    /* monotonic */
    int64_t written_ms;         /* wall time of the last samples */
    struct span_metrics_statistics statistics;
};

/* ---- Making ---- */

/* As OpenMetrics and Prometheus 3 have it: always with a point or an exponent. */
static void write_bound(double bound, char *text)
{
    size_t length = fp_format_short(bound, text);
    if (strpbrk(text, ".e") == NULL) {
        memcpy(text + length, ".0", sizeof(".0"));
    }
}

static int read_bounds(struct span_metrics *m, struct err *e)
{
    const struct config_strings *texts = &m->options.config->buckets;
    enum { DEFAULT_COUNT = 14 };
    if (texts->count > SPANS_BUCKETS_MAX) {
        return err_set(e, ERR_INVALID, -1, "traces: metrics: %zu buckets; at most %d", texts->count,
            SPANS_BUCKETS_MAX);
    }
    m->bound_count = texts->count > 0 ? texts->count : DEFAULT_COUNT;
    for (size_t i = 0; i < m->bound_count; i++) {
        bool good = true;
        if (texts->count > 0) {
            good = str_to_double(str_of(texts->items[i]), &m->bounds[i]) == 0 &&
                   isfinite(m->bounds[i]) && (i == 0 || m->bounds[i] > m->bounds[i - 1]);
        } else {
            m->bounds[i] = ldexp(0.002, (int)i);
        }
        if (!good) {
            return err_set(e, ERR_INVALID, -1,
                "traces: metrics: bucket \"%s\"; accepted: numbers that ascend", texts->items[i]);
        }
        write_bound(m->bounds[i], m->bound_texts[i]);
    }
    memcpy(m->bound_texts[m->bound_count], "+Inf", sizeof("+Inf"));
    return 0;
}

static bool is_taken(const struct span_metrics *m, struct str label, size_t count)
{
    const char *const own[] = {m->naming->service, "span_name", "span_kind", "status_code", "job",
        "instance", "le", LABEL_METRIC_NAME};
    for (size_t i = 0; i < sizeof(own) / sizeof(own[0]); i++) {
        if (str_eq_c(label, own[i])) {
            return true;
        }
    }
    for (size_t i = 0; i < count; i++) {
        if (str_eq(label, m->dimension_labels[i])) {
            return true;
        }
    }
    return false;
}

static int read_dimensions(struct span_metrics *m, struct err *e)
{
    const struct config_strings *names = &m->options.config->dimensions;
    if (names->count > SPAN_DIMENSIONS_MAX) {
        return err_set(e, ERR_INVALID, -1, "traces: metrics: %zu dimensions; at most %d",
            names->count, SPAN_DIMENSIONS_MAX);
    }
    for (size_t i = 0; i < names->count; i++) {
        struct str label;
        int status = otlp_label_name(
            str_of(names->items[i]), OTLP_UNDERSCORES_WITH_SUFFIXES, &m->arena, &label);
        if (status != 0 || is_taken(m, label, i)) {
            return err_set(e, ERR_INVALID, -1,
                "traces: metrics: dimension \"%s\" is no name of an attribute, or its label is "
                "there "
                "already",
                names->items[i]);
        }
        m->dimension_labels[i] = label;
    }
    return 0;
}

static int read_words(struct span_metrics *m, struct err *e)
{
    const struct spans_metrics_config *c = m->options.config;
    for (size_t i = 0; i < sizeof(namings) / sizeof(namings[0]); i++) {
        m->naming = strcmp(c->naming, namings[i].name) == 0 ? &namings[i] : m->naming;
    }
    if (m->naming == NULL) {
        return err_set(
            e, ERR_INVALID, -1, "traces: metrics: naming \"%s\"; accepted: tempo, otel", c->naming);
    }
    m->native = strcmp(c->histograms, "native") == 0 || strcmp(c->histograms, "both") == 0;
    m->classic = strcmp(c->histograms, "classic") == 0 || strcmp(c->histograms, "both") == 0;
    return m->native || m->classic
               ? 0
               : err_set(e, ERR_INVALID, -1,
                     "traces: metrics: histograms \"%s\"; accepted: native, classic, both",
                     c->histograms);
}

int span_metrics_new(
    const struct span_metrics_options *options, struct span_metrics **metrics_out, struct err *e)
{
    struct span_metrics *m = mem_calloc(1, sizeof(*m));
    if (m == NULL) {
        return err_set(e, ERR_NOMEM, -1, "out of memory for span metrics");
    }
    const struct spans_metrics_config *c = options->config;
    m->options = *options;
    arena_init(&m->arena, 0);
    labels_builder_init(&m->builder);
    strbuf_init(&m->labels, LABELS_BYTES_MAX);
    strbuf_init(&m->name, LABELS_BYTES_MAX);
    m->due_ms = clock_monotonic_ms(options->clock) + c->interval_ms;
    int status = read_words(m, e);
    status = status == 0 ? read_bounds(m, e) : status;
    status = status == 0 ? read_dimensions(m, e) : status;
    if (status == 0) {
        const struct span_series_options table = {
            .dimensions = (const char *const *)c->dimensions.items,
            .dimension_count = c->dimensions.count,
            .series_max = (size_t)c->series_max,
            .service_series_max = (size_t)c->service_series_max,
            .names_max = (size_t)c->service_names_max,
            .bucket_count = m->classic ? m->bound_count + 1 : 0,
        };
        status = span_series_table_new(&table, &m->table);
        if (status != 0) {
            err_set(e, status, -1, "out of memory for span metrics");
        }
    }
    if (status != 0) {
        span_metrics_free(m);
        return status;
    }
    *metrics_out = m;
    return 0;
}

void span_metrics_free(struct span_metrics *m)
{
    if (m == NULL) {
        return;
    }
    span_series_table_free(m->table);
    labels_builder_release(&m->builder);
    strbuf_release(&m->labels);
    strbuf_release(&m->name);
    arena_release(&m->arena);
    mem_free(m);
}

/* ---- Counting ---- */

uint32_t span_metrics_service(struct span_metrics *m, const struct span_resource *resource)
{
    uint32_t service;
    return span_series_service(m->table, span_resource_service(resource), &service) == 0
               ? service
               : NO_SERVICE;
}

struct span_metrics_place span_metrics_find(
    struct span_metrics *m, uint32_t service, const struct otlp_span *span)
{
    struct span_series *s = NULL;
    int64_t now = clock_now_ms(m->options.clock);
    if (service == NO_SERVICE || span_series_find(m->table, service, span, now, &s) != 0) {
        m->statistics.lost_spans++;
        return (struct span_metrics_place){0, 0};
    }
    return (struct span_metrics_place){s->number, s->generation};
}

void span_metrics_count(
    struct span_metrics *m, struct span_metrics_place place, double seconds, double weight)
{
    struct span_series *s = span_series_get(m->table, place.number, place.generation);
    if (s == NULL) {
        return; /* counted as lost before */
    }
    if (latency_histogram_add(&s->latency, seconds, weight) != 0) {
        m->statistics.lost_spans++;
        return;
    }
    s->calls += weight;
    s->seen_ms = clock_now_ms(m->options.clock);
    if (s->buckets != NULL) {
        size_t i = 0;
        while (i < m->bound_count && seconds > m->bounds[i]) {
            i++;
        }
        s->buckets[i] += weight;
    }
}

void span_metrics_exemplar(struct span_metrics *m, struct span_metrics_place place,
    struct trace_id trace_id, uint64_t span_id, double seconds)
{
    struct span_series *s = span_series_get(m->table, place.number, place.generation);
    if (s == NULL) {
        return;
    }
    s->latest = (struct span_exemplar){trace_id, span_id, seconds, clock_now_ms(m->options.clock)};
    if (s->slowest.t_ms == 0 || seconds > s->slowest.seconds) {
        s->slowest = s->latest;
    }
}

/* ---- Labels ---- */

/* The end of the encoded labels whose names are before `name`. */
static int find_place(struct str labels_bytes, const char *name, size_t *end_out)
{
    struct label pairs[LABELS_MAX];
    size_t count = 0, end = 0;
    struct strbuf before = STRBUF_INIT;
    int status = remote_write_decode_labels(labels_bytes, pairs, LABELS_MAX, &count);
    while (end < count && str_cmp(pairs[end].name, str_of(name)) < 0) {
        end++;
    }
    remote_write_encode_labels(pairs, end, &before);
    status = status == 0 ? strbuf_error(&before) : status;
    *end_out = before.size;
    strbuf_release(&before);
    return status;
}

/* Labels that all metrics of the series share. */
static int make_labels(struct span_metrics *m, struct span_series *s)
{
    uint64_t epoch;
    const struct labels *external = m->options.intake->external(m->options.intake, &epoch);
    if (s->labels.size > 0 && s->labels_epoch == epoch) {
        return 0;
    }
    struct labels_builder *b = &m->builder;
    labels_builder_reset(b);
    labels_builder_set(
        b, str_of(m->naming->service), span_series_service_at(m->table, s->service)->name);
    labels_builder_set(b, STR("span_name"), s->name);
    labels_builder_set(b, STR("span_kind"), str_of(kind_labels[s->kind]));
    labels_builder_set(b, STR("status_code"), str_of(status_labels[s->status]));
    labels_builder_set(b, STR("job"), str_of(m->options.job));
    labels_builder_set(b, STR("instance"), str_of(m->options.instance));
    for (size_t i = 0; i < m->options.config->dimensions.count; i++) {
        labels_builder_set(b, m->dimension_labels[i], span_series_dimension(s, i));
    }
    strbuf_reset(&s->labels);
    int status = intake_encode_labels(external, b, &s->labels);
    struct str bytes = strbuf_str(&s->labels);
    status = status == 0 ? find_place(bytes, LABEL_METRIC_NAME, &s->name_at) : status;
    status = status == 0 ? find_place(bytes, "le", &s->le_at) : status;
    if (status != 0) {
        strbuf_reset(&s->labels);
        return status;
    }
    s->labels_epoch = epoch;
    return 0;
}

/* The whole labels of one metric of the series, valid until the next call; empty without memory. `le`
 * NULL: none. */
static struct str labels_of(
    struct span_metrics *m, const struct span_series *s, struct str name, const char *le)
{
    const char *bytes = s->labels.data;
    const struct label metric = {STR(LABEL_METRIC_NAME), name};
    const struct label bound = {STR("le"), str_of(le)};
    strbuf_reset(&m->labels);
    strbuf_add(&m->labels, bytes, s->name_at);
    remote_write_encode_labels(&metric, 1, &m->labels);
    strbuf_add(&m->labels, bytes + s->name_at, s->le_at - s->name_at);
    if (le != NULL) {
        remote_write_encode_labels(&bound, 1, &m->labels);
    }
    strbuf_add(&m->labels, bytes + s->le_at, s->labels.size - s->le_at);
    return strbuf_error(&m->labels) == 0 ? strbuf_str(&m->labels) : STR("");
}

/* Hands on one series; without its labels it is left out until the next interval. */
static void hand_in(struct span_metrics *m, const struct remote_write_series *series)
{
    if (series->labels_bytes.len > 0) {
        m->options.intake->add(m->options.intake, series);
    }
}

/* The name of the histogram with an ending. */
static struct str latency_name(struct span_metrics *m, const char *ending)
{
    strbuf_reset(&m->name);
    strbuf_add_c(&m->name, m->naming->latency);
    strbuf_add_c(&m->name, ending);
    return strbuf_str(&m->name);
}

/* ---- Writing ---- */

/* One exemplar as the wire wants it. */
struct exemplar_texts {
    struct strbuf trace, span;
    struct label labels[2];
};

static struct remote_write_exemplar show_exemplar(
    const struct span_exemplar *from, struct exemplar_texts *texts)
{
    strbuf_init(&texts->trace, TRACE_ID_BYTES * 2 + 1);
    strbuf_init(&texts->span, SPAN_ID_BYTES * 2 + 1);
    trace_id_write(from->trace_id, &texts->trace);
    span_id_write(from->span_id, &texts->span);
    texts->labels[0] = (struct label){STR("span_id"), strbuf_str(&texts->span)};
    texts->labels[1] = (struct label){STR("trace_id"), strbuf_str(&texts->trace)};
    return (struct remote_write_exemplar){texts->labels, 2, from->seconds, from->t_ms};
}

/* The exemplars of a series with durations in (lower, upper], by time. */
static size_t find_exemplars(const struct span_series *s, double lower, double upper,
    const struct span_exemplar *found[EXEMPLARS_MAX])
{
    const struct span_exemplar *all[EXEMPLARS_MAX] = {&s->slowest, &s->latest};
    size_t count = 0;
    for (size_t i = 0; i < EXEMPLARS_MAX; i++) {
        bool again = i > 0 && all[i]->span_id == all[0]->span_id &&
                     trace_id_eq(all[i]->trace_id, all[0]->trace_id);
        if (all[i]->t_ms != 0 && !again && all[i]->seconds > lower && all[i]->seconds <= upper) {
            found[count++] = all[i];
        }
    }
    return count;
}

struct writing {
    struct span_metrics *metrics;
    struct span_series *series;
    int64_t t_ms;
    bool ends; /* the stale marker instead of a value */
};

/* A sample, behind a zero when the series begins, with the exemplars of a range of durations. */
static void write_sample(
    const struct writing *w, struct str labels_bytes, double value, double lower, double upper)
{
    const struct span_series *s = w->series;
    bool begins = s->written_ms == 0;
    const struct sample samples[] = {
        {s->created_ms, 0}, {w->t_ms, w->ends ? value_stale_marker() : value}};
    const struct span_exemplar *found[EXEMPLARS_MAX];
    struct exemplar_texts texts[EXEMPLARS_MAX] = {0};
    struct remote_write_exemplar exemplars[EXEMPLARS_MAX];
    size_t count = w->ends ? 0 : find_exemplars(s, lower, upper, found);
    for (size_t i = 0; i < count; i++) {
        exemplars[i] = show_exemplar(found[i], &texts[i]);
    }
    const struct remote_write_series series = {
        .labels_bytes = labels_bytes,
        .samples = begins ? samples : samples + 1,
        .sample_count = begins ? 2 : 1,
        .exemplars = exemplars,
        .exemplar_count = count,
    };
    hand_in(w->metrics, &series);
    for (size_t i = 0; i < count; i++) {
        strbuf_release(&texts[i].trace);
        strbuf_release(&texts[i].span);
    }
}

static void write_native(const struct writing *w)
{
    const struct span_series *s = w->series;
    struct span_metrics *m = w->metrics;
    struct histogram_span span;
    struct histogram view, nothing = {.schema = s->latency.schema, .integer = true};
    latency_histogram_view(&s->latency, &span, &view);
    if (w->ends) {
        view = (struct histogram){.schema = s->latency.schema, .sum = value_stale_marker()};
    }
    bool begins = s->written_ms == 0;
    nothing.integer = view.integer;
    const struct remote_write_histogram histograms[] = {
        {s->created_ms, &nothing}, {w->t_ms, &view}};
    const struct span_exemplar *found[EXEMPLARS_MAX];
    struct exemplar_texts texts[EXEMPLARS_MAX] = {0};
    struct remote_write_exemplar exemplars[EXEMPLARS_MAX];
    size_t count = w->ends ? 0 : find_exemplars(s, -1, INFINITY, found);
    for (size_t i = 0; i < count; i++) {
        exemplars[i] = show_exemplar(found[i], &texts[i]);
    }
    const struct remote_write_series series = {
        .labels_bytes = labels_of(m, s, str_of(m->naming->latency), NULL),
        .histograms = begins ? histograms : histograms + 1,
        .histogram_count = begins ? 2 : 1,
        .exemplars = exemplars,
        .exemplar_count = count,
    };
    hand_in(m, &series);
    for (size_t i = 0; i < count; i++) {
        strbuf_release(&texts[i].trace);
        strbuf_release(&texts[i].span);
    }
}

static void write_classic(const struct writing *w)
{
    struct span_metrics *m = w->metrics;
    const struct span_series *s = w->series;
    double sum = 0;
    struct str name = latency_name(m, "_bucket");
    for (size_t i = 0; i <= m->bound_count; i++) {
        double lower = i > 0 ? m->bounds[i - 1] : -1;
        double upper = i < m->bound_count ? m->bounds[i] : INFINITY;
        sum += s->buckets[i];
        write_sample(w, labels_of(m, s, name, m->bound_texts[i]), sum, lower, upper);
    }
    write_sample(w, labels_of(m, s, latency_name(m, "_sum"), NULL), s->latency.sum, 0, -1);
    write_sample(w, labels_of(m, s, latency_name(m, "_count"), NULL), s->latency.count, 0, -1);
}

static void write_series(const struct writing *w)
{
    struct span_metrics *m = w->metrics;
    write_sample(
        w, labels_of(m, w->series, str_of(m->naming->calls), NULL), w->series->calls, 0, -1);
    if (m->native) {
        write_native(w);
    }
    if (m->classic) {
        write_classic(w);
    }
}

static void write_metadata(struct span_metrics *m)
{
    struct intake *intake = m->options.intake;
    intake->add_metadata(intake, METRIC_TYPE_COUNTER, str_of(m->naming->calls),
        STR("Spans that ended, all of them, before sampling"), STR(""));
    intake->add_metadata(intake, METRIC_TYPE_HISTOGRAM, str_of(m->naming->latency),
        STR("How long spans took"), STR("seconds"));
}

void span_metrics_flush(struct span_metrics *m)
{
    int64_t now = clock_now_ms(m->options.clock);
    now = now > m->written_ms ? now : m->written_ms + 1; /* also when the clock was set back */
    for (size_t i = 0; i < span_series_end(m->table); i++) {
        struct span_series *s = span_series_at(m->table, i);
        if (s == NULL || s->seen_ms == 0 || make_labels(m, s) != 0) {
            continue;
        }
        struct writing w = {m, s, now, now - s->seen_ms > m->options.config->idle_ms};
        write_series(&w);
        s->written_ms = now;
        s->slowest.t_ms = s->latest.t_ms = 0;
        if (w.ends) {
            span_series_remove(m->table, s);
            m->statistics.expired_series++;
        }
    }
    m->written_ms = now;
}

int64_t span_metrics_step(struct span_metrics *m)
{
    int64_t now = clock_monotonic_ms(m->options.clock);
    if (now >= m->due_ms) {
        if (now >= m->metadata_due_ms) {
            write_metadata(m);
            m->metadata_due_ms = now + METADATA_MS;
        }
        span_metrics_flush(m);
        m->due_ms += m->options.config->interval_ms;
        m->due_ms = m->due_ms > now ? m->due_ms : now + m->options.config->interval_ms;
    }
    return m->due_ms - now;
}

void span_metrics_statistics(
    const struct span_metrics *m, struct span_metrics_statistics *statistics_out)
{
    *statistics_out = m->statistics;
    span_series_statistics(m->table, &statistics_out->table);
}
