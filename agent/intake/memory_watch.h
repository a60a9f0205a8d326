/* How much memory the agent holds, against what it may hold.
 *
 * The resident size is read once a second, and sooner while much is asked for, and compared with the budget: at 70 % memory that is free
 * goes back to the kernel, at 85 % receivers refuse, at 95 % nobody takes new series. A level is left
 * only 5 points below where it was entered, so that it does not flutter. One thread.
 */
#ifndef SONDE_INTAKE_MEMORY_WATCH_H
#define SONDE_INTAKE_MEMORY_WATCH_H

#include <stdint.h>

#include "base/clock.h"
#include "base/vfs.h"
#include "intake/intake.h"

#define MEMORY_WATCH_INTERVAL_MS 1000
/* Asked so often, it reads again: one body may have more new series than there is room for. */
#define MEMORY_WATCH_ASKED_MAX 512
#define MEMORY_WATCH_BYTES_MAX_DEFAULT ((uint64_t)256 << 20)

struct memory_watch {
    struct vfs *vfs;
    struct clock *clock;
    uint64_t bytes_max;
    uint64_t bytes; /* resident, as last read */
    enum intake_pressure level;
    int64_t read_ms;
    unsigned asked;                    /* since it was read */
    uint64_t entered[INTAKE_FULL + 1]; /* how often each level was entered from below */
};

/* `bytes_max` 0: one tenth of the memory of the host or of the control group, at most
 * MEMORY_WATCH_BYTES_MAX_DEFAULT. */
void memory_watch_init(
    struct memory_watch *w, struct vfs *fs, struct clock *clock, uint64_t bytes_max);
/* Another budget from now on. */
void memory_watch_set_max(struct memory_watch *w, uint64_t bytes_max);
/* Reads when an interval has passed. Call at each turn of the loop. */
void memory_watch_step(struct memory_watch *w);
/* The level. To be asked before memory is taken that stays: for each new series, each request of a pusher. */
enum intake_pressure memory_watch_ask(struct memory_watch *w);

#endif
