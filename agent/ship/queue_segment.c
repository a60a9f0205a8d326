/* Records of one segment. */
#include "ship/queue_segment.h"

#include <stdio.h>
#include <string.h>

#include "base/bytes.h"
#include "base/hash.h"

enum { CHECKSUM_FROM = 8 };

int queue_segment_path(char *buffer, const char *directory, uint64_t first_sequence)
{
    int length = snprintf(buffer, QUEUE_PATH_MAX, "%s/%016llx%s", directory,
        (unsigned long long)first_sequence, QUEUE_SUFFIX);
    return length > 0 && length < QUEUE_PATH_MAX ? 0 : ERR_LIMIT;
}

void queue_record_encode(
    struct strbuf *out, enum queue_cargo cargo, const struct queue_record *record)
{
    uint64_t span = (uint64_t)record->max_t - (uint64_t)record->min_t;
    struct str payload = record->payload;
    size_t begin = out->size;
    strbuf_add_le32(out, QUEUE_RECORD_MAGIC);
    strbuf_add_le32(out, 0);
    strbuf_add_le32(out, (uint32_t)payload.len);
    strbuf_add_le32(out, record->samples);
    strbuf_add_le64(out, record->sequence);
    strbuf_add_le64(out, (uint64_t)record->min_t);
    strbuf_add_le32(out, span > UINT32_MAX ? UINT32_MAX : (uint32_t)span);
    strbuf_add_le16(out, (uint16_t)cargo);
    strbuf_add_le16(out, QUEUE_RECORD_VERSION);
    strbuf_add_str(out, payload);
    if (strbuf_error(out) == 0) {
        uint8_t *bytes = (uint8_t *)out->data + begin;
        put_le32(bytes + 4,
            checksum32(bytes + CHECKSUM_FROM, QUEUE_RECORD_HEADER - CHECKSUM_FROM + payload.len));
    }
}

/* Payload length of a header that could be one, or 0. */
static size_t plausible_length(const uint8_t *header)
{
    size_t length = get_le32(header + 8);
    uint64_t sequence = get_le64(header + 16);
    bool known = get_le32(header) == QUEUE_RECORD_MAGIC && length <= QUEUE_PAYLOAD_MAX &&
                 sequence > 0 && sequence <= QUEUE_SEQUENCE_MAX;
    return known ? length : 0;
}

/* The good record at `offset` of `bytes`, if there is one. */
static bool good_record(struct str bytes, size_t offset, struct queue_found *found)
{
    const uint8_t *p = (const uint8_t *)bytes.ptr + offset;
    size_t left = bytes.len - offset;
    size_t length = left > QUEUE_RECORD_HEADER ? plausible_length(p) : 0;
    if (length == 0 || length > left - QUEUE_RECORD_HEADER ||
        get_le32(p + 4) !=
            checksum32(p + CHECKSUM_FROM, QUEUE_RECORD_HEADER - CHECKSUM_FROM + length)) {
        return false;
    }
    int64_t min_t = (int64_t)get_le64(p + 24), span = (int64_t)get_le32(p + 32);
    *found = (struct queue_found){
        .record =
            {
                .sequence = get_le64(p + 16),
                .samples = get_le32(p + 12),
                .min_t = min_t,
                .max_t = min_t <= INT64_MAX - span ? min_t + span : INT64_MAX,
                .payload = str_make((const char *)p + QUEUE_RECORD_HEADER, length),
            },
        .offset = offset,
        .end = offset + QUEUE_RECORD_HEADER + length,
    };
    return true;
}

bool queue_segment_find(struct str bytes, size_t offset, struct queue_found *found)
{
    while (offset < bytes.len) {
        if (good_record(bytes, offset, found)) {
            return true;
        }
        const char *hit =
            memchr(bytes.ptr + offset + 1, QUEUE_RECORD_MAGIC & 0xff, bytes.len - offset - 1);
        offset = hit != NULL ? (size_t)(hit - bytes.ptr) : bytes.len;
    }
    return false;
}

int queue_segment_read(struct vfs *fs, struct vfs_file *file, uint64_t offset,
    struct strbuf *buffer, struct queue_found *found)
{
    size_t got = 0;
    strbuf_reset(buffer);
    char *room = strbuf_reserve(buffer, QUEUE_RECORD_HEADER);
    if (room == NULL) {
        return strbuf_error(buffer);
    }
    int status = vfs_pread(fs, file, offset, room, QUEUE_RECORD_HEADER, &got);
    if (status != 0 || got == 0) {
        return status;
    }
    size_t length = got == QUEUE_RECORD_HEADER ? plausible_length((const uint8_t *)room) : 0;
    if (length == 0) {
        return ERR_CORRUPT;
    }
    strbuf_commit(buffer, QUEUE_RECORD_HEADER);
    room = strbuf_reserve(buffer, length);
    if (room == NULL) {
        return strbuf_error(buffer);
    }
    status = vfs_pread(fs, file, offset + QUEUE_RECORD_HEADER, room, length, &got);
    if (status != 0) {
        return status;
    }
    strbuf_commit(buffer, got);
    if (!good_record(strbuf_str(buffer), 0, found)) {
        return ERR_CORRUPT;
    }
    found->offset = offset;
    found->end = offset + QUEUE_RECORD_HEADER + length;
    return 1;
}

void queue_segment_count(struct queue_segment *s, const struct queue_record *record)
{
    s->end_sequence = record->sequence + 1;
    s->samples += record->samples;
    s->min_t = record->min_t < s->min_t ? record->min_t : s->min_t;
    s->max_t = record->max_t > s->max_t ? record->max_t : s->max_t;
}
