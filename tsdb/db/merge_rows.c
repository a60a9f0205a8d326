/* Rows of several pieces of one target, in order of time, each once.
 *
 * Pieces are opened when the stream reaches them and closed behind their last row, so memory follows
 * how many of them overlap, not how many there are. */
#include <stdlib.h>
#include <string.h>

#include "db/merge_private.h"

/* An open piece: its rows, and how far they are used. */
struct open_piece {
    struct open_piece *next;
    uint32_t at, count;
    int64_t times[PART_GROUP_ROWS_MAX];
};

struct row_stream {
    struct merge *m;
    const struct piece **pieces; /* by their first row */
    size_t next, count;
    int64_t min_t, max_t;
    struct open_piece *open, *idle;
};

static int compare_first(const void *a, const void *b)
{
    const struct piece *x = *(const struct piece *const *)a, *y = *(const struct piece *const *)b;
    return x->first_t < y->first_t ? -1 : x->first_t > y->first_t;
}

int row_stream_new(struct merge *m, const struct piece *const *pieces, size_t count, int64_t min_t,
    int64_t max_t, struct row_stream **stream_out)
{
    struct row_stream *s = arena_calloc(&m->scratch, 1, sizeof(*s));
    const struct piece **sorted = arena_dup(&m->scratch, pieces, count * sizeof(struct piece *));
    if (s == NULL || sorted == NULL) {
        return arena_error(&m->scratch);
    }
    qsort(sorted, count, sizeof(struct piece *), compare_first);
    *s = (struct row_stream){
        .m = m, .pieces = sorted, .count = count, .min_t = min_t, .max_t = max_t};
    *stream_out = s;
    return 0;
}

/* Opens the next piece. Its times are read into the scratch arena and copied out of it at once. */
static int open_next(struct row_stream *s, struct err *e)
{
    struct open_piece *o = s->idle;
    if (o != NULL) {
        s->idle = o->next;
    } else {
        o = arena_alloc(&s->m->scratch, sizeof(*o));
        if (o == NULL) {
            return arena_error(&s->m->scratch);
        }
    }
    struct arena_mark mark = arena_mark(&s->m->scratch);
    struct piece piece = *s->pieces[s->next++];
    const int64_t *times = NULL;
    int status = merge_read_times(s->m, &piece, &times, e);
    o->at = 0;
    o->count = status == 0 ? piece.row_count : 0;
    if (status == 0) {
        memcpy(o->times, times, o->count * sizeof(*times));
    }
    arena_rewind(&s->m->scratch, mark);
    while (o->at < o->count && o->times[o->at] < s->min_t) {
        o->at++;
    }
    o->next = s->open;
    s->open = o;
    return status;
}

/* The earliest time of the open pieces; false when they have none left. */
static bool earliest(struct row_stream *s, int64_t *time_out)
{
    struct open_piece **link = &s->open;
    bool found = false;
    while (*link != NULL) {
        struct open_piece *o = *link;
        if (o->at == o->count) {
            *link = o->next;
            o->next = s->idle;
            s->idle = o;
            continue;
        }
        *time_out = !found || o->times[o->at] < *time_out ? o->times[o->at] : *time_out;
        found = true;
        link = &o->next;
    }
    return found;
}

int row_stream_read(
    struct row_stream *s, int64_t *times_out, uint32_t cap, uint32_t *count_out, struct err *e)
{
    uint32_t count = 0;
    while (count < cap) {
        int64_t time = 0;
        bool found = earliest(s, &time);
        if (s->next < s->count && (!found || s->pieces[s->next]->first_t <= time)) {
            int status = open_next(s, e);
            if (status != 0) {
                return status;
            }
            continue;
        }
        if (!found || time > s->max_t) {
            break;
        }
        for (struct open_piece *o = s->open; o != NULL; o = o->next) {
            o->at += o->at < o->count && o->times[o->at] == time;
        }
        times_out[count++] = time;
    }
    *count_out = count;
    return 0;
}
