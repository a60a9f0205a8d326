/* From spans to halves. */
#include "spans/span_halves.h"

#include "base/mem.h"

struct span_halves {
    struct span_shipper *shipper;
    struct clock *clock;
    struct half_edge_encoder *encoder;
    size_t kept;      /* of those in the encoder */
    int64_t since_ms; /* monotonic: when the first of them came */
    struct strbuf message;
    struct span_halves_statistics statistics;
};

int span_halves_new(
    struct span_shipper *shipper, struct clock *clock, struct span_halves **halves_out)
{
    struct span_halves *h = mem_calloc(1, sizeof(*h));
    if (h == NULL) {
        return ERR_NOMEM;
    }
    h->shipper = shipper;
    h->clock = clock;
    strbuf_init(&h->message, OTLP_TRACES_MAX);
    int status = half_edge_encoder_new(&h->encoder);
    if (status != 0) {
        span_halves_free(h);
        return status;
    }
    *halves_out = h;
    return 0;
}

void span_halves_free(struct span_halves *h)
{
    if (h != NULL) {
        half_edge_encoder_free(h->encoder);
        strbuf_release(&h->message);
        mem_free(h);
    }
}

/* ---- The other side ---- */

/* What an attribute says of it; lower ranks are better. */
static const struct peer_name {
    struct str key;
    int rank;
    bool database;
} peer_names[] = {
    {{"peer.service", 12}, 0, false},
    {{"db.namespace", 12}, 1, true},
    {{"db.name", 7}, 2, true},
    {{"db.system.name", 14}, 3, true},
    {{"db.system", 9}, 4, true},
    {{"messaging.destination.name", 26}, 5, false},
    {{"messaging.system", 16}, 6, false},
    {{"server.address", 14}, 7, false},
    {{"net.peer.name", 13}, 8, false},
};

/* IDLE_MS: with nothing kept. */
enum { NO_RANK = 9, IDLE_MS = 60000 };

/* Most attributes are none of them, which the first letter tells. */
static bool may_name_peer(struct str key)
{
    return key.len >= 7 && (key.ptr[0] == 'p' || key.ptr[0] == 'd' || key.ptr[0] == 'm' ||
                               key.ptr[0] == 's' || key.ptr[0] == 'n');
}

static void find_peer(struct attributes attributes, struct half_edge *half)
{
    int best = NO_RANK;
    for (size_t i = 0; i < attributes.count; i++) {
        const struct attribute *a = &attributes.items[i];
        if (a->kind != ATTRIBUTE_STRING || a->bytes.len == 0 || !may_name_peer(a->key)) {
            continue;
        }
        for (size_t k = 0; k < sizeof(peer_names) / sizeof(peer_names[0]); k++) {
            if (str_eq(a->key, peer_names[k].key)) {
                half->database = half->database || peer_names[k].database;
                if (peer_names[k].rank < best) {
                    best = peer_names[k].rank;
                    half->peer = a->bytes;
                }
            }
        }
    }
}

/* ---- Gathering ---- */

void span_halves_add(struct span_halves *h, const struct otlp_span *span, double weight)
{
    const struct span *s = &span->span;
    struct half_edge half = {
        .trace_id = s->trace_id,
        .failed = s->status == SPAN_STATUS_ERROR,
        .duration_ns = span_duration_ns(s),
        .weight = weight,
        .peer = STR(""),
    };
    switch (s->kind) {
    case SPAN_KIND_CLIENT:
    case SPAN_KIND_PRODUCER:
        half.span_id = s->span_id;
        find_peer(s->attributes, &half);
        break;
    case SPAN_KIND_SERVER:
    case SPAN_KIND_CONSUMER:
        half.span_id = s->parent_id;
        half.is_server = true;
        break;
    default:
        return;
    }
    half.messaging = s->kind == SPAN_KIND_PRODUCER || s->kind == SPAN_KIND_CONSUMER;
    half.service = span_resource_service(span->resource);
    h->statistics.lost += half_edge_encoder_add(h->encoder, &half) != 0;
}

void span_halves_keep(struct span_halves *h)
{
    if (h->kept == 0) {
        h->since_ms = clock_monotonic_ms(h->clock);
    }
    h->kept = half_edge_encoder_count(h->encoder);
    if (half_edge_encoder_bytes(h->encoder) >= SPAN_HALVES_BYTES_MAX) {
        span_halves_flush(h);
    }
}

void span_halves_drop(struct span_halves *h)
{
    half_edge_encoder_truncate(h->encoder, h->kept);
}

/* ---- Handing on ---- */

void span_halves_flush(struct span_halves *h)
{
    size_t count = h->kept;
    if (count == 0) {
        return;
    }
    strbuf_reset(&h->message);
    half_edge_encoder_finish(h->encoder, &h->message);
    h->kept = 0;
    int status = strbuf_error(&h->message);
    status = status == 0 ? span_shipper_add(h->shipper, strbuf_str(&h->message), 0) : status;
    h->statistics.halves += status == 0 ? count : 0;
    h->statistics.lost += status != 0 ? count : 0;
}

int64_t span_halves_step(struct span_halves *h)
{
    if (h->kept == 0) {
        return IDLE_MS;
    }
    int64_t left = h->since_ms + SPAN_HALVES_WAIT_MS - clock_monotonic_ms(h->clock);
    if (left <= 0) {
        span_halves_flush(h);
        return IDLE_MS;
    }
    return left;
}

void span_halves_statistics(
    const struct span_halves *h, struct span_halves_statistics *statistics_out)
{
    *statistics_out = h->statistics;
}
