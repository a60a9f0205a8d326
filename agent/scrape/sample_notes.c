/* Notes on samples as bytes. */
#include "scrape/sample_notes.h"

#include <assert.h>
#include <string.h>

#include "base/bytes.h"

enum { NOTE_AGAIN = 1, NOTE_TIME = 2, NOTE_HISTOGRAM = 4, NOTE_EXEMPLAR = 8, NOTE_BITS = 4 };

void sample_notes_init(struct sample_notes *n)
{
    *n = (struct sample_notes){0};
    strbuf_init(&n->bytes, SAMPLE_NOTES_BYTES_MAX);
}

void sample_notes_release(struct sample_notes *n)
{
    strbuf_release(&n->bytes);
    sample_notes_init(n);
}

static void add_pointer(struct strbuf *out, const void *pointer)
{
    strbuf_add_le64(out, (uint64_t)(uintptr_t)pointer);
}

static void *read_pointer(struct decbuf *in)
{
    return (void *)(uintptr_t)decbuf_le64(in);
}

int sample_notes_add(struct sample_notes *n, const struct sample_note *note)
{
    assert(note->at >= n->last_at);
    unsigned what = (note->again != NULL ? NOTE_AGAIN : 0) | (note->has_time ? NOTE_TIME : 0) |
                    (note->histogram != NULL ? NOTE_HISTOGRAM : 0) |
                    (note->exemplar != NULL ? NOTE_EXEMPLAR : 0);
    strbuf_add_uvarint(&n->bytes, (uint64_t)(note->at - n->last_at) << NOTE_BITS | what);
    if (note->again != NULL) {
        add_pointer(&n->bytes, note->again);
        strbuf_add_le64(&n->bytes, double_bits(note->value));
    }
    if (note->has_time) {
        /* Differences wrap around: a body may have any time. */
        strbuf_add_svarint(&n->bytes, (int64_t)((uint64_t)note->t_ms - (uint64_t)n->last_ms));
        n->last_ms = note->t_ms;
    }
    if (note->histogram != NULL) {
        add_pointer(&n->bytes, note->histogram);
    }
    if (note->exemplar != NULL) {
        add_pointer(&n->bytes, note->exemplar);
    }
    n->last_at = note->at;
    return strbuf_error(&n->bytes);
}

void sample_notes_rewind(struct sample_notes *n)
{
    n->read = n->last_at = 0;
    n->last_ms = 0;
}

bool sample_notes_next(struct sample_notes *n, struct sample_note *note_out)
{
    if (n->read == n->bytes.size) {
        return false;
    }
    struct decbuf in = decbuf_of(n->bytes.data + n->read, n->bytes.size - n->read);
    uint64_t head = decbuf_uvarint(&in);
    *note_out = (struct sample_note){.at = n->last_at + (size_t)(head >> NOTE_BITS)};
    if (head & NOTE_AGAIN) {
        note_out->again = read_pointer(&in);
        note_out->value = double_from_bits(decbuf_le64(&in));
    }
    if (head & NOTE_TIME) {
        note_out->has_time = true;
        n->last_ms = (int64_t)((uint64_t)n->last_ms + (uint64_t)decbuf_svarint(&in));
        note_out->t_ms = n->last_ms;
    }
    note_out->histogram = head & NOTE_HISTOGRAM ? read_pointer(&in) : NULL;
    note_out->exemplar = head & NOTE_EXEMPLAR ? read_pointer(&in) : NULL;
    assert(!in.failed);
    n->last_at = note_out->at;
    n->read = n->bytes.size - decbuf_left(&in);
    return true;
}
