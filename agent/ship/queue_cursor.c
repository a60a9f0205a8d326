/* The place of a destination in the queue. */
#include "ship/queue_cursor.h"

#include <stdio.h>
#include <string.h>

#include "base/bytes.h"
#include "base/hash.h"
#include "base/mem.h"

enum { SLOT_SIZE = 64, MAGIC = 0x31435153, CHECKED_FROM = 8, CHECKED_SIZE = 24, PATH_SIZE = 4096 };

static bool read_slot(const uint8_t *slot, uint64_t *generation, uint64_t *sequence)
{
    if (get_le32(slot) != MAGIC ||
        get_le32(slot + 4) != checksum32(slot + CHECKED_FROM, CHECKED_SIZE)) {
        return false;
    }
    *generation = get_le64(slot + 8);
    *sequence = get_le64(slot + 16);
    return true;
}

int queue_cursor_open(struct queue_cursor_file *c, struct vfs *fs, const char *directory,
    const char *name, uint64_t *sequence_out, struct err *e)
{
    char path[PATH_SIZE];
    uint8_t slots[2 * SLOT_SIZE] = {0};
    size_t got = 0;
    *c = (struct queue_cursor_file){.vfs = fs};
    int length = snprintf(path, sizeof(path), "%s/%s.cursor", directory, name);
    if (length <= 0 || length >= (int)sizeof(path)) {
        return err_set(e, ERR_LIMIT, -1, "the path of the queue is too long: %s", directory);
    }
    c->path = mem_strdup(path);
    int status = c->path == NULL ? ERR_NOMEM : vfs_open(fs, path, VFS_READWRITE, &c->file);
    if (status == 0) {
        status = vfs_pread(fs, c->file, 0, slots, sizeof(slots), &got);
    }
    if (status != 0) {
        vfs_close(fs, c->file);
        c->file = NULL;
        return err_set(e, status, -1, "%s: cannot be opened: %s", path, err_text(status));
    }
    *sequence_out = 0;
    for (int i = 0; i < 2; i++) {
        uint64_t generation, sequence;
        if (read_slot(slots + i * SLOT_SIZE, &generation, &sequence) &&
            generation >= c->generation) {
            c->generation = generation;
            c->written = *sequence_out = sequence;
        }
    }
    return 0;
}

int queue_cursor_write(struct queue_cursor_file *c, uint64_t sequence)
{
    if (c->file == NULL || sequence == c->written) {
        return 0;
    }
    uint8_t slot[SLOT_SIZE] = {0};
    put_le32(slot, MAGIC);
    put_le64(slot + 8, c->generation + 1);
    put_le64(slot + 16, sequence);
    put_le32(slot + 4, checksum32(slot + CHECKED_FROM, CHECKED_SIZE));
    uint64_t offset = (c->generation + 1) % 2 * SLOT_SIZE;
    int status = vfs_pwrite(c->vfs, c->file, offset, slot, sizeof(slot));
    if (status == 0) {
        c->generation++;
        c->written = sequence;
    }
    return status;
}

void queue_cursor_close(struct queue_cursor_file *c)
{
    mem_free(c->path);
    c->path = NULL;
    if (c->file != NULL) { /* one that was never opened has no disk either */
        vfs_close(c->vfs, c->file);
        c->file = NULL;
    }
}
