/* The calls of struct vfs on the simulated disk; what lies behind them is in sim_disk.c. */
#include "support/sim_vfs.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/mem.h"
#include "support/sim_disk.h"
#include "support/support.h"

static struct sim_vfs *sim_of(struct vfs *self)
{
    return (struct sim_vfs *)self;
}

/* ---- calls on files ---- */

static int sim_open(
    struct vfs *self, const char *path, enum vfs_open_mode mode, struct vfs_file **file_out)
{
    struct vfs_file *file = mem_calloc(1, sizeof(*file)); /* the program's: may be made to fail */
    if (file == NULL) {
        return ERR_NOMEM;
    }
    struct sim_entered e = sim_enter(sim_of(self));
    struct sim_target target = {0};
    int found = sim_find(e.sim, path, &target);
    bool creates = found == 0 && target.inode == NULL && mode != VFS_READ;
    int status = 0;
    enum sim_verdict verdict = sim_begin_call(e.sim, creates ? SIM_CREATE : SIM_OPEN, &status);
    if (verdict != SIM_FAIL) {
        status = verdict == SIM_LAST_ACT ? status : 0;
        if (found != 0) {
            status = found;
        } else if (target.inode == NULL && !creates) {
            status = ERR_NOT_FOUND;
        } else if (target.inode != NULL && mode == VFS_CREATE) {
            status = ERR_EXISTS;
        } else if (target.inode != NULL && target.inode->is_directory) {
            status = ERR_INVALID;
        } else if (creates) {
            struct sim_inode *made = sim_inode_new(false);
            sim_change_names(e.sim, NULL, STR(""), target.directory, target.name, made);
            sim_inode_unref(made);
            target.inode = made;
        }
    }
    if (status == 0) {
        file->inode = sim_inode_ref(target.inode);
        file->inode->handles++;
        file->mode = mode;
        file->next = e.sim->files;
        e.sim->files = file;
    }
    sim_leave(e);
    if (status != 0) {
        mem_free(file);
        return status;
    }
    *file_out = file;
    return 0;
}

static void sim_close(struct vfs *self, struct vfs_file *file)
{
    if (file == NULL) {
        return;
    }
    struct sim_entered e = sim_enter(sim_of(self));
    struct vfs_file **link = &e.sim->files;
    while (*link != file) {
        assert(*link != NULL);
        link = &(*link)->next;
    }
    *link = file->next;
    sim_detach(e.sim, file);
    sim_leave(e);
    mem_free(file);
}

static int sim_pread(struct vfs *self, struct vfs_file *file, uint64_t offset, void *buffer,
    size_t size, size_t *read_out)
{
    struct sim_entered e = sim_enter(sim_of(self));
    int status = 0;
    enum sim_verdict verdict = sim_begin_call(e.sim, SIM_READ, &status);
    if (verdict == SIM_GO && file->inode == NULL) {
        status = ERR_IO;
    } else if (verdict == SIM_GO) {
        const struct sim_bytes *bytes = &file->inode->current;
        size_t left = offset < bytes->size ? bytes->size - (size_t)offset : 0;
        size_t got = size < left ? size : left;
        if (got > 0) {
            memcpy(buffer, bytes->data + offset, got);
        }
        *read_out = got;
        status = 0;
    }
    sim_leave(e);
    return status;
}

/* How much of a write that fails for another reason than space was done: nothing and everything are
 * as likely as a part. */
static size_t torn_size(struct sim_vfs *sim, size_t size)
{
    switch (test_random(&sim->random) % 4) {
    case 0:
        return 0;
    case 1:
        return size;
    default:
        return size > 0 ? test_random(&sim->random) % size : 0;
    }
}

/* Append (`at_end`) and pwrite. */
static int write_some(struct sim_vfs *sim, struct vfs_file *file, bool at_end, uint64_t offset,
    const void *bytes, size_t size)
{
    assert(file->mode != VFS_READ);
    int status = 0;
    bool had_power = !sim->power_lost;
    enum sim_verdict verdict = sim_begin_call(sim, at_end ? SIM_APPEND : SIM_PWRITE, &status);
    struct sim_inode *inode = file->inode;
    if (inode == NULL || !had_power) {
        return ERR_IO;
    }
    offset = at_end ? inode->current.size : offset;
    if (verdict == SIM_GO && (offset > INT64_MAX || size > INT64_MAX - offset)) {
        return ERR_INVALID;
    }
    size_t doing = size;
    if (verdict != SIM_GO) {
        doing = torn_size(sim, size);
    } else {
        status = 0;
    }
    uint64_t end = sim_end_that_fits(sim, inode, offset + doing);
    if (offset + doing > end && offset + doing > inode->current.size) {
        doing = end > offset ? (size_t)(end - offset) : 0;
        status = status != 0 ? status : ERR_NO_SPACE;
    }
    sim_inode_write(inode, offset, bytes, doing);
    sim_charge(sim, inode);
    return status;
}

static int sim_append(struct vfs *self, struct vfs_file *file, const void *bytes, size_t size)
{
    struct sim_entered e = sim_enter(sim_of(self));
    int status = write_some(e.sim, file, true, 0, bytes, size);
    sim_leave(e);
    return status;
}

static int sim_pwrite(
    struct vfs *self, struct vfs_file *file, uint64_t offset, const void *bytes, size_t size)
{
    assert(file->mode == VFS_CREATE || file->mode == VFS_READWRITE);
    struct sim_entered e = sim_enter(sim_of(self));
    int status = write_some(e.sim, file, false, offset, bytes, size);
    sim_leave(e);
    return status;
}

static int sim_sync(struct vfs *self, struct vfs_file *file)
{
    struct sim_entered e = sim_enter(sim_of(self));
    int status = 0;
    bool had_power = !e.sim->power_lost;
    enum sim_verdict verdict = sim_begin_call(e.sim, SIM_SYNC, &status);
    if (file->inode == NULL || !had_power) {
        status = ERR_IO;
    } else if (verdict == SIM_FAIL && !e.sim->power_lost) {
        sim_inode_sync_failed(file->inode, &e.sim->random);
    } else if (verdict != SIM_FAIL) {
        sim_inode_sync(file->inode);
        status = verdict == SIM_GO ? 0 : status;
    }
    sim_leave(e);
    return status;
}

static int sim_size(struct vfs *self, struct vfs_file *file, uint64_t *size_out)
{
    struct sim_entered e = sim_enter(sim_of(self));
    int status = 0;
    enum sim_verdict verdict = sim_begin_call(e.sim, SIM_SIZE, &status);
    if (verdict == SIM_GO && file->inode == NULL) {
        status = ERR_IO;
    } else if (verdict == SIM_GO) {
        *size_out = file->inode->current.size;
        status = 0;
    }
    sim_leave(e);
    return status;
}

static int sim_truncate(struct vfs *self, struct vfs_file *file, uint64_t size)
{
    assert(file->mode != VFS_READ);
    struct sim_entered e = sim_enter(sim_of(self));
    int status = 0;
    enum sim_verdict verdict = sim_begin_call(e.sim, SIM_TRUNCATE, &status);
    if (verdict != SIM_FAIL) {
        int failed = status;
        if (file->inode == NULL) {
            status = ERR_IO;
        } else if (sim_end_that_fits(e.sim, file->inode, size) < size &&
                   size > file->inode->current.size) {
            status = ERR_NO_SPACE;
        } else {
            sim_inode_truncate(file->inode, size);
            file->inode->reserved = 0;
            sim_charge(e.sim, file->inode);
            status = verdict == SIM_GO ? 0 : failed;
        }
    }
    sim_leave(e);
    return status;
}

static int sim_preallocate(struct vfs *self, struct vfs_file *file, uint64_t size)
{
    assert(file->mode != VFS_READ);
    struct sim_entered e = sim_enter(sim_of(self));
    int status = 0;
    enum sim_verdict verdict = sim_begin_call(e.sim, SIM_PREALLOCATE, &status);
    if (verdict == SIM_GO && file->inode == NULL) {
        status = ERR_IO;
    } else if (verdict == SIM_GO && sim_end_that_fits(e.sim, file->inode, size) < size) {
        status = ERR_NO_SPACE;
    } else if (verdict == SIM_GO) {
        file->inode->reserved = size > file->inode->reserved ? size : file->inode->reserved;
        sim_charge(e.sim, file->inode);
        status = 0;
    }
    sim_leave(e);
    return status;
}

static int sim_lock(struct vfs *self, struct vfs_file *file)
{
    struct sim_entered e = sim_enter(sim_of(self));
    int status = 0;
    enum sim_verdict verdict = sim_begin_call(e.sim, SIM_LOCK, &status);
    if (verdict == SIM_GO && file->inode == NULL) {
        status = ERR_IO;
    } else if (verdict == SIM_GO) {
        bool free_or_ours = file->inode->locked_by == NULL || file->inode->locked_by == file;
        status = free_or_ours ? 0 : ERR_LOCKED;
        if (free_or_ours) {
            file->inode->locked_by = file;
        }
    }
    sim_leave(e);
    return status;
}

/* ---- calls on names ---- */

/* Whether `directory` is `ancestor` or lies below it. */
static bool lies_in(const struct sim_inode *ancestor, const struct sim_inode *directory)
{
    if (ancestor == directory) {
        return true;
    }
    for (size_t i = 0; i < ancestor->current_names.count; i++) {
        const struct sim_inode *child = ancestor->current_names.entries[i].inode;
        if (child->is_directory && lies_in(child, directory)) {
            return true;
        }
    }
    return false;
}

/* The rules of rename(2). */
static int rename_allowed(const struct sim_target *from, const struct sim_target *to)
{
    if (from->directory == NULL || to->directory == NULL) {
        return ERR_BUSY; /* the root stays where it is */
    }
    if (from->inode->is_directory && lies_in(from->inode, to->directory)) {
        return ERR_INVALID;
    }
    if (to->inode == NULL) {
        return 0;
    }
    if (to->inode->is_directory && lies_in(to->inode, from->directory)) {
        return ERR_EXISTS; /* it holds what shall replace it */
    }
    if (from->inode->is_directory != to->inode->is_directory) {
        return ERR_INVALID;
    }
    return to->inode->is_directory && to->inode->current_names.count > 0 ? ERR_EXISTS : 0;
}

static int do_rename(struct sim_vfs *sim, const char *from_path, const char *to_path)
{
    struct sim_target from = {0}, to = {0};
    int status = sim_find(sim, from_path, &from);
    if (status == 0) {
        status = sim_find(sim, to_path, &to);
    }
    if (status == 0 && from.inode == NULL) {
        status = ERR_NOT_FOUND; /* said after both folders were found, as the kernel does */
    }
    if (status == 0 && from.inode == to.inode) {
        return 0; /* two names of one file: rename(2) leaves both */
    }
    if (status == 0) {
        status = rename_allowed(&from, &to);
    }
    if (status == 0) {
        sim_change_names(sim, from.directory, from.name, to.directory, to.name, from.inode);
    }
    return status;
}

static int do_link(struct sim_vfs *sim, const char *from_path, const char *to_path)
{
    struct sim_target from = {0}, to = {0};
    int status = sim_find_existing(sim, from_path, &from);
    if (status == 0) {
        status = sim_find(sim, to_path, &to);
    }
    if (status == 0 && to.inode != NULL) {
        status = ERR_EXISTS;
    }
    if (status == 0 && from.inode->is_directory) {
        status = ERR_PERMISSION;
    }
    if (status == 0) {
        sim_change_names(sim, NULL, STR(""), to.directory, to.name, from.inode);
    }
    return status;
}

static int do_remove(struct sim_vfs *sim, const char *path, const char *unused)
{
    (void)unused;
    struct sim_target target = {0};
    int status = sim_find_existing(sim, path, &target);
    if (status == 0 && target.directory == NULL) {
        status = ERR_BUSY;
    }
    if (status == 0 && target.inode->is_directory && target.inode->current_names.count > 0) {
        status = ERR_EXISTS;
    }
    if (status == 0) {
        sim_change_names(sim, target.directory, target.name, NULL, STR(""), NULL);
    }
    return status;
}

static int do_mkdir(struct sim_vfs *sim, const char *path, const char *unused)
{
    (void)unused;
    struct sim_target target = {0};
    int status = sim_find(sim, path, &target);
    if (status != 0 || target.inode != NULL) {
        return status != 0 ? status : target.inode->is_directory ? 0 : ERR_EXISTS;
    }
    struct sim_inode *made = sim_inode_new(true);
    sim_change_names(sim, NULL, STR(""), target.directory, target.name, made);
    sim_inode_unref(made);
    return 0;
}

static int do_sync_dir(struct sim_vfs *sim, const char *path, const char *unused)
{
    (void)unused;
    struct sim_target target = {0};
    int status = sim_find_existing(sim, path, &target);
    if (status != 0 || !target.inode->is_directory) {
        return status != 0 ? status : ERR_INVALID;
    }
    sim_commit_directory(sim, target.inode);
    return 0;
}

/* The frame of all calls on names. */
static int call_names(struct vfs *self, enum sim_call call,
    int (*act)(struct sim_vfs *sim, const char *path, const char *other), const char *path,
    const char *other)
{
    struct sim_entered e = sim_enter(sim_of(self));
    int code = 0;
    enum sim_verdict verdict = sim_begin_call(e.sim, call, &code);
    int status = verdict == SIM_FAIL ? code : act(e.sim, path, other);
    sim_leave(e);
    return verdict == SIM_LAST_ACT ? code : status;
}

static int sim_rename(struct vfs *self, const char *from, const char *to)
{
    return call_names(self, SIM_RENAME, do_rename, from, to);
}

static int sim_link(struct vfs *self, const char *from, const char *to)
{
    return call_names(self, SIM_LINK, do_link, from, to);
}

static int sim_remove(struct vfs *self, const char *path)
{
    return call_names(self, SIM_REMOVE, do_remove, path, NULL);
}

static int sim_mkdir(struct vfs *self, const char *path)
{
    return call_names(self, SIM_MKDIR, do_mkdir, path, NULL);
}

static int sim_sync_dir(struct vfs *self, const char *path)
{
    return call_names(self, SIM_SYNC_DIR, do_sync_dir, path, NULL);
}

struct listed {
    char *name;
    bool is_directory;
};

/* A copy of the names, for the callback may change them; in an order that nobody can rely on. */
static struct listed *copy_names(struct sim_vfs *sim, const struct sim_names *names)
{
    struct listed *list = mem_calloc(names->count, sizeof(*list));
    if (list == NULL) {
        abort();
    }
    for (size_t i = 0; i < names->count; i++) {
        size_t other = test_random(&sim->random) % (i + 1);
        list[i] = list[other];
        list[other] = (struct listed){
            .name = mem_strdup(names->entries[i].name),
            .is_directory = names->entries[i].inode->is_directory,
        };
    }
    return list;
}

static int sim_list(struct vfs *self, const char *path, vfs_list_callback callback, void *context)
{
    struct sim_entered e = sim_enter(sim_of(self));
    struct listed *list = NULL;
    size_t count = 0;
    int status = 0;
    struct sim_target target = {0};
    if (sim_begin_call(e.sim, SIM_LIST, &status) == SIM_GO) {
        status = sim_find_existing(e.sim, path, &target);
        if (status == 0 && !target.inode->is_directory) {
            status = ERR_INVALID;
        }
        if (status == 0) {
            count = target.inode->current_names.count;
            list = copy_names(e.sim, &target.inode->current_names);
        }
    }
    sim_leave(e);
    for (size_t i = 0; i < count; i++) {
        if (status == 0) {
            status = callback(context, list[i].name, list[i].is_directory);
        }
        mem_free(list[i].name);
    }
    mem_free(list);
    return status;
}

static int sim_free_bytes(struct vfs *self, const char *path, uint64_t *free_out)
{
    struct sim_entered e = sim_enter(sim_of(self));
    struct sim_target target = {0};
    int status = 0;
    if (sim_begin_call(e.sim, SIM_FREE_BYTES, &status) == SIM_GO) {
        status = sim_find_existing(e.sim, path, &target);
    }
    if (status == 0) {
        *free_out = e.sim->capacity > e.sim->used ? e.sim->capacity - e.sim->used : 0;
    }
    sim_leave(e);
    return status;
}

/* ---- the disk ---- */

struct sim_vfs *sim_vfs_new(uint64_t seed)
{
    bool exempt_before = mem_fail_exempt(true);
    struct sim_vfs *sim = mem_calloc(1, sizeof(*sim));
    if (sim == NULL) {
        abort();
    }
    sim->vfs = (struct vfs){
        .open = sim_open,
        .close = sim_close,
        .pread = sim_pread,
        .append = sim_append,
        .pwrite = sim_pwrite,
        .sync = sim_sync,
        .size = sim_size,
        .truncate = sim_truncate,
        .preallocate = sim_preallocate,
        .lock = sim_lock,
        .rename = sim_rename,
        .link = sim_link,
        .remove = sim_remove,
        .mkdir = sim_mkdir,
        .sync_dir = sim_sync_dir,
        .list = sim_list,
        .free_bytes = sim_free_bytes,
    };
    pthread_mutex_init(&sim->mutex, NULL);
    sim->random = seed;
    sim->capacity = SIM_CAPACITY_DEFAULT;
    sim->root = sim_inode_new(true);
    sim->root->links = 1;
    mem_fail_exempt(exempt_before);
    return sim;
}

void sim_vfs_free(struct sim_vfs *sim)
{
    if (sim == NULL) {
        return;
    }
    assert(sim->files == NULL);
    sim_forget_changes(sim);
    mem_free(sim->changes);
    sim_inode_unref(sim->root);
    pthread_mutex_destroy(&sim->mutex);
    mem_free(sim);
}

struct vfs *sim_vfs_get(struct sim_vfs *sim)
{
    return &sim->vfs;
}
