/* The fault loop itself: that it strikes every step once, that it finds a wrong program, and that it
 * stops. The program it is tried on keeps a counter in a file. */
#include "support/support.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/mem.h"
#include "support/fault_loop.h"

/* Writes 1 to 5 into a file, one after the other. */
struct counter {
    int (*store)(struct vfs *fs, const char *path, const void *bytes, size_t size);
    int acknowledged; /* the last number that was stored without an error */
    int attempted;
    unsigned runs, failures, mistakes;
    bool seen[8]; /* states that verify met */
};

enum { COUNTER_LAST = 5 };

static int store_plainly(struct vfs *fs, const char *path, const void *bytes, size_t size)
{
    struct vfs_file *file = NULL;
    int status = vfs_open(fs, path, VFS_READWRITE, &file);
    if (status != 0) {
        return status;
    }
    status = vfs_truncate(fs, file, 0);
    if (status == 0) {
        status = vfs_append(fs, file, bytes, size);
    }
    vfs_close(fs, file);
    return status;
}

static void begin(void *context, struct vfs *fs)
{
    struct counter *counter = context;
    counter->acknowledged = 0;
    counter->attempted = 0;
    assert_int_equal(vfs_mkdir_all(fs, "data"), 0);
}

static int run(void *context, struct vfs *fs)
{
    struct counter *counter = context;
    int status = 0;
    counter->runs++;
    for (int number = 1; number <= COUNTER_LAST && status == 0; number++) {
        counter->attempted = number;
        char *text = mem_alloc(2);
        if (text == NULL) {
            status = ERR_NOMEM;
            break;
        }
        text[0] = (char)('0' + number);
        status = counter->store(fs, "data/counter", text, 1);
        mem_free(text);
        if (status == 0) {
            counter->acknowledged = number;
        }
    }
    counter->failures += status != 0;
    return status;
}

static void verify(void *context, struct vfs *fs, const struct fault_round *round)
{
    struct counter *counter = context;
    assert_true(round->struck || round->status == 0);
    char *text = NULL;
    size_t size = 0;
    int found = 0;
    int status = vfs_read_file(fs, "data/counter", 100, &text, &size);
    if (status == 0) {
        found = size == 1 ? text[0] - '0' : -1;
        mem_free(text);
    } else {
        assert_int_equal(status, ERR_NOT_FOUND);
    }
    if (found >= 0 && found <= COUNTER_LAST) {
        counter->seen[found] = true;
    }
    /* What was acknowledged is there; what was under way may be. */
    counter->mistakes += found != counter->acknowledged && found != counter->attempted;
}

static void a_right_program_passes_every_round(void **state)
{
    (void)state;
    struct counter counter = {.store = vfs_write_file_atomic};
    struct fault_scenario scenario = {"counter", &counter, begin, run, verify, 0, 0};
    uint64_t rounds = fault_loop(&scenario, FAULT_ALL);
    assert_int_equal(rounds, counter.runs);
    assert_int_equal(counter.mistakes, 0);
    for (int number = 0; number <= COUNTER_LAST; number++) {
        assert_true(counter.seen[number]);
    }
    /* One store is: remove, create (names), open handle and text (allocations), append, sync,
     * rename, sync_dir. Five of them, and the untouched round at the end. */
    struct {
        unsigned kind;
        uint64_t rounds;
    } expected[] = {
        {FAULT_ALLOCATION, 5 * 2 + 1},
        {FAULT_WRITE, 2 * (5 + 1)},
        {FAULT_SYNC, 2 * (5 * 2 + 1)},
        {FAULT_NAME, 2 * (5 * 3 + 1)},
        {FAULT_READ, 1},
        {FAULT_FULL, 2 * (5 * 2 + 1)},
        {FAULT_POWER, 5 * 6 + 1},
    };
    for (size_t i = 0; i < sizeof(expected) / sizeof(expected[0]); i++) {
        assert_int_equal(fault_loop(&scenario, expected[i].kind), expected[i].rounds);
    }
}

static void a_wrong_program_is_found(void **state)
{
    (void)state;
    static const unsigned kinds[] = {FAULT_WRITE, FAULT_POWER};
    for (size_t i = 0; i < 2; i++) {
        struct counter counter = {.store = store_plainly};
        struct fault_scenario scenario = {"plain counter", &counter, begin, run, verify, 0, 0};
        fault_loop(&scenario, kinds[i]);
        assert_true(counter.mistakes > 0);
    }
}

static int allocate_once(void *context, struct vfs *fs)
{
    (void)context;
    (void)fs;
    void *memory = mem_alloc(1);
    int status = memory != NULL ? 0 : ERR_NOMEM;
    mem_free(memory);
    return status;
}

static void begin_and_verify_are_optional(void **state)
{
    (void)state;
    struct fault_scenario scenario = {"allocation", NULL, NULL, allocate_once, NULL, 0, 0};
    assert_int_equal(fault_loop(&scenario, FAULT_ALLOCATION), 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_right_program_passes_every_round),
        cmocka_unit_test(a_wrong_program_is_found),
        cmocka_unit_test(begin_and_verify_are_optional),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
