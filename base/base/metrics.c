/* The registry of the program's own metrics, and its text.
 *
 * Metrics are only ever added, so a writer takes their number under the lock and then reads them
 * without it. Collectors go away with what they read from: taking one off waits until no text is
 * being written, and none is called under the lock. Text is Prometheus' format 0.0.4
 * (prometheus.io/docs/instrumenting/exposition_formats): one HELP and TYPE line per name, counts of
 * buckets cumulative.
 */
#include "base/metrics.h"

#include <assert.h>
#include <math.h>
#include <stdbool.h>

#include "base/err.h"
#include "base/fpconv.h"
#include "base/lock.h"
#include "base/vfs.h"
#include "metrics_process.h"

enum { COLLECTORS_MAX = 64 };

struct collector {
    void (*collect)(void *context, struct strbuf *out);
    void *context;
};

static struct {
    struct lock lock; /* guards all below */
    struct lock_condition idle;
    struct metric *metrics[METRICS_MAX];
    size_t metric_count;
    struct collector collectors[COLLECTORS_MAX];
    size_t collector_count;
    unsigned writers;
} registry;

static pthread_once_t registry_once = PTHREAD_ONCE_INIT;

static void registry_init(void)
{
    lock_init(&registry.lock, LOCK_RANK_LEAF);
    lock_condition_init(&registry.idle);
}

static void registry_take(void)
{
    pthread_once(&registry_once, registry_init);
    lock_take(&registry.lock);
}

static void registry_give(void)
{
    lock_give(&registry.lock);
}

void metric_add(struct metric *m, int64_t by)
{
    assert(m->kind != METRIC_HISTOGRAM);
    assert(m->kind != METRIC_COUNTER || by >= 0);
    atomic_fetch_add_explicit(&m->value, by, memory_order_relaxed);
}

void metric_set(struct metric *m, int64_t value)
{
    assert(m->kind == METRIC_GAUGE);
    atomic_store_explicit(&m->value, value, memory_order_relaxed);
}

int64_t metric_get(const struct metric *m)
{
    return atomic_load_explicit(&m->value, memory_order_relaxed);
}

/* The value in shown units. 1e-9 is not exact in binary but 1e9 is, so a scale below 1 divides:
 * 300 ms in nanoseconds is 0.3 and not 0.30000000000000004. */
static double shown(const struct metric *m, int64_t value)
{
    double scale = m->scale != 0 ? m->scale : 1;
    double inverse = round(1 / scale);
    if (scale < 1 && fabs(inverse * scale - 1) < 1e-9) {
        return (double)value / inverse;
    }
    return (double)value * scale;
}

void metric_observe(struct metric *m, int64_t value)
{
    assert(m->kind == METRIC_HISTOGRAM && m->bound_count <= METRIC_BUCKETS_MAX);
    double number = shown(m, value);
    size_t bucket = 0;
    while (bucket < m->bound_count && number > m->bounds[bucket]) {
        bucket++;
    }
    atomic_fetch_add_explicit(&m->buckets[bucket], 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&m->value, value, memory_order_relaxed);
}

int metrics_register(struct metric *m)
{
    assert(m->name != NULL && m->help != NULL);
    assert(m->bound_count <= METRIC_BUCKETS_MAX);
    int status = 0;
    registry_take();
    size_t i = 0;
    while (i < registry.metric_count && registry.metrics[i] != m) {
        i++;
    }
    if (i == METRICS_MAX) {
        status = ERR_LIMIT;
    } else if (i == registry.metric_count) {
        registry.metrics[registry.metric_count++] = m;
    }
    registry_give();
    return status;
}

int metrics_register_collector(void (*collect)(void *context, struct strbuf *out), void *context)
{
    assert(collect != NULL);
    int status = 0;
    registry_take();
    if (registry.collector_count == COLLECTORS_MAX) {
        status = ERR_LIMIT;
    } else {
        registry.collectors[registry.collector_count++] = (struct collector){collect, context};
    }
    registry_give();
    return status;
}

void metrics_unregister_collector(void (*collect)(void *context, struct strbuf *out), void *context)
{
    registry_take();
    for (size_t i = 0; i < registry.collector_count; i++) {
        struct collector *c = &registry.collectors[i];
        if (c->collect == collect && c->context == context) {
            registry.collector_count--;
            memmove(c, c + 1, (registry.collector_count - i) * sizeof(*c));
            break;
        }
    }
    while (registry.writers > 0) {
        lock_condition_wait(&registry.idle, &registry.lock);
    }
    registry_give();
}

/* Backslash and line end escaped, as help texts want it. */
static void write_help(struct strbuf *out, const char *help)
{
    for (const char *c = help; *c != '\0'; c++) {
        if (*c == '\\') {
            strbuf_add_c(out, "\\\\");
        } else if (*c == '\n') {
            strbuf_add_c(out, "\\n");
        } else {
            strbuf_add_char(out, *c);
        }
    }
}

static void write_head(struct strbuf *out, const struct metric *m)
{
    static const char *const kinds[] = {"counter", "gauge", "histogram"};
    strbuf_addf(out, "# HELP %s ", m->name);
    write_help(out, m->help);
    strbuf_addf(out, "\n# TYPE %s %s\n", m->name, kinds[m->kind]);
}

static void write_double(struct strbuf *out, double value)
{
    char text[FP_TEXT_MAX];
    fp_format_short(value, text);
    strbuf_add_c(out, text);
}

static void write_value(struct strbuf *out, const struct metric *m, int64_t value)
{
    if (m->scale == 0 || m->scale == 1) {
        strbuf_add_i64(out, value);
    } else {
        write_double(out, shown(m, value));
    }
    strbuf_add_char(out, '\n');
}

/* name_suffix{labels} and a space. */
static void write_name(struct strbuf *out, const struct metric *m, const char *suffix)
{
    strbuf_add_c(out, m->name);
    strbuf_add_c(out, suffix);
    if (m->labels != NULL) {
        strbuf_addf(out, "{%s}", m->labels);
    }
    strbuf_add_char(out, ' ');
}

static void write_histogram(struct strbuf *out, const struct metric *m)
{
    uint64_t count = 0;
    for (size_t i = 0; i <= m->bound_count; i++) {
        count += atomic_load_explicit(&m->buckets[i], memory_order_relaxed);
        strbuf_addf(out, "%s_bucket{%s%sle=\"", m->name, m->labels != NULL ? m->labels : "",
            m->labels != NULL ? "," : "");
        write_double(out, i < m->bound_count ? m->bounds[i] : INFINITY);
        strbuf_add_c(out, "\"} ");
        strbuf_add_u64(out, count);
        strbuf_add_char(out, '\n');
    }
    write_name(out, m, "_sum");
    write_value(out, m, metric_get(m));
    write_name(out, m, "_count");
    strbuf_add_u64(out, count);
    strbuf_add_char(out, '\n');
}

static void write_metric(struct strbuf *out, const struct metric *m, const struct metric *before)
{
    if (before == NULL || strcmp(before->name, m->name) != 0) {
        write_head(out, m);
    }
    if (m->kind == METRIC_HISTOGRAM) {
        write_histogram(out, m);
    } else {
        write_name(out, m, "");
        write_value(out, m, metric_get(m));
    }
}

void metrics_write(struct strbuf *out)
{
    struct collector collectors[COLLECTORS_MAX];
    registry_take();
    size_t metric_count = registry.metric_count;
    size_t collector_count = registry.collector_count;
    memcpy(collectors, registry.collectors, sizeof(collectors));
    registry.writers++;
    registry_give();

    for (size_t i = 0; i < metric_count; i++) {
        write_metric(out, registry.metrics[i], i > 0 ? registry.metrics[i - 1] : NULL);
    }
    for (size_t i = 0; i < collector_count; i++) {
        collectors[i].collect(collectors[i].context, out);
    }

    registry_take();
    registry.writers--;
    lock_condition_broadcast(&registry.idle);
    registry_give();
    metrics_write_process(out);
}

void metrics_write_process(struct strbuf *out)
{
    metrics_process_write(out, vfs_posix());
}
