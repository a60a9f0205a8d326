/* Messages of OTLP into the stores. */
#include "api/otlp_take.h"

#include "api/api_ingest.h"
#include "api/api_private.h"
#include "query/service_graph.h"
#include "wire/otlp_traces.h"
#include "wire/otlp_translate.h"

/* Memory of the tree of one message of metrics. */
#define TREE_BYTES_MAX ((size_t)512 << 20)

/* ---- Metrics ---- */

struct otlp_write {
    struct ingest in;
    struct strbuf key; /* of the series at hand */
    struct err failure;
};

static void refuse(struct otlp_write *w, const struct otlp_series *s, int status, const char *why)
{
    ingest_refuse_sample(&w->in, s->labels, s->label_count, s->t_ms, status, why);
}

/* By the key that remote write would have for these labels; see api_write.c. */
static int find_series(
    struct otlp_write *w, const struct otlp_series *s, struct series_ref *ref_out, struct err *e)
{
    strbuf_reset(&w->key);
    remote_write_encode_labels(s->labels, s->label_count, &w->key);
    if (strbuf_error(&w->key) != 0) {
        return err_set(e, ERR_NOMEM, -1, "%s", err_text(ERR_NOMEM));
    }
    struct hash128 key = hash128(w->key.data, w->key.size, w->in.key_seed);
    if (appender_lookup(w->in.appender, key, ref_out) == 1) {
        return 1;
    }
    return ingest_series(&w->in, s->labels, s->label_count, &key, ref_out, e);
}

static int take_series(void *context, const struct otlp_series *s)
{
    struct otlp_write *w = context;
    struct series_ref ref;
    int status = find_series(w, s, &ref, &w->failure);
    if (status <= 0) {
        return status;
    }
    status = s->histogram != NULL
                 ? appender_append_histogram(w->in.appender, ref, s->t_ms, s->histogram)
                 : appender_append(w->in.appender, ref, s->t_ms, s->value);
    const char *why = ingest_refusal(&w->in, s->t_ms, status);
    if (status != 0 && why != NULL) {
        refuse(w, s, status, why);
        return 0;
    }
    for (size_t i = 0; status == 0 && i < s->exemplar_count; i++) {
        const struct remote_write_exemplar *x = &s->exemplars[i];
        /* As with remote write, a refused exemplar is no reason to complain. */
        if (appender_append_exemplar(
                w->in.appender, ref, x->labels, x->label_count, x->value, x->t_ms) == ERR_NOMEM) {
            status = ERR_NOMEM;
        }
    }
    return status;
}

static int take_metadata(
    void *context, struct str metric, enum metric_type type, struct str help, struct str unit)
{
    struct otlp_write *w = context;
    int status = appender_set_metadata(w->in.appender, metric, type, help, unit);
    return status == ERR_NOMEM ? status : 0;
}

static int store_metrics(const struct otlp_message *m, struct otlp_write *w,
    const struct otlp_metrics *metrics, struct arena *arena, struct otlp_rejected *rejected_out,
    struct err *e)
{
    const struct api *api = m->api;
    const struct otlp_sink sink = {w, take_series, take_metadata};
    struct otlp_delta_batch delta;
    struct append_counts counts = {0};
    enum commit_durability durability = m->durable ? COMMIT_SYNCED : COMMIT_AS_CONFIGURED;
    int status = ingest_open(m->api, durability, m->wire_size, &w->in, e);
    if (status != 0) {
        return status;
    }
    otlp_delta_begin(api->otlp_delta, clock_now_ms(api->clock), &delta);
    status = otlp_translate(metrics, &api->otlp, &delta, &sink, arena, rejected_out);
    if (status != 0) {
        *e = w->failure;
        ingest_abort(&w->in);
    } else {
        status = ingest_commit(&w->in, &counts, e);
    }
    otlp_delta_end(&delta, status == 0);
    return status;
}

static void answer_metrics(const struct otlp_message *m, struct otlp_write *w,
    const struct otlp_rejected *rejected, struct strbuf *answer)
{
    uint64_t refused = ingest_refused(&w->in);
    const char *sentence = rejected->first.message;
    if (sentence[0] == '\0' && refused > 0) {
        sentence = ingest_complaint(&w->in);
    }
    otlp_write_response(m->json, rejected->points + refused, str_of(sentence), answer);
}

int otlp_take_metrics(const struct otlp_message *m, struct strbuf *answer, struct err *e)
{
    struct arena arena;
    struct otlp_metrics metrics;
    struct otlp_rejected rejected;
    struct otlp_write w = {.failure = ERR_INIT};
    arena_init(&arena, TREE_BYTES_MAX);
    int status = m->json ? otlp_metrics_decode_json(m->bytes, &arena, &metrics, e)
                         : otlp_metrics_decode(m->bytes, &arena, &metrics, e);
    if (status == 0) {
        strbuf_init(&w.key, STRBUF_LIMIT_DEFAULT);
        status = store_metrics(m, &w, &metrics, &arena, &rejected, e);
        strbuf_release(&w.key);
    }
    if (status == 0) {
        answer_metrics(m, &w, &rejected, answer);
    }
    arena_release(&arena);
    return status;
}

/* ---- Traces ---- */

static uint64_t count_refused(const struct span_append_counts *counts, struct strbuf *sentence)
{
    const struct {
        uint64_t count;
        const char *what;
    } reasons[] = {{counts->too_large, "are too large"},
        {counts->too_new, "start too far ahead of the server's clock (traces.future_limit)"},
        {counts->too_old, "start before all that is kept (traces.retention), or have no start"}};
    uint64_t refused = 0;
    for (size_t i = 0; i < sizeof(reasons) / sizeof(reasons[0]); i++) {
        refused += reasons[i].count;
        if (reasons[i].count > 0) {
            strbuf_addf(
                sentence, "%llu spans %s; ", (unsigned long long)reasons[i].count, reasons[i].what);
        }
    }
    for (int f = 0; f < OTLP_SPAN_FAULT_COUNT; f++) {
        refused += counts->faults[f];
        if (counts->faults[f] > 0) {
            strbuf_addf(sentence, "%llu spans: %s; ", (unsigned long long)counts->faults[f],
                otlp_span_fault_text((enum otlp_span_fault)f));
        }
    }
    if (refused > 0) {
        strbuf_add_c(sentence, "all others are stored");
    }
    return refused;
}

int otlp_store_spans(struct api *api, struct str message, bool durable, uint64_t *refused_out,
    struct strbuf *sentence, struct err *e)
{
    struct span_append_counts counts;
    if (api->backend.spans == NULL) {
        return err_set(e, ERR_CLOSED, -1, "traces are not kept here");
    }
    int status = span_store_append(api->backend.spans, message, durable, &counts, e);
    if (status != 0) {
        return status;
    }
    if (api->backend.graph != NULL) {
        service_graph_take(api->backend.graph, message);
    }
    api_metrics_refused_spans(&counts);
    *refused_out = count_refused(&counts, sentence);
    return 0;
}

static int store_spans(
    const struct otlp_message *m, struct str message, struct strbuf *answer, struct err *e)
{
    uint64_t refused;
    struct strbuf sentence = STRBUF_INIT;
    int status = otlp_store_spans(m->api, message, m->durable, &refused, &sentence, e);
    if (status == 0) {
        otlp_write_traces_response(m->json, refused, strbuf_str(&sentence), answer);
    }
    strbuf_release(&sentence);
    return status;
}

int otlp_take_traces(const struct otlp_message *m, struct strbuf *answer, struct err *e)
{
    struct strbuf message;
    if (!m->json) {
        return store_spans(m, m->bytes, answer, e);
    }
    strbuf_init(&message, OTLP_TRACES_MAX);
    int status = otlp_traces_from_json(m->bytes, &message, e);
    status = status == 0 ? store_spans(m, strbuf_str(&message), answer, e) : status;
    strbuf_release(&message);
    return status;
}
