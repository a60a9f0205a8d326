/* OTLP metrics over HTTP: POST /api/v1/otlp/v1/metrics, as Prometheus' OTLP receiver takes them
 * (https://opentelemetry.io/docs/specs/otlp/#otlphttp). The answer has the request's encoding.
 *
 *   200  taken; with partialSuccess when points were refused, which the sender must not send again
 *   400  cannot be read
 *   413  too large, 415 neither protobuf nor JSON, or an encoding other than gzip
 *   429, 503  busy, or the disk does not take it: send again. Any other 5xx is final to a sender of OTLP
 */
#include <stdio.h>
#include <strings.h>

#include "api/api_ingest.h"
#include "api/api_private.h"
#include "base/gzip.h"
#include "wire/otlp_translate.h"

/* Memory of one message's tree. */
#define TREE_BYTES_MAX ((size_t)512 << 20)

struct otlp_write {
    struct api_request *request;
    bool json;
    struct ingest in;
    struct strbuf key; /* of the series at hand */
    struct err failure;
};

static const char *content_type(const struct otlp_write *w)
{
    return w->json ? "application/json" : "application/x-protobuf";
}

/* ---- Answers ---- */

/* gRPC's number for what went wrong, which google.rpc.Status carries. */
static int status_code(unsigned status)
{
    enum { INVALID_ARGUMENT = 3, RESOURCE_EXHAUSTED = 8, INTERNAL = 13, UNAVAILABLE = 14 };
    return status == 413 || status == 429 ? RESOURCE_EXHAUSTED
           : status < 500                 ? INVALID_ARGUMENT
           : status == 503                ? UNAVAILABLE
                                          : INTERNAL;
}

static void answer_status(struct otlp_write *w, unsigned status, const char *sentence)
{
    struct strbuf body = STRBUF_INIT;
    otlp_write_status(w->json, status_code(status), str_of(sentence), &body);
    api_reply(w->request, status, content_type(w), &body);
}

/* A sender of OTLP gives up at 500, so that what may work later is 503. */
static void answer_failure(struct otlp_write *w, const struct err *e)
{
    unsigned status = ingest_failure_status(w->request, e->code == ERR_IO ? ERR_NO_SPACE : e->code);
    answer_status(w, status, e->message[0] != '\0' ? e->message : err_text(e->code));
}

static void answer_taken(struct otlp_write *w, struct otlp_rejected *rejected)
{
    struct strbuf body = STRBUF_INIT;
    uint64_t refused = ingest_refused(&w->in);
    const char *sentence = rejected->first.message;
    if (sentence[0] == '\0' && refused > 0) {
        sentence = ingest_complaint(&w->in);
    }
    otlp_write_response(w->json, rejected->points + refused, str_of(sentence), &body);
    api_reply(w->request, 200, content_type(w), &body);
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
    const struct api *api = w->request->api;
    const struct otlp_sink sink = {w, take_series, take_metadata};
    struct otlp_delta_batch delta;
    struct append_counts counts = {0};
    int status = ingest_begin(w->request, &w->in, e);
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

static void take_message(struct otlp_write *w, struct str message)
{
    struct arena arena;
    struct otlp_metrics metrics;
    struct otlp_rejected rejected;
    struct err e = ERR_INIT;
    arena_init(&arena, TREE_BYTES_MAX);
    int status = w->json ? otlp_metrics_decode_json(message, &arena, &metrics, &e)
                         : otlp_metrics_decode(message, &arena, &metrics, &e);
    if (status == 0) {
        strbuf_init(&w->key, STRBUF_LIMIT_DEFAULT);
        status = store(w, &metrics, &arena, &rejected, &e);
        strbuf_release(&w->key);
    }
    if (status != 0) {
        e.code = status;
        answer_failure(w, &e);
    } else {
        answer_taken(w, &rejected);
    }
    arena_release(&arena);
}

static bool equal_ignoring_case(struct str a, const char *b)
{
    return a.len == strlen(b) && strncasecmp(a.ptr, b, a.len) == 0;
}

/* Answers and returns false when the body is of a kind that is not read here. */
static bool accept_kind(struct otlp_write *w, bool *gzipped_out)
{
    char sentence[256];
    struct http_exchange *x = w->request->exchange;
    struct str type = http_exchange_header(x, "Content-Type");
    struct str encoding = str_trim(http_exchange_header(x, "Content-Encoding"));
    struct str rest = type;
    struct str kind = str_trim(str_split(&rest, ';'));
    w->json = equal_ignoring_case(kind, "application/json");
    *gzipped_out = equal_ignoring_case(encoding, "gzip");
    if (!w->json && !equal_ignoring_case(kind, "application/x-protobuf")) {
        snprintf(sentence, sizeof(sentence),
            "Content-Type %.*s is not accepted; send application/x-protobuf or application/json",
            type.len < 100 ? (int)type.len : 100, type.len > 0 ? type.ptr : "");
    } else if (encoding.len > 0 && !*gzipped_out && !equal_ignoring_case(encoding, "identity")) {
        snprintf(sentence, sizeof(sentence),
            "Content-Encoding %.*s is not accepted; send gzip or none",
            encoding.len < 100 ? (int)encoding.len : 100, encoding.ptr);
    } else {
        return true;
    }
    answer_status(w, 415, sentence);
    return false;
}

void api_otlp_metrics(struct api_request *r)
{
    struct otlp_write w = {.request = r, .failure = ERR_INIT};
    struct str body = http_exchange_body(r->exchange);
    struct strbuf plain;
    bool gzipped;
    if (!accept_kind(&w, &gzipped)) {
        return;
    }
    strbuf_init(&plain, OTLP_MESSAGE_MAX);
    int status = gzipped ? gzip_decode(body, OTLP_MESSAGE_MAX, &plain) : 0;
    if (status != 0) {
        struct err e = ERR_INIT;
        err_set(&e, status, -1,
            status == ERR_LIMIT ? "the message is larger than %zu bytes"
                                : "the body is not gzip, or memory is too short for %zu bytes",
            OTLP_MESSAGE_MAX);
        answer_failure(&w, &e);
    } else {
        take_message(&w, gzipped ? strbuf_str(&plain) : body);
    }
    strbuf_release(&plain);
}
