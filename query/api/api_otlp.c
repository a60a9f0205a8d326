/* OTLP metrics over HTTP: POST /api/v1/otlp/v1/metrics, as Prometheus' OTLP receiver takes
 * them; statuses are in otlp_post.h. Points that are refused are told
 * in partialSuccess, and the sender must not send them again. */
#include "api/api_ingest.h"
#include "api/api_private.h"
#include "api/otlp_post.h"
#include "wire/otlp_translate.h"

/* Memory of one message's tree. */
#define TREE_BYTES_MAX ((size_t)512 << 20)

struct otlp_write {
    struct otlp_post post;
    struct ingest in;
    struct strbuf key; /* of the series at hand */
    struct err failure;
};

/* ---- Answers ---- */

static void answer_taken(struct otlp_write *w, struct otlp_rejected *rejected)
{
    struct strbuf body = STRBUF_INIT;
    uint64_t refused = ingest_refused(&w->in);
    const char *sentence = rejected->first.message;
    if (sentence[0] == '\0' && refused > 0) {
        sentence = ingest_complaint(&w->in);
    }
    otlp_write_response(w->post.json, rejected->points + refused, str_of(sentence), &body);
    otlp_post_answer(&w->post, 200, &body);
}

/* ---- Series ---- */

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

/* ---- The request ---- */

static int store(struct otlp_write *w, const struct otlp_metrics *metrics, struct arena *arena,
    struct otlp_rejected *rejected_out, struct err *e)
{
    const struct api *api = w->post.request->api;
    const struct otlp_sink sink = {w, take_series, take_metadata};
    struct otlp_delta_batch delta;
    struct append_counts counts = {0};
    int status = ingest_begin(w->post.request, &w->in, e);
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

static void take_message(struct otlp_write *w)
{
    struct str message = w->post.message;
    struct arena arena;
    struct otlp_metrics metrics;
    struct otlp_rejected rejected;
    struct err e = ERR_INIT;
    arena_init(&arena, TREE_BYTES_MAX);
    int status = w->post.json ? otlp_metrics_decode_json(message, &arena, &metrics, &e)
                              : otlp_metrics_decode(message, &arena, &metrics, &e);
    if (status == 0) {
        strbuf_init(&w->key, STRBUF_LIMIT_DEFAULT);
        status = store(w, &metrics, &arena, &rejected, &e);
        strbuf_release(&w->key);
    }
    if (status != 0) {
        e.code = status;
        otlp_post_fail(&w->post, &e);
    } else {
        answer_taken(w, &rejected);
    }
    arena_release(&arena);
}

void api_otlp_metrics(struct api_request *r)
{
    struct otlp_write w = {.failure = ERR_INIT};
    if (otlp_post_read(r, OTLP_MESSAGE_MAX, &w.post)) {
        take_message(&w);
    }
    otlp_post_release(&w.post);
}
