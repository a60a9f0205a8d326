/* The kernel's filesystem behind struct vfs. */
#include "support/support.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/err.h"
#include "base/mem.h"
#include "base/vfs.h"

static char root[256];

static int make_root(void **state)
{
    (void)state;
    const char *base = getenv("TMPDIR");
    snprintf(root, sizeof(root), "%s/sonde-test-vfs-XXXXXX", base != NULL ? base : "/tmp");
    return mkdtemp(root) != NULL ? 0 : -1;
}

/* A path below the test's directory; four may be in use at once. */
static const char *at(const char *name)
{
    static char paths[4][512];
    static unsigned next;
    char *path = paths[next++ % 4];
    snprintf(path, sizeof(paths[0]), "%s/%s", root, name);
    return path;
}

static int remove_entry(void *context, const char *name, bool is_directory)
{
    (void)is_directory;
    char path[768];
    snprintf(path, sizeof(path), "%s/%s", (const char *)context, name);
    if (vfs_remove(vfs_posix(), path) == ERR_EXISTS) {
        vfs_list(vfs_posix(), path, remove_entry, path);
        vfs_remove(vfs_posix(), path);
    }
    return 0;
}

static int remove_root(void **state)
{
    (void)state;
    vfs_list(vfs_posix(), root, remove_entry, root);
    return vfs_remove(vfs_posix(), root);
}

static struct vfs_file *open_file(const char *name, enum vfs_open_mode mode)
{
    struct vfs_file *file = NULL;
    assert_int_equal(vfs_open(vfs_posix(), at(name), mode, &file), 0);
    return file;
}

static void holds(const char *name, const char *expected)
{
    char *data = NULL;
    size_t size = 0;
    assert_int_equal(vfs_read_file(vfs_posix(), at(name), 1 << 20, &data, &size), 0);
    assert_int_equal(size, strlen(expected));
    assert_string_equal(data, expected);
    mem_free(data);
}

static void modes_say_what_must_exist(void **state)
{
    (void)state;
    struct vfs *fs = vfs_posix();
    struct vfs_file *file = NULL;
    assert_int_equal(vfs_open(fs, at("absent"), VFS_READ, &file), ERR_NOT_FOUND);
    assert_null(file);
    vfs_close(fs, open_file("made", VFS_CREATE));
    assert_int_equal(vfs_open(fs, at("made"), VFS_CREATE, &file), ERR_EXISTS);
    vfs_close(fs, open_file("made", VFS_APPEND));
    vfs_close(fs, open_file("made-by-append", VFS_APPEND));
    vfs_close(fs, open_file("made-by-readwrite", VFS_READWRITE));
    assert_int_equal(vfs_open(fs, root, VFS_READ, &file), ERR_INVALID);
    assert_int_equal(vfs_open(fs, root, VFS_APPEND, &file), ERR_INVALID);
    vfs_close(fs, NULL);
}

static void appends_go_to_the_end_and_writes_to_their_place(void **state)
{
    (void)state;
    struct vfs *fs = vfs_posix();
    struct vfs_file *file = open_file("places", VFS_CREATE);
    assert_int_equal(vfs_append(fs, file, "hello", 5), 0);
    assert_int_equal(vfs_pwrite(fs, file, 7, "world", 5), 0);
    assert_int_equal(vfs_append(fs, file, "!", 1), 0);
    assert_int_equal(vfs_pwrite(fs, file, 5, ", ", 2), 0);
    assert_int_equal(vfs_append(fs, file, "", 0), 0);
    uint64_t size = 0;
    assert_int_equal(vfs_size(fs, file, &size), 0);
    assert_int_equal(size, 13);
    assert_int_equal(vfs_sync(fs, file), 0);
    vfs_close(fs, file);
    holds("places", "hello, world!");

    file = open_file("places", VFS_APPEND);
    assert_int_equal(vfs_append(fs, file, "?", 1), 0);
    assert_int_equal(vfs_truncate(fs, file, 5), 0);
    assert_int_equal(vfs_append(fs, file, ".", 1), 0);
    vfs_close(fs, file);
    holds("places", "hello.");
}

static void reading_stops_at_the_end(void **state)
{
    (void)state;
    struct vfs *fs = vfs_posix();
    struct vfs_file *file = open_file("ten", VFS_CREATE);
    assert_int_equal(vfs_append(fs, file, "0123456789", 10), 0);
    static const struct {
        uint64_t offset;
        size_t size;
        int status;
        const char *expected;
    } table[] = {
        {0, 10, 0, "0123456789"},
        {0, 16, 0, "0123456789"},
        {4, 3, 0, "456"},
        {8, 8, 0, "89"},
        {10, 4, 0, ""},
        {99, 4, 0, ""},
        {3, 0, 0, ""},
        {INT64_MAX, 16, ERR_INVALID, ""},
        {UINT64_MAX, 1, ERR_INVALID, ""},
    };
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        char buffer[17] = "";
        size_t got = 0;
        int status = vfs_pread(fs, file, table[i].offset, buffer, table[i].size, &got);
        assert_int_equal(status, table[i].status);
        assert_int_equal(got, strlen(table[i].expected));
        assert_string_equal(buffer, table[i].expected);
    }
    char buffer[4];
    assert_int_equal(vfs_pread_exact(fs, file, 6, buffer, 4), 0);
    assert_memory_equal(buffer, "6789", 4);
    assert_int_equal(vfs_pread_exact(fs, file, 7, buffer, 4), ERR_CORRUPT);
    vfs_close(fs, file);
}

static void preallocation_keeps_the_size(void **state)
{
    (void)state;
    struct vfs *fs = vfs_posix();
    struct vfs_file *file = open_file("reserved", VFS_CREATE);
    assert_int_equal(vfs_preallocate(fs, file, 0), 0);
    assert_int_equal(vfs_preallocate(fs, file, 1 << 20), 0);
    uint64_t size = 1;
    assert_int_equal(vfs_size(fs, file, &size), 0);
    assert_int_equal(size, 0);
    assert_int_equal(vfs_preallocate(fs, file, UINT64_MAX), ERR_INVALID);
    assert_int_equal(vfs_truncate(fs, file, UINT64_MAX), ERR_INVALID);
    vfs_close(fs, file);
}

static void one_handle_holds_the_lock(void **state)
{
    (void)state;
    struct vfs *fs = vfs_posix();
    struct vfs_file *first = open_file("LOCK", VFS_APPEND);
    struct vfs_file *second = open_file("LOCK", VFS_APPEND);
    assert_int_equal(vfs_lock(fs, first), 0);
    assert_int_equal(vfs_lock(fs, first), 0);
    assert_int_equal(vfs_lock(fs, second), ERR_LOCKED);
    vfs_close(fs, first);
    assert_int_equal(vfs_lock(fs, second), 0);
    vfs_close(fs, second);
}

static void names_are_renamed_linked_and_removed(void **state)
{
    (void)state;
    struct vfs *fs = vfs_posix();
    assert_int_equal(vfs_write_file_atomic(fs, at("one"), "1", 1), 0);
    assert_int_equal(vfs_write_file_atomic(fs, at("two"), "22", 2), 0);
    assert_int_equal(vfs_rename(fs, at("one"), at("two")), 0);
    holds("two", "1");
    assert_int_equal(vfs_rename(fs, at("one"), at("two")), ERR_NOT_FOUND);
    assert_int_equal(vfs_link(fs, at("two"), at("three")), 0);
    assert_int_equal(vfs_link(fs, at("two"), at("three")), ERR_EXISTS);
    assert_int_equal(vfs_remove(fs, at("two")), 0);
    holds("three", "1");
    assert_int_equal(vfs_remove(fs, at("two")), ERR_NOT_FOUND);
    assert_int_equal(vfs_sync_dir(fs, root), 0);
    assert_int_equal(vfs_sync_dir(fs, at("absent")), ERR_NOT_FOUND);
}

static void directories_are_made_and_removed(void **state)
{
    (void)state;
    struct vfs *fs = vfs_posix();
    assert_int_equal(vfs_mkdir(fs, at("a")), 0);
    assert_int_equal(vfs_mkdir(fs, at("a")), 0);
    assert_int_equal(vfs_mkdir(fs, at("b/c")), ERR_NOT_FOUND);
    assert_int_equal(vfs_mkdir_all(fs, at("b/c//d/")), 0);
    assert_int_equal(vfs_mkdir_all(fs, at("b/c/d")), 0);
    assert_int_equal(vfs_write_file_atomic(fs, at("b/c/d/file"), "x", 1), 0);
    assert_int_equal(vfs_mkdir(fs, at("b/c/d/file")), ERR_EXISTS);
    assert_int_equal(vfs_remove(fs, at("b/c/d")), ERR_EXISTS);
    assert_int_equal(vfs_remove(fs, at("a")), 0);
    struct vfs_file *file = NULL;
    assert_int_equal(vfs_open(fs, at("a"), VFS_READ, &file), ERR_NOT_FOUND);
}

struct seen {
    unsigned files;
    unsigned directories;
    unsigned stop_after;
};

static int count_entry(void *context, const char *name, bool is_directory)
{
    struct seen *seen = context;
    assert_true(strcmp(name, ".") != 0 && strcmp(name, "..") != 0);
    seen->files += !is_directory;
    seen->directories += is_directory;
    return seen->files + seen->directories == seen->stop_after ? 42 : 0;
}

static void listing_tells_files_from_directories(void **state)
{
    (void)state;
    struct vfs *fs = vfs_posix();
    assert_int_equal(vfs_mkdir_all(fs, at("list/sub")), 0);
    assert_int_equal(vfs_write_file_atomic(fs, at("list/f1"), "", 0), 0);
    assert_int_equal(vfs_write_file_atomic(fs, at("list/f2"), "", 0), 0);
    assert_int_equal(symlink("sub", at("list/link")), 0);
    struct seen seen = {0};
    assert_int_equal(vfs_list(fs, at("list"), count_entry, &seen), 0);
    assert_int_equal(seen.files, 2);
    assert_int_equal(seen.directories, 2);
    seen = (struct seen){.stop_after = 1};
    assert_int_equal(vfs_list(fs, at("list"), count_entry, &seen), 42);
    assert_int_equal(vfs_list(fs, at("absent"), count_entry, &seen), ERR_NOT_FOUND);
    uint64_t count = 0;
    assert_int_equal(symlink("nowhere", at("list/dangling")), 0);
    assert_int_equal(vfs_count(fs, at("list"), &count), 0);
    assert_int_equal(count, 5);
    assert_int_equal(vfs_count(fs, at("list/sub"), &count), 0);
    assert_int_equal(count, 0);
    assert_int_equal(vfs_count(fs, at("absent"), &count), ERR_NOT_FOUND);
}

static void whole_files_have_a_limit_and_need_no_size(void **state)
{
    (void)state;
    struct vfs *fs = vfs_posix();
    assert_int_equal(vfs_write_file_atomic(fs, at("whole"), "12345", 5), 0);
    char *data = NULL;
    size_t size = 0;
    assert_int_equal(vfs_read_file(fs, at("whole"), 4, &data, &size), ERR_LIMIT);
    assert_null(data);
    assert_int_equal(vfs_read_file(fs, at("whole"), 5, &data, &size), 0);
    assert_int_equal(size, 5);
    mem_free(data);
    /* procfs says 0 bytes; the text is longer than the first guess on every machine. */
    data = NULL;
    assert_int_equal(vfs_read_file(fs, "/proc/self/smaps", 1 << 24, &data, &size), 0);
    assert_true(size > 4096);
    assert_int_equal(strlen(data), size);
    mem_free(data);
    data = NULL;
    assert_int_equal(vfs_read_file(fs, "/proc/self/smaps", 100, &data, &size), ERR_LIMIT);
    assert_null(data);
}

static void errors_of_the_kernel_have_codes(void **state)
{
    (void)state;
    struct vfs *fs = vfs_posix();
    struct vfs_file *file = open_file("full", VFS_APPEND);
    vfs_close(fs, file);
    assert_int_equal(vfs_open(fs, "/dev/full", VFS_READWRITE, &file), 0);
    assert_int_equal(vfs_append(fs, file, "x", 1), ERR_NO_SPACE);
    assert_int_equal(vfs_pwrite(fs, file, 0, "x", 1), ERR_NO_SPACE);
    vfs_close(fs, file);
    uint64_t free_bytes = 0;
    assert_int_equal(vfs_free_bytes(fs, root, &free_bytes), 0);
    assert_true(free_bytes > 0);
    assert_int_equal(vfs_free_bytes(fs, at("absent"), &free_bytes), ERR_NOT_FOUND);
    char long_name[600];
    memset(long_name, 'x', sizeof(long_name) - 1);
    long_name[sizeof(long_name) - 1] = '\0';
    assert_int_equal(vfs_mkdir(fs, long_name), ERR_INVALID);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(modes_say_what_must_exist),
        cmocka_unit_test(appends_go_to_the_end_and_writes_to_their_place),
        cmocka_unit_test(reading_stops_at_the_end),
        cmocka_unit_test(preallocation_keeps_the_size),
        cmocka_unit_test(one_handle_holds_the_lock),
        cmocka_unit_test(names_are_renamed_linked_and_removed),
        cmocka_unit_test(directories_are_made_and_removed),
        cmocka_unit_test(listing_tells_files_from_directories),
        cmocka_unit_test(whole_files_have_a_limit_and_need_no_size),
        cmocka_unit_test(errors_of_the_kernel_have_codes),
    };
    return cmocka_run_group_tests(tests, make_root, remove_root);
}
