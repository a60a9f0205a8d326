/* Requests of OTLP; metrics as samples, and spans. */
#include "receive/receive_otlp.h"

#include "receive/receive_private.h"
#include "wire/media_type.h"
#include "wire/otlp_traces.h"

/* ---- The frame ---- */

/* gRPC's number for what went wrong, which google.rpc.Status carries. */
static int status_code(unsigned status)
{
    enum { INVALID_ARGUMENT = 3, RESOURCE_EXHAUSTED = 8, UNAVAILABLE = 14 };
    return status == 413 || status == 429 ? RESOURCE_EXHAUSTED
           : status < 500                 ? INVALID_ARGUMENT
                                          : UNAVAILABLE;
}

/* Which of the two kinds the body is; ERR_UNSUPPORTED. */
static int read_kind(const struct http_exchange *x, bool *json_out, struct err *e)
{
    struct str type = http_exchange_header(x, "Content-Type");
    *json_out = media_type_is(type, "application/json");
    if (*json_out || media_type_is(type, "application/x-protobuf")) {
        return 0;
    }
    return err_set(e, ERR_UNSUPPORTED, -1,
        "Content-Type %.*s is not accepted; send application/x-protobuf or application/json",
        type.len < 100 ? (int)type.len : 100, type.len > 0 ? type.ptr : "");
}

static void take_request(
    struct receive *r, struct http_exchange *x, const struct receive_otlp_signal *signal)
{
    struct err e = ERR_INIT;
    struct strbuf plain, answer = STRBUF_INIT;
    struct receive_otlp_message m = {.protocol = SPAN_OTLP_HTTP};
    strbuf_init(&plain, RECEIVE_MESSAGE_MAX);
    int status = read_kind(x, &m.json, &e);
    status = status == 0 ? signal->admit(r, m.protocol, &e) : status;
    status = status == 0 ? receive_plain_body(x, &plain, &m.bytes, &e) : status;
    status = status == 0 ? signal->take(r, &m, &answer, &e) : status;
    receive_count(r, RECEIVE_OTLP, x, status);
    unsigned code = 200;
    if (status != 0) {
        code = receive_status(status);
        const char *sentence = e.message[0] != '\0' ? e.message : err_text(status);
        strbuf_reset(&answer);
        otlp_write_status(m.json, status_code(code), str_of(sentence), &answer);
    }
    http_exchange_reply(x, code, m.json ? "application/json" : "application/x-protobuf", &answer);
    strbuf_release(&answer);
    strbuf_release(&plain);
}

/* ---- Metrics ---- */

struct metrics_taking {
    struct receive *receive;
    struct intake *intake;
    struct strbuf labels; /* of the series at hand */
};

static int take_series(void *context, const struct otlp_series *s)
{
    struct metrics_taking *t = context;
    int status = receive_encode_labels(t->intake, s->labels, s->label_count, &t->labels);
    if (status != 0) {
        return status;
    }
    const struct sample sample = {s->t_ms, s->value};
    const struct remote_write_histogram histogram = {s->t_ms, s->histogram};
    const bool native = s->histogram != NULL;
    const struct remote_write_series series = {
        .labels_bytes = strbuf_str(&t->labels),
        .samples = native ? NULL : &sample,
        .sample_count = native ? 0 : 1,
        .histograms = native ? &histogram : NULL,
        .histogram_count = native ? 1 : 0,
        .exemplars = s->exemplars,
        .exemplar_count = s->exemplar_count,
    };
    t->intake->add(t->intake, &series);
    return 0;
}

static int take_metadata(
    void *context, struct str metric, enum metric_type type, struct str help, struct str unit)
{
    struct metrics_taking *t = context;
    receive_metadata(t->receive, RECEIVE_OTLP, type, metric, help, unit);
    return 0;
}

/* Deltas count only when the totals they led to are in the queue: a sender that is refused sends the same
 * again. */
static int hand_in(struct receive *r, const struct otlp_metrics *metrics, struct arena *arena,
    struct otlp_rejected *rejected_out, struct err *e)
{
    struct metrics_taking taking = {r, r->options.intakes[RECEIVE_OTLP], {0}};
    const struct otlp_sink sink = {&taking, take_series, take_metadata};
    struct otlp_delta_batch delta;
    strbuf_init(&taking.labels, LABELS_BYTES_MAX * 2);
    otlp_delta_begin(r->delta, clock_now_ms(r->options.clock), &delta);
    int status = otlp_translate(metrics, &r->otlp, &delta, &sink, arena, rejected_out);
    int committed = receive_commit(r, RECEIVE_OTLP, e);
    status = status != 0 ? status : committed;
    otlp_delta_end(&delta, status == 0);
    strbuf_release(&taking.labels);
    return status;
}

static int admit_metrics(struct receive *r, enum span_protocol protocol, struct err *e)
{
    (void)protocol;
    return receive_admit(r, RECEIVE_OTLP, e);
}

static int take_metrics(
    struct receive *r, const struct receive_otlp_message *m, struct strbuf *answer, struct err *e)
{
    struct arena arena;
    struct otlp_metrics metrics;
    struct otlp_rejected rejected;
    arena_init(&arena, RECEIVE_TREE_MAX);
    int status = m->json ? otlp_metrics_decode_json(m->bytes, &arena, &metrics, e)
                         : otlp_metrics_decode(m->bytes, &arena, &metrics, e);
    if (status == 0) {
        status = hand_in(r, &metrics, &arena, &rejected, e);
    }
    if (status == 0) {
        r->statistics[RECEIVE_OTLP].rejected_samples += rejected.points;
        otlp_write_response(m->json, rejected.points, str_of(rejected.first.message), answer);
    }
    arena_release(&arena);
    return status;
}

const struct receive_otlp_signal receive_otlp_metrics_signal = {admit_metrics, take_metrics};

void receive_otlp_metrics(struct http_exchange *x, void *context)
{
    take_request(context, x, &receive_otlp_metrics_signal);
}

/* ---- Traces ---- */

static int take_traces(
    struct receive *r, const struct receive_otlp_message *m, struct strbuf *answer, struct err *e)
{
    struct span_intake *door = r->options.spans;
    struct span_taken taken;
    struct strbuf encoded;
    strbuf_init(&encoded, OTLP_TRACES_MAX);
    int status = m->json ? otlp_traces_from_json(m->bytes, &encoded, e) : 0;
    if (status == 0) {
        struct str message = m->json ? strbuf_str(&encoded) : m->bytes;
        status = door->take(door, m->protocol, message, &taken, e);
    }
    if (status == 0) {
        otlp_write_traces_response(m->json, taken.refused, taken.why, answer);
    }
    strbuf_release(&encoded);
    return status;
}

const struct receive_otlp_signal receive_otlp_traces_signal = {receive_admit_spans, take_traces};

void receive_otlp_traces(struct http_exchange *x, void *context)
{
    take_request(context, x, &receive_otlp_traces_signal);
}
