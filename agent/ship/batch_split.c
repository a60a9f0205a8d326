/* Halving a batch at the borders of its items. */
#include "ship/batch_split.h"

#include "base/err.h"
#include "base/mem.h"
#include "wire/remote_write.h"
#include "wire/snappy_codec.h"

enum {
    ITEMS_MAX = 1 << 20,
    /* Each halving adds one piece and halves the items: 2^20 of them are one after twenty. */
    PIECES_MAX = 32,
};

/* Where an item begins, and how many samples come before it. */
struct mark {
    size_t offset;
    uint32_t samples;
};

struct batch_split {
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

static int find_items(struct batch_split *s)
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

int batch_split_new(struct str payload, struct batch_split **split_out)
{
    struct batch_split *s = mem_calloc(1, sizeof(*s));
    if (s == NULL) {
        return ERR_NOMEM;
    }
    strbuf_init(&s->message, REMOTE_WRITE_MESSAGE_MAX);
    int status = snappy_decode(payload, REMOTE_WRITE_MESSAGE_MAX, &s->message);
    if (status == 0) {
        status = find_items(s);
    }
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

int batch_split_encode(const struct batch_split *s, struct strbuf *out)
{
    size_t from = s->marks[s->begin].offset, to = s->marks[s->ends[s->piece_count - 1]].offset;
    return snappy_encode(str_make(s->message.data + from, to - from), out);
}
