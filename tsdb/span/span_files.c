/* Names of the files of a store of traces, and snapshots of one.
 *
 * Blocks and segments that were ended never change, so a hard link is a copy. A snapshot ends the log's
 * segment and links under the lock of those who append: until it is given no segment goes for a block that
 * the snapshot does not have. Blocks are linked after it; references keep their files.
 */
#include "span/span_files.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "span/span_store_private.h"

enum { FILES_MAX = 1 << 20 };

/* ---- The list ---- */

struct numbers {
    uint64_t *items;
    size_t count, cap;
    bool segments;
};

static int note(void *context, const char *name, bool is_directory)
{
    struct numbers *n = context;
    uint64_t number = 0;
    bool found =
        n->segments ? span_segment_name_parse(name, &number) : span_block_name_parse(name, &number);
    if (is_directory || !found) {
        return 0;
    }
    int status =
        mem_array_grow((void **)&n->items, &n->cap, n->count + 1, sizeof(*n->items), FILES_MAX);
    if (status == 0) {
        n->items[n->count++] = number;
    }
    return status;
}

static int by_number(const void *left, const void *right)
{
    uint64_t a = *(const uint64_t *)left, b = *(const uint64_t *)right;
    return a < b ? -1 : a > b;
}

static int each_of(struct vfs *fs, const char *directory, bool segments,
    span_file_callback callback, void *context)
{
    struct numbers n = {.segments = segments};
    char path[SPAN_PATH_BYTES_MAX], name[SPAN_FILE_NAME_MAX];
    int written = snprintf(path, sizeof(path), "%s%s", directory, segments ? "/log" : "");
    int status =
        written <= 0 || written >= SPAN_PATH_BYTES_MAX ? ERR_LIMIT : vfs_list(fs, path, note, &n);
    status = status == ERR_NOT_FOUND ? 0 : status;
    if (n.count > 1) {
        qsort(n.items, n.count, sizeof(*n.items), by_number);
    }
    for (size_t i = 0; status == 0 && i < n.count; i++) {
        snprintf(name, sizeof(name), segments ? "log/%0*" PRIx64 ".log" : "%0*" PRIx64 ".spans",
            segments ? SPAN_SEGMENT_NAME_DIGITS : SPAN_BLOCK_NAME_DIGITS, n.items[i]);
        status = callback(context, name);
    }
    mem_free(n.items);
    return status;
}

int span_files_each(
    struct vfs *fs, const char *directory, span_file_callback callback, void *context)
{
    int status = each_of(fs, directory, false, callback, context);
    return status == 0 ? each_of(fs, directory, true, callback, context) : status;
}

/* ---- Snapshots ---- */

struct link {
    const struct span_store *store;
    const char *dest;
    uint64_t last_segment; /* those behind it are being written */
};

static int link_name(const struct link *l, const char *name)
{
    char from[SPAN_PATH_BYTES_MAX], to[SPAN_PATH_BYTES_MAX];
    int a = snprintf(from, sizeof(from), "%s/%s", l->store->path, name);
    int b = snprintf(to, sizeof(to), "%s/%s", l->dest, name);
    bool fits = a > 0 && a < SPAN_PATH_BYTES_MAX && b > 0 && b < SPAN_PATH_BYTES_MAX;
    return fits ? vfs_link(l->store->fs, from, to) : ERR_LIMIT;
}

static int link_segment(void *context, const char *name)
{
    const struct link *l = context;
    uint64_t number = 0;
    bool ended =
        span_segment_name_parse(name + strlen("log/"), &number) && number <= l->last_segment;
    return ended ? link_name(l, name) : 0;
}

/* Ends the segment and links those there are; the blocks of that moment into `blocks`. */
static int link_log(struct link *l, struct span_store *store, struct span_sources *blocks)
{
    lock_take(&store->writing);
    int status = span_log_cut(store->log, &l->last_segment);
    if (status == 0) {
        store->unsynced = false;
        lock_take(&store->list);
        status = span_sources_add_all(blocks, &store->blocks);
        lock_give(&store->list);
    }
    if (status == 0) {
        status = each_of(store->fs, store->path, true, link_segment, l);
    }
    lock_give(&store->writing);
    return status;
}

static int make_directories(struct vfs *fs, const char *dest)
{
    char path[SPAN_PATH_BYTES_MAX];
    int written = snprintf(path, sizeof(path), "%s/log", dest);
    int status = written > 0 && written < SPAN_PATH_BYTES_MAX ? vfs_mkdir(fs, dest) : ERR_LIMIT;
    return status == 0 ? vfs_mkdir(fs, path) : status;
}

int span_store_snapshot(struct span_store *store, const char *dest, bool with_log, struct err *e)
{
    struct link l = {store, dest, 0};
    struct span_sources blocks = {0};
    int status = make_directories(store->fs, dest);
    if (status == 0 && with_log) {
        status = link_log(&l, store, &blocks);
    } else if (status == 0) {
        lock_take(&store->list);
        status = span_sources_add_all(&blocks, &store->blocks);
        lock_give(&store->list);
    }
    for (size_t i = 0; status == 0 && i < blocks.count; i++) {
        char name[SPAN_FILE_NAME_MAX];
        snprintf(name, sizeof(name), "%0*" PRIx64 ".spans", SPAN_BLOCK_NAME_DIGITS,
            blocks.items[i]->number);
        status = link_name(&l, name);
    }
    span_sources_release(&blocks);
    return status == 0 ? 0 : err_set(e, status, -1, "spans into %s: %s", dest, err_text(status));
}
