/* Places in files: written, read back, and never believed when a byte of them is wrong. */
#include "logs/log_bookmarks.h"

#include <stdlib.h>
#include <unistd.h>

#include "base/mem.h"
#include "support/support.h"

static void test_round_trip_and_damage(void **state)
{
    char folder[] = "/tmp/sonde-marks-XXXXXX", path[64];
    struct log_bookmarks marks = {0}, read;
    struct err e = ERR_INIT;
    (void)state;
    assert_non_null(mkdtemp(folder));
    (void)snprintf(path, sizeof(path), "%s/marks", folder);
    assert_int_equal(log_bookmarks_read(vfs_posix(), path, &read, &e), ERR_NOT_FOUND);
    const struct log_bookmark one = {1, 2, 3, 4, 0xdeadbeef12345678u},
                              two = {UINT64_MAX, 0, 0, 0, 1};
    assert_int_equal(log_bookmarks_add(&marks, "/var/log/a b.log", &one), 0);
    assert_int_equal(log_bookmarks_add(&marks, "/var/log/two", &two), 0);
    for (int round = 0; round < 2; round++) { // the second replaces the first
        assert_int_equal(log_bookmarks_write(vfs_posix(), path, &marks), 0);
        assert_int_equal(log_bookmarks_read(vfs_posix(), path, &read, &e), 0);
        assert_int_equal(read.count, 2);
        assert_memory_equal(log_bookmarks_find(&read, "/var/log/a b.log"), &one, sizeof(one));
        assert_memory_equal(log_bookmarks_find(&read, "/var/log/two"), &two, sizeof(two));
        assert_null(log_bookmarks_find(&read, "/var/log"));
        log_bookmarks_release(&read);
    }
    char *text;
    size_t size;
    assert_int_equal(vfs_read_file(vfs_posix(), path, 1 << 20, &text, &size), 0);
    for (size_t i = 0; i < size; i++) {
        for (int how = 0; how < 2; how++) { // a flipped bit, and a cut
            struct vfs_file *file;
            char kept = text[i];
            text[i] ^= how == 0 ? 4 : 0;
            assert_int_equal(vfs_open(vfs_posix(), path, VFS_READWRITE, &file), 0);
            assert_int_equal(vfs_truncate(vfs_posix(), file, 0), 0);
            assert_int_equal(vfs_pwrite(vfs_posix(), file, 0, text, how == 0 ? size : i), 0);
            vfs_close(vfs_posix(), file);
            assert_int_equal(log_bookmarks_read(vfs_posix(), path, &read, &e), ERR_CORRUPT);
            assert_int_equal(read.count, 0);
            text[i] = kept;
        }
    }
    mem_free(text);
    log_bookmarks_release(&marks);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(rmdir(folder), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_round_trip_and_damage)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
