/* Making the queue durable beside the loop.
 *
 * A sync may take as long as the disk likes, so it is not the loop's business. What is to be synced is
 * collected as paths; whoever runs the sync opens the files anew and touches nothing of the queue.
 */
#include <stdio.h>

#include "base/mem.h"
#include "ship/queue_private.h"

enum { PATHS_MAX = QUEUE_PLACES_MAX + 64 };

struct queue_sync {
    struct vfs *vfs;
    char *paths[PATHS_MAX];
    size_t count, segment_count; /* segments come first */
    char *directory;             /* NULL: no name has changed */
    int segments_status, status;
};

static int add_path(struct queue_sync *sync, const char *path)
{
    if (sync->count == PATHS_MAX) {
        return ERR_LIMIT;
    }
    sync->paths[sync->count] = mem_strdup(path);
    return sync->paths[sync->count++] != NULL ? 0 : ERR_NOMEM;
}

static void sync_free(struct queue_sync *sync)
{
    for (size_t i = 0; i < sync->count; i++) {
        mem_free(sync->paths[i]);
    }
    mem_free(sync->directory);
    mem_free(sync);
}

/* Segments that have bytes appended since the last sync. */
static int collect_segments(struct queue *q, struct queue_sync *sync)
{
    char path[QUEUE_PATH_MAX];
    int status = 0;
    for (size_t i = 0; status == 0 && i < q->segment_count; i++) {
        uint64_t first = q->segments[i].first_sequence;
        if (q->unsynced_from != 0 && first >= q->unsynced_from) {
            status = queue_segment_path(path, q->path, first);
            status = status == 0 ? add_path(sync, path) : status;
        }
    }
    sync->segment_count = sync->count;
    return status;
}

/* Every destination has every record. What a power cut takes then is at their end already; at worst some of it
 * is sent once more, because the cursors are older than it. */
static bool everybody_has_all(const struct queue *q)
{
    return queue_slowest(q) == q->next_sequence;
}

bool queue_is_idle(const struct queue *q)
{
    for (size_t i = 0; i < q->options.cursor_count; i++) {
        const struct queue_cursor_file *file = &q->cursors[i].file;
        bool is_written = file->file == NULL || file->written == q->cursors[i].next;
        if (!is_written || q->cursors[i].next < q->next_sequence) {
            return false;
        }
    }
    return q->memory_count == 0;
}

static int collect(struct queue *q, struct queue_sync *sync)
{
    bool all = everybody_has_all(q);
    int status = all ? 0 : collect_segments(q, sync);
    struct queue_place *c;
    for (size_t i = 0; status == 0 && (c = queue_next_place(q, &i)) != NULL; i++) {
        struct queue_cursor_file *file = &c->file;
        int written = queue_cursor_write(file, c->next);
        sync->status = sync->status == 0 ? written : sync->status;
        if (!all && written == 0 && file->generation != file->synced_generation) {
            status = add_path(sync, file->path);
            file->synced_generation = file->generation;
        }
    }
    if (status == 0 && q->names_changed && !all) {
        sync->directory = mem_strdup(q->path);
        status = sync->directory == NULL ? ERR_NOMEM : 0;
    }
    return status;
}

int queue_sync_begin(struct queue *q, struct queue_sync **sync_out)
{
    struct queue_sync *sync = mem_calloc(1, sizeof(*sync));
    if (sync == NULL) {
        return ERR_NOMEM;
    }
    sync->vfs = q->options.vfs;
    int status = collect(q, sync);
    if (status != 0) {
        sync_free(sync);
        return status;
    }
    if (sync->count == 0 && sync->directory == NULL) {
        status = sync->status;
        sync_free(sync);
        *sync_out = NULL;
        return status;
    }
    q->unsynced_from = 0;
    q->names_changed = false;
    *sync_out = sync;
    return 0;
}

static int sync_path(struct vfs *fs, const char *path)
{
    struct vfs_file *file = NULL;
    int status = vfs_open(fs, path, VFS_READ, &file);
    if (status == ERR_NOT_FOUND) {
        return 0; /* deleted meanwhile: everybody has it */
    }
    if (status == 0) {
        status = vfs_sync(fs, file);
        vfs_close(fs, file);
    }
    return status;
}

void queue_sync_run(struct queue_sync *sync)
{
    for (size_t i = 0; i < sync->count; i++) {
        int status = sync_path(sync->vfs, sync->paths[i]);
        sync->status = sync->status == 0 ? status : sync->status;
        if (i < sync->segment_count && status != 0) {
            sync->segments_status = status;
        }
    }
    if (sync->directory != NULL) {
        int status = vfs_sync_dir(sync->vfs, sync->directory);
        sync->status = sync->status == 0 ? status : sync->status;
    }
}

int queue_sync_end(struct queue *q, struct queue_sync *sync)
{
    int status = sync->status;
    if (sync->segments_status != 0) {
        queue_end_segment(q); /* its pages may be lost: the next record begins a new file */
    }
    q->names_changed = q->names_changed || (status != 0 && sync->directory != NULL);
    sync_free(sync);
    return status;
}

int queue_sync(struct queue *q)
{
    struct queue_sync *sync = NULL;
    int status = queue_sync_begin(q, &sync);
    if (status != 0 || sync == NULL) {
        return status;
    }
    queue_sync_run(sync);
    return queue_sync_end(q, sync);
}
