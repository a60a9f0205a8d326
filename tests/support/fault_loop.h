/* Runs a scenario again and again while the first, second, third … allocation, write, sync fails,
 * until it passes untouched: run, fail, reopen, verify.
 *
 * Each round has a fresh simulated disk. Whatever the fault, the scenario must unwind (the sanitizers
 * watch for leaks) and the state it leaves must be one it may leave. Rounds with faults of the disk
 * are run twice: the program is started again, and the whole machine is.
 *
 *   struct fault_scenario scenario = {"manifest", &context, begin, run, verify, 0};
 *   fault_loop(&scenario, FAULT_ALL);
 *
 * SONDE_FAULT_VERBOSE=1 prints each round before it runs, so that the last line names the one that
 * failed.
 */
#ifndef SONDE_TESTS_FAULT_LOOP_H
#define SONDE_TESTS_FAULT_LOOP_H

#include <stdbool.h>
#include <stdint.h>

#include "base/vfs.h"
#include "support/sim_vfs.h"

enum fault_kind {
    FAULT_ALLOCATION = 1 << 0, /* the n-th allocation, once */
    FAULT_WRITE = 1 << 1,      /* the n-th append, pwrite, truncate or preallocate, once: ERR_IO */
    FAULT_SYNC = 1 << 2,       /* the n-th sync or sync_dir, once: ERR_IO */
    FAULT_NAME = 1 << 3,       /* the n-th create, rename, link, remove or mkdir, once: ERR_IO */
    FAULT_READ = 1 << 4,       /* the n-th open, pread, size, list …, once: ERR_IO */
    FAULT_FULL = 1 << 5,       /* the disk is full from the n-th write or create on */
    FAULT_POWER = 1 << 6,      /* power is lost in the n-th call that changes the disk */
    FAULT_ALL = (1 << 7) - 1,
};

/* What happened, for verify. */
struct fault_round {
    enum fault_kind kind;
    uint64_t number; /* n */
    bool struck;     /* false: the scenario was untouched */
    bool power_cut;  /* what was not synced may be gone */
    int status;      /* what run returned */
};

struct fault_scenario {
    const char *name;
    void *context;
    /* Before each round, with no fault armed: forgets the last round, prepares the disk. May be NULL. */
    void (*begin)(void *context, struct vfs *fs);
    /* Under fire. Closes what it opened, and returns 0 or its error. */
    int (*run)(void *context, struct vfs *fs);
    /* After the fault is gone: opens what is there and checks it. May be NULL where unwinding is all. */
    void (*verify)(void *context, struct vfs *fs, const struct fault_round *round);
    /* Most rounds of one kind; 0 = FAULT_ROUNDS_MAX. More of them fail the test. */
    uint64_t rounds_max;
    /* Strike every n-th allocation only, from a first one that the seed chooses; 0 = each. For long
     * scenarios under a sanitizer, which slows each round tenfold. */
    uint64_t allocation_stride;
};

#define FAULT_ROUNDS_MAX 20000

/* Walks the kinds in `kinds`; returns and prints the number of rounds. An untouched run that does not
 * return 0 fails the test. */
uint64_t fault_loop(const struct fault_scenario *scenario, unsigned kinds);

#endif
