/* What vfs.c makes of the plain calls, on the simulated disk, with each call and allocation failing
 * and power lost at each change. */
#include "support/support.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "base/mem.h"
#include "base/vfs.h"
#include "support/fault_loop.h"

/* The contents of the file, "<absent>" without one; lives until the next call. */
static const char *contents(struct vfs *fs, const char *path)
{
    static char text[64];
    char *data = NULL;
    size_t size = 0;
    int status = vfs_read_file(fs, path, sizeof(text) - 1, &data, &size);
    if (status == ERR_NOT_FOUND) {
        return "<absent>";
    }
    assert_int_equal(status, 0);
    memcpy(text, data, size + 1);
    mem_free(data);
    return text;
}

/* ---- vfs_write_file_atomic ---- */

static void begin_with_old_text(void *context, struct vfs *fs)
{
    (void)context;
    assert_int_equal(vfs_mkdir_all(fs, "d"), 0);
    assert_int_equal(vfs_write_file_atomic(fs, "d/f", "the old text", 12), 0);
}

static int replace_text(void *context, struct vfs *fs)
{
    (void)context;
    return vfs_write_file_atomic(fs, "d/f", "new", 3);
}

static int no_leftover(void *context, const char *name, bool is_directory)
{
    (void)context;
    assert_string_equal(name, "f");
    assert_false(is_directory);
    return 0;
}

static void old_or_new_but_whole(void *context, struct vfs *fs, const struct fault_round *round)
{
    (void)context;
    const char *text = contents(fs, "d/f");
    bool is_new = strcmp(text, "new") == 0;
    if (!is_new && (round->status == 0 || strcmp(text, "the old text") != 0)) {
        fail_msg("kind %d number %llu: status %s leaves \"%s\"", round->kind,
            (unsigned long long)round->number, err_name(round->status), text);
    }
    /* Whatever was left behind does not stop the next one, and is gone after it. */
    assert_int_equal(vfs_write_file_atomic(fs, "d/f", "again", 5), 0);
    assert_string_equal(contents(fs, "d/f"), "again");
    assert_int_equal(vfs_list(fs, "d", no_leftover, NULL), 0);
    uint64_t count = 0;
    assert_int_equal(vfs_count(fs, "d", &count), 0);
    assert_int_equal(count, 1);
}

static void replacement_is_atomic_and_durable(void **state)
{
    (void)state;
    struct fault_scenario scenario = {
        "write_file_atomic", NULL, begin_with_old_text, replace_text, old_or_new_but_whole, 0, 0};
    fault_loop(&scenario, FAULT_ALL);
    /* Power cuts again, with more seeds than the loop tries. */
    for (uint64_t seed = 0; seed < 200; seed++) {
        struct sim_vfs *sim = sim_vfs_new(seed);
        struct vfs *fs = sim_vfs_get(sim);
        begin_with_old_text(NULL, fs);
        sim_vfs_lose_power_at(sim, SIM_CHANGES, 1 + seed % 7);
        struct fault_round round = {.kind = FAULT_POWER, .number = seed, .power_cut = true};
        round.status = replace_text(NULL, fs);
        sim_vfs_power_cut(sim, seed);
        old_or_new_but_whole(NULL, fs, &round);
        sim_vfs_free(sim);
    }
}

static void names_without_a_directory_work(void **state)
{
    (void)state;
    struct sim_vfs *sim = sim_vfs_new(1);
    struct vfs *fs = sim_vfs_get(sim);
    assert_int_equal(vfs_write_file_atomic(fs, "bare", "1", 1), 0);
    assert_int_equal(vfs_write_file_atomic(fs, "/root", "", 0), 0);
    assert_int_equal(vfs_write_file_atomic(fs, "absent/f", "1", 1), ERR_NOT_FOUND);
    assert_int_equal(vfs_write_file_atomic(fs, "", "1", 1), ERR_INVALID);
    assert_int_equal(sim_vfs_unsynced_count(sim), 0);
    assert_string_equal(contents(fs, "/bare"), "1");
    assert_string_equal(contents(fs, "root"), "");
    char long_path[5000];
    memset(long_path, 'x', sizeof(long_path) - 1);
    long_path[sizeof(long_path) - 1] = '\0';
    assert_int_equal(vfs_write_file_atomic(fs, long_path, "1", 1), ERR_INVALID);
    assert_int_equal(vfs_mkdir_all(fs, long_path), ERR_INVALID);
    sim_vfs_free(sim);
}

/* ---- vfs_mkdir_all ---- */

static int make_three(void *context, struct vfs *fs)
{
    (void)context;
    return vfs_mkdir_all(fs, "/a/b//c/");
}

static void what_was_made_stays(void *context, struct vfs *fs, const struct fault_round *round)
{
    (void)context;
    struct vfs_file *file = NULL;
    int status = vfs_open(fs, "a/b/c/f", VFS_CREATE, &file);
    vfs_close(fs, status == 0 ? file : NULL);
    assert_true(status == 0 || (status == ERR_NOT_FOUND && round->status != 0));
    assert_int_equal(vfs_mkdir_all(fs, "a/b/c"), 0); /* picks up what was left half done */
}

static void directories_are_made_durably(void **state)
{
    (void)state;
    struct fault_scenario scenario = {
        "mkdir_all", NULL, NULL, make_three, what_was_made_stays, 0, 0};
    fault_loop(&scenario, FAULT_ALL);
    static const struct {
        const char *path;
        int status;
    } table[] = {
        {"/", 0},
        {"x", 0},
        {"x", 0},
        {"x/y", 0},
        {"//z///w//", 0},
        {"", ERR_INVALID},
        {"file", ERR_EXISTS},
        {"file/d", ERR_INVALID},
    };
    struct sim_vfs *sim = sim_vfs_new(1);
    struct vfs *fs = sim_vfs_get(sim);
    assert_int_equal(vfs_write_file_atomic(fs, "file", "", 0), 0);
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        int status = vfs_mkdir_all(fs, table[i].path);
        if (status != table[i].status) {
            fail_msg("\"%s\" is %s, expected %s", table[i].path, err_name(status),
                err_name(table[i].status));
        }
    }
    assert_int_equal(vfs_mkdir(fs, "z/w/v"), 0);
    sim_vfs_free(sim);
}

/* A parent that cannot be read cannot be synced: its owner's wish, not a failure of ours. */
static void parents_that_refuse_to_be_synced_are_left(void **state)
{
    (void)state;
    struct sim_vfs *sim = sim_vfs_new(1);
    sim_vfs_fail_from(sim, SIM_SYNC_DIR, 1, ERR_PERMISSION);
    assert_int_equal(vfs_mkdir_all(sim_vfs_get(sim), "a/b"), 0);
    sim_vfs_free(sim);
}

/* ---- vfs_read_file and vfs_pread_exact ---- */

struct reading {
    const char *expected;
    size_t size;
};

static void begin_with_long_text(void *context, struct vfs *fs)
{
    struct reading *reading = context;
    assert_int_equal(vfs_write_file_atomic(fs, "f", reading->expected, reading->size), 0);
}

static int read_whole(void *context, struct vfs *fs)
{
    struct reading *reading = context;
    char *data = NULL;
    size_t size = 77;
    int status = vfs_read_file(fs, "f", 1 << 20, &data, &size);
    if (status == 0) {
        assert_int_equal(size, reading->size);
        assert_memory_equal(data, reading->expected, size + 1); /* the zero too */
        mem_free(data);
    } else {
        assert_null(data);
        assert_int_equal(size, 77);
    }
    return status;
}

static void whole_files_are_read_or_nothing(void **state)
{
    (void)state;
    static char text[100001];
    memset(text, 'x', sizeof(text) - 1);
    static const size_t sizes[] = {0, 1, 4095, 4096, 4097, 100000};
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        text[sizes[i]] = '\0';
        struct reading reading = {text, sizes[i]};
        char name[32];
        snprintf(name, sizeof(name), "read %zu bytes", sizes[i]);
        struct fault_scenario scenario = {
            name, &reading, begin_with_long_text, read_whole, NULL, 0, 0};
        fault_loop(&scenario, FAULT_ALLOCATION | FAULT_READ);
        text[sizes[i]] = 'x';
    }
}

static void limits_are_exact(void **state)
{
    (void)state;
    struct sim_vfs *sim = sim_vfs_new(1);
    struct vfs *fs = sim_vfs_get(sim);
    assert_int_equal(vfs_write_file_atomic(fs, "f", "12345", 5), 0);
    char *data = NULL;
    size_t size = 0;
    assert_int_equal(vfs_read_file(fs, "f", 4, &data, &size), ERR_LIMIT);
    assert_int_equal(vfs_read_file(fs, "f", 0, &data, &size), ERR_LIMIT);
    assert_null(data);
    assert_int_equal(vfs_read_file(fs, "f", 5, &data, &size), 0);
    assert_string_equal(data, "12345");
    mem_free(data);
    struct vfs_file *file = NULL;
    assert_int_equal(vfs_open(fs, "f", VFS_READ, &file), 0);
    char bytes[6];
    assert_int_equal(vfs_pread_exact(fs, file, 1, bytes, 4), 0);
    assert_memory_equal(bytes, "2345", 4);
    assert_int_equal(vfs_pread_exact(fs, file, 1, bytes, 5), ERR_CORRUPT);
    assert_int_equal(vfs_pread_exact(fs, file, 5, bytes, 0), 0);
    vfs_close(fs, file);
    sim_vfs_free(sim);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(replacement_is_atomic_and_durable),
        cmocka_unit_test(names_without_a_directory_work),
        cmocka_unit_test(directories_are_made_durably),
        cmocka_unit_test(parents_that_refuse_to_be_synced_are_left),
        cmocka_unit_test(whole_files_are_read_or_nothing),
        cmocka_unit_test(limits_are_exact),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
