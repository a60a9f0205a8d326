/* Samples gathered by series, encoded, compressed, sent. */
#include "cli/remote_sink.h"

#include <stdlib.h>

#include "base/arena.h"
#include "base/hash.h"
#include "base/mem.h"
#include "cli/api_client.h"
#include "wire/remote_write.h"
#include "wire/snappy_codec.h"

/* A request is sent when its message has grown to this. */
#define MESSAGE_BYTES ((size_t)8 << 20)
#define SERIES_MAX ((size_t)1 << 28)
#define ITEMS_MAX ((size_t)1 << 24)
#define TIMEOUT_MS INT64_C(120000)

/* Histograms are field 4 of TimeSeries, and those field 1 of the message. */
enum { FIELD_HISTOGRAMS = 4, FIELD_SERIES = 1, TYPE_SIZED = 2 };

struct item {
    uint32_t series;
    uint32_t order; /* of arrival */
    struct sample sample;
    const struct histogram *histogram; /* or NULL */
};

struct remote_appender {
    struct appender appender; /* first */
    struct remote_sink *sink;
    struct item *items;
    size_t count, cap;
    struct arena arena; /* histograms */
    struct append_counts counts;
};

struct remote_sink {
    struct appender_source source; /* first */
    const char *server;
    const struct client_identity *identity;
    struct arena arena; /* encoded labels */
    struct str *series;
    size_t series_count, series_cap;
    struct strbuf message, one, scratch, packed, answer;
};

/* ---- Sending ---- */

static int send_message(struct remote_sink *s, struct err *e)
{
    static const struct http_client_header headers[] = {
        {"Content-Type", "application/x-protobuf"},
        {"Content-Encoding", "snappy"},
        {"X-Prometheus-Remote-Write-Version", "0.1.0"},
    };
    unsigned http_status = 0;
    strbuf_reset(&s->packed);
    strbuf_reset(&s->answer);
    int status = strbuf_error(&s->message);
    if (status == 0) {
        status = snappy_encode(strbuf_str(&s->message), &s->packed);
    }
    strbuf_reset(&s->message);
    if (status != 0) {
        return err_set(e, status, -1, "a request cannot be made: %s", err_text(status));
    }
    const struct api_client_request request = {.server = s->server,
        .identity = s->identity,
        .path = "/api/v1/write",
        .timeout_ms = TIMEOUT_MS,
        .body = strbuf_str(&s->packed),
        .headers = headers,
        .header_count = sizeof(headers) / sizeof(headers[0])};
    status = api_client_ask(&request, &http_status, &s->answer, e);
    if (status == 0 && http_status / 100 != 2) {
        struct str text = str_trim(strbuf_str(&s->answer));
        status = err_set(e, http_status / 100 == 4 && http_status != 429 ? ERR_INVALID : ERR_BUSY,
            -1,
            "%s refuses samples (status %u): %.*s. Import again when that is mended: what is there "
            "already changes nothing",
            s->server, http_status, text.len < 300 ? (int)text.len : 300, text.ptr);
    }
    return status;
}

static void add_item(struct remote_sink *s, const struct item *item)
{
    if (item->histogram != NULL) {
        const struct remote_write_histogram h = {item->sample.t_ms, item->histogram};
        remote_write_encode_histogram(FIELD_HISTOGRAMS, &h, &s->scratch, &s->one);
    } else {
        remote_write_encode_sample(&item->sample, &s->one);
    }
}

static int compare_items(const void *a, const void *b)
{
    const struct item *x = a, *y = b;
    if (x->series != y->series) {
        return x->series < y->series ? -1 : 1;
    }
    return x->order < y->order ? -1 : x->order > y->order;
}

static int send_items(struct remote_appender *a, struct err *e)
{
    struct remote_sink *s = a->sink;
    int status = 0;
    strbuf_reset(&s->message);
    if (a->count > 1) {
        qsort(a->items, a->count, sizeof(*a->items), compare_items);
    }
    for (size_t i = 0; status == 0 && i < a->count;) {
        uint32_t series = a->items[i].series;
        strbuf_reset(&s->one);
        strbuf_add_str(&s->one, s->series[series]);
        while (i < a->count && a->items[i].series == series && s->one.size < MESSAGE_BYTES) {
            add_item(s, &a->items[i++]);
        }
        status = strbuf_error(&s->one);
        strbuf_add_uvarint(&s->message, FIELD_SERIES << 3 | TYPE_SIZED);
        strbuf_add_sized(&s->message, strbuf_str(&s->one));
        if (status == 0 && (s->message.size >= MESSAGE_BYTES || i == a->count)) {
            status = send_message(s, e);
        }
    }
    return status;
}

/* ---- The appender ---- */

static struct remote_appender *self_of(struct appender *a)
{
    return (struct remote_appender *)a;
}

static int op_lookup(struct appender *a, struct hash128 key, struct series_ref *ref_out)
{
    (void)a, (void)key, (void)ref_out;
    return 0; /* every series is told by its labels */
}

/* Series of one job and instance count as a target: a request then holds whole rows of it. */
static uint32_t target_of(const struct label *labels, size_t count)
{
    uint64_t hash = 0;
    for (size_t i = 0; i < count; i++) {
        if (str_eq(labels[i].name, STR("job")) || str_eq(labels[i].name, STR("instance"))) {
            hash = hash64(labels[i].value.ptr, labels[i].value.len, hash + 1);
        }
    }
    return (uint32_t)hash;
}

static int op_series(struct appender *a, const struct label *labels, size_t count,
    const struct hash128 *key, struct series_ref *ref_out, struct err *e)
{
    struct remote_sink *s = self_of(a)->sink;
    (void)key;
    strbuf_reset(&s->one);
    remote_write_encode_labels(labels, count, &s->one);
    int status = strbuf_error(&s->one);
    if (status == 0) {
        status = mem_array_grow((void **)&s->series, &s->series_cap, s->series_count + 1,
            sizeof(*s->series), SERIES_MAX);
    }
    char *bytes = status == 0 ? arena_dup(&s->arena, s->one.data, s->one.size) : NULL;
    if (bytes == NULL) {
        status = status != 0 ? status : arena_error(&s->arena);
        return err_set(e, status, -1, "a series cannot be taken: %s", err_text(status));
    }
    *ref_out = (struct series_ref){target_of(labels, count), (uint32_t)s->series_count};
    s->series[s->series_count++] = str_make(bytes, s->one.size);
    return 0;
}

static int add(struct remote_appender *a, struct series_ref ref, int64_t t_ms, double value,
    const struct histogram *histogram)
{
    int status =
        mem_array_grow((void **)&a->items, &a->cap, a->count + 1, sizeof(*a->items), ITEMS_MAX);
    if (status == 0) {
        a->items[a->count] =
            (struct item){ref.column, (uint32_t)a->count, {t_ms, value}, histogram};
        a->count++;
    }
    return status;
}

static int op_append(struct appender *a, struct series_ref ref, int64_t t_ms, double value)
{
    int status = add(self_of(a), ref, t_ms, value, NULL);
    self_of(a)->counts.samples += status == 0;
    return status;
}

static int op_append_histogram(
    struct appender *a, struct series_ref ref, int64_t t_ms, const struct histogram *histogram)
{
    struct remote_appender *self = self_of(a);
    const struct histogram *copy = histogram_dup(histogram, &self->arena);
    int status = copy != NULL ? add(self, ref, t_ms, 0, copy) : arena_error(&self->arena);
    self->counts.histograms += status == 0;
    return status;
}

static int op_append_exemplar(struct appender *a, struct series_ref ref, const struct label *labels,
    size_t count, double value, int64_t t_ms)
{
    (void)a, (void)ref, (void)labels, (void)count, (void)value, (void)t_ms;
    return 0; /* not sent, and not counted */
}

static int op_set_metadata(
    struct appender *a, struct str metric, enum metric_type type, struct str help, struct str unit)
{
    (void)a, (void)metric, (void)type, (void)help, (void)unit;
    return 0;
}

static void op_rollback(struct appender *a)
{
    struct remote_appender *self = self_of(a);
    mem_free(self->items);
    arena_release(&self->arena);
    mem_free(self);
}

static int op_commit(struct appender *a, enum commit_durability durability,
    struct append_counts *counts_out, struct err *e)
{
    struct remote_appender *self = self_of(a);
    (void)durability;
    int status = send_items(self, e);
    if (status == 0 && counts_out != NULL) {
        *counts_out = self->counts;
    }
    op_rollback(a);
    return status;
}

static const struct appender_ops OPS = {.lookup = op_lookup,
    .series = op_series,
    .append = op_append,
    .append_histogram = op_append_histogram,
    .append_exemplar = op_append_exemplar,
    .set_metadata = op_set_metadata,
    .commit = op_commit,
    .rollback = op_rollback};

static int open_appender(
    struct appender_source *source, struct appender **appender_out, struct err *e)
{
    struct remote_appender *a = mem_calloc(1, sizeof(*a));
    if (a == NULL) {
        return err_set(e, ERR_NOMEM, -1, "out of memory for a request");
    }
    a->appender.ops = &OPS;
    a->sink = (struct remote_sink *)source;
    arena_init(&a->arena, 0);
    *appender_out = &a->appender;
    return 0;
}

/* ---- The sink ---- */

int remote_sink_new(
    const char *server, const struct client_identity *identity, struct remote_sink **sink_out)
{
    struct remote_sink *s = mem_calloc(1, sizeof(*s));
    if (s == NULL) {
        return ERR_NOMEM;
    }
    s->source.open = open_appender;
    s->server = server;
    s->identity = identity;
    arena_init(&s->arena, 0);
    strbuf_init(&s->message, STRBUF_LIMIT_DEFAULT);
    strbuf_init(&s->one, STRBUF_LIMIT_DEFAULT);
    strbuf_init(&s->scratch, STRBUF_LIMIT_DEFAULT);
    strbuf_init(&s->packed, STRBUF_LIMIT_DEFAULT);
    strbuf_init(&s->answer, STRBUF_LIMIT_DEFAULT);
    *sink_out = s;
    return 0;
}

void remote_sink_free(struct remote_sink *s)
{
    if (s == NULL) {
        return;
    }
    strbuf_release(&s->message);
    strbuf_release(&s->one);
    strbuf_release(&s->scratch);
    strbuf_release(&s->packed);
    strbuf_release(&s->answer);
    mem_free(s->series);
    arena_release(&s->arena);
    mem_free(s);
}

struct appender_source *remote_sink_source(struct remote_sink *sink)
{
    return &sink->source;
}
