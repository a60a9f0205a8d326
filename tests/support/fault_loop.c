/* Run, fail, reopen, verify. */
#include "support/fault_loop.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/err.h"
#include "base/mem.h"
#include "support/support.h"

/* The kinds in the order they are walked, with the calls they strike. */
static const struct {
    enum fault_kind kind;
    const char *name;
    unsigned calls;
} kinds_of_faults[] = {
    {FAULT_ALLOCATION, "allocation", 0},
    {FAULT_WRITE, "write", SIM_WRITES},
    {FAULT_SYNC, "sync", SIM_SYNCS},
    {FAULT_NAME, "name", SIM_NAMES},
    {FAULT_READ, "read", SIM_READS},
    {FAULT_FULL, "full disk", SIM_WRITES | SIM_CREATE},
    {FAULT_POWER, "power", SIM_CHANGES},
};

enum { KIND_COUNT = sizeof(kinds_of_faults) / sizeof(kinds_of_faults[0]) };

static void arm(struct sim_vfs *sim, enum fault_kind kind, unsigned calls, uint64_t number)
{
    switch (kind) {
    case FAULT_ALLOCATION:
        mem_fail_nth(number);
        break;
    case FAULT_FULL:
        sim_vfs_fail_from(sim, calls, number, ERR_NO_SPACE);
        break;
    case FAULT_POWER:
        sim_vfs_lose_power_at(sim, calls, number);
        break;
    default:
        sim_vfs_fail_nth(sim, calls, number, ERR_IO);
        break;
    }
}

/* Switches the fault off and tells whether it struck. */
static bool disarm(struct sim_vfs *sim, enum fault_kind kind)
{
    bool pending = kind == FAULT_ALLOCATION ? mem_fail_pending() : sim_vfs_fail_pending(sim);
    mem_fail_nth(0);
    sim_vfs_fail_clear(sim);
    return !pending;
}

/* One round; returns whether the fault struck. */
static bool run_round(
    const struct fault_scenario *scenario, size_t kind, uint64_t number, bool power_cut)
{
    static int verbose = -1;
    if (verbose < 0) {
        verbose = getenv("SONDE_FAULT_VERBOSE") != NULL;
    }
    if (verbose) {
        printf("fault_loop: %s: %s %llu%s\n", scenario->name, kinds_of_faults[kind].name,
            (unsigned long long)number, power_cut ? ", then a power cut" : "");
        fflush(stdout);
    }
    uint64_t seed = test_seed() + number * 1000003;
    struct sim_vfs *sim = sim_vfs_new(seed);
    struct vfs *fs = sim_vfs_get(sim);
    if (scenario->begin != NULL) {
        scenario->begin(scenario->context, fs);
    }
    struct fault_round round = {.kind = kinds_of_faults[kind].kind, .number = number};
    arm(sim, round.kind, kinds_of_faults[kind].calls, number);
    round.status = scenario->run(scenario->context, fs);
    round.struck = disarm(sim, round.kind);
    if (!round.struck && round.status != 0) {
        fail_msg("%s: untouched by %s %llu, but returns %s", scenario->name,
            kinds_of_faults[kind].name, (unsigned long long)number, err_name(round.status));
    }
    round.power_cut = power_cut;
    if (power_cut) {
        sim_vfs_power_cut(sim, seed);
    }
    if (scenario->verify != NULL) {
        scenario->verify(scenario->context, fs, &round);
    }
    sim_vfs_free(sim);
    return round.struck;
}

/* All rounds of one kind; returns their number. */
static uint64_t walk_kind(const struct fault_scenario *scenario, size_t kind)
{
    uint64_t rounds_max = scenario->rounds_max != 0 ? scenario->rounds_max : FAULT_ROUNDS_MAX;
    enum fault_kind what = kinds_of_faults[kind].kind;
    uint64_t stride = what == FAULT_ALLOCATION && scenario->allocation_stride != 0
                          ? scenario->allocation_stride
                          : 1;
    uint64_t rounds = 0;
    bool struck = true;
    for (uint64_t number = 1 + test_seed() % stride; struck; number += stride) {
        struck = false;
        if (what != FAULT_POWER) { /* which is a power cut in any case */
            struck = run_round(scenario, kind, number, false);
            rounds++;
        }
        if (what != FAULT_ALLOCATION && what != FAULT_READ) {
            struck = run_round(scenario, kind, number, true) || struck;
            rounds++;
        }
        if (rounds > rounds_max) {
            fail_msg("%s: %s faults still strike after %llu rounds", scenario->name,
                kinds_of_faults[kind].name, (unsigned long long)rounds);
        }
    }
    return rounds;
}

uint64_t fault_loop(const struct fault_scenario *scenario, unsigned kinds)
{
    uint64_t total = 0;
    (void)test_seed(); /* prints itself before the line below begins */
    printf("fault_loop: %s:", scenario->name);
    for (size_t kind = 0; kind < KIND_COUNT; kind++) {
        if ((kinds & kinds_of_faults[kind].kind) != 0) {
            uint64_t rounds = walk_kind(scenario, kind);
            printf(" %llu %s,", (unsigned long long)rounds, kinds_of_faults[kind].name);
            total += rounds;
        }
    }
    printf(" %llu rounds\n", (unsigned long long)total);
    return total;
}
