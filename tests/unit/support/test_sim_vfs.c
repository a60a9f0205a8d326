/* The simulated disk: what survives a power cut, what may not, and faults that strike on time. */
#include "support/support.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "base/mem.h"
#include "support/sim_vfs.h"

/* Seeds tried where a promise must hold for all of them. */
enum { SEEDS = 300 };

static struct vfs_file *open_file(struct sim_vfs *sim, const char *path, enum vfs_open_mode mode)
{
    struct vfs_file *file = NULL;
    assert_int_equal(vfs_open(sim_vfs_get(sim), path, mode, &file), 0);
    return file;
}

/* The contents of the file, "<absent>" without one; lives until the next call. */
static const char *contents(struct sim_vfs *sim, const char *path)
{
    static char text[64];
    char *data = NULL;
    size_t size = 0;
    int status = vfs_read_file(sim_vfs_get(sim), path, sizeof(text) - 1, &data, &size);
    if (status == ERR_NOT_FOUND) {
        return "<absent>";
    }
    assert_int_equal(status, 0);
    memcpy(text, data, size + 1);
    mem_free(data);
    return text;
}

static void write_file(struct sim_vfs *sim, const char *path, const char *text)
{
    assert_int_equal(vfs_write_file_atomic(sim_vfs_get(sim), path, text, strlen(text)), 0);
}

/* ---- as a filesystem ---- */

static void it_behaves_as_the_kernels(void **state)
{
    (void)state;
    struct sim_vfs *sim = sim_vfs_new(1);
    struct vfs *fs = sim_vfs_get(sim);
    struct vfs_file *file = NULL;
    assert_int_equal(vfs_open(fs, "f", VFS_READ, &file), ERR_NOT_FOUND);
    assert_int_equal(vfs_open(fs, "d/f", VFS_CREATE, &file), ERR_NOT_FOUND);
    assert_int_equal(vfs_open(fs, "../f", VFS_CREATE, &file), ERR_INVALID);
    assert_int_equal(vfs_mkdir(fs, "/d"), 0);
    assert_int_equal(vfs_mkdir(fs, "d/"), 0);
    assert_int_equal(vfs_open(fs, "d", VFS_READ, &file), ERR_INVALID);
    file = open_file(sim, "d/f", VFS_CREATE);
    assert_int_equal(vfs_open(fs, "d/f", VFS_CREATE, &(struct vfs_file *){NULL}), ERR_EXISTS);
    assert_int_equal(vfs_open(fs, "d/f/g", VFS_APPEND, &(struct vfs_file *){NULL}), ERR_INVALID);
    assert_int_equal(vfs_mkdir(fs, "d/f"), ERR_EXISTS);
    assert_int_equal(vfs_append(fs, file, "hello", 5), 0);
    assert_int_equal(vfs_pwrite(fs, file, 7, "world", 5), 0);
    assert_int_equal(vfs_pwrite(fs, file, 5, ", ", 2), 0);
    assert_string_equal(contents(sim, "/d/f"), "hello, world");
    assert_int_equal(vfs_truncate(fs, file, 5), 0);
    assert_int_equal(vfs_truncate(fs, file, 6), 0);
    char bytes[8];
    assert_int_equal(vfs_pread_exact(fs, file, 0, bytes, 6), 0);
    assert_memory_equal(bytes, "hello\0", 6);
    assert_int_equal(vfs_pread_exact(fs, file, 1, bytes, 6), ERR_CORRUPT);
    struct vfs_file *other = open_file(sim, "d/f", VFS_READWRITE);
    assert_int_equal(vfs_lock(fs, file), 0);
    assert_int_equal(vfs_lock(fs, other), ERR_LOCKED);
    vfs_close(fs, file);
    assert_int_equal(vfs_lock(fs, other), 0);
    assert_int_equal(vfs_remove(fs, "d"), ERR_EXISTS);
    assert_int_equal(vfs_remove(fs, "d/f"), 0);
    assert_int_equal(vfs_append(fs, other, "!", 1), 0); /* open files outlive their names */
    vfs_close(fs, other);
    assert_int_equal(vfs_remove(fs, "d"), 0);
    assert_int_equal(vfs_remove(fs, "d"), ERR_NOT_FOUND);
    assert_int_equal(sim_vfs_used_bytes(sim), 0);
    sim_vfs_free(sim);
}

static void renames_follow_the_rules(void **state)
{
    (void)state;
    struct sim_vfs *sim = sim_vfs_new(1);
    struct vfs *fs = sim_vfs_get(sim);
    assert_int_equal(vfs_mkdir_all(fs, "a/b"), 0);
    assert_int_equal(vfs_mkdir_all(fs, "empty"), 0);
    write_file(sim, "f", "f");
    write_file(sim, "a/g", "g");
    static const struct {
        const char *from, *to;
        int status;
    } table[] = {
        {"absent", "x", ERR_NOT_FOUND},
        {"f", "absent/x", ERR_NOT_FOUND},
        {"a", "a/b/c", ERR_INVALID},
        {"a", "f", ERR_INVALID},
        {"f", "a", ERR_INVALID},
        {"empty", "a", ERR_EXISTS},
        {"/", "x", ERR_BUSY},
        {"f", "f", 0},
        {"f", "a/g", 0},
        {"a", "empty", 0},
    };
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        int status = vfs_rename(fs, table[i].from, table[i].to);
        if (status != table[i].status) {
            fail_msg("rename %s to %s is %s, expected %s", table[i].from, table[i].to,
                err_name(status), err_name(table[i].status));
        }
    }
    assert_string_equal(contents(sim, "empty/g"), "f");
    assert_int_equal(vfs_link(fs, "empty/g", "h"), 0);
    assert_int_equal(vfs_link(fs, "empty/g", "h"), ERR_EXISTS);
    assert_int_equal(vfs_rename(fs, "h", "empty/g"), 0);
    assert_string_equal(contents(sim, "h"), "f"); /* two names of one file stay */
    assert_int_equal(vfs_link(fs, "empty", "i"), ERR_PERMISSION);
    sim_vfs_free(sim);
}

struct names {
    char text[8][8];
    size_t count;
    struct vfs *fs;
};

static int remember_name(void *context, const char *name, bool is_directory)
{
    struct names *names = context;
    snprintf(
        names->text[names->count++], sizeof(names->text[0]), "%s%s", name, is_directory ? "/" : "");
    return names->fs != NULL ? vfs_remove(names->fs, name) : 0; /* calls from inside are allowed */
}

static void listings_are_complete_and_in_no_order(void **state)
{
    (void)state;
    bool differed = false;
    char first[8] = "";
    for (uint64_t seed = 0; seed < 20; seed++) {
        struct sim_vfs *sim = sim_vfs_new(seed);
        struct vfs *fs = sim_vfs_get(sim);
        write_file(sim, "a", "");
        write_file(sim, "b", "");
        assert_int_equal(vfs_mkdir(fs, "c"), 0);
        struct names names = {.fs = fs};
        assert_int_equal(vfs_list(fs, "/", remember_name, &names), 0);
        assert_int_equal(names.count, 3);
        bool seen[3] = {false, false, false};
        for (size_t i = 0; i < 3; i++) {
            seen[names.text[i][0] - 'a'] = true;
            assert_int_equal(names.text[i][1], names.text[i][0] == 'c' ? '/' : '\0');
        }
        assert_true(seen[0] && seen[1] && seen[2]);
        differed = differed || (first[0] != '\0' && strcmp(first, names.text[0]) != 0);
        memcpy(first, names.text[0], sizeof(first));
        assert_int_equal(vfs_list(fs, "/", remember_name, &names), 0);
        assert_int_equal(names.count, 3);
        assert_int_equal(vfs_list(fs, "a", remember_name, &names), ERR_NOT_FOUND);
        sim_vfs_free(sim);
    }
    assert_true(differed);
}

/* ---- power cuts ---- */

static void what_was_synced_survives_every_cut(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        struct sim_vfs *sim = sim_vfs_new(seed);
        struct vfs *fs = sim_vfs_get(sim);
        assert_int_equal(vfs_mkdir_all(fs, "data/wal"), 0);
        struct vfs_file *file = open_file(sim, "data/wal/1", VFS_CREATE);
        assert_int_equal(vfs_append(fs, file, "synced", 6), 0);
        assert_int_equal(vfs_sync(fs, file), 0);
        assert_int_equal(vfs_sync_dir(fs, "data/wal"), 0);
        assert_int_equal(sim_vfs_unsynced_count(sim), 0);
        assert_int_equal(vfs_append(fs, file, "!", 1), 0);
        assert_int_equal(sim_vfs_unsynced_count(sim), 1);
        sim_vfs_power_cut(sim, seed);
        assert_int_equal(vfs_append(fs, file, "late", 4), ERR_IO);
        assert_int_equal(vfs_sync(fs, file), ERR_IO);
        vfs_close(fs, file);
        assert_int_equal(strncmp(contents(sim, "data/wal/1"), "synced", 6), 0);
        assert_true(strlen(contents(sim, "data/wal/1")) <= 7);
        assert_int_equal(sim_vfs_unsynced_count(sim), 0);
        sim_vfs_free(sim);
    }
}

/* Counts, over many seeds, in which of the expected states a scenario ends. */
static void outcomes(void (*scenario)(struct sim_vfs *sim), const char *path,
    const char *const *expected, size_t count)
{
    unsigned seen[8] = {0};
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        struct sim_vfs *sim = sim_vfs_new(seed);
        scenario(sim);
        sim_vfs_power_cut(sim, seed);
        const char *text = contents(sim, path);
        size_t i = 0;
        while (i < count && strcmp(text, expected[i]) != 0) {
            i++;
        }
        if (i == count) {
            fail_msg("seed %llu leaves \"%s\" in %s", (unsigned long long)seed, text, path);
        }
        seen[i]++;
        sim_vfs_free(sim);
    }
    for (size_t i = 0; i < count; i++) {
        if (seen[i] == 0) {
            fail_msg("%s never holds \"%s\"", path, expected[i]);
        }
    }
}

static void file_without_directory_sync(struct sim_vfs *sim)
{
    struct vfs *fs = sim_vfs_get(sim);
    struct vfs_file *file = open_file(sim, "f", VFS_CREATE);
    assert_int_equal(vfs_append(fs, file, "ab", 2), 0);
    assert_int_equal(vfs_sync(fs, file), 0);
    vfs_close(fs, file);
}

static void directory_without_file_sync(struct sim_vfs *sim)
{
    struct vfs *fs = sim_vfs_get(sim);
    struct vfs_file *file = open_file(sim, "f", VFS_CREATE);
    assert_int_equal(vfs_append(fs, file, "ab", 2), 0);
    vfs_close(fs, file);
    assert_int_equal(vfs_sync_dir(fs, "/"), 0);
}

static void overwrite_without_sync(struct sim_vfs *sim)
{
    struct vfs *fs = sim_vfs_get(sim);
    write_file(sim, "f", "ab");
    struct vfs_file *file = open_file(sim, "f", VFS_READWRITE);
    assert_int_equal(vfs_pwrite(fs, file, 0, "CD", 2), 0);
    vfs_close(fs, file);
}

static void two_appends_without_sync(struct sim_vfs *sim)
{
    struct vfs *fs = sim_vfs_get(sim);
    write_file(sim, "f", "a");
    struct vfs_file *file = open_file(sim, "f", VFS_APPEND);
    assert_int_equal(vfs_append(fs, file, "b", 1), 0);
    assert_int_equal(vfs_append(fs, file, "c", 1), 0);
    vfs_close(fs, file);
}

static void truncation_without_sync(struct sim_vfs *sim)
{
    struct vfs *fs = sim_vfs_get(sim);
    write_file(sim, "f", "abc");
    struct vfs_file *file = open_file(sim, "f", VFS_APPEND);
    assert_int_equal(vfs_truncate(fs, file, 1), 0);
    vfs_close(fs, file);
}

static void rename_without_sync(struct sim_vfs *sim)
{
    write_file(sim, "f", "old");
    write_file(sim, "g", "new");
    assert_int_equal(vfs_rename(sim_vfs_get(sim), "g", "f"), 0);
}

static void removal_without_sync(struct sim_vfs *sim)
{
    write_file(sim, "f", "old");
    assert_int_equal(vfs_remove(sim_vfs_get(sim), "f"), 0);
}

static void replaced_but_never_synced(struct sim_vfs *sim)
{
    struct vfs *fs = sim_vfs_get(sim);
    write_file(sim, "f", "old");
    struct vfs_file *file = open_file(sim, "t", VFS_CREATE);
    assert_int_equal(vfs_append(fs, file, "n", 1), 0);
    vfs_close(fs, file);
    assert_int_equal(vfs_rename(fs, "t", "f"), 0);
    assert_int_equal(vfs_sync_dir(fs, "/"), 0);
}

static void unsynced_state_is_kept_or_lost(void **state)
{
    (void)state;
#define CASE(scenario, ...)                                                                        \
    outcomes(scenario, "f", (const char *const[]){__VA_ARGS__},                                    \
        sizeof((const char *const[]){__VA_ARGS__}) / sizeof(const char *))
    CASE(file_without_directory_sync, "<absent>", "ab");
    /* "" stands for a hole of zeros too: the text ends at the first. */
    CASE(directory_without_file_sync, "", "a", "ab");
    CASE(overwrite_without_sync, "ab", "Cb", "CD");
    /* The second may arrive without the first, which then is a hole. */
    CASE(two_appends_without_sync, "a", "ab", "abc");
    CASE(truncation_without_sync, "abc", "a");
    CASE(rename_without_sync, "old", "new");
    CASE(removal_without_sync, "old", "<absent>");
    CASE(replaced_but_never_synced, "", "n");
#undef CASE
}

static void writes_reach_the_platter_out_of_order(void **state)
{
    (void)state;
    bool second_alone = false;
    for (uint64_t seed = 0; seed < SEEDS && !second_alone; seed++) {
        struct sim_vfs *sim = sim_vfs_new(seed);
        struct vfs *fs = sim_vfs_get(sim);
        two_appends_without_sync(sim);
        sim_vfs_power_cut(sim, seed);
        struct vfs_file *file = open_file(sim, "f", VFS_READ);
        char bytes[3];
        size_t got = 0;
        assert_int_equal(vfs_pread(fs, file, 0, bytes, 3, &got), 0);
        second_alone = got == 3 && memcmp(bytes, "a\0c", 3) == 0;
        vfs_close(fs, file);
        sim_vfs_free(sim);
    }
    assert_true(second_alone);
}

static void a_rename_across_directories_is_never_half(void **state)
{
    (void)state;
    static const char *const synced[] = {NULL, "from", "to"};
    unsigned moved = 0, stayed = 0;
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        struct sim_vfs *sim = sim_vfs_new(seed);
        struct vfs *fs = sim_vfs_get(sim);
        assert_int_equal(vfs_mkdir_all(fs, "from"), 0);
        assert_int_equal(vfs_mkdir_all(fs, "to"), 0);
        write_file(sim, "from/x", "x");
        write_file(sim, "to/y", "old");
        assert_int_equal(vfs_remove(fs, "to/y"), 0); /* must come before the rename, if that does */
        assert_int_equal(vfs_rename(fs, "from/x", "to/y"), 0);
        const char *directory = synced[seed % 3];
        if (directory != NULL) {
            assert_int_equal(vfs_sync_dir(fs, directory), 0);
        }
        sim_vfs_power_cut(sim, seed);
        bool has_moved = strcmp(contents(sim, "to/y"), "x") == 0;
        bool has_stayed = strcmp(contents(sim, "from/x"), "x") == 0;
        assert_int_equal(has_moved + has_stayed, 1);
        assert_true(directory == NULL || has_moved);
        moved += has_moved;
        stayed += has_stayed;
        sim_vfs_free(sim);
    }
    assert_true(moved > 0 && stayed > 0);
}

static void a_directory_that_was_not_synced_takes_its_files_with_it(void **state)
{
    (void)state;
    unsigned lost = 0;
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        struct sim_vfs *sim = sim_vfs_new(seed);
        struct vfs *fs = sim_vfs_get(sim);
        assert_int_equal(vfs_mkdir(fs, "d"), 0);
        write_file(sim, "d/f", "f"); /* syncs d, not the root */
        sim_vfs_power_cut(sim, seed);
        const char *text = contents(sim, "d/f");
        assert_true(strcmp(text, "f") == 0 || strcmp(text, "<absent>") == 0);
        lost += text[0] == '<';
        sim_vfs_free(sim);
    }
    assert_true(lost > 0 && lost < SEEDS);
}

static void large_writes_are_torn_page_by_page(void **state)
{
    (void)state;
    enum { PAGES = 16, PAGE_BYTES = 4096 };
    static char bytes[PAGES * PAGE_BYTES], back[sizeof(bytes)];
    memset(bytes, 'x', sizeof(bytes));
    bool mixed = false;
    for (uint64_t seed = 0; seed < 50; seed++) {
        struct sim_vfs *sim = sim_vfs_new(seed);
        struct vfs *fs = sim_vfs_get(sim);
        struct vfs_file *file = open_file(sim, "f", VFS_CREATE);
        assert_int_equal(vfs_append(fs, file, bytes, sizeof(bytes)), 0);
        vfs_close(fs, file);
        assert_int_equal(vfs_sync_dir(fs, "/"), 0);
        sim_vfs_power_cut(sim, seed);
        file = open_file(sim, "f", VFS_READ);
        size_t got = 0;
        assert_int_equal(vfs_pread(fs, file, 0, back, sizeof(back), &got), 0);
        vfs_close(fs, file);
        unsigned whole = 0;
        for (size_t i = 0; i < got; i++) {
            assert_true(back[i] == 'x' || back[i] == '\0');
        }
        for (size_t page = 0; page < got / PAGE_BYTES; page++) {
            whole += memcmp(back + page * PAGE_BYTES, bytes, PAGE_BYTES) == 0;
        }
        mixed = mixed || (whole > 0 && whole < got / PAGE_BYTES);
        sim_vfs_free(sim);
    }
    assert_true(mixed);
}

static void the_same_seed_gives_the_same_disk(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < 20; seed++) {
        char first[64] = "";
        for (int run = 0; run < 2; run++) {
            struct sim_vfs *sim = sim_vfs_new(seed);
            two_appends_without_sync(sim);
            sim_vfs_power_cut(sim, seed);
            const char *text = contents(sim, "f");
            if (run == 0) {
                snprintf(first, sizeof(first), "%s", text);
            } else {
                assert_string_equal(text, first);
            }
            sim_vfs_free(sim);
        }
    }
}

/* ---- faults ---- */

static void the_nth_call_of_a_kind_fails_once(void **state)
{
    (void)state;
    struct sim_vfs *sim = sim_vfs_new(1);
    struct vfs *fs = sim_vfs_get(sim);
    struct vfs_file *file = open_file(sim, "f", VFS_CREATE);
    sim_vfs_fail_nth(sim, SIM_APPEND, 3, ERR_NO_SPACE);
    assert_int_equal(vfs_append(fs, file, "1", 1), 0);
    assert_int_equal(vfs_sync(fs, file), 0);
    assert_int_equal(vfs_append(fs, file, "2", 1), 0);
    assert_true(sim_vfs_fail_pending(sim));
    assert_int_equal(vfs_append(fs, file, "3", 1), ERR_NO_SPACE);
    assert_false(sim_vfs_fail_pending(sim));
    assert_int_equal(vfs_append(fs, file, "4", 1), 0);
    sim_vfs_fail_from(sim, SIM_SYNCS, 2, ERR_IO);
    assert_int_equal(vfs_sync(fs, file), 0);
    assert_int_equal(vfs_sync_dir(fs, "/"), ERR_IO);
    assert_int_equal(vfs_sync(fs, file), ERR_IO);
    sim_vfs_fail_clear(sim);
    assert_int_equal(vfs_sync_dir(fs, "/"), 0);
    vfs_close(fs, file);
    assert_int_equal(sim_vfs_call_count(sim, SIM_APPEND), 4);
    assert_int_equal(sim_vfs_call_count(sim, SIM_SYNCS), 5);
    assert_int_equal(sim_vfs_call_count(sim, SIM_CREATE), 1);
    assert_int_equal(sim_vfs_call_count(sim, SIM_ALL), 10);
    sim_vfs_free(sim);
}

static void every_kind_of_call_can_fail(void **state)
{
    (void)state;
    struct sim_vfs *sim = sim_vfs_new(1);
    struct vfs *fs = sim_vfs_get(sim);
    struct vfs_file *file = open_file(sim, "f", VFS_READWRITE);
    struct vfs_file *other = NULL;
    uint64_t number = 0;
    size_t got = 0;
    char byte = 0;
    struct names names = {0};
    sim_vfs_fail_from(sim, SIM_ALL, 1, ERR_PERMISSION);
    const int statuses[] = {
        vfs_open(fs, "f", VFS_READ, &other),
        vfs_open(fs, "g", VFS_CREATE, &other),
        vfs_pread(fs, file, 0, &byte, 1, &got),
        vfs_append(fs, file, "x", 1),
        vfs_pwrite(fs, file, 0, "x", 1),
        vfs_sync(fs, file),
        vfs_size(fs, file, &number),
        vfs_truncate(fs, file, 0),
        vfs_preallocate(fs, file, 1),
        vfs_lock(fs, file),
        vfs_rename(fs, "f", "g"),
        vfs_link(fs, "f", "g"),
        vfs_remove(fs, "f"),
        vfs_mkdir(fs, "d"),
        vfs_sync_dir(fs, "/"),
        vfs_list(fs, "/", remember_name, &names),
        vfs_free_bytes(fs, "/", &number),
    };
    for (size_t i = 0; i < sizeof(statuses) / sizeof(statuses[0]); i++) {
        if (statuses[i] != ERR_PERMISSION) {
            fail_msg("call %zu returns %s", i, err_name(statuses[i]));
        }
    }
    assert_null(other);
    for (unsigned call = 1; call < SIM_CALL_END; call <<= 1) {
        assert_true(sim_vfs_call_count(sim, call) >= 1);
    }
    vfs_close(fs, file);
    sim_vfs_fail_clear(sim);
    assert_int_equal(vfs_list(fs, "/", remember_name, &names), 0);
    assert_int_equal(names.count, 1);
    sim_vfs_free(sim);
}

static void a_failed_write_leaves_none_some_or_all(void **state)
{
    (void)state;
    unsigned none = 0, some = 0, all = 0;
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        struct sim_vfs *sim = sim_vfs_new(seed);
        struct vfs *fs = sim_vfs_get(sim);
        struct vfs_file *file = open_file(sim, "f", VFS_CREATE);
        sim_vfs_fail_nth(sim, SIM_WRITES, 1, ERR_IO);
        assert_int_equal(vfs_append(fs, file, "0123456789", 10), ERR_IO);
        size_t length = strlen(contents(sim, "f"));
        assert_int_equal(strncmp(contents(sim, "f"), "0123456789", length), 0);
        none += length == 0;
        all += length == 10;
        some += length > 0 && length < 10;
        vfs_close(fs, file);
        sim_vfs_free(sim);
    }
    assert_true(none > 0 && some > 0 && all > 0);
}

/* The pages of a failed sync are clean to the kernel: a second sync says 0 and saves nothing. */
static void a_sync_after_a_failed_one_saves_nothing(void **state)
{
    (void)state;
    unsigned lost = 0;
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        struct sim_vfs *sim = sim_vfs_new(seed);
        struct vfs *fs = sim_vfs_get(sim);
        struct vfs_file *file = open_file(sim, "f", VFS_CREATE);
        assert_int_equal(vfs_sync_dir(fs, "/"), 0);
        assert_int_equal(vfs_append(fs, file, "x", 1), 0);
        sim_vfs_fail_nth(sim, SIM_SYNC, 1, ERR_IO);
        assert_int_equal(vfs_sync(fs, file), ERR_IO);
        assert_string_equal(contents(sim, "f"), "x");
        assert_int_equal(vfs_sync(fs, file), 0);
        vfs_close(fs, file);
        sim_vfs_power_cut(sim, seed);
        lost += strcmp(contents(sim, "f"), "x") != 0;
        sim_vfs_free(sim);
    }
    assert_true(lost > 0 && lost < SEEDS);
}

static void a_full_disk_takes_what_fits_and_gives_back(void **state)
{
    (void)state;
    struct sim_vfs *sim = sim_vfs_new(1);
    struct vfs *fs = sim_vfs_get(sim);
    sim_vfs_set_capacity(sim, 10);
    struct vfs_file *file = open_file(sim, "f", VFS_READWRITE);
    assert_int_equal(vfs_append(fs, file, "123456", 6), 0);
    assert_int_equal(vfs_append(fs, file, "789abc", 6), ERR_NO_SPACE);
    assert_string_equal(contents(sim, "f"), "123456789a");
    assert_int_equal(vfs_pwrite(fs, file, 0, "ABC", 3), 0); /* takes no more room */
    assert_int_equal(vfs_truncate(fs, file, 11), ERR_NO_SPACE);
    assert_int_equal(vfs_truncate(fs, file, 4), 0);
    uint64_t free_bytes = 0;
    assert_int_equal(vfs_free_bytes(fs, "/", &free_bytes), 0);
    assert_int_equal(free_bytes, 6);
    assert_int_equal(vfs_preallocate(fs, file, 9), 0);
    struct vfs_file *other = open_file(sim, "g", VFS_APPEND);
    assert_int_equal(vfs_append(fs, other, "xy", 2), ERR_NO_SPACE);
    assert_int_equal(vfs_append(fs, file, "56789", 5), 0); /* was reserved */
    assert_int_equal(vfs_preallocate(fs, file, 11), ERR_NO_SPACE);
    assert_int_equal(vfs_remove(fs, "f"), 0);
    assert_int_equal(vfs_append(fs, other, "xy", 2), ERR_NO_SPACE); /* still open */
    vfs_close(fs, file);
    assert_int_equal(vfs_append(fs, other, "xy", 2), 0);
    assert_string_equal(contents(sim, "g"), "xxy");
    vfs_close(fs, other);
    assert_int_equal(sim_vfs_used_bytes(sim), 3);
    sim_vfs_set_capacity(sim, 1);
    assert_int_equal(vfs_free_bytes(fs, "/", &free_bytes), 0);
    assert_int_equal(free_bytes, 0);
    sim_vfs_free(sim);
}

static void lost_power_fails_everything_until_it_is_back(void **state)
{
    (void)state;
    unsigned kept = 0;
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        struct sim_vfs *sim = sim_vfs_new(seed);
        struct vfs *fs = sim_vfs_get(sim);
        write_file(sim, "f", "old");
        struct vfs_file *file = open_file(sim, "f", VFS_READWRITE);
        sim_vfs_lose_power_at(sim, SIM_CHANGES, 2);
        assert_int_equal(vfs_pwrite(fs, file, 0, "new", 3), 0);
        assert_int_equal(vfs_sync(fs, file), ERR_IO);
        assert_false(sim_vfs_fail_pending(sim));
        size_t got = 0;
        char bytes[3];
        assert_int_equal(vfs_pread(fs, file, 0, bytes, 3, &got), ERR_IO);
        assert_int_equal(vfs_mkdir(fs, "d"), ERR_IO);
        vfs_close(fs, file);
        sim_vfs_power_cut(sim, seed);
        const char *text = contents(sim, "f");
        for (size_t i = 0; i < 3; i++) {
            assert_true(text[i] == "old"[i] || text[i] == "new"[i]);
        }
        kept += strcmp(text, "new") == 0;
        assert_int_equal(vfs_mkdir(fs, "d"), 0);
        sim_vfs_free(sim);
    }
    assert_true(kept > 0 && kept < SEEDS);
}

static void a_bit_is_flipped(void **state)
{
    (void)state;
    struct sim_vfs *sim = sim_vfs_new(1);
    write_file(sim, "f", "abc");
    assert_int_equal(sim_vfs_flip_bit(sim, "f", 8 + 1), 0);
    assert_string_equal(contents(sim, "f"), "a`c");
    assert_int_equal(sim_vfs_flip_bit(sim, "f", 24), ERR_RANGE);
    assert_int_equal(sim_vfs_flip_bit(sim, "g", 0), ERR_NOT_FOUND);
    sim_vfs_power_cut(sim, 1);
    assert_string_equal(contents(sim, "f"), "a`c");
    sim_vfs_free(sim);
}

/* ---- threads ---- */

static void *append_and_list(void *argument)
{
    struct sim_vfs *sim = argument;
    struct vfs *fs = sim_vfs_get(sim);
    for (int i = 0; i < 200; i++) {
        struct vfs_file *file = NULL;
        assert_int_equal(vfs_open(fs, "shared", VFS_APPEND, &file), 0);
        assert_int_equal(vfs_append(fs, file, "x", 1), 0);
        if (i % 10 == 0) {
            assert_int_equal(vfs_sync(fs, file), 0);
        }
        vfs_close(fs, file);
    }
    return NULL;
}

static void threads_share_a_disk(void **state)
{
    (void)state;
    struct sim_vfs *sim = sim_vfs_new(1);
    pthread_t threads[4];
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, append_and_list, sim), 0);
    }
    for (size_t i = 0; i < 4; i++) {
        pthread_join(threads[i], NULL);
    }
    assert_int_equal(sim_vfs_used_bytes(sim), 800);
    sim_vfs_free(sim);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_behaves_as_the_kernels),
        cmocka_unit_test(renames_follow_the_rules),
        cmocka_unit_test(listings_are_complete_and_in_no_order),
        cmocka_unit_test(what_was_synced_survives_every_cut),
        cmocka_unit_test(unsynced_state_is_kept_or_lost),
        cmocka_unit_test(writes_reach_the_platter_out_of_order),
        cmocka_unit_test(a_rename_across_directories_is_never_half),
        cmocka_unit_test(a_directory_that_was_not_synced_takes_its_files_with_it),
        cmocka_unit_test(large_writes_are_torn_page_by_page),
        cmocka_unit_test(the_same_seed_gives_the_same_disk),
        cmocka_unit_test(the_nth_call_of_a_kind_fails_once),
        cmocka_unit_test(every_kind_of_call_can_fail),
        cmocka_unit_test(a_failed_write_leaves_none_some_or_all),
        cmocka_unit_test(a_sync_after_a_failed_one_saves_nothing),
        cmocka_unit_test(a_full_disk_takes_what_fits_and_gives_back),
        cmocka_unit_test(lost_power_fails_everything_until_it_is_back),
        cmocka_unit_test(a_bit_is_flipped),
        cmocka_unit_test(threads_share_a_disk),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
