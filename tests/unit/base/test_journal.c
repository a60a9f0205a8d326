/* The journal against a plain map: round trips, golden bytes, damage anywhere, and each fault of a disk. */
#include "base/journal.h"

#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "base/strbuf.h"
#include "support/fault_loop.h"
#include "support/support.h"

#define JOURNAL_PATH "state.journal"

/* ---- The plain map ---- */

enum { KEYS = 16 };

/* Key i is "k<i>"; 0 = absent, else its value is that number as text. */
struct map {
    uint64_t values[KEYS];
};

static int map_key(struct str key)
{
    int number = -1;
    char text[16];
    snprintf(text, sizeof(text), "%.*s", (int)key.len, key.ptr);
    return sscanf(text, "k%d", &number) == 1 && number >= 0 && number < KEYS ? number : -1;
}

static int map_replay(void *context, struct str key, struct str value, bool deleted)
{
    struct map *map = context;
    unsigned long long number = 0;
    char text[24];
    int k = map_key(key);
    snprintf(text, sizeof(text), "%.*s", (int)value.len, value.ptr);
    if (k < 0 || (!deleted && sscanf(text, "%llu", &number) != 1)) {
        return ERR_CORRUPT;
    }
    map->values[k] = deleted ? 0 : number;
    return 0;
}

static struct str map_pair(const struct map *map, int k, char *text, size_t size, struct str *value)
{
    int key_size = snprintf(text, size, "k%d", k);
    int value_size = snprintf(text + 8, size - 8, "%llu", (unsigned long long)map->values[k]);
    *value = str_make(text + 8, (size_t)value_size);
    return str_make(text, (size_t)key_size);
}

static void map_list(void *context, struct journal_rewrite *to)
{
    const struct map *map = context;
    for (int k = 0; k < KEYS; k++) {
        char text[40];
        struct str value;
        struct str key = map_pair(map, k, text, sizeof(text), &value);
        if (map->values[k] != 0) {
            journal_rewrite_put(to, key, value);
        }
    }
}

static int open_map(
    struct vfs *fs, struct map *map, struct journal **journal_out, struct journal_report *report)
{
    struct journal_options options = {
        .fs = fs, .replay = map_replay, .list = map_list, .context = map};
    struct err e = ERR_INIT;
    *map = (struct map){{0}};
    int status = journal_open(JOURNAL_PATH, &options, journal_out, report, &e);
    assert_int_equal(status, e.code);
    return status;
}

/* Sets (number > 0) or deletes in both. */
static void change(struct map *map, struct journal *j, int k, uint64_t number)
{
    char text[40];
    struct str value;
    map->values[k] = number;
    struct str key = map_pair(map, k, text, sizeof(text), &value);
    if (number == 0) {
        journal_delete(j, key);
    } else {
        journal_put(j, key, value);
    }
}

/* Transaction `n` of a history that is always the same: three changes. */
static void transact(struct map *map, struct journal *j, uint64_t n)
{
    uint64_t random = n;
    for (int i = 0; i < 3; i++) {
        uint64_t r = test_random(&random);
        change(map, j, (int)(r % KEYS), r / KEYS % 4 == 0 ? 0 : n * 10 + (uint64_t)i + 1);
    }
}

static struct sim_vfs *sim_with(uint64_t transactions)
{
    struct sim_vfs *sim = sim_vfs_new(1);
    struct journal *j = NULL;
    struct journal_report report;
    struct map map;
    assert_int_equal(open_map(sim_vfs_get(sim), &map, &j, &report), 0);
    for (uint64_t n = 1; n <= transactions; n++) {
        transact(&map, j, n);
        assert_int_equal(journal_commit(j, NULL), 0);
    }
    journal_close(j);
    return sim;
}

static uint64_t file_size(struct vfs *fs, const char *path)
{
    struct vfs_file *file = NULL;
    uint64_t size = 0;
    if (vfs_open(fs, path, VFS_READ, &file) == 0) {
        assert_int_equal(vfs_size(fs, file, &size), 0);
        vfs_close(fs, file);
    }
    return size;
}

static void put_file(struct vfs *fs, const char *path, const void *bytes, size_t size)
{
    assert_int_equal(vfs_write_file_atomic(fs, path, bytes, size), 0);
}

/* ---- What is kept ---- */

static void test_keeps_what_was_committed(void **state)
{
    struct sim_vfs *sim = sim_with(100);
    struct map expected = {{0}}, map;
    struct journal *j = NULL;
    struct journal_report report;
    struct sim_vfs *other = sim_vfs_new(2);
    assert_int_equal(open_map(sim_vfs_get(other), &expected, &j, &report), 0);
    for (uint64_t n = 1; n <= 100; n++) {
        transact(&expected, j, n);
    }
    journal_close(j); /* without a commit: forgets all */
    assert_int_equal(open_map(sim_vfs_get(other), &map, &j, &report), 0);
    assert_int_equal(report.changes, 0);
    journal_close(j);

    assert_int_equal(open_map(sim_vfs_get(sim), &map, &j, &report), 0);
    assert_memory_equal(&map, &expected, sizeof(map));
    assert_int_equal(report.changes, 300);
    assert_int_equal(report.torn_bytes + report.damaged_bytes, 0);
    struct map second;
    struct journal *twice = NULL;
    assert_int_equal(open_map(sim_vfs_get(sim), &second, &twice, &report), ERR_LOCKED);
    journal_close(j);
    sim_vfs_free(sim);
    sim_vfs_free(other);
    (void)state;
}

/* The file stays within twice what is alive, and its least size. */
static void test_is_written_anew(void **state)
{
    struct sim_vfs *sim = sim_vfs_new(1);
    struct map map;
    struct journal *j = NULL;
    struct journal_report report;
    struct journal_statistics statistics = {0};
    uint64_t n = 0;
    assert_int_equal(open_map(sim_vfs_get(sim), &map, &j, &report), 0);
    while (statistics.rewrites < 3 && n < 200000) {
        transact(&map, j, ++n);
        assert_int_equal(journal_commit(j, NULL), 0);
        journal_statistics(j, &statistics);
        assert_true(statistics.file_bytes <= 2048 + (1 << 20));
    }
    assert_int_equal(statistics.rewrites, 3); /* the first made the file */
    assert_int_equal(statistics.commits, n);
    journal_close(j);
    struct map back;
    assert_int_equal(open_map(sim_vfs_get(sim), &back, &j, &report), 0);
    assert_memory_equal(&back, &map, sizeof(map));
    journal_close(j);
    sim_vfs_free(sim);
    (void)state;
}

static void test_limits(void **state)
{
    struct sim_vfs *sim = sim_vfs_new(1);
    struct map map;
    struct journal *j = NULL;
    struct journal_report report;
    struct err e = ERR_INIT;
    static const char zeros[JOURNAL_KEY_BYTES_MAX + 1];
    assert_int_equal(open_map(sim_vfs_get(sim), &map, &j, &report), 0);
    journal_put(j, STR("k1"), STR("1"));
    journal_put(j, str_make(zeros, sizeof(zeros)), STR("1"));
    journal_put(j, STR("k2"), STR("1"));
    assert_int_equal(journal_commit(j, &e), ERR_LIMIT);
    assert_string_equal(e.message, JOURNAL_PATH ": a configured limit was reached");
    change(&map, j, 3, 5);
    assert_int_equal(journal_commit(j, NULL), 0);
    journal_close(j);
    assert_int_equal(open_map(sim_vfs_get(sim), &map, &j, &report), 0);
    const struct map expected = {{[3] = 5}};
    assert_memory_equal(&map, &expected, sizeof(map));
    journal_close(j);
    sim_vfs_free(sim);
    (void)state;
}

/* ---- Golden bytes ---- */

static int text_replay(void *context, struct str key, struct str value, bool deleted)
{
    struct strbuf *text = context;
    strbuf_addf(text, "%s ", deleted ? "delete" : "put");
    for (size_t i = 0; i < key.len; i++) {
        strbuf_addf(text, "%02x", (uint8_t)key.ptr[i]);
    }
    strbuf_add_c(text, "=");
    for (size_t i = 0; i < value.len; i++) {
        strbuf_addf(text, "%02x", (uint8_t)value.ptr[i]);
    }
    strbuf_add_c(text, "\n");
    return strbuf_error(text);
}

static void list_nothing(void *context, struct journal_rewrite *to)
{
    (void)context;
    (void)to;
}

static int open_text(
    struct vfs *fs, struct strbuf *text, struct journal_report *report, struct err *e)
{
    struct journal_options options = {
        .fs = fs, .replay = text_replay, .list = list_nothing, .context = text};
    struct journal *j = NULL;
    int status = journal_open(JOURNAL_PATH, &options, &j, report, e);
    journal_close(j);
    return status;
}

static void test_golden(void **state)
{
    char *bytes = NULL;
    size_t size = 0;
    struct strbuf text = STRBUF_INIT;
    struct journal_report report;
    struct sim_vfs *sim = sim_vfs_new(1);
    assert_int_equal(
        vfs_read_file(vfs_posix(), "tests/golden/journal.bin", 4096, &bytes, &size), 0);
    put_file(sim_vfs_get(sim), JOURNAL_PATH, bytes, size);
    assert_int_equal(open_text(sim_vfs_get(sim), &text, &report, NULL), 0);
    assert_string_equal(text.data, "put 61=6f6e65\nput 62=\nput 630064=ffffff\n"
                                   "delete 62=\nput 61=74776f\n");
    mem_free(bytes);
    strbuf_release(&text);
    sim_vfs_free(sim);
    (void)state;
}

/* ---- Damage ---- */

/* Each prefix of the file is a crash: whole transactions are there, the rest is cut off. */
static void test_torn_tail(void **state)
{
    struct sim_vfs *sim = sim_with(4);
    char *bytes = NULL;
    size_t size = 0;
    uint64_t changes_before = 0;
    assert_int_equal(vfs_read_file(sim_vfs_get(sim), JOURNAL_PATH, 4096, &bytes, &size), 0);
    sim_vfs_free(sim);
    for (size_t cut = 16; cut <= size; cut++) {
        struct map map;
        struct journal *j = NULL;
        struct journal_report report, again;
        sim = sim_vfs_new(cut);
        put_file(sim_vfs_get(sim), JOURNAL_PATH, bytes, cut);
        assert_int_equal(open_map(sim_vfs_get(sim), &map, &j, &report), 0);
        assert_true(report.changes >= changes_before && report.changes % 3 == 0);
        assert_int_equal(report.damaged_bytes, 0);
        changes_before = report.changes;
        transact(&map, j, 99);
        assert_int_equal(journal_commit(j, NULL), 0);
        journal_close(j);
        struct map back;
        assert_int_equal(open_map(sim_vfs_get(sim), &back, &j, &again), 0);
        assert_memory_equal(&back, &map, sizeof(map));
        assert_int_equal(again.torn_bytes, 0);
        journal_close(j);
        sim_vfs_free(sim);
    }
    assert_int_equal(changes_before, 12);
    mem_free(bytes);
    (void)state;
}

/* One flipped bit costs at most the transaction it is in, and what was there is kept beside. */
static void test_flipped_bits(void **state)
{
    struct sim_vfs *sim = sim_with(6);
    uint64_t size = file_size(sim_vfs_get(sim), JOURNAL_PATH);
    sim_vfs_free(sim);
    uint64_t refused = 0;
    for (uint64_t bit = 0; bit < size * 8; bit += 1 + bit % 3) {
        struct map map;
        struct journal *j = NULL;
        struct journal_report report;
        sim = sim_with(6);
        assert_int_equal(sim_vfs_flip_bit(sim, JOURNAL_PATH, bit), 0);
        assert_int_equal(open_map(sim_vfs_get(sim), &map, &j, &report), 0);
        bool in_header = bit < 16 * 8;
        assert_int_equal(report.changes, in_header ? 18 : 15);
        assert_true(report.torn_bytes + report.damaged_bytes > 0);
        assert_int_equal(
            file_size(sim_vfs_get(sim), JOURNAL_PATH ".damaged"), report.damaged_bytes);
        refused += report.damaged_bytes > 0;
        journal_close(j);
        struct map back;
        assert_int_equal(open_map(sim_vfs_get(sim), &back, &j, &report), 0);
        assert_memory_equal(&back, &map, sizeof(map));
        assert_int_equal(report.torn_bytes + report.damaged_bytes, 0);
        journal_close(j);
        sim_vfs_free(sim);
    }
    assert_true(refused > size);
    (void)state;
}

static void test_strange_files(void **state)
{
    static const struct {
        const char *what;
        const char *bytes;
        size_t size;
        int status;
        const char *sentence;
    } cases[] = {
        {"something else", "groups:\n- name: a\n", 18, ERR_INVALID, JOURNAL_PATH ": not a journal"},
        {"a newer version", "SONDEJRN\x02\0\0\0\xfc\x1d\x33\x02", 16, ERR_INVALID, NULL},
        {"empty", "", 0, 0, NULL},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct sim_vfs *sim = sim_vfs_new(1);
        struct strbuf text = STRBUF_INIT;
        struct journal_report report;
        struct err e = ERR_INIT;
        put_file(sim_vfs_get(sim), JOURNAL_PATH, cases[i].bytes, cases[i].size);
        int status = open_text(sim_vfs_get(sim), &text, &report, &e);
        if (status != cases[i].status ||
            (cases[i].sentence != NULL && strcmp(cases[i].sentence, e.message) != 0)) {
            fail_msg("%s: %d %s", cases[i].what, status, e.message);
        }
        strbuf_release(&text);
        sim_vfs_free(sim);
    }
    (void)state;
}

/* ---- Faults ---- */

enum { FAULT_TRANSACTIONS = 6 };

/* The map after each transaction, and how far the last run is known to have come. */
struct faulted {
    struct map after[FAULT_TRANSACTIONS + 1];
    uint64_t attempted, committed;
};

static int run_faulted(void *context, struct vfs *fs)
{
    struct faulted *f = context;
    struct map map;
    struct journal *j = NULL;
    struct journal_report report;
    int first_error = 0;
    f->attempted = f->committed = 0;
    int status = open_map(fs, &map, &j, &report);
    if (status != 0) {
        return status;
    }
    for (uint64_t n = 1; n <= FAULT_TRANSACTIONS; n++) {
        transact(&map, j, n);
        f->attempted = n;
        f->after[n] = map;
        status = journal_commit(j, NULL);
        if (status == 0) {
            f->committed = n;
        }
        first_error = first_error != 0 ? first_error : status;
    }
    journal_close(j);
    return first_error;
}

static void verify_faulted(void *context, struct vfs *fs, const struct fault_round *round)
{
    struct faulted *f = context;
    struct map map;
    struct journal *j = NULL;
    struct journal_report report;
    assert_int_equal(open_map(fs, &map, &j, &report), 0);
    uint64_t n = f->committed;
    while (n <= f->attempted && memcmp(&map, &f->after[n], sizeof(map)) != 0) {
        n++;
    }
    if (n > f->attempted) {
        fail_msg("the state is none between transactions %llu and %llu",
            (unsigned long long)f->committed, (unsigned long long)f->attempted);
    }
    assert_int_equal(report.damaged_bytes, 0);
    transact(&map, j, 77);
    assert_int_equal(journal_commit(j, NULL), 0);
    journal_close(j);
    (void)round;
}

static void test_faults(void **state)
{
    struct faulted faulted = {0};
    struct fault_scenario scenario = {"journal", &faulted, NULL, run_faulted, verify_faulted, 0, 0};
    assert_true(fault_loop(&scenario, FAULT_ALL) > 50);
    (void)state;
}

/* A disk that is full for a while: what was said in the meantime is there once it has room. */
static void test_full_disk(void **state)
{
    struct sim_vfs *sim = sim_vfs_new(1);
    struct vfs *fs = sim_vfs_get(sim);
    struct map map, back;
    struct journal *j = NULL, *second = NULL;
    struct journal_report report;
    assert_int_equal(open_map(fs, &map, &j, &report), 0);
    transact(&map, j, 1);
    assert_int_equal(journal_commit(j, NULL), 0);
    sim_vfs_set_capacity(sim, sim_vfs_used_bytes(sim));
    for (uint64_t n = 2; n < 5; n++) {
        transact(&map, j, n);
        assert_int_equal(journal_commit(j, NULL), ERR_NO_SPACE);
    }
    sim_vfs_set_capacity(sim, SIM_CAPACITY_DEFAULT);
    assert_int_equal(journal_commit(j, NULL), 0);
    journal_close(j);
    assert_int_equal(open_map(fs, &back, &second, &report), 0);
    assert_memory_equal(&back, &map, sizeof(map));
    journal_close(second);
    sim_vfs_free(sim);
    (void)state;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_keeps_what_was_committed),
        cmocka_unit_test(test_is_written_anew),
        cmocka_unit_test(test_limits),
        cmocka_unit_test(test_golden),
        cmocka_unit_test(test_torn_tail),
        cmocka_unit_test(test_flipped_bits),
        cmocka_unit_test(test_strange_files),
        cmocka_unit_test(test_faults),
        cmocka_unit_test(test_full_disk),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
