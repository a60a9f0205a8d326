/* Remote write 1.0 and 2.0: POST /api/v1/write (https://prometheus.io/docs/specs/prw/). Content-Type
 * says which of the two messages it is.
 *
 * The way of a sample: snappy into a kept buffer, one pass over the message, series by series. What
 * stands for the labels of a series (their encoded bytes, or the hashes of their symbols) is hashed and
 * asked for; only a series the store has not seen under this hash has its labels decoded and checked.
 * Nothing is allocated for a sample.
 *
 * A message that cannot be read is refused whole. A series or sample that is refused (bad labels, too
 * old, too far ahead, beyond a limit) does not spoil the others: they are stored, and the answer is
 * 400 with the first complaint and the number of the others, so that the sender does not send again.
 * That holds for the limit of new series per hour too: 429 would make a sender hold back its series
 * that are there until the hour is over, for the sake of those that are too many.
 *
 * `?ack=durable` makes the answer wait until the write is synced, whatever the store's policy.
 */
#include <assert.h>
#include <inttypes.h>
#include <stdio.h>

#include "api/api_ingest.h"
#include "api/api_private.h"
#include "base/mem.h"
#include "wire/media_type.h"
#include "wire/remote_write2.h"
#include "wire/snappy_codec.h"

/* Buffers that grew beyond this are not kept. */
#define KEPT_MESSAGE_BYTES_MAX ((size_t)8 << 20)
/* Memory of the decoder of one message. */
#define DECODER_BYTES_MAX ((size_t)64 << 20)

/* ---- Buffers ---- */

static struct write_buffers *take_buffers(struct api *api)
{
    lock_take(&api->lock);
    struct write_buffers *buffers = api->free_buffers;
    if (buffers != NULL) {
        api->free_buffers = buffers->next;
    }
    lock_give(&api->lock);
    if (buffers == NULL) {
        buffers = mem_calloc(1, sizeof(*buffers));
        if (buffers != NULL) {
            strbuf_init(&buffers->message, REMOTE_WRITE_MESSAGE_MAX);
        }
    }
    return buffers;
}

/* As many are kept as writes ever ran at once: the threads of the ingest lane. */
static void give_buffers(struct api *api, struct write_buffers *buffers)
{
    if (buffers->message.cap > KEPT_MESSAGE_BYTES_MAX) {
        strbuf_release(&buffers->message);
    }
    strbuf_reset(&buffers->message);
    lock_take(&api->lock);
    buffers->next = api->free_buffers;
    api->free_buffers = buffers;
    lock_give(&api->lock);
}

void api_write_release_buffers(struct api *api)
{
    while (api->free_buffers != NULL) {
        struct write_buffers *buffers = api->free_buffers;
        api->free_buffers = buffers->next;
        strbuf_release(&buffers->message);
        mem_free(buffers);
    }
}

/* ---- One write ---- */

enum write_version { WRITE_REFUSED, WRITE_1, WRITE_2 };

struct write {
    struct ingest in;
    enum write_version version;
    struct remote_write_decoder *decoder;
};

/* 1: the series is known as *ref_out; 0: it is refused, go on; negative: the write has failed. */
static int find_series(
    struct write *w, struct remote_write_item *item, struct series_ref *ref_out, struct err *e)
{
    struct hash128 key = {0, 0};
    bool has_key = item->labels_bytes.ptr != NULL;
    if (has_key) {
        key = hash128(item->labels_bytes.ptr, item->labels_bytes.len, w->in.key_seed);
        if (appender_lookup(w->in.appender, key, ref_out) == 1) {
            return 1;
        }
    }
    int status = remote_write_labels(w->decoder, item, e);
    if (status == ERR_INVALID) {
        ingest_refuse_series(&w->in, e);
        return 0;
    }
    if (status != 0) {
        return status;
    }
    status =
        ingest_series(&w->in, item->labels, item->label_count, has_key ? &key : NULL, ref_out, e);
    if (status == 0) {
        ingest_count_lost(
            &w->in, e, item->labels, item->label_count, item->sample_count + item->histogram_count);
    }
    return status;
}

static void refuse_sample(
    struct write *w, struct remote_write_item *item, int64_t t_ms, int status, const char *why)
{
    struct err unread = ERR_INIT;
    if (item->labels == NULL && ingest_wants_complaint(&w->in)) {
        (void)remote_write_labels(w->decoder, item, &unread); /* only for the sentence */
    }
    ingest_refuse_sample(
        &w->in, item->labels, item->labels != NULL ? item->label_count : 0, t_ms, status, why);
}

/* What becomes of a sample that the store did not take: 0 to go on, or the error that ends the write. */
static int judge(struct write *w, struct remote_write_item *item, int64_t t_ms, int status)
{
    const char *why = ingest_refusal(&w->in, t_ms, status);
    if (status != 0 && why != NULL) {
        refuse_sample(w, item, t_ms, status, why);
        return 0;
    }
    return status;
}

static int append_histograms(struct write *w, struct remote_write_item *item, struct series_ref ref)
{
    for (size_t i = 0; i < item->histogram_count; i++) {
        const struct remote_write_histogram *h = &item->histograms[i];
        struct err e = ERR_INIT;
        if (histogram_validate(h->histogram, &e) != 0) {
            refuse_sample(w, item, h->t_ms, ERR_INVALID, e.message);
            continue;
        }
        int status = judge(w, item, h->t_ms,
            appender_append_histogram(w->in.appender, ref, h->t_ms, h->histogram));
        if (status != 0) {
            return status;
        }
    }
    return 0;
}

static int append_exemplars(
    struct write *w, const struct remote_write_item *item, struct series_ref ref)
{
    for (size_t i = 0; i < item->exemplar_count; i++) {
        const struct remote_write_exemplar *exemplar = &item->exemplars[i];
        /* A refused exemplar is no reason to complain: the samples are what the sender is about. */
        int status = appender_append_exemplar(w->in.appender, ref, exemplar->labels,
            exemplar->label_count, exemplar->value, exemplar->t_ms);
        if (status == ERR_NOMEM) {
            return status;
        }
    }
    return 0;
}

static int append_metadata(struct write *w, const struct remote_write_item *item, struct err *e)
{
    int status = appender_set_metadata(
        w->in.appender, item->metric_family, item->type, item->help, item->unit);
    return status == ERR_NOMEM ? err_set(e, status, -1, "%s", err_text(status)) : 0;
}

/* 2.0 demands a sample or a histogram of every series. */
static bool is_empty(const struct write *w, const struct remote_write_item *item)
{
    return w->version == WRITE_2 && item->sample_count == 0 && item->histogram_count == 0;
}

static int append_series(struct write *w, struct remote_write_item *item, struct err *e)
{
    struct series_ref ref;
    if (is_empty(w, item)) {
        struct err empty = ERR_INIT;
        err_set(&empty, ERR_INVALID, (int64_t)item->offset,
            "series at byte %zu: a series must have a sample or a histogram", item->offset);
        ingest_refuse_series(&w->in, &empty);
        return 0;
    }
    int found = find_series(w, item, &ref, e);
    if (found <= 0) {
        return found;
    }
    int status = 0;
    for (size_t i = 0; status == 0 && i < item->sample_count; i++) {
        const struct sample *sample = &item->samples[i];
        status = appender_append(w->in.appender, ref, sample->t_ms, sample->value);
        if (status != 0) {
            status = judge(w, item, sample->t_ms, status);
        }
    }
    if (status == 0 && item->histogram_count > 0) {
        status = append_histograms(w, item, ref);
    }
    if (status == 0 && item->exemplar_count > 0) {
        status = append_exemplars(w, item, ref);
    }
    if (status == 0 && item->has_metadata) {
        status = append_metadata(w, item, e);
    }
    return status != 0 ? err_set(e, status, -1, "%s", err_text(status)) : 0;
}

/* All items of the message. */
static int append_message(struct write *w, struct err *e)
{
    struct remote_write_item item;
    int more;
    while ((more = remote_write_next(w->decoder, &item, e)) > 0) {
        int status = item.kind == REMOTE_WRITE_SERIES ? append_series(w, &item, e)
                                                      : append_metadata(w, &item, e);
        if (status != 0) {
            return status;
        }
    }
    return more;
}

/* ---- Answers ---- */

static void set_count_header(struct api_request *r, const char *name, uint64_t count)
{
    char text[24];
    snprintf(text, sizeof(text), "%" PRIu64, count);
    http_exchange_set_header(r->exchange, name, text);
}

static void answer_committed(struct write *w, const struct append_counts *counts)
{
    struct api_request *r = w->in.request;
    set_count_header(r, "X-Prometheus-Remote-Write-Samples-Written", counts->samples);
    set_count_header(r, "X-Prometheus-Remote-Write-Histograms-Written", counts->histograms);
    set_count_header(r, "X-Prometheus-Remote-Write-Exemplars-Written", counts->exemplars);
    if (ingest_refused(&w->in) == 0) {
        api_reply_empty(r, 204);
    } else {
        api_reply_text(r, 400, ingest_complaint(&w->in));
    }
}

static int open_decoder(struct write *w, struct str message, struct arena *arena, struct err *e)
{
    if (w->version == WRITE_2) {
        return remote_write2_decoder_new(message, w->in.key_seed, arena, &w->decoder, e);
    }
    return remote_write_decoder_new(message, arena, &w->decoder);
}

static void write_message(
    struct api_request *r, enum write_version version, struct str message, struct arena *arena)
{
    struct write w = {.version = version};
    struct append_counts counts = {0};
    struct err e = ERR_INIT;
    int status = ingest_begin(r, &w.in, &e);
    if (status == 0) {
        status = open_decoder(&w, message, arena, &e);
        if (status == 0) {
            status = append_message(&w, &e);
        }
        if (status != 0) {
            ingest_abort(&w.in);
        } else {
            status = ingest_commit(&w.in, &counts, &e);
        }
    }
    if (status != 0) {
        e.code = status;
        ingest_answer_failure(r, &e);
    } else {
        answer_committed(&w, &counts);
    }
}

/* ---- The request ---- */

/* Which message it is; one that is not read here is refused and answered. */
static enum write_version version_of(struct api_request *r)
{
    char sentence[256];
    struct str type = http_exchange_header(r->exchange, "Content-Type");
    struct str message;
    enum media_write kind = media_write_of(type, &message);
    struct str encoding = str_trim(http_exchange_header(r->exchange, "Content-Encoding"));
    if (message.len == 0) {
        snprintf(sentence, sizeof(sentence),
            "Content-Type %.*s is not accepted; send application/x-protobuf",
            type.len < 100 ? (int)type.len : 100, type.ptr);
    } else if (kind == MEDIA_WRITE_OTHER) {
        snprintf(sentence, sizeof(sentence),
            "%.*s is not accepted by this server; it takes " REMOTE_WRITE_MESSAGE_NAME
            " (remote write 1.0) and " REMOTE_WRITE2_MESSAGE_NAME " (2.0)",
            message.len < 100 ? (int)message.len : 100, message.ptr);
    } else if (encoding.len > 0 && !media_encoding_is(encoding, "snappy")) {
        snprintf(sentence, sizeof(sentence),
            "%.*s encoding (compression) is not accepted by this server; only snappy is acceptable",
            encoding.len < 100 ? (int)encoding.len : 100, encoding.ptr);
    } else {
        return kind == MEDIA_WRITE_1 ? WRITE_1 : WRITE_2;
    }
    api_reply_text(r, 415, sentence);
    return WRITE_REFUSED;
}

/* Answers and returns false when the body is too large or no snappy. */
static bool decompress(struct api_request *r, struct strbuf *message)
{
    struct str body = http_exchange_body(r->exchange);
    struct err e = ERR_INIT;
    int status = ERR_LIMIT;
    if (body.len <= REMOTE_WRITE_COMPRESSED_MAX) {
        status = snappy_decode(body, REMOTE_WRITE_MESSAGE_MAX, message);
    }
    switch (status) {
    case 0:
        return true;
    case ERR_LIMIT:
        err_set(&e, status, -1,
            "the message is too large: at most %zu bytes compressed and %zu decompressed",
            REMOTE_WRITE_COMPRESSED_MAX, REMOTE_WRITE_MESSAGE_MAX);
        break;
    case ERR_CORRUPT:
        err_set(&e, status, -1, "the body is not snappy (block format), as remote write wants it");
        break;
    default:
        err_set(&e, status, -1, "%s", err_text(status));
        break;
    }
    ingest_answer_failure(r, &e);
    return false;
}

void api_remote_write(struct api_request *r)
{
    enum write_version version = version_of(r);
    if (version == WRITE_REFUSED) {
        return;
    }
    struct write_buffers *buffers = take_buffers(r->api);
    if (buffers == NULL) {
        struct err e = ERR_INIT;
        err_set(&e, ERR_NOMEM, -1, "%s", err_text(ERR_NOMEM));
        ingest_answer_failure(r, &e);
        return;
    }
    if (decompress(r, &buffers->message)) {
        struct arena arena;
        arena_init(&arena, DECODER_BYTES_MAX);
        write_message(r, version, strbuf_str(&buffers->message), &arena);
        arena_release(&arena);
    }
    give_buffers(r->api, buffers);
}
