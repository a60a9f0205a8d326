/* Two passes over a message: the first only reads it, so that a message that is broken at its end leaves
 * nothing in the queue, which cannot be taken back from. */
#include "receive/receive_write.h"

#include <inttypes.h>
#include <stdio.h>

#include "receive/receive_private.h"
#include "wire/media_type.h"
#include "wire/remote_write2.h"
#include "wire/snappy_codec.h"

/* ---- One message ---- */

struct writing {
    struct receive *receive;
    struct intake *intake;
    enum receive_write_version version;
    struct remote_write_decoder *decoder;
    struct strbuf labels; /* of the series at hand */
    struct receive_written *written;
};

static int open_decoder(struct writing *w, struct str message, struct arena *arena, struct err *e)
{
    int status = w->version == RECEIVE_WRITE_2
                     ? remote_write2_decoder_new(message, 0, arena, &w->decoder, e)
                     : remote_write_decoder_new(message, arena, &w->decoder);
    return status != 0 && e->message[0] == '\0' ? err_set(e, status, -1, "%s", err_text(status))
                                                : status;
}

/* Reads all of it and takes nothing. */
static int check_message(struct writing *w, struct str message, struct arena *arena, struct err *e)
{
    struct remote_write_item item;
    struct arena_mark mark = arena_mark(arena);
    int more = open_decoder(w, message, arena, e);
    if (more == 0) {
        do {
            more = remote_write_next(w->decoder, &item, e);
        } while (more > 0);
    }
    arena_rewind(arena, mark);
    return more;
}

static void refuse(struct writing *w, const struct remote_write_item *item, const struct err *why)
{
    if (w->written->refused_series++ == 0) {
        w->written->first = *why;
    }
    w->written->refused_samples += item->sample_count + item->histogram_count;
}

/* Labels, histograms, and that there is anything at all. ERR_INVALID: the series is refused. */
static int check_series(struct writing *w, struct remote_write_item *item, struct err *e)
{
    int status = remote_write_labels(w->decoder, item, e);
    for (size_t i = 0; status == 0 && i < item->histogram_count; i++) {
        status = histogram_validate(item->histograms[i].histogram, e) != 0 ? ERR_INVALID : 0;
    }
    if (status == 0 && w->version == RECEIVE_WRITE_2 && item->sample_count == 0 &&
        item->histogram_count == 0) {
        status = err_set(e, ERR_INVALID, (int64_t)item->offset,
            "series at byte %zu: a series must have a sample or a histogram", item->offset);
    }
    return status;
}

/* Piece by piece; histograms and exemplars go with the first. */
static void hand_in(struct writing *w, const struct remote_write_item *item)
{
    struct remote_write_series piece = {
        .labels_bytes = strbuf_str(&w->labels),
        .histograms = item->histograms,
        .histogram_count = item->histogram_count,
        .exemplars = item->exemplars,
        .exemplar_count = item->exemplar_count,
    };
    size_t at = 0;
    while (at < item->sample_count || piece.histogram_count > 0) {
        size_t left = item->sample_count - at;
        piece.samples = item->samples + at;
        piece.sample_count = left < RECEIVE_WRITE_PIECE_MAX ? left : RECEIVE_WRITE_PIECE_MAX;
        w->intake->add(w->intake, &piece);
        w->written->samples += piece.sample_count;
        w->written->histograms += piece.histogram_count;
        w->written->exemplars += piece.exemplar_count;
        at += piece.sample_count;
        piece.histogram_count = 0;
        piece.exemplar_count = 0;
    }
}

static int take_series(struct writing *w, struct remote_write_item *item, struct err *e)
{
    struct err why = ERR_INIT;
    int status = check_series(w, item, &why);
    if (status == 0) {
        status = receive_encode_labels(w->intake, item->labels, item->label_count, &w->labels);
    }
    if (status == ERR_INVALID) {
        refuse(w, item, &why);
        return 0;
    }
    if (status != 0) {
        return err_set(e, status, -1, "%s", err_text(status));
    }
    hand_in(w, item);
    return 0;
}

static int take_message(struct writing *w, struct err *e)
{
    struct remote_write_item item;
    int status;
    while ((status = remote_write_next(w->decoder, &item, e)) > 0) {
        bool is_series = item.kind == REMOTE_WRITE_SERIES;
        if (item.has_metadata || !is_series) {
            receive_metadata(
                w->receive, RECEIVE_WRITE, item.type, item.metric_family, item.help, item.unit);
        }
        status = is_series ? take_series(w, &item, e) : 0;
        if (status != 0) {
            return status;
        }
    }
    return status;
}

int receive_write_take(struct receive *r, enum receive_write_version version, struct str message,
    struct receive_written *written_out, struct err *e)
{
    struct arena arena;
    struct writing w = {
        .receive = r,
        .intake = r->options.intakes[RECEIVE_WRITE],
        .version = version,
        .written = written_out,
    };
    *written_out = (struct receive_written){.first = ERR_INIT};
    arena_init(&arena, RECEIVE_TREE_MAX);
    strbuf_init(&w.labels, LABELS_BYTES_MAX * 2);
    int status = check_message(&w, message, &arena, e);
    if (status == 0) {
        status = open_decoder(&w, message, &arena, e);
        status = status == 0 ? take_message(&w, e) : status;
        int committed = receive_commit(r, RECEIVE_WRITE, e);
        status = status != 0 ? status : committed;
        r->statistics[RECEIVE_WRITE].rejected_samples += written_out->refused_samples;
    }
    strbuf_release(&w.labels);
    arena_release(&arena);
    return status;
}

/* ---- The request ---- */

int receive_write_kind(
    struct str content_type, enum receive_write_version *version_out, struct err *e)
{
    struct str message;
    enum media_write kind = media_write_of(content_type, &message);
    if (kind != MEDIA_WRITE_OTHER) {
        *version_out = kind == MEDIA_WRITE_1 ? RECEIVE_WRITE_1 : RECEIVE_WRITE_2;
        return 0;
    }
    return err_set(e, ERR_UNSUPPORTED, -1,
        "Content-Type %.*s is not accepted; send application/x-protobuf with " //
        REMOTE_WRITE_MESSAGE_NAME " (remote write 1.0) or " REMOTE_WRITE2_MESSAGE_NAME " (2.0)",
        content_type.len < 100 ? (int)content_type.len : 100, content_type.ptr);
}

static int decompress(struct http_exchange *x, struct strbuf *message, struct err *e)
{
    struct str encoding = str_trim(http_exchange_header(x, "Content-Encoding"));
    if (encoding.len > 0 && !media_encoding_is(encoding, "snappy")) {
        return err_set(e, ERR_UNSUPPORTED, -1, "Content-Encoding %.*s is not accepted; send snappy",
            encoding.len < 100 ? (int)encoding.len : 100, encoding.ptr);
    }
    int status = snappy_decode(http_exchange_body(x), RECEIVE_MESSAGE_MAX, message);
    return status == ERR_LIMIT
               ? err_set(e, status, -1, "the message is larger than %zu bytes", RECEIVE_MESSAGE_MAX)
           : status == ERR_CORRUPT ? err_set(e, status, -1, "the body is not snappy (block format)")
                                   : status;
}

static void set_count_header(struct http_exchange *x, const char *name, uint64_t count)
{
    char text[24];
    snprintf(text, sizeof(text), "%" PRIu64, count);
    http_exchange_set_header(x, name, text);
}

static void answer_taken(struct http_exchange *x, const struct receive_written *w)
{
    struct strbuf body = STRBUF_INIT;
    set_count_header(x, "X-Prometheus-Remote-Write-Samples-Written", w->samples);
    set_count_header(x, "X-Prometheus-Remote-Write-Histograms-Written", w->histograms);
    set_count_header(x, "X-Prometheus-Remote-Write-Exemplars-Written", w->exemplars);
    if (w->refused_series > 0) {
        strbuf_addf(&body, "%s; %" PRIu64 " series were refused, all others were taken\n",
            w->first.message, w->refused_series);
    }
    http_exchange_reply(x, w->refused_series > 0 ? 400 : 204, "text/plain; charset=utf-8", &body);
    strbuf_release(&body);
}

void receive_write(struct http_exchange *x, void *context)
{
    struct receive *r = context;
    struct err e = ERR_INIT;
    struct strbuf message;
    struct receive_written written;
    enum receive_write_version version;
    strbuf_init(&message, RECEIVE_MESSAGE_MAX);
    int status = receive_write_kind(http_exchange_header(x, "Content-Type"), &version, &e);
    status = status == 0 ? receive_admit(r, RECEIVE_WRITE, &e) : status;
    status = status == 0 ? decompress(x, &message, &e) : status;
    status =
        status == 0 ? receive_write_take(r, version, strbuf_str(&message), &written, &e) : status;
    receive_count(r, RECEIVE_WRITE, x, status);
    if (status == 0) {
        answer_taken(x, &written);
    } else {
        http_exchange_reply_text(
            x, receive_status(status), e.message[0] != '\0' ? e.message : err_text(status));
    }
    strbuf_release(&message);
}
