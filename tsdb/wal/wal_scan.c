/* Finding segments, and the good frames inside one. */
#include "wal/wal_scan.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/hash.h"
#include "base/mem.h"
#include "wal/wal.h"
#include "wal/wal_format.h"

int wal_scan_begin(struct wal_scan *s, const void *bytes, size_t size)
{
    const uint8_t *p = bytes;
    bool damaged = size < WAL_SEGMENT_HEADER_SIZE || memcmp(p, WAL_SEGMENT_MAGIC, 8) != 0 ||
                   get_le32(p + 12) != checksum32(p, 12);
    if (!damaged && get_le32(p + 8) != WAL_SEGMENT_VERSION) {
        return ERR_UNSUPPORTED;
    }
    /* Behind a damaged header frames are looked for from the first byte on: their own magic and
     * checksum say that they are ours, and of which format. */
    size_t begin = damaged ? 0 : WAL_SEGMENT_HEADER_SIZE;
    *s = (struct wal_scan){
        .bytes = p, .size = size, .offset = begin, .good_end = begin, .header_damaged = damaged};
    return 0;
}

/* Is there a good frame at `offset`? */
static bool good_frame(const struct wal_scan *s, size_t offset, struct wal_frame *frame_out)
{
    const uint8_t *p = s->bytes + offset;
    size_t left = s->size - offset;
    if (left <= WAL_FRAME_HEADER_SIZE || get_le32(p) != WAL_FRAME_MAGIC) {
        return false;
    }
    uint32_t payload_size = get_le32(p + 8), plain_size = get_le32(p + 12);
    if (payload_size == 0 || payload_size > left - WAL_FRAME_HEADER_SIZE || plain_size == 0 ||
        plain_size > WAL_FRAME_PLAIN_MAX) {
        return false;
    }
    size_t checked = WAL_FRAME_HEADER_SIZE - WAL_FRAME_CHECKSUM_FROM + payload_size;
    if (get_le32(p + 4) != checksum32(p + WAL_FRAME_CHECKSUM_FROM, checked)) {
        return false;
    }
    *frame_out = (struct wal_frame){
        .offset = offset,
        .lsn = get_le64(p + 16),
        .plain_size = plain_size,
        .payload = str_make((const char *)p + WAL_FRAME_HEADER_SIZE, payload_size),
    };
    return true;
}

bool wal_scan_next(struct wal_scan *s, struct wal_frame *frame_out)
{
    size_t at = s->offset;
    while (at < s->size && !good_frame(s, at, frame_out)) {
        /* The magic's first byte is 'S'; hop to the next one. */
        const uint8_t *hit = memchr(s->bytes + at + 1, WAL_FRAME_MAGIC & 0xff, s->size - at - 1);
        at = hit != NULL ? (size_t)(hit - s->bytes) : s->size;
    }
    if (at >= s->size) {
        return false;
    }
    if (at > s->offset && s->good_end > 0) { // else it is the damaged header
        s->skipped++;
        s->skipped_bytes += at - s->offset;
    }
    s->offset = at + WAL_FRAME_HEADER_SIZE + frame_out->payload.len;
    s->good_end = s->offset;
    return true;
}

int wal_segment_path(char *buffer, const char *directory, uint64_t sequence)
{
    int length = snprintf(buffer, WAL_PATH_MAX, "%s/%0*llu%s", directory, WAL_SEQUENCE_DIGITS,
        (unsigned long long)sequence, WAL_SUFFIX);
    return length > 0 && length < WAL_PATH_MAX ? 0 : ERR_LIMIT;
}

struct listing {
    uint64_t *sequences;
    size_t count, cap;
};

/* Collects names of the form <digits>.wal; anything else in the directory is left alone. */
static int list_entry(void *context, const char *name, bool is_directory)
{
    struct listing *l = context;
    struct str text = str_of(name);
    uint64_t sequence;
    if (is_directory || !str_ends_with(text, STR(WAL_SUFFIX))) {
        return 0;
    }
    text.len -= sizeof(WAL_SUFFIX) - 1;
    if (text.len < WAL_SEQUENCE_DIGITS || str_to_u64(text, &sequence) != 0) {
        return 0;
    }
    int status = mem_array_grow(
        (void **)&l->sequences, &l->cap, l->count + 1, sizeof(*l->sequences), WAL_SEGMENTS_MAX);
    if (status == 0) {
        l->sequences[l->count++] = sequence;
    }
    return status;
}

static int compare_sequences(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return x < y ? -1 : x > y;
}

int wal_list_segments(struct vfs *fs, const char *directory, uint64_t **sequences_out,
    size_t *count_out, struct err *e)
{
    struct listing l = {NULL, 0, 0};
    int status = vfs_list(fs, directory, list_entry, &l);
    if (status != 0 && status != ERR_NOT_FOUND) {
        mem_free(l.sequences);
        return err_set(
            e, status, -1, "%s: cannot list the write-ahead log: %s", directory, err_text(status));
    }
    if (l.count > 1) {
        qsort(l.sequences, l.count, sizeof(*l.sequences), compare_sequences);
    }
    *sequences_out = l.sequences;
    *count_out = l.count;
    return 0;
}
