/* Halving a batch at the borders of its items: the fields of a message of remote write as they lie, and the
 * spans of TracesData, which are wrapped anew in copies of their resource and scope. */
#include "ship/batch_split.h"

#include "base/err.h"
#include "base/gzip.h"
#include "base/mem.h"
#include "wire/otlp_traces.h"
#include "wire/remote_write.h"
#include "wire/snappy_codec.h"
#include "wire/span_mark.h"

enum {
    ITEMS_MAX = 1 << 20,
    /* Each halving adds one piece and halves the items: 2^20 of them are one after twenty. */
    PIECES_MAX = 32,
    GZIP_LEVEL = 1,
};

/* Where an item begins (of samples; spans are found by number), and how many samples come before it. */
struct mark {
    size_t offset;
    uint32_t samples;
};

struct batch_split {
    enum queue_cargo cargo;
    struct strbuf message;
    struct mark *marks; /* one more than there are items */
    size_t count, cap;
    size_t ends[PIECES_MAX]; /* of the pieces to come, the one in hand last */
    size_t piece_count;
    size_t begin; /* of the piece in hand */
};

static int add_mark(struct batch_split *s, size_t offset, uint32_t samples)
{
    int status =
        mem_array_grow((void **)&s->marks, &s->cap, s->count + 1, sizeof(*s->marks), ITEMS_MAX + 1);
    if (status == 0) {
        s->marks[s->count++] = (struct mark){offset, samples};
    }
    return status;
}

static int find_series(struct batch_split *s)
{
    struct arena arena;
    struct remote_write_decoder *decoder = NULL;
    struct remote_write_item item;
    uint32_t samples = 0;
    arena_init(&arena, REMOTE_WRITE_MESSAGE_MAX);
    int status = remote_write_decoder_new(strbuf_str(&s->message), &arena, &decoder);
    int more = status == 0 ? remote_write_next(decoder, &item, NULL) : status;
    while (more == 1 && status == 0) {
        status = add_mark(s, item.offset, samples);
        samples += (uint32_t)(item.sample_count + item.histogram_count);
        more = status == 0 ? remote_write_next(decoder, &item, NULL) : 0;
    }
    status = more < 0 ? more : status;
    if (status == 0) {
        status = add_mark(s, s->message.size, samples);
    }
    arena_release(&arena);
    return status;
}

static int find_spans(struct batch_split *s)
{
    struct otlp_traces *walker = NULL;
    struct otlp_span span;
    uint32_t count = 0;
    int status = otlp_traces_new(&walker);
    status = status == 0 ? otlp_traces_begin(walker, strbuf_str(&s->message), NULL) : status;
    int more = status == 0 ? otlp_traces_next(walker, &span) : status;
    while (more == 1 && status == 0) {
        status = add_mark(s, 0, count++);
        more = status == 0 ? otlp_traces_next(walker, &span) : 0;
    }
    status = more < 0 ? more : status;
    status = status == 0 ? add_mark(s, s->message.size, count) : status;
    otlp_traces_free(walker);
    return status;
}

static int read_items(struct batch_split *s, struct str payload)
{
    int status;
    if (s->cargo == QUEUE_SPANS) {
        status = gzip_decode(payload, OTLP_TRACES_MAX, &s->message);
        return status == 0 ? find_spans(s) : status;
    }
    status = snappy_decode(payload, REMOTE_WRITE_MESSAGE_MAX, &s->message);
    return status == 0 ? find_series(s) : status;
}

int batch_split_new(enum queue_cargo cargo, struct str payload, struct batch_split **split_out)
{
    struct batch_split *s = mem_calloc(1, sizeof(*s));
    if (s == NULL) {
        return ERR_NOMEM;
    }
    s->cargo = cargo;
    strbuf_init(&s->message, REMOTE_WRITE_MESSAGE_MAX);
    int status = read_items(s, payload);
    if (status != 0) {
        batch_split_free(s);
        return status;
    }
    s->ends[0] = s->count - 1;
    s->piece_count = 1;
    *split_out = s;
    return 0;
}

void batch_split_free(struct batch_split *s)
{
    if (s == NULL) {
        return;
    }
    strbuf_release(&s->message);
    mem_free(s->marks);
    mem_free(s);
}

bool batch_split_halve(struct batch_split *s)
{
    size_t items = s->ends[s->piece_count - 1] - s->begin;
    if (items < 2 || s->piece_count == PIECES_MAX) {
        return false;
    }
    s->ends[s->piece_count++] = s->begin + items / 2;
    return true;
}

bool batch_split_next(struct batch_split *s)
{
    s->begin = s->ends[--s->piece_count];
    return s->piece_count > 0;
}

uint32_t batch_split_samples(const struct batch_split *s)
{
    return s->marks[s->ends[s->piece_count - 1]].samples - s->marks[s->begin].samples;
}

uint32_t batch_split_done(const struct batch_split *s)
{
    return s->marks[s->begin].samples;
}

/* Spans number `from` to `to` of the message, in one of their own. */
static int wrap_spans(const struct batch_split *s, size_t from, size_t to, struct strbuf *message)
{
    struct otlp_traces *walker = NULL;
    struct otlp_traces_encoder encoder;
    struct otlp_span span;
    int status = otlp_traces_new(&walker);
    status = status == 0 ? otlp_traces_begin(walker, strbuf_str(&s->message), NULL) : status;
    if (status != 0) {
        otlp_traces_free(walker);
        return status;
    }
    otlp_traces_encoder_init(&encoder, message);
    for (size_t i = 0; i < to && status == 0; i++) {
        int more = otlp_traces_next(walker, &span);
        status = more == 1 ? 0 : ERR_CORRUPT; /* as many were found before */
        if (status == 0 && i >= from) {
            otlp_traces_encoder_add(&encoder, &span);
        }
    }
    otlp_traces_encoder_finish(&encoder);
    span_mark_write(message, span_mark_read(strbuf_str(&s->message)));
    otlp_traces_free(walker);
    return status != 0 ? status : strbuf_error(message);
}

static int encode_spans(const struct batch_split *s, struct strbuf *out)
{
    struct strbuf message;
    strbuf_init(&message, OTLP_TRACES_MAX);
    int status = wrap_spans(s, s->begin, s->ends[s->piece_count - 1], &message);
    status = status == 0 ? gzip_encode(strbuf_str(&message), GZIP_LEVEL, out) : status;
    strbuf_release(&message);
    return status;
}

int batch_split_encode(const struct batch_split *s, struct strbuf *out)
{
    if (s->cargo == QUEUE_SPANS) {
        return encode_spans(s, out);
    }
    size_t from = s->marks[s->begin].offset, to = s->marks[s->ends[s->piece_count - 1]].offset;
    return snappy_encode(str_make(s->message.data + from, to - from), out);
}
