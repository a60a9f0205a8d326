/* The simulated disk against the kernel's: the same random calls on both, the same answers. What a
 * program learns on one must hold on the other. */
#include "support/support.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/mem.h"
#include "support/sim_vfs.h"

enum { HANDLES = 4, STEPS = 3000, TWINS = 2 };

/* Two filesystems, each with its own root and the same handles open. */
struct twins {
    struct vfs *fs[TWINS];
    char root[TWINS][64];
    struct vfs_file *files[TWINS][HANDLES];
    enum vfs_open_mode modes[HANDLES];
    uint64_t random;
    char did[128]; /* the step, for the message of a failure */
};

/* Few names, so that calls meet each other; some are directories of others. */
static const char *const names[] = {"a", "b", "c", "d", "d/a", "d/b", "d/e", "d/e/a", "a/x"};

static const char *pick_name(struct twins *t)
{
    return names[test_random(&t->random) % (sizeof(names) / sizeof(names[0]))];
}

static const char *path_of(struct twins *t, size_t twin, const char *name, char path[128])
{
    snprintf(path, 128, "%s/%s", t->root[twin], name);
    return path;
}

static void same(struct twins *t, const int status[TWINS])
{
    if (status[0] != status[1]) {
        fail_msg("%s: %s on the simulated disk, %s on the kernel's", t->did, err_name(status[0]),
            err_name(status[1]));
    }
}

static void step_open(struct twins *t, size_t handle)
{
    static const char *const mode_names[] = {"read", "create", "append", "readwrite"};
    enum vfs_open_mode mode = (enum vfs_open_mode)(test_random(&t->random) % 4);
    const char *name = pick_name(t);
    int status[TWINS];
    snprintf(t->did, sizeof(t->did), "open %s to %s", name, mode_names[mode]);
    for (size_t i = 0; i < TWINS; i++) {
        char path[128];
        vfs_close(t->fs[i], t->files[i][handle]);
        t->files[i][handle] = NULL;
        status[i] = vfs_open(t->fs[i], path_of(t, i, name, path), mode, &t->files[i][handle]);
    }
    t->modes[handle] = mode;
    same(t, status);
}

static void step_write(struct twins *t, size_t handle)
{
    char bytes[300];
    size_t size = test_random(&t->random) % sizeof(bytes);
    memset(bytes, 'a' + (int)(test_random(&t->random) % 26), sizeof(bytes));
    uint64_t offset = test_random(&t->random) % 500;
    unsigned kind = (unsigned)(test_random(&t->random) % 3);
    int status[TWINS];
    if (kind == 1 && t->modes[handle] == VFS_APPEND) {
        kind = 0; /* writes of such a file go to the end */
    }
    snprintf(
        t->did, sizeof(t->did), "write kind %u of %zu bytes at %u", kind, size, (unsigned)offset);
    for (size_t i = 0; i < TWINS; i++) {
        struct vfs_file *file = t->files[i][handle];
        status[i] = kind == 0   ? vfs_append(t->fs[i], file, bytes, size)
                    : kind == 1 ? vfs_pwrite(t->fs[i], file, offset, bytes, size)
                                : vfs_truncate(t->fs[i], file, offset);
    }
    same(t, status);
}

static void step_read(struct twins *t, size_t handle)
{
    char bytes[TWINS][600] = {{0}};
    size_t got[TWINS] = {0};
    uint64_t sizes[TWINS] = {0};
    uint64_t offset = test_random(&t->random) % 800;
    size_t size = test_random(&t->random) % sizeof(bytes[0]);
    int status[TWINS];
    snprintf(t->did, sizeof(t->did), "read %zu bytes at %u", size, (unsigned)offset);
    for (size_t i = 0; i < TWINS; i++) {
        status[i] = vfs_pread(t->fs[i], t->files[i][handle], offset, bytes[i], size, &got[i]);
        assert_int_equal(vfs_size(t->fs[i], t->files[i][handle], &sizes[i]), 0);
    }
    same(t, status);
    assert_int_equal(got[0], got[1]);
    assert_int_equal(sizes[0], sizes[1]);
    assert_memory_equal(bytes[0], bytes[1], sizeof(bytes[0]));
}

static void step_name(struct twins *t)
{
    static const char *const kinds[] = {"rename", "link", "remove", "mkdir", "sync_dir"};
    unsigned kind = (unsigned)(test_random(&t->random) % 5);
    const char *from = pick_name(t), *to = pick_name(t);
    int status[TWINS];
    snprintf(t->did, sizeof(t->did), "%s %s %s", kinds[kind], from, kind < 2 ? to : "");
    for (size_t i = 0; i < TWINS; i++) {
        char from_path[128], to_path[128];
        path_of(t, i, from, from_path);
        path_of(t, i, to, to_path);
        struct vfs *fs = t->fs[i];
        status[i] = kind == 0   ? vfs_rename(fs, from_path, to_path)
                    : kind == 1 ? vfs_link(fs, from_path, to_path)
                    : kind == 2 ? vfs_remove(fs, from_path)
                    : kind == 3 ? vfs_mkdir(fs, from_path)
                                : vfs_sync_dir(fs, from_path);
    }
    same(t, status);
}

static int count_entries(void *context, const char *name, bool is_directory)
{
    /* The order is nobody's promise: entries are added up. */
    uint64_t sum = is_directory ? 1000003 : 7;
    for (; *name != '\0'; name++) {
        sum = sum * 31 + (unsigned char)*name;
    }
    *(uint64_t *)context += sum;
    return 0;
}

static void compare_trees(struct twins *t)
{
    const size_t count = sizeof(names) / sizeof(names[0]);
    for (size_t n = 0; n <= count; n++) {
        const char *name = n < count ? names[n] : ""; /* the root */
        char *data[TWINS] = {NULL, NULL};
        size_t size[TWINS] = {0};
        uint64_t entries[TWINS] = {0};
        int read[TWINS], listed[TWINS];
        for (size_t i = 0; i < TWINS; i++) {
            char path[128];
            path_of(t, i, name, path);
            read[i] = vfs_read_file(t->fs[i], path, 1 << 20, &data[i], &size[i]);
            listed[i] = vfs_list(t->fs[i], path, count_entries, &entries[i]);
        }
        snprintf(t->did, sizeof(t->did), "read_file %s", name);
        same(t, read);
        snprintf(t->did, sizeof(t->did), "list %s", name);
        same(t, listed);
        assert_int_equal(entries[0], entries[1]);
        assert_int_equal(size[0], size[1]);
        assert_true(size[0] == 0 || memcmp(data[0], data[1], size[0]) == 0);
        mem_free(data[0]);
        mem_free(data[1]);
    }
}

static int remove_entry(void *context, const char *name, bool is_directory)
{
    char path[256];
    snprintf(path, sizeof(path), "%s/%s", (const char *)context, name);
    if (is_directory) {
        (void)vfs_list(vfs_posix(), path, remove_entry, path);
    }
    return vfs_remove(vfs_posix(), path);
}

static void the_twins_answer_alike(void **state)
{
    (void)state;
    for (uint64_t seed = test_seed(); seed < test_seed() + 5; seed++) {
        struct sim_vfs *sim = sim_vfs_new(seed);
        struct twins t = {.fs = {sim_vfs_get(sim), vfs_posix()}, .random = seed};
        snprintf(t.root[0], sizeof(t.root[0]), "sim");
        snprintf(t.root[1], sizeof(t.root[1]), "/tmp/sonde-test-twins-XXXXXX");
        assert_int_equal(vfs_mkdir(t.fs[0], t.root[0]), 0);
        assert_non_null(mkdtemp(t.root[1]));
        for (int step = 0; step < STEPS; step++) {
            size_t handle = test_random(&t.random) % HANDLES;
            unsigned dice = (unsigned)(test_random(&t.random) % 10);
            if (dice < 2) {
                step_open(&t, handle);
            } else if (dice < 6) {
                step_name(&t);
            } else if (t.files[0][handle] != NULL && dice < 8 && t.modes[handle] != VFS_READ) {
                step_write(&t, handle);
            } else if (t.files[0][handle] != NULL) {
                step_read(&t, handle);
            }
            if (step % 50 == 0) {
                compare_trees(&t);
            }
        }
        compare_trees(&t);
        for (size_t handle = 0; handle < HANDLES; handle++) {
            vfs_close(t.fs[0], t.files[0][handle]);
            vfs_close(t.fs[1], t.files[1][handle]);
        }
        assert_int_equal(vfs_list(vfs_posix(), t.root[1], remove_entry, t.root[1]), 0);
        assert_int_equal(vfs_remove(vfs_posix(), t.root[1]), 0);
        sim_vfs_free(sim);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(the_twins_answer_alike)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
