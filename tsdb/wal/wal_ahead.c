/* Helpers with a queue each; see the header. */
#include "wal/wal_ahead.h"

#include <pthread.h>
#include <unistd.h>

#include "base/lock.h"
#include "base/mem.h"

/* A frame, or the end of a segment. */
struct item {
    int status; /* of wal_reader_next, or of opening the segment */
    struct wal_records records;
    char *bytes; /* owned: the records */
    struct wal_segment_end end;
};

struct helper {
    struct wal_ahead *ahead;
    size_t number;
    pthread_t thread;
    struct wal_reader reader;
    /* A ring. */
    struct item items[WAL_AHEAD_FRAMES_MAX];
    size_t first, count, bytes;
};

struct wal_ahead {
    struct vfs *fs;
    const char *directory;
    const uint64_t *sequences;
    size_t segment_count;
    struct lock lock; /* rank LEAF: queues, `stopped` */
    struct lock_condition changed;
    bool stopped;
    struct helper *helpers;
    size_t helper_count; /* whose readers are there */
    size_t thread_count;
    /* The asker's. */
    size_t segment; /* at turn */
    char *handed_out;
};

/* ---- Helpers ---- */

static bool has_room(const struct helper *h, size_t bytes)
{
    return h->count == 0 ||
           (h->count < WAL_AHEAD_FRAMES_MAX && h->bytes + bytes <= WAL_AHEAD_BYTES_MAX);
}

/* Waits for room. False when nobody wants it any more. */
static bool push(struct helper *h, const struct item *item)
{
    struct wal_ahead *a = h->ahead;
    lock_take(&a->lock);
    while (!a->stopped && !has_room(h, item->records.plain.len)) {
        lock_condition_wait(&a->changed, &a->lock);
    }
    bool wanted = !a->stopped;
    if (wanted) {
        h->items[(h->first + h->count++) % WAL_AHEAD_FRAMES_MAX] = *item;
        h->bytes += item->records.plain.len;
        lock_condition_broadcast(&a->changed);
    }
    lock_give(&a->lock);
    return wanted;
}

/* The next frame with bytes of its own. */
static void read_item(struct helper *h, struct item *item_out)
{
    *item_out = (struct item){0};
    item_out->status = wal_reader_next(&h->reader, &item_out->records, &item_out->end);
    if (item_out->status != 1) {
        return;
    }
    struct str plain = item_out->records.plain;
    item_out->bytes = mem_dup(plain.len > 0 ? plain.ptr : "", plain.len + (plain.len == 0));
    item_out->records.plain.ptr = item_out->bytes;
    if (item_out->bytes == NULL) {
        *item_out = (struct item){.status = ERR_NOMEM};
    }
}

/* All frames of one segment and its end. False when nobody wants more. */
static bool read_segment(struct helper *h, size_t segment)
{
    char path[WAL_PATH_MAX];
    struct item item = {0};
    item.status = wal_segment_path(path, h->ahead->directory, h->ahead->sequences[segment]);
    if (item.status == 0) {
        item.status = wal_reader_open(&h->reader, path);
    }
    if (item.status != 0) {
        return push(h, &item);
    }
    do {
        read_item(h, &item);
        if (!push(h, &item)) {
            mem_free(item.bytes);
            return false;
        }
    } while (item.status == 1);
    return true;
}

static void *run(void *context)
{
    struct helper *h = context;
    const struct wal_ahead *a = h->ahead;
    bool wanted = true;
    for (size_t i = h->number; wanted && i < a->segment_count; i += a->helper_count) {
        wanted = read_segment(h, i);
    }
    return NULL;
}

/* ---- The asker ---- */

static size_t wanted_helpers(size_t segment_count)
{
    long processors = sysconf(_SC_NPROCESSORS_ONLN);
    size_t count = processors > 2 ? (size_t)processors - 1 : 1;
    count = count < WAL_AHEAD_HELPERS_MAX ? count : WAL_AHEAD_HELPERS_MAX;
    return count < segment_count ? count : segment_count;
}

static int start(struct wal_ahead *a, size_t wanted)
{
    int status = 0;
    for (size_t i = 0; status == 0 && i < wanted; i++) {
        a->helpers[i].ahead = a;
        a->helpers[i].number = i;
        status = wal_reader_init(&a->helpers[i].reader, a->fs);
        a->helper_count++;
    }
    for (size_t i = 0; status == 0 && i < wanted; i++) {
        status =
            pthread_create(&a->helpers[i].thread, NULL, run, &a->helpers[i]) == 0 ? 0 : ERR_LIMIT;
        a->thread_count += status == 0;
    }
    return status;
}

int wal_ahead_new(struct vfs *fs, const char *directory, const uint64_t *sequences, size_t count,
    struct wal_ahead **ahead_out)
{
    size_t wanted = wanted_helpers(count);
    struct wal_ahead *a = mem_calloc(1, sizeof(*a));
    struct helper *helpers = mem_calloc(wanted + 1, sizeof(*helpers));
    if (a == NULL || helpers == NULL) {
        mem_free(a);
        mem_free(helpers);
        return ERR_NOMEM;
    }
    a->fs = fs;
    a->directory = directory;
    a->sequences = sequences;
    a->segment_count = count;
    a->helpers = helpers;
    lock_init(&a->lock, LOCK_RANK_LEAF);
    lock_condition_init(&a->changed);
    int status = start(a, wanted);
    if (status != 0) {
        wal_ahead_free(a);
        return status;
    }
    *ahead_out = a;
    return 0;
}

void wal_ahead_free(struct wal_ahead *a)
{
    if (a == NULL) {
        return;
    }
    lock_take(&a->lock);
    a->stopped = true;
    lock_condition_broadcast(&a->changed);
    lock_give(&a->lock);
    for (size_t i = 0; i < a->thread_count; i++) {
        pthread_join(a->helpers[i].thread, NULL);
    }
    for (size_t i = 0; i < a->helper_count; i++) {
        struct helper *h = &a->helpers[i];
        for (size_t k = 0; k < h->count; k++) {
            mem_free(h->items[(h->first + k) % WAL_AHEAD_FRAMES_MAX].bytes);
        }
        wal_reader_release(&h->reader);
    }
    mem_free(a->handed_out);
    mem_free(a->helpers);
    lock_condition_release(&a->changed);
    lock_release(&a->lock);
    mem_free(a);
}

int wal_ahead_next(
    struct wal_ahead *a, struct wal_records *records_out, struct wal_segment_end *end_out)
{
    struct helper *h = &a->helpers[a->segment % a->helper_count];
    mem_free(a->handed_out);
    lock_take(&a->lock);
    while (h->count == 0) {
        lock_condition_wait(&a->changed, &a->lock);
    }
    struct item item = h->items[h->first];
    h->first = (h->first + 1) % WAL_AHEAD_FRAMES_MAX;
    h->count--;
    h->bytes -= item.records.plain.len;
    lock_condition_broadcast(&a->changed);
    lock_give(&a->lock);
    a->handed_out = item.bytes;
    if (item.status == 1) {
        *records_out = item.records;
    } else {
        *end_out = item.end;
        a->segment++;
    }
    return item.status;
}
