/* Frames; the header has their bytes. */
#include "base/frame_log.h"

#include <assert.h>
#include <string.h>

#include "base/bytes.h"
#include "base/err.h"
#include "base/hash.h"
#include "base/mem.h"

enum { SEARCH_BYTES = 64 << 10 };

void frame_begin(struct strbuf *frame)
{
    static const char room[FRAME_HEADER_SIZE];
    strbuf_reset(frame);
    strbuf_add(frame, room, sizeof(room));
}

bool frame_is_empty(const struct strbuf *frame)
{
    return frame->size <= FRAME_HEADER_SIZE && strbuf_error(frame) == 0;
}

void frame_seal(struct strbuf *frame, const struct frame_kind *kind)
{
    uint8_t *p = (uint8_t *)frame->data;
    assert(frame->size > FRAME_HEADER_SIZE && strbuf_error(frame) == 0);
    size_t size = frame->size - FRAME_HEADER_SIZE;
    memcpy(p, kind->marker, sizeof(kind->marker));
    put_le32(p + 4, (uint32_t)size);
    put_le32(p + 8, checksum32(p + FRAME_HEADER_SIZE, size));
    put_le32(p + 12, checksum32(p, 12));
}

/* 0 and the payload's size when the 16 bytes are a frame's header. */
static int read_header(const uint8_t *p, const struct frame_kind *kind, uint32_t *size_out)
{
    uint32_t size = get_le32(p + 4);
    if (memcmp(p, kind->marker, sizeof(kind->marker)) != 0 ||
        get_le32(p + 12) != checksum32(p, 12) || size == 0 || size > kind->payload_max) {
        return ERR_CORRUPT;
    }
    *size_out = size;
    return 0;
}

int frame_read(struct vfs *fs, struct vfs_file *file, uint64_t file_size, uint64_t offset,
    const struct frame_kind *kind, struct strbuf *payload, uint64_t *next_out)
{
    uint8_t header[FRAME_HEADER_SIZE];
    uint32_t size;
    int status = vfs_pread_exact(fs, file, offset, header, sizeof(header));
    status = status != 0 ? status : read_header(header, kind, &size);
    if (status != 0) {
        return status;
    }
    if (size > file_size - offset - FRAME_HEADER_SIZE) {
        return ERR_CORRUPT;
    }
    strbuf_reset(payload);
    char *room = strbuf_reserve(payload, size);
    if (room == NULL) {
        return strbuf_error(payload);
    }
    status = vfs_pread_exact(fs, file, offset + FRAME_HEADER_SIZE, room, size);
    if (status != 0) {
        return status;
    }
    strbuf_commit(payload, size);
    if (checksum32(payload->data, size) != get_le32(header + 8)) {
        return ERR_CORRUPT;
    }
    *next_out = offset + FRAME_HEADER_SIZE + size;
    return 0;
}

/* The first whole frame that begins in the `size` bytes of `window`, which are at `from`. */
static int search_window(struct vfs *fs, struct vfs_file *file, uint64_t file_size, uint64_t from,
    const uint8_t *window, size_t size, const struct frame_kind *kind, struct strbuf *payload,
    uint64_t *found_out)
{
    for (size_t i = 0; i + FRAME_HEADER_SIZE <= size; i++) {
        uint32_t payload_size;
        uint64_t next;
        if (window[i] != kind->marker[0] || read_header(window + i, kind, &payload_size) != 0) {
            continue;
        }
        int status = frame_read(fs, file, file_size, from + i, kind, payload, &next);
        if (status == 0) {
            *found_out = from + i;
        }
        if (status != ERR_CORRUPT) {
            return status;
        }
    }
    return 0;
}

int frame_find(struct vfs *fs, struct vfs_file *file, uint64_t file_size, uint64_t from,
    const struct frame_kind *kind, struct strbuf *payload, uint64_t *found_out)
{
    uint8_t *window = mem_alloc(SEARCH_BYTES);
    if (window == NULL) {
        return ERR_NOMEM;
    }
    int status = 0;
    uint64_t found = file_size;
    while (status == 0 && from + FRAME_HEADER_SIZE < file_size && found == file_size) {
        size_t size = 0;
        status = vfs_pread(fs, file, from, window, SEARCH_BYTES, &size);
        if (status != 0 || size < FRAME_HEADER_SIZE) {
            break;
        }
        status = search_window(fs, file, file_size, from, window, size, kind, payload, &found);
        from += size - FRAME_HEADER_SIZE + 1;
    }
    mem_free(window);
    if (status == 0) {
        *found_out = found;
    }
    return status;
}
